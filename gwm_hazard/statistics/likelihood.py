"""How probable the observations are under a model: LLH, its multivariate forms, mean density."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_LN2 = np.log(2.0)
_LN_2PI = np.log(2.0 * np.pi)


def log2_density(
    x: NDArray[np.float64], mean: NDArray[np.float64], sigma: NDArray[np.float64]
) -> NDArray[np.float64]:
    """log2 of the normal density of x; NaN where anything is not known."""
    with np.errstate(divide="ignore", invalid="ignore"):
        z = (x - mean) / sigma
        return -(0.5 * z**2 + np.log(sigma) + 0.5 * _LN_2PI) / _LN2


def llh(
    x: NDArray[np.float64], mean: NDArray[np.float64], sigma: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Average sample log-likelihood LLH = -mean log2 g(x), along the first axis; NaN left out.

    Scherbaum, Delavaud and Riggelsen (2009, BSSA 99(6): 3234-3247), eq. 9, of ln IM. Smaller is
    better; a model that is one too large made the observations half as probable. For a correct
    model it tends to the entropy, 0.5 log2(2 pi e sigma^2).
    """
    density = log2_density(x, mean, sigma)
    with np.errstate(invalid="ignore"):
        count = np.isfinite(density).sum(axis=0)
        return np.where(count > 0, -np.nansum(density, axis=0) / np.maximum(count, 1), np.nan)


def weights(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of models by LLH, 2^-LLH over their sum (Scherbaum et al. 2009, eq. 11)."""
    likely = np.exp2(-(scores - np.nanmin(scores)))
    return likely / np.nansum(likely)


def llh_by_event(
    x: NDArray[np.float64],
    mean: NDArray[np.float64],
    tau: NDArray[np.float64],
    phi: NDArray[np.float64],
    event: NDArray[np.int64],
) -> float:
    """Multivariate LLH of one measure: records of an event share its term; NaN are left out.

    Mak, Clements and Schorlemmer (2017, BSSA 107(2): 965-976): -log2 of the joint density over the
    number of records, where the covariance within an event is tau_i tau_j + phi_i^2 delta_ij.
    Each event is closed by the Sherman-Morrison formula. ``tau`` NaN stands for no event term.
    """
    tau = np.nan_to_num(tau, nan=0.0)
    known = np.isfinite(x) & np.isfinite(mean) & np.isfinite(phi)
    if not known.any():
        return float("nan")
    r, t, p2 = (x - mean)[known], tau[known], phi[known] ** 2
    numbers = np.unique(event[known], return_inverse=True)[1]

    def total(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.bincount(numbers, values), dtype=np.float64)

    inner = 1.0 + total(t**2 / p2)
    quadratic = total(r**2 / p2) - total(r * t / p2) ** 2 / inner
    ln_determinant = total(np.log(p2)) + np.log(inner)
    n = len(r)
    ln_density = -0.5 * (quadratic.sum() + ln_determinant.sum() + n * _LN_2PI)
    return float(-ln_density / n / _LN2)


def llh_of_measures(
    x: NDArray[np.float64],
    mean: NDArray[np.float64],
    sigma: NDArray[np.float64],
    correlation: NDArray[np.float64],
) -> float:
    """Multivariate LLH over several measures of a record, by measure; NaN are left out.

    -log2 of the joint normal density of each record's measures, summed and divided by the number
    of values: the covariance is sigma_i sigma_j times their ``correlation`` (n_imts, n_imts).
    """
    known = np.isfinite(x) & np.isfinite(mean) & np.isfinite(sigma)
    z = (x - mean) / sigma
    patterns, which = np.unique(known, axis=0, return_inverse=True)
    which = which.ravel()
    total, count = 0.0, 0
    for number, pattern in enumerate(patterns):
        columns = np.flatnonzero(pattern)
        if not columns.size:
            continue
        rows = np.flatnonzero(which == number)
        factor = np.linalg.cholesky(correlation[np.ix_(columns, columns)])
        part = z[np.ix_(rows, columns)]
        white = np.linalg.solve(factor, part.T)
        total += 0.5 * (white**2).sum() + len(rows) * np.log(np.diag(factor)).sum()
        total += np.log(sigma[np.ix_(rows, columns)]).sum() + 0.5 * _LN_2PI * part.size
        count += part.size
    return float(total / count / _LN2) if count else float("nan")


def mean_density(
    x: NDArray[np.float64],
    mean: NDArray[np.float64],
    sigma: NDArray[np.float64],
    index: NDArray[np.int64],
    bins: int,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Average probability density of the observations under a model by bin, and their number.

    x, mean, sigma : (n,) of log10 IM; index : (n,) bin of each record, -1 for none.
    (Palgunadi et al. 2025, eq. 13.)
    """
    density = np.exp2(log2_density(x, mean, sigma))
    use = np.isfinite(density) & (index >= 0)
    count = np.bincount(index[use], minlength=bins)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.bincount(index[use], density[use], bins) / count, count
