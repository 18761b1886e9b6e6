"""The model's own variability, and the factors that make it the observed one.

The stochastic model has between-event and record terms with published shapes over frequency and
magnitude (Bayless and Abrahamson 2019); a calibration scales them:

- ``tau_factor`` and ``stress_sigma_ln`` by one factor, so that the mean tau^2 of the amplitude
  measures is the observed one;
- ``phi_factor``, so that the mean phi^2 is; the scatter by random phases, which no parameter
  moves, is taken out on both sides;
- ``duration_tau`` and ``duration_phi`` likewise by RSD measures, where there are any.

One factor for all periods keeps the published shape: what it leaves by period is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2

from gwm_hazard.calibration.medians import Cache, Points, points_of, quiet
from gwm_hazard.calibration.selection import CONDITIONS
from gwm_hazard.core.draws import Draws
from gwm_hazard.core.ensemble_noise import Ensemble
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.distribution.moments import Moments, moments_of
from gwm_hazard.models.measuring import ln_measures
from gwm_hazard.models.stochastic import StochasticModel, StochasticParameters
from gwm_hazard.records.observations import Observations

Array = NDArray[np.float64]

#: Scenarios that stand for the records, and draws at each: the least for which the ensemble
#: matches the moments of event and record terms.
SCENARIOS = 5
REALIZATIONS = 280
#: A factor that leaves this range says that the records, not the model, need a look.
LIMITS = (0.05, 5.0)


@dataclass(frozen=True)
class Typical:
    """Points that stand for records, and the share of the records of each."""

    points: Points
    share: Array


@dataclass(frozen=True)
class ModelSpread:
    """The model's tau, phi and phase scatter by measure (m,), averaged over the records, and what
    its terms add to the mean of ln IM: intercept, slope with mag and with ln rrup, (3, m)."""

    tau: Array
    phi: Array
    phase: Array
    shift: Array

    def shift_at(self, mag: Array, rrup: Array) -> Array:
        """Addition to the mean of ln IM, (n, m)."""
        return _design(mag, rrup) @ self.shift


def typical(observations: Observations, most: int = SCENARIOS) -> Typical:
    """Centres of clusters of the records in magnitude, ln distance, ln Vs30 and depth.

    Components are those that most records of a measure have.
    """
    x = coordinates(points_of(observations).scenarios)
    count = min(most, len(np.unique(x, axis=0)))
    _, label = kmeans2(x, count, minit="++", rng=1, iter=50)
    used = [k for k in range(count) if (label == k).any()]
    table = observations.table
    averages: list[Callable[[Array], float]] = [_mean, _geometric, _geometric, _geometric, _mean]
    mean = {
        k: np.array([f(table[k].to_numpy(np.float64)[label == c]) for c in used])
        for k, f in zip(CONDITIONS, averages, strict=True)
    }
    mean["rhypo"] = np.maximum(mean["rhypo"], mean["rrup"])
    components = []
    for column in observations.component_of().astype(str).T:
        names, counts = np.unique(column, return_counts=True)
        components.append(names[np.argmax(counts)])
    every = np.tile(np.array(components, dtype=object), (len(used), 1))
    share = np.array([(label == k).mean() for k in used])
    return Typical(Points(Scenarios(**mean), observations.imts, every), share)


def coordinates(scenarios: Scenarios) -> Array:
    """Scenarios as points of a space in which a unit changes motions about alike, (n, 5)."""
    return np.stack(
        [
            scenarios["mag"] / 0.7,
            np.log(scenarios["rrup"]) / 0.7,
            np.log(scenarios["rhypo"]) / 0.7,
            np.log(scenarios["vs30"]) / 0.6,
            scenarios["hypo_depth"] / 8.0,
        ],
        axis=1,
    )


def model_spread(
    p: StochasticParameters, at: Typical, seed: int, device: str = "cpu", cache: Cache | None = None
) -> ModelSpread:
    """Estimate the model's variability at typical scenarios (common random numbers)."""
    cache = cache or Cache(None)

    def moments(q: StochasticParameters) -> Moments:
        key = ["spread", asdict(q), *at.points.key(), seed, REALIZATIONS]
        return Moments(*cache.get(key, lambda: _moments(q, at.points, seed, device)))

    full, silent = moments(p), moments(quiet(p))
    design = _design(at.points.scenarios["mag"], at.points.scenarios["rrup"])
    root = np.sqrt(at.share)[:, None]
    # A hair of ridge keeps the slopes at 0 where the records do not span magnitude or distance.
    left = np.vstack([root * design, 0.05 * np.eye(3)[1:]])
    right = np.vstack([root * (full.mean - silent.mean), np.zeros((2, len(at.points.imts)))])
    shift: Array = np.asarray(np.linalg.lstsq(left, right, rcond=None)[0], np.float64)
    tau, phi, phase = (np.sqrt(at.share @ v**2) for v in (full.tau, full.phi, silent.sigma))
    return ModelSpread(tau, phi, phase, shift)


