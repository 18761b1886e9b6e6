"""Frechet distances: how far two distributions lie apart.

The Frechet distance of two Gaussians (Dowson and Landau 1982, J. Multivariate Anal. 12: 450-455),
|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)), in full and with diagonal covariances. Palgunadi et
al. (2025) take it of log Fourier spectra (eq. 14) and of the embeddings of a classifier (eq. 15).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gwm_hazard.errors import InputError


def frechet_gaussian(
    mean1: ArrayLike, covariance1: ArrayLike, mean2: ArrayLike, covariance2: ArrayLike
) -> float:
    """Squared Frechet (2-Wasserstein) distance of two Gaussians; means (d,), covariances (d, d).

    Raises ValueError for a covariance that is not symmetric and positive semidefinite.
    """
    m1, m2 = np.atleast_1d(np.asarray(mean1, float)), np.atleast_1d(np.asarray(mean2, float))
    c1 = np.atleast_2d(np.asarray(covariance1, float))
    c2 = np.atleast_2d(np.asarray(covariance2, float))
    root = _root(c1)
    # the spectrum of C1 C2 is that of the symmetric C1^(1/2) C2 C1^(1/2)
    cross = np.linalg.eigvalsh(root @ c2 @ root)
    _root(c2)
    trace = np.trace(c1) + np.trace(c2) - 2.0 * np.sqrt(np.maximum(cross, 0.0)).sum()
    return float(((m1 - m2) ** 2).sum() + max(trace, 0.0))


def _root(c: NDArray[np.float64]) -> NDArray[np.float64]:
    values, vectors = np.linalg.eigh(c)
    largest = max(abs(values[0]), abs(values[-1]))
    if not np.allclose(c, c.T, atol=1e-8 * largest) or values[0] < -1e-6 * largest:
        raise InputError(
            f"covariance: must be symmetric and positive semidefinite; its least eigenvalue is "
            f"{values[0]:g} of {values[-1]:g}"
        )
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)


def frechet_samples(x: ArrayLike, y: ArrayLike) -> float:
    """`frechet_gaussian` of the moments of two samples, (n, d) and (m, d).

    It grows as the samples shrink, so compare distances of samples of equal size only. Raises
    ValueError for other shapes, fewer than two rows, or values that are not finite.
    """
    a, b = (np.asarray(v, dtype=np.float64) for v in (x, y))
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise InputError(f"samples have shapes {a.shape} and {b.shape}: must be (n, d) and (m, d)")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise InputError("samples hold NaN or infinite values")
    return frechet_gaussian(
        a.mean(axis=0), np.cov(a, rowvar=False), b.mean(axis=0), np.cov(b, rowvar=False)
    )


def frechet_diagonal(x: ArrayLike, y: ArrayLike, min_values: int = 2) -> float:
    """Mean over the columns of the squared Frechet distance of one-dimensional Gaussians.

    x, y : (n, d) and (m, d), NaN where unknown. (m1 - m2)^2 + (s1 - s2)^2 for each column with at
    least ``min_values`` values in both; NaN where there is none.
    """
    a, b = (np.asarray(v, dtype=np.float64) for v in (x, y))
    use = (np.isfinite(a).sum(axis=0) >= min_values) & (np.isfinite(b).sum(axis=0) >= min_values)
    if not use.any():
        return np.nan
    a, b = a[:, use], b[:, use]
    mean = np.nanmean(a, axis=0) - np.nanmean(b, axis=0)
    deviation = np.nanstd(a, axis=0) - np.nanstd(b, axis=0)
    return float((mean**2 + deviation**2).mean())
