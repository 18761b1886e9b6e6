"""Interpolation on a rectilinear grid: local, so that a node moves its neighbours only."""

from __future__ import annotations

import numba as nb
import numpy as np
from numpy.typing import NDArray


def linear_weights(
    nodes: NDArray[np.float64], x: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """First node and weights (n, 4) of piecewise-linear interpolation; the last two are 0."""
    low = np.clip(np.searchsorted(nodes, x, side="right") - 1, 0, len(nodes) - 2)
    u = (x - nodes[low]) / (nodes[low + 1] - nodes[low])
    zero = np.zeros_like(u)
    return low, np.stack([1.0 - u, u, zero, zero], axis=1)


def cubic_weights(
    nodes: NDArray[np.float64], x: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """First node and weights (n, 4) of cubic Hermite interpolation on uneven nodes.

    Slopes are those of the parabola through a node and its neighbours (one-sided at the ends),
    so that quadratics are reproduced exactly and the first derivative is continuous.
    """
    n = len(nodes)
    if n < 4:
        return linear_weights(nodes, x)
    low = np.clip(np.searchsorted(nodes, x, side="right") - 1, 0, n - 2)
    width = nodes[low + 1] - nodes[low]
    u = (x - nodes[low]) / width
    # Hermite basis: values at the two ends, slopes at the two ends.
    ends = np.stack([(1 + 2 * u) * (1 - u) ** 2, u**2 * (3 - 2 * u)], axis=1)
    slopes = np.stack([u * (1 - u) ** 2, u**2 * (u - 1)], axis=1) * width[:, None]
    first = np.clip(low - 1, 0, n - 4)
    weights = np.zeros((len(x), 4))
    rows = np.arange(len(x))
    for side in (0, 1):
        node = low + side
        weights[rows, node - first] += ends[:, side]
        # Parabola through three neighbours, differentiated at ``node``.
        start = np.clip(node - 1, 0, n - 3)
        for k in range(3):
            others = [start + j for j in range(3) if j != k]
            a, b = nodes[others[0]], nodes[others[1]]
            here = nodes[start + k]
            derivative = (2 * nodes[node] - a - b) / ((here - a) * (here - b))
            weights[rows, start + k - first] += slopes[:, side] * derivative
    return first, weights


@nb.njit(cache=True, nogil=True)
def tensor_product(first, weights, strides, values, out):  # type: ignore[no-untyped-def]
    """Sum of weights over the 4**d nodes around each point.

    first (n, d) int64: first node on each axis; weights (n, d, 4); strides (d,) int64 in rows
    of values (n_nodes, n_columns); out (n, n_columns), overwritten.
    """
    n, d = first.shape
    columns = values.shape[1]
    for i in range(n):
        for c in range(columns):
            out[i, c] = 0.0
        for corner in range(4**d):
            weight = 1.0
            row = 0
            code = corner
            for axis in range(d):
                k = code & 3
                code >>= 2
                weight *= weights[i, axis, k]
                if weight == 0.0:
                    break
                row += (first[i, axis] + k) * strides[axis]
            if weight != 0.0:
                for c in range(columns):
                    out[i, c] += weight * values[row, c]
