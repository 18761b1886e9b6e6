"""A panel a bin of magnitude and distance: mean and standard deviation of curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.benchmark.comparable import Bins, binned
from gwm_hazard.report.style import OBSERVED, grid_of_axes, legend_above

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from gwm_hazard.benchmark.data import Comparison


def binned_curves(
    data: Comparison,
    x: NDArray[np.float64],
    observed: NDArray[np.floating],
    drawn: Mapping[str, NDArray[np.floating]],
    bins: Bins,
    *,
    x_label: str,
    y_label: str,
    log_x: bool = False,
    y_range: float = 8.0,
) -> Figure:
    """Curves of ln values in every bin that holds a record.

    observed : (n, len(x)) of ln; black with a grey band of one standard deviation
    drawn : {model: (n, len(x))}; coloured, standard deviation dotted
    y_range : ln units that a panel shows below its top, at most

    Bins with fewer than ``data.settings.min_records`` observed records are hatched.
    """
    counts = np.array(
        [int(np.isfinite(observed[bins.number == b]).any(axis=1).sum()) for b in range(len(bins))]
    )
    shown = np.flatnonzero(counts > 0)
    real = binned(observed, bins.number, len(bins))
    models = {name: binned(v, bins.number, len(bins)) for name, v in drawn.items()}
    figure, axes = grid_of_axes(len(shown), columns=4, width=2.9, height=2.3)
    top = figure_top(real[:, shown], [m[:, shown] for m in models.values()])
    for panel, (b, ax) in enumerate(zip(shown, axes, strict=True)):
        n, mean, deviation = real[:, b]
        ax.fill_between(x, np.exp(mean - deviation), np.exp(mean + deviation), color="0.82", lw=0,
                        label="observed ± s.d.")  # fmt: skip
        ax.plot(x, np.exp(np.where(n > 0, mean, np.nan)), color=OBSERVED, lw=1.6, label="observed")
        for name, model in models.items():
            _, mean, deviation = model[:, b]
            colour = data.colour(name)
            ax.plot(x, np.exp(mean), color=colour, lw=1.4, label=name)
            for side in (-1, 1):
                ax.plot(x, np.exp(mean + side * deviation), color=colour, lw=0.8, ls=":")
        ax.set_yscale("log")
        ax.set_ylim(np.exp(top[panel] - y_range), np.exp(top[panel] + 0.4))
        if log_x:
            ax.set_xscale("log")
        ax.set_xlim(x[0], x[-1])
        few = counts[b] < data.settings.min_records
        if few:
            ax.axvspan(x[0], x[-1], facecolor="none", edgecolor="0.75", hatch="///", lw=0, zorder=0)
        ax.set_title(
            f"{bins.label(int(b))}: {counts[b]} records" + (" (few)" if few else ""), fontsize=8
        )
        ax.set_xlabel(x_label, fontsize=8)
        ax.tick_params(labelsize=7.5)
        ax.minorticks_off()
    for ax in axes[::4]:
        ax.set_ylabel(y_label, fontsize=8)
    if axes:
        legend_above(figure, axes[0], columns=5)
    return figure


def figure_top(real: NDArray[np.float64], models: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """Largest finite mean plus one standard deviation in every panel, (n_panels,)."""
    tops = []
    for values in (real, *models):
        upper = values[1] + np.nan_to_num(values[2])
        tops.append(np.max(np.where(np.isfinite(upper), upper, -np.inf), axis=1))
    top = np.max(tops, axis=0)
    return np.where(np.isfinite(top), top, 0.0)
