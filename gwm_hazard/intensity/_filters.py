"""Recursive filters of the damped oscillator: which rate, which coefficients, for each period.

All filters share one form, at the time step h = dt / factor of the level they run at:

    u[t] = b[0] x[t+1] + b[1] x[t] + ... + b[4] x[t-3] + a1 u[t-1] + a2 u[t-2]

with u the pseudo-acceleration, so that a very stiff oscillator follows the ground. The poles a1, a2
are the exact ones of the oscillator. The numerator b says what the ground does between samples:

- piecewise-linear: the exact solution of Nigam and Jennings (1969), velocity eliminated;
- band-limited: fitted, once a period, to the oscillator's transfer function at all frequencies of
  the record. A short period runs on the record sampled twice as densely, where five coefficients
  reproduce the response to some 1e-4; for a longer one, on the record after `smoothing`, three do.
"""

import math
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.intensity._simd import LANES

SMOOTH = 10  # samples on each side of the smoothing of records
TAPS = 5  # coefficients b, of the inputs t+1 to t-3
HALF = 6  # samples on each side of the local interpolation
_FINE_BELOW = 25.0  # periods below 25 dt run on the record sampled twice as densely
_STIFF_BELOW = 1.5  # periods below 1.5 h: the poles say nothing, a plain filter does it
_LINEAR_STEPS = 20.0  # piecewise-linear: steps a period
_LINEAR_MOST = 64  # and the largest sub-division


# Where the peaks of a response are sought: at its samples only, as for straight lines; with a
# sinusoid through three samples; or between samples interpolated more densely where need be.
SAMPLES, STEPS, BETWEEN = 0, 1, 2


class Plan(NamedTuple):
    """Filters of all periods, sorted by level and period, in groups of at most LANES.

    columns : (n_lanes,) index of the period in the caller's list, -1 for an idle lane.
    factor : (n_groups,) samples a sample of the record at this level.
    look : (n_lanes,) where peaks are sought: SAMPLES, STEPS or BETWEEN.
    margin : (n_lanes,) squared ratio of sampled to true radius that is safe for a peak.
    tail : (n_groups,) s of free vibration that holds the largest peak after the record.
    b : (n_groups, TAPS, LANES); a : (n_groups, 2, LANES); start : (n_groups, 2, LANES), the two
        values before the first sample, a unit first sample.
    """

    columns: NDArray[np.int64]
    factor: NDArray[np.int64]
    look: NDArray[np.int64]
    margin: NDArray[np.float64]
    tail: NDArray[np.float64]
    b: NDArray[np.float64]
    a: NDArray[np.float64]
    start: NDArray[np.float64]


Coefficients = tuple[list[float], list[float], list[float]]


def _poles(period: float, step: float, damping: float) -> tuple[float, float]:
    omega = 2 * math.pi / period
    decay = math.exp(-damping * omega * step)
    turn = omega * math.sqrt(1 - damping**2) * step
    return 2 * decay * math.cos(turn), -decay * decay


def linear_filter(period: float, step: float, damping: float) -> Coefficients:
    """b, a, start for input that is linear between samples; Nigam and Jennings (1969)."""
    if period < 1e-3 * step:
        return [0.0, 1.0, 0.0, 0.0, 0.0], [0.0, 0.0], [0.0, 0.0]
    w, z, h = 2 * math.pi / period, damping, step
    wd = w * math.sqrt(1 - z * z)
    e, c, s = math.exp(-z * w * h), math.cos(wd * h), math.sin(wd * h)
    # one step of u'' + 2 z w u' + w^2 u = -x: displacement and velocity on the state before ...
    a12, a22 = e * s / wd, e * (c - z * w / wd * s)
    # ... and on the input at the beginning (1) and at the end (2) of the step
    f, g = (2 * z * z - 1) / (w * w * h), 2 * z / (w**3 * h)
    b11 = e * (s / wd * (f + z / w) + c * (g + 1 / w**2)) - g
    b12 = -e * (f * s / wd + g * c) - 1 / w**2 + g
    k1, k2 = c - z * w / wd * s, wd * s + z * w * c
    b21 = e * ((f + z / w) * k1 - (g + 1 / w**2) * k2) + 1 / (w * w * h)
    b22 = -e * (f * k1 - g * k2) - 1 / (w * w * h)
    a1, a2 = _poles(period, step, damping)
    scale = -w * w  # pseudo-acceleration with the sign of the ground's
    first, middle, last = b12, b11 + a12 * b22 - a22 * b12, a12 * b21 - a22 * b11
    # the record starts at rest with its first sample: no ramp up to it in the step before
    before = (b11 - middle) / a2
    before2 = (-first - a1 * before) / a2
    b = [0.0, scale * first, scale * middle, scale * last, 0.0]
    return b, [a1, a2], [scale * before2, scale * before]


