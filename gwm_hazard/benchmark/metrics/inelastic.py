# Kernels take their types from numba.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""Oscillators that yield, and how long oscillators move: for the scores of Olsen and Mayhew (2010).

A bilinear oscillator with kinematic hardening is a linear one that its plastic displacement u_p
pushes: d'' + 2 z w d' + w^2 d = -a + w^2 (1 - alpha) u_p, with |d - u_p| <= d_y. Between samples a
and u_p are linear and the linear oscillator is exact; u_p at the end of a step follows from the
yield condition in closed form.
"""

from __future__ import annotations

import math

import numba
import numpy as np
import scipy.linalg
from numpy.typing import ArrayLike, NDArray

from gwm_hazard.errors import InputError

#: Steps within one period, at least: shorter periods divide the time step of the record.
STEPS_A_PERIOD = 40


@numba.njit(cache=True, nogil=True)
def _peak(acc, steps, a, p0, p1, push, yield_d):
    """Largest |displacement| of one record (nt,); ``push`` = w^2 (1 - alpha)."""
    d, v, plastic, peak = 0.0, 0.0, 0.0, 0.0
    limit = 1.0 - p1[0] * push
    for t in range(len(acc) - 1):
        slope = (acc[t + 1] - acc[t]) / steps
        for s in range(steps):
            before = -(acc[t] + s * slope) + push * plastic
            after = -(acc[t] + (s + 1) * slope) + push * plastic
            new_d = a[0, 0] * d + a[0, 1] * v + p0[0] * before + p1[0] * after
            new_v = a[1, 0] * d + a[1, 1] * v + p0[1] * before + p1[1] * after
            strain = new_d - plastic
            if abs(strain) > yield_d:
                more = (strain - math.copysign(yield_d, strain)) / limit
                plastic += more
                new_d += p1[0] * push * more
                new_v += p1[1] * push * more
            d, v = new_d, new_v
            peak = max(peak, abs(d))
    return peak


@numba.njit(cache=True, nogil=True)
def _ratios(acc, steps, a, p0, p1, push, reductions, out):
    """Inelastic over elastic peak displacement, (n, n_reductions)."""
    for i in range(len(acc)):
        elastic = _peak(acc[i], steps, a, p0, p1, push, np.inf)
        for r in range(len(reductions)):
            if elastic > 0.0:
                found = _peak(acc[i], steps, a, p0, p1, push, elastic / reductions[r])
                out[i, r] = found / elastic
            else:
                out[i, r] = np.nan


@numba.njit(cache=True, nogil=True)
def _durations(acc, steps, a, p0, p1, dt_s, start, end, out):
    """Time from ``start`` to ``end`` of the integral of squared relative velocity, (n,) s."""
    energy = np.empty(acc.shape[1])
    for i in range(len(acc)):
        d, v, total = 0.0, 0.0, 0.0
        energy[0] = 0.0
        for t in range(acc.shape[1] - 1):
            slope = (acc[i, t + 1] - acc[i, t]) / steps
            for s in range(steps):
                before, after = -(acc[i, t] + s * slope), -(acc[i, t] + (s + 1) * slope)
                new_d = a[0, 0] * d + a[0, 1] * v + p0[0] * before + p1[0] * after
                new_v = a[1, 0] * d + a[1, 1] * v + p0[1] * before + p1[1] * after
                total += 0.5 * (v * v + new_v * new_v)
                d, v = new_d, new_v
            energy[t + 1] = total
        first = np.searchsorted(energy, start * total)
        out[i] = (np.searchsorted(energy, end * total) - first) * dt_s


def _oscillator(period_s: float, damping: float, dt_s: float) -> tuple[int, list[NDArray]]:  # type: ignore[type-arg]
    """Steps a sample, and the exact recursion x1 = A x0 + P0 f0 + P1 f1 of (d, v) over a step."""
    steps = max(1, math.ceil(STEPS_A_PERIOD * dt_s / period_s - 1e-9))
    w, h = 2.0 * math.pi / period_s, dt_s / steps
    system = np.zeros((4, 4))  # d, v, force, its rate
    system[0, 1] = system[1, 2] = system[2, 3] = 1.0
    system[1, :2] = -(w**2), -2.0 * damping * w
    moved = scipy.linalg.expm(system * h)
    at_end = moved[:2, 3] / h
    return steps, [np.ascontiguousarray(moved[:2, :2]), moved[:2, 2] - at_end, at_end]


def _checked(acceleration: ArrayLike, periods_s: ArrayLike) -> tuple[NDArray[np.float64], ...]:
    acc = np.ascontiguousarray(acceleration, dtype=np.float64)
    periods = np.atleast_1d(np.asarray(periods_s, dtype=np.float64))
    if acc.ndim != 2 or acc.shape[1] < 2:
        raise InputError(f"acceleration has shape {acc.shape}: must be (n, nt)")
    if not (periods > 0).all():
        raise InputError(f"periods {periods}: must be above 0 s")
    return acc, periods


def inelastic_ratios(
    acceleration: ArrayLike, dt_s: float, periods_s: ArrayLike, reductions: ArrayLike, *,
    hardening: float = 0.02, damping: float = 0.05,
) -> NDArray[np.float64]:  # fmt: skip
    """Peak displacement of bilinear over that of elastic oscillators, (n, n_periods, n_reductions).

    acceleration : (n, nt), of single components. An oscillator yields at its elastic peak over the
        strength reduction factor; its stiffness is then ``hardening`` times the elastic one.

    NaN for silence. Raises ValueError for another shape, periods or factors below 1.
    """
    acc, periods = _checked(acceleration, periods_s)
    factors = np.atleast_1d(np.asarray(reductions, dtype=np.float64))
    if not (factors >= 1.0).all() or not 0.0 <= hardening < 1.0:
        raise InputError(f"reductions {factors}, hardening {hardening}: must be >= 1, 0 to 1")
    out = np.empty((len(acc), len(periods), len(factors)))
    for k, period in enumerate(periods):
        steps, (a, p0, p1) = _oscillator(float(period), damping, dt_s)
        push = (2.0 * math.pi / period) ** 2 * (1.0 - hardening)
        _ratios(acc, steps, a, p0, p1, push, factors, out[:, k])
    return out


def spectral_durations(
    acceleration: ArrayLike, dt_s: float, periods_s: ArrayLike, *, start: float = 0.05,
    end: float = 0.75, damping: float = 0.05,
) -> NDArray[np.float64]:  # fmt: skip
    """Duration of the motion of elastic oscillators, (n, n_periods) s.

    From ``start`` to ``end`` of the integral of the squared relative velocity, to the sample.
    Raises ValueError for another shape or periods.
    """
    acc, periods = _checked(acceleration, periods_s)
    out = np.empty((len(periods), len(acc)))
    for k, period in enumerate(periods):
        steps, (a, p0, p1) = _oscillator(float(period), damping, dt_s)
        _durations(acc, steps, a, p0, p1, dt_s, start, end, out[k])
    return out.T
