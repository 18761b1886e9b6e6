"""Hazard curves from ground-motion fields beside the classical ones of the same sources.

    python demos/event_based/compare.py                       # runs both jobs first
    python demos/event_based/compare.py EVENT_BASED CLASSICAL # numbers or calc_N.hdf5 files

The fields of N years hold the exceedances of a level that happened to occur in them: a Poisson
count, whose mean is N times the classical rate if both calculations are right. The error bars
are the exact 95 % interval of the mean of a Poisson count (Garwood 1936, Biometrika 28: 437-442).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import openquake.calculators  # noqa: F401  (finds this package's hooks)
from matplotlib.figure import Figure
from numpy.typing import NDArray
from scipy.stats import chi2, norm, poisson

from gwm_hazard.files.atomic import replacing
from gwm_hazard.intensity import parse_imt
from gwm_hazard.openquake import datastore
from gwm_hazard.openquake.gsim import GenerativeWaveformGMM

HERE = Path(__file__).parent
RETURN_PERIODS = (100, 475, 975, 2475, 4975)
COLOURS = ("#D55E00", "#0072B2")


@dataclass(frozen=True)
class Curve:
    """One branch and measure: levels, classical annual rate, exceedances in ``years``."""

    branch: str
    imt: str
    levels: NDArray[np.float64]
    rate: NDArray[np.float64]
    values: NDArray[np.float64]
    years: float

    def counts(self, levels: NDArray[np.float64]) -> NDArray[np.int64]:
        """Exceedances of each level in the fields."""
        return len(self.values) - np.searchsorted(np.sort(self.values), levels, side="right")

    def level(self, years: float) -> float:
        """Classical level of a return period, log-log between the levels of the job."""
        ok = self.rate > 0
        ln = np.interp(np.log(years), -np.log(self.rate[ok]), np.log(self.levels[ok]))
        return float(np.exp(ln))


def interval(counts: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """95 % interval of the mean of a Poisson count."""
    low = np.where(counts > 0, chi2.ppf(0.025, 2 * np.maximum(counts, 1)) / 2, 0.0)
    return low, chi2.ppf(0.975, 2 * counts + 2) / 2


def curves(event_based: Any, classical: Any) -> list[Curve]:
    """Branch by branch and measure by measure."""
    oq = event_based["oqparam"]
    years = oq.investigation_time * oq.ses_per_logic_tree_path
    table = event_based.read_df("gmf_data")
    rlz_of = event_based["events"]["rlz_id"][table.eid.to_numpy()]
    poes = classical["hcurves-rlzs"][0]  # (R, M, L) of the only site
    out = []
    for rlz in classical["full_lt"].init().get_realizations():
        gsim = rlz.gsim_rlz.value[0]
        generative = isinstance(gsim, GenerativeWaveformGMM)
        name = f"{gsim.model} (GWM)" if generative else type(gsim).__name__
        for m, imt in enumerate(oq.imtls):
            poe = np.float64(poes[rlz.ordinal, m])
            values = table[imt].to_numpy()[rlz_of == rlz.ordinal]
            rate = -np.log1p(-poe) / oq.investigation_time
            out.append(Curve(name, imt, np.array(oq.imtls[imt]), rate, values, years))
    return out


def report(found: list[Curve]) -> str:
    """The table: exceedances of the classical level of each return period."""
    years = found[0].years
    lines = [
        f"exceedances in {years:,.0f} years of fields, at the classical level of a return period",
        f"{'branch':18s} {'IMT':8s} {'years':>6s} {'level':>8s} {'expected':>9s} {'counted':>8s} "
        f"{'95 % interval':>17s} {'ratio':>6s} {'z':>5s}",
    ]
    inside = {c.branch: [] for c in found}
    for c in found:
        for period in RETURN_PERIODS:
            level = c.level(period)
            n = c.counts(np.array([level]))
            low, high = interval(n)
            expected = c.years / period
            # Two-sided, from the Poisson distribution itself: few counts are not normal.
            tail = poisson.cdf(n[0], expected) - 0.5 * poisson.pmf(n[0], expected)
            inside[c.branch].append(bool(low[0] <= expected <= high[0]))
            lines.append(
                f"{c.branch:18s} {c.imt:8s} {period:6d} {level:8.3f} {expected:9.1f} {n[0]:8d} "
                f"{low[0]:8.1f} {high[0]:8.1f} {n[0] / expected:6.2f} {norm.ppf(tail):5.1f}"
            )
    for branch, hits in inside.items():
        lines.append(f"{branch}: expected within the 95 % interval {sum(hits)} of {len(hits)}")
    return "\n".join(lines)


def figure(found: list[Curve]) -> Figure:
    """Curves above, their ratio to the classical rate below."""
    imts = list(dict.fromkeys(c.imt for c in found))
    branches = list(dict.fromkeys(c.branch for c in found))
    fig = Figure(figsize=(3.4 * len(imts), 6.6), layout="constrained")
    axes = fig.subplots(2, len(imts), sharex="col", height_ratios=(2.2, 1), squeeze=False)
    years = found[0].years
    for column, imt in enumerate(imts):
        above, below = axes[:, column]
        for branch, colour in zip(branches, COLOURS, strict=False):
            (c,) = (c for c in found if (c.branch, c.imt) == (branch, imt))
            above.loglog(c.levels, c.rate, color=colour, lw=1.6, label=f"{branch}, classical")
            # The two sets of points are apart by half a step, so that both are seen.
            levels = c.levels[branches.index(branch) :: 3]
            n = c.counts(levels)
            some = n > 0
            levels, n = levels[some], n[some]
            low, high = interval(n)
            error = np.stack([n - low, high - n])
            above.errorbar(
                levels, n / years, error / years, fmt="o", ms=4, color=colour, mfc="white",
                lw=1, label=f"{branch}, {years:,.0f} years of fields",
            )  # fmt: skip
            classical = np.interp(np.log(levels), np.log(c.levels), c.rate) * years
            below.errorbar(
                levels, n / classical, error / classical, fmt="o", ms=4, color=colour, mfc="white",
                lw=1,
            )  # fmt: skip
        for period in (475, 2475):
            above.axhline(1 / period, color="0.6", lw=0.8, ls=":")
            above.text(
                0.02, 1 / period, f" {period} years", fontsize=7, color="0.4", va="bottom",
                transform=above.get_yaxis_transform(),
            )  # fmt: skip
        below.axhline(1.0, color="0.3", lw=0.8)
        below.set(ylim=(0.4, 1.9), xlabel=f"{imt}, {parse_imt(imt).measure.unit}")
        above.set(title=imt, ylim=(3 / years, None))
        for ax in (above, below):
            ax.grid(alpha=0.25, which="both", lw=0.4)
    axes[0, 0].set_ylabel("annual rate of exceedance")
    axes[1, 0].set_ylabel("fields / classical")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=len(labels), fontsize=9)
    fig.suptitle(
        "Managua demonstration: hazard from ground-motion fields and classical, "
        "bars: 95 % sampling error"
    )
    return fig


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("calculations", nargs="*", metavar="EVENT_BASED CLASSICAL")
    parser.add_argument("--output", type=Path, default=HERE / "output")
    args = parser.parse_args(arguments)
    args.output.mkdir(parents=True, exist_ok=True)
    if len(args.calculations) not in (0, 2):
        parser.error("give the event-based and the classical calculation, or none to run both")
    if args.calculations:
        stores = [datastore.read(c) for c in args.calculations]
    else:
        (HERE / "output").mkdir(exist_ok=True)  # the export_dir of the jobs
        stores = [datastore.run(HERE / name) for name in ("job.ini", "job_classical.ini")]
    found = curves(*stores)
    text = report(found)
    print(text)
    (args.output / "comparison.txt").write_text(text + "\n", encoding="utf-8")
    with replacing(args.output / "comparison.png") as temporary:
        figure(found).savefig(temporary, dpi=150, format="png")


if __name__ == "__main__":
    main()
