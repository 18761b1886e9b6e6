"""Choose from a pool of motions those whose mean and scatter are the target's, at all measures.

The greedy optimisation of Jayaram, Lin and Baker (2011, Earthquake Spectra 27(3): 797-815) and
Baker and Lee (2018, J. Earthquake Eng. 22(3): 438-451): a first suite whose members are nearest
to realizations of the target, then each member in turn replaced by the candidate that lowers the
misfit most, until nothing improves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from gwm_hazard.errors import InputError
from gwm_hazard.suite.target import Target

Array = NDArray[np.float64]

#: Part of the misfit that measures other than SA have together, where there are some: neighbouring
#: periods say nearly the same, a duration something of its own (Bradley 2012, Soil Dyn. Earthquake
#: Eng. 40: 48-61, leaves such weights to the user).
OTHERS = 0.3

#: Passes over all members, at most; it settles in a few.
PASSES = 30


@dataclass(frozen=True)
class Match:
    """How well a suite has the target's distribution.

    Attributes
    ----------
    imts : n_imts measures
    mean, sigma : (n_imts,) of ln IM in the suite; sigma with n - 1
    mean_error : (n_imts,) suite median over target median, less 1
    sigma_error : (n_imts,) suite sigma over target sigma, less 1; NaN where the target has none
    misfit : sum over the measures of the squared errors of ln mean and of sigma
    """

    imts: tuple[str, ...]
    mean: Array
    sigma: Array
    mean_error: Array
    sigma_error: Array
    misfit: float


def match(ln: Array, target: Target, floor: float = 0.05) -> Match:
    """Compare a suite's ln IM (n, n_imts) with a target.

    floor : target sigma below which a relative error of sigma says nothing
    """
    mean = ln.mean(axis=0)
    sigma = ln.std(axis=0, ddof=1) if len(ln) > 1 else np.full(ln.shape[1], np.nan)
    wanted = target.sigma
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.where(wanted > floor, sigma / wanted - 1.0, np.nan)
    misfit = float(np.nansum((mean - target.mean) ** 2) + np.nansum((sigma - wanted) ** 2))
    return Match(target.imts, mean, sigma, np.exp(mean - target.mean) - 1.0, error, misfit)


def select(
    pool: Array,
    target: Target,
    n: int,
    seed: int,
    sigma_weight: float = 1.0,
    group: NDArray[np.int64] | None = None,
) -> NDArray[np.int64]:
    """Rows of the pool that together match the target, without repetition, ascending.

    Parameters
    ----------
    pool : (n_pool, n_imts) ln IM of the candidates, columns as ``target.imts``
    target : mean and covariance to match
    n : size of the suite
    seed : of the realizations of the target that the first suite is matched to
    sigma_weight : weight of an error of sigma beside one of the mean
    group : (n_pool,) candidates of the same group are alike: one of them at most is chosen

    Raises
    ------
    ValueError
        A pool with fewer groups than the suite has motions, or values that are not finite.
    """
    pool = np.ascontiguousarray(pool, dtype=np.float64)
    if group is None:
        group = np.arange(len(pool))
    names, group = np.unique(group, return_inverse=True)
    if n < 1 or len(names) < n:
        raise InputError(
            f"n = {n}: the pool holds {len(names)} different candidates; draw more (--pool, "
            "--budget) or ask for fewer motions"
        )
    if not np.isfinite(pool).all():
        row, column = np.argwhere(~np.isfinite(pool))[0]
        raise InputError(f"candidate {row}: ln {target.imts[column]} = {pool[row, column]}")
    chosen = _first(pool, group, target, n, np.random.default_rng([seed, n]))
    weight = np.stack([np.ones(len(target.imts)), np.full(len(target.imts), sigma_weight)])
    weight *= measure_weights(target.imts)
    _improve(pool, group, chosen, target.mean, target.sigma, weight, PASSES)
    return np.sort(chosen)


def measure_weights(imts: tuple[str, ...]) -> Array:
    """Weight of each measure in the misfit, (n_imts,), mean 1."""
    spectral = np.array([imt.startswith("SA(") for imt in imts])
    n = len(imts)
    if spectral.all() or not spectral.any():
        return np.ones(n)
    return np.where(spectral, (1.0 - OTHERS) * n / spectral.sum(), OTHERS * n / (~spectral).sum())


def _first(
    pool: Array, group: NDArray[np.int64], target: Target, n: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """The candidates nearest to n realizations of the target, their sample made exact."""
    z = rng.standard_normal((n, len(target.imts)))
    values, vectors = np.linalg.eigh(target.covariance)
    goal = target.mean + z * np.sqrt(np.clip(values, 0.0, None)) @ vectors.T
    free = np.ones(len(pool), dtype=bool)
    chosen = np.empty(n, dtype=np.int64)
    for i in range(n):
        distance = np.where(free, ((pool - goal[i]) ** 2).sum(axis=1), np.inf)
        chosen[i] = int(np.argmin(distance))
        free[group == group[chosen[i]]] = False
    return chosen


@numba.njit(cache=True)
def _misfit(total, squares, n, mean, sigma, weight):  # type: ignore[no-untyped-def]
    out = 0.0
    for m in range(mean.size):
        average = total[m] / n
        out += weight[0, m] * (average - mean[m]) ** 2
        if n > 1:
            variance = max((squares[m] - n * average * average) / (n - 1), 0.0)
            out += weight[1, m] * (np.sqrt(variance) - sigma[m]) ** 2
    return out


@numba.njit(cache=True)
def _improve(pool, group, chosen, mean, sigma, weight, passes):  # type: ignore[no-untyped-def]
    n, columns = chosen.size, pool.shape[1]
    used = np.zeros(len(pool), dtype=np.bool_)  # by group
    total, squares = np.zeros(columns), np.zeros(columns)
    for i in chosen:
        used[group[i]] = True
    # about the target's mean, so that the squares lose no digits
    centred = pool - mean
    zero = np.zeros(columns)
    for i in chosen:
        for m in range(columns):
            total[m] += centred[i, m]
            squares[m] += centred[i, m] ** 2
    best = _misfit(total, squares, n, zero, sigma, weight)
    trial_total, trial_squares = np.empty(columns), np.empty(columns)
    for _ in range(passes):
        before = best
        for k in range(n):
            old, found = chosen[k], -1
            for candidate in range(len(pool)):
                if used[group[candidate]] and group[candidate] != group[old]:
                    continue
                for m in range(columns):
                    trial_total[m] = total[m] - centred[old, m] + centred[candidate, m]
                    trial_squares[m] = (
                        squares[m] - centred[old, m] ** 2 + centred[candidate, m] ** 2
                    )
                value = _misfit(trial_total, trial_squares, n, zero, sigma, weight)
                if value < best - 1e-12:
                    best, found = value, candidate
            if found >= 0:
                used[group[old]] = False
                used[group[found]] = True
                chosen[k] = found
                for m in range(columns):
                    total[m] += centred[found, m] - centred[old, m]
                    squares[m] += centred[found, m] ** 2 - centred[old, m] ** 2
        if best > before - 1e-10:
            break
