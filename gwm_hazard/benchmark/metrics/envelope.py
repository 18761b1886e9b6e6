"""Envelopes and the build-up of energy of records: where in time the motion is."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import uniform_filter1d

from gwm_hazard.intensity import husid_measures

#: Samples of the moving average at 100 Hz (Palgunadi et al. 2025), as a time, s.
WINDOW_S = 1.28

#: Share of the Arias intensity at which envelopes are put together: the start of strong motion.
START_SHARE = 0.05

#: Share of a record's largest envelope that its envelope is taken as, at least: digital silence
#: has no logarithm, and noise that weak no meaning.
FLOOR = 1e-3

_TINY = 1e-30


def moving_average(
    acceleration: NDArray[np.floating], dt_s: float, window_s: float = WINDOW_S
) -> NDArray[np.float64]:
    """Centred moving average of the absolute value along the last axis, same shape.

    Beyond the ends the motion counts as zero.
    """
    size = max(1, round(window_s / dt_s))
    a = np.abs(np.asarray(acceleration, dtype=np.float64))
    return uniform_filter1d(a, size, axis=-1, mode="constant")


def start_s(acceleration: NDArray[np.floating], dt_s: float) -> NDArray[np.float64]:
    """Time in s at which `START_SHARE` of the energy of all components has arrived, (n,).

    acceleration : (n, n_components, nt) m/s2, zero after the record. NaN for silence.
    """
    energy = np.cumsum((np.asarray(acceleration, dtype=np.float64) ** 2).sum(axis=1), axis=-1)
    total = energy[:, -1]
    reached = (energy < START_SHARE * total[:, None]).sum(axis=1) * dt_s
    return np.where(total > 0, reached, np.nan)


def log_envelopes(
    acceleration: NDArray[np.floating],
    npts: NDArray[np.int64],
    dt_s: float,
    times_s: ArrayLike,
    zero_s: NDArray[np.float64],
) -> NDArray[np.float32]:
    """ln of the moving average at given times, (n, n_components, n_times), ln(m/s2).

    acceleration : (n, n_components, nt) m/s2; npts : (n,) samples of each.
    times_s : (n_times,) relative to ``zero_s`` (n,), s after the first sample of each record.

    Linear between samples; NaN where the window reaches beyond a record; not below `FLOOR` times
    the largest value of the component.
    """
    acc = np.asarray(acceleration)
    average = moving_average(acc, dt_s)
    average = np.maximum(average, FLOOR * average.max(axis=-1, keepdims=True))
    at = (zero_s[:, None] + np.asarray(times_s, dtype=np.float64)) / dt_s
    half = 0.5 * WINDOW_S / dt_s
    inside = (at >= half) & (at <= npts[:, None] - 1 - half)
    at = np.where(inside, at, 0.0)
    low = np.minimum(at.astype(np.int64), acc.shape[-1] - 2)
    part = (at - low)[:, None]
    left = np.take_along_axis(average, low[:, None], axis=-1)
    right = np.take_along_axis(average, low[:, None] + 1, axis=-1)
    values = np.log(np.maximum(left + part * (right - left), _TINY))
    return np.where(inside[:, None], values, np.nan).astype(np.float32)


def rise_share(acceleration: NDArray[np.floating], dt_s: float) -> NDArray[np.float64]:
    """(t45 - t5) / (t95 - t5) of the Husid curve of each component, (n, n_components).

    Small where the energy comes early, as in an earthquake; a record turned in time has one minus
    it, of other percentages. t45 is the middle of strong motion of Rezaeian and Der Kiureghian
    (2010, Earthquake Eng. Struct. Dyn. 39: 1155-1180). NaN for silence.
    """
    acc = np.asarray(acceleration)
    n, components, nt = acc.shape
    _, durations = husid_measures(
        acc.reshape(n * components, nt), dt_s, [(0.05, 0.45), (0.05, 0.95)], None
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        share = durations[:, 0] / durations[:, 1]
    return share.reshape(n, components)


def moments(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Number, mean and standard deviation over the first axis without NaN, (3, ...).

    The standard deviation has n - 1 in its denominator, and is NaN below two values.
    """
    x = np.asarray(values, dtype=np.float64)
    finite = np.isfinite(x)
    n = finite.sum(axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.where(finite, x, 0.0).sum(axis=0) / n
        squares = np.where(finite, (x - mean) ** 2, 0.0).sum(axis=0)
        deviation = np.sqrt(squares / (n - 1.0))
    return np.stack([n.astype(np.float64), mean, np.where(n > 1, deviation, np.nan)])


def moment_misfit(
    first: NDArray[np.float64], second: NDArray[np.float64], min_records: int
) -> tuple[float, float]:
    """Rms differences of the means and of the standard deviations of two sets of `moments`.

    first, second : (3, n_bins, n_points). Points that either has from fewer than ``min_records``
    values
    are left out; every bin that is left counts alike. NaN where none is.
    """
    use = (first[0] >= min_records) & (second[0] >= min_records)
    found = []
    for row in (1, 2):
        square = np.where(use, (first[row] - second[row]) ** 2, np.nan)
        bins = [np.nanmean(b) for b in square if np.isfinite(b).any()]
        found.append(float(np.sqrt(np.mean(bins))) if bins else np.nan)
    return found[0], found[1]
