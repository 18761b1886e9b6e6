"""Detrending, the causal high-pass and resampling: (n_components, nt) m/s2 in and out."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.errors import InputError

ORDER = 2  # of the high-pass

#: Largest drift of the resampled time axis over a record, samples.
_DRIFT = 0.1


def detrended(acc: NDArray[np.floating], kind: str) -> NDArray[np.float64]:
    """Less its least-squares line ("linear"), its mean ("mean"), or as it is ("none")."""
    from scipy.signal import detrend

    values = np.asarray(acc, dtype=np.float64)
    if kind == "none":
        return values
    return np.asarray(detrend(values, axis=1, type="constant" if kind == "mean" else "linear"))


def causal_highpass(acc: NDArray[np.float64], dt_s: float, corner_hz: float) -> NDArray[np.float64]:
    """Butterworth of order 2, forwards only: nothing moves before the P onset.

    It starts in the steady state of the first sample, so that an offset that is left makes no
    transient. Phases near the corner are delayed; the gain at the corner is 1/sqrt(2). A corner of
    0 returns the input.
    """
    from scipy.signal import butter, sosfilt, sosfilt_zi

    if corner_hz == 0:
        return acc
    if corner_hz >= 0.5 / dt_s:
        raise InputError(f"highpass = {corner_hz:g} Hz: not below {0.5 / dt_s:g} Hz, half the rate")
    sections = butter(ORDER, corner_hz, "highpass", fs=1 / dt_s, output="sos")
    state = sosfilt_zi(sections)[:, None, :] * acc[None, :, :1]
    return np.asarray(sosfilt(sections, acc, axis=1, zi=state)[0])


def resampled(acc: NDArray[np.float64], dt_s: float, new_dt_s: float) -> NDArray[np.float64]:
    """At another time step, the first sample in its place.

    Polyphase filtering (scipy.signal.resample_poly): an anti-alias filter of linear phase and
    finite length, so that nothing is delayed and the ends are not wrapped around, as they are in
    the Fourier method. -6 dB at the lower Nyquist frequency. Steps in no ratio of integers up to
    1000 (0.0024 to 0.01 s is 6:25) raise ValueError where the time axis would drift.
    """
    from scipy.signal import resample_poly

    ratio = Fraction(dt_s / new_dt_s).limit_denominator(1000)
    if ratio <= 0 or ratio > 1000:
        raise InputError(f"time step {dt_s:g} s: cannot be resampled to {new_dt_s:g} s")
    if abs(float(ratio) * new_dt_s / dt_s - 1) * acc.shape[1] > _DRIFT:
        raise InputError(f"time step {dt_s!r} s: no ratio of integers to {new_dt_s:g} s")
    if ratio == 1:
        return acc
    return np.asarray(resample_poly(acc, ratio.numerator, ratio.denominator, axis=1))
