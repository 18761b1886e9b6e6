"""Quantities, units and physical limits: the one table that errors, files and reports read."""

from __future__ import annotations

from dataclasses import dataclass

#: Standard acceleration of gravity, m/s2 (CGPM 1901).
GRAVITY_M_S2 = 9.80665


@dataclass(frozen=True)
class Condition:
    """A quantity that describes an earthquake scenario, under OpenQuake's name.

    ``low`` and ``high`` are *physical* limits: values outside are mistakes. What a model was
    made for stands on its card (:class:`gwm_hazard.core.card.Range`). ``told`` is False where
    neither hazard calculations nor flatfiles have a word for it.
    """

    name: str
    unit: str
    description: str
    low: float
    high: float
    told: bool = True


CONDITIONS: dict[str, Condition] = {
    c.name: c
    for c in (
        Condition("mag", "Mw", "moment magnitude", -2.0, 10.0),
        Condition("rhypo", "km", "hypocentral distance", 0.0, 20000.0),
        Condition("rrup", "km", "closest distance to the rupture surface", 0.0, 20000.0),
        Condition("rjb", "km", "Joyner-Boore distance", 0.0, 20000.0),
        Condition("repi", "km", "epicentral distance", 0.0, 20000.0),
        Condition("vs30", "m/s", "time-averaged shear-wave velocity of the top 30 m", 30.0, 5000.0),
        Condition("hypo_depth", "km", "depth of the hypocentre", -5.0, 800.0),
        Condition("ztor", "km", "depth of the top of the rupture", -5.0, 800.0),
        Condition("rake", "deg", "rake angle", -180.0, 180.0),
        Condition("dip", "deg", "dip angle", 0.0, 90.0),
        Condition(
            "azimuthal_gap", "deg", "largest azimuthal gap between stations", 0.0, 360.0, told=False
        ),
    )
}

#: What published ground-motion models take beside these. OpenQuake writes -999 for a depth to
#: velocity that is not known.
GMM_CONDITIONS: dict[str, Condition] = {
    c.name: c
    for c in (
        Condition("rx", "km", "distance across strike from the top edge", -20000.0, 20000.0),
        Condition("ry0", "km", "distance along strike beyond the rupture", 0.0, 20000.0),
        Condition("rvolc", "km", "length of the path through volcanic regions", 0.0, 20000.0),
        Condition("azimuth", "deg", "azimuth of the site from the epicentre", -360.0, 360.0),
        Condition("width", "km", "rupture width", 0.0, 1000.0),
        Condition("strike", "deg", "strike angle", 0.0, 360.0),
        Condition("hypo_lon", "deg", "longitude of the hypocentre", -180.0, 180.0),
        Condition("hypo_lat", "deg", "latitude of the hypocentre", -90.0, 90.0),
        Condition("vs30measured", "-", "1 where vs30 is measured, 0 where inferred", 0.0, 1.0),
        Condition("z1pt0", "m", "depth to a shear-wave velocity of 1.0 km/s", -999.0, 20000.0),
        Condition("z1pt4", "m", "depth to a shear-wave velocity of 1.4 km/s", -999.0, 20000.0),
        Condition("z2pt5", "km", "depth to a shear-wave velocity of 2.5 km/s", -999.0, 20.0),
        Condition("backarc", "-", "1 for a site behind the volcanic arc, else 0", 0.0, 1.0),
        Condition("xvf", "km", "distance to the volcanic front", -20000.0, 20000.0),
        Condition("slope", "-", "slope of the ground", 0.0, 100.0),
        Condition("f0", "Hz", "resonance frequency of the site", -999.0, 100.0),
        Condition("kappa0", "s", "site attenuation", -999.0, 1.0),
        Condition("gmm", "-", "number of the GMM among those of a matched model", 0.0, 10000.0),
        Condition("h800", "m", "depth to a shear-wave velocity of 800 m/s", -999.0, 20000.0),
    )
}

#: Every name that scenarios may have.
ALL_CONDITIONS = CONDITIONS | GMM_CONDITIONS
