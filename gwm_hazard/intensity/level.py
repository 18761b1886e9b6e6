# Kernels take their types from numba.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""Durations above a level of acceleration: bracketed and uniform."""

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from gwm_hazard.errors import InputError
from gwm_hazard.intensity._batch import (
    COS,
    G_M_S2,
    N_ANGLES,
    SIN,
    check_records,
    over_angles,
    run_batch,
)


@numba.njit(cache=True, nogil=True)
def _above(first, last, acc, levels, cos, sin, out):
    """Samples between first and last crossing, and above the level: out (n, 2, n_angles, m)."""
    nt = acc.shape[2]
    active = np.empty(nt, np.int64)
    for i in range(first, last):
        for j in range(levels.size):
            level = levels[j]
            # no component exceeds the level on a step that starts and ends within the circle
            n_active, outside = 0, False
            for t in range(nt):
                x, y = np.float64(acc[i, 0, t]), np.float64(acc[i, 1, t])
                before, outside = outside, x * x + y * y > level * level
                if t > 0 and (before or outside):
                    active[n_active] = t - 1
                    n_active += 1
            for k in range(cos.size):
                total, begin, end = 0.0, -1.0, -1.0
                for m in range(n_active):
                    t = active[m]
                    a = cos[k] * acc[i, 0, t] + sin[k] * acc[i, 1, t]
                    b = cos[k] * acc[i, 0, t + 1] + sin[k] * acc[i, 1, t + 1]
                    for sign in (1.0, -1.0):
                        p, q = sign * a - level, sign * b - level
                        if p <= 0.0 and q <= 0.0:
                            continue
                        start = 0.0 if p > 0.0 else p / (p - q)
                        stop = 1.0 if q > 0.0 else p / (p - q)
                        total += stop - start
                        if begin < 0.0 or t + start < begin:
                            begin = t + start
                        end = max(end, t + stop)
                out[i, 0, k, j] = end - begin
                out[i, 1, k, j] = total


def level_durations(
    acc: ArrayLike, dt: float, levels: ArrayLike, percentiles: ArrayLike | None = (50,)
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bracketed and uniform durations in s, each (n, n_percentiles, n_levels).

    acc : (n, 2, nt) m/s2, two horizontal components. dt : s. levels : (n_levels,) g, > 0.
    percentiles : over the rotation angles 0 to 179 degrees; None gives the value at each of them.

    The bracketed duration is the time between the first and the last crossing of the level by
    the absolute acceleration (Bolt, 1973), the uniform duration the total time above it (Bommer
    and Martinez-Pereira, 1999). The acceleration is linear between samples. 0 where the level is
    not reached. Raises ValueError as `rotd`.
    """
    records = check_records(acc, dt, 2)
    values = np.atleast_1d(np.asarray(levels, dtype=np.float64))
    if values.ndim != 1 or not np.all(np.isfinite(values) & (values > 0)):
        raise InputError(f"levels = {levels!r} g: must be numbers > 0")
    out = np.empty((len(records), 2, N_ANGLES, values.size))
    run_batch(_above, len(records), records, values * G_M_S2, COS, SIN, out)
    out *= dt
    return over_angles(out[:, 0], percentiles), over_angles(out[:, 1], percentiles)
