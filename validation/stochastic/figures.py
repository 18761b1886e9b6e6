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
COLOURS = ("#1f3b73", "#d1603d", "#5b8c5a", "#b08ea2", "#c9a227")


def residuals(
    path: Path, mag: Array, rrup: Array, by_model: dict[str, Array], imts: tuple[str, ...]
) -> None:
    """Means of ln (observed / model) in bins with twice their standard errors, and all points.

    by_model : residuals (n, m) of the measures ``imts``; the first model's points are drawn
    """
    figure = Figure(figsize=(11.0, 13.0), layout="constrained")
    axes = figure.subplots(len(SHOWN), 2, sharey=True)
    for row, imt in zip(axes, SHOWN, strict=True):
        j = imts.index(imt)
        for axis, x, bins in ((row[0], mag, MAG_BINS), (row[1], rrup, KM_BINS)):
            first = next(iter(by_model.values()))[:, j]
            axis.plot(x, first, ".", color="0.8", ms=2, zorder=0)
            for k, (name, values) in enumerate(by_model.items()):
                centre, mean, error = [], [], []
                for low, high in pairwise(bins):
                    r = values[(x >= low) & (x < high), j]
                    r = r[np.isfinite(r)]
                    if len(r) >= 5:
                        middle = np.sqrt(low * high) if axis is row[1] else 0.5 * (low + high)
                        shift = (k - 2) * 0.02
                        centre.append(
                            middle * (1 + 2 * shift) if axis is row[1] else middle + shift
                        )
                        mean.append(r.mean())
                        error.append(2 * r.std() / np.sqrt(len(r)))
                axis.errorbar(
                    centre, mean, error, fmt="o-" if k == 0 else "s", ms=5 if k == 0 else 3.5,
                    lw=2 if k == 0 else 1, color=COLOURS[k], label=name, zorder=9 - k,
                )  # fmt: skip
            axis.axhline(0.0, color="k", lw=0.8)
            axis.set_ylim(-1.5, 1.5)
            axis.grid(alpha=0.3)
        row[1].set_xscale("log")
        row[0].set_ylabel(f"ln (observed / model), {imt}")
    axes[-1][0].set_xlabel("magnitude")
    axes[-1][1].set_xlabel("rupture distance, km")
    axes[0][0].legend(fontsize=7, ncol=2)
    figure.savefig(path, dpi=110)
