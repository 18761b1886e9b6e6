"""Variability of observed and generated motions about one regression, and its parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.benchmark.data import Comparison
from gwm_hazard.benchmark.section import Section, Skipped
from gwm_hazard.report.style import OBSERVED, grid_of_axes, legend_above
from gwm_hazard.statistics import mixed_effects
from gwm_hazard.statistics.bootstrap import interval
from gwm_hazard.statistics.regression import design, fit

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KEY, TITLE = "variability", "Variability"

#: The fewest records to which a regression is fitted.
LEAST = 30
#: Events or stations with two records or more that must be there for their term to be told apart.
REPEATED = 10

TEXT = """\
A generative model must scatter as nature does. To the observations of each measure a simple
regression is fitted, log10 IM = a + b M + c log10 R + d log10 Vs30 (without Vs30 where too few
records tell it), and the residuals of the observations and of one draw of the model for each record
are taken about it. The figure shows their standard deviations in ln units, model over observed, at
the same records; 1 is right, below 1 the model is too certain. Bands are 95 % intervals by
bootstrap over events.

The second figure splits the variability by a mixed-effects regression of ln IM on M, M^2, ln R,
M ln R, R and ln Vs30, fitted to the observations and to the draws of each model alike (restricted
maximum likelihood), into a term of the event, tau, one of the station, phi S2S, and the rest, phi
SS. Observations have all three. A generative model's draws share a term between the records of an
event only where the model has one, and none between the records of a station: what nature puts into
the station term a model has in the rest, so tau and the total are to be compared first."""


def section(data: Comparison) -> Section | Skipped:
    """Residuals about a regression (Palgunadi et al. 2025, eq. 11 and 12), and their split."""
    mag = data.conditions["mag"].to_numpy(np.float64)
    vs30 = data.conditions["vs30"].to_numpy(np.float64)
    rows, parts = [], []
    for column, imt in enumerate(data.imts):
        observed = data.observed[:, column]
        with_vs30 = np.isfinite(vs30) & np.isfinite(observed)
        enough = with_vs30.sum() >= max(LEAST, 0.8 * np.isfinite(observed).sum())
        x = design(mag, data.distance_km, vs30 if enough else None)
        usable = np.isfinite(x).all(axis=1) & np.isfinite(observed)
        if usable.sum() < LEAST:
            continue
        regressed = x @ fit(observed, x)
        values = {"observed": observed}
        values |= {p.name: p.draw[:, column] for p in data.predictions if p.gives(imt)}
        full = _full_design(mag, data.distance_km, vs30 if enough else None)
        for name, y in values.items():
            same = np.isfinite(y) & usable
            if same.sum() < LEAST:
                continue
            if name != "observed":
                rows.append(_compare(data, name, imt, y - regressed, observed - regressed, same))
            parts.append(_part(data, name, imt, y, full, same))
    if not rows:
        return Skipped(KEY, TITLE, f"no model has {LEAST} observed records of a measure")
    table = pd.DataFrame(rows).set_index(["model", "measure"])
    pieces = pd.DataFrame(parts).set_index(["model", "measure"])
    found = Section(KEY, TITLE, TEXT)
    found.tables["Standard deviation of residuals, ln units"] = table
    found.tables["Between events, between stations, remaining, ln units"] = pieces
    models = [p.name for p in data.predictions if p.name in table.index]
    found.scores["variability, mean |ln ratio|"] = {
        name: float(np.abs(np.log(table.loc[name]["ratio"])).mean()) for name in models
    }
    title = "Variability of models over observed"
    found.figures[title] = _ratio_figure(data, table, models)
    found.captions[title] = (
        "Standard deviation of the residuals of one draw a record over that of the observations "
        "at the same records, by measure; bands: 95 % by bootstrap over events."
    )
    title = "Parts of the variability"
    found.figures[title] = _parts_figure(data, pieces, models)
    found.captions[title] = (
        "tau, phi S2S and phi SS by restricted maximum likelihood: observations black, one draw a "
        "record of each model in colour."
    )
    if pieces[["tau", "phi S2S"]].isna().any(axis=None):
        found.limits.append(
            "A part is left out where fewer than ten events (tau) or stations (phi S2S) have two "
            "records or more; it is then within the rest."
        )
    found.limits.append("GMMs draw lognormal values from their own tau and phi.")
    return found


def _full_design(
    mag: NDArray[np.float64], r: NDArray[np.float64], vs30: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """Columns of a regression that follows the curvature of spectra, (n, 6 or 7)."""
    m, ln_r = mag - 6.0, np.log(r)
    columns = [np.ones_like(m), m, m**2, ln_r, m * ln_r, r / 100.0]
    if vs30 is not None:
        columns.append(np.log(vs30 / 500.0))
    return np.column_stack(columns)


def _compare(
    data: Comparison,
    name: str,
    imt: str,
    residual: NDArray[np.float64],
    observed: NDArray[np.float64],
    same: NDArray[np.bool_],
) -> dict[str, object]:
    a, b = np.where(same, residual, np.nan), np.where(same, observed, np.nan)
    sd, sd_observed = (float(np.nanstd(v, ddof=1)) for v in (a, b))
    low, high = interval(
        data.bootstrap.standard_deviations(a) / data.bootstrap.standard_deviations(b)
    )
    return {
        "model": name, "measure": imt, "records": int(same.sum()), "sd": sd,
        "sd observed": sd_observed, "ratio": sd / sd_observed,
        "2.5 %": float(low), "97.5 %": float(high), "mean": float(np.nanmean(a)),
    }  # fmt: skip


def _part(
    data: Comparison,
    name: str,
    imt: str,
    y: NDArray[np.float64],
    x: NDArray[np.float64],
    same: NDArray[np.bool_],
) -> dict[str, object]:
    obs = data.observations
    groups = mixed_effects.Groups(obs.event[same], obs.station[same])
    found = mixed_effects.fit(groups, y[same], x[same], restricted=True, repeated=REPEATED)
    s = found.spread
    return {
        "model": name,
        "measure": imt,
        "records": int(same.sum()),
        "tau": s.tau if "tau" in found.terms else np.nan,
        "phi S2S": s.phi_s2s if "phi_s2s" in found.terms else np.nan,
        "phi SS": s.phi,
        "sigma": s.sigma,
    }


def _ratio_figure(data: Comparison, table: pd.DataFrame, models: list[str]) -> Figure:
    figure, (ax,) = grid_of_axes(1, 1, 7.5, 3.4)
    for k, name in enumerate(models):
        part = table.loc[name]
        x = _places(data, part.index) + 0.12 * (k - 0.5 * (len(models) - 1))
        low, high = part["ratio"] - part["2.5 %"], part["97.5 %"] - part["ratio"]
        ax.errorbar(x, part["ratio"], [low.clip(lower=0), high.clip(lower=0)], fmt="o",
                    ms=4.5, lw=1.2, capsize=2, color=data.colour(name), label=name)  # fmt: skip
    ax.axhline(1.0, color=OBSERVED, lw=1.0)
    ax.set_xticks(range(len(data.imts)), data.imts, rotation=35, ha="right")
    ax.set_ylabel("sd of model / sd of observed")
    ax.set_ylim(0.0, max(1.6, 1.1 * float(table["97.5 %"].max())))
    legend_above(figure, ax)
    return figure


def _places(data: Comparison, imts: pd.Index) -> NDArray[np.int64]:
    """Where the measures of a table stand along the axis of a figure."""
    return np.array([data.column(str(imt)) for imt in imts])


def _parts_figure(data: Comparison, pieces: pd.DataFrame, models: list[str]) -> Figure:
    titles = {
        "tau": "tau, between events",
        "phi S2S": "phi S2S, between stations",
        "phi SS": "phi SS, remaining",
        "sigma": "total",
    }
    titles = {k: title for k, title in titles.items() if pieces[k].notna().any()}
    figure, axes = grid_of_axes(len(titles), len(titles), 3.2, 3.0, sharey=True)
    for ax, (column, title) in zip(axes, titles.items(), strict=True):
        for name in ("observed", *models):
            if name not in pieces.index:
                continue
            part = pieces.loc[name]
            colour = OBSERVED if name == "observed" else data.colour(name)
            style = "-" if name == "observed" else data.line(name)
            ax.plot(_places(data, part.index), part[column], style, marker="o", ms=3.5,
                    lw=1.2, color=colour, label=name)  # fmt: skip
        ax.set_title(title)
        ax.set_xticks(range(len(data.imts)), data.imts, rotation=60, ha="right", fontsize=7.5)
    axes[0].set_ylim(0.0, 1.05 * float(np.nanmax(pieces[list(titles)].to_numpy())))
    axes[0].set_ylabel("standard deviation, ln units")
    legend_above(figure, axes[-1])
    return figure
