"""Covariances of residuals that events share in part."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def between(
    off: Array, event: NDArray[np.int64], fitted: int, bounded: bool = True
) -> tuple[Array, Array]:
    """Covariances between and within events of residuals (n, p), by their mean squares.

    One-way analysis of variance with groups of unequal size (Searle, Casella and McCulloch 1992).
    The first may come out with negative variances; ``bounded`` makes it the nearest covariance.
    """
    count = np.bincount(event).astype(float)
    n, groups = len(off), len(count)
    means = np.stack([np.bincount(event, c) for c in off.T], axis=1) / count[:, None]
    within = off - means[event]
    phi = within.T @ within / max(1.0, n - groups - fitted)
    if groups < 3:
        return np.zeros_like(phi), phi
    middle = (count[:, None] * means).sum(axis=0) / n
    apart = (means - middle) * np.sqrt(count)[:, None]
    size = (n - (count**2).sum() / n) / (groups - 1)
    tau = (apart.T @ apart / (groups - 1) - phi) / size
    if not bounded:
        return tau, phi
    values, vectors = np.linalg.eigh(tau)
    return (vectors * np.maximum(values, 0.0)) @ vectors.T, phi
