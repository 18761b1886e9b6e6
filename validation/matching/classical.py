"""Time and curves of a matched branch beside those of its plain GMM.

    python validation/matching/classical.py [--repeats 5] [--gmm BooreEtAl2014]

Hazard curves of a point source at 100 sites, computed in this process by OpenQuake's hazardlib,
plain and matched by turns; the shortest times count. A whole job adds the same to both: reading,
filtering, and writing.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np
from openquake.hazardlib import geo, mfd, pmf, scalerel, site, source, tom
from openquake.hazardlib.calc.hazard_curve import calc_hazard_curves

from gwm_hazard.openquake.gmm import gsim_of
from gwm_hazard.openquake.gsim import GenerativeWaveformGMM

GMMS = ("BooreEtAl2014", "CampbellBozorgnia2014", "ChiouYoungs2014")
LEVELS = np.geomspace(0.005, 2.0, 20)
REGION = "Active Shallow Crust"


def point() -> Any:
    """Magnitudes of 5 to 7.5, two styles of faulting."""
    return source.PointSource(
        "1", "point", REGION, mfd.TruncatedGRMFD(5.0, 7.5, 0.1, 4.0, 1.0), 5.0,
        scalerel.WC1994(), 1.5, tom.PoissonTOM(50.0), 0.0, 20.0, geo.Point(0.0, 0.0),
        pmf.PMF([(0.5, geo.NodalPlane(0.0, 90.0, 0.0)), (0.5, geo.NodalPlane(60.0, 60.0, 90.0))]),
        pmf.PMF([(0.5, 8.0), (0.5, 12.0)]),
    )  # fmt: skip


def sites() -> Any:
    """100 sites up to 200 km away."""
    return site.SiteCollection(
        [
            site.Site(geo.Point(x, y), vs30=v, z1pt0=300.0, z2pt5=1.5, vs30measured=True)
            for x, v in zip(np.linspace(-1.3, 1.3, 10), np.linspace(250.0, 900.0, 10), strict=True)
            for y in np.linspace(-1.3, 1.3, 10)
        ]
    )


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gmm", action="append", help="one or more")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    imtls = {"PGA": LEVELS, "SA(0.3)": LEVELS, "SA(1.0)": LEVELS}
    where = sites()
    print("                         plain   matched   ratio   curves differ by")
    for gmm in args.gmm or GMMS:
        gsims = [gsim_of(gmm), GenerativeWaveformGMM(model="matched", gmm=gmm)]
        took, curves = [np.inf, np.inf], [np.empty(0)] * 2
        for _ in range(args.repeats):
            for k, gsim in enumerate(gsims):
                start = time.perf_counter()
                found = calc_hazard_curves([point()], where, imtls, {REGION: gsim}, 6.0)
                took[k] = min(took[k], time.perf_counter() - start)
                curves[k] = np.stack([found[i] for i in imtls])
        away = np.abs(curves[1] - curves[0]).max() / curves[0].max()
        ratio = took[1] / took[0]
        print(f"{gmm:22s} {took[0]:5.2f} s   {took[1]:5.2f} s   {ratio:5.3f}   {away:g}")


if __name__ == "__main__":
    main()
