"""The disaggregation of a target by magnitude, distance and epsilon, and the scenarios drawn."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.report.style import RC
from gwm_hazard.suite.motions import epsilon, ruptures_of
from gwm_hazard.suite.page.figures import CHOSEN
from gwm_hazard.suite.study import Study, Suite

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

#: The distance that is shown: the first that the ruptures have.
DISTANCES = {
    "rrup": "rupture distance", "rhypo": "hypocentral distance",
    "rjb": "Joyner-Boore distance", "repi": "epicentral distance",
}  # fmt: skip

#: Inner edges of the bins of epsilon, and their colours.
EPSILONS = (-1.0, 0.0, 1.0, 2.0)
COLOURS = ("#2166ac", "#92c5de", "#e6e6e6", "#f4a582", "#b2182b")

#: Share of the target at each end of magnitude and of distance that is not shown.
TRIMMED = 0.005

#: Groups of epsilon with a smaller share, %, are too thin to see.
LEAST = 0.05

_STEPS = (0.1, 0.2, 0.25, 0.5, 1, 2, 2.5, 5, 10, 20, 25, 50, 100)


def distance_of(study: Study) -> str:
    """Name of the distance that is shown; "" where the ruptures have none."""
    return next((d for d in DISTANCES if d in study.contributions.ruptures), "")


def disaggregation(study: Study, suite: Suite) -> Figure | None:
    """Shares of the target in bins, by epsilon, and the motions; None without magnitudes."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    c, distance = study.contributions, distance_of(study)
    if "mag" not in c.ruptures or not distance:
        return None
    weight, imt = suite.target.weight, suite.target.conditioning
    mag, dist = c.ruptures["mag"][c.rupture], c.ruptures[distance][c.rupture]
    eps = c.epsilon(imt, suite.target.level) if imt else None
    drawn = ruptures_of(study, suite)
    drawn_mag, drawn_dist = c.ruptures["mag"][drawn], c.ruptures[distance][drawn]
    mag_edges = bins(mag, weight, drawn_mag)
    dist_edges = bins(dist, weight, drawn_dist)
    with mpl.rc_context(RC):
        figure = Figure(figsize=(9.6, 5.8), layout="constrained")
        shown = ["mag", "dist", "eps"] if eps is not None else ["mag", "dist"]
        plan = figure.add_gridspec(len(shown), 2, width_ratios=[1.35, 1.0])
        axes = {name: figure.add_subplot(plan[k, 1]) for k, name in enumerate(shown)}
        axes["map"] = figure.add_subplot(plan[:, 0])
        _map(figure, axes["map"], mag, dist, weight, mag_edges, dist_edges, distance)
        places, count = np.unique([drawn_dist, drawn_mag], axis=1, return_counts=True)
        axes["map"].scatter(
            places[0],
            places[1],
            s=8 + 16 * count * min(1.0, 20 / len(suite)),
            facecolors=CHOSEN,
            edgecolors="white",
            linewidths=0.8,
            alpha=0.85,
            zorder=3,
            label=f"the {len(suite)} motions, area by number",
        )
        figure.legend(*axes["map"].get_legend_handles_labels(), loc="outside upper left",
                      frameon=False, fontsize=8)  # fmt: skip
        _bars(axes["mag"], mag, weight, eps, mag_edges, drawn_mag)
        axes["mag"].set_xlabel("magnitude")
        _bars(axes["dist"], dist, weight, eps, dist_edges, drawn_dist)
        axes["dist"].set_xlabel(f"{DISTANCES[distance]} (km)")
        if eps is not None:
            own = epsilon(study, suite)
            edges = bins(eps, weight, own)
            _bars(axes["eps"], eps, weight, eps, edges, own)
            axes["eps"].set_xlabel(f"epsilon of {imt}")
            handles, labels = axes["mag"].get_legend_handles_labels()
            figure.legend(handles, labels, loc="outside upper right", ncols=4, frameon=False,
                          fontsize=8)  # fmt: skip
        else:
            axes["mag"].legend(fontsize=8)
    return figure


def bins(values: Array, weight: Array, drawn: Array, most: int = 16) -> Array:
    """Edges at round numbers, over what is drawn and all of the weight but `TRIMMED`."""
    order = np.argsort(values)
    total = np.cumsum(weight[order])
    low = values[order][np.searchsorted(total, TRIMMED * total[-1])]
    high = values[order][np.searchsorted(total, (1.0 - TRIMMED) * total[-1])]
    low, high = min(low, drawn.min()), max(high, drawn.max())
    step = next((s for s in _STEPS if (high - low) / s <= most - 2), _STEPS[-1])
    first = np.floor(round(low / step, 9))
    # rounded, so that 5.6 is not below an edge of 5.6000000000000005
    return np.round(step * np.arange(first, max(np.floor(high / step), first) + 2), 9)


def _map(
    figure: Figure, ax: Axes, mag: Array, dist: Array, weight: Array, mags: Array, dists: Array,
    distance: str,
) -> None:  # fmt: skip
    """Magnitude against distance, a tint by the share of the target."""
    from matplotlib.colors import PowerNorm

    share, _, _ = np.histogram2d(dist, mag, bins=(dists, mags), weights=100 * weight)
    share[share <= 0] = np.nan
    image = ax.pcolormesh(dists, mags, share.T, cmap="YlGnBu", edgecolors="white", linewidth=0.4,
                          norm=PowerNorm(0.5, vmin=0))  # fmt: skip
    bar = figure.colorbar(image, ax=ax, location="bottom", label="share of the target (%)",
                          shrink=0.8, aspect=30)  # fmt: skip
    most = np.nanmax(share)
    marks = [0.0, *(m for m in (0.1, 0.5, 2, 5, 10, 20, 40, 70) if most / 50 <= m <= most)]
    bar.set_ticks(marks, labels=[f"{m:g}" for m in marks])
    ax.set_xlabel(f"{DISTANCES[distance]} (km)")
    ax.set_ylabel("magnitude")
    ax.grid(False)


def _bars(
    ax: Axes, values: Array, weight: Array, eps: Array | None, edges: Array, drawn: Array
) -> None:
    """Shares of the target in bins, stacked by epsilon; the suite's as an outline."""
    centre, width = 0.5 * (edges[1:] + edges[:-1]), 0.94 * np.diff(edges)
    groups = np.zeros(len(values), dtype=int) if eps is None else np.digitize(eps, EPSILONS)
    names = _epsilon_names() if eps is not None else ["target"]
    colours = COLOURS if eps is not None else ("#92c5de",)
    base = np.zeros(len(centre))
    for k, (name, colour) in enumerate(zip(names, colours, strict=True)):
        mine = groups == k
        if 100 * weight[mine].sum() < LEAST:
            continue
        height, _ = np.histogram(values[mine], edges,
                                 weights=100 * weight[mine])  # fmt: skip
        ax.bar(centre, height, width, bottom=base, color=colour, edgecolor="0.4", linewidth=0.3,
               label=name)  # fmt: skip
        base += height
    own, _ = np.histogram(drawn, edges)
    ax.stairs(100 * own / len(drawn), edges, color="black", lw=1.4, label="suite")
    ax.set_ylabel("share (%)")
    ax.grid(axis="x", visible=False)


def _epsilon_names() -> list[str]:
    low, high = EPSILONS[0], EPSILONS[-1]
    between = [f"{a:g} to {b:g}" for a, b in pairwise(EPSILONS)]
    return [f"ε below {low:g}".replace("-", "−"),
            *(f"ε {b}".replace("-", "−") for b in between), f"ε above {high:g}"]  # fmt: skip
