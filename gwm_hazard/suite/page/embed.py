"""Time histories inside the page: few columns, 16 bits a value, base64."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.core.units import GRAVITY_M_S2
from gwm_hazard.suite.motions import Motions, husid, spectra, velocity_and_displacement
from gwm_hazard.suite.page.figures import shown_periods
from gwm_hazard.suite.study import Study, Suite

Array = NDArray[np.float64]

#: Columns of a time history, each with its lowest and highest value: as many as a screen shows.
COLUMNS = 1000

#: Points of an Arias build-up, which has no peaks to lose.
HUSID_POINTS = 400

#: Motions of all suites together that the page holds; about 50 kB each.
MOST_MOTIONS = 200

#: What is shown of a motion: name, unit, and the unit in SI.
QUANTITIES = (
    ("acceleration", "g", GRAVITY_M_S2),
    ("velocity", "cm/s", 0.01),
    ("displacement", "cm", 0.01),
)


@dataclass(frozen=True)
class Digest:
    """What the page needs of the motions of a suite, without their waveforms.

    Attributes
    ----------
    imts, values : as of :class:`gwm_hazard.suite.motions.Motions`
    periods, sa : (n_periods,) s and (n, n_periods) g, spectra of all motions
    embedded : for the script of the page, the first motions of the suite
    """

    imts: tuple[str, ...]
    values: Array
    periods: Array
    sa: Array
    embedded: list[dict[str, Any]]


def digest(study: Study, suite: Suite, motions: Motions, most: int) -> Digest:
    """Spectra of all motions, time histories of at most so many."""
    periods = shown_periods(suite)
    return Digest(
        motions.imts,
        motions.values,
        periods,
        spectra(motions, study.component, periods),
        [embedded(motions, row) for row in range(min(len(motions), most))],
    )


def embedded(motions: Motions, row: int) -> dict[str, Any]:
    """A motion for the script of the page.

    ``blob`` holds 16-bit integers, little-endian: for each quantity and component a time history
    of ``points`` values over ``duration`` s, in units of its ``peak`` / 32767; then for each
    component the Arias build-up, ``husid_points`` values in units of 1 / 32767.
    """
    acceleration = motions.acceleration[row]
    velocity, displacement = velocity_and_displacement(acceleration, motions.dt_s)
    parts: list[NDArray[np.int16]] = []
    peaks, ends = [], []
    for (_, _, unit), values in zip(
        QUANTITIES, (acceleration.astype(np.float64), velocity, displacement), strict=True
    ):
        values = values / unit
        peaks.append(np.abs(values).max(axis=1))
        ends.append(values[:, -1])
        parts.extend(
            _packed(outline(v, COLUMNS), p) for v, p in zip(values, peaks[-1], strict=True)
        )
    points = len(parts[0])
    build_up = husid(acceleration)
    at = np.linspace(0, build_up.shape[1] - 1, min(HUSID_POINTS, build_up.shape[1]))
    time = np.arange(build_up.shape[1])
    parts.extend(_packed(np.interp(at, time, b), 1.0) for b in build_up)
    return {
        "dt": motions.dt_s,
        "duration": (acceleration.shape[1] - 1) * motions.dt_s,
        "points": points,
        "husid_points": len(at),
        "peaks": [[_short(v) for v in p] for p in peaks],
        "ends": [[_short(v) for v in e] for e in ends],
        "d595": [[_short(t) for t in significant(b, motions.dt_s)] for b in build_up],
        "blob": base64.b64encode(np.concatenate(parts).astype("<i2").tobytes()).decode("ascii"),
    }


def outline(values: Array, columns: int) -> Array:
    """Values as they are where few; else the extremes of each column, in their order in time.

    Parameters
    ----------
    values : (npts,)
    columns : the result has at most twice as many values, spread evenly over the same time
    """
    n = len(values)
    if n <= 2 * columns:
        return values
    width = -(-n // columns)
    count = -(-n // width)
    parts = np.pad(values, (0, count * width - n), mode="edge").reshape(count, width)
    ends = np.sort(np.stack([parts.argmin(axis=1), parts.argmax(axis=1)], axis=1), axis=1)
    return np.take_along_axis(parts, ends, axis=1).ravel()


def significant(build_up: Array, dt_s: float) -> tuple[float, float]:
    """Times, s, at which 5 % and 95 % of a component's Arias intensity are reached."""
    if build_up[-1] <= 0:
        return 0.0, 0.0
    rising = np.maximum.accumulate(build_up)
    index = np.searchsorted(rising, (0.05, 0.95))
    before = np.maximum(index - 1, 0)
    step = rising[index] - rising[before]
    part = np.divide((0.05, 0.95) - rising[before], step, out=np.zeros(2), where=step > 0)
    first, last = (before + part) * dt_s
    return float(first), float(last)


def _packed(values: Array, peak: float) -> NDArray[np.int16]:
    scale = 32767.0 / peak if peak > 0 else 0.0
    return np.round(values * scale).astype(np.int16)


def _short(value: float) -> float:
    """Six digits: what the script shows has fewer."""
    return float(f"{value:.6g}")
