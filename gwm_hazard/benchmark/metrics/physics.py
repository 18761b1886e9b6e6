"""Physical checks of records: final motion, polarity, orientation, components."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import binomtest


def final_over_peak(
    acceleration: NDArray[np.floating], npts: NDArray[np.int64], dt_s: float
) -> NDArray[np.float64]:
    """|final| over peak velocity and displacement, (n, n_components, 2).

    Cumulative trapezoids of the acceleration as given, from rest, no filter. At rest after the
    motion the first is 0; the second is 0 without a permanent displacement. NaN for silence.
    """
    acc = np.asarray(acceleration, dtype=np.float64)
    velocity = _integral(acc, dt_s)
    displacement = _integral(velocity, dt_s)
    last = (np.asarray(npts) - 1)[:, None, None]
    inside = np.arange(acc.shape[-1]) <= last
    out = []
    for motion in (velocity, displacement):
        peak = np.where(inside, np.abs(motion), 0.0).max(axis=-1)
        final = np.abs(np.take_along_axis(motion, np.broadcast_to(last, (*peak.shape, 1)), -1))
        with np.errstate(invalid="ignore", divide="ignore"):
            out.append(np.where(peak > 0, final[..., 0] / peak, np.nan))
    return np.stack(out, axis=-1)


def _integral(x: NDArray[np.float64], dt_s: float) -> NDArray[np.float64]:
    out = np.zeros_like(x)
    np.cumsum(0.5 * dt_s * (x[..., 1:] + x[..., :-1]), axis=-1, out=out[..., 1:])
    return out


def horizontal_covariance(acceleration: NDArray[np.floating]) -> NDArray[np.float64]:
    """Second moments of the two horizontals over time, (n, 2, 2); acceleration (n, >= 2, nt)."""
    h = np.asarray(acceleration, dtype=np.float64)[:, :2]
    return np.einsum("nit,njt->nij", h, h)


def component_correlation(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlation of the two horizontals, (n,), from `horizontal_covariance`; 1 for a copy."""
    power = np.sqrt(covariance[:, 0, 0] * covariance[:, 1, 1])
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(covariance[:, 0, 1] / power)


def linearity(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 - minor over major axis of the horizontal motion (rms), (n,): 0 round, 1 on a line."""
    values = np.maximum(np.linalg.eigvalsh(covariance), 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(1.0 - np.sqrt(values[:, 0] / values[:, 1]))


def principal_azimuth(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angle of the major axis from the first horizontal, (n,) degrees in [0, 180)."""
    double = np.arctan2(2.0 * covariance[:, 0, 1], covariance[:, 0, 0] - covariance[:, 1, 1])
    return np.degrees(double / 2.0) % 180.0


def axial_uniformity(azimuth_deg: ArrayLike) -> tuple[float, float]:
    """Resultant length of axes and its p under uniformity (Rayleigh's test of doubled angles).

    The p-value is the expansion of Mardia and Jupp (2000, Directional Statistics, eq. 6.3.5).
    """
    a = np.radians(2.0 * np.asarray(azimuth_deg, dtype=np.float64))
    a = a[np.isfinite(a)]
    n = len(a)
    if n == 0:
        return np.nan, np.nan
    resultant = float(np.hypot(np.cos(a).mean(), np.sin(a).mean()))
    z = n * resultant**2
    p = np.exp(-z) * (
        1 + (2 * z - z**2) / (4 * n) - (24 * z - 132 * z**2 + 76 * z**3 - 9 * z**4) / (288 * n**2)
    )
    return resultant, float(np.clip(p, 0.0, 1.0))


def positive_peaks(acceleration: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Whether the largest excursion is positive, (n, n_components)."""
    acc = np.asarray(acceleration)
    return np.asarray(acc.max(axis=-1) > -acc.min(axis=-1))


def polarity_p(positive: NDArray[np.bool_]) -> NDArray[np.float64]:
    """p of as uneven a share of positive peaks, were both signs as likely, (n_components,)."""
    return np.array([binomtest(int(c.sum()), len(c)).pvalue for c in positive.T])


def apparent_velocity(
    distance_km: NDArray[np.float64], delay_s: NDArray[np.float64]
) -> tuple[float, float]:
    """Median of distance over S-P delay, km/s, and the spread of its ln (half of 16 to 84 %).

    Omori's constant: 1 / (1/beta - 1/alpha), near 8 km/s in the crust. NaN without delays.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        ln = np.log(np.asarray(distance_km) / np.asarray(delay_s))
    ln = ln[np.isfinite(ln)]
    if not len(ln):
        return np.nan, np.nan
    low, middle, high = np.percentile(ln, (16, 50, 84))
    return float(np.exp(middle)), float(0.5 * (high - low))
