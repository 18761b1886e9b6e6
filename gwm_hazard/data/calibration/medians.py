"""Means of ln IM of the stochastic model at the records, by draws with common random numbers.

The event and record terms of the model are off, so that only the phases are random, and record i
always has the same ones: differences between parameter values are then almost free of sampling
error. What the terms add to the mean of ln IM (an oscillator sees the average over frequency of a
spectrum that scatters, which is above its median) is estimated apart, see
:mod:`gwm_hazard.data.calibration.variability`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.data.calibration.observations import CONDITIONS, Observations
from gwm_hazard.models.stochastic import StochasticModel, StochasticParameters
from gwm_hazard.noise import Noise
from gwm_hazard.provenance import replacing, software_versions
from gwm_hazard.scenario import Scenarios
from gwm_hazard.surface.ensemble import draw_ln_measures

_BLOCK = 512  # records drawn between two signs of progress


@dataclass(frozen=True)
class Drawn:
    """Mean of ln IM over the draws, and the variance of that mean, (n, n_imts) each."""

    mean: NDArray[np.float64]
    variance: NDArray[np.float64]


@dataclass(frozen=True)
class Cache:
    """Arrays on disk by what they were made of: an interrupted fit runs through them again."""

    folder: Path | None

    def get(
        self, key: object, make: Callable[[], NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """The array of a key, made and kept where it is not there."""
        if self.folder is None:
            return make()
        text = json.dumps([key, software_versions()], sort_keys=True, default=str)
        path = self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:32]}.npy"
        if path.exists():
            return np.load(path, allow_pickle=False)
        made = make()
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.save(file, made, allow_pickle=False)
        return made


def quiet(p: StochasticParameters) -> StochasticParameters:
    """The parameters without event and record terms."""
    return replace(
        p, stress_sigma_ln=0.0, tau_factor=0.0, phi_factor=0.0, duration_tau=0.0, duration_phi=0.0
    )


class Medians:
    """Evaluates the model at the records of a set of observations.

    Parameters
    ----------
    observations : conditions, measures and components
    draws : waveforms a record, at least 2
    seed : of the draws; record i in the order of the observations has the noise (seed, i)
    device : torch device
    cache : where evaluations are kept
    tick : called with the number of waveforms drawn since the last call
    """

    def __init__(
        self,
        observations: Observations,
        *,
        draws: int,
        seed: int,
        device: str = "cpu",
        cache: Cache | None = None,
        tick: Callable[[int], None] | None = None,
    ) -> None:
        if draws < 2:
            raise ValueError(f"draws = {draws}: give at least 2")
        self.observations, self.draws, self.seed, self.device = observations, draws, seed, device
        self._cache = cache or Cache(None)
        self._tick = tick or (lambda count: None)
        self._digest = observations.digest()
        table = observations.table
        self._scenarios = Scenarios(**{k: table[k].to_numpy(np.float64) for k in CONDITIONS})
        self._components = observations.component_of()

    def __call__(self, p: StochasticParameters, draws: int | None = None) -> Drawn:
        """Means at some parameters, of the first ``draws`` waveforms of each record."""
        count = draws or self.draws
        silent = quiet(p)
        key = ["medians", asdict(silent), count, self.seed, self._digest]
        mean, variance = self._cache.get(key, lambda: self._draw(silent, count))
        return Drawn(mean, variance)

    def _draw(self, p: StochasticParameters, draws: int) -> NDArray[np.float64]:
        model = StochasticModel(**asdict(p))
        model.device = self.device
        imts, n = list(self.observations.imts), len(self.observations)
        out = np.full((2, n, len(imts)), np.nan)
        for start in range(0, n, _BLOCK):
            block = np.arange(start, min(start + _BLOCK, n))
            for component in np.unique(self._components[block]):
                has = self._components[block] == component
                rows, columns = block[has.any(axis=1)], np.flatnonzero(has.any(axis=0))
                noise = Noise(self.seed, np.repeat(rows, draws), 0, np.tile(range(draws), len(rows)))
                ln = draw_ln_measures(
                    model, self._scenarios.take(rows).repeat(draws), noise,
                    [imts[j] for j in columns], str(component),
                ).reshape(len(rows), draws, -1)  # fmt: skip
                spread = ln.var(axis=1, ddof=1) / draws if draws > 1 else np.zeros_like(ln[:, 0])
                wanted = self._components[np.ix_(rows, columns)] == component
                at = np.ix_(rows, columns)
                for layer, values in zip(out, (ln.mean(axis=1), spread), strict=True):
                    layer[at] = np.where(wanted, values, layer[at])
            self._tick(len(block) * draws)
        return out
