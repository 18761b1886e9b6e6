"""The stochastic method as a generative waveform model: needs no weights."""

from typing import TYPE_CHECKING, Any

from gwm_hazard.models.stochastic.parameters import StochasticParameters

if TYPE_CHECKING:
    from gwm_hazard.models.stochastic.model import StochasticModel

__all__ = ["StochasticModel", "StochasticParameters"]


def __getattr__(name: str) -> Any:
    """The model when it is asked for: it imports torch, parameters and card do not."""
    if name != "StochasticModel":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from gwm_hazard.models.stochastic.model import StochasticModel

    return StochasticModel
