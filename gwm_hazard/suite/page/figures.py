"""Figures of a suite: spectra, errors, measures, correlations; and of the hazard of all suites."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from gwm_hazard.intensity import parse_imt
from gwm_hazard.report.style import RC, grid_of_axes, label_outer, legend_above
from gwm_hazard.suite.study import Study, Suite
from gwm_hazard.suite.tables import component_text, imt_text, period

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

#: Colours of what stands on every figure.
TARGET, SUITE, MOTION, CHOSEN = "black", "#0072B2", "0.72", "#D55E00"

#: Limits on the errors of the median and of sigma that the figures mark.
MEDIAN_LIMIT, SIGMA_LIMIT = 0.10, 0.20

#: Limit on the error of an implied annual rate.
RATE_LIMIT = 0.20

#: Shown of a spectrum beyond the periods of the target, as a factor.
BEYOND = 2.0

#: Standard deviation of ln below which a measure counts as constant.
LEAST_SIGMA = 0.05

#: Numbers on a logarithmic axis.
MOST_MARKS = 6

#: Measures that are named on an axis of the correlations.
MOST_LABELS = 14

#: Panels of the figure of hazard consistency.
MOST_PANELS = 8


def shown_periods(suite: Suite) -> Array:
    """Periods at which the spectra of single motions are drawn, s: the target's and between."""
    of_target = spectral(suite)[1]
    if len(of_target) == 0:
        return np.geomspace(0.05, 5.0, 60)
    low, high = of_target.min() / BEYOND, of_target.max() * BEYOND
    count = max(30, round(28 * np.log10(high / low)))
    between = np.geomspace(max(low, 0.02), min(high, 10.0), count)
    return np.unique(np.round(np.concatenate([between, of_target]), 4))


def spectral(suite: Suite) -> tuple[NDArray[np.int64], Array]:
    """Columns of the target's spectral ordinates and their periods, s, ascending."""
    periods = np.array([period(imt) for imt in suite.target.imts])
    columns = np.flatnonzero(np.isfinite(periods))
    columns = columns[np.argsort(periods[columns])]
    return columns, periods[columns]


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def spectra(suite: Suite, periods: Array, sa: Array, component: str) -> Figure:
    """Spectra of all motions (n, n_periods) in g, of the suite and of the target, logarithmic."""
    import matplotlib as mpl

    columns, at = spectral(suite)
    mean, sigma = suite.target.mean[columns], suite.target.sigma[columns]
    ln = np.log(sa)
    median, spread = ln.mean(axis=0), ln.std(axis=0, ddof=1) if len(ln) > 1 else 0.0
    with mpl.rc_context(RC):
        figure = _figure(8.2, 5.2)
        ax = figure.subplots()
        faint = min(1.0, (40 / len(sa)) ** 0.8)  # many lines must not hide what lies between them
        ax.plot(periods, sa.T, color=MOTION, lw=0.6, alpha=faint)
        ax.plot([], [], color=MOTION, lw=0.8, label=f"motions ({len(sa)})")
        low, high = np.exp(median - spread), np.exp(median + spread)
        ax.fill_between(periods, low, high, color=SUITE, alpha=0.18, lw=0, zorder=3,
                        label="suite, 16 to 84 %")  # fmt: skip
        ax.plot(periods, np.exp(median), color=SUITE, lw=2.2, zorder=4, label="suite, median")
        of_target: dict[str, Any] = {"color": TARGET, "zorder": 5}
        ax.plot(at, np.exp(mean), "o-", ms=3.5, lw=1.5, label="target, median", **of_target)
        if sigma.max(initial=0.0) > 0:
            ax.plot(at, np.exp(mean + sigma), "--", lw=1.1, label="target, ± sigma", **of_target)
            ax.plot(at, np.exp(mean - sigma), "--", lw=1.1, **of_target)
        if suite.target.conditioning.startswith("SA("):
            ax.axvline(period(suite.target.conditioning), color="0.45", lw=0.8, ls=":")
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xlim(periods[0], periods[-1])
        _plain_ticks(ax, periods)
        _plain_log(ax.yaxis)
        ax.set_xlabel("period (s)")
        ax.set_ylabel(f"SA, 5 % damping, {component_text(component)} (g)")
        legend_above(figure, ax, columns=5)
    return figure


