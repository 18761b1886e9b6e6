# Kernels take their types from numba.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""Peaks of a two-component trajectory at every rotation angle, continuous in time."""

import math

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from gwm_hazard.intensity._batch import COS, N_ANGLES, SIN, check_percentiles
from gwm_hazard.intensity._filters import BETWEEN, HALF, SAMPLES

BLOCK = 16  # samples whose largest radius is kept, to pass over quiet parts of a trajectory

# Squared second difference over squared radius of a sinusoid of 48 and 20 samples a cycle: from
# there on points are interpolated between the samples, two or four a sample.
_BEND_TWO = (2 - 2 * math.cos(2 * math.pi / 48)) ** 2
_BEND_FOUR = (2 - 2 * math.cos(2 * math.pi / 20)) ** 2
_BETWEEN = 1.05  # largest squared ratio of a peak to its nearest point, 16 points a cycle

_STRONG = 0.7  # squared radius, of the largest, of the blocks that are looked at first

# Half a sample, times the slope of at least 4 samples a cycle, over the difference of samples two
# apart: half of it times pi / 2 at 4 samples a cycle, less at more.
_REACH = math.pi / 8

_S = np.linspace(0.0, 1.0, 400)
_ARCTAN = np.polynomial.polynomial.polyfit(
    _S**2, np.concatenate([[1.0], np.arctan(_S[1:]) / _S[1:]]) * 180 / np.pi, 5
)
_A0, _A1, _A2, _A3, _A4, _A5 = (float(c) for c in _ARCTAN)


@numba.njit(nogil=True, inline="always")
def _direction(dx, dy):
    """Angle of (dx, dy) in degrees, -180 to 180, to 1e-3 degree: enough to choose a sample."""
    ax, ay = abs(dx), abs(dy)
    low, high = min(ax, ay), max(ax, ay)
    if high == 0.0:
        return 0.0
    t = low / high
    s = t * t
    angle = t * (_A0 + s * (_A1 + s * (_A2 + s * (_A3 + s * (_A4 + s * _A5)))))
    if ay > ax:
        angle = 90.0 - angle
    if dx < 0.0:
        angle = 180.0 - angle
    return -angle if dy < 0.0 else angle


@numba.njit(nogil=True)
def _walk(x, y, n, radius2, floor2, best):
    """Raise best[k], squared peaks, by the extrema at the points 1 .. n-2 of a piece of path.

    The component at angle k has an extremum where the path runs perpendicular to it, so the
    turning of the path from step to step says which angles have their extremum at which point.
    A sinusoid through three points then gives the value between them. Points within radius2 and
    values below floor2 are passed over.
    """
    before = _direction(x[1] - x[0], y[1] - y[0])
    for i in range(1, n - 1):
        after = _direction(x[i + 1] - x[i], y[i + 1] - y[i])
        turning = after - before
        if turning > 180.0:
            turning -= 360.0
        elif turning < -180.0:
            turning += 360.0
        low = 450.0 + min(before, before + turning)  # + 90, and + 360 to keep it positive
        high = 450.0 + max(before, before + turning)
        before = after
        k_first, k_last = int(low) + 1, int(high)
        if k_last < k_first:
            continue
        xi, yi = x[i], y[i]
        if _BETWEEN * (xi * xi + yi * yi) < radius2:
            continue
        xa, ya, xb, yb = x[i - 1], y[i - 1], x[i + 1], y[i + 1]
        index = k_first % N_ANGLES
        for _ in range(k_first, k_last + 1):
            c, s = COS[index], SIN[index]
            p = xi * c + yi * s
            p2 = p * p
            if _BETWEEN * p2 > max(best[index], floor2):
                a = xa * c + ya * s
                b = xb * c + yb * s
                bend = 1.0 - 0.5 * (a + b) / p if p2 > 0.0 else 0.0  # 1 - cos(phase step)
                if bend > 1e-12:
                    bend = min(bend, 1.0)
                    p2 += 0.25 * (b - a) ** 2 / (bend * (2.0 - bend))
                best[index] = max(best[index], p2)
            index += 1
            if index == N_ANGLES:
                index = 0


