"""Correlation between measures: spectral ordinates, PGV, durations, and Fourier amplitudes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.benchmark.data import Comparison
from gwm_hazard.benchmark.section import Section, Skipped
from gwm_hazard.intensity import intensity_measures_array, parse_imt
from gwm_hazard.report.style import OBSERVED, grid_of_axes, legend_above
from gwm_hazard.statistics.bootstrap import EventBootstrap
from gwm_hazard.statistics.correlation import correlation, correlation_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KEY, TITLE = "correlations", "Correlation between measures"

#: The fewest records from which a correlation is taken.
LEAST = 30

#: Frequencies of EAS, Hz, and those to which the others are correlated.
EAS_HZ = tuple(np.round(np.geomspace(0.3, 20.0, 19), 3).tolist())
EAS_ANCHORS_HZ = (0.5, 2.0, 8.0)
ANCHORS = ("SA(0.1)", "SA(0.3)", "SA(1.0)", "SA(3.0)")

_PUBLISHED = "0.35"
BAKER_JAYARAM = "Baker and Jayaram (2008)"
BAYLESS_ABRAHAMSON = "Bayless and Abrahamson (2019)"

TEXT = """\
A motion that is strong at one period is likely strong at its neighbours. Conditional spectra,
losses of portfolios and vectors of measures rest on how much, and a waveform carries it by itself.
For observations the correlations are those of the residuals, ln observed less the mean of the
reference that is named below; for a generative model those of one draw a record less its own mean.
Bands are 95 % intervals of the observations by bootstrap over events.

Spectral ordinates are held against Baker and Jayaram (2008), whose model is of NGA-West1 records.
Durations and short periods are expected to be correlated negatively: energy that comes in a short
time gives high peaks. Effective amplitude spectra (EAS) need waveforms; their residuals are about a
regression of each set on magnitude, distance and Vs30, and are held against the interfrequency
correlation of Bayless and Abrahamson (2019). A curve that is too wide means that a model's spectra
are too smooth from record to record, one that is too narrow that they are too rough."""


def section(data: Comparison) -> Section | Skipped:
    """Inter-period and inter-frequency correlation, PGV-SA and duration-SA."""
    sets, reference = _residuals(data)
    sets = {k: v for k, v in sets.items() if np.isfinite(v).sum(axis=0).max() >= LEAST}
    if not sets:
        return Skipped(KEY, TITLE, f"fewer than {LEAST} records")
    found = Section(KEY, TITLE, TEXT)
    found.limits.append(f"Observed residuals are about the mean of {reference}.")
    spectral = [i for i in data.imts if i == "PGA" or i.startswith("SA(")]
    matrices = {name: correlation(_enough(values)) for name, values in sets.items()}
    band = (
        correlation_interval(_enough(sets["observed"]), data.bootstrap)
        if "observed" in sets
        else None
    )
    found.tables["Correlation of residuals"] = _long(data.imts, matrices)
    anchors = [a for a in ANCHORS if a in spectral] or spectral[:1]
    if len(spectral) > 2:
        from gwm_hazard.openquake import gmm

        published = gmm.period_correlation(spectral)
        title = "Correlation between periods"
        found.figures[title] = _period_figure(data, spectral, anchors, matrices, band, published)
        found.captions[title] = (
            "Correlation of the residuals at each period with those at the period in the title; "
            f"dotted: {BAKER_JAYARAM}. PGA stands at 0.01 s."
        )
        found.scores["correlation of periods, rms"] = _scores(data, spectral, matrices)
    others = [i for i in data.imts if i in ("PGV", "RSD575", "RSD595")]
    if others and len(spectral) > 2:
        title = "Correlation of PGV and durations with spectral ordinates"
        found.figures[title] = _period_figure(data, spectral, others, matrices, band, None)
        found.captions[title] = (
            "Correlation of the residuals of the measure in the title with those of SA by period; "
            "band: 95 % of the observations."
        )
    _add_eas(data, found)
    return found


def _enough(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns with too few values emptied."""
    few = np.isfinite(values).sum(axis=0) < LEAST
    return np.where(few, np.nan, values)


