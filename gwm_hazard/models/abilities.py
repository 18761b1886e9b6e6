"""What a model may be able to do beside drawing for a scenario: small protocols, asked by name.

``isinstance(model, Reconstructs)`` tells whether it can. The two ``ConditionsOn...`` are about an
argument of ``generate``: a model has the ability where its ``generate`` takes that argument.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch
    import xarray as xr

    from gwm_hazard.core.low_frequency import LowFrequency
    from gwm_hazard.core.noise import Noise
    from gwm_hazard.core.scenario import Scenarios
    from gwm_hazard.core.spectra import Spectra


@runtime_checkable
class Reconstructs(Protocol):
    """A model that gives a signal back, as an autoencoder or a translator does."""

    def reconstruct(self, acceleration: NDArray[np.float32], dt_s: float) -> NDArray[np.float32]:
        """The model's version of given records, (n, 3, nt) to the same shape, m/s2, P at 5 s."""
        ...


@runtime_checkable
class Represents(Protocol):
    """A model whose representation of a signal loses something by itself."""

    def represent(self, acceleration: NDArray[np.float32], dt_s: float) -> NDArray[np.float32]:
        """As :meth:`Reconstructs.reconstruct`, through the representation alone."""
        ...


class _ByArgument(type(Protocol)):  # type: ignore[misc]
    """Classes whose instances are the models whose ``generate`` takes an argument by name."""

    argument: str

    def __instancecheck__(cls, instance: Any) -> bool:
        generate = getattr(instance, "generate", None)
        return callable(generate) and cls.argument in inspect.signature(generate).parameters


class ConditionsOnSpectrum(Protocol, metaclass=_ByArgument):
    """A model whose waveforms follow given response spectra.

    A spectrum is SA in g, 5 % damped, RotD50 of the horizontals (of the one horizontal where a
    model has one), over periods that cover :attr:`target_periods_s`.
    """

    #: Shortest and longest period that a target must reach, s.
    target_periods_s: tuple[float, float]

    def generate(
        self, scenarios: Scenarios, n: int = 1, seed: int = 0, *, target: Any, **options: Any
    ) -> xr.Dataset:
        """As :meth:`WaveformModel.generate`; ``target`` holds SA in g by scenario and period."""
        ...

    def draw(
        self, scenarios: Scenarios, noise: Noise, target: Spectra | None = None
    ) -> torch.Tensor:
        """As :meth:`WaveformModel.draw`, a spectrum a row.

        ``model.batches(scenarios, noise, target=spectra)`` calls it batch by batch. Without a
        target, a model either knows what spectra its scenarios have, or raises an InputError.
        """
        ...


class ConditionsOnLowFrequencies(Protocol, metaclass=_ByArgument):
    """A model that adds high frequencies to simulated motions."""

    #: Crossovers that it knows, Hz, growing: the largest up to which a motion is right is taken.
    crossovers_hz: tuple[float, ...]

    def generate(
        self,
        scenarios: Scenarios,
        n: int = 1,
        seed: int = 0,
        *,
        low_frequency: Any,
        **options: Any,
    ) -> xr.Dataset:
        """As :meth:`WaveformModel.generate`.

        ``low_frequency`` holds acceleration(scenario, component, time) in m/s2.
        """
        ...

    def draw(
        self, scenarios: Scenarios, noise: Noise, low_frequency: LowFrequency | None = None
    ) -> torch.Tensor:
        """As :meth:`WaveformModel.draw`, a motion a row, whose samples the result has in time.

        ``model.batches(scenarios, noise, low_frequency=motions)`` calls it batch by batch.
        """
        ...


# Set here: an annotation in the class would make it a member that instances must have.
ConditionsOnSpectrum.argument = "target"
ConditionsOnLowFrequencies.argument = "low_frequency"
