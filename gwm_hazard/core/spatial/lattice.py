"""Standard normals that are correlated in space: keyed white noise on lattices and kernels.

A field whose correlation is exp(-(h/c)^2) is white noise folded with exp(-2 (r/c)^2). The white
noise sits on a lattice with nodes 0.4 c apart and is keyed by (seed, event, realization, stream,
node), and the kernel is cut at 1.5 c: a value needs some 45 nodes around its site and nothing
else, so it is a function of the key and of the coordinates of the site alone. Divided by the root
of the sum of its squared weights it is exactly N(0, 1) at every site. Other correlations are
mixtures of such fields (:mod:`gwm_hazard.core.spatial.tuning`).

The lattice covers the globe without a seam: rows of equal latitude, each with a whole number of
equidistant nodes. Distances are chords, shorter than arcs by 0.01 % at 300 km.
"""

from __future__ import annotations

import numba as nb
import numpy as np
from numpy.typing import ArrayLike, NDArray

from gwm_hazard.core.philox import box_muller, philox

EARTH_RADIUS_KM = 6371.0

#: Correlation lengths c of the fields that others are mixed of, km: the first decorrelates sites
#: next to each other (a nugget), the last reaches as far as published models do.
LENGTHS_KM = np.array([0.1, 0.3, 0.7, 1.5, 3.2, 6.7, 14.0, 30.0, 63.0, 132.0, 280.0])

_SPACING, _CUT = 0.4, 1.5
#: In place of a site, for what belongs to the event: as for numbers that all sites share. Their
#: second word of the counter is 0, that of a node is not.
_EVENT_LEVEL = np.uint32(0xFFFFFFFF)
_NODES = 8
_LOW, _HIGH = np.uint64(0xFFFFFFFF), np.uint64(32)


@nb.njit(parallel=True, cache=True)
def fill_fields(  # type: ignore[no-untyped-def]
    seed, event, realization, stream, lon, lat, number, lengths_km, out
):
    """Lattice fields into out (n, n_lengths, size), float32: standard normals.

    Parameters
    ----------
    seed, event : uint64; event (n,)
    realization : (n,) uint32
    stream : uint32
    lon, lat : (n,), degrees
    number : (n_lengths,) uint32, tells the white noise of one length from that of another
    lengths_km : (n_lengths,), km
    """
    n, _, size = out.shape
    blocks = (size + 3) // 4
    parts = min(n, 64)
    for part in nb.prange(parts):
        lanes = _NODES * blocks
        counter, key = np.empty((4, lanes), np.uint32), np.empty((4, 1), np.uint32)
        work, made = np.empty((3, lanes)), np.empty((4, lanes), np.float32)
        field, weight = np.empty(size), np.empty(_NODES)
        for i in range(part * n // parts, (part + 1) * n // parts):
            key[0], key[1] = np.uint32(event[i] & _LOW), np.uint32(event[i] >> _HIGH)
            key[2], key[3] = _EVENT_LEVEL, realization[i]
            philox(
                key[0], key[1], key[2], key[3],
                np.uint32(seed & _LOW), np.uint32(seed >> _HIGH), 1,
            )  # fmt: skip
            x, y = np.radians(lon[i]), np.radians(lat[i])
            for k in range(len(lengths_km)):
                c = lengths_km[k] / EARTH_RADIUS_KM
                rows = int(np.ceil(np.pi / (_SPACING * c)))
                step = np.pi / rows
                first = max(int(np.ceil((y - _CUT * c + 0.5 * np.pi) / step - 0.5)), 0)
                last = min(int(np.floor((y + _CUT * c + 0.5 * np.pi) / step - 0.5)), rows - 1)
                field[:] = 0.0
                squares = 0.0
                for row in range(first, last + 1):
                    at = (row + 0.5) * step - 0.5 * np.pi
                    # chord^2 = 4 R^2 (sin^2(dy / 2) + cos y cos at sin^2(dx / 2))
                    across = np.sin(0.5 * (y - at)) ** 2
                    shrink = np.cos(y) * np.cos(at)
                    room = (0.5 * _CUT * c) ** 2 - across
                    if room < 0.0:
                        continue
                    columns = max(int(np.ceil(2.0 * np.pi * np.cos(at) / (_SPACING * c))), 1)
                    wide = 2.0 * np.pi / columns
                    start, count = 0, columns
                    if room < shrink:
                        reach = 2.0 * np.arcsin(np.sqrt(room / shrink))
                        start = int(np.ceil((x - reach + np.pi) / wide - 0.5))
                        stop = int(np.floor((x + reach + np.pi) / wide - 0.5))
                        count = min(stop - start + 1, columns)
                    for begin in range(0, count, _NODES):
                        nodes = min(_NODES, count - begin)
                        for j in range(nodes):
                            column = start + begin + j
                            dx = x - ((column + 0.5) * wide - np.pi)
                            r2 = 4.0 * (across + shrink * np.sin(0.5 * dx) ** 2)
                            weight[j] = np.exp(-2.0 * r2 / c**2)
                            squares += weight[j] ** 2
                            node = np.uint32(column % columns)
                            for b in range(blocks):
                                lane = j * blocks + b
                                counter[0, lane] = np.uint32(b + number[k] * 1048576)
                                counter[1, lane] = np.uint32(row + 1)
                                counter[2, lane] = np.uint32(key[2, 0] ^ stream)
                                counter[3, lane] = np.uint32(key[3, 0] ^ node)
                        used = nodes * blocks
                        philox(
                            counter[0], counter[1], counter[2], counter[3],
                            key[0, 0], key[1, 0], used,
                        )  # fmt: skip
                        box_muller(counter[0], counter[1], made[0], made[1], work, used)
                        box_muller(counter[2], counter[3], made[2], made[3], work, used)
                        for j in range(nodes):
                            for b in range(blocks):
                                for q in range(min(4, size - 4 * b)):
                                    field[4 * b + q] += weight[j] * made[q, j * blocks + b]
                norm = 1.0 / np.sqrt(squares)
                for s in range(size):
                    out[i, k, s] = norm * field[s]


def distance_km(
    lon: ArrayLike, lat: ArrayLike, other_lon: ArrayLike, other_lat: ArrayLike
) -> NDArray[np.float64]:
    """Chords between sites (n,) and other sites (m,), degrees: (n, m), km."""
    x, y, u, v = (
        np.radians(np.asarray(a, dtype=np.float64)) for a in (lon, lat, other_lon, other_lat)
    )
    square = np.sin((y[:, None] - v) / 2) ** 2
    square += np.cos(y)[:, None] * np.cos(v) * np.sin((x[:, None] - u) / 2) ** 2
    chord: NDArray[np.float64] = 2.0 * EARTH_RADIUS_KM * np.sqrt(square)
    return chord
