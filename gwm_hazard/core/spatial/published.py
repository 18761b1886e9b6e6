"""Published correlations of within-event residuals between two sites, by name.

===================  =====================================================================
``JB2009``           Jayaram and Baker (2009) Earthquake Eng. Struct. Dyn. 38: 1687-1708;
                     Vs30 not clustered (case 1)
``JB2009-clustered`` the same, where Vs30 of neighbouring sites is alike (case 2)
``HM2018``           Heresi and Miranda (2019) Bull. Earthquake Eng. 17: 1099-1115, median
``LB2013``           Loth and Baker (2013) Earthquake Eng. Struct. Dyn. 42: 397-417, with the
                     erratum (2020) 49: 315-316; also between two measures
``WangEtAl2021``     Wang, Olsen and Day (2021) Earthquake Spectra 37: 2041-2065; effective
                     Fourier amplitudes
===================  =====================================================================

Measures have OpenQuake's names; ``EAS(f)`` is the Fourier amplitude at f Hz. PGA stands at a
period of 0 and, as in OpenQuake, PGV at one of 1 s, where a paper does not tell.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gwm_hazard.errors import InputError

Array = NDArray[np.float64]


def period_s(measure: str) -> float:
    """Period at which a measure stands, s."""
    if measure in (fixed := {"PGA": 0.0, "PGV": 1.0}):
        return fixed[measure]
    if not (measure.startswith("SA(") and measure.endswith(")")):
        raise InputError(f"no spatial correlation of {measure} is known: PGA, PGV and SA have one")
    return float(measure[3:-1])


def jayaram_baker(t: float, h_km: Array, clustered: bool = False) -> Array:
    """Jayaram and Baker (2009), eq. 17 to 20."""
    short = 40.7 - 15.0 * t if clustered else 8.5 + 17.2 * t
    range_km = short if t < 1.0 else 22.0 + 3.7 * t
    return np.exp(-3.0 * h_km / range_km)


def heresi_miranda(t: float, h_km: Array) -> Array:
    """Heresi and Miranda (2019), eq. 8 and 9."""
    short, long = 4.231 * t**2 - 5.180 * t + 13.392, 0.140 * t**2 - 2.249 * t + 17.050
    beta = short if t < 1.37 else long
    return np.exp(-((h_km / beta) ** 0.55))


_LB_PERIODS_S = np.array([0.01, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 7.5, 10.0])
#: Coregionalization matrices of the short range, the long range and the nugget, as published in
#: percent: rows of the upper triangle.
_LB_PERCENT = (
    "29 25 23 23 18 10 6 6 6; 30 20 16 10 4 3 4 5; 27 18 10 3 0 1 2; 31 22 14 8 7 7; "
    "33 24 16 13 12; 33 26 21 19; 37 30 26; 28 24; 23",
    "47 40 43 35 27 15 13 9 12; 42 37 25 15 3 4 0 3; 45 36 26 15 9 5 8; 42 37 29 20 16 16; "
    "48 41 26 21 21; 55 37 33 32; 51 49 49; 62 60; 68",
    "24 22 21 9 -2 1 3 2 1; 28 20 4 -5 0 1 1 -1; 28 5 -6 0 4 3 1; 26 14 5 5 5 4; "
    "20 7 5 5 5; 12 8 7 6; 12 10 8; 10 9; 9",
)


def _symmetric(text: str) -> Array:
    rows = [np.array(row.split(), dtype=np.float64) / 100.0 for row in text.split(";")]
    out = np.zeros((len(rows), len(rows)))
    for i, row in enumerate(rows):
        out[i, i:] = out[i:, i] = row
    return out


_LB = tuple(_symmetric(text) for text in _LB_PERCENT)


def loth_baker(t1: float, t2: float, h_km: Array) -> Array:
    """Loth and Baker (2013), eq. 42: between SA at t1 and at t2, matrices linear in period."""
    at = [np.clip(t, _LB_PERIODS_S[0], _LB_PERIODS_S[-1]) for t in (t1, t2)]

    def value(matrix: Array) -> float:
        # Along the diagonal only its own values tell: those beside it are no variances.
        if at[0] == at[1]:
            return float(np.interp(at[0], _LB_PERIODS_S, np.diag(matrix)))
        rows = [float(np.interp(at[1], _LB_PERIODS_S, row)) for row in matrix]
        return float(np.interp(at[0], _LB_PERIODS_S, rows))

    short, long, nugget = (value(matrix) for matrix in _LB)
    return (
        short * np.exp(-3.0 * h_km / 20.0)
        + long * np.exp(-3.0 * h_km / 70.0)
        + nugget * (h_km == 0.0)
    )


#: Frequency, Hz, and the shares of the ranges 10 and 100 km in the variance; the rest is nugget.
_WANG = np.array(
    [
        (0.1, 0.056, 0.904), (0.2, 0.328, 0.650), (0.3, 0.434, 0.526), (0.5, 0.434, 0.477),
        (0.7, 0.465, 0.440), (1.0, 0.449, 0.387), (2.0, 0.550, 0.344), (3.0, 0.565, 0.318),
        (4.0, 0.520, 0.333), (6.0, 0.492, 0.399), (9.0, 0.485, 0.416), (11.0, 0.409, 0.489),
        (15.0, 0.378, 0.511), (19.0, 0.400, 0.517), (23.0, 0.396, 0.511),
    ]
)  # fmt: skip


def wang_et_al(f_hz: float, h_km: Array) -> Array:
    """Wang, Olsen and Day (2021): the Fourier amplitude at one frequency."""
    short, long = (np.interp(np.log(f_hz), np.log(_WANG[:, 0]), _WANG[:, i]) for i in (1, 2))
    return (
        short * np.exp(-3.0 * h_km / 10.0)
        + long * np.exp(-3.0 * h_km / 100.0)
        + (1.0 - short - long) * (h_km == 0.0)
    )


_OF_RESPONSE: dict[str, Callable[[float, Array], Array]] = {
    "JB2009": jayaram_baker,
    "JB2009-clustered": lambda t, h_km: jayaram_baker(t, h_km, clustered=True),
    "HM2018": heresi_miranda,
    "LB2013": lambda t, h_km: loth_baker(t, t, h_km),
}
OF_FOURIER = "WangEtAl2021"

#: Models by the name that a user gives.
NAMES = (*_OF_RESPONSE, OF_FOURIER)


def tells(name: str, measure: str) -> bool:
    """Whether a model is of a measure."""
    return measure.startswith("EAS(") == (name == OF_FOURIER)


def correlation(name: str, measure: str, h_km: ArrayLike, other: str = "") -> Array:
    """Correlation of the residuals of ln IM of two sites.

    Parameters
    ----------
    name : of :data:`NAMES`
    measure : of the one site, and of the other where ``other`` is not given
    h_km : distance between the sites, km, any shape
    other : with "LB2013", the measure of the other site

    Raises
    ------
    InputError
        An unknown name, or a measure that the model does not tell.
    """
    h = np.asarray(h_km, dtype=np.float64)
    check(name)
    if not tells(name, measure):
        raise InputError(f"spatial correlation {name!r} does not tell {measure}")
    if name == OF_FOURIER:
        return wang_et_al(float(measure[4:-1]), h)
    if other and other != measure:
        if name != "LB2013":
            raise InputError(f"spatial correlation {name!r} is of one measure at two sites")
        return loth_baker(period_s(measure), period_s(other), h)
    return _OF_RESPONSE[name](period_s(measure), h)


def check(name: str) -> None:
    """Refuse a name that is none."""
    if name not in NAMES:
        raise InputError(f"spatial_correlation = {name!r}: must be one of {', '.join(NAMES)}")
