"""Units of acceleration in exported files."""

from __future__ import annotations

from gwm_hazard.core.units import GRAVITY_M_S2

#: One unit in m/s2.
M_S2 = {"m/s2": 1.0, "cm/s2": 0.01, "g": GRAVITY_M_S2}
