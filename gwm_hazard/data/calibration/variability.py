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

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2

from gwm_hazard.data.calibration.medians import Cache, quiet
from gwm_hazard.data.calibration.observations import CONDITIONS, Observations
from gwm_hazard.models.stochastic import StochasticModel, StochasticParameters
from gwm_hazard.scenario import Scenarios
from gwm_hazard.surface.ensemble import Ensemble, Moments, draw_ln_measures, moments_of

Array = NDArray[np.float64]

#: Scenarios that stand for the records, and draws at each: the least for which the ensemble
#: matches the moments of event and record terms.
SCENARIOS = 8
REALIZATIONS = 280
#: A factor that leaves this range says that the records, not the model, need a look.
LIMITS = (0.05, 5.0)


@dataclass(frozen=True)
class Typical:
    """Scenarios that stand for the records: conditions, and the share of the records of each."""

    scenarios: Scenarios
    share: Array
    imts: tuple[str, ...]
    components: tuple[str, ...]


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


def typical(observations: Observations) -> Typical:
    """Centres of clusters of the records in magnitude, ln distance, ln Vs30 and depth."""
    table = observations.table
    c = {k: table[k].to_numpy(np.float64) for k in CONDITIONS}
    points = np.stack(
        [c["mag"], np.log(c["rrup"]), np.log(c["rhypo"]), np.log(c["vs30"]), c["hypo_depth"]],
        axis=1,
    )
    scale = np.maximum(points.std(axis=0), [0.25, 0.2, 0.2, 0.2, 2.0]) * [1, 1.4, 1.4, 2, 2]
    count = min(SCENARIOS, len(np.unique(points, axis=0)))
    _, label = kmeans2(points / scale, count, minit="++", rng=1, iter=50)
    used = [k for k in range(count) if (label == k).any()]
    centre = np.stack([points[label == k].mean(axis=0) for k in used])
    share = np.array([(label == k).mean() for k in used])
    mag, rrup, rhypo, vs30, depth = centre.T
    rrup, rhypo = np.exp(rrup), np.exp(rhypo)
    scenarios = Scenarios(
        mag=mag, rrup=rrup, rhypo=np.maximum(rhypo, rrup), vs30=np.exp(vs30), hypo_depth=depth
    )
    used_components = observations.component_of()
    components = []
    for j in range(len(observations.imts)):
        names, counts = np.unique(used_components[:, j].astype(str), return_counts=True)
        components.append(str(names[np.argmax(counts)]))
    return Typical(scenarios, share, observations.imts, tuple(components))


def model_spread(
    p: StochasticParameters, at: Typical, seed: int, device: str = "cpu", cache: Cache | None = None
) -> ModelSpread:
    """Estimate the model's variability at typical scenarios (common random numbers)."""
    conditions = {k: at.scenarios[k].tolist() for k in at.scenarios}
    key = ["spread", asdict(p), conditions, at.imts, at.components, seed, REALIZATIONS]

    def make() -> Array:
        full, silent = (_moments(q, at, seed, device) for q in (p, quiet(p)))
        return np.stack([full.mean, full.tau, full.phi, silent.mean, silent.sigma])

    mean, tau, phi, silent, phase = (cache or Cache(None)).get(key, make)
    design = _design(at.scenarios["mag"], at.scenarios["rrup"])
    root = np.sqrt(at.share)[:, None]
    # A hair of ridge keeps the slopes at 0 where the records do not span magnitude or distance.
    ridge = 0.05 * np.eye(3)[1:]
    left = np.vstack([root * design, ridge])
    right = np.vstack([root * (mean - silent), np.zeros((2, len(at.imts)))])
    shift = np.linalg.lstsq(left, right, rcond=None)[0]
    tau, phi, phase = (np.sqrt(at.share @ v**2) for v in (tau, phi, phase))
    return ModelSpread(tau, phi, phase, shift)


def scaled(
    p: StochasticParameters,
    model: ModelSpread,
    imts: Sequence[str],
    tau: Array,
    phi: Array,
) -> StochasticParameters:
    """The parameters whose variability is the observed one, to first order.

    p : those that ``model`` was estimated with
    tau, phi : observed, (m,); phi is that of a record, site terms included
    """
    duration = np.array([i.startswith("RSD") for i in imts])
    change: dict[str, float] = {}
    if (~duration).any():
        change["tau_factor"], change["phi_factor"] = _factors(model, tau, phi, ~duration)
        change["stress_sigma_ln"] = change["tau_factor"]
    if duration.any():
        change["duration_tau"], change["duration_phi"] = _factors(model, tau, phi, duration)
    return replace(p, **{k: float(f * getattr(p, k)) for k, f in change.items()})


def _factors(
    model: ModelSpread, tau: Array, phi: Array, use: NDArray[np.bool_]
) -> tuple[float, float]:
    between = (tau[use] ** 2).mean() / max((model.tau[use] ** 2).mean(), 1e-6)
    phase = model.phase[use] ** 2
    within = (phi[use] ** 2 - phase).mean() / max((model.phi[use] ** 2 - phase).mean(), 1e-6)
    low, high = np.square(LIMITS)
    return float(np.clip(between, low, high) ** 0.5), float(np.clip(within, low, high) ** 0.5)


def _moments(p: StochasticParameters, at: Typical, seed: int, device: str) -> Moments:
    model = StochasticModel(**asdict(p))
    model.device = device
    ensemble = Ensemble(REALIZATIONS, seed)
    n = len(at.scenarios)
    ln = np.empty((n * REALIZATIONS, len(at.imts)))
    for component in sorted(set(at.components)):
        columns = [j for j, c in enumerate(at.components) if c == component]
        ln[:, columns] = draw_ln_measures(
            model, at.scenarios.repeat(REALIZATIONS), ensemble.tile(n),
            [at.imts[j] for j in columns], component,
        )  # fmt: skip
    return moments_of(ln.reshape(n, REALIZATIONS, -1), model.card.between_event)


def _design(mag: Array, rrup: Array) -> Array:
    return np.stack([np.ones_like(mag), mag - 6.0, np.log(rrup / 50.0)], axis=1)