@numba.njit(nogil=True)
def _points(x, y, best):
    """Raise best by the single point (x, y) at every angle."""
    for k in range(N_ANGLES):
        p = x * COS[k] + y * SIN[k]
        best[k] = max(best[k], p * p)


@numba.njit(nogil=True, fastmath={"contract"})
def _interpolate(u, lane, lanes, row, count, divide, weights, sx, sy, px, py):
    """Points every 1/divide sample from half a sample before `row`, for `count` samples.

    Writes px, py with one more point at each end, and returns their number.
    """
    if divide == 1:
        for m in range(count + 2):
            px[m] = u[row - 1 + m, lane]
            py[m] = u[row - 1 + m, lane + lanes]
        return count + 2
    for m in range(count + 2 * HALF + 2):
        sx[m] = u[row - HALF - 1 + m, lane]
        sy[m] = u[row - HALF - 1 + m, lane + lanes]
    n = count * divide + 2
    # the first point lies divide / 2 points before sample `row`, and one more
    at, phase = HALF, divide - 1 - divide // 2
    for m in range(n):
        w = weights[divide, phase]
        vx, vy = 0.0, 0.0
        for k in range(2 * HALF):
            vx += w[k] * sx[at - HALF + 1 + k]
            vy += w[k] * sy[at - HALF + 1 + k]
        px[m], py[m] = vx, vy
        phase += 1
        if phase == divide:
            at, phase = at + 1, 0
    return n


def first_look(lowest: int) -> tuple[float, bool]:
    """Squared fraction of the largest radius to look down to, and whether that is enough.

    The component at an angle d from the largest radius R has a peak of at least R cos(d). So the
    180 (1 - q) largest values are not below R cos(90 (1 - q) + 1 degrees): 46 degrees for the
    median. Low ranks would need very many points if it were not for the second pass.
    """
    angle = 90.0 * (1.0 - lowest / N_ANGLES) + 1.0
    return math.cos(math.radians(min(angle, 60.0))) ** 2, angle <= 60.0


def ranks_and_look(
    percentiles: ArrayLike | None,
) -> tuple[int, float, bool, NDArray[np.float64]]:
    """Lowest rank, `first_look` at it, and the ranks; percentiles None stands for every angle."""
    if percentiles is None:
        return 0, *first_look(0), np.empty(0)
    ranks = check_percentiles(percentiles) / 100 * (N_ANGLES - 1)
    lowest = int(ranks.min())
    return lowest, *first_look(lowest), ranks


