"""How good a record is, told from its samples and header: one text, for the outputs' column.

What is said: the offset, clipping, length, the onset of P and whether the record begins or ends in
the motion, the usable band (of the header's filters, else where the signal is above the noise), and
what was not plausible in the metadata.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.records.onset import first_onset
from gwm_hazard.records.record import Record
from gwm_hazard.records.usable_band import PERIODS_A_CORNER

CLIPPED = 6  # equal samples at a peak
COARSE = 100  # least steps of the digitiser up to a peak, for clipping to be told

#: Share of the peak that is told as an offset, and that the last seconds of a whole record stay
#: below.
OFFSET_SHARE, END_SHARE = 0.05, 0.1

#: Ratio of peaks of samples and header from which on it is told.
HEADER_PEAK = 0.025

#: Octaves in which signal and noise are compared, Hz, and the ratio that is usable.
OCTAVES_HZ = tuple((0.0625 * 2.0**k, 0.125 * 2.0**k) for k in range(10))
USABLE_SNR = 3.0


def examined(record: Record) -> Record:
    """A copy with ``quality``, and ``p_s`` (s from the first sample) where an onset is found."""
    onset = _onset(record)
    extra = {"p_s": round(onset, 3)} if onset is not None else {}
    metadata = {**extra, **record.metadata, "quality": described(record, onset)}
    return replace(record, metadata=metadata)


def described(record: Record, onset_s: float | None) -> str:
    """The text of ``quality``, for an onset of P in s from the first sample."""
    told = [_offset(record, onset_s), clipped(record.acceleration, record.components) or ""]
    told += [f"{record.acceleration.shape[1] * record.dt_s:.4g} s", *_extent(record, onset_s)]
    told += [_band(record, onset_s), *_header(record), str(record.metadata.get("quality", ""))]
    return "; ".join(filter(None, told))


#: What `examined` says of records that need a look, and how the command line counts them.
_REMARKS = {
    "of its peak, as given": "with an offset that --baseline mean or --highpass removes",
    "in a row at its extreme": "clipped",
    "begins in the motion": "that begin in the motion",
    "ends in the motion": "that end in the motion",
    "times that of the header": "whose peak is not the header's",
    "left out, must": "with an impossible value in the header",
    "time step": "with an unusual time step",
    "sensitivit": "whose sensitivities differ",
}


def remarks(texts: Iterable[object]) -> str:
    """How many of the texts of `examined` say what, in words; empty where there is nothing."""
    told = [str(text) for text in texts]
    counts = {words: sum(part in text for text in told) for part, words in _REMARKS.items()}
    return ", ".join(f"{number} {words}" for words, number in counts.items() if number)


def before_onset(record: Record) -> slice:
    """Samples of noise before the P onset, if there is a second of them, or all of the record."""
    onset = _float(record.metadata.get("p_s"))
    n = round((onset - 0.1) / record.dt_s) if math.isfinite(onset) else 0
    return slice(0, n) if n * record.dt_s >= 1.0 else slice(None)


def _onset(record: Record) -> float | None:
    """P as the metadata have it, or the earliest onset on the vertical, else of the horizontals."""
    if math.isfinite(given := _float(record.metadata.get("p_s"))):
        return given
    acc = record.acceleration.astype(np.float64)
    parts = (acc[-1:], acc[:-1]) if record.has_vertical else (acc,)
    for part in parts:
        found = [first_onset(trace, record.dt_s) for trace in part]
        if times := [t for t in found if t is not None]:
            return min(times)
    return None


def _offset(record: Record, onset: float | None) -> str:
    n = round((onset - 0.1) / record.dt_s) if onset is not None else 0
    part = slice(0, n) if n * record.dt_s >= 1.0 else slice(None)
    mean = record.acceleration[:, part].mean(axis=1)
    peak = np.abs(record.acceleration - mean[:, None]).max(axis=1)
    share = np.abs(mean) / np.where(peak > 0, peak, 1.0)
    at = int(share.argmax())
    if share[at] <= OFFSET_SHARE:
        return "no offset"
    whose = "raw" if record.raw else "as given"
    return f"offset of {record.components[at]} {100 * share[at]:.3g} % of its peak, {whose}"


def _extent(record: Record, onset: float | None) -> list[str]:
    acc = record.acceleration - record.acceleration.mean(axis=1, keepdims=True)
    told = ["no onset found" if onset is None else f"P at {onset:.2f} s"]
    if onset is None and _strong(acc[:, : max(2, round(1.0 / record.dt_s))], acc):
        told = ["begins in the motion"]
    if _strong(acc[:, -max(2, round(1.0 / record.dt_s)) :], acc):
        told.append("ends in the motion")
    return told


def _strong(part: NDArray[np.floating], acc: NDArray[np.floating]) -> bool:
    return bool((np.abs(part).max(axis=1) > END_SHARE * np.abs(acc).max(axis=1)).any())


def _band(record: Record, onset: float | None) -> str:
    low = _float(record.metadata.get("highpass_hz"))
    high = _float(record.metadata.get("lowpass_hz"))
    if low > 0:
        top = f" to {high:g} Hz" if high > 0 else " Hz on"
        return f"usable from {low / PERIODS_A_CORNER:.3g}{top} (filters)"
    if onset is None:
        return ""
    p = round(onset / record.dt_s)
    nyquist = 0.5 / record.dt_s
    bands = [band for band in OCTAVES_HZ if band[1] <= nyquist]
    ratios = signal_to_noise(record.acceleration.astype(np.float64), p, record.dt_s, bands)
    length, first = longest_run(
        np.array([not r < USABLE_SNR and not math.isnan(r) for r in ratios])
    )
    if not length:
        return f"no octave with signal {USABLE_SNR:g} times the noise"
    return f"usable from {bands[first][0]:.3g} to {bands[first + length - 1][1]:.3g} Hz (noise)"


def _header(record: Record) -> list[str]:
    told = []
    ratio = _float(record.metadata.get("pga_to_header"))
    if abs(ratio - 1) > HEADER_PEAK:
        told.append(f"peak {ratio:.3g} times that of the header")
    return told


def _float(value: object) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def clipped(acc: NDArray[np.floating], names: Sequence[str]) -> str | None:
    """The component with `CLIPPED` or more equal samples in a row at its largest or least value.

    None where there is none, or the peak is within `COARSE` steps of the digitiser, at which crests
    are flat.
    """
    for trace, name in zip(acc, names, strict=True):
        steps = np.abs(np.diff(trace))
        if not steps.any() or np.ptp(trace) < 2 * COARSE * steps[steps > 0].min():
            continue
        for extreme in (trace.max(), trace.min()):
            length, _ = longest_run(trace == extreme)
            if length >= CLIPPED:
                return (
                    f"component {name}: {length} samples in a row at its "
                    f"extreme value {extreme:.4g} m/s2"
                )
    return None


def longest_run(flags: NDArray[np.bool_]) -> tuple[int, int]:
    """Length and first place of the longest run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    if edges.size == 0:
        return 0, 0
    lengths = edges[1::2] - edges[::2]
    at = int(lengths.argmax())
    return int(lengths[at]), int(edges[::2][at])


