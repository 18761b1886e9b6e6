"""The first onset of a component, from STA/LTA and the Akaike criterion.

The first trigger of a short-term to long-term average (obspy) whose energy lasts, moved to the
minimum of the Akaike information criterion of Maeda (1985) around it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

BAND_HZ = (1.0, 20.0)
STA_S, LTA_S = 0.3, 3.0
ON, OFF = 4.0, 1.5  # ratios at which a trigger begins and ends
ON_EXPECTED = 2.5  # the same where the time of P is known roughly
LASTING = 3.0  # rms of the 2 s after an onset against that of what lies before it


def first_onset(
    trace: NDArray[np.float64],
    dt_s: float,
    between: tuple[float, float] = (-math.inf, math.inf),
    quiet_s: float = 1.0,
) -> float | None:
    """Time of the P onset of one component in s, or None.

    between : s, where it may lie
    quiet_s : the record begins with at least that much noise, which fills the averages
    """
    from obspy.signal.trigger import recursive_sta_lta, trigger_onset
    from scipy.signal import butter, sosfilt

    nyquist = 0.5 / dt_s
    band = (BAND_HZ[0], min(BAND_HZ[1], 0.8 * nyquist))
    n_sta, n_lta, quiet = (round(s / dt_s) for s in (STA_S, LTA_S, 0.8 * quiet_s))
    if band[1] <= 2 * band[0] or trace.size < 2 * n_lta or quiet < 4:
        return None
    sections = butter(2, band, "bandpass", fs=1 / dt_s, output="sos")
    # the record's first noise, before it: no step, and full averages
    lead = np.resize(trace[:quiet], n_lta + n_sta)
    x = sosfilt(sections, np.concatenate([lead, trace]) - lead.mean())
    ratio = recursive_sta_lta(x, n_sta, n_lta)[lead.size :]
    x = x[lead.size :]
    for on in (ON, ON_EXPECTED) if math.isfinite(between[0]) else (ON,):
        for begin, _ in trigger_onset(ratio, on, OFF):
            onset = _refined(x, int(begin), dt_s)
            if onset is None or not between[0] <= onset * dt_s <= between[1]:
                continue
            before, after = x[:onset], x[onset : onset + round(2.0 / dt_s)]
            if before.size < 4 or rms(after) > LASTING * rms(before[-round(3.0 / dt_s) :]):
                return onset * dt_s
    return None


def _refined(x: NDArray[np.float64], begin: int, dt_s: float) -> int | None:
    """Minimum of the criterion around a trigger, twice: the second time around the first."""
    from obspy.signal.trigger import aic_simple

    at = begin
    for before_s, after_s in ((3.0, 1.0), (1.5, 0.7)):
        low = max(0, at - round(before_s / dt_s))
        piece = x[low : at + round(after_s / dt_s)]
        if piece.size < 10 or not piece.any():
            return None
        criterion = aic_simple(piece)[2:-3]  # variances of one or two samples mean nothing
        criterion = np.where(np.isfinite(criterion), criterion, np.inf)
        at = low + 2 + int(np.argmin(criterion)) + 1
    return at


def rms(x: NDArray[np.float64]) -> float:
    """Root of the mean square; NaN of nothing."""
    return float(np.sqrt((x**2).mean())) if x.size else math.nan
