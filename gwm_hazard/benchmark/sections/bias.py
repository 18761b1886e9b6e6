"""Bias of the models against distance and magnitude: log10(observed / predicted)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.benchmark.data import Comparison
from gwm_hazard.benchmark.section import Section, Skipped
from gwm_hazard.report.style import (
    OBSERVED_POINTS,
    grid_of_axes,
    hatch_sparse,
    label_outer,
    legend_above,
)
from gwm_hazard.statistics.bins import binned, even_edges, log_edges
from gwm_hazard.statistics.bootstrap import interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KEY, TITLE = "bias", "Model bias"

DISTANCE_BINS = 50
MAGNITUDE_WIDTH = 0.5
_LOG10 = np.log(10.0)

TEXT = """\
The ratio of observed to predicted motion, log10(observed / predicted), against distance and
magnitude. Zero is no bias; 0.3 means that the records are twice the prediction. In the figures a
generative model is held against one drawn waveform a record, as an observation is one draw of
nature; a GMM against its median. The lines are means of 50 bins even in log distance, the bands
their 95 % confidence intervals by bootstrap over events. Where the band holds zero, the records
do not tell a bias.

The table holds medians (exp of the mean of ln IM) of all models against the same records: bias
is the mean of log10(observed / median), its interval is by bootstrap over events, sd the standard
deviation of the residuals in log10 units."""


def section(data: Comparison) -> Section | Skipped:
    """Bias by measure, distance and magnitude (Palgunadi et al. 2025, figures of model bias)."""
    found = Section(KEY, TITLE, TEXT)
    table = _table(data, common=False)
    found.tables["Bias, each model at its own records"] = table
    if data.common.any() and len(data.predictions) > 1:
        same = _table(data, common=True)
        found.tables["Bias, records inside the range of all models"] = same
        table = same
    means = table["bias, log10"].abs().groupby(level="model", sort=False).mean()
    found.scores["bias, mean |log10|"] = {str(k): float(v) for k, v in means.items()}
    for by in ("distance", "magnitude")[: 1 + data.several_magnitudes]:
        title = f"Bias against {by}"
        found.figures[title] = _figure(data, by)
        found.captions[title] = (
            f"log10(observed / predicted) against {by}, a panel a measure: grey points are the "
            f"first model's records, lines bin means with 95 % bands; bins with fewer than "
            f"{data.settings.min_records} records of the first model are hatched."
        )
    return found


def _residuals(data: Comparison, name: str, imt: str, drawn: bool) -> NDArray[np.float64]:
    p, column = data.prediction(name), data.column(imt)
    said = p.draw if drawn and p.kind == "gwm" else p.mean
    return (data.observed[:, column] - said[:, column]) / _LOG10


def _table(data: Comparison, common: bool) -> pd.DataFrame:
    rows = []
    for p in data.predictions:
        for column, imt in enumerate(data.imts):
            residual = _residuals(data, p.name, imt, drawn=False)
            if common:
                residual = np.where(data.common[:, column], residual, np.nan)
            known = np.isfinite(residual)
            if known.sum() < 2:
                continue
            low, high = interval(data.bootstrap.means(residual))
            rows.append(
                {
                    "model": p.name,
                    "measure": imt,
                    "records": int(known.sum()),
                    "events": len(np.unique(data.observations.event[known])),
                    "bias, log10": residual[known].mean(),
                    "2.5 %": float(low),
                    "97.5 %": float(high),
                    "sd, log10": residual[known].std(ddof=1),
                }
            )
    columns = ["model", "measure", "records", "events", "bias, log10", "2.5 %", "97.5 %"]
    return pd.DataFrame(rows, columns=[*columns, "sd, log10"]).set_index(["model", "measure"])


def _figure(data: Comparison, by: str) -> Figure:
    x = data.distance_km if by == "distance" else data.conditions["mag"].to_numpy(np.float64)
    known = np.zeros(len(x), dtype=bool)
    for p in data.predictions:
        known |= p.inside
    if by == "distance":
        edges = log_edges(x[known], DISTANCE_BINS)
    else:
        edges = even_edges(x[known], MAGNITUDE_WIDTH)
    figure, axes = grid_of_axes(len(data.shown), sharex=True, sharey=True)
    for ax, imt in zip(axes, data.shown, strict=True):
        first = True
        for p in data.predictions:
            residual = _residuals(data, p.name, imt, drawn=True)
            if not np.isfinite(residual).any():
                continue
            b = binned(x, residual, edges, data.bootstrap)
            if first:
                hatch_sparse(ax, edges, b.count, data.settings.min_records)
                ax.plot(x, residual, ".", ms=1.5, color=OBSERVED_POINTS, alpha=0.35,
                        rasterized=True, zorder=1)  # fmt: skip
                first = False
            colour = data.colour(p.name)
            held = b.count >= 2
            ax.fill_between(
                b.middle[held], b.low[held], b.high[held], color=colour, alpha=0.18, lw=0, zorder=2
            )
            ax.plot(b.middle[held], b.mean[held], data.line(p.name), color=colour, lw=1.4,
                    label=p.name, zorder=3)  # fmt: skip
        ax.axhline(0.0, color="black", lw=0.8, zorder=2)
        ax.set_title(imt)
        ax.set_ylim(-1.1, 1.1)
        if by == "distance":
            ax.set_xscale("log")
    label = "distance, km" if by == "distance" else "magnitude"
    label_outer(axes, label, "log10(observed / predicted)")
    legend_above(figure, axes[0])
    return figure