def signal_to_noise(
    acc: NDArray[np.float64],
    p: int,
    dt_s: float,
    bands: Sequence[tuple[float, float]],
    signal_s: float = 20.0,
) -> list[float]:
    """Ratio of the rms amplitude spectra in each band, the least over the components.

    Signal: ``signal_s`` s from the P onset at sample ``p``; noise: what lies before it, less 0.1 s.
    Both tapered (Hann, 10 %) and divided by the root of their length. NaN for a band whose longest
    period does not fit into the noise, infinite where the noise is zero.
    """
    noise = acc[:, : max(0, p - round(0.1 / dt_s))]
    signal = acc[:, p : p + round(signal_s / dt_s)]
    ratios = []
    for low, high in bands:
        if noise.shape[1] * dt_s * low < 1 or signal.shape[1] * dt_s * low < 1:
            ratios.append(math.nan)
            continue
        above, below = (_power(x, dt_s, low, high) for x in (signal, noise))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios.append(float(np.min(np.sqrt(above / below))))
    return ratios


def _power(acc: NDArray[np.float64], dt_s: float, low: float, high: float) -> NDArray[np.float64]:
    """Mean power between two frequencies, per component."""
    from scipy.signal.windows import tukey

    n = acc.shape[1]
    spectrum = np.fft.rfft((acc - acc.mean(axis=1, keepdims=True)) * tukey(n, 0.1))
    frequency = np.fft.rfftfreq(n, dt_s)
    inside = (frequency >= low) & (frequency <= high)
    return np.asarray((np.abs(spectrum[:, inside]) ** 2).mean(axis=1) / n)
