"""Component definitions: one value of a record from those of its two or three components."""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gwm_hazard.errors import InputError
from gwm_hazard.intensity._batch import N_ANGLES
from gwm_hazard.intensity.oscillator import rotd

#: Name and definition of each component, for the documentation.
COMPONENTS: dict[str, str] = {
    "RotDnn": "nn-th percentile over the rotation angles 0 to 179 degrees by 1 degree "
    "(Boore 2010); RotD50, RotD100",
    "GMRotDnn": "nn-th percentile, over rotations of the sensor by 0 to 89 degrees, of the "
    "geometric mean of the two rotated components (Boore et al. 2006)",
    "GMRotI50": "geometric mean of the two components at the one rotation that stays nearest to "
    "GMRotD50 over all periods (Boore et al. 2006)",
    "geometric_mean": "geometric mean of the two horizontal components as recorded",
    "larger": "larger of the two horizontal components as recorded",
    "vector_sum": "largest length of the horizontal vector; of peaks and SA only",
    "H1": "first horizontal component as recorded",
    "H2": "second horizontal component as recorded",
    "vertical": "vertical component",
    "V/H": "vertical over RotD50",
}

#: Periods over which GMRotI50 chooses its rotation, s. Boore et al. (2006) take the usable band
#: of a record; a fixed one makes the value of a measure independent of the others asked for.
PENALTY_PERIODS = np.geomspace(0.05, 5.0, 25)

_PERCENTILES = re.compile(r"(RotD|GMRotD)(\d{2}|100)")


@dataclass(frozen=True)
class Component:
    """A component taken apart: its name, and the percentile of RotDnn and GMRotDnn."""

    name: str
    percentile: float = np.nan


def parse_component(component: str) -> Component:
    """Component("RotD", 50.0) for "RotD50"; ValueError lists the known ones."""
    if match := _PERCENTILES.fullmatch(component):
        return Component(match[1], float(match[2]))
    if component in COMPONENTS and not component.endswith("nn"):
        return Component(component)
    raise InputError(
        f"unknown component {component!r}: give one of {', '.join(COMPONENTS)} (nn from 00 to 100)"
    )


def geometric_means(angles: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 90, m) geometric means of perpendicular directions from values at 180 angles."""
    half = N_ANGLES // 2
    return np.sqrt(angles[:, :half] * angles[:, half:])


def gmroti_rotation(acc: ArrayLike, dt: float, damping: float = 0.05) -> NDArray[np.int64]:
    """Rotation of the sensor in degrees, (n,) 0 to 89, that defines GMRotI50.

    acc : (n, 2, nt) m/s2; dt : s. It minimises the sum over `PENALTY_PERIODS` of the squared
    relative difference between the geometric mean and GMRotD50 (Boore et al., 2006, eq. 4-6).
    """
    means = geometric_means(rotd(acc, dt, PENALTY_PERIODS, None, damping))
    middle = np.median(means, axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        penalty = np.nan_to_num((means / middle - 1) ** 2).sum(axis=2)
    return np.argmin(penalty, axis=1)
