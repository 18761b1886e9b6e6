"""Interpolation on a rectilinear grid: local, so that a node moves its neighbours only."""

from __future__ import annotations

import numba as nb
import numpy as np


@nb.njit(cache=True, nogil=True)
def linear_weights(nodes, x):  # type: ignore[no-untyped-def]
    """First node (n,) and weights (n, 4) of piecewise-linear interpolation; the last two are 0.

    nodes (k,) increasing, x (n,) between its ends.
    """
    first = np.empty(len(x), np.int64)
    weights = np.zeros((len(x), 4))
    for i in range(len(x)):
        low = min(max(np.searchsorted(nodes, x[i], side="right") - 1, 0), len(nodes) - 2)
        u = (x[i] - nodes[low]) / (nodes[low + 1] - nodes[low])
        first[i] = low
        weights[i, 0] = 1.0 - u
        weights[i, 1] = u
    return first, weights


@nb.njit(cache=True, nogil=True)
def cubic_weights(nodes, x):  # type: ignore[no-untyped-def]
    """First node (n,) and weights (n, 4) of cubic Hermite interpolation on uneven nodes.

    nodes (k,) increasing, x (n,) between its ends. Slopes are those of the parabola through a
    node and its neighbours (one-sided at the ends), so that quadratics are reproduced exactly
    and the first derivative is continuous. Fewer than 4 nodes: linear.
    """
    k = len(nodes)
    if k < 4:
        return linear_weights(nodes, x)
    first = np.empty(len(x), np.int64)
    weights = np.zeros((len(x), 4))
    for i in range(len(x)):
        low = min(max(np.searchsorted(nodes, x[i], side="right") - 1, 0), k - 2)
        width = nodes[low + 1] - nodes[low]
        u = (x[i] - nodes[low]) / width
        start = min(max(low - 1, 0), k - 4)
        first[i] = start
        for side in range(2):
            # Hermite basis of this end of the interval: of its value and of its slope.
            if side == 0:
                value, slope = (1 + 2 * u) * (1 - u) ** 2, u * (1 - u) ** 2 * width
            else:
                value, slope = u**2 * (3 - 2 * u), u**2 * (u - 1) * width
            node = low + side
            weights[i, node - start] += value
            # Parabola through three neighbours, differentiated at ``node``.
            left = min(max(node - 1, 0), k - 3)
            for j in range(3):
                here = nodes[left + j]
                a, b = nodes[left + (j + 1) % 3], nodes[left + (j + 2) % 3]
                derivative = (2 * nodes[node] - a - b) / ((here - a) * (here - b))
                weights[i, left + j - start] += slope * derivative
    return first, weights


#: Columns that :func:`tensor_product` sums at once.
COLUMNS = 4


@nb.njit(cache=True, nogil=True)
def tensor_product(first, weights, strides, values, out):  # type: ignore[no-untyped-def]
    """Sum of weights over the 4**d nodes around each point.

    first (n, d) int64: first node on each axis; weights (n, d, 4); strides (d,) int64 in rows
    of values (n_nodes, n_columns); out (n, n_columns), overwritten. The columns are a multiple of
    :data:`COLUMNS`, whose sums then stay in registers.
    """
    n, d = first.shape
    row = np.empty(4**d, np.int64)
    weight = np.empty(4**d)
    used = np.empty(4, np.int64)
    for i in range(n):
        # The nodes with a weight: those of the axes so far, for each on the next axis.
        row[0], weight[0], m = 0, 1.0, 1
        for axis in range(d):
            count = 0
            for k in range(4):
                if weights[i, axis, k] != 0.0:
                    used[count] = k
                    count += 1
            for block in range(count - 1, -1, -1):  # the first is what the others come from
                k = used[block]
                step = (first[i, axis] + k) * strides[axis]
                for j in range(m):
                    row[block * m + j] = row[j] + step
                    weight[block * m + j] = weight[j] * weights[i, axis, k]
            m *= count
        for c in range(0, values.shape[1], 4):
            a0 = a1 = a2 = a3 = 0.0
            for j in range(m):
                w, r = weight[j], row[j]
                a0 += w * values[r, c]
                a1 += w * values[r, c + 1]
                a2 += w * values[r, c + 2]
                a3 += w * values[r, c + 3]
            out[i, c], out[i, c + 1], out[i, c + 2], out[i, c + 3] = a0, a1, a2, a3