def _residuals(data: Comparison) -> tuple[dict[str, NDArray[np.float64]], str]:
    """Residuals (n, n_imts) of the observations and of each model's draws, and the reference."""
    gmms = [p for p in data.predictions if p.kind == "gmm"]
    order = [*gmms, *data.generative]
    first = max(order, key=lambda p: int(p.inside.sum()))
    mean = first.mean.copy()
    names = [first.name]
    for p in data.generative:  # what the reference does not give, durations mostly
        gap = ~np.array([first.gives(i) for i in data.imts]) & np.isnan(mean).all(axis=0)
        if gap.any() and p is not first:
            mean[:, gap] = p.mean[:, gap]
            names.append(p.name)
    out = {"observed": data.observed - mean}
    out |= {p.name: p.draw - p.mean for p in data.generative}
    given = " and ".join(dict.fromkeys(names))
    return out, given


def _long(imts: tuple[str, ...], matrices: dict[str, NDArray[np.float64]]) -> pd.DataFrame:
    rows = []
    for i, a in enumerate(imts):
        for j in range(i + 1, len(imts)):
            values = {name: m[i, j] for name, m in matrices.items()}
            rows.append({"measure": a, "with": imts[j], **values})
    return pd.DataFrame(rows).set_index(["measure", "with"])


def _scores(
    data: Comparison, imts: list[str], matrices: dict[str, NDArray[np.float64]]
) -> dict[str, float]:
    """Rms difference to the observed correlation over pairs of periods."""
    columns = [data.column(i) for i in imts]
    upper = np.triu_indices(len(columns), 1)
    out: dict[str, float] = {}
    if "observed" not in matrices:
        return out
    observed = matrices["observed"][np.ix_(columns, columns)][upper]
    for p in data.generative:
        if p.name in matrices:
            own = matrices[p.name][np.ix_(columns, columns)][upper]
            if np.isfinite(own - observed).any():
                out[p.name] = float(np.sqrt(np.nanmean((own - observed) ** 2)))
    return out


def _period(imt: str) -> float:
    return 0.01 if imt == "PGA" else float(parse_imt(imt).parameter)


def _period_figure(
    data: Comparison,
    spectral: list[str],
    anchors: list[str],
    matrices: dict[str, NDArray[np.float64]],
    band: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
    published: NDArray[np.float64] | None,
) -> Figure:
    figure, axes = grid_of_axes(len(anchors), 4, 3.1, 2.8, sharex=True, sharey=True)
    columns = [data.column(i) for i in spectral]
    x = np.array([_period(i) for i in spectral])
    order = np.argsort(x)
    x = x[order]
    for ax, anchor in zip(axes, anchors, strict=True):
        row = data.column(anchor)
        if band is not None:
            low, high = (b[row, columns][order] for b in band)
            ax.fill_between(x, low, high, color="0.85", lw=0)
        for name, matrix in matrices.items():
            colour = OBSERVED if name == "observed" else data.colour(name)
            ax.plot(x, matrix[row, columns][order], "-o", ms=3, lw=1.3, color=colour, label=name)
        if published is not None:
            ax.plot(x, published[spectral.index(anchor)][order], ":", lw=1.8, color=_PUBLISHED,
                    label=BAKER_JAYARAM)  # fmt: skip
        ax.axhline(0.0, color="0.5", lw=0.6)
        ax.set_xscale("log")
        ax.set_title(anchor)
        ax.set_xlabel("period, s")
    axes[0].set_ylabel("correlation")
    legend_above(figure, axes[0])
    return figure


# -- Fourier amplitudes ----------------------------------------------------------------------------


