"""Residuals by magnitude and distance, the four ground-motion models beside."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

Array = NDArray[np.float64]

SHOWN = ("PGA", "PGV", "SA(0.3)", "SA(1.0)", "SA(3.0)")
MAG_BINS = np.array([4.0, 4.5, 5.0, 5.5, 6.0, 6.5, 7.0, 8.0])
KM_BINS = np.array([1.0, 10.0, 20.0, 40.0, 70.0, 120.0, 200.0, 300.0])
COLOURS = ("#12355b", "#d1603d", "#4f9d69", "#8e6c8a", "#c9a227")
MARKERS = ("o", "s", "^", "D", "v")
LEAST_ROWS = 5


def mean_and_error(residual: Array, event: NDArray[np.int64]) -> tuple[float, float]:
    """Mean of rows and its standard error, of which the rows of an event share a part.

    That of clusters: the sum of squares of the events' sums of what is left.
    """
    mean = residual.mean()
    sums = np.bincount(event, weights=residual - mean)
    return float(mean), float(np.sqrt((sums**2).sum()) / len(residual))


def residuals(
    path: Path,
    mag: Array,
    rrup: Array,
    event: NDArray[np.int64],
    by_model: dict[str, Array],
    imts: tuple[str, ...],
    title: str,
) -> None:
    """Means of ln (observed / model) in bins with two standard errors, and all rows.

    by_model : residuals (n, m) of the measures ``imts``; the first model's rows are drawn
    """
    figure = Figure(figsize=(11.0, 13.5), layout="constrained")
    axes = figure.subplots(len(SHOWN), 2, sharey=True, sharex="col")
    handles = []
    for row, imt in zip(axes, SHOWN, strict=True):
        j = imts.index(imt)
        for axis, x, bins in ((row[0], mag, MAG_BINS), (row[1], np.log10(rrup), np.log10(KM_BINS))):
            first = next(iter(by_model.values()))[:, j]
            axis.plot(x, first, ".", color="0.82", ms=2.5, mew=0, zorder=0, rasterized=True)
            handles = []
            for k, (name, values) in enumerate(by_model.items()):
                found = []
                for low, high in pairwise(bins):
                    here = (x >= low) & (x < high) & np.isfinite(values[:, j])
                    if here.sum() >= LEAST_ROWS:
                        # beside one another, the first in the middle
                        beside = (0.0, -0.2, -0.1, 0.1, 0.2)[k] * (high - low)
                        mean, error = mean_and_error(values[here, j], event[here])
                        found.append((0.5 * (low + high) + beside, mean, 2.0 * error))
                at, mean, error = np.array(found).T
                line = axis.errorbar(
                    at, mean, error, fmt=MARKERS[k] + ("-" if k == 0 else ""),
                    ms=7 if k == 0 else 4.5, lw=2.2 if k == 0 else 1.0,
                    color=COLOURS[k], label=name, zorder=9 - k,
                )  # fmt: skip
                handles.append(line)
            axis.axhline(0.0, color="k", lw=0.9)
            axis.set_ylim(-1.2, 1.2)
            axis.grid(alpha=0.25)
            axis.spines[["top", "right"]].set_visible(False)
            for edge in bins[1:-1]:
                axis.axvline(edge, color="0.9", lw=0.6, zorder=-1)
        row[0].set_ylabel(f"{imt}\nln (observed / model)")
    axes[-1][0].set_xlabel("moment magnitude")
    axes[-1][1].set_xlabel("rupture distance, km")
    axes[-1][1].set_xlim(np.log10(KM_BINS[[0, -1]]))
    ticks = np.array([1, 2, 5, 10, 20, 50, 100, 200, 300])
    axes[-1][1].set_xticks(np.log10(ticks), [str(t) for t in ticks])
    axes[-1][0].set_xlim(MAG_BINS[[0, -1]])
    figure.legend(handles=handles, loc="outside lower center", ncol=len(handles), frameon=False)
    figure.suptitle(title, fontsize=11)
    figure.savefig(path, dpi=130)
