"""Distances, back-azimuth and azimuthal gap from coordinates (WGS84)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from gwm_hazard.errors import InputError

#: Conditions of the geometry and the coordinates they follow from.
_COORDINATES = ("event_lat", "event_lon", "station_lat", "station_lon")


def complete(metadata: dict[str, Any]) -> dict[str, Any]:
    """Add ``repi``, ``rhypo`` (km) and ``back_azimuth`` (deg) where they are missing.

    Hypocentral distance is sqrt(repi^2 + hypo_depth^2); given values are kept. Raises ValueError
    for coordinates that are impossible.
    """
    out = dict(metadata)
    values = [_number(out.get(name)) for name in _COORDINATES]
    if all(math.isfinite(v) for v in values):
        from obspy.geodetics import gps2dist_azimuth

        for name, value in zip(_COORDINATES, values, strict=True):
            limit = 90.0 if name.endswith("lat") else 360.0
            if abs(value) > limit:
                raise InputError(f"{name} = {value:g}: must lie within +-{limit:g} degrees")
        lat1, lon1, lat2, lon2 = values
        metres, _, back = gps2dist_azimuth(lat1, lon1, lat2, lon2)
        computed = {"repi": metres / 1000.0, "back_azimuth": back}
        out |= {k: v for k, v in computed.items() if not math.isfinite(_number(out.get(k)))}
    repi, depth = _number(out.get("repi")), _number(out.get("hypo_depth"))
    if not math.isfinite(_number(out.get("rhypo"))) and math.isfinite(repi + depth):
        out["rhypo"] = math.hypot(repi, depth)
    return out


def azimuthal_gap(azimuth: ArrayLike) -> float:
    """Largest angle between the azimuths, degrees, from an epicentre to its stations.

    360 for a single station (or several in one direction); NaN without any.
    """
    angles = np.unique(np.mod(np.asarray(azimuth, dtype=np.float64), 360.0))
    if angles.size == 0:
        return math.nan
    return float(np.diff(angles, append=angles[0] + 360.0).max())


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan
