# Kernels take their types from numba.
# mypy: disable-error-code="no-untyped-def,no-untyped-call,call-arg"
"""Rotated response spectra: RotDnn pseudo-spectral acceleration (Boore, 2010)."""

from collections.abc import Callable
from functools import lru_cache

import numba
import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray

from gwm_hazard.errors import InputError
from gwm_hazard.intensity._batch import (
    G_M_S2,
    N_ANGLES,
    check_records,
    run_batch,
    sources_digest,
)
from gwm_hazard.intensity._filters import HALF, interpolators, make_plan, smoothing
from gwm_hazard.intensity._rotation import BLOCK, ranks_and_look, rotated_peaks, store_peaks
from gwm_hazard.intensity._simd import LANES, filter_1, filter_4

_EDGE = 32  # samples of band-limited ringing kept before and after a record
#: Records whose values between the samples are held at once.
BETWEEN_AT_ONCE = 16
_LEAD = HALF + 2  # rows before the first of a trajectory: context of the interpolation


@numba.njit(cache=True, nogil=True)
def _spans(acc, spans):
    """First and last + 1 sample that is not zero, with one zero before; 0, 0 for all-zero."""
    n, _, nt = acc.shape
    for i in range(n):
        first, last = 0, nt
        while last > 0 and acc[i, 0, last - 1] == 0 and acc[i, 1, last - 1] == 0:
            last -= 1
        while first < last and acc[i, 0, first] == 0 and acc[i, 1, first] == 0:
            first += 1
        spans[i, 0] = max(first - 1, 0) if last else 0
        spans[i, 1] = last


@numba.njit(nogil=True)
def _load_linear(acc, i, first, last, factor, fine):
    """The record at `factor` samples a sample on straight lines, from row _LEAD of fine (2, :)."""
    n = last - first
    fine[:] = 0.0
    for c in range(2):
        for t in range(n):
            a = np.float64(acc[i, c, first + t])
            b = np.float64(acc[i, c, first + t + 1]) if t + 1 < n else 0.0
            for j in range(factor):
                fine[c, _LEAD + t * factor + j] = a + (b - a) * (j / factor)


@numba.njit(nogil=True, fastmath={"contract"})
def _load_smooth(acc, i, first, last, taps, work, fine):
    """The record after `smoothing`, from row _LEAD + _EDGE of fine (2, :) on."""
    n = last - first
    half = taps.size // 2
    fine[:] = 0.0
    for c in range(2):
        x = work[0, : n + 4 * half]
        x[:] = 0.0
        for t in range(n):
            x[2 * half + t] = acc[i, c, first + t]
        smooth = fine[c, _LEAD + _EDGE - half : _LEAD + _EDGE + n + half]
        count = smooth.size
        middle = x[half : half + count]
        for t in range(count):
            smooth[t] = taps[half] * middle[t]
        for k in range(half):  # the weights are symmetric
            weight, m = taps[k], 2 * half - k
            before, after = x[k : k + count], x[m : m + count]
            for t in range(count):
                smooth[t] += weight * (before[t] + after[t])


@numba.njit(nogil=True)
def _load_dense(acc, i, first, last, between, fine):
    """The record and, between its samples, those half a sample later, from row _LEAD of fine.

    _EDGE samples of band-limited ringing are kept at both ends.
    """
    fine[:] = 0.0
    for c in range(2):
        for t in range(last - first):
            fine[c, _LEAD + 2 * (t + _EDGE)] = acc[i, c, first + t]
        for t in range(last - first + 2 * _EDGE):
            fine[c, _LEAD + 2 * t + 1] = between[c, t]


@numba.njit(nogil=True)
def _filter(x, y, owned, wide, b, a, start, u, block_r2):
    """Responses of LANES oscillators to both components, u[_LEAD:_LEAD+owned] and _LEAD rows more.

    x, y : ground acceleration, sample t at index _LEAD + t. wide : all TAPS of b, else the middle
    three. block_r2 (blocks + 1, LANES) : largest squared radius of BLOCK rows; the last is waste.
    """
    for j in range(LANES):
        for k in range(2):
            u[_LEAD - 2 + k, j] = start[k, j] * x[_LEAD]
            u[_LEAD - 2 + k, LANES + j] = start[k, j] * y[_LEAD]
    block_r2[:] = 0.0
    waste = block_r2.shape[0] - 1
    b3 = b[1:4]
    whole = _LEAD + owned // 4 * 4
    for t in range(_LEAD, whole, 4):  # BLOCK is a multiple of 4
        block = (t - _LEAD) // BLOCK
        x6 = (x[t + 3], x[t + 2], x[t + 1], x[t], x[t - 1], x[t - 2])
        y6 = (y[t + 3], y[t + 2], y[t + 1], y[t], y[t - 1], y[t - 2])
        if wide:
            x8, y8 = (x[t + 4], *x6, x[t - 3]), (y[t + 4], *y6, y[t - 3])
            filter_4(a, b, u, t, x8, y8, block_r2, block)
        else:
            filter_4(a, b3, u, t, x6, y6, block_r2, block)
    for t in range(whole, _LEAD + owned + _LEAD):
        block = (t - _LEAD) // BLOCK if t < _LEAD + owned else waste
        x3, y3 = (x[t], x[t - 1], x[t - 2]), (y[t], y[t - 1], y[t - 2])
        if wide:
            x5, y5 = (x[t + 1], *x3, x[t - 3]), (y[t + 1], *y3, y[t - 3])
            filter_1(a, b, u, t, x5, y5, block_r2, block)
        else:
            filter_1(a, b3, u, t, x3, y3, block_r2, block)
    for k in range(2):  # context of the interpolation, not states of the recursion
        u[_LEAD - 2 + k, :] = 0.0


