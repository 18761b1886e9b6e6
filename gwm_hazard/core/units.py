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