def _plain_ticks(ax: Axes, periods: Array) -> None:
    """Periods as plain numbers."""
    marks = [t for t in (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10) if periods[0] <= t <= periods[-1]]
    ax.set_xticks(marks, [f"{t:g}" for t in marks])
    ax.minorticks_off()


def errors(suite: Suite) -> Figure | None:
    """Errors of the suite's median and sigma by period; None for fewer than 2 periods."""
    columns, at = spectral(suite)
    if len(at) < 2:
        return None
    got = suite.match
    parts = [("median", 100 * got.mean_error[columns], 100 * MEDIAN_LIMIT)]
    of_sigma = 100 * got.sigma_error[columns]
    if np.isfinite(of_sigma).any():
        parts.append(("standard deviation of ln", of_sigma, 100 * SIGMA_LIMIT))
    figure, axes = grid_of_axes(len(parts), columns=2, width=4.6, height=2.7)
    for ax, (name, error, limit) in zip(axes, parts, strict=True):
        ax.axhspan(-limit, limit, color="0.93", lw=0)
        ax.axhline(0.0, color="0.5", lw=0.8)
        ax.plot(at, error, "o-", ms=3.5, color=SUITE)
        largest = max(1.5 * limit, 1.15 * float(np.nanmax(np.abs(error))))
        ax.set_ylim(-largest, largest)
        ax.set_xscale("log")
        _plain_ticks(ax, at)
        ax.set_title(f"{name} (shaded: ±{limit:g} %)")
        ax.set_xlabel("period (s)")
        ax.set_ylabel("suite over target − 1 (%)")
    return figure


def measures(suite: Suite, imts: tuple[str, ...], values: Array) -> Figure:
    """Distributions of what is no spectral ordinate, beside the target's where it has one."""
    target = suite.target
    shown = [imt for imt in imts if not np.isfinite(period(imt))]
    figure, axes = grid_of_axes(len(shown), columns=3, width=3.3, height=2.6)
    for ax, imt in zip(axes, shown, strict=True):
        x = np.sort(values[:, imts.index(imt)])
        n = len(x)
        if imt in target.imts:
            m = target.imts.index(imt)
            mean, sigma = target.mean[m], target.sigma[m]
            margin = max(float(sigma), 0.1)
            grid = np.linspace(np.log(x[0]) - margin, np.log(x[-1]) + margin, 200)
            if sigma > 0:
                cdf = ndtr((grid - mean) / sigma)
                bound = kolmogorov(n)
                band = np.clip([cdf - bound, cdf + bound], 0.0, 1.0)
                ax.fill_between(np.exp(grid), *band, color="0.9", lw=0)
                ax.plot(np.exp(grid), cdf, color=TARGET, label="target")
            else:
                ax.axvline(np.exp(mean), color=TARGET, label="target")
        share = np.arange(n + 1) / n
        ax.step(np.r_[x[0], x], share, where="post", color=SUITE, lw=1.8, label="suite")
        ax.set_xscale("log")
        _plain_log(ax.xaxis)
        unit = parse_imt(imt).measure.unit
        ax.set_title(imt if imt in target.imts else f"{imt} (not in the target)")
        ax.set_xlabel(f"{imt} ({unit})")
        ax.set_ylim(0, 1)
    label_outer(axes, y="share of motions below")
    for ax in axes:
        if len(ax.get_legend_handles_labels()[1]) > 1:
            legend_above(figure, ax)
            break
    return figure


def _plain_log(axis: Axis) -> None:
    """A few plain numbers on a logarithmic axis, however short or long it is."""
    low, high = axis.get_view_interval()
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    for digits in ((1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,)):
        marks = [d * 10.0**k for k in decades for d in digits]
        marks = [m for m in marks if low <= m <= high]
        if len(marks) <= MOST_MARKS:
            break
    axis.set_ticks(marks, [f"{m:g}" for m in marks])
    axis.set_ticks([], minor=True)


def kolmogorov(n: int, significance: float = 0.10) -> float:
    """Largest distance of n draws from their own distribution, but for a share of the cases.

    Kolmogorov and Smirnov, exact; the bounds of Bradley (2010, 2012).
    """
    from scipy.stats import kstwo

    return float(kstwo.ppf(1.0 - significance, n))


