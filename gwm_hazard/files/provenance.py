"""Where a file comes from: software versions and the model card, as attributes of the file."""

from __future__ import annotations

import hashlib
import json
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
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


@cache
def code() -> str:
    """SHA-256 of the sources and tables of this package: what any number of it may come from."""
    package = Path(__file__).parents[1]
    found = hashlib.sha256()
    for path in sorted(p for suffix in ("py", "csv") for p in package.rglob(f"*.{suffix}")):
        found.update(f"{path.relative_to(package).as_posix()} {path.stat().st_size} ".encode())
        found.update(path.read_bytes())
    return found.hexdigest()


def attributes(card: ModelCard) -> dict[str, str]:
    """Attributes that every file made from a model carries."""
    return {
        "model": card.name,
        "model_version": card.version,
        "model_card": json.dumps(card.to_dict()),
        "licence": card.licence,
        "software": json.dumps(software_versions()),
    }