def scaled(
    p: StochasticParameters, model: ModelSpread, imts: Sequence[str], observed: pd.DataFrame
) -> StochasticParameters:
    """The parameters whose variability is the observed one, to first order.

    p : those that ``model``, of the measures ``imts``, was estimated with
    observed : columns imt, tau and phi, the latter of a record, site terms included
    """
    at = [imts.index(i) for i in observed["imt"]]
    part = replace(model, tau=model.tau[at], phi=model.phi[at], phase=model.phase[at])
    tau, phi = (observed[k].to_numpy(np.float64) for k in ("tau", "phi"))
    duration = np.array([i.startswith("RSD") for i in observed["imt"]])
    change: dict[str, float] = {}
    if (~duration).any():
        change["tau_factor"], change["phi_factor"] = _factors(part, tau, phi, ~duration)
        change["stress_sigma_ln"] = change["tau_factor"]
    if duration.any():
        change["duration_tau"], change["duration_phi"] = _factors(part, tau, phi, duration)
    return replace(p, **{k: float(f * getattr(p, k)) for k, f in change.items()})


def _factors(
    model: ModelSpread, tau: Array, phi: Array, use: NDArray[np.bool_]
) -> tuple[float, float]:
    between = (tau[use] ** 2).mean() / max((model.tau[use] ** 2).mean(), 1e-6)
    phase = model.phase[use] ** 2
    within = (phi[use] ** 2 - phase).mean() / max((model.phi[use] ** 2 - phase).mean(), 1e-6)
    low, high = np.square(LIMITS)
    return float(np.clip(between, low, high) ** 0.5), float(np.clip(within, low, high) ** 0.5)


def _moments(p: StochasticParameters, points: Points, seed: int, device: str) -> Array:
    """Mean, tau and phi of ln IM, (3, n, m)."""
    model = StochasticModel(**asdict(p))
    model.device = device
    ensemble = Ensemble(REALIZATIONS, seed)
    n, components = len(points.scenarios), points.components[0].astype(str)
    ln = np.empty((n * REALIZATIONS, len(points.imts)))
    for component in np.unique(components):
        columns = np.flatnonzero(components == component)
        names = [points.imts[j] for j in columns]
        draws = Draws(points.scenarios.repeat(REALIZATIONS), ensemble.tile(n))
        ln[:, columns] = ln_measures(model, draws, names, str(component))
    m = moments_of(ln.reshape(n, REALIZATIONS, -1), model.card, points.imts)
    return np.stack([m.mean, m.tau, m.phi])


def _mean(values: Array) -> float:
    return float(values.mean())


def _geometric(values: Array) -> float:
    return float(np.exp(np.log(values).mean()))


def _design(mag: Array, rrup: Array) -> Array:
    return np.stack([np.ones_like(mag), mag - 6.0, np.log(rrup / 50.0)], axis=1)
