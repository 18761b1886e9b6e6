"""The stochastic model beside Boore et al. (2014): ratios of medians and total sigmas.

    python validation/stochastic/compare_boore2014.py

Prints a table at M 5, 6, 7, Joyner-Boore distances 10 to 150 km, Vs30 400 and 760 m/s, and the
summary that docs/models.md quotes. Ruptures start 7, 4 and 0 km deep and the hypocentre is at
10 km; style of faulting is strike-slip.
"""

from __future__ import annotations

import argparse

import numpy as np
from numpy.typing import NDArray
from openquake.hazardlib.contexts import simple_cmaker
from openquake.hazardlib.gsim.boore_2014 import BooreEtAl2014

from gwm_hazard.core.ensemble_noise import Ensemble
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.distribution.estimate import estimate
from gwm_hazard.models.registry import load_model

IMTS = ["PGA", "PGV", "SA(0.1)", "SA(0.3)", "SA(1.0)", "SA(3.0)"]
ZTOR_KM = {5.0: 7.0, 6.0: 4.0, 7.0: 0.0}


def grid() -> tuple[Scenarios, NDArray[np.float64]]:
    """Scenarios of the table and their Joyner-Boore distances, km."""
    mag, rjb, vs30 = (
        v.ravel()
        for v in np.meshgrid(
            [5.0, 6.0, 7.0], [10.0, 20.0, 40.0, 80.0, 150.0], [400.0, 760.0], indexing="ij"
        )
    )
    ztor = np.array([ZTOR_KM[m] for m in mag])
    return Scenarios(mag=mag, rrup=np.hypot(rjb, ztor), vs30=vs30, hypo_depth=10.0), rjb


def boore_2014(
    sc: Scenarios, rjb: NDArray[np.float64], imts: list[str]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and total sigma of ln IM by OpenQuake's BooreEtAl2014, (n, n_imts) each."""
    maker = simple_cmaker([BooreEtAl2014()], imts)
    ctx = maker.new_ctx(len(sc))
    for name, values in (("mag", sc["mag"]), ("rjb", rjb), ("vs30", sc["vs30"]), ("rake", 0.0)):
        ctx[name] = values
    mean, sigma, _, _ = maker.get_mean_stds([ctx])[:, 0]
    return mean.T, sigma.T


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--realizations", type=int, default=400)
    args = parser.parse_args()
    sc, rjb = grid()
    ours = estimate(load_model("stochastic"), sc, IMTS, Ensemble(args.realizations, 5))
    theirs, their_sigma = boore_2014(sc, rjb, IMTS)
    ratio = np.exp(ours.mean - theirs)
    print(f"median stochastic / median BooreEtAl2014, and (total sigma), {args.realizations} draws")
    print("  M   Rjb  Vs30 " + "".join(f"{i:>15s}" for i in IMTS))
    for i in range(len(sc)):
        cells = "".join(f"   {ratio[i, j]:5.2f} ({ours.sigma[i, j]:.2f})" for j in range(len(IMTS)))
        print(f"{sc['mag'][i]:4.1f} {rjb[i]:5.0f} {sc['vs30'][i]:5.0f} {cells}")
    factor = np.exp(np.abs(np.log(ratio)))
    print(
        f"\nfactor between the medians: average {np.exp(np.log(factor).mean()):.3f}, "
        f"largest {factor.max():.3f}; mean ratio {np.exp(np.log(ratio).mean()):.3f}"
    )
    print(
        f"total sigma: stochastic {ours.sigma.min():.2f} to {ours.sigma.max():.2f}, "
        f"BooreEtAl2014 {their_sigma.min():.2f} to {their_sigma.max():.2f}"
    )
    print(
        f"tau: stochastic {ours.tau.min():.2f} to {ours.tau.max():.2f}; "
        f"phi: {ours.phi.min():.2f} to {ours.phi.max():.2f}"
    )


if __name__ == "__main__":
    main()
