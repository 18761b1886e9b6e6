"""Means of ln IM of the stochastic model at records, by draws with common random numbers.

The event and record terms of the model are off, so that only the phases are random, and record i
always has the same ones: differences between parameter values are then almost free of sampling
error. What the terms add to the mean of ln IM (an oscillator sees the average over frequency of a
spectrum that scatters, which is above its median) is estimated apart, see
:mod:`gwm_hazard.calibration.variability`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.calibration.selection import CONDITIONS
from gwm_hazard.core.draws import Draws
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.files.parts import once
from gwm_hazard.files.provenance import software_versions
from gwm_hazard.models.measuring import ln_measures
from gwm_hazard.models.stochastic import StochasticModel, StochasticParameters
from gwm_hazard.records.observations import Observations

_BLOCK = 512  # records drawn between two signs of progress


@dataclass(frozen=True)
class MeanOfDraws:
    """Mean of ln IM over the draws, and the variance of that mean, (n, n_imts) each."""

    mean: NDArray[np.float64]
    variance: NDArray[np.float64]


@dataclass(frozen=True)
class Cache:
    """Arrays on disk by what they were made of: an interrupted fit runs through them again."""

    folder: Path | None

    def get(self, key: object, make: Callable[[], NDArray[np.float64]]) -> NDArray[np.float64]:
        """The array of a key, made and kept where it is not there."""
        if self.folder is None:
            return make()
        text = json.dumps([key, software_versions()], sort_keys=True, default=str)
        name = hashlib.sha256(text.encode()).hexdigest()[:32]
        return once(self.folder / f"{name}.npz", text, make)


def quiet(p: StochasticParameters) -> StochasticParameters:
    """The parameters without event and record terms."""
    return replace(
        p, stress_sigma_ln=0.0, tau_factor=0.0, phi_factor=0.0, duration_tau=0.0, duration_phi=0.0
    )


@dataclass(frozen=True)
class Points:
    """Where the model is evaluated: scenarios, measures, and the component of each, (n, m)."""

    scenarios: Scenarios
    imts: tuple[str, ...]
    components: NDArray[np.object_]

    def key(self) -> list[object]:
        """Tells these points from others."""
        values = np.stack([self.scenarios[k] for k in CONDITIONS])
        names = sorted({str(c) for c in self.components.ravel()})
        codes = np.searchsorted(names, self.components.astype(str))
        parts = values.tobytes() + codes.astype(np.int64).tobytes()
        return [hashlib.sha256(parts).hexdigest(), names, self.imts]


def points_of(observations: Observations) -> Points:
    """The records of a set of observations."""
    table = observations.table
    scenarios = Scenarios(**{k: table[k].to_numpy(np.float64) for k in CONDITIONS})
    return Points(scenarios, observations.imts, observations.component_of())


class Medians:
    """Evaluates the model at points.

    Parameters
    ----------
    points : where
    seed : of the draws; point i has the noise (seed, i)
    device : torch device
    cache : where evaluations are kept
    tick : called with the number of waveforms drawn since the last call
    """

    def __init__(
        self,
        points: Points,
        *,
        seed: int,
        device: str = "cpu",
        cache: Cache | None = None,
        tick: Callable[[int], None] | None = None,
    ) -> None:
        self.points, self.seed, self.device = points, seed, device
        self._cache = cache or Cache(None)
        self._tick = tick or (lambda count: None)
        self._key = points.key()

    def __call__(self, p: StochasticParameters, draws: int) -> MeanOfDraws:
        """Means over the first ``draws`` waveforms of each point (variance 0 for one)."""
        silent = quiet(p)
        key = ["medians", asdict(silent), draws, self.seed, *self._key]
        mean, variance = self._cache.get(key, lambda: self._draw(silent, draws))
        return MeanOfDraws(mean, variance)

    def _draw(self, p: StochasticParameters, draws: int) -> NDArray[np.float64]:
        model = StochasticModel(**asdict(p))
        model.device = self.device
        imts, n = self.points.imts, len(self.points.scenarios)
        out = np.full((2, n, len(imts)), np.nan)
        for start in range(0, n, _BLOCK):
            block = np.arange(start, min(start + _BLOCK, n))
            for component in np.unique(self.points.components[block].astype(str)):
                has = self.points.components[block] == component
                rows, columns = block[has.any(axis=1)], np.flatnonzero(has.any(axis=0))
                event, realization = np.repeat(rows, draws), np.tile(range(draws), len(rows))
                scenarios = self.points.scenarios.take(rows).repeat(draws)
                names = [imts[j] for j in columns]
                noise = Noise(self.seed, event, 0, realization)
                ln = ln_measures(model, Draws(scenarios, noise), names, str(component))
                ln = ln.reshape(len(rows), draws, -1)
                spread = ln.var(axis=1, ddof=1) / draws if draws > 1 else 0.0 * ln[:, 0]
                at = np.ix_(rows, columns)
                wanted = self.points.components[at] == component
                for layer, values in zip(out, (ln.mean(axis=1), spread), strict=True):
                    layer[at] = np.where(wanted, values, layer[at])
            self._tick(len(block) * draws)
        return out
