"""Draws of single scenarios: how soon median and sigma settle, and whether ln IM is normal."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.benchmark.data import Comparison
from gwm_hazard.benchmark.predictions import Prediction
from gwm_hazard.benchmark.section import Section, Skipped
from gwm_hazard.core.conditioning import conditioning_of
from gwm_hazard.core.draws import Draws
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.distribution.surface import fingerprint
from gwm_hazard.files.parts import once
from gwm_hazard.files.provenance import code
from gwm_hazard.models.measuring import ln_measures
from gwm_hazard.report.style import grid_of_axes, legend_above
from gwm_hazard.statistics.sampling import (
    TAIL,
    TAIL_SHARE,
    convergence,
    draws_needed,
    normality,
    quantiles,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KEY, TITLE = "convergence", "Convergence and normality"

#: Draws at which the running estimates are shown, as far as they are made.
COUNTS = (10, 20, 30, 50, 75, 100, 150, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 5000)

#: Quantiles of the magnitude at which a scenario is taken from the records.
QUANTILES = (0.2, 0.8)

TEXT = """\
Of each generative model many waveforms are drawn for single scenarios (records of the data at low
and high magnitude). The first figure shows median and standard deviation of ln IM from the first n
draws, relative to those from all; the grey band is the 95 % range of a normal sample of that size.
It tells how many draws a scenario needs: the table gives the number that holds the median within
5 % at 95 % confidence.

