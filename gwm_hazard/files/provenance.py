"""Where a file comes from: software versions and the model card, as attributes of the file."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import gwm_hazard

if TYPE_CHECKING:
    from gwm_hazard.models.base import ModelCard

_PACKAGES = (
    *("numpy", "scipy", "numba", "torch", "xarray", "h5netcdf", "obspy", "openquake.engine"),
)


def software_versions() -> dict[str, str]:
    """Versions of this package, Python and the packages that decide the numbers."""
    found = {"gwm_hazard": gwm_hazard.__version__, "python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def attributes(card: ModelCard) -> dict[str, str]:
    """Attributes that every file made from a model carries."""
    return {
        "model": card.name,
        "model_version": card.version,
        "model_card": json.dumps(card.to_dict()),
        "licence": card.licence,
        "software": json.dumps(software_versions()),
    }


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary name beside ``path``; rename it on success, remove it on failure."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
