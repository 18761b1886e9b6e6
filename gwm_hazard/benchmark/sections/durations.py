"""Significant durations against magnitude and distance, beside Afshari and Stewart (2016)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.benchmark.data import Comparison
from gwm_hazard.benchmark.section import Section, Skipped
from gwm_hazard.report.style import (
    OBSERVED,
    OBSERVED_POINTS,
    grid_of_axes,
    hatch_sparse,
    legend_above,
)
from gwm_hazard.statistics.bins import binned, even_edges, log_edges
from gwm_hazard.statistics.bootstrap import interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KEY, TITLE = "durations", "Significant durations"
PUBLISHED = "Afshari and Stewart (2016)"
_PUBLISHED_COLOUR = "0.35"

TEXT = """\
Significant durations: the time between 5 and 95 % (RSD595) or 5 and 75 % (RSD575) of the Arias
intensity. Black marks are the mean and the standard deviation of ln duration of the records in
bins; lines and bands are the models at the same records, with one total standard deviation to
either side. The grey line is the model of Afshari and Stewart (2016) as OpenQuake has it.

The table gives the bias, mean of ln(observed / median), with its 95 % confidence interval by
bootstrap over events, and the standard deviations of observed and predicted residuals. A duration
sees what amplitudes do not: a model with random phases can have every response spectrum right and
last half or twice as long."""


def section(data: Comparison) -> Section | Skipped:
    """Durations of observed and generated records (Palgunadi et al. 2025)."""
    imts = [i for i in data.imts if i in ("RSD575", "RSD595")]
    if not imts:
        return Skipped(KEY, TITLE, "the observations hold no significant duration")
    if not any(p.gives(i) for p in data.predictions for i in imts):
        return Skipped(KEY, TITLE, "no model gives a significant duration")
    from gwm_hazard.openquake import gmm

    published = gmm.durations(data.conditions, imts)
    published.mean[published.outside] = np.nan
    found = Section(KEY, TITLE, TEXT)
    curves = {
        p.name: (
            p.mean[:, [data.column(i) for i in imts]],
            p.sigma[:, [data.column(i) for i in imts]],
        )
        for p in data.predictions
        if any(p.gives(i) for i in imts)
    }
    curves[PUBLISHED] = (published.mean, published.sigma)
    table = _table(data, imts, curves)
    found.tables["Bias and variability of durations"] = table
    found.scores["duration, mean |ln|"] = {
        name: float(table.loc[name]["bias, ln"].abs().mean())
        for name in curves
        if name != PUBLISHED and name in table.index
    }
    for imt in imts:
        title = f"{imt} against distance" + " and magnitude" * data.several_magnitudes
        found.figures[title] = _figure(data, imts, imt, curves)
        found.captions[title] = (
            f"{imt} of records and models; bins with fewer than {data.settings.min_records} "
            "records are hatched."
        )
    found.limits += [f"{PUBLISHED}: {note}" for note in published.notes]
    return found


_Curves = dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]


def _table(data: Comparison, imts: list[str], curves: _Curves) -> pd.DataFrame:
    rows = []
    for name, (mean, sigma) in curves.items():
        for k, imt in enumerate(imts):
            residual = data.observed[:, data.column(imt)] - mean[:, k]
            known = np.isfinite(residual)
            if known.sum() < 2:
                continue
            low, high = interval(data.bootstrap.means(residual))
            rows.append(
                {
                    "model": name, "measure": imt, "records": int(known.sum()),
                    "bias, ln": residual[known].mean(), "2.5 %": float(low), "97.5 %": float(high),
                    "sd observed, ln": residual[known].std(ddof=1),
                    "sigma model, ln": float(np.sqrt((sigma[known, k] ** 2).mean())),
                }
            )  # fmt: skip
    return pd.DataFrame(rows).set_index(["model", "measure"])


def _figure(data: Comparison, imts: list[str], imt: str, curves: _Curves) -> Figure:
    k, column = imts.index(imt), data.column(imt)
    observed = data.observed[:, column]
    mag = data.conditions["mag"].to_numpy(np.float64)
    known = np.isfinite(observed)
    panels = [(data.distance_km, log_edges(data.distance_km[known], 14), "distance, km")]
    if data.several_magnitudes:
        panels.append((mag, even_edges(mag[known], 0.25), "magnitude"))
    figure, axes = grid_of_axes(len(panels), len(panels), 5.0, 3.6, sharey=True)
    for ax, (x, edges, label) in zip(axes, panels, strict=True):
        b = binned(x, observed, edges)
        hatch_sparse(ax, edges, b.count, data.settings.min_records)
        ax.plot(x, np.exp(observed), ".", ms=1.5, color=OBSERVED_POINTS, alpha=0.3,
                rasterized=True, zorder=1)  # fmt: skip
        for name, (mean, sigma) in curves.items():
            same = np.where(known, mean[:, k], np.nan)
            if not np.isfinite(same).any():
                continue
            m = binned(x, same, edges)
            s = binned(x, np.where(np.isfinite(same), sigma[:, k], np.nan), edges)
            held = m.count > 0
            own = name != PUBLISHED
            colour = data.colour(name) if own else _PUBLISHED_COLOUR
            low, high = np.exp(m.mean - s.mean), np.exp(m.mean + s.mean)
            ax.fill_between(m.middle[held], low[held], high[held], color=colour, alpha=0.13, lw=0)
            ax.plot(m.middle[held], np.exp(m.mean[held]), data.line(name) if own else ":",
                    color=colour, lw=1.6, label=name, zorder=4)  # fmt: skip
        held = b.count > 1
        bars = [np.exp(b.mean) - np.exp(b.mean - b.sd), np.exp(b.mean + b.sd) - np.exp(b.mean)]
        ax.errorbar(b.middle[held], np.exp(b.mean[held]), [e[held] for e in bars], fmt="o", ms=3,
                    lw=0.9, color=OBSERVED, label="observed", zorder=5)  # fmt: skip
        ax.set_yscale("log")
        ax.set_xlabel(label)
    axes[0].set_xscale("log")
    axes[0].set_ylabel(f"{imt}, s")
    legend_above(figure, axes[0])
    return figure
