"""Moments of the samples of records, as the thesis on the ITACA generator reports them.

L. Onsa, Politecnico di Torino (2024): minimum, maximum, mean, standard deviation and skewness of
real and generated accelerograms.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import skew

NAMES = ("minimum", "maximum", "mean", "standard deviation", "skewness")


def sample_moments(acceleration: NDArray[np.floating]) -> NDArray[np.float64]:
    """Of the samples along the last axis: (..., nt), any unit -> (..., 5), as `NAMES` says."""
    acc = np.asarray(acceleration, dtype=np.float64)
    parts = (acc.min(axis=-1), acc.max(axis=-1), acc.mean(axis=-1), acc.std(axis=-1))
    return np.stack([*parts, skew(acc, axis=-1)], axis=-1)
