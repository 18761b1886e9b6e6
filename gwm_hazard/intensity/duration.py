# Kernels take their types from numba.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""Measures of the whole record: Arias intensity, cumulative absolute velocity, durations.

Integrals are trapezoidal sums over the samples; Husid crossings are interpolated linearly between
them. For two horizontal components the RotDnn value is the percentile, over the rotation angles
0 to 179 degrees by 1 degree, of the measure of the rotated component (Boore, 2010, for the idea).
The Husid curve of a rotated component is a quadratic form of three cumulative sums, so rotating
costs a search an angle, not a pass over the record.
"""

import math

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from gwm_hazard.errors import InputError
from gwm_hazard.intensity._batch import (
    COS,
    G_M_S2,
    N_ANGLES,
    SIN,
    check_percentiles,
    check_records,
    run_batch,
)


@numba.njit(nogil=True)
def _percentile_of_sorted(values, rank):
    """numpy's linear percentile of sorted values; rank = percentile / 100 * (size - 1)."""
    low = min(int(rank), values.size - 1)
    high = min(low + 1, values.size - 1)
    return values[low] + (rank - low) * (values[high] - values[low])


@numba.njit(nogil=True)
def _store(values, ranks, out):
    """Percentiles of values (n_angles,), which it sorts; without ranks the values in order."""
    if ranks.size == 0:
        out[:] = values
        return
    values.sort()
    for r in range(ranks.size):
        out[r] = _percentile_of_sorted(values, ranks[r])


@numba.njit(nogil=True)
def _energy(xx, xy, yy, i, c, s):
    """Cumulative squared acceleration of the rotated component at sample i."""
    return c * c * xx[i] + 2.0 * c * s * xy[i] + s * s * yy[i]


@numba.njit(nogil=True)
def _crossing(xx, xy, yy, c, s, level):
    """Sample, with its fraction, at which the rotated Husid curve reaches `level`."""
    low, high = 0, xx.size - 1
    while high - low > 1:
        middle = (low + high) // 2
        if _energy(xx, xy, yy, middle, c, s) >= level:
            high = middle
        else:
            low = middle
    below = _energy(xx, xy, yy, low, c, s)
    above = _energy(xx, xy, yy, high, c, s)
    return low + (level - below) / (above - below) if above > below else float(high)


@numba.njit(cache=True, nogil=True)
def _husid(first, last, acc, dt, fractions, cos, sin, ranks, arias, durations):
    """Arias (n, nr) and durations (n, nf, nr); fractions (nf, 2); ranks (nr,) in 0..n_angles-1."""
    nt = acc.shape[2]
    n_angles = cos.size
    xx, xy, yy = np.empty(nt), np.empty(nt), np.empty(nt)
    rotated = np.empty((1 + fractions.shape[0], n_angles))
    scale = math.pi / (2.0 * G_M_S2) * dt
    for i in range(first, last):
        sxx, sxy, syy = 0.0, 0.0, 0.0
        px, py = np.float64(acc[i, 0, 0]), np.float64(acc[i, 1, 0])
        xx[0], xy[0], yy[0] = 0.0, 0.0, 0.0
        for t in range(1, nt):
            x, y = np.float64(acc[i, 0, t]), np.float64(acc[i, 1, t])
            sxx += 0.5 * (px * px + x * x)
            sxy += 0.5 * (px * py + x * y)
            syy += 0.5 * (py * py + y * y)
            xx[t], xy[t], yy[t] = sxx, sxy, syy
            px, py = x, y
        for k in range(n_angles):
            total = max(_energy(xx, xy, yy, nt - 1, cos[k], sin[k]), 0.0)
            rotated[0, k] = scale * total
            for f in range(fractions.shape[0]):
                if total > 0.0:
                    start = _crossing(xx, xy, yy, cos[k], sin[k], fractions[f, 0] * total)
                    end = _crossing(xx, xy, yy, cos[k], sin[k], fractions[f, 1] * total)
                    rotated[1 + f, k] = (end - start) * dt
                else:
                    rotated[1 + f, k] = np.nan
        _store(rotated[0], ranks, arias[i])
        for f in range(fractions.shape[0]):
            _store(rotated[1 + f], ranks, durations[i, f])


@numba.njit(nogil=True, fastmath={"contract", "reassoc", "nsz"})
def _sum_absolute(x, y, c, s):
    """Trapezoidal sum of |c x + s y| over the samples, in steps of one sample."""
    total = -0.5 * (abs(c * x[0] + s * y[0]) + abs(c * x[-1] + s * y[-1]))
    for t in range(x.size):
        total += abs(c * x[t] + s * y[t])
    return total


