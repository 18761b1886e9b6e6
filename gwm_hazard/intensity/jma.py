"""The instrumental seismic intensity of the Japan Meteorological Agency."""

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray

from gwm_hazard.errors import InputError
from gwm_hazard.intensity._batch import check_records

_EXCEEDED_S = 0.3
_BLOCK_BYTES = 2**26


def jma_filter(frequency: ArrayLike) -> NDArray[np.float64]:
    """Gain of the JMA filter: period effect, high-cut and low-cut (JMA, 1996); 0 at 0 Hz."""
    f = np.asarray(frequency, dtype=np.float64)
    x2 = (f / 10.0) ** 2
    polynomial = (0.694, 0.241, 0.0557, 0.009664, 0.00134, 0.000155)
    high_cut = 1.0 / np.sqrt(1.0 + sum(c * x2 ** (k + 1) for k, c in enumerate(polynomial)))
    low_cut = np.sqrt(-np.expm1(-((f / 0.5) ** 3)))
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.sqrt(1.0 / f) * high_cut * low_cut
    return np.where(f > 0, gain, 0.0)


def jma_intensity(acc: ArrayLike, dt: float) -> NDArray[np.float64]:
    """Instrumental seismic intensity, (n,), not rounded; -inf for an all-zero record.

    acc : (n, 3, nt) m/s2, two horizontal components and the vertical. dt : s.

    I = 2 lg(a) + 0.94 with a in cm/s2 the level that the vector sum of the filtered components
    exceeds for 0.3 s in all (JMA, 1996; in English Karim and Yamazaki, 2002): the sample of
    that rank, between samples interpolated by rank. Records are followed by zeros as long as
    themselves against wrap-around. JMA's published values are rounded to two decimals and cut to
    one. Raises ValueError as `rotd`, and for a record shorter than 0.3 s.
    """
    records = check_records(acc, dt, 3)
    n, _, nt = records.shape
    rank = _EXCEEDED_S / dt
    if rank > nt - 1:
        raise InputError(f"acc lasts {nt * dt:g} s: JMA needs more than {_EXCEEDED_S} s")
    size = scipy.fft.next_fast_len(2 * nt, real=True)
    gain = jma_filter(scipy.fft.rfftfreq(size, dt))
    out = np.empty(n)
    step = max(1, _BLOCK_BYTES // (8 * 3 * size))
    for i in range(0, n, step):
        block = records[i : i + step].astype(np.float64) * 100.0  # cm/s2
        filtered = scipy.fft.irfft(scipy.fft.rfft(block, size) * gain, size)
        length = np.sqrt((filtered**2).sum(axis=1))
        # the k-th largest sample is exceeded during k - 1/2 steps, give or take half a step
        position = max(rank - 0.5, 0.0)
        low = int(position)
        top = -np.partition(-length, (low, low + 1), axis=1)[:, low : low + 2]
        level = top[:, 0] + (position - low) * (top[:, 1] - top[:, 0])
        with np.errstate(divide="ignore"):
            out[i : i + step] = 2.0 * np.log10(level) + 0.94
    return out