def _add_eas(data: Comparison, found: Section) -> None:
    sets, events = {}, {}
    rows = np.flatnonzero(data.observations.with_waveforms)
    if rows.size >= LEAST:
        sets["observed"], events["observed"] = _about_regression(
            data, rows, _observed_eas(data, rows)
        )
    for p in data.generative:
        if p.name not in data.models:
            continue
        drawn = [
            (d.rows, _ln_eas(d.acceleration, d.dt_s))
            for d in data.drawn(p.name)
            if d.acceleration.shape[1] >= 2
        ]
        if sum(len(r) for r, _ in drawn) >= LEAST:
            mine = np.concatenate([r for r, _ in drawn])
            values = np.concatenate([v for _, v in drawn])
            sets[p.name], events[p.name] = _about_regression(data, mine, values)
    sets = {k: v for k, v in sets.items() if len(v) >= LEAST}
    if not sets:
        found.limits.append(
            "No correlation of Fourier amplitudes: no waveforms of two horizontals."
        )
        return
    if "observed" not in sets:
        found.limits.append("The data hold no waveforms: EAS of the models only.")
    matrices = {name: correlation(v) for name, v in sets.items()}
    title = "Correlation between frequencies"
    figure, axes = grid_of_axes(len(EAS_ANCHORS_HZ), 3, 3.4, 2.8, sharex=True, sharey=True)
    f = np.array(EAS_HZ)
    published_hz, published = _bayless_abrahamson()
    for ax, anchor in zip(axes, EAS_ANCHORS_HZ, strict=True):
        k = int(np.argmin(np.abs(np.log(f / anchor))))
        if "observed" in sets:
            boot = EventBootstrap(events["observed"], data.settings.resamples, data.seed)
            low, high = correlation_interval(sets["observed"], boot)
            ax.fill_between(f, low[k], high[k], color="0.85", lw=0)
        for name, matrix in matrices.items():
            colour = OBSERVED if name == "observed" else data.colour(name)
            ax.plot(f, matrix[k], lw=1.4, color=colour, label=name)
        nearest = int(np.argmin(np.abs(np.log(published_hz / f[k]))))
        ax.plot(published_hz, published[nearest], ":", lw=1.8, color=_PUBLISHED,
                label=BAYLESS_ABRAHAMSON)  # fmt: skip
        ax.set_xscale("log")
        ax.set_xlim(f[0], f[-1])
        ax.axhline(0.0, color="0.5", lw=0.6)
        ax.set_title(f"{f[k]:.2g} Hz")
        ax.set_xlabel("frequency, Hz")
    axes[0].set_ylabel("correlation of ln EAS")
    legend_above(figure, axes[0])
    found.figures[title] = figure
    found.captions[title] = (
        "Correlation of the residuals of ln EAS with those at the frequency in the title; dotted: "
        f"{BAYLESS_ABRAHAMSON}. Records: "
        + ", ".join(f"{name} {len(v)}" for name, v in sets.items())
        + "."
    )
    names = tuple(f"EAS({v:g})" for v in EAS_HZ)
    found.tables[title] = _long(names, matrices)


def _ln_eas(acceleration: NDArray[np.float32], dt_s: float) -> NDArray[np.float64]:
    names = [f"EAS({v:g})" for v in EAS_HZ]
    with np.errstate(divide="ignore"):
        out = np.log(intensity_measures_array(acceleration, dt_s, names))
    return np.where(np.isfinite(out), out, np.nan)


def _observed_eas(data: Comparison, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """ln EAS (n, n_frequencies) of observed waveforms, empty below the lowest usable frequency."""
    obs = data.observations
    out = np.full((len(rows), len(EAS_HZ)), np.nan)
    for index, row in enumerate(rows):
        acc = obs.waveforms([row])
        out[index] = _ln_eas(acc, float(obs.dt_s[row]))[0]
    corner = obs.table["highpass_hz"].to_numpy(np.float64)[rows]
    lowest = np.where(np.isfinite(corner), 1.25 * corner, 0.0)
    return np.where(np.array(EAS_HZ) >= lowest[:, None], out, np.nan)


def _about_regression(
    data: Comparison, rows: NDArray[np.int64], values: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Residuals about a regression on magnitude, distance and Vs30 by column, and their events."""
    c = data.conditions.iloc[rows]
    mag, r = c["mag"].to_numpy(np.float64), data.distance_km[rows]
    vs30 = c["vs30"].to_numpy(np.float64)
    x = np.column_stack([np.ones_like(mag), mag, mag**2, np.log(r), r, np.log(vs30)])
    known = np.isfinite(x).all(axis=1)
    x, values, rows = x[known], values[known], rows[known]
    out = np.full(values.shape, np.nan)
    for k in range(values.shape[1]):
        held = np.isfinite(values[:, k])
        if held.sum() >= LEAST:
            beta = np.linalg.lstsq(x[held], values[held, k], rcond=None)[0]
            out[held, k] = values[held, k] - x[held] @ beta
    event = np.unique(data.observations.event[rows], return_inverse=True)[1]
    return out, event.astype(np.int64)


def _bayless_abrahamson() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    from gwm_hazard.core.site_amplification import bayless_abrahamson
    from gwm_hazard.models.stochastic.spectrum import interfrequency_correlation

    return bayless_abrahamson()["freq_hz"], interfrequency_correlation()
