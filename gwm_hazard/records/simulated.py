"""What readers of simulated motions share: the quantity that samples have, and acceleration of it.

A unit tells the quantity. Acceleration is the derivative of the spline of fifth order through the
samples, which at ten samples a period is right to 1e-4 and needs no motion to end at rest.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.errors import InputError
from gwm_hazard.records.traces import unit_factor

QUANTITIES = ("acceleration", "velocity", "displacement")

_LENGTHS = {"m": 1.0, "cm": 0.01, "mm": 1e-3, "km": 1e3, "nm": 1e-9}


def quantity_of(unit: str) -> tuple[int, float]:
    """How many times samples of a unit are differentiated, and SI units in one of it.

    Raises
    ------
    InputError
        A unit of none of :data:`QUANTITIES`.
    """
    plain = unit.strip().lower().replace(" ", "").replace("sec", "s")
    length, slash, rest = plain.partition("/")
    if length in _LENGTHS and (not slash or rest == "s"):
        return (1 if slash else 2), _LENGTHS[length]
    try:
        return 0, unit_factor(unit)
    except InputError:
        raise InputError(
            f"unit {unit!r} is not one of {', '.join(QUANTITIES)}: give m/s2, cm/s2, g, m/s, "
            "cm/s, m, cm ..."
        ) from None


def acceleration(data: NDArray[np.floating], dt_s: float, unit: str) -> NDArray[np.float64]:
    """Samples (..., nt) of any quantity as acceleration, m/s2."""
    from scipy.interpolate import make_interp_spline

    times, factor = quantity_of(unit)
    values = np.asarray(data, dtype=np.float64) * factor
    if not times:
        return values
    if values.shape[-1] < 8:
        raise InputError(f"{values.shape[-1]} samples: too few to be differentiated")
    t = np.arange(values.shape[-1]) * dt_s
    spline = make_interp_spline(t, values, k=5, axis=-1)
    return np.asarray(spline.derivative(times)(t), dtype=np.float64)


def told(unit: str, orientation: str) -> dict[str, str | float]:
    """Metadata of a simulated motion: what it was, and which way its components point."""
    quantity = QUANTITIES[quantity_of(unit)[0]]
    found: dict[str, str | float] = {"quantity": quantity, "orientation": orientation}
    if quantity != "acceleration":
        found["processing"] = f"differentiated from {quantity} in {unit}"
    return found


def one_unit(units: Sequence[str], given: str | None, where: str) -> str:
    """The unit that a user gives, else the only one that the file tells.

    Raises
    ------
    InputError
        None, or several that are of different quantities.
    """
    if given is not None:
        quantity_of(given)
        return given
    if len({quantity_of(u) for u in units}) == 1:
        return units[0]
    said = f"says {' and '.join(units)}" if units else "tells no unit"
    raise InputError(
        f"{where}: {said}: give that of the samples with --unit (cm/s for velocity, cm/s2 for "
        "acceleration ...)"
    )
