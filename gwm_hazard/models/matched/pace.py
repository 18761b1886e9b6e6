# Kernels take their types from numba.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""When the energy of a record arrives, and how it is held there while amplitudes are corrected."""

from __future__ import annotations

import math
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Shares of the energy of the horizontals whose times are kept; the first ones hold the onsets.
SHARES = np.array(
    [1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 0.01, 0.03, 0.05, 0.15, 0.3, 0.5, 0.7, 0.85,
     0.95, 0.99]
)  # fmt: skip
#: Largest change of amplitude in a pass, ln.
LARGEST = 3.0
#: Time constant of an envelope, and what is tapered at both ends of a record, s.
SMOOTH_S, TAPER_S = 0.25, 0.3


class Pace(NamedTuple):
    """When the energy of n records arrives."""

    ends: NDArray[np.int64]  #: (n, Q) the last sample of each share
    ln_share: Array  #: (n, Q + 1) ln of the energy between them
    envelope: Array  #: (n, npts) root of the smoothed power, 1 at most, 0 at the ends
    taper: Array  #: (npts,)


def pace_of(acc: Array, dt_s: float) -> Pace:
    """The pace of records (n, 2, npts)."""
    n, _, npts = acc.shape
    to_end = np.minimum(np.arange(npts), np.arange(npts)[::-1]) * dt_s / TAPER_S
    taper = 0.5 - 0.5 * np.cos(np.pi * np.minimum(to_end, 1.0))
    out = Pace(
        np.empty((n, len(SHARES)), dtype=np.int64),
        np.empty((n, len(SHARES) + 1)),
        np.empty((n, npts)),
        taper,
    )
    _find(acc, SHARES, math.exp(-dt_s / SMOOTH_S), *out[:3])
    out.envelope[:] *= taper
    return out


@numba.njit(cache=True, nogil=True)
def _find(acc, shares, decay, ends, ln_share, envelope):
    npts = acc.shape[2]
    power = np.empty(npts)
    for i in range(len(acc)):
        for t in range(npts):
            power[t] = acc[i, 0, t] ** 2 + acc[i, 1, t] ** 2
        total = power.sum()
        so_far, q = 0.0, 0
        for t in range(npts):
            so_far += power[t]
            # one share a sample: no two end together
            if q < len(shares) and (so_far >= shares[q] * total or t >= npts - len(shares) + q):
                ends[i, q] = t
                q += 1
        _between(power, ends[i], ln_share[i])
        e, largest = 0.0, 0.0
        for t in range(npts):
            e = decay * e + power[t]
            envelope[i, t] = e
        e = 0.0
        for t in range(npts - 1, -1, -1):
            e = decay * e + (1.0 - decay) * envelope[i, t]
            envelope[i, t] = e
            largest = max(largest, e)
        for t in range(npts):
            envelope[i, t] = math.sqrt(envelope[i, t] / largest)


@numba.njit(nogil=True)
def _between(power, ends, out):
    """ln of the share of the energy between the ends."""
    total = power.sum()
    first = 0
    for q in range(len(out)):
        last = ends[q] + 1 if q < len(ends) else len(power)
        out[q] = math.log(power[first:last].sum() / total + 1e-12)
        first = last


@numba.njit(cache=True, nogil=True)
def keep_pace(acc, ends, ln_share):
    """Multiply records (n, C, npts) by smooth gains, after which energy arrives as before."""
    npts = acc.shape[2]
    power, now = np.empty(npts), np.empty(ln_share.shape[1])
    at, gain = np.empty(len(now)), np.empty(len(now))
    for i in range(len(acc)):
        for t in range(npts):
            power[t] = acc[i, 0, t] ** 2 + acc[i, 1, t] ** 2
        _between(power, ends[i], now)
        for q in range(len(now)):
            gain[q] = min(max(0.5 * (ln_share[i, q] - now[q]), -LARGEST), LARGEST)
            before = ends[i, q - 1] if q else 0
            after = ends[i, q] if q < len(now) - 1 else npts - 1
            at[q] = 0.5 * (before + after)
        q = 0
        for t in range(npts):
            while q < len(now) - 2 and t > at[q + 1]:
                q += 1
            w = min(max((t - at[q]) / (at[q + 1] - at[q]), 0.0), 1.0)
            factor = math.exp(gain[q] + (gain[q + 1] - gain[q]) * w)
            for c in range(acc.shape[1]):
                acc[i, c, t] *= factor


def bring_to_rest(acc: Array, pace: Pace) -> Array:
    """Records (n, C, npts) that end at rest, and begin and end with 0.

    What is left of velocity and displacement is taken away by the record's power, and by it times
    time: quiet parts stay quiet.
    """
    npts = acc.shape[-1]
    to_end = npts - 1.0 - np.arange(npts)
    power = pace.envelope**2
    shapes = np.stack([power, power * to_end / npts], axis=1)  # (n, 2, npts)
    moments = np.stack([np.ones(npts), to_end], axis=1)  # velocity, displacement at the end
    tapered = acc * pace.taper
    left = tapered @ moments  # (n, C, 2)
    weight = np.linalg.solve((shapes @ moments).transpose(0, 2, 1)[:, None], left[..., None])
    out: Array = tapered - np.einsum("ncs,nst->nct", weight[..., 0], shapes)
    return out
