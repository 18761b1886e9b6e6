"""Broadband motions from physics-based low frequencies: a band kept, a band drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from gwm_hazard.core.card import ModelCard, Range
from gwm_hazard.core.low_frequency import LowFrequency
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.errors import InputError
from gwm_hazard.models.base import Rows, WaveformModel
from gwm_hazard.models.broadband.forms import condition_of, form_of
from gwm_hazard.models.broadband.level import Level, grid_hz, low_grid_hz
from gwm_hazard.models.broadband.splice import low_spectrum, splice
from gwm_hazard.models.weights import Weights, check_shapes
from gwm_hazard.representation.level import at_level, ln_amplitude

if TYPE_CHECKING:
    import xarray as xr

Array = NDArray[np.float64]

#: Noise on what a network sees of the low band, beside its peak: what a filter left above the
#: crossover is below it.
GUARD = 1e-3

CONDITION_NAMES = ("mag", "rhypo", "vs30")

CITATIONS = (
    "Gatti and Clouteau (2020) Comput. Methods Appl. Mech. Eng. 372: 113421 (low frequencies to "
    "broadband by adversarial networks: the task)",
)

LIMITATIONS = (
    "The band below 0.8 of the crossover is that of the simulation, with its errors: nothing of it "
    "is mended.",
    "Phases above the crossover are drawn: a record is not reconstructed.",
    "The vertical's phases are independent of the horizontals' above the crossover.",
)


class BroadbandModel(WaveformModel):
    """Broadband accelerograms whose band below a crossover is a given one.

    Parameters
    ----------
    weights : Weights
        Of the network that draws shapes ("shape." before its names), and of a :class:`Level` for
        each crossover ("level.0." ...).
    form, sizes : which network (:data:`gwm_hazard.models.broadband.forms.FORMS`), and its sizes
    conditions : ranges [low, high] of ``mag``, ``rhypo`` and ``vs30``
    crossovers_hz : those that it knows; the largest up to which a motion is right is taken
    sampling_rate_hz : float
    """

    needs_weights = True
    bytes_per_sample = 480

    def __init__(
        self,
        *,
        weights: Weights,
        form: str,
        sizes: Mapping[str, Any],
        conditions: Mapping[str, Sequence[float]],
        crossovers_hz: Sequence[float] = (0.5, 1.0, 2.0),
        sampling_rate_hz: float = 100.0,
    ) -> None:
        if tuple(conditions) != CONDITION_NAMES:
            raise InputError(
                f"conditions = {', '.join(conditions)}: must be {', '.join(CONDITION_NAMES)}"
            )
        known = [float(f) for f in crossovers_hz]
        if not known or known != sorted(set(known)) or known[0] <= 0:
            raise InputError(f"crossovers_hz = {known}: must be above 0 and grow")
        self.crossovers_hz, self.weights = tuple(known), weights
        self.shape = form_of(form, sizes).requires_grad_(False).eval()
        own = {f"shape.{k}": t for k, t in self.shape.state_dict().items()}
        expected: dict[str, tuple[int, ...]] = {k: tuple(t.shape) for k, t in own.items()}
        prefixes = [f"level.{i}." for i in range(len(known))]
        for prefix in prefixes:
            expected |= {prefix + k: v for k, v in Level.shapes().items()}
        check_shapes(weights.tensors, expected, "broadband")
        self.shape.load_state_dict({k.removeprefix("shape."): weights.tensors[k] for k in own})
        self.levels = [Level.of(weights.tensors, prefix) for prefix in prefixes]
        self.card = ModelCard(
            name="broadband",
            family="broadband",
            version="1",
            summary="Broadband motions whose low frequencies are those of a simulation.",
            licence="see where the weights are from",
            citation=CITATIONS,
            training_data="see where the weights are from",
            conditions=tuple(Range(k, *map(float, v)) for k, v in conditions.items()),
            components=("H1", "H2", "V"),
            sampling_rate_hz=float(sampling_rate_hz),
            tectonic_region="Active Shallow Crust",
            between_event=True,
            limitations=LIMITATIONS,
            parameters={
                "weights_sha256": weights.sha256,
                "form": form,
                "sizes": self.shape.to_dict(),
                "conditions": {k: [float(x) for x in v] for k, v in conditions.items()},
                "crossovers_hz": known,
                "sampling_rate_hz": float(sampling_rate_hz),
            },
        )

    def crossover_hz(self, low_frequency: LowFrequency) -> float:
        """The largest crossover up to which motions are right, Hz.

        Raises
        ------
        InputError
            Motions that are right up to none.
        """
        known = [f for f in self.crossovers_hz if f <= low_frequency.valid_hz * (1.0 + 1e-6)]
        if not known:
            raise InputError(
                f"low_frequency: right up to {low_frequency.valid_hz:g} Hz; model "
                f"{self.card.name!r} goes on from {self.crossovers_hz[0]:g} Hz or higher"
            )
        return known[-1]

    def npts(self, scenarios: Scenarios) -> NDArray[np.int64]:
        """Not known of scenarios alone: see :meth:`lengths`."""
        raise InputError(self._needed())

    def lengths(self, scenarios: Scenarios, **beside: Rows) -> NDArray[np.int64]:
        """Samples of each record: as long in time as its motion."""
        low = beside.get("low_frequency")
        if not isinstance(low, LowFrequency):
            raise InputError(self._needed())
        return np.full(len(scenarios), self._samples(low), dtype=np.int64)

    def _samples(self, low: LowFrequency) -> int:
        return max(2, round(low.duration_s / self.dt_s))

    def _needed(self) -> str:
        return (
            f"model {self.card.name!r} adds high frequencies to a simulated motion: give "
            "generate(..., low_frequency=MOTIONS) (acceleration(scenario, component, time), m/s2)"
        )

    def generate(  # type: ignore[override]
        self,
        scenarios: Scenarios,
        n: int = 1,
        seed: int = 0,
        *,
        low_frequency: LowFrequency | xr.Dataset | xr.DataArray | None = None,
        batch_size: int | None = None,
        check: bool = True,
    ) -> xr.Dataset:
        """Draw ``n`` realizations for each motion; see :meth:`WaveformModel.generate`.

        Parameters
        ----------
        low_frequency : LowFrequency, Dataset or DataArray
            A motion a scenario, m/s2, with ``valid_hz``: see :meth:`LowFrequency.of`.

        Raises
        ------
        InputError
            No motions, or such that :meth:`LowFrequency.check` refuses.
        """
        if low_frequency is None:
            raise InputError(self._needed())
        motions = LowFrequency.of(low_frequency, len(scenarios))
        fc_hz = self.crossover_hz(motions)
        scenarios.require(self.card.condition_names, f"model {self.card.name!r}")
        motions.check(fc_hz, scenarios["rhypo"])
        made = super().generate(
            scenarios, n, seed, batch_size=batch_size, check=check, low_frequency=motions
        )
        return made.assign_attrs(crossover_hz=fc_hz)

    def draw(
        self, scenarios: Scenarios, noise: Noise, low_frequency: LowFrequency | None = None
    ) -> torch.Tensor:
        """See :meth:`WaveformModel.draw`; ``low_frequency`` has a motion a row."""
        if low_frequency is None:
            raise InputError(self._needed())
        made = self.spliced(scenarios, noise, low_frequency)[..., : self._samples(low_frequency)]
        return torch.from_numpy(made.astype(np.float32)).to(self.device)

    def spliced(self, scenarios: Scenarios, noise: Noise, low_frequency: LowFrequency) -> Array:
        """The motions on the padded window of the splice, (n, 3, 2 npts), float64, m/s2.

        Raises
        ------
        InputError
            Motions that :meth:`LowFrequency.require` refuses.
        """
        scenarios.require(self.card.condition_names, f"model {self.card.name!r}")
        fc_hz = self.crossover_hz(low_frequency)
        low_frequency.require(fc_hz, scenarios["rhypo"])
        npts = self._samples(low_frequency)
        spectrum = low_spectrum(
            low_frequency.acceleration, low_frequency.dt_s, npts, self.dt_s, fc_hz
        )
        low = np.fft.irfft(spectrum, 2 * npts)[..., :npts]
        mag, distance, vs30 = (scenarios[k] for k in CONDITION_NAMES)
        level = self.levels[self.crossovers_hz.index(fc_hz)].draw(
            ln_amplitude(low, self.dt_s, low_grid_hz(fc_hz)), mag, distance, vs30, noise
        )
        scale = peak(low)
        guard = noise.normal("guard", 3 * npts).reshape(-1, 3, npts)
        seen = torch.from_numpy((low / scale[:, None, None] + GUARD * guard).astype(np.float32))
        condition = condition_of(mag, distance, vs30, scale, fc_hz)
        shape = self.shape.to(self.device)
        drawn = shape.drawn(seen.to(self.device), condition.to(self.device), noise)
        high = at_level(drawn.cpu().numpy().astype(np.float64), self.dt_s, level, grid_hz(fc_hz))
        return splice(spectrum, high, self.dt_s, fc_hz)


def peak(low: Array) -> Array:
    """Largest vector amplitude of low bands (n, 3, nt), (n,), m/s2: inputs are over it."""
    found: Array = np.sqrt((low**2).sum(axis=1).max(axis=1))
    return found
