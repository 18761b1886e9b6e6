# Kernels take their types from numba.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""Filtered incremental velocity FIV3 (Davalos and Miranda, 2019)."""

import math

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import butter, lfilter

from gwm_hazard.errors import InputError
from gwm_hazard.intensity._batch import (
    COS,
    N_ANGLES,
    SIN,
    check_records,
    over_angles,
    run_batch,
)

#: Window over the period, and corner of the low-pass (Davalos, Heresi and Miranda, 2020).
WINDOW = 0.7
CORNER_HZ = 1.0
_SETTLE_S = 2.0  # after the record, until the filter has come to rest


@numba.njit(cache=True, nogil=True)
def _fiv3(first, last, velocity, lags, cos, sin, out):
    """velocity (n, 2, nt) cm/s; lags (n_periods,) in samples; out (n, n_angles, n_periods)."""
    nt = velocity.shape[2]
    x, y = np.empty(nt), np.empty(nt)
    for i in range(first, last):
        for j in range(lags.size):
            whole = int(lags[j])
            rest = lags[j] - whole
            count = nt - whole - 1
            for t in range(count):
                a = t + whole
                vx, vy = velocity[i, 0, a], velocity[i, 1, a]
                x[t] = vx + rest * (velocity[i, 0, a + 1] - vx) - velocity[i, 0, t]
                y[t] = vy + rest * (velocity[i, 1, a + 1] - vy) - velocity[i, 1, t]
            for k in range(cos.size):
                c, s = cos[k], sin[k]
                # three largest maxima, and three lowest minima with the opposite sign
                h0 = h1 = h2 = l0 = l1 = l2 = 0.0
                before, here = c * x[0] + s * y[0], c * x[1] + s * y[1]
                for t in range(2, count):
                    after = c * x[t] + s * y[t]
                    if here > before and here >= after:
                        if here > h0:
                            h0, h1, h2 = here, h0, h1
                        elif here > h1:
                            h1, h2 = here, h1
                        elif here > h2:
                            h2 = here
                    elif here < before and here <= after:
                        if -here > l0:
                            l0, l1, l2 = -here, l0, l1
                        elif -here > l1:
                            l1, l2 = -here, l1
                        elif -here > l2:
                            l2 = -here
                    before, here = here, after
                out[i, k, j] = max(h0 + h1 + h2, l0 + l1 + l2)


def filtered_incremental_velocity(
    acc: ArrayLike, dt: float, periods: ArrayLike, percentiles: ArrayLike | None = (50,)
) -> NDArray[np.float64]:
    """FIV3 in cm/s, (n, n_percentiles, n_periods).

    acc : (n, 2, nt) m/s2, two horizontal components. dt : s. periods : (n_periods,) s, > 0.
    percentiles : over the rotation angles 0 to 179 degrees; None gives the value at each of them.

    The acceleration is low-passed (second-order Butterworth at 1 Hz, causal) and integrated over
    a sliding window of 0.7 T; FIV3 is the larger of the sums of the three largest local maxima
    and, with opposite sign, of the three lowest local minima of that increment (Davalos and
    Miranda, 2019, eq. 3; corner and window of Davalos, Heresi and Miranda, 2020). Only maxima
    above and minima below zero count. The ground is at rest after the record.
    Raises ValueError as `rotd`.
    """
    records = check_records(acc, dt, 2)
    times = np.atleast_1d(np.asarray(periods, dtype=np.float64))
    if times.ndim != 1 or not np.all(np.isfinite(times) & (times > 0)):
        raise InputError(f"periods = {periods!r} s: must be numbers > 0")
    if 0.5 / dt <= CORNER_HZ:
        raise InputError(f"dt = {dt:g} s: FIV3 filters at {CORNER_HZ:g} Hz, below Nyquist")
    n, _, nt = records.shape
    out = np.empty((n, N_ANGLES, times.size))
    if out.size == 0:
        return over_angles(out, percentiles)
    tail = math.ceil((WINDOW * times.max() + _SETTLE_S) / dt) + 3
    padded = np.zeros((n, 2, nt + tail))
    padded[..., :nt] = records
    filtered = lfilter(*butter(2, CORNER_HZ, fs=1 / dt), padded)
    velocity = np.zeros_like(filtered)
    velocity[..., 1:] = np.cumsum(0.5 * dt * 100 * (filtered[..., 1:] + filtered[..., :-1]), -1)
    run_batch(_fiv3, n, velocity, WINDOW * times / dt, COS, SIN, out)
    return over_angles(out, percentiles)
