"""The stochastic method as a generative waveform model: needs no weights."""

from gwm_hazard.models.stochastic.model import StochasticModel
from gwm_hazard.models.stochastic.parameters import StochasticParameters

__all__ = ["StochasticModel", "StochasticParameters"]
