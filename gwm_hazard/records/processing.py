"""The two corrections that are offered before measuring: baseline and high-pass filter."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.errors import InputError
from gwm_hazard.records.quality import before_onset
from gwm_hazard.records.record import Record

BASELINES = ("auto", "none", "mean", "linear")
ORDER = 4  # of the Butterworth filter in each direction
TAPER = 0.02  # of the record at each end, before padding


def correct(record: Record, baseline: str = "auto", highpass_hz: float | None = None) -> Record:
    """Take the baseline off a record, then what lies below a frequency.

    baseline : "none"; "mean" removes the mean of each component, "linear" its least-squares line;
        "auto" the mean before the P onset, or of all where nothing is known to come before it, of
        records that are raw by their format, and nothing of others.
    highpass_hz : corner of an acausal filter, see `highpass`; None for no filter. The record is
        longer afterwards: the pads are kept, for what is integrated without them is not
        compatible with the filtered acceleration (Boore, Azari Sisi and Akkar, 2012).

    Raises ValueError for an unknown baseline or a corner not between 0 and Nyquist.
    """
    if baseline not in BASELINES:
        raise InputError(f"baseline = {baseline!r}: give one of {', '.join(BASELINES)}")
    if baseline == "auto" and record.raw:
        quiet = before_onset(record)
        acc = record.acceleration.astype(np.float64)
        flat = acc - acc[:, quiet].mean(axis=1, keepdims=True)
        where = f"of the first {quiet.stop * record.dt_s:.4g} s" if quiet.stop else "of all"
        record = record.noted(f"mean {where} removed", acceleration=flat)
    elif baseline in ("mean", "linear"):
        from scipy.signal import detrend

        kind = "constant" if baseline == "mean" else "linear"
        flat = detrend(record.acceleration.astype(np.float64), axis=1, type=kind)
        record = record.noted(f"baseline: {baseline} removed", acceleration=flat)
    if highpass_hz is not None:
        filtered = highpass(record.acceleration, record.dt_s, highpass_hz)
        record = record.noted(
            f"high-pass {highpass_hz:g} Hz, Butterworth order {ORDER} in both directions, "
            f"{(filtered.shape[1] - record.acceleration.shape[1]) // 2} zeros added at each end",
            acceleration=filtered,
        )
    return record


def highpass(acc: NDArray[np.floating], dt: float, corner_hz: float) -> NDArray[np.float64]:
    """Acausal high-pass: (n, nt) m/s2 to (n, nt + 2 pad), pads kept.

    A Butterworth filter of order 4 forwards and backwards (scipy.signal.sosfiltfilt): no phase
    shift, gain 1/2 at the corner, 48 dB an octave. Before it, half-cosine tapers on 2 % of the
    record at each end, and zeros of 0.75 ORDER / corner s at each end, half of the total 1.5
    ORDER / corner that Converse and Brady (1992) and Boore (2005) ask for each.
    """
    from scipy.signal import butter, sosfiltfilt

    nyquist = 0.5 / dt
    if not 0 < corner_hz < nyquist:
        raise InputError(f"highpass = {corner_hz:g} Hz: must lie between 0 and {nyquist:g} Hz")
    n = acc.shape[1]
    width = max(1, round(TAPER * n))
    ramp = 0.5 * (1 - np.cos(math.pi * (np.arange(width) + 0.5) / width))
    window = np.ones(n)
    window[:width] *= ramp
    window[n - width :] *= ramp[::-1]
    pad = math.ceil(0.75 * ORDER / corner_hz / dt)
    padded = np.pad(acc * window, [(0, 0), (pad, pad)])
    sections = butter(ORDER, corner_hz, "highpass", fs=1 / dt, output="sos")
    return np.asarray(sosfiltfilt(sections, padded, axis=1, padtype=None))