def correlations(suite: Suite) -> Figure | None:
    """Correlations of ln IM in the target and in the suite; blank where a measure is constant.

    None for a single measure or fewer than 3 motions.
    """
    import matplotlib as mpl

    target = suite.target
    if len(target.imts) < 2 or len(suite) < 3:
        return None
    shown = [(f"suite of {len(suite)}", np.cov(suite.ln.T))]
    if target.sigma.max() > 0:
        shown.insert(0, ("target", target.covariance))
    free = np.sqrt(np.diag(shown[0][1])) > LEAST_SIGMA
    at = named(target.imts)
    labels = [imt_text(target.imts[i]) for i in at]
    with mpl.rc_context(RC | {"axes.grid": False}):
        figure = _figure(0.6 + 4.4 * len(shown), 4.7)
        axes = list(np.atleast_1d(figure.subplots(1, len(shown))))
        for ax, (title, covariance) in zip(axes, shown, strict=True):
            matrix = np.where(np.outer(free, free), correlation_of(covariance), np.nan)
            image = ax.imshow(matrix, vmin=-1, vmax=1, cmap=mpl.colormaps["RdBu_r"].resampled(20))
            ax.set_title(title)
            ax.set_facecolor("0.92")
            ax.set_xticks(at, labels, rotation=90, fontsize=8)
            ax.set_yticks(at, labels if ax is axes[0] else [], fontsize=8)
        figure.colorbar(image, ax=axes, shrink=0.8, label="correlation of ln IM")
    return figure


def named(imts: tuple[str, ...]) -> list[int]:
    """Rows of a matrix that have room for a name: all that are no SA, and periods in even steps."""
    others = [i for i, imt in enumerate(imts) if not np.isfinite(period(imt))]
    ordinates = [i for i, imt in enumerate(imts) if np.isfinite(period(imt))]
    step = -(-len(ordinates) // max(MOST_LABELS - len(others), 2))
    return sorted([*ordinates[:: max(step, 1)], *others])


def correlation_of(covariance: Array) -> Array:
    """Correlation matrix; NaN where a variance is 0."""
    sigma = np.sqrt(np.clip(np.diag(covariance), 0.0, None))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.outer(sigma, sigma) > 0, covariance / np.outer(sigma, sigma), np.nan)


def spread(imts: list[str], most: int) -> list[str]:
    """At most so many: all that are no spectral ordinates, and periods spread evenly."""
    others = [imt for imt in imts if not np.isfinite(period(imt))][:most]
    ordinates = sorted((imt for imt in imts if imt not in others), key=period)
    take = np.linspace(0, len(ordinates) - 1, min(most - len(others), len(ordinates)))
    return [ordinates[round(i)] for i in take] + others


def consistency(study: Study) -> Figure:
    """Rates implied by the suites beside the mean hazard curves, by measure.

    Two marks a level: of a lognormal fitted to each suite, and of its counted motions.
    """
    table = study.consistency
    imts = spread(list(dict.fromkeys(table["imt"])), MOST_PANELS)
    figure, axes = grid_of_axes(len(imts), columns=4, width=3.0, height=3.0, sharey=True)
    rates = table[["rate", "suites", "counted"]].to_numpy(dtype=np.float64)
    low, high = 0.6 * float(rates[rates > 0].min()), 1.6 * float(rates.max())
    for ax, imt in zip(axes, imts, strict=True):
        part = table[table["imt"] == imt]
        levels, hazard = study.curves[imt]
        below, above = (1 - RATE_LIMIT) * hazard, (1 + RATE_LIMIT) * hazard
        ax.fill_between(levels, below, above, color="0.88", lw=0, label=f"±{100 * RATE_LIMIT:g} %")
        ax.plot(levels, hazard, color=TARGET, label="mean hazard curve")
        ax.plot(
            part["level"], part["suites"], "o", ms=5, color=SUITE,
            label="suites, a lognormal fitted to each",
        )  # fmt: skip
        some = part[part["counted"] > 0]
        ax.plot(
            some["level"], some["counted"], "x", ms=7, mew=0.8, color=SUITE,
            label="suites, motions counted",
        )  # fmt: skip
        ax.set_yscale("log")
        ax.set_xlim(0.75 * part["level"].min(), 1.35 * part["level"].max())
        ax.set_xscale("log")
        _plain_log(ax.xaxis)
        ax.set_ylim(low, high)
        ax.set_title(imt)
        ax.set_xlabel(f"{imt} ({parse_imt(imt).measure.unit})")
    label_outer(axes, y="annual rate of exceedance", columns=4)
    legend_above(figure, axes[0])
    return figure
