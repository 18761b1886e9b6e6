"""Hazard with the lognormal and with the empirical distribution, at 1e-4 per year.

    python validation/openquake/empirical_hazard.py --output empirical_hazard.png

The demo's site and sources, two branches that differ in ``distribution`` only. For each measure:
the level at 1e-4 per year of both, and why they differ: skewness and excess kurtosis of ln IM at
the ruptures that control the level (means with their shares of the rate), the epsilon at which
they exceed it, and the ratio of the two exceedance probabilities there. The picture has the two
hazard curves, and for the rupture with the largest share the exceedance of both beside that of
plain draws of the model.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from jobs import run, write_job
from matplotlib.figure import Figure
from openquake.commonlib import datastore

from gwm_hazard.core.draws import Draws
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.distribution.shape import Shape, exceedance
from gwm_hazard.files.atomic import replacing
from gwm_hazard.intensity import parse_imt
from gwm_hazard.models.measuring import ln_measures
from gwm_hazard.models.registry import load_model
from gwm_hazard.openquake.curves import Curves
from gwm_hazard.openquake.gsim import estimated
from gwm_hazard.openquake.postproc import controlling
from gwm_hazard.openquake.rates import branches

#: Probability in the 50 years of the job of what happens at 1e-4 per year.
POE = float(-np.expm1(-50.0 * 1e-4))
LEVELS = {
    "PGA": "logscale(0.02, 4.0, 60)",
    "PGV": "logscale(2.0, 600.0, 60)",
    "SA(0.3)": "logscale(0.02, 8.0, 60)",
    "SA(1.0)": "logscale(0.02, 5.0, 60)",
    "SA(3.0)": "logscale(0.005, 2.5, 60)",
    "CAV": "logscale(0.05, 15.0, 60)",
    "RSD595": "logscale(2.0, 150.0, 60)",
}
PICTURED = ("PGA", "SA(1.0)", "RSD595")
TRUNCATION = 3.0


def analyse(dstore: object, draws: int) -> list[dict[str, object]]:
    """Levels, their ratio and its causes, one row a measure."""
    curves = Curves(dstore)
    by_name = {b.gsim.distribution: b for b in branches(curves)}
    imts = list(curves.imtls)
    levels = {
        k: [curves.level(0, b.realizations, imt, POE) for imt in imts] for k, b in by_name.items()
    }
    model = load_model("stochastic")
    rows = []
    for m, imt in enumerate(imts):
        branch = by_name["lognormal"]
        (control,) = controlling(curves, branch, 0, imt, [POE])
        moments, shape = estimated(branch.gsim, control.ctx.view(np.recarray), (imt,), True)
        z = (np.log(control.iml) - moments.mean) / moments.sigma
        normal = Shape(np.zeros_like(z), np.zeros_like(z))
        p = {k: exceedance(z, s, TRUNCATION)[:, 0] for k, s in (("l", normal), ("e", shape))}
        share = control.share
        rate = share / np.maximum(p["l"], 1e-12)  # proportional to the occurrence rate
        top = int(np.argmax(share))
        row = {
            "imt": imt,
            "lognormal": levels["lognormal"][m],
            "empirical": levels["empirical"][m],
            "skewness": share @ shape.skewness[:, 0],
            "kurtosis": share @ shape.kurtosis[:, 0],
            "epsilon": share @ z[:, 0],
            "ratio": (rate * p["e"]).sum() / (rate * p["l"]).sum(),
        }
        if imt in PICTURED:
            sc = Scenarios(**{k: v[[top]] for k, v in control.conditions.items()})
            ln = ln_measures(
                model, Draws(sc.repeat(draws), Noise(5, np.arange(draws), 0, 0)), [imt]
            )
            one = Shape(shape.skewness[[top]], shape.kurtosis[[top]])
            row["drawn"] = np.sort((ln[:, 0] - ln.mean()) / ln.std())
            row["shape"] = one
            row["scenario"] = f"M {sc['mag'][0]:.2f}, {sc['rrup'][0]:.0f} km"
        rows.append(row)
    return rows


def picture(dstore: object, rows: list[dict[str, object]]) -> Figure:
    """Hazard curves above, exceedance of the controlling rupture below."""
    figure = Figure(figsize=(12.0, 7.2), layout="constrained")
    axes = figure.subplots(2, len(PICTURED))
    oq = dstore["oqparam"]
    colours = {"lognormal": "#0072B2", "empirical": "#D55E00"}
    chosen = [r for r in rows if r["imt"] in PICTURED]
    for column, row in enumerate(chosen):
        imt = row["imt"]
        m = list(oq.imtls).index(imt)
        ax = axes[0, column]
        for b in branches(Curves(dstore)):
            curve = dstore["hcurves-rlzs"][0, b.realizations[0], m]
            rate = -np.log1p(-curve) / oq.investigation_time
            name = b.gsim.distribution
            ax.loglog(
                oq.imtls[imt], np.where(rate > 0, rate, np.nan), color=colours[name], label=name
            )
        ax.axhline(1e-4, color="0.6", lw=0.7, ls=":")
        ax.set_ylim(1e-7, 1e-1)
        ax.set_xlabel(f"{imt} ({parse_imt(imt).measure.unit})")
        ax.legend(frameon=False, fontsize=9)
        ax = axes[1, column]
        z = np.linspace(-3.0, 4.5, 301)
        zero = Shape(np.zeros((1, 1)), np.zeros((1, 1)))
        for name, shape in (("lognormal", zero), ("empirical", row["shape"])):
            p = exceedance(z[:, None], shape)[:, 0]
            ax.semilogy(z, p, color=colours[name], label=name)
        drawn = row["drawn"]
        p = 1.0 - (np.arange(len(drawn)) + 0.5) / len(drawn)
        ax.semilogy(drawn, p, ".", ms=2, color="black", label=f"{len(drawn)} draws")
        ax.set_ylim(1e-5, 1.0)
        ax.set_xlabel(f"standardised ln {imt}, {row['scenario']}")
        ax.legend(frameon=False, fontsize=9)
    axes[0, 0].set_ylabel("annual rate of exceedance")
    axes[1, 0].set_ylabel("P(exceedance), not truncated")
    figure.suptitle("Lognormal and empirical distribution of the stochastic model, Managua demo")
    return figure


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("empirical_hazard.png"))
    parser.add_argument("--draws", type=int, default=20_000)
    args = parser.parse_args()
    text = '[GenerativeWaveformGMM]\nmodel = "stochastic"\ndistribution = "{}"'
    chosen = {name: text.format(name) for name in ("lognormal", "empirical")}
    levels = "{" + ", ".join(f'"{k}": {v}' for k, v in LEVELS.items()) + "}"
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        ini = write_job(
            folder / "job", chosen, intensity_measure_types_and_levels=levels, poes=f"{POE:.8f}"
        )
        done = run(ini, folder / "oqdata")
        with datastore.read(str(done.datastore), read_parent=False) as dstore:
            rows = analyse(dstore, args.draws)
            with replacing(args.output) as temporary_file:
                picture(dstore, rows).savefig(temporary_file, dpi=130, format="png")
    print("Levels at 1e-4 per year, truncation at 3 standard deviations; and what controls them")
    print("measure   lognormal  empirical  change   skewness  kurtosis  epsilon  P ratio")
    for r in rows:
        change = 100 * (r["empirical"] / r["lognormal"] - 1)
        print(
            f"{r['imt']:9s}{r['lognormal']:10.4g} {r['empirical']:10.4g} {change:6.1f} %"
            f"  {r['skewness']:8.2f}  {r['kurtosis']:8.2f}  {r['epsilon']:7.2f}  {r['ratio']:7.2f}"
        )
    print("P ratio: exceedance rate at the lognormal's level, empirical over lognormal. A positive")
    print("skewness or kurtosis raises the tail above epsilon 2, a negative kurtosis (durations,")
    print("whose spread the model cuts at 2 standard deviations) ends it.")
    print(f"wrote {args.output.name}")


if __name__ == "__main__":
    main()
