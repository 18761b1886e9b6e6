# Kernels take their types from numba.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""The least change of a record that moves its peaks: PGA and PGV, which amplitudes do not set.

A peak of an oscillator's response, turned to an angle, is a linear function of the ground motion:
the motion before the peak, times the reversed impulse response (Lilhanand and Tseng 1988; Al Atik
and Abrahamson 2010, Earthquake Spectra 26(3): 601-617). RotD50 moves with the angles whose peaks
are near the median. Of all changes that move the peaks as wanted, the one is taken that is most
likely for noise in the record's own envelope and band (Gaussian conditioning, as in kriging): it
is largest where the record is, so that quiet parts stay quiet, and it has no offset.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Angles (an odd number) at which peaks are sought, and how far in ln from the median they count.
ANGLES, NEAR = 31, 0.05
#: Largest step in ln of a peak, and noise of the peaks, share of their own variance.
LARGEST, NOISE = 0.3, 0.1
#: Where the envelope is below this, nothing is changed.
QUIET = 0.003
#: Oscillators of fewer samples a cycle follow PGA.
SAMPLES = 3.0
#: Targets that are moved, at most; of more, some.
LANES = 32

_VELOCITY = -1.0  # in place of a period: PGV

_COS, _SIN = (f(np.pi / ANGLES * np.arange(ANGLES)) for f in (np.cos, np.sin))


class Nudge:
    """The lanes of n records: which targets are moved, and how their peaks here are measured.

    Peaks of the recursions are between samples and angles of these records' exact ones. The
    difference is taken once, from ``found``.

    Parameters
    ----------
    periods_s : (K,), 0 for PGA
    wanted, found : (n, K [+ 1]), ln; a column more is PGV
    dt_s : time step, s
    envelope : (n, npts), of the records
    """

    def __init__(
        self, periods_s: Array, wanted: Array, found: Array, dt_s: float, envelope: Array
    ) -> None:
        kinds = [*periods_s, *[_VELOCITY] * (wanted.shape[1] - len(periods_s))]
        use = [i for i, t in enumerate(kinds) if t <= 0.0 or t >= SAMPLES * dt_s]
        if len(use) > LANES:
            use = [use[i] for i in np.linspace(0, len(use) - 1, LANES).round().astype(int)]
        self.used = len(use)
        self.filters = np.zeros((3, LANES))
        self.filters[:, : len(use)] = np.transpose([_oscillator(kinds[i], dt_s) for i in use])
        self.left = wanted[:, use] - found[:, use]
        self.goal = np.full(self.left.shape, np.nan)  # ln of the recursions' peaks
        self.dt_s, self.envelope = dt_s, envelope

    def __call__(self, acc: Array) -> Array:
        """The records (n, 2, npts), m/s2, with their peaks moved to the targets, nearly."""
        rows = np.empty((acc.shape[-1], 2, LANES), dtype=np.float32)
        out = acc.copy()
        for i, envelope in enumerate(self.envelope):
            loud = np.flatnonzero(envelope > QUIET)
            part = slice(loud[0], loud[-1] + 1)
            band = np.exp(-self.dt_s * _band(acc[i], self.dt_s))
            gram = _rows(
                acc[i], self.filters, band, envelope, loud[0], self.goal[i], self.left[i], rows
            )
            system = gram[: self.used, : self.used].astype(np.float64)
            system[np.diag_indices_from(system)] *= 1.0 + NOISE
            weight = np.zeros(LANES, dtype=np.float32)
            weight[: self.used] = np.linalg.solve(system, self.left[i])
            _add(rows[part], weight, band, envelope[part], out[i, :, loud[0] :])
        return out


def _band(acc: Array, dt_s: float) -> Array:
    """Corners of a spectrum, rad/s: rms of neighbours of slope, acceleration, velocity, ..."""
    velocity = np.cumsum(acc, axis=-1) * dt_s
    of = np.cumsum(velocity, axis=-1) * dt_s, velocity, acc, np.diff(acc) / dt_s
    power = [(x**2).mean() for x in of]
    return np.sqrt([power[i + 1] / power[i] for i in (2, 1, 0)])


def _oscillator(period_s: float, dt_s: float) -> tuple[float, float, float]:
    """Recursion b, c1, c2 of a response, 5 % damping, 1 at rest; 0: acceleration, -1: velocity."""
    if period_s == 0.0:
        return 1.0, 0.0, 0.0
    if period_s == _VELOCITY:
        return dt_s, 1.0, 0.0
    w = 2.0 * math.pi / period_s * dt_s
    decay = math.exp(-0.05 * w)
    c1 = 2.0 * decay * math.cos(w * math.sqrt(1.0 - 0.05**2))
    return 1.0 - c1 + decay**2, c1, decay**2