def band_limited_filter(period: float, dt: float, factor: int, damping: float) -> Coefficients:
    """b, a, start for input with no content above the Nyquist frequency 1 / (2 dt)."""
    step = dt / factor
    if period < 1e-6 * dt:
        return [0.0, 1.0, 0.0, 0.0, 0.0], [0.0, 0.0], [0.0, 0.0]
    stiff = period < _STIFF_BELOW * step
    a1, a2 = (0.0, 0.0) if stiff else _poles(period, step, damping)
    nyquist = (np.arange(256) + 0.5) / 256  # frequency as a fraction of the Nyquist frequency
    ratio = nyquist * (period / (2 * dt))
    transfer = 1 / (1 - ratio**2 + 2j * damping * ratio)
    delay = np.exp(-1j * np.pi / factor * nyquist)
    denominator = 1 - a1 * delay - a2 * delay**2
    # A stiff filter is symmetric about the present; a delay of one step centres it on its taps.
    target = transfer * delay if stiff else transfer
    # between absolute and relative error of the response
    weight = 1 / np.sqrt(np.abs(transfer))
    if factor == 1:
        taps = np.arange(1, 4)
        smooth = np.cos(np.pi * np.outer(nyquist, np.arange(-SMOOTH, SMOOTH + 1))) @ smoothing()
        # where the response is least, and records have little energy, the fit may give way
        weight *= 1 - 0.9 * nyquist**2
    else:
        taps = np.arange(TAPS)
        smooth = np.ones_like(nyquist)
    design = delay[:, None] ** (taps - 1) * (weight * smooth / denominator)[:, None]
    wanted = target * weight
    b = np.zeros(TAPS)
    b[taps] = np.linalg.lstsq(
        np.concatenate([design.real, design.imag]),
        np.concatenate([wanted.real, wanted.imag]),
        rcond=None,
    )[0]
    return list(b), [a1, a2], [0.0, 0.0]


@lru_cache(maxsize=128)
def make_plan(periods: tuple[float, ...], dt: float, damping: float, linear: bool) -> Plan:
    """Choose the level of every period and design its filter."""
    lanes = []
    for column, period in enumerate(periods):
        if linear:
            steps = math.ceil(_LINEAR_STEPS * dt / period) if period > 0 else 1
            factor = 2 ** math.ceil(math.log2(min(steps, _LINEAR_MOST)))
        else:
            factor = 2 if period < _FINE_BELOW * dt else 1
        lanes.append((factor, period, column))
    lanes.sort()
    groups: list[list[tuple[int, float, int]]] = []
    for lane in lanes:
        if groups and len(groups[-1]) < LANES and groups[-1][0][0] == lane[0]:
            groups[-1].append(lane)
        else:
            groups.append([lane])
    n = len(groups)
    plan = Plan(
        columns=np.full(n * LANES, -1),
        factor=np.array([group[0][0] for group in groups]),
        look=np.full(n * LANES, BETWEEN),
        margin=np.ones(n * LANES),
        # half a damped period after the record every rotated component has passed its extremum
        tail=np.array([0.5 * group[-1][1] / math.sqrt(1 - damping**2) for group in groups]),
        b=np.zeros((n, TAPS, LANES)),
        a=np.zeros((n, 2, LANES)),
        start=np.zeros((n, 2, LANES)),
    )
    for g, group in enumerate(groups):
        for k, (factor, period, column) in enumerate(group):
            if linear:
                b, a, start = linear_filter(period, dt / factor, damping)
            else:
                b, a, start = band_limited_filter(period, dt, factor, damping)
            plan.b[g, :, k], plan.a[g, :, k], plan.start[g, :, k] = b, a, start
            lane_index = g * LANES + k
            plan.columns[lane_index] = column
            if linear:
                plan.look[lane_index] = STEPS if period > 0 else SAMPLES
            # samples in a cycle of the highest frequency that matters for the peak
            cycle = min(max(0.5 * period / dt * factor, 4.0), 8.0)
            plan.margin[lane_index] = math.cos(math.pi / cycle) ** 2
    return plan


@lru_cache(maxsize=1)
def smoothing() -> NDArray[np.float64]:
    """(2 SMOOTH + 1,) weights: what band-limited input lacks of piecewise-linear input.

    The filters for piecewise-linear input are exact for band-limited input that was smoothed so
    before, in the limit of long periods: sinc^2 is the transform of the straight lines, and
    (2 + cos) / 3 the sum of its aliases.
    """
    nyquist = (np.arange(512) + 0.5) / 512
    target = np.sinc(nyquist / 2) ** 2 * 3 / (2 + np.cos(np.pi * nyquist))
    weight = (1 - 0.95 * nyquist**2) ** 3  # the kink at the Nyquist frequency matters least
    design = np.cos(np.pi * np.outer(nyquist, np.arange(SMOOTH + 1))) * weight[:, None]
    half = np.linalg.lstsq(design, target * weight, rcond=None)[0]
    half[1:] /= 2
    return np.concatenate([half[:0:-1], half])


@lru_cache(maxsize=1)
def interpolators() -> NDArray[np.float64]:
    """(5, 4, 2 HALF): weights of samples -HALF+1 .. HALF for the points j / divide after sample 0.

    First index divide (1, 2 and 4 are used), second j. Fitted to the ideal delay up to 0.6 of
    the Nyquist frequency: exact to 1e-4 for responses sampled twice as densely as the record.
    """
    out = np.zeros((5, 4, 2 * HALF))
    f = np.pi * np.linspace(0, 0.6, 200)
    taps = np.arange(1 - HALF, HALF + 1)
    design = np.exp(1j * f[:, None] * taps)
    for divide in (1, 2, 4):
        for j in range(divide):
            wanted = np.exp(1j * f * j / divide)
            out[divide, j] = np.linalg.lstsq(
                np.concatenate([design.real, design.imag]),
                np.concatenate([wanted.real, wanted.imag]),
                rcond=None,
            )[0]
        out[divide, 0] = taps == 0
    return out
