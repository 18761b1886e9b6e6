"""Published correlations between the total residuals of ln IM, by name.

``BakerJayaram2008`` (Baker and Jayaram 2008, Earthquake Spectra 24(1): 299-317): SA, 0.01 to 10 s.
OpenQuake's own; PGA stands for SA(0.01).

``Bradley``: SA, PGA, PGV, CAV, IA, RSD575, RSD595. All pairs of SA after Baker and Jayaram (2008),
as these papers use it; the others, of the same records and ground-motion models, after Bradley:

- PGA with SA: 2011, Earthquake Eng. Struct. Dyn. 40(15): 1707-1721;
- durations: 2011, J. Earthquake Eng. 15(6): 809-832;
- PGV: 2012, Earthquake Spectra 28(1): 17-35;
- CAV: 2012, Earthquake Spectra 28(1): 37-54;
- IA: 2015, Soil Dyn. Earthquake Eng. 78: 89-98.

Baker and Bradley (2017, Earthquake Spectra 33(1): 145-156) found them to hold for the NGA-West2
records: shallow crustal earthquakes, M > 5, within 100 km, with little dependence on magnitude,
distance and Vs30. Amplitudes there are GMRotI50 or RotD50, durations and CAV geometric means of
two components; they are used for RotD50 here.

``GodaAtkinson2009`` (Goda and Atkinson 2009, BSSA 99(5): 3003-3020): SA and PGA, 0.1 to 5 s, Japan.
OpenQuake's own; of between-event residuals, for comparison.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from openquake.hazardlib import cross_correlation
from openquake.hazardlib.imt import from_string

from gwm_hazard.errors import InputError
from gwm_hazard.intensity import parse_imt
from gwm_hazard.suite.target import Correlation

#: Models by the name that a user gives.
NAMES = ("BakerJayaram2008", "Bradley", "GodaAtkinson2009")

#: Bradley's equation for SA: segments with upper period e, s, and
#: (a + b) / 2 - (a - b) / 2 tanh(d ln(T / c)); columns a, b, c, d, e.
_TANH = {
    "PGA": ((1.0, 0.895, 0.06, 1.6, 0.20), (0.97, 0.25, 0.80, 0.8, 10.0)),
    "PGV": (
        (0.73, 0.54, 0.045, 1.8, 0.1),
        (0.54, 0.81, 0.28, 1.5, 0.75),
        (0.80, 0.76, 1.1, 3.0, 2.5),
        (0.76, 0.70, 5.0, 3.2, 10.0),
    ),
    "CAV": (
        (0.70, 0.635, 0.043, 2.5, 0.20),
        (0.635, 0.525, 0.95, 3.0, 3.0),
        (0.525, 0.39, 6.2, 4.0, 10.0),
    ),
    # The last d is also found printed as 5.6, which moves the coefficient by at most 0.002.
    "IA": (
        (0.83, 0.74, 0.05, 2.5, 0.20),
        (0.74, 0.46, 1.0, 1.5, 4.0),
        (0.46, 0.35, 5.5, 6.0, 10.0),
    ),
}

#: Bradley's (2011) points for durations with SA, linear in ln T between: period s, coefficient.
_POINTS = {
    "RSD575": ((0.01, 0.09, 0.30, 1.40, 6.5, 10.0), (-0.45, -0.39, -0.39, -0.06, 0.16, 0.0)),
    "RSD595": (
        (0.01, 0.04, 0.08, 0.26, 1.40, 6.0, 10.0),
        (-0.41, -0.41, -0.38, -0.35, -0.02, 0.23, 0.02),
    ),
}

#: Pairs without SA, from the same papers.
_PAIRS = {
    frozenset(pair): rho
    for pair, rho in {
        ("PGA", "PGV"): 0.733,
        ("PGA", "CAV"): 0.700,
        ("PGA", "IA"): 0.83,
        ("PGA", "RSD575"): -0.442,
        ("PGA", "RSD595"): -0.405,
        ("PGV", "CAV"): 0.691,
        ("PGV", "IA"): 0.73,
        ("PGV", "RSD575"): -0.259,
        ("PGV", "RSD595"): -0.211,
        ("CAV", "IA"): 0.89,
        ("CAV", "RSD575"): 0.077,
        ("CAV", "RSD595"): 0.122,
        ("IA", "RSD575"): -0.19,
        ("IA", "RSD595"): -0.20,
        ("RSD575", "RSD595"): 0.843,
    }.items()
}


def published(name: str) -> Correlation:
    """A published correlation of two measures.

    Parameters
    ----------
    name : one of ``NAMES``

    Returns
    -------
    a function of two measures by OpenQuake's names; it raises a ValueError for a measure or a
    period that the model does not cover

    Raises
    ------
    ValueError
        An unknown name.
    """
    if name not in NAMES:
        raise InputError(
            f"correlation = {name!r}: must be one of {', '.join(NAMES)}, or 'measured' for that "
            "of the model's own waveforms"
        )
    if name == "Bradley":
        return _bradley
    if name == "GodaAtkinson2009":
        return _of_openquake(name, 0.1, 5.0, "PGA")
    return _of_openquake(name, 0.01, 10.0, "SA(0.01)")


def _of_openquake(name: str, low: float, high: float, pga: str) -> Correlation:
    """One of OpenQuake's models of SA and PGA, which it takes as ``pga``."""
    model = getattr(cross_correlation, name)()

    def correlation(first: str, second: str) -> float:
        for imt in (first, second):
            if imt != "PGA":
                _period(imt, name, low, high)
        kinds = [from_string(pga if imt == "PGA" else imt) for imt in (first, second)]
        return 1.0 if kinds[0] == kinds[1] else float(model.get_correlation(*kinds))

    return correlation


