"""Fit of the level of the high band to records: regression, and what is left over."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.errors import InputError
from gwm_hazard.models.broadband.level import Level, predictors
from gwm_hazard.representation.level import energy_mean
from gwm_hazard.statistics.covariance import between
from gwm_hazard.training.broadband.records import PairedRecords

Array = NDArray[np.float64]

#: Correlation of the records of an event, for their weights.
_ALIKE = 0.25
#: Share of the mean variance that is added to a covariance, so that it has a root.
_RIDGE = 1e-6


def fit_level(
    observed: PairedRecords,
    simulated: PairedRecords | None,
    fc_hz: float,
    count: int = 0,
    weight: float = 0.0,
) -> Level:
    """The distribution of the level at one crossover, of the training records.

    Observed records give means and covariances. Simulated ones, ``count`` of them, support the
    slopes where records are few, each with ``weight`` of an observed one and constants of their
    own. Records of an event count less the more there are.
    """
    rows = observed.train[np.isfinite(observed.vs30[observed.train])]
    first = _Sample(observed, rows, fc_hz)
    second = None
    if simulated is not None and count and weight:
        second = _Sample(simulated, simulated.train[:count], fc_hz)

    def regressed(x: Array, y: Array, x2: Array, y2: Array, where: NDArray[np.int64]) -> Array:
        sqrt_w = np.sqrt(first.weight[where])[:, None]
        a, b = x * sqrt_w, y * sqrt_w
        if second is not None:
            root = np.sqrt(weight)
            extra = np.concatenate([np.zeros(len(a)), np.full(len(x2), root)])[:, None]
            a = np.concatenate([np.concatenate([a, root * x2]), extra], axis=1)
            b = np.concatenate([b, root * y2])
        found: Array = np.linalg.lstsq(a, b, rcond=1e-10)[0][: x.shape[1]]
        return found

    other = second or first
    every = np.arange(len(rows))
    mean = regressed(first.x, first.mean, other.x, other.mean, every)
    half = regressed(first.half_low, first.half, other.half_low, other.half, every)
    off = first.mean - first.x @ mean
    tau, phi = between(off, first.event, mean.shape[0])
    own = first.half - first.half_low @ half

    three = np.flatnonzero(first.three)
    if len(three) < mean.shape[0] + 8 and second is None:
        raise InputError(
            f"{len(three)} records with a vertical: too few for its level; give simulated ones "
            "beside them"
        )
    v = np.concatenate([first.low_v, first.x], axis=1)[three]
    v2 = np.concatenate([other.low_v, other.x], axis=1)
    vertical = regressed(v, first.vertical[three], v2, other.vertical, three)
    left = first.vertical[three] - v @ vertical
    # a ridge: the residuals of neighbouring frequencies are nearly the same
    square = off[three].T @ off[three]
    square += 0.02 * np.trace(square) / len(square) * np.eye(len(square))
    cross = np.asarray(np.linalg.solve(square, off[three].T @ left), dtype=np.float64)
    rest = left - off[three] @ cross
    return Level(
        mean, root_of(tau), root_of(phi), half, root_of(own.T @ own / max(1, len(own) - 3)),
        vertical, cross, root_of(rest.T @ rest / max(1, len(rest) - len(vertical) - 3)),
    )  # fmt: skip


class _Sample:
    """What the regression takes of records."""

    def __init__(self, pairs: PairedRecords, rows: NDArray[np.int64], fc_hz: float) -> None:
        low, level = pairs.levels(rows, fc_hz)
        self.mean = energy_mean(level[:, 0], level[:, 1])
        self.half = 0.5 * (level[:, 0] - level[:, 1])
        self.vertical, self.low_v = level[:, 2], low[:, 2]
        self.half_low = 0.5 * (low[:, 0] - low[:, 1])
        self.x = predictors(
            energy_mean(low[:, 0], low[:, 1]), pairs.mag[rows], pairs.distance_km[rows],
            pairs.vs30[rows],
        )  # fmt: skip
        self.three = level[:, 2].max(axis=1) > -30.0  # a vertical of zeros has no amplitude
        _, self.event, count = np.unique(pairs.event[rows], return_inverse=True, return_counts=True)
        self.weight = 1.0 / (1.0 + _ALIKE * (count[self.event] - 1.0))


def root_of(covariance: Array) -> Array:
    """Lower triangle whose square is a covariance."""
    ridge = _RIDGE * max(np.trace(covariance) / len(covariance), 1e-12)
    return np.linalg.cholesky(covariance + ridge * np.eye(len(covariance)))