@numba.njit(cache=True, nogil=True)
def _rows(acc, filters, band, envelope, start, goal, left, rows):
    """Derivatives of ln peaks with respect to the noise, (npts, 2, LANES); returns their products.

    The noise times the envelope, filtered to the band, is a change of the motion. ``goal`` is set
    the first time, and ``left`` to the step that is to be made.
    """
    npts, used = acc.shape[1], len(left)
    # One array for all states: the compiler then knows that they do not overlap.
    f = np.zeros((10, LANES))
    f[:3] = filters
    for t in range(npts):
        x, y = acc[0, t], acc[1, t]
        for j in range(LANES):
            u = f[0, j] * x + f[1, j] * f[3, j] - f[2, j] * f[4, j]
            v = f[0, j] * y + f[1, j] * f[5, j] - f[2, j] * f[6, j]
            f[4, j], f[3, j], f[6, j], f[5, j] = f[3, j], u, f[5, j], v
            f[7, j] = max(f[7, j], u * u + v * v)
            rows[t, 0, j], rows[t, 1, j] = u, v
    # The median over angles is not below 0.7 times the largest radius.
    floor = (0.45 * f[7]).astype(np.float32)
    best = np.zeros((LANES, ANGLES))
    last = start
    for t in range(npts):
        for j in range(used):
            x, y = rows[t, 0, j], rows[t, 1, j]
            if x * x + y * y > floor[j]:
                for k in range(ANGLES):
                    best[j, k] = max(best[j, k], abs(x * _COS[k] + y * _SIN[k]))
    weight, scale = np.zeros((LANES, ANGLES)), np.zeros(LANES)
    near = np.empty(used)
    for j in range(used):
        median = np.median(best[j])
        if np.isnan(goal[j]):
            goal[j] = np.log(median) + left[j]
        left[j] = min(max(goal[j] - np.log(median), -LARGEST), LARGEST)
        # To lower a peak is to lower all that would then be the largest.
        near[j] = max(NEAR, -left[j])
        weight[j] = np.maximum(1.0 - np.abs(np.log(best[j] / median)) / NEAR, 0.0)
    for t in range(npts):
        for j in range(LANES):
            x, y = rows[t, 0, j], rows[t, 1, j]
            rows[t, 0, j] = rows[t, 1, j] = 0.0
            if j < used and x * x + y * y > floor[j]:
                for k in range(ANGLES):
                    if weight[j, k] > 0.0:
                        p = x * _COS[k] + y * _SIN[k]
                        w = weight[j, k] * (1.0 - (1.0 - abs(p) / best[j, k]) / near[j])
                        if w > 0.0:
                            last = t
                            scale[j] += w * abs(p)
                            w *= np.sign(p)
                            rows[t, 0, j] += w * _COS[k]
                            rows[t, 1, j] += w * _SIN[k]
    # Backwards: the response, then the band.
    low, middle, high = band[0], band[1], band[2]
    gain = (1.0 - low) ** 2
    z = np.zeros((15, LANES))
    z[:3] = filters
    z[0, :used] /= scale[:used]
    gram = np.zeros((LANES, LANES), dtype=np.float32)
    for t in range(last, start - 1, -1):
        e = envelope[t]
        for c in range(2):
            m = 3 + 6 * c
            for j in range(LANES):
                u = z[0, j] * rows[t, c, j] + z[1, j] * z[m, j] - z[2, j] * z[m + 1, j]
                z[m + 1, j], z[m, j] = z[m, j], u
                u = gain * u + 2.0 * low * z[m + 2, j] - low * low * z[m + 3, j]
                first = middle * (z[m + 4, j] + u - z[m + 2, j])
                second = high * (z[m + 5, j] + first - z[m + 4, j])
                z[m + 3, j], z[m + 2, j] = z[m + 2, j], u
                z[m + 4, j], z[m + 5, j] = first, second
                rows[t, c, j] = e * second
        x, y = rows[t, 0], rows[t, 1]
        for j in range(used):
            for k in range(LANES):
                gram[j, k] += x[j] * x[k] + y[j] * y[k]
    return gram


@numba.njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _noise(rows, weight, c, t):
    out = np.float32(0.0)
    for j in range(LANES):
        out += rows[t, c, j] * weight[j]
    return out


@numba.njit(cache=True, nogil=True)
def _add(rows, weight, band, envelope, acc):
    """Add the change that rows times weight make."""
    low, middle, high = band[0], band[1], band[2]
    gain = (1.0 - low) ** 2
    for c in range(2):
        l1, l2, h1, h2 = 0.0, 0.0, 0.0, 0.0
        for t in range(acc.shape[1]):
            noise = envelope[t] * _noise(rows, weight, c, t) if t < len(rows) else 0.0
            now = gain * noise + 2.0 * low * l1 - low * low * l2
            first = middle * (h1 + now - l1)
            second = high * (h2 + first - h1)
            l2, l1, h1, h2 = l1, now, first, second
            acc[c, t] += second
