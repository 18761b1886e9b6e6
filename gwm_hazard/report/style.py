"""How figures look: observations black or grey, a colour of Okabe and Ito a model, everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Figure

#: Okabe and Ito (2008): told apart by readers with any colour vision. Black is the observations'.
OKABE_ITO = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999933")
OBSERVED = "black"
OBSERVED_POINTS = "0.55"

#: Line styles by kind: a generative model is drawn through, a ground-motion model dashed.
LINES = {"gwm": "-", "gmm": "--"}
MARKERS = "osD^vPX"

FIGURE_FORMATS = ("png", "pdf")

#: Dots an inch of figures as pictures; also of what is drawn as a picture within pdf.
DPI = 150

#: Of matplotlib, when figures are made and when they are written.
RC: dict[Any, Any] = {
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.grid": True,
    "grid.color": "0.88",
    "grid.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "pdf.fonttype": 42,
    "hatch.linewidth": 0.6,
    "hatch.color": "0.6",
}


def colour(index: int) -> str:
    """Colour of the index-th prediction."""
    return OKABE_ITO[index % len(OKABE_ITO)]


def grid_of_axes(
    n: int, columns: int = 3, width: float = 3.4, height: float = 2.7, **kwargs: Any
) -> tuple[Figure, list[Axes]]:
    """A figure with ``n`` axes in even rows of at most ``columns``, in the style of the page."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    columns = _even(n, columns)
    rows = -(-n // columns)
    with mpl.rc_context(RC):
        figure = Figure(figsize=(width * columns, height * rows + 0.5), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False, **kwargs)
    flat = list(axes.ravel())
    for unused in flat[n:]:
        unused.remove()
    return figure, flat[:n]


def _even(n: int, columns: int) -> int:
    """Columns of as few rows, filled as evenly as can be: 4 in two rows of 2, not of 3 and 1."""
    return -(-n // -(-n // columns))


def label_outer(
    axes: list[Axes], x: str | None = None, y: str | None = None, columns: int = 3
) -> None:
    """Labels below the lowest and beside the first axes of a grid of :func:`grid_of_axes`."""
    n = len(axes)
    columns = _even(n, columns)
    for k, ax in enumerate(axes):
        if x is not None and k + columns >= n:
            ax.set_xlabel(x)
            ax.tick_params(labelbottom=True)
        if y is not None and k % columns == 0:
            ax.set_ylabel(y)


def legend_above(figure: Figure, axes: Axes, columns: int = 4) -> None:
    """One legend for all axes, above them."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=min(columns, len(labels)),
                  frameon=False, fontsize=8.5)  # fmt: skip


def hatch_sparse(
    axes: Axes, edges: NDArray[np.float64], counts: NDArray[np.int64], min_records: int
) -> None:
    """Hatch the bins along x that hold fewer than ``min_records`` records."""
    for low, high, n in zip(edges[:-1], edges[1:], counts, strict=True):
        if n < min_records:
            axes.axvspan(low, high, facecolor="none", edgecolor="0.75", hatch="///", lw=0, zorder=0)


def write_figure(figure: Figure, paths: Mapping[str, Path]) -> None:
    """Write a figure in each format, {format: path}; the same bytes from run to run."""
    import matplotlib as mpl

    with mpl.rc_context(RC):
        for kind, path in paths.items():
            undated = {"CreationDate": None} if kind == "pdf" else {}
            figure.savefig(path, dpi=DPI, format=kind, metadata=undated)
            figure.set_layout_engine("none")  # laid out once, the same in all formats
