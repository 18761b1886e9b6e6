"""Waveforms matched to the spectra that a ground-motion model draws."""

from gwm_hazard.models.matched.match import Targets, achieved, match
from gwm_hazard.models.matched.model import MatchedModel
from gwm_hazard.models.matched.targets import (
    JoinedSpectra,
    SpectralMoments,
    SpectrumDraws,
    SpectrumSource,
)

__all__ = [
    "JoinedSpectra",
    "MatchedModel",
    "SpectralMoments",
    "SpectrumDraws",
    "SpectrumSource",
    "Targets",
    "achieved",
    "match",
]
