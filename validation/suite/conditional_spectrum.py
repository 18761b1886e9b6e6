"""Targets of suites beside OpenQuake's own conditional spectra and hazard curves.

    python validation/suite/conditional_spectrum.py

The demo's site and sources (managua), conditional on SA(0.5) at 10 and 2 % in 50 years, with the
correlation of Baker and Jayaram (2008): for Boore et al. (2014) alone and for the mixture of two
GMMs, median and sigma of the target over those of OpenQuake's ``conditional_spectrum``. OpenQuake
divides the weights of the ruptures by the poe of its interpolated curve and does not normalise
them, so that it needs dense levels: the last line says what 40 levels do. Of several branches it
averages probabilities in 50 years, a suite annual rates; the two differ by up to about a percent,
and by that its weights do not sum to 1. Its weights are those of exceedance; those of occurrence,
the default of a suite, stand beside them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from openquake.commonlib import datastore

sys.path.insert(0, str(Path(__file__).parents[1] / "openquake"))
from jobs import run, write_job

from gwm_hazard.openquake.correlation import published
from gwm_hazard.openquake.curves import mean_level
from gwm_hazard.openquake.site_hazard import site_hazard
from gwm_hazard.suite.target import Target, conditional

PERIODS = (0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0)
IMTS = tuple(f"SA({t})" for t in PERIODS)
REFERENCE = "SA(0.5)"
GMMS = {
    "BooreEtAl2014": {"Boore": "[BooreEtAl2014]"},
    "BooreEtAl2014 and Kanno2006Shallow": {
        "Boore": "[BooreEtAl2014]",
        "Kanno": "[Kanno2006Shallow]",
    },
}


def calculation(branches: dict[str, str], levels: int, home: Path) -> object:
    """Datastore of the demo's job with these branches and OpenQuake's conditional spectra."""
    text = ", ".join(f'"{imt}": logscale(0.002, 6.0, {levels})' for imt in IMTS)
    changed = {
        "intensity_measure_types_and_levels": f"{{{text}}}",
        "postproc_func": "conditional_spectrum.main",
        "cross_correlation": "BakerJayaram2008",
        "imt_ref": REFERENCE,
        "poes_disagg": None,
        "disagg_outputs": None,
    }
    ini = write_job(home / f"job{levels}", branches, **changed)
    return datastore.read(str(run(ini, home / "oqdata").datastore))


def compared(dstore: object, poe: float, weights: str) -> tuple[Target, np.ndarray, np.ndarray]:
    """The target, and its median and sigma over OpenQuake's, each (n_imts,)."""
    stored = dstore["cs-stats"]
    values = np.asarray(stored.array if hasattr(stored, "array") else stored[:])
    p = list(dstore["oqparam"].poes).index(poe)
    mean, sigma = values[0, p, 0, :, 0], values[0, p, 0, :, 1]
    c = site_hazard(dstore, IMTS).contributions
    rate = -np.log1p(-poe) / dstore["oqparam"].investigation_time
    target = conditional(c, REFERENCE, rate, published("BakerJayaram2008"), weights)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(np.array(IMTS) == REFERENCE, np.nan, target.sigma / sigma)
    return target, np.exp(target.mean) / mean, ratio


def line(name: str, values: np.ndarray) -> str:
    """One row of the table."""
    return f"  {name:28}" + "".join(f"{v:9.4f}" if np.isfinite(v) else "        -" for v in values)


def curves(dstore: object) -> float:
    """Largest relative difference of the mean hazard curves, poe from 1e-4 to 0.99."""
    c = site_hazard(dstore, IMTS).contributions
    years, worst = dstore["oqparam"].investigation_time, 0.0
    for m, (imt, levels) in enumerate(dstore["oqparam"].imtls.items()):
        stored = dstore["hcurves-stats"][0, 0, m]
        inside = (stored > 1e-4) & (stored < 0.99)
        poe = -np.expm1(-years * c.hazard(imt, levels[inside]))
        worst = max(worst, float(np.abs(poe / stored[inside] - 1).max()))
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--levels", type=int, default=300)
    levels = parser.parse_args().levels
    with tempfile.TemporaryDirectory() as folder:
        for name, branches in GMMS.items():
            dstore = calculation(branches, levels, Path(folder) / name.replace(" ", "_"))
            print(f"{name}, {levels} levels: target over OpenQuake's conditional spectrum")
            print("  period (s)" + " " * 18 + "".join(f"{t:9g}" for t in PERIODS))
            for poe in dstore["oqparam"].poes:
                target, median, sigma = compared(dstore, poe, "exceedance")
                level = mean_level(dstore, REFERENCE, poe)
                print(
                    f"  {100 * poe:g} % in 50 years: {REFERENCE} = {target.level:.4f} g, "
                    f"OpenQuake's curve {level:.4f} g"
                )
                print(line("median, by exceedance", median))
                print(line("sigma, by exceedance", sigma))
                print(line("median, by occurrence", compared(dstore, poe, "occurrence")[1]))
            print(f"  hazard curves: largest difference {100 * curves(dstore):.2f} %\n")
        coarse = calculation(GMMS["BooreEtAl2014"], 40, Path(folder) / "coarse")
        worst = [
            float(np.abs(compared(coarse, poe, "exceedance")[1] - 1).max())
            for poe in coarse["oqparam"].poes
        ]
        print(f"BooreEtAl2014, 40 levels: medians differ by up to {100 * max(worst):.1f} %")


if __name__ == "__main__":
    main()