@numba.njit(nogil=True)
def _rotd(
    first_record,
    last_record,
    acc,
    dt,
    spans,
    between,
    linear,
    pad,
    plan,
    weights,
    taps,
    lowest,
    cosine2,
    enough,
    ranks,
    out,
):
    """RotDnn of records first_record .. last_record-1 into out (n, n_ranks, n_periods), in g."""
    columns, factors, looks, margins, tails, b, a, start = plan
    n_groups = factors.size
    longest = 0
    for i in range(first_record, last_record):
        longest = max(longest, spans[i, 1] - spans[i, 0])
    most_rows, most_fine = 0, 0
    for g in range(n_groups):
        tail = pad + acc.shape[2] if pad >= 0 else int(tails[g] / dt) + 2
        most_rows = max(most_rows, (longest + tail + 2 * _EDGE) * factors[g])
        most_fine = max(most_fine, (longest + 2 * _EDGE) * factors[g])
    fine = np.zeros((2, max(most_rows, most_fine) + 3 * _LEAD))
    work = np.empty((1, longest + 4 * taps.size))
    u = np.zeros((most_rows + 3 * _LEAD, 2 * LANES))
    all_blocks = np.empty((most_rows // BLOCK + 2, LANES))
    scratch = np.empty((5, max(N_ANGLES, 4 * BLOCK + 2 * HALF + 4)))
    best = np.empty(N_ANGLES)
    for i in range(first_record, last_record):
        begin, end = spans[i, 0], spans[i, 1]
        if end == 0:
            out[i] = 0.0
            continue
        loaded = 0
        for g in range(n_groups):
            factor = factors[g]
            if factor != loaded:
                if linear:
                    _load_linear(acc, i, begin, end, factor, fine)
                elif factor == 1:
                    _load_smooth(acc, i, begin, end, taps, work, fine)
                else:
                    _load_dense(acc, i, begin, end, between[i - first_record], fine)
                loaded = factor
            tail = pad + acc.shape[2] - end if pad >= 0 else int(tails[g] / dt) + 2
            owned = (end - begin - 1 + tail + (0 if linear else _EDGE)) * factor + 1
            wide = not linear and factor == 2
            blocks = all_blocks[: (owned - 1) // BLOCK + 2]
            _filter(fine[0], fine[1], owned, wide, b[g], a[g], start[g], u, blocks)
            for j in range(LANES):
                column = columns[g * LANES + j]
                if column < 0:
                    continue
                lane = g * LANES + j
                rotated_peaks(
                    u,
                    _LEAD,
                    _LEAD + owned,
                    j,
                    LANES,
                    blocks[:-1],
                    looks[lane],
                    margins[lane],
                    lowest,
                    cosine2,
                    enough,
                    weights,
                    scratch,
                    best,
                )
                store_peaks(best, ranks, 1.0 / G_M_S2, scratch[4], out[i, :, column])


@lru_cache(maxsize=1)
def _kernel() -> Callable[..., None]:
    """`_rotd`, compiled once and cached on disk; see `sources_digest`."""
    digest = sources_digest()

    @numba.njit(cache=True, nogil=True)
    def rotd_kernel(first_record, last_record, *arguments):
        if digest:
            _rotd(first_record, last_record, *arguments)

    return rotd_kernel


def _transform_size(samples: int) -> int:
    """Smallest size of the form (8, 9, 10, 12 or 15) 2^k that holds so many samples."""
    power = 8
    while 2 * power < samples:
        power *= 2
    return min(m * power // 8 for m in (8, 9, 10, 12, 15, 16) if m * power // 8 >= samples)


@lru_cache(maxsize=64)
def _half_sample(size: int) -> NDArray[np.complex128]:
    """What a transform of this size is multiplied with to stand half a sample later, (size,)."""
    fraction = scipy.fft.fftfreq(size)  # cycles a sample
    shift = np.exp(1j * np.pi * fraction)
    if size % 2 == 0:
        shift[size // 2] = 0.0  # a real Nyquist wave has its zeros there
    return shift


def _between(records: NDArray[np.floating], spans: NDArray[np.int64]) -> NDArray[np.float64]:
    """Band-limited values half a sample after each, (n, 2, longest), from _EDGE samples before.

    One complex transform carries both components; zeros behind them keep it from wrapping around.
    """
    out = np.zeros((len(records), 2, int((spans[:, 1] - spans[:, 0]).max()) + 2 * _EDGE))
    for values, (first, last), of_record in zip(records, spans, out, strict=True):
        n = last - first
        size = _transform_size(int(n) + 2 * _EDGE)
        both = np.zeros(size, dtype=np.complex128)
        both.real[:n], both.imag[:n] = values[:, first:last]
        spectrum = scipy.fft.fft(both, overwrite_x=True)
        spectrum *= _half_sample(size)
        later = scipy.fft.ifft(spectrum, overwrite_x=True)
        for row, part in zip(of_record, (later.real, later.imag), strict=True):
            row[:_EDGE], row[_EDGE : n + 2 * _EDGE] = part[-_EDGE:], part[: n + _EDGE]
    return out


def rotd(
    acc: ArrayLike,
    dt: float,
    periods: ArrayLike,
    percentiles: ArrayLike | None = (50,),
    damping: float = 0.05,
    *,
    interpolation: str = "bandlimited",
    pad_s: float | None = None,
) -> NDArray[np.float64]:
    """Rotated pseudo-spectral acceleration in g, (n, n_percentiles, n_periods) float64.

    acc : (n, 2, nt) m/s2, float32 or float64, two orthogonal horizontal components.
    dt : time step, s.
    periods : (n_periods,) s; 0 is the peak ground acceleration, and no period is too short.
    percentiles : over the rotation angles; 50 is RotD50, 100 RotD100, 0 RotD00. None gives the
        value at each of the 180 angles, in order, in place of the percentiles.
    damping : fraction of critical, 0 <= damping < 1.
    interpolation : the ground motion between the samples. "bandlimited", the default, has no
        content above the Nyquist frequency; "linear" joins the samples by straight lines.
    pad_s : how long after the last sample peaks count, s. By default so long that the largest
        peak of the free vibration after the record counts; pad_s=0 stops at the last sample.

    RotDnn is the nn-th percentile (numpy's linear one), over the rotation angles 0 to 179 degrees
    by 1 degree, of the peak absolute response of the rotated component (Boore, 2010). Zeros
    before or after a record change nothing: they are its rest (with pad_s, those after it are
    part of the window). A result does not depend on the
    other records of the batch nor on the number of threads.

    Oscillators are solved by recursion with their exact poles (Nigam and Jennings, 1969), and
    peaks are found between samples; that the ground is band-limited is the recommendation of
    Boore and Goulet (2014).

    Raises ValueError for wrong shapes, samples that are not finite (with the record's index),
    and periods, percentiles, damping or dt out of range.
    """
    records = check_records(acc, dt, 2)
    ranked = ranks_and_look(percentiles)
    times = np.atleast_1d(np.asarray(periods, dtype=np.float64))
    if times.ndim != 1 or not np.all(np.isfinite(times) & (times >= 0)):
        raise InputError(f"periods = {periods!r} s: must be numbers >= 0 (0 is PGA)")
    if not 0 <= damping < 1:
        raise InputError(f"damping = {damping!r}: must be a fraction of critical in [0, 1)")
    if interpolation not in ("bandlimited", "linear"):
        raise InputError(f"interpolation = {interpolation!r}: give 'bandlimited' or 'linear'")
    if pad_s is not None and not (np.isfinite(pad_s) and pad_s >= 0):
        raise InputError(f"pad_s = {pad_s!r} s: must be a number >= 0, or None")
    out = np.empty((len(records), ranked[-1].size or N_ANGLES, times.size))
    if out.size == 0:
        return out
    linear = interpolation == "linear"
    plan = make_plan(tuple(times.tolist()), float(dt), float(damping), linear)
    spans = np.empty((len(records), 2), dtype=np.int64)
    _spans(records, spans)
    dense = not linear and bool(np.any(plan.factor > 1))

    def part(first: int, last: int, *rest: object) -> None:
        for start in range(first, last, BETWEEN_AT_ONCE):
            own = slice(start, min(start + BETWEEN_AT_ONCE, last))
            between = _between(records[own], spans[own]) if dense else np.empty((0, 2, 0))
            _kernel()(own.start, own.stop, records, float(dt), spans, between, *rest)

    run_batch(
        part,
        len(records),
        linear,
        -1 if pad_s is None else round(pad_s / dt),
        plan,
        interpolators(),
        smoothing(),
        *ranked,
        out,
    )
    return out
