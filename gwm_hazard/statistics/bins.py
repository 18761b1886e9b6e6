"""Statistics by bin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.statistics.bootstrap import EventBootstrap, interval


@dataclass(frozen=True)
class Binned:
    """Statistics of values in bins along x, each (n_bins,); NaN where a bin is empty.

    ``low`` and ``high`` are the confidence interval of the mean, by bootstrap over events.
    """

    edges: NDArray[np.float64]
    count: NDArray[np.int64]
    mean: NDArray[np.float64]
    sd: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @property
    def middle(self) -> NDArray[np.float64]:
        """Middles of the bins, geometric where the edges are spaced so."""
        ratio = self.edges[1:] / np.where(self.edges[:-1] == 0, np.nan, self.edges[:-1])
        if np.all(self.edges > 0) and np.allclose(ratio, ratio[0]):
            return np.sqrt(self.edges[:-1] * self.edges[1:])
        return 0.5 * (self.edges[:-1] + self.edges[1:])


def index_of(x: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """Bin of each value, -1 outside and for NaN; the last bin holds its upper edge."""
    found = np.searchsorted(edges, x, side="right") - 1
    found = np.where(x == edges[-1], len(edges) - 2, found)
    return np.where((found >= 0) & (found < len(edges) - 1) & np.isfinite(x), found, -1)


def log_edges(x: NDArray[np.float64], bins: int) -> NDArray[np.float64]:
    """Edges of ``bins`` bins over the finite values above 0, even in the logarithm."""
    held = x[np.isfinite(x) & (x > 0)]
    low, high = (held.min(), held.max()) if held.size else (1.0, 10.0)
    if low == high:
        low, high = low / 1.1, high * 1.1
    edges = np.geomspace(low, high, bins + 1)
    edges[[0, -1]] = low, high
    return edges


def even_edges(x: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """Edges at multiples of ``step`` that hold all finite values; two at least."""
    held = x[np.isfinite(x)]
    # a rounding error must not push a value that is a multiple out of its own bin
    first = np.floor(held.min() / step + 1e-9)
    last = max(first + 1.0, np.ceil(held.max() / step - 1e-9))
    edges = step * np.arange(first, last + 0.5)
    return np.array([min(edges[0], held.min()), *edges[1:-1], max(edges[-1], held.max())])


def binned(
    x: NDArray[np.float64],
    values: NDArray[np.float64],
    edges: NDArray[np.float64],
    bootstrap: EventBootstrap | None = None,
) -> Binned:
    """Statistics of values (n,) in bins of x (n,); NaN in either is left out."""
    index = np.where(np.isfinite(values), index_of(x, edges), -1)
    inside = index >= 0
    n_bins = len(edges) - 1
    where, held = index[inside], values[inside]
    count = np.bincount(where, minlength=n_bins)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.bincount(where, held, n_bins) / count
        square = np.bincount(where, (held - mean[where]) ** 2, n_bins)
        sd = np.sqrt(square / (count - 1))
    low = high = np.full(n_bins, np.nan)
    if bootstrap is not None:
        one = np.zeros((len(x), n_bins))
        one[np.flatnonzero(inside), where] = 1.0
        filled = np.where(inside, np.nan_to_num(values), 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            means = bootstrap.sums(one * filled[:, None]) / bootstrap.sums(one)
        low, high = interval(means)
    return Binned(edges, count, mean, np.where(count > 1, sd, np.nan), low, high)
