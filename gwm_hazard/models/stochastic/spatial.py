"""The level noise of the stochastic model between the sites of an event.

``tables/spatial.npz`` is written by ``validation/spatial/tune.py``, which says what is in it; it
holds for the parameters that come with the package.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.core.spatial import published


@lru_cache(maxsize=1)
def _table() -> dict[str, NDArray[np.float64]]:
    with (files(__package__) / "tables" / "spatial.npz").open("rb") as file, np.load(file) as table:
        return {name: table[name] for name in table.files}


@lru_cache(maxsize=8)
def matrices(name: str) -> NDArray[np.float64]:
    """What mixes lattice fields to the stream "record", (n_lengths, size, size)."""
    published.check(name)
    return _table()[name].astype(np.float64)


def sensitivities() -> dict[str, NDArray[np.float64]]:
    """{measure: (size,)}, of ln IM to "record", over the standard deviation within events."""
    table = _table()
    rows = table["sensitivity"].astype(np.float64)
    return dict(zip(table["measures"].tolist(), rows, strict=True))
