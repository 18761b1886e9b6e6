"""How probable the observations are: LLH, its multivariate forms, and maps of mean density."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.benchmark.data import Comparison
from gwm_hazard.benchmark.predictions import Prediction
from gwm_hazard.benchmark.section import Section, Skipped
from gwm_hazard.report.style import grid_of_axes, label_outer
from gwm_hazard.statistics.bins import index_of
from gwm_hazard.statistics.bootstrap import interval
from gwm_hazard.statistics.correlation import correlation, nearest_correlation
from gwm_hazard.statistics.likelihood import (
    llh_by_event,
    llh_of_measures,
    log2_density,
    mean_density,
    weights,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

KEY, TITLE = "probabilities", "Probability of the observations"

TEXT = """\
LLH is minus the mean log2 of the probability density that a model gives to an observed ln IM, by
its mean and total standard deviation (Scherbaum et al. 2009). Smaller is better, and bias as well
as too small or too large a sigma make it larger; a difference of 1 means half the probability a
record. Models are compared at the same records, inside the range of all of them. Weights are
2^-LLH over their sum.

Two multivariate forms take into account that values are not independent. "By event" is the joint
density of the records of each event, which share its term (Mak et al. 2017); a model without a
between-event term pays for it. "Of all periods" is the joint density of PGA and the spectral
ordinates of each record, with the correlation of the residuals of a generative model's own draws,
or that of Baker and Jayaram (2008) for a GMM.

