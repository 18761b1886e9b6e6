"""Correlation of residuals between measures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.statistics.bootstrap import EventBootstrap, interval


def correlation(residuals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Pearson correlation between columns of (n, m), from the rows that both have: (m, m)."""
    known = np.isfinite(residuals).astype(np.float64)
    z = np.nan_to_num(residuals - np.nanmean(residuals, axis=0))
    return _ratio(*_sums(z, known))


def correlation_interval(
    residuals: NDArray[np.float64], bootstrap: EventBootstrap
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Confidence interval of :func:`correlation` by bootstrap over events, each (m, m)."""
    known = np.isfinite(residuals).astype(np.float64)
    z = np.nan_to_num(residuals - np.nanmean(residuals, axis=0))
    m = z.shape[1]
    low, high = np.empty((m, m)), np.empty((m, m))
    for i in range(m):  # a column at a time bounds the memory
        both = known[:, i : i + 1] * known
        zi = z[:, i : i + 1]
        sums = [
            bootstrap.sums(v)
            for v in (both, zi * both, z * both, zi**2 * both, z**2 * both, zi * z * both)
        ]
        low[i], high[i] = interval(_ratio(*sums))
    return low, high


def _sums(z: NDArray[np.float64], known: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Over the rows that both columns have: number, sums, squares and products, (m, m) each."""
    count = known.T @ known
    first = z.T @ known
    square = (z**2).T @ known
    return count, first, first.T, square, square.T, z.T @ z


def _ratio(
    n: NDArray[np.float64],
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    aa: NDArray[np.float64],
    bb: NDArray[np.float64],
    ab: NDArray[np.float64],
) -> NDArray[np.float64]:
    with np.errstate(invalid="ignore", divide="ignore"):
        covariance = ab / n - a / n * b / n
        variances = (aa / n - (a / n) ** 2) * (bb / n - (b / n) ** 2)
        return np.where(n > 2, covariance / np.sqrt(variances), np.nan)


def nearest_correlation(matrix: NDArray[np.float64], smallest: float = 1e-6) -> NDArray[np.float64]:
    """The matrix with eigenvalues of at smallest ``smallest`` and a diagonal of ones.

    Correlations from pairs with different missing rows need not be positive definite.
    """
    values, vectors = np.linalg.eigh(0.5 * (matrix + matrix.T))
    fixed = (vectors * np.maximum(values, smallest)) @ vectors.T
    scale = np.sqrt(np.diag(fixed))
    return fixed / scale / scale[:, None]
