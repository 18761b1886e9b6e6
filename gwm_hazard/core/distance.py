"""Point-source distances of finite ruptures."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

#: Magnitudes between which the two published lines for log10 h are joined.
_JOIN = (5.744, 7.744)


def finite_fault_factor_km(mag: ArrayLike) -> NDArray[np.float64]:
    """Saturation length h of near-source motions, km, by magnitude.

    Boore and Thompson (2015, BSSA 105(2A): 1029-1041): log10 h = -1.72 + 0.43 M up to M 5.744
    (Yenier and Atkinson 2014, BSSA 104(3): 1458-1478), log10 h = -0.405 + 0.235 M from M 7.744
    (Yenier and Atkinson 2015, BSSA 105(4): 1989-2009), and the parabola between that continues
    the first line with its slope and meets the second with its slope.
    """
    m = np.asarray(mag, dtype=np.float64)
    low, high = _JOIN
    curvature = (0.235 - 0.43) / (2.0 * (high - low))
    x = np.clip(m, low, high) - low
    between = -1.72 + 0.43 * low + 0.43 * x + curvature * x**2
    return 10.0 ** (between + 0.43 * np.minimum(m - low, 0.0) + 0.235 * np.maximum(m - high, 0.0))


def effective_distance_km(mag: ArrayLike, rrup: ArrayLike) -> NDArray[np.float64]:
    """Effective point-source distance of a finite rupture, km: sqrt(rrup^2 + h(M)^2).

    The distance at which a point source gives the average motion of a finite rupture with the
    closest distance ``rrup`` (km): see :func:`finite_fault_factor_km` for h and its sources.
    """
    return np.hypot(np.asarray(rrup, dtype=np.float64), finite_fault_factor_km(mag))


def rupture_distance_km(
    mag: ArrayLike, effective: ArrayLike, nearest: float = 1.0
) -> NDArray[np.float64]:
    """The closest distance ``rrup`` of an effective one, km, and no less than ``nearest``."""
    squared = np.asarray(effective, dtype=np.float64) ** 2 - finite_fault_factor_km(mag) ** 2
    return np.sqrt(np.maximum(squared, nearest**2))
