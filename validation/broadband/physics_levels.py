"""Low frequencies of a layered earth beside Boore et al. (2014): SA at long periods.

    python validation/broadband/physics_levels.py [--draws 40]

For magnitudes and distances, random mechanisms and directions, Vs30 760 m/s: the mean of ln SA less
that of the GMM (strike-slip), and standard deviations. What is left above 1.2 Hz counts little at
these periods.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from openquake.hazardlib.contexts import ContextMaker
from openquake.hazardlib.gsim.boore_2014 import BooreEtAl2014

from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.simulations.geometry import random_ruptures
from gwm_hazard.simulations.layered import LayeredSource

LAYERS = Path(__file__).parents[2] / "demos" / "broadband" / "layered.toml"
IMTS = ["SA(2.0)", "SA(3.0)", "SA(5.0)"]
VS30 = 760.0


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=40)
    n = parser.parse_args().draws
    source = LayeredSource.read(LAYERS)
    maker = ContextMaker("*", [BooreEtAl2014()], {"imtls": {i: [0.1] for i in IMTS}})
    print("  M   Rrup   ln(layered/GMM) at 2, 3, 5 s    s.d.              s.d. of the GMM")
    for mag in (5.5, 6.0, 6.5, 7.0, 7.5):
        for rrup in (10.0, 20.0, 50.0, 90.0):
            at = Scenarios(mag=mag, rrup=np.full(n, rrup), vs30=VS30)
            noise = Noise(1, np.arange(n), 0, 0)
            made = random_ruptures(at, noise, source.seismogenic_km)
            low = source(Scenarios(**{k: made[k] for k in (*source.columns, "vs30")}), noise)
            acc = low.acceleration.astype(np.float32)
            ln = np.log(intensity_measures_array(acc, low.dt_s, IMTS, "RotD50"))
            ctx = maker.new_ctx(1)
            ctx["mag"], ctx["rake"], ctx["rjb"], ctx["vs30"] = mag, 0.0, rrup, VS30
            mean, sigma, *_ = maker.get_mean_stds([ctx])[:, 0, :, 0]
            print(f"{mag:4.1f}{rrup:6.0f}   ", end="")
            for values in (ln.mean(axis=0) - mean, ln.std(axis=0), sigma):
                print("".join(f"{v:7.2f}" for v in values), end="     ")
            print(flush=True)


if __name__ == "__main__":
    main()
