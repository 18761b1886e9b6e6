"""The stochastic model beside published models and observed rows, with verdicts.

    python -m validation.stochastic.compare --data ../shared/data --output FOLDER

Cells: M 5 to 8, Joyner-Boore distance 1 to 200 km, Vs30 300 to 760 m/s, hypocentre 8 km deep,
strike-slip. Prints medians against four ground-motion models, significant durations against
Afshari and Stewart (2016), V/H against two models, the correlation of SA against Baker and
Jayaram (2008), RotD100 over RotD50 against Boore and Kishida (2017); with ``--data`` also
residuals on test events (``records.py``) and the mean log-likelihood (LLH, Scherbaum et al. 2009)
beside that of Boore et al. (2014), and draws residuals by magnitude and distance. A table of all
cells goes into the folder.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from openquake.hazardlib.gsim.boore_2014 import BooreEtAl2014

from gwm_hazard.benchmark.sections.physics import PUBLISHED_RATIO, PUBLISHED_S
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.models.registry import load_model
from validation.stochastic import figures, published, records
from validation.stochastic.medians import drawn

Array = NDArray[np.float64]

MAG = (5.0, 6.0, 7.0, 7.5, 8.0)
RJB = (1.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0)
VS30 = (300.0, 400.0, 760.0)
AMPLITUDES = (
    *("PGA", "PGV", "SA(0.05)", "SA(0.1)", "SA(0.2)", "SA(0.3)", "SA(0.5)", "SA(1.0)"),
    *("SA(2.0)", "SA(3.0)", "SA(5.0)"),
)
SHORT = ("SA(0.03)",)
DURATIONS = ("RSD575", "RSD595")
CORRELATED = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 3.0, 5.0, 7.5, 10.0)
JUDGED = ("PGA", "PGV", "SA(0.1)", "SA(0.2)", "SA(0.3)", "SA(0.5)", "SA(1.0)", "SA(2.0)", "SA(3.0)")
#: Measures whose RotD100 / RotD50 is set beside that of Boore and Kishida (2017).
ROTATED = ("PGA", "SA(0.1)", "SA(0.3)", "SA(1.0)", "SA(3.0)")


def factor(ln: Array) -> Array:
    """Factor between two numbers from the logarithm of their ratio."""
    return np.exp(np.abs(ln))


def cells(model: WaveformModel, pairs: int, output: Path | None) -> None:
    """Medians, durations and V/H."""
    at = published.cells(MAG, RJB, VS30, (8.0,))
    names = [*AMPLITUDES, *SHORT, *DURATIONS]
    means = drawn(model, at.scenarios(), names, pairs=pairs, seed=5, others=("vertical",)).mean(
        axis=2
    )
    ours, vertical = means
    amplitude = [names.index(i) for i in AMPLITUDES]
    four = published.four(at, AMPLITUDES)
    ln = ours[:, amplitude] - four.mean(axis=0)
    print(f"\nmedian over the geometric mean of the four, {len(at)} cells, mean over cells")
    print("  M   " + "".join(f"{i:>9s}" for i in AMPLITUDES))
    for m in MAG:
        row = np.exp(ln[at.mag == m].mean(axis=0))
        print(f" {m:4.1f} " + "".join(f"{v:9.2f}" for v in row))
    for m in MAG:
        row = factor(ln[at.mag == m]).max(axis=0)
        print(f" {m:4.1f} largest" + "".join(f"{v:9.2f}" for v in row)[6:])
    low, high = four.min(axis=0) - np.log(1.2), four.max(axis=0) + np.log(1.2)
    inside = (ours[:, amplitude] >= low) & (ours[:, amplitude] <= high)
    large = [np.exp(ln[at.mag == m].mean(axis=0)) for m in (7.0, 7.5, 8.0)]
    worst = np.exp(np.abs(np.log(large)).max())
    verdict("largest factor of a cell", factor(ln).max(), 1.5)
    verdict("average factor", np.exp(np.abs(ln).mean()), 1.15)
    verdict("mean over distance, M 7 to 8, worst measure", worst, 1.15)
    verdict("share of cells outside the range of the four x 1.2", 1 - inside.mean(), 0.2)

    near = at.rjb <= 150.0
    column = [names.index(i) for i in DURATIONS]
    d = (ours[:, column] - published.durations(at, DURATIONS))[near]
    for j, kind in enumerate(DURATIONS):
        print(f"{kind} over Afshari and Stewart (2016): mean {np.exp(d[:, j].mean()):.2f}, "
              f"{np.exp(d[:, j].min()):.2f} to {np.exp(d[:, j].max()):.2f}")  # fmt: skip
        verdict(f"{kind}, largest factor", factor(d[:, j]).max(), 1.2)

    spectral = [names.index(i) for i in (*AMPLITUDES, *SHORT) if i not in ("PGV", "SA(5.0)")]
    imts = [names[k] for k in spectral]
    vh = (vertical - ours)[:, spectral]
    left = np.abs(vh - published.vertical_ratios(at, imts)).min(axis=0)
    print(
        "V/H: mean " + ", ".join(f"{i} {np.exp(vh[:, j].mean()):.2f}" for j, i in enumerate(imts))
    )
    shares = (f"{i} {v:.2f}" for i, v in zip(imts, (left < np.log(1.15)).mean(axis=0), strict=True))
    print("share of cells within 15 % of a model: " + ", ".join(shares))
    verdict("V/H, largest factor from the nearer model", np.exp(left.max()), 1.15)
    if output:
        table = pd.DataFrame({"mag": at.mag, "rjb": at.rjb, "rrup": at.rrup, "vs30": at.vs30})
        for j, i in enumerate(AMPLITUDES):
            table[f"{i} over four"] = np.exp(ln[:, j]).round(3)
        for j, i in enumerate(imts):
            table[f"{i} V/H"] = np.exp(vh[:, j]).round(3)
        table.to_csv(output / "cells.csv", index=False)


def verdict(name: str, value: float, limit: float) -> None:
    """One line: held or missed."""
    print(f"  {'held  ' if value <= limit else 'MISSED'} {name}: {value:.3f} (at most {limit:g})")


def correlation(model: WaveformModel, draws: int) -> None:
    """Correlation of SA between periods, and RotD100 / RotD50, at two scenarios."""
    imts = [f"SA({t:g})" for t in CORRELATED]
    goal = published.correlation(CORRELATED)
    for vs30 in (400.0, 760.0):
        at = Scenarios(mag=6.5, rrup=30.0, vs30=vs30, hypo_depth=8.0)
        ln = drawn(model, at, imts, pairs=draws // 2, seed=7, paired=False)[0, 0]
        left = np.corrcoef(ln.T) - goal
        i, j = np.unravel_index(np.argmax(np.abs(left)), left.shape)
        one_ten = (left + goal)[CORRELATED.index(1.0), -1]
        print(
            f"\ncorrelation of SA at M 6.5, 30 km, Vs30 {vs30:g}: rms difference "
            f"{np.sqrt((left**2).mean()):.3f}; rho(1, 10) {one_ten:.2f}; largest at {imts[i]}, "
            f"{imts[j]}"
        )
        verdict("largest difference from Baker and Jayaram", np.abs(left).max(), 0.1)
        frame = pd.DataFrame(left, index=imts, columns=imts)
        print(frame.round(2).to_string())
    both = drawn(model, at, ROTATED, pairs=100, seed=8, others=("RotD100",), paired=False)[:, 0]
    ratio = np.exp((both[1] - both[0]).mean(axis=0))
    periods = [float(i[3:-1]) if i != "PGA" else 0.01 for i in ROTATED]
    theirs = np.interp(np.log(periods), np.log(PUBLISHED_S), PUBLISHED_RATIO)
    text = (
        f"{i} {a:.3f} (published {b:.3f})" for i, a, b in zip(ROTATED, ratio, theirs, strict=True)
    )
    print("RotD100 / RotD50: " + ", ".join(text))


def stated(model: WaveformModel, names: list[str], mag: Array, draws: int = 160) -> Array:
    """Standard deviation of ln IM at magnitudes, (n, m): between nodes linear."""
    nodes = np.array([4.0, 5.0, 6.0, 7.5])
    scenarios = Scenarios(mag=nodes, rrup=40.0, vs30=400.0, hypo_depth=8.0)
    ln = drawn(model, scenarios, names, pairs=draws // 2, seed=9, paired=False)[0]
    sd = ln.std(axis=1, ddof=1)
    return np.stack([np.interp(mag, nodes, sd[:, j]) for j in range(len(names))], axis=1)


def observed(model: WaveformModel, data: Path, most: int, output: Path | None) -> None:
    """Residuals and log-likelihood on rows."""
    every = records.read(data)
    split = records.split_of(every)
    rng = np.random.default_rng(3)
    development = np.flatnonzero(split == "development")
    development = rng.permutation(development)[:most]
    rows = np.sort(np.concatenate([np.flatnonzero(split == "test"), development]))
    test = split[rows] == "test"
    some = every.take(rows)
    t = some.table
    c = {k: t[k].to_numpy(np.float64) for k in ("mag", "rrup", "vs30", "hypo_depth")}
    names = [*JUDGED, "RSD595"]
    ours = drawn(model, Scenarios(**c), names, pairs=1, seed=10)[0].mean(axis=1)
    sd = stated(model, names, c["mag"])
    seen = np.log(some.ims[names].to_numpy(np.float64))
    left = seen - ours
    dataset = t["dataset"].to_numpy(str)

    at = published.Cells(c["mag"], np.zeros(len(t)), c["vs30"], c["hypo_depth"])
    at = published.Cells(
        c["mag"], np.sqrt(np.maximum(c["rrup"] ** 2 - at.ztor**2, 0.0)), c["vs30"], c["hypo_depth"]
    )
    theirs = published.four(at, JUDGED)
    boore_sd = published.moments(BooreEtAl2014, at, JUDGED)[1]
    count = t["event_id"][test].map(t["event_id"][test].value_counts())
    few = np.zeros(len(t), dtype=bool)
    few[np.flatnonzero(test)[count.to_numpy() < 3]] = True
    for title, mask in (("all", test), ("events of 3 rows or more", test & ~few)):
        print(f"\ntest events, {title}: {mask.sum()} rows, log10")
        _residual_table(names, left, seen[:, : len(JUDGED)] - theirs[0], sd, mask, t["event_id"])
    print("by file: bias and sd of PGA, SA(1.0), log10")
    for name in np.unique(dataset):
        r = left[test & (dataset == name)][:, [0, names.index("SA(1.0)")]] / np.log(10.0)
        means, sds = np.nanmean(r, axis=0), np.nanstd(r, axis=0)
        print(f"  {name:26s} {means[0]:+.3f} {sds[0]:.3f}   {means[1]:+.3f} {sds[1]:.3f}")
    print("LLH by flatfile, model and Boore et al. (2014); rows of test events, and with others")
    k = len(JUDGED)
    llh = [
        np.log2(s * np.sqrt(2 * np.pi)) + 0.5 * ((seen[:, :k] - m) / s) ** 2 / np.log(2.0)
        for m, s in ((ours[:, :k], sd[:, :k]), (theirs[0], boore_sd))
    ]
    for name in np.unique(dataset):
        here = dataset == name
        text = []
        for mask in (here & test, here):
            good = mask[:, None] & np.isfinite(llh[0])
            text.append(f"{llh[0][good].mean():.3f} {llh[1][good].mean():.3f} ({mask.sum()} rows)")
        print(f"  {name:26s} " + "   ".join(text))
    if output:
        residuals = {"stochastic": left[:, :k]}
        for model_class, mean in zip(published.FOUR, theirs, strict=True):
            residuals[model_class.__name__] = seen[:, :k] - mean
        event = np.unique(t["event_id"], return_inverse=True)[1]
        title = (
            f"{len(t):,} rows of {event.max() + 1:,} events, {test.sum():,} of them of test events "
            "that nothing was fitted to\n"
            "means in bins with two standard errors (events as clusters)"
        )
        figures.residuals(
            output / "residuals.png", c["mag"], c["rrup"], event, residuals, JUDGED, title
        )


def _residual_table(
    names: list[str],
    left: Array,
    of_boore: Array,
    sd: Array,
    mask: NDArray[np.bool_],
    events: pd.Series,
) -> None:
    """Bias (events weighted by what is known of them), sd and stated sd."""

    def bias_of(r: Array, event: Array) -> float:
        by_event = pd.Series(r).groupby(event).agg(["mean", "size"])
        weight = 1.0 / (0.2**2 + 0.28**2 / by_event["size"])
        return float((by_event["mean"] * weight).sum() / weight.sum())

    event = events.to_numpy(str)
    for j, imt in enumerate(names):
        has = mask & np.isfinite(left[:, j])
        r = left[has, j] / np.log(10.0)
        bias = bias_of(r, event[has])
        said = np.sqrt((sd[has, j] ** 2).mean()) / np.log(10.0)
        spread = np.sqrt(((r - bias) ** 2).mean())
        print(
            f"  {imt:8s} {has.sum():5d} rows: bias {bias:+.3f} (mean {r.mean():+.3f}), sd "
            f"{spread:.3f}, stated {said:.3f}, stated / sd {said / spread:.2f}",
            f"Boore's bias {bias_of(of_boore[has, j] / np.log(10.0), event[has]):+.3f}"
            if j < of_boore.shape[1]
            else "",
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of flatfiles")
    parser.add_argument("--output", type=Path, help="folder for tables and the figure")
    parser.add_argument("--pairs", type=int, default=48, help="antithetic pairs of draws a cell")
    parser.add_argument("--draws", type=int, default=3000, help="for the correlation")
    parser.add_argument("--rows", type=int, default=1500, help="of development events")
    args = parser.parse_args()
    model = load_model("stochastic")
    if args.output:
        args.output.mkdir(parents=True, exist_ok=True)
    cells(model, args.pairs, args.output)
    correlation(model, args.draws)
    if args.data:
        observed(model, args.data, args.rows, args.output)


if __name__ == "__main__":
    main()
