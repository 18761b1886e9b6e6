"""Where a file comes from: software versions and the model card, as attributes of the file."""

from __future__ import annotations

import json
import platform
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from gwm_hazard._version import __version__

if TYPE_CHECKING:
    from gwm_hazard.core.card import ModelCard

_PACKAGES = (
    *("numpy", "scipy", "numba", "torch", "xarray", "h5netcdf", "obspy", "openquake.engine"),
)


def software_versions() -> dict[str, str]:
    """Versions of this package, Python and the packages that decide the numbers."""
    found = {"gwm_hazard": __version__, "python": platform.python_version()}
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