@numba.njit(cache=True, nogil=True)
def _cav(first, last, acc, dt, cos, sin, ranks, out):
    """CAV (n, nr) in g s."""
    nt = acc.shape[2]
    x, y = np.empty(nt), np.empty(nt)
    rotated = np.empty(cos.size)
    for i in range(first, last):
        for t in range(nt):
            x[t] = acc[i, 0, t]
            y[t] = acc[i, 1, t]
        for k in range(cos.size):
            rotated[k] = _sum_absolute(x, y, cos[k], sin[k]) * (dt / G_M_S2)
        _store(rotated, ranks, out[i])


def _pairs_and_angles(acc, dt, percentiles):
    """Two components with 180 angles, or one component as a pair with a single angle."""
    if percentiles is None:
        if np.ndim(acc) == 3:
            return check_records(acc, dt, 2), COS, SIN, np.empty(0)
        records = check_records(acc, dt, None)[:, None, :]
        pairs = np.broadcast_to(records, (records.shape[0], 2, records.shape[2]))
        return pairs, np.array([1.0]), np.array([0.0]), np.empty(0)
    ranks = check_percentiles(percentiles) / 100 * (N_ANGLES - 1)
    return check_records(acc, dt, 2), COS, SIN, ranks


def husid_measures(
    acc: ArrayLike,
    dt: float,
    fractions: ArrayLike,
    percentiles: ArrayLike | None = (50,),
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Arias intensity (m/s) and significant durations (s), together, from the Husid curve.

    acc : (n, 2, nt) m/s2, two horizontal components; or (n, nt) with percentiles=None, one
        component a record.
    dt : time step, s.
    fractions : (n_durations, 2), start and end of each duration as fractions of the final Arias
        intensity, such as [(0.05, 0.95)].
    percentiles : percentiles over the rotation angles; None for one component, or for the value
        at each of the 180 angles of two.

    Returns Arias (n, n_percentiles) and durations (n, n_durations, n_percentiles); without the
    last dimension for one component. An all-zero record has Arias 0 and durations NaN.
    Raises ValueError for wrong shapes, samples that are not finite, or fractions out of order.

    Arias (1970): pi / (2 g) times the integral of the squared acceleration. Trifunac and Brady
    (1975): durations between two crossings of its normalised cumulative curve (Husid, 1969).
    """
    limits = np.asarray(fractions, dtype=np.float64).reshape(-1, 2)
    if not np.all((limits[:, 0] >= 0) & (limits[:, 0] < limits[:, 1]) & (limits[:, 1] <= 1)):
        raise InputError(f"fractions = {fractions!r}: must be pairs with 0 <= start < end <= 1")
    pairs, cos, sin, ranks = _pairs_and_angles(acc, dt, percentiles)
    values = ranks.size or cos.size
    arias = np.empty((len(pairs), values))
    durations = np.empty((len(pairs), len(limits), values))
    run_batch(_husid, len(pairs), pairs, float(dt), limits, cos, sin, ranks, arias, durations)
    return (arias[:, 0], durations[..., 0]) if cos.size == 1 else (arias, durations)


def arias_intensity(
    acc: ArrayLike, dt: float, percentiles: ArrayLike | None = (50,)
) -> NDArray[np.float64]:
    """Arias intensity in m/s, (n, n_percentiles); arguments as in `husid_measures`."""
    return husid_measures(acc, dt, np.empty((0, 2)), percentiles)[0]


def significant_duration(
    acc: ArrayLike,
    dt: float,
    start: float = 0.05,
    end: float = 0.95,
    percentiles: ArrayLike | None = (50,),
) -> NDArray[np.float64]:
    """Time in s between two fractions of the Husid curve, (n, n_percentiles).

    Arguments as in `husid_measures`. NaN for an all-zero record.
    """
    return husid_measures(acc, dt, [(start, end)], percentiles)[1][:, 0]


def cumulative_absolute_velocity(
    acc: ArrayLike, dt: float, percentiles: ArrayLike | None = (50,)
) -> NDArray[np.float64]:
    """Cumulative absolute velocity in g s, (n, n_percentiles): the integral of |acceleration|.

    Arguments as in `husid_measures`. EPRI (1988), Reed and Kassawara (1990), without threshold.
    """
    pairs, cos, sin, ranks = _pairs_and_angles(acc, dt, percentiles)
    out = np.empty((len(pairs), ranks.size or cos.size))
    run_batch(_cav, len(pairs), pairs, float(dt), cos, sin, ranks, out)
    return out[:, 0] if cos.size == 1 else out