The maps show the average probability density of the observed log10 IM by bin of magnitude and
distance: the ratio of the first generative model to each other model. Blue bins speak for the
generative model, red ones for the other; bins with fewer than 10 records are hatched."""

MAGNITUDE_EDGES = np.arange(3.0, 9.01, 0.5)
DISTANCE_EDGES = np.array([1.0, 5.0, 10.0, 20.0, 40.0, 75.0, 130.0, 200.0, 300.0, 500.0])
_LOG10 = np.log(10.0)
COMMON = "records inside the range of all models"


def section(data: Comparison) -> Section | Skipped:
    """LLH, its multivariate forms, and eq. 13 of Palgunadi et al. (2025)."""
    found = Section(KEY, TITLE, TEXT)
    own = _llh_table(data, np.isfinite(data.observed))
    if own.empty:
        return Skipped(KEY, TITLE, "no record is inside the range of a model")
    found.tables["LLH, each model at its own records"] = own
    table = own
    if data.common.any() and len(data.predictions) > 1:
        table = _llh_table(data, data.common)
        found.tables[f"LLH, {COMMON}"] = table
        title = "Differences of LLH"
        found.tables[title] = _differences(data)
        found.captions[title] = (
            "LLH of each model less that of the first, at the same records; 95 % interval by "
            "bootstrap over events. An interval that holds 0 does not tell the two apart."
        )
    ranked = [i for i in data.imts if all(p.gives(i) for p in data.predictions)]
    ranked = ranked or list(data.imts)
    for score, column in (("LLH", "LLH"), ("LLH by event", "LLH by event")):
        kept = table[table.index.get_level_values("measure").isin(ranked)]
        means = kept[column].groupby(level="model", sort=False).mean()
        found.scores[score] = {str(name): float(value) for name, value in means.items()}
    joint = _joint(data)
    if joint:
        found.tables["LLH of all periods"] = pd.DataFrame(
            {"LLH of all periods": joint}
        ).rename_axis("model")
        found.scores["LLH of all periods"] = joint
    found.limits.append(
        f"Scores are means over {', '.join(ranked)}, which every model gives; "
        f"{int(data.common[:, [data.column(i) for i in ranked]].any(axis=1).sum())} records are "
        "inside the range of all models."
    )
    reference = data.generative[0] if data.generative else data.predictions[0]
    others = [p for p in data.predictions if p is not reference]
    for other in others:
        title = f"Probability ratio of {reference.name} and {other.name}"
        found.figures[title] = _map(data, reference, other)
        found.captions[title] = (
            f"log10 of the average probability density of {reference.name} over that of "
            f"{other.name} by bin of magnitude and distance; the number is that of records. "
            "Hatched: fewer than 10 records."
        )
    found.tables["Average probability density by magnitude and distance"] = _densities(data)
    return found


def _llh_table(data: Comparison, use: NDArray[np.bool_]) -> pd.DataFrame:
    rows = []
    for column, imt in enumerate(data.imts):
        found: dict[str, dict[str, object]] = {}
        for p in data.predictions:
            x = np.where(use[:, column], data.observed[:, column], np.nan)
            density = log2_density(x, p.mean[:, column], p.sigma[:, column])
            known = np.isfinite(density)
            if known.sum() < 2:
                continue
            low, high = interval(-data.bootstrap.means(density))
            found[p.name] = {
                "model": p.name, "measure": imt, "records": int(known.sum()),
                "LLH": float(-density[known].mean()), "2.5 %": float(low), "97.5 %": float(high),
                "LLH by event": llh_by_event(
                    x, p.mean[:, column], p.tau[:, column], p.phi[:, column],
                    data.observations.event,
                ),
            }  # fmt: skip
        if found:
            share = weights(np.array([f["LLH"] for f in found.values()], dtype=np.float64))
            rows += [{**f, "weight": w} for f, w in zip(found.values(), share, strict=True)]
    if not rows:
        return pd.DataFrame()
    table = pd.DataFrame(rows).set_index(["model", "measure"])
    order = [p.name for p in data.predictions]
    return table.reindex([(m, i) for m in order for i in data.imts if (m, i) in table.index])


def _differences(data: Comparison) -> pd.DataFrame:
    first, rows = data.predictions[0], []
    for p in data.predictions[1:]:
        for column, imt in enumerate(data.imts):
            x = np.where(data.common[:, column], data.observed[:, column], np.nan)
            gain = log2_density(x, first.mean[:, column], first.sigma[:, column]) - log2_density(
                x, p.mean[:, column], p.sigma[:, column]
            )
            if np.isfinite(gain).sum() < 2:
                continue
            low, high = interval(data.bootstrap.means(gain))
            rows.append(
                {
                    "model": p.name,
                    "measure": imt,
                    f"LLH less {first.name}": np.nanmean(gain),
                    "2.5 %": float(low),
                    "97.5 %": float(high),
                }
            )
    columns = ["model", "measure", f"LLH less {first.name}", "2.5 %", "97.5 %"]
    return pd.DataFrame(rows, columns=columns).set_index(["model", "measure"])


def _joint(data: Comparison) -> dict[str, float]:
    """LLH over PGA and SA jointly, by model, at the records common to all."""
    imts = [i for i in data.imts if i == "PGA" or i.startswith("SA(")]
    imts = [i for i in imts if all(p.gives(i) for p in data.predictions)]
    if len(imts) < 2:
        return {}
    from gwm_hazard.openquake import gmm

    columns = [data.column(i) for i in imts]
    x = np.where(data.common, data.observed, np.nan)[:, columns]
    out = {}
    for p in data.predictions:
        if p.kind == "gwm":
            own = (p.draw - p.mean)[:, columns] / p.sigma[:, columns]
            matrix = correlation(own)
        else:
            matrix = gmm.period_correlation(imts)
        if not np.isfinite(matrix).all():
            continue
        score = llh_of_measures(
            x, p.mean[:, columns], p.sigma[:, columns], nearest_correlation(matrix, 1e-4)
        )
        if np.isfinite(score):
            out[p.name] = score
    return out


def _bins(data: Comparison) -> NDArray[np.int64]:
    m = index_of(data.conditions["mag"].to_numpy(np.float64), MAGNITUDE_EDGES)
    r = index_of(data.distance_km, DISTANCE_EDGES)
    return np.where((m >= 0) & (r >= 0), m * (len(DISTANCE_EDGES) - 1) + r, -1)


def _density(
    data: Comparison, p: Prediction, imt: str, use: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    column = data.column(imt)
    shape = (len(MAGNITUDE_EDGES) - 1, len(DISTANCE_EDGES) - 1)
    values, count = mean_density(
        np.where(use, data.observed[:, column], np.nan) / _LOG10,
        p.mean[:, column] / _LOG10,
        p.sigma[:, column] / _LOG10,
        _bins(data),
        shape[0] * shape[1],
    )
    return values.reshape(shape), count.reshape(shape)


def _map(data: Comparison, first: Prediction, other: Prediction) -> Figure:
    imts = [i for i in data.shown if first.gives(i) and other.gives(i)]
    imts = (
        imts or [i for i in data.imts if first.gives(i) and other.gives(i)][:6] or list(data.shown)
    )
    figure, axes = grid_of_axes(len(imts), 3, 3.8, 3.0, sharex=True, sharey=True)
    mesh = None
    for ax, imt in zip(axes, imts, strict=True):
        column = data.column(imt)
        both = np.isfinite(first.mean[:, column]) & np.isfinite(other.mean[:, column])
        a, count = _density(data, first, imt, both)
        b, _ = _density(data, other, imt, both)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.log10(a / b)
        mesh = ax.pcolormesh(
            DISTANCE_EDGES, MAGNITUDE_EDGES, np.where(count > 0, ratio, np.nan), cmap="RdBu",
            vmin=-0.5, vmax=0.5,
        )  # fmt: skip
        for (i, j), n in np.ndenumerate(count):
            if n:
                x = np.sqrt(DISTANCE_EDGES[j] * DISTANCE_EDGES[j + 1])
                y = 0.5 * (MAGNITUDE_EDGES[i] + MAGNITUDE_EDGES[i + 1])
                ax.text(x, y, str(n), ha="center", va="center", fontsize=5.5)
                if n < data.settings.min_records:
                    ax.add_patch(_hatched(j, i))
        ax.set_xscale("log")
        ax.set_title(imt)
        ax.grid(False)
        held = np.flatnonzero(count.sum(axis=1))
        if held.size:
            ax.set_ylim(MAGNITUDE_EDGES[held[0]], MAGNITUDE_EDGES[held[-1] + 1])
    label_outer(axes, "distance, km", "magnitude")
    if mesh is not None:
        figure.colorbar(mesh, ax=axes, shrink=0.8, extend="both",
                        label=f"log10 of density, {first.name} / {other.name}")  # fmt: skip
    return figure


def _hatched(j: int, i: int) -> Patch:
    from matplotlib.patches import Rectangle

    x, y = DISTANCE_EDGES[j : j + 2], MAGNITUDE_EDGES[i : i + 2]
    return Rectangle(
        (x[0], y[0]), x[1] - x[0], y[1] - y[0], hatch="////", fill=False, edgecolor="0.6", lw=0
    )


def _densities(data: Comparison) -> pd.DataFrame:
    rows = []
    for p in data.predictions:
        for imt in data.imts:
            if not p.gives(imt):
                continue
            values, count = _density(data, p, imt, np.ones(len(data.observed), dtype=bool))
            for i, j in np.argwhere(count > 0):
                rows.append(
                    {
                        "model": p.name, "measure": imt,
                        "magnitude from": MAGNITUDE_EDGES[i], "to": MAGNITUDE_EDGES[i + 1],
                        "distance from, km": DISTANCE_EDGES[j], "to, km": DISTANCE_EDGES[j + 1],
                        "records": int(count[i, j]), "log10 mean density": np.log10(values[i, j]),
                    }
                )  # fmt: skip
    return pd.DataFrame(rows).set_index(["model", "measure"])
