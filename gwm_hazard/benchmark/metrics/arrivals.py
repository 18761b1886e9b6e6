# Kernels take their types from numba.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""P and S onsets of records, picked the same way in observed and in generated motion.

Akaike's information criterion of two stationary Gaussian segments (Maeda 1985, in the form of
Zhang, Thurber and Rowe 2003, BSSA 93(4): 1904-1912, eq. 1), summed over the components:
AIC(k) = sum_c k ln var(x_c[:k]) + (n - k) ln var(x_c[k:]); the onset is where it is least. The
windows come from the energy: P is sought before 5 % of it has arrived, S between P and a quarter
of the horizontal energy after P.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

from gwm_hazard.errors import InputError

#: Share of the energy after which P, and of the horizontal energy after which S, is not sought.
P_SHARE, S_SHARE = 0.05, 0.25

#: A segment before and after an onset has at least this length, s.
LEAST_SEGMENT_S = 0.2

#: An onset is clear where the motion behind it is this many times stronger (rms) than before.
P_CONTRAST, S_CONTRAST = 3.0, 1.5

#: Seconds over which the motion before and after an onset is compared.
CONTRAST_WINDOW_S = 2.0

_FLOOR = 1e-8  # of the peak variance: digital silence has no logarithm


@numba.njit(cache=True, nogil=True)
def _least_aic(x, first, last, margin):
    """Sample k in [first + margin, last - margin] of the least AIC of x (nc, nt); -1: no room."""
    n = last - first
    if n < 2 * margin + 2:
        return -1
    best, best_k = np.inf, -1
    total = np.zeros(n)
    for c in range(x.shape[0]):
        peak = 0.0
        for t in range(first, last):
            peak = max(peak, x[c, t] * x[c, t])
        if peak == 0.0:
            continue
        floor = _FLOOR * peak
        s1, s2 = 0.0, 0.0
        for t in range(first, last):
            s1 += x[c, t]
            s2 += x[c, t] * x[c, t]
        a1, a2 = 0.0, 0.0
        for k in range(1, n):
            v = x[c, first + k - 1]
            a1 += v
            a2 += v * v
            before = max(a2 / k - (a1 / k) ** 2, 0.0) + floor
            m = n - k
            after = max((s2 - a2) / m - ((s1 - a1) / m) ** 2, 0.0) + floor
            total[k] += k * math.log(before) + m * math.log(after)
    for k in range(margin, n - margin + 1):
        if total[k] < best:
            best, best_k = total[k], first + k
    return best_k


@numba.njit(cache=True, nogil=True)
def _sample_of_share(x, first, last, share):
    """Sample by which a share of the energy of x (nc, nt) in [first, last) has arrived."""
    total = 0.0
    for c in range(x.shape[0]):
        for t in range(first, last):
            total += x[c, t] * x[c, t]
    reached, so_far = first, 0.0
    for t in range(first, last):
        for c in range(x.shape[0]):
            so_far += x[c, t] * x[c, t]
        if so_far >= share * total:
            reached = t
            break
    return reached


@numba.njit(cache=True, nogil=True)
def _contrast(x, k, width):
    """Rms of x (nc, nt) in the window after sample k over that in the window before it."""
    before, after = 0.0, 0.0
    low, high = max(k - width, 0), min(k + width, x.shape[1])
    for c in range(x.shape[0]):
        b, a, peak = 0.0, 0.0, 0.0
        for t in range(low, k):
            b += x[c, t] * x[c, t]
        for t in range(k, high):
            a += x[c, t] * x[c, t]
            peak = max(peak, x[c, t] * x[c, t])
        before += b / max(k - low, 1) + _FLOOR * peak
        after += a / max(high - k, 1)
    return math.sqrt(after / before) if before > 0.0 else 0.0


@numba.njit(cache=True, nogil=True)
def _pick(acc, npts, n_horizontal, settings, margin, width, out):
    for i in range(acc.shape[0]):
        out[i, 0] = out[i, 1] = -1
        x = np.empty((acc.shape[1], npts[i]))
        for c in range(acc.shape[1]):
            mean = 0.0
            for t in range(npts[i]):
                mean += acc[i, c, t]
            mean /= npts[i]
            for t in range(npts[i]):
                x[c, t] = acc[i, c, t] - mean
        end = _sample_of_share(x, 0, npts[i], settings[0])
        p = _least_aic(x, 0, min(end + margin, npts[i]), margin)
        if p < 0 or _contrast(x, p, width) < settings[2]:
            continue
        out[i, 0] = p
        h = x[:n_horizontal]
        end = _sample_of_share(h, p, npts[i], settings[1])
        s = _least_aic(h, p, min(end + margin, npts[i]), margin)
        if s >= 0 and _contrast(h, s, width) >= settings[3]:
            out[i, 1] = s


def onsets_s(
    acceleration: NDArray[np.floating], npts: NDArray[np.int64], dt_s: float, n_horizontal: int
) -> NDArray[np.float64]:
    """P and S onsets in s after the first sample, (n, 2); NaN where none is clear.

    acceleration : (n, n_components, nt) m/s2, horizontals first; npts : (n,) samples of each.

    An onset is clear where the motion in the two seconds behind it is 3 (P, all components) or
    1.5 (S, horizontals) times that of the two before. Records that begin after P have none.
    Raises ValueError for another shape.
    """
    acc = np.asarray(acceleration)
    if acc.ndim != 3 or len(npts) != len(acc) or not 1 <= n_horizontal <= acc.shape[1]:
        raise InputError(
            f"acceleration has shape {acc.shape}, npts {np.shape(npts)}, {n_horizontal} "
            "horizontals: must be (n, n_components, nt), (n,), at most n_components"
        )
    out = np.empty((len(acc), 2), dtype=np.int64)
    margin = max(2, round(LEAST_SEGMENT_S / dt_s))
    width = max(2, round(CONTRAST_WINDOW_S / dt_s))
    settings = np.array([P_SHARE, S_SHARE, P_CONTRAST, S_CONTRAST])
    _pick(acc, np.asarray(npts, dtype=np.int64), n_horizontal, settings, margin, width, out)
    return np.where(out >= 0, out * dt_s, np.nan)
