"""What a model conditioned on a point-source distance is given for a M 7.5 rupture.

    python validation/openquake/finite_rupture.py

A vertical strike-slip rupture in OpenQuake's geometry (area of Wells and Coppersmith 1994, down to
15 km, top at the surface), sites 10 km from it along its length and others further away, and the
three distances that ``GenerativeWaveformGMM`` offers a model conditioned on ``rhypo``, each with
the median PGA. The motion is that of a point source: the stochastic model with its own saturation
taken out (h of 1 m), so that the distance alone saturates. For comparison: the bundled model on the
closest distance, and Boore et al. (2014). Then hypocentral and effective distance
by magnitude: why the latter is the default.
"""

from __future__ import annotations

import numpy as np
from openquake.hazardlib.contexts import simple_cmaker
from openquake.hazardlib.geo import Line, Mesh, Point, SimpleFaultSurface
from openquake.hazardlib.scalerel import WC1994
from openquake.hazardlib.source.rupture import BaseRupture

from gwm_hazard.core.distance import effective_distance_km
from gwm_hazard.core.ensemble_noise import Ensemble
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.distribution.estimate import estimate
from gwm_hazard.models.stochastic import StochasticModel
from gwm_hazard.openquake.gsim import GenerativeWaveformGMM

THICKNESS_KM = 15.0


def rupture(mag: float) -> BaseRupture:
    """Vertical strike-slip rupture to the north from 0 E, 0 N, hypocentre at its centre."""
    area = WC1994().get_median_area(mag, 0.0)
    width = min(np.sqrt(area / 1.5), THICKNESS_KM)
    length = area / width
    start = Point(0.0, 0.0)
    end = start.point_at(length, 0.0, 0.0)
    surface = SimpleFaultSurface.from_fault_data(Line([start, end]), 0.0, width, 90.0, 1.0)
    middle = start.point_at(length / 2, 0.0, 0.0)
    hypocentre = Point(middle.longitude, middle.latitude, width / 2)
    return BaseRupture(mag, 0.0, "Active Shallow Crust", hypocentre, surface)


def distances(rup: BaseRupture, sites: list[Point]) -> dict[str, np.ndarray]:
    """rrup and rhypo, km, by OpenQuake's surfaces, and the effective distance."""
    mesh = Mesh.from_points_list(sites)
    rrup = rup.surface.get_min_distance(mesh)
    rhypo = rup.hypocenter.distance_to_mesh(mesh)
    return {
        "effective": effective_distance_km(rup.mag, rrup),
        "rrup": rrup,
        "rhypo": rhypo,
        "rjb": rup.surface.get_joyner_boore_distance(mesh),
    }


def point_source_pga(mag: float, r: np.ndarray, depth: float) -> np.ndarray:
    """Median PGA, g, of the stochastic model as a plain point source at distance r."""
    model = StochasticModel(h_intercept=-3.0, h_slope=0.0)
    sc = Scenarios(mag=np.full(len(r), mag), rrup=r, vs30=400.0, hypo_depth=depth)
    return np.exp(estimate(model, sc, ["PGA"], Ensemble(280, 1)).mean[:, 0])


def length_km(rup: BaseRupture) -> float:
    """Length along strike."""
    return rup.surface.get_area() / rup.surface.get_width()


def gmm_pga(gsim: object, mag: float, depth: float, d: dict[str, np.ndarray]) -> np.ndarray:
    """Median PGA, g, of an OpenQuake GSIM."""
    cmaker = simple_cmaker([gsim], ["PGA"])
    ctx = cmaker.new_ctx(len(d["rrup"]))
    values = {"mag": mag, "hypo_depth": depth, "vs30": 400.0, "rrup": d["rrup"], "rjb": d["rjb"]}
    for name, value in values.items():
        if name in ctx.dtype.names:
            ctx[name] = value
    return np.exp(cmaker.get_mean_stds([ctx], split_by_mag=False)[0, 0, 0])


def main() -> None:
    from openquake.hazardlib.gsim.boore_2014 import BooreEtAl2014

    mag = 7.5
    rup = rupture(mag)
    length = length_km(rup)
    depth = rup.hypocenter.depth
    print(f"M {mag}: {length:.0f} km long, {rup.surface.get_width():.0f} km wide, hypocentre")
    print(f"at its centre, {depth:.1f} km deep; sites on Vs30 400 m/s")
    north = Point(0.0, 0.0)
    places = {
        "at the centre, 10 km off": north.point_at(length / 2, 0, 0).point_at(10, 0, 90),
        "a quarter along, 10 km off": north.point_at(length / 4, 0, 0).point_at(10, 0, 90),
        "at the end, 10 km off": north.point_at(10, 0, 90),
        "10 km beyond the end": north.point_at(10, 0, 180),
        "at the centre, 30 km off": north.point_at(length / 2, 0, 0).point_at(30, 0, 90),
        "at the end, 30 km off": north.point_at(30, 0, 90),
        "at the centre, 100 km off": north.point_at(length / 2, 0, 0).point_at(100, 0, 90),
    }
    d = distances(rup, list(places.values()))
    pga = {k: point_source_pga(mag, d[k], depth) for k in ("effective", "rrup", "rhypo")}
    bundled = gmm_pga(GenerativeWaveformGMM(), mag, depth, d)
    boore = gmm_pga(BooreEtAl2014(), mag, depth, d)
    print("                             distance, km          median PGA, g")
    print("site                         eff.  rrup rhypo   eff.  rrup rhypo  bundled  Boore 2014")
    for i, name in enumerate(places):
        cells = " ".join(f"{d[k][i]:5.1f}" for k in pga)
        values = " ".join(f"{v[i]:5.2f}" for v in pga.values())
        print(f"{name:27s} {cells}  {values}  {bundled[i]:7.2f}  {boore[i]:10.2f}")
    print("\nHypocentral and effective distance, km, 10 km off the centre and off the end")
    print("M       rhypo  effective    rhypo  effective")
    for m in (4.5, 5.5, 6.5, 7.0, 7.5):
        rup = rupture(m)
        along = length_km(rup)
        pair = [north.point_at(along / 2, 0, 0).point_at(10, 0, 90), north.point_at(10, 0, 90)]
        d = distances(rup, pair)
        cells = "   ".join(f"{d['rhypo'][i]:6.1f} {d['effective'][i]:10.1f}" for i in (0, 1))
        print(f"{m:3.1f}  {cells}")


if __name__ == "__main__":
    main()