The second asks whether ln IM is normal, as hazard calculations take it: quantiles of the draws
against normal ones, W and p-value of Shapiro and Wilk (1965), the skewness, and the share of draws
beyond 2.5 standard deviations, which is 1.24 % of a normal sample. A p-value below 0.05 in many
more than 5 % of the rows speaks against normality; with many draws small departures are found that
do not matter, so look at the tails."""


def section(data: Comparison) -> Section | Skipped:
    """Convergence of median and sigma, Shapiro-Wilk, Q-Q and tails (Palgunadi et al. 2025)."""
    drawn = {p.name: _draws(data, p) for p in data.generative if p.inside.any()}
    if not drawn:
        return Skipped(KEY, TITLE, "no generative model has a record inside its range")
    found = Section(KEY, TITLE, TEXT)
    rows = []
    for name, scenarios in drawn.items():
        for label, ln in scenarios.items():
            for column, imt in enumerate(data.imts):
                x = ln[:, column]
                n = normality(x)
                rows.append(
                    {
                        "model": name, "scenario": label, "measure": imt, "draws": len(x),
                        "median": float(np.exp(np.median(x))), "sigma, ln": float(x.std(ddof=1)),
                        "draws for 5 %": draws_needed(float(x.std(ddof=1))),
                        "W": n.w, "p": n.p, "skewness": n.skewness, f"beyond {TAIL} sd": n.tail,
                    }
                )  # fmt: skip
    table = pd.DataFrame(rows).set_index(["model", "scenario", "measure"])
    found.tables["Normality and the draws that are needed"] = table
    found.tables["Tails of observed residuals"] = _observed(data)
    found.captions["Tails of observed residuals"] = (
        f"Share of the normalised residuals, (ln observed - mean) / sigma, beyond {TAIL}; of a "
        f"correct normal model {100 * TAIL_SHARE:.2f} %."
    )
    for title, make, caption in (
        (
            "Convergence of median and sigma",
            _convergence_figure,
            "Running median (above) and standard deviation (below) relative to those of all "
            "draws, by scenario and measure; grey: 95 % range of a normal sample.",
        ),
        (
            "Normal quantiles",
            _quantile_figure,
            "Standardised draws against normal quantiles; on the line they are normal.",
        ),
    ):
        found.figures[title] = make(data, drawn)
        found.captions[title] = caption
    draws = {len(ln) for s in drawn.values() for ln in s.values()}
    found.limits.append(f"{max(draws)} draws a scenario, {len(QUANTILES)} scenarios a model.")
    return found


_Drawn = dict[str, dict[str, NDArray[np.float64]]]


def _draws(data: Comparison, p: Prediction) -> dict[str, NDArray[np.float64]]:
    """ln IM (draws, n_imts) by scenario; kept in the work folder."""
    model = data.models[p.name]
    given = conditioning_of(model.card)
    inside = np.flatnonzero(p.inside)
    mag = data.conditions["mag"].to_numpy(np.float64)[inside]
    out = {}
    for q in QUANTILES:
        row = inside[np.argsort(mag, kind="stable")[round(q * (len(mag) - 1))]]
        columns = given.of_records(data.conditions.iloc[[row]])
        label = ", ".join(f"{name} {columns[name][0]:.4g}" for name in given.ranges)
        n = data.settings.convergence
        noise = Noise(data.seed + 7, np.arange(n), 0, 0)
        draws = Draws(Scenarios(**columns).repeat(n), noise)
        out[label] = once(
            data.work / KEY / f"{p.name}-{q:g}.npz",
            f"{fingerprint(model.card)} {label} {n} {data.seed} {data.imts} {code()}",
            partial(ln_measures, model, draws, data.imts),
        )
    return out


def _observed(data: Comparison) -> pd.DataFrame:
    rows = []
    for p in data.predictions:
        z = (data.observed - p.mean) / np.where(p.sigma > 0, p.sigma, np.nan)
        for column, imt in enumerate(data.imts):
            x = z[np.isfinite(z[:, column]), column]
            if len(x) >= data.settings.min_records:
                rows.append(
                    {
                        "model": p.name, "measure": imt, "records": len(x), "mean": x.mean(),
                        "sd": x.std(ddof=1), f"beyond {TAIL}": float((np.abs(x) > TAIL).mean()),
                    }
                )  # fmt: skip
    columns = ["model", "measure", "records", "mean", "sd", f"beyond {TAIL}"]
    return pd.DataFrame(rows, columns=columns).set_index(["model", "measure"])


def _panels(drawn: _Drawn) -> list[tuple[str, str, NDArray[np.float64]]]:
    return [(name, label, ln) for name, s in drawn.items() for label, ln in s.items()]


def _convergence_figure(data: Comparison, drawn: _Drawn) -> Figure:
    panels = _panels(drawn)
    figure, axes = grid_of_axes(2 * len(panels), len(panels), 3.6, 2.5, sharex=True)
    styles = ("-", "--", "-.", ":")
    shown = [i for i in data.shown if i != "PGV"][: len(styles)]
    for k, (name, label, ln) in enumerate(panels):
        counts = np.array([c for c in COUNTS if c <= len(ln)])
        top, bottom = axes[k], axes[k + len(panels)]
        band = 1.96 / np.sqrt(counts)
        sigma = float(np.mean([ln[:, data.column(i)].std(ddof=1) for i in shown]))
        width = sigma * np.sqrt(np.pi / 2.0) * band
        top.fill_between(counts, np.exp(-width), np.exp(width), color="0.88")
        bottom.fill_between(counts, 1 - band / np.sqrt(2), 1 + band / np.sqrt(2), color="0.88")
        for imt, style in zip(shown, styles, strict=False):
            c = convergence(ln[:, data.column(imt)], counts)
            top.plot(counts, np.exp(c.median - c.median[-1]), style, color=data.colour(name),
                     lw=1.3, label=imt)  # fmt: skip
            bottom.plot(counts, c.sd / c.sd[-1], style, color=data.colour(name), lw=1.3)
        top.set_title(f"{name}\n{label}", fontsize=7.5)
        top.set_xscale("log")
        bottom.set_xlabel("draws")
        top.set_ylim(0.6, 1.6)
        bottom.set_ylim(0.5, 1.5)
    axes[0].set_ylabel("median / final")
    axes[len(panels)].set_ylabel("sigma / final")
    legend_above(figure, axes[0])
    return figure


def _quantile_figure(data: Comparison, drawn: _Drawn) -> Figure:
    panels = _panels(drawn)
    figure, axes = grid_of_axes(
        len(panels), min(len(panels), 4), 3.2, 3.0, sharex=True, sharey=True
    )
    markers = ("o", "s", "^", "D")
    shown = [i for i in data.shown if i != "PGV"][: len(markers)]
    for ax, (name, label, ln) in zip(axes, panels, strict=True):
        for imt, marker in zip(shown, markers, strict=False):
            expected, x = quantiles(ln[:, data.column(imt)])
            ax.plot(expected, x, marker, ms=1.8, color=data.colour(name), alpha=0.6, label=imt,
                    mfc="none", mew=0.5, rasterized=True)  # fmt: skip
        ax.plot([-4, 4], [-4, 4], color="black", lw=0.8)
        ax.axvspan(-4, -TAIL, color="0.94", zorder=0)
        ax.axvspan(TAIL, 4, color="0.94", zorder=0)
        ax.set_xlim(-4, 4)
        ax.set_ylim(-4, 4)
        ax.set_title(f"{name}\n{label}", fontsize=7.5)
        ax.set_xlabel("normal quantile")
    axes[0].set_ylabel("standardised ln IM")
    legend_above(figure, axes[0])
    return figure
