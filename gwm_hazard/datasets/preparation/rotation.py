"""Which way the horizontals point, and their rotation to radial and transverse."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.errors import InputError

_WORDS = {"N": 0, "NS": 0, "NORTH": 0, "SN": 0, "E": 90, "EW": 90, "EAST": 90, "WE": 90,
          "S": 180, "W": 270}  # fmt: skip


def azimuths(components: Sequence[str], metadata: Mapping[str, Any]) -> tuple[float, float] | None:
    """Azimuths of the two horizontals, degrees clockwise from north; None where not known.

    The columns ``azimuth_1`` and ``azimuth_2`` of the metadata win; else the names tell: N, HNE,
    NS, EW2, 021, S40W.
    """
    given = [metadata.get(f"azimuth_{i}") for i in (1, 2)]
    if all(v is not None and np.isfinite(float(v)) for v in given):
        return float(given[0]), float(given[1])  # type: ignore[arg-type]
    told = [_azimuth(name) for name in components[:2]]
    if None in told or len(told) < 2:
        return None
    return told[0], told[1]  # type: ignore[return-value]


def _azimuth(name: str) -> float | None:
    plain = name.strip().upper().replace("-", "")
    if re.fullmatch(r"\d{1,3}", plain):
        return float(plain) if len(plain) == 3 and int(plain) <= 360 else None
    if match := re.fullmatch(r"([NS])(\d{1,2})([EW])", plain):
        angle = float(match[2]) if match[1] == "N" else 180.0 - float(match[2])
        return angle if match[3] == "E" else (360.0 - angle) % 360.0
    if match := re.fullmatch(r"(NS|EW)[12]", plain):
        plain = match[1]  # KiK-net
    elif re.fullmatch(r"[A-Z]{2}[NE]", plain) and plain not in _WORDS:
        plain = plain[-1]
    return _WORDS.get(plain)


def to_radial_transverse(
    horizontals: NDArray[np.float64], azimuths: tuple[float, float], back_azimuth: float
) -> NDArray[np.float64]:
    """(2, nt) as recorded to radial, away from the source, and transverse, 90 deg clockwise.

    back_azimuth : from the station to the source, degrees clockwise from north.
    Horizontals that are not at a right angle are resolved exactly; ValueError below 10 degrees.
    """
    a = np.deg2rad(azimuths)
    recorded = np.stack([np.cos(a), np.sin(a)], axis=1)  # rows: (north, east) of each
    if abs(np.linalg.det(recorded)) < np.sin(np.deg2rad(10.0)):
        raise InputError(
            f"horizontals at {azimuths[0]:g} and {azimuths[1]:g} deg: less than 10 deg apart"
        )
    r = np.deg2rad(back_azimuth + 180.0)
    wanted = np.array([[np.cos(r), np.sin(r)], [-np.sin(r), np.cos(r)]])
    return np.asarray(wanted @ np.linalg.solve(recorded, horizontals))
