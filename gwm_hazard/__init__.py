"""Generative waveform models in probabilistic seismic hazard analysis."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from gwm_hazard._version import __version__

# Importing the package loads neither torch nor a model: names are resolved on first use.
_EXPORTS = {
    "Scenarios": "gwm_hazard.core.scenario",
    "Noise": "gwm_hazard.core.noise",
    "load_model": "gwm_hazard.models.registry",
    "rotd": "gwm_hazard.intensity",
    "intensity_measures": "gwm_hazard.intensity",
    "open_catalogue": "gwm_hazard.catalogue.store",
}

if TYPE_CHECKING:
    from gwm_hazard.catalogue.store import open_catalogue
    from gwm_hazard.core.noise import Noise
    from gwm_hazard.core.scenario import Scenarios
    from gwm_hazard.intensity import intensity_measures, rotd
    from gwm_hazard.models.registry import load_model

__all__ = [
    "Noise",
    "Scenarios",
    "__version__",
    "intensity_measures",
    "load_model",
    "open_catalogue",
    "rotd",
]


def __getattr__(name: str) -> Any:
    try:
        module = _EXPORTS[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(importlib.import_module(module), name)


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
