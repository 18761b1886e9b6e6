"""Correlations between measures: published, observed, and those that models draw.

    python validation/suite/correlation.py --data ../shared/data/flatfiles/ngaw2_1000_rotd50.csv.gz

Observed: residuals of NGA-West2 records (M > 5, nearer than 100 km) about Boore et al. (2014), with
SA, PGA and PGV only. Published: Bradley's, and Baker and Jayaram (2008) between spectral ordinates.
Models: total residuals of draws for M 6 to 7.5 at 10 to 60 km. The last line of each measure is the
root mean square difference of the model from the published ones.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.models.registry import load_model
from gwm_hazard.openquake.correlation import published
from gwm_hazard.openquake.gmm import moments
from gwm_hazard.suite.correlation import measured

SPECTRAL = ("SA(0.05)", "SA(0.1)", "SA(0.2)", "SA(0.5)", "SA(1.0)", "SA(2.0)", "SA(3.0)")
OTHERS = ("PGA", "PGV", "CAV", "IA", "RSD595", "RSD575")
SHOWN = ("SA(0.2)", "SA(1.0)", *OTHERS)


def observed(path: Path) -> dict[tuple[str, str], float]:
    """Correlations of the residuals of a flatfile."""
    table = pd.read_csv(path).rename(columns=lambda c: c.replace("(1)", "(1.0)"))
    table = table.rename(columns={f"SA({t})": f"SA({t}.0)" for t in (2, 3)})
    imts = [i for i in (*SPECTRAL, *OTHERS) if i in table]
    table = table[(table.mag > 5) & (table.rjb < 100) & table.vs30.between(150, 1500)]
    table = table[(table[imts] > 0).all(axis=1)].reset_index(drop=True)
    residual = np.log(table[imts].to_numpy()) - moments("BooreEtAl2014", table, imts).mean
    matrix = np.corrcoef(residual.T)
    print(f"observed: {len(table)} records")
    return {(a, b): matrix[i, j] for i, a in enumerate(imts) for j, b in enumerate(imts)}


def scenarios() -> Scenarios:
    """A grid of what controls the hazard of active regions."""
    mag, rrup = (x.ravel() for x in np.meshgrid([6.0, 6.5, 7.0, 7.5], [10.0, 20.0, 35.0, 60.0]))
    return Scenarios(mag=mag, rrup=rrup, vs30=400.0, hypo_depth=10.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, help="flatfile with RotD50 measures")
    parser.add_argument("--model", action="append", help="default: stochastic")
    parser.add_argument("--draws", type=int, default=100, help="for each of 16 scenarios")
    arguments = parser.parse_args()
    of_papers = published("Bradley")
    of_records = observed(arguments.data) if arguments.data else {}
    imts = (*SPECTRAL, *OTHERS)
    models = {
        name: measured(load_model(name), scenarios(), imts, arguments.draws, seed=1)
        for name in arguments.model or ["stochastic"]
    }
    for name, found in models.items():
        print(
            f"{name}: {found.draws} draws, standard error at most {found.standard_error.max():.3f}"
        )
    for imt in SHOWN:
        print(f"\n{imt:16}" + "".join(f"{other:>9}" for other in imts))
        rows = {"published": [of_papers(imt, other) for other in imts]}
        if any((imt, other) in of_records for other in imts):
            rows["observed"] = [of_records.get((imt, other), np.nan) for other in imts]
        rows |= {n: [m(imt, other) for other in imts] for n, m in models.items()}
        for name, values in rows.items():
            print(f"  {name:14}" + "".join(f"{v:9.2f}" if v == v else "        -" for v in values))
        for name in models:
            difference = np.array(rows[name]) - rows["published"]
            print(f"  {name} from published, rms: {np.sqrt((difference**2).mean()):.2f}")


if __name__ == "__main__":
    main()
