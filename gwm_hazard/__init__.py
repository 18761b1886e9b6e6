"""Generative waveform models in probabilistic seismic hazard analysis."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from gwm_hazard._version import __version__

# Importing the package loads neither torch nor a model: names are resolved on first use.
_EXPORTS = {
    "Scenarios": "gwm_hazard.core.scenario",
    "Noise": "gwm_hazard.core.noise",
    "ModelCard": "gwm_hazard.core.card",
    "Range": "gwm_hazard.core.card",
    "WaveformModel": "gwm_hazard.models.base",
    "Reconstructs": "gwm_hazard.models.abilities",
    "Represents": "gwm_hazard.models.abilities",
    "ConditionsOnSpectrum": "gwm_hazard.models.abilities",
    "ConditionsOnLowFrequencies": "gwm_hazard.models.abilities",
    "load_model": "gwm_hazard.models.registry",
    "save_model": "gwm_hazard.models.registry",
    "GwmHazardError": "gwm_hazard.errors",
    "rotd": "gwm_hazard.intensity",
    "intensity_measures": "gwm_hazard.intensity",
    "open_catalogue": "gwm_hazard.catalogue.store",
}

if TYPE_CHECKING:
    from gwm_hazard.catalogue.store import open_catalogue
    from gwm_hazard.core.card import ModelCard, Range
    from gwm_hazard.core.noise import Noise
    from gwm_hazard.core.scenario import Scenarios
    from gwm_hazard.errors import GwmHazardError
    from gwm_hazard.intensity import intensity_measures, rotd
    from gwm_hazard.models.abilities import (
        ConditionsOnLowFrequencies,
        ConditionsOnSpectrum,
        Reconstructs,
        Represents,
    )
    from gwm_hazard.models.base import WaveformModel
    from gwm_hazard.models.registry import load_model, save_model

__all__ = [
    "ConditionsOnLowFrequencies",
    "ConditionsOnSpectrum",
    "GwmHazardError",
    "ModelCard",
    "Noise",
    "Range",
    "Reconstructs",
    "Represents",
    "Scenarios",
    "WaveformModel",
    "__version__",
    "intensity_measures",
    "load_model",
    "open_catalogue",
    "rotd",
    "save_model",
]


def __getattr__(name: str) -> Any:
    try:
        module = _EXPORTS[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    return getattr(importlib.import_module(module), name)


def __dir__() -> list[str]:
    return sorted(set(globals()) | set(__all__))