def _bradley(first: str, second: str) -> float:
    """Bradley's coefficient, Baker and Jayaram's for two spectral accelerations."""
    names = [parse_imt(imt).name if imt.startswith("SA(") else imt for imt in (first, second)]
    for imt, name in zip((first, second), names, strict=True):
        if name != "SA" and name not in _TANH and name not in _POINTS:
            raise InputError(_uncovered(imt, "Bradley"))
    if first == second:
        return 1.0
    if names == ["SA", "SA"]:
        return _SPECTRAL(first, second)
    if "SA" not in names:
        return _PAIRS[frozenset(names)]
    other = names[1 - names.index("SA")]
    period = _period((first, second)[names.index("SA")], "Bradley", 0.01, 10.0)
    if other in _POINTS:
        at, rho = _POINTS[other]
        return float(np.interp(np.log(period), np.log(at), rho))
    a, b, c, d, _ = next(s for s in _TANH[other] if period <= s[-1])
    return float((a + b) / 2 - (a - b) / 2 * np.tanh(d * np.log(period / c)))


def _period(imt: str, model: str, low: float, high: float) -> float:
    """Period of a spectral acceleration."""
    if not imt.startswith("SA("):
        raise InputError(_uncovered(imt, model))
    period = parse_imt(imt).period
    if not low <= period <= high:
        raise InputError(
            f"imt = {imt!r}: correlation {model!r} covers periods from {low:g} to {high:g} s; "
            "leave the period out, or take 'measured', the correlation of the model's own waveforms"
        )
    return period


def _uncovered(imt: str, model: str) -> str:
    covers = ["PGA", "SA(T)"] if model != "Bradley" else ["SA(T)", *_TANH, *_POINTS]
    further = " 'Bradley' covers it;" if model != "Bradley" and imt in {*_TANH, *_POINTS} else ""
    return (
        f"imt = {imt!r}: correlation {model!r} covers {', '.join(covers)};{further} 'measured', "
        "the correlation of the model's own waveforms, covers all measures"
    )


_SPECTRAL: Callable[[str, str], float] = published("BakerJayaram2008")
