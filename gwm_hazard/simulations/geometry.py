"""Ruptures of random mechanism around a site, at a magnitude and closest distance."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtr

from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.simulations.rupture import Plane, wells_coppersmith

#: Mechanisms and their shares (cumulative): rake and dip, deg.
_MECHANISMS = ((0.5, 0.0, 90.0), (0.8, 90.0, 40.0), (1.0, -90.0, 55.0))


def top_km(mag: float, rake: float) -> float:
    """Depth of the top of a rupture, km (Chiou and Youngs 2014, eq. 4 and 5)."""
    if 30.0 <= rake <= 150.0:
        return float(max(2.704 - 1.226 * max(mag - 5.849, 0.0), 0.0) ** 2)
    return float(max(2.673 - 1.136 * max(mag - 4.970, 0.0), 0.0) ** 2)


def random_ruptures(scenarios: Scenarios, noise: Noise, seismogenic_km: float) -> Scenarios:
    """Scenarios with a rupture: mechanism by event, direction of the site by record.

    Of ``mag`` and ``rrup``, km: half of the events are strike-slip on vertical planes, three in
    ten reverse, the others normal; depth of the top as is usual for the magnitude, width as of
    Wells and Coppersmith (1994) down to the seismogenic depth; the site in any direction from the
    middle, at ``rrup``, or as near as it can be to a plane that lies deeper. Streams "geometry
    event" and "geometry record".

    Returns
    -------
    The scenarios, with repi, azimuth, strike (0), dip, rake, ztor, width and hypo_depth.
    """
    u = ndtr(noise.normal("geometry event", 1, per_event=True)[:, 0].astype(np.float64))
    turn = 360.0 * ndtr(noise.normal("geometry record", 1)[:, 0].astype(np.float64))
    columns = {k: np.array(scenarios[k]) for k in scenarios}
    rows = [
        _rupture(mag, rrup, share, azimuth, seismogenic_km)
        for mag, rrup, share, azimuth in zip(
            scenarios["mag"], scenarios["rrup"], u, turn, strict=True
        )
    ]
    names = ("repi", "azimuth", "strike", "dip", "rake", "ztor", "width", "hypo_depth")
    made = dict(zip(names, np.array(rows).T, strict=True))
    return Scenarios(**{k: v for k, v in columns.items() if k not in made}, **made)


def _rupture(
    mag: float, rrup: float, share: float, azimuth: float, seismogenic_km: float
) -> tuple[float, ...]:
    rake, dip = next((r, d) for most, r, d in _MECHANISMS if share <= most)
    sine = np.sin(np.radians(dip))
    area, width = wells_coppersmith(mag, rake)
    ztor = min(top_km(mag, rake), 0.5 * seismogenic_km)
    width = min(width, (seismogenic_km - ztor) / sine)
    plane = Plane(mag, 0.0, dip, rake, ztor, width, area / width)
    direction = np.cos(np.radians(azimuth)), np.sin(np.radians(azimuth))

    def distance(r: float) -> float:
        return plane.rrup_km(r * direction[0], r * direction[1])

    low, high = 0.0, rrup + plane.length + plane.width
    # Along a straight line the distance to a plane grows once it has begun to: beyond its least.
    steps = np.linspace(low, high, 64)
    low = float(steps[int(np.argmin([distance(r) for r in steps]))])
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if distance(middle) < rrup else (low, middle)
    return 0.5 * (low + high), azimuth, 0.0, dip, rake, ztor, width, ztor + 0.5 * width * sine