@numba.njit(nogil=True)
def rotated_peaks(
    u,
    first,
    last,
    lane,
    lanes,
    block_r2,
    look,
    margin,
    lowest,
    cosine2,
    enough,
    weights,
    scratch,
    best,
):
    """Squared peaks (180,) of |u_x cos + u_y sin| over rows first .. last-1 of one lane.

    u : (rows, 2 lanes), x in column `lane`, y in column lane + lanes, HALF + 2 rows of context
        on both sides of first .. last-1.
    block_r2 : (blocks, lanes) largest squared radius of each BLOCK rows from `first` on.
    look : SAMPLES, STEPS or BETWEEN.
    margin : squared ratio of a sample's radius to that of a peak less than half a sample away.
    lowest : smallest rank, of the sorted 180 values, that must be exact.
    cosine2, enough : from `first_look`.

    Values of rank `lowest` and above are exact; lower ones are lower bounds. A point of radius r
    cannot raise any value above r. So once all points of radius >= R have been seen, all values
    >= R are exact. R is a fraction of the largest radius; then the value of rank `lowest` that the
    strongest parts of the path have given, if that is more; and, if the value of rank `lowest`
    may still be below R, that value, a lower bound of the true one, in a last pass.
    """
    n_blocks = block_r2.shape[0]
    largest = 0.0
    for k in range(n_blocks):
        largest = max(largest, block_r2[k, lane])
    best[:] = 0.0
    if largest == 0.0:
        return
    px, py, sx, sy = scratch[0], scratch[1], scratch[2], scratch[3]
    radius2 = cosine2 * largest
    strong = _STRONG * largest
    for stage in range(3):  # the strong blocks, the others, and perhaps all once more
        floor2 = radius2 if enough or stage == 2 else 0.0
        limit, radius = radius2 * margin, math.sqrt(radius2)
        for k in range(n_blocks):
            r2 = block_r2[k, lane]
            if r2 < limit or (stage == 0 and r2 < strong) or (stage == 1 and r2 >= strong):
                continue
            row = first + k * BLOCK
            end = min(row + BLOCK, last)
            while row < end:
                begin, divide = row, 1
                while row < end:
                    x, y = u[row, lane], u[row, lane + lanes]
                    r2 = x * x + y * y
                    if r2 < limit:
                        break
                    xa, ya = u[row - 1, lane], u[row - 1, lane + lanes]
                    xb, yb = u[row + 1, lane], u[row + 1, lane + lanes]
                    if r2 < radius2:  # can half a step along the path lead beyond the radius?
                        step2 = (xb - xa) ** 2 + (yb - ya) ** 2
                        if math.sqrt(r2) + _REACH * math.sqrt(step2) < radius:
                            break
                    bend2 = (xa - 2.0 * x + xb) ** 2 + (ya - 2.0 * y + yb) ** 2
                    if look == BETWEEN and bend2 > _BEND_TWO * r2:
                        divide = max(divide, 2 if bend2 < _BEND_FOUR * r2 else 4)
                    row += 1
                if row == begin:  # below the limit
                    row += 1
                    continue
                if look == SAMPLES:
                    for r in range(begin, row):
                        _points(u[r, lane], u[r, lane + lanes], best)
                    continue
                # one sample more on both sides, as the next piece may be divided differently;
                # the ends of the window are no extrema and come below
                begin, count = max(begin - 1, first + 1), min(row + 1, last - 1)
                count -= begin
                if count <= 0:
                    continue
                n = _interpolate(u, lane, lanes, begin, count, divide, weights, sx, sy, px, py)
                _walk(px, py, n, radius2, floor2, best)
        for r in (first, last - 1):
            if u[r, lane] ** 2 + u[r, lane + lanes] ** 2 >= floor2:
                _points(u[r, lane], u[r, lane + lanes], best)
        if stage == 2 or (stage == 1 and enough):
            return
        value = kth_smallest(best, lowest, scratch[4])
        if stage == 0:
            radius2 = max(radius2, value)
        elif value >= radius2:
            return
        else:
            radius2 = value


@numba.njit(nogil=True)
def kth_smallest(values, k, scratch):
    """The value of rank k (0 the smallest); Hoare's selection in scratch."""
    n = values.size
    for i in range(n):
        scratch[i] = values[i]
    low, high = 0, n - 1
    while low < high:
        pivot = scratch[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while scratch[i] < pivot:
                i += 1
            while scratch[j] > pivot:
                j -= 1
            if i <= j:
                scratch[i], scratch[j] = scratch[j], scratch[i]
                i += 1
                j -= 1
        if k <= j:
            high = j
        elif k >= i:
            low = i
        else:
            break
    return scratch[k]


@numba.njit(nogil=True)
def percentile_of_squares(squares, rank, scratch):
    """numpy's linear percentile of the square roots; rank = percentile / 100 * (size - 1)."""
    low = min(int(rank), squares.size - 1)
    value = math.sqrt(kth_smallest(squares, low, scratch))
    if rank == low or low == squares.size - 1:
        return value
    above = np.inf  # the next in order stands right of position `low`
    for i in range(low + 1, squares.size):
        above = min(above, scratch[i])
    return value + (rank - low) * (math.sqrt(above) - value)


@numba.njit(nogil=True)
def store_peaks(best, ranks, scale, scratch, out):
    """Percentiles of the peaks, times scale, into out (n_ranks,); without ranks all angles."""
    if ranks.size == 0:
        for k in range(best.size):
            out[k] = math.sqrt(best[k]) * scale
    for r in range(ranks.size):
        out[r] = percentile_of_squares(best, ranks[r], scratch) * scale
