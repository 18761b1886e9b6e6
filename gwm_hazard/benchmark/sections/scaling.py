"""How motions scale with distance, magnitude and Vs30: medians and bands beside binned data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.benchmark.data import Comparison
from gwm_hazard.benchmark.section import Section, Skipped
from gwm_hazard.intensity import parse_imt
from gwm_hazard.report.style import (
    OBSERVED,
    OBSERVED_POINTS,
    grid_of_axes,
    hatch_sparse,
    legend_above,
)
from gwm_hazard.statistics.bins import binned, even_edges, index_of, log_edges

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KEY, TITLE = "scaling", "Scaling with distance, magnitude and Vs30"

TEXT = """\
Observed motions against distance (by magnitude), against magnitude (by distance) and against Vs30,
with what the models give for the same records: in each bin the line is the mean of the model's ln
median over the records of the bin, and the band lies one mean total standard deviation to either
side, at the records inside its range. Black marks are the mean and one standard deviation of the ln
of the observed motions. Because observed and predicted values are of the same records, both carry
the same mix of other conditions.

A good model runs through the black marks, and its band is as wide as their bars."""

MAGNITUDES = (0.0, 5.0, 6.0, 7.0, 10.0)
DISTANCES = (0.0, 30.0, 80.0, 1000.0)

#: At most so many measures have panels.
MEASURES = 4


@dataclass(frozen=True)
class _Axis:
    """What is on the horizontal axis, and by what the rows of panels differ."""

    name: str
    label: str
    x: NDArray[np.float64]
    edges: NDArray[np.float64]
    log: bool
    by: str
    groups: list[tuple[str, NDArray[np.bool_]]]


def section(data: Comparison) -> Section | Skipped:
    """Medians and bands beside binned data (Palgunadi et al. 2025, figures 8, 9, S16 to S37)."""
    found = Section(KEY, TITLE, TEXT)
    rows: list[dict[str, object]] = []
    for axis in _axes(data):
        title = f"Scaling with {axis.name}"
        found.figures[title] = _figure(data, axis, rows)
        found.captions[title] = (
            f"Columns are measures, rows {axis.by}. Points: records; black: mean and standard "
            "deviation of ln IM in bins; lines and bands: each model at the same records. Bins "
            f"with fewer than {data.settings.min_records} records are hatched."
        )
    found.tables["Binned observations and models"] = pd.DataFrame(rows).set_index(
        ["axis", "group", "measure", "bin", "model"]
    )
    return found


def _axes(data: Comparison) -> list[_Axis]:
    mag = data.conditions["mag"].to_numpy(np.float64)
    vs30 = data.conditions["vs30"].to_numpy(np.float64)
    r = data.distance_km
    known = np.isfinite(data.observed).any(axis=1)
    known &= np.any([p.inside for p in data.predictions], axis=0)
    min_records = data.settings.min_records
    by_mag = _groups(mag, MAGNITUDES, "M", known, min_records)
    by_distance = _groups(r, DISTANCES, "km", known, min_records)
    step = 0.25 if np.ptp(mag[known]) > 1.0 else 0.1
    out = [_Axis("distance", "distance, km", r, log_edges(r[known], 12), True, "magnitude", by_mag)]
    if data.several_magnitudes:
        edges = even_edges(mag[known], step)
        out.append(_Axis("magnitude", "magnitude", mag, edges, False, "distance", by_distance))
    if np.isfinite(vs30[known]).sum() >= min_records:
        edges = log_edges(vs30[known], 10)
        out.append(_Axis("Vs30", "Vs30, m/s", vs30, edges, True, "distance", by_distance))
    return out


def _groups(
    values: NDArray[np.float64],
    edges: tuple[float, ...],
    unit: str,
    known: NDArray[np.bool_],
    min_records: int,
) -> list[tuple[str, NDArray[np.bool_]]]:
    index = index_of(values, np.array(edges))
    out = []
    for k in range(len(edges) - 1):
        mine = known & (index == k)
        if mine.sum() < min_records:
            continue
        low, high = edges[k], edges[k + 1]
        if unit == "M":
            name = f"M < {high:g}" if k == 0 else f"M {low:g} to {high:g}"
            name = f"M ≥ {low:g}" if k == len(edges) - 2 else name
        else:
            name = f"< {high:g} km" if k == 0 else f"{low:g} to {high:g} km"
            name = f"≥ {low:g} km" if k == len(edges) - 2 else name
        out.append((name, mine))
    return out or [("all", known)]


def _figure(data: Comparison, axis: _Axis, rows: list[dict[str, object]]) -> Figure:
    imts = _measures(data)
    n = len(imts) * len(axis.groups)
    figure, axes = grid_of_axes(n, len(imts), 2.9, 2.3, sharex=True, sharey="col")
    for index, ax in enumerate(axes):
        group, mine = axis.groups[index // len(imts)]
        imt = imts[index % len(imts)]
        column = data.column(imt)
        observed = np.where(mine, data.observed[:, column], np.nan)
        b = binned(axis.x, observed, axis.edges)
        rows += _rows(axis.name, group, imt, "observed", b.middle, b.count, b.mean, b.sd)
        hatch_sparse(ax, axis.edges, b.count, data.settings.min_records)
        ax.plot(axis.x[mine], np.exp(observed[mine]), ".", ms=1.2, color=OBSERVED_POINTS,
                alpha=0.3, rasterized=True, zorder=1)  # fmt: skip
        for p in data.predictions:
            same = np.where(np.isfinite(observed), p.mean[:, column], np.nan)
            if not np.isfinite(same).any():
                continue
            m = binned(axis.x, same, axis.edges)
            s = binned(axis.x, np.where(np.isfinite(same), p.sigma[:, column], np.nan), axis.edges)
            rows += _rows(axis.name, group, imt, p.name, m.middle, m.count, m.mean, s.mean)
            held = m.count > 0
            colour, x = data.colour(p.name), m.middle[held]
            centre, width = m.mean[held], s.mean[held]
            ax.fill_between(x, np.exp(centre - width), np.exp(centre + width), color=colour,
                            alpha=0.13, lw=0, zorder=2)  # fmt: skip
            ax.plot(x, np.exp(centre), data.line(p.name), color=colour, lw=1.5, label=p.name,
                    zorder=4)  # fmt: skip
        held = b.count > 1
        bars = [np.exp(b.mean) - np.exp(b.mean - b.sd), np.exp(b.mean + b.sd) - np.exp(b.mean)]
        ax.errorbar(b.middle[held], np.exp(b.mean[held]), [e[held] for e in bars], fmt="o",
                    ms=3, lw=0.9, color=OBSERVED, label="observed", zorder=5)  # fmt: skip
        ax.set_yscale("log")
        if axis.log:
            ax.set_xscale("log")
        unit = parse_imt(imt).measure.unit
        if index < len(imts):
            ax.set_title(f"{imt}, {unit}")
        if index % len(imts) == 0:
            ax.set_ylabel(group)
        if index >= n - len(imts):
            ax.set_xlabel(axis.label)
    legend_above(figure, axes[0], 6)
    return figure


def _measures(data: Comparison) -> list[str]:
    preferred = [i for i in ("PGA", "SA(0.3)", "SA(1.0)", "SA(3.0)") if i in data.imts]
    others = [i for i in data.shown if i not in preferred]
    return (preferred + others)[:MEASURES]


def _rows(
    axis: str,
    group: str,
    imt: str,
    model: str,
    middle: NDArray[np.float64],
    count: NDArray[np.int64],
    mean: NDArray[np.float64],
    sd: NDArray[np.float64],
) -> list[dict[str, object]]:
    return [
        {
            "axis": axis, "group": group, "measure": imt, "bin": float(middle[k]), "model": model,
            "records": int(count[k]), "median": float(np.exp(mean[k])), "sd, ln": float(sd[k]),
        }
        for k in np.flatnonzero(count)
    ]  # fmt: skip
