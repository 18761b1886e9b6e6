"""Measures that are made of spectral ordinates: averages and integrals over periods."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import trapezoid

from gwm_hazard.intensity._batch import G_M_S2
from gwm_hazard.intensity.table import ParsedIMT

SPECTRAL = ("PGA", "SA", "Sa_avg2", "Sa_avg3", "SI", "ASI", "DSI")

_AVERAGED = {"Sa_avg2": 2.0, "Sa_avg3": 3.0}
_CM_S2 = 100.0 * G_M_S2


def periods_of(parsed: ParsedIMT) -> NDArray[np.float64]:
    """Periods in s of the ordinates that a spectral measure is made of; 0 stands for PGA."""
    name, period = parsed.name, parsed.parameter
    if name == "PGA":
        return np.array([0.0])
    if name in _AVERAGED:
        return np.linspace(0.2 * period, _AVERAGED[name] * period, 10)
    if name == "SI":
        return np.linspace(0.1, 2.5, 49)
    if name == "ASI":
        return np.linspace(0.1, 0.5, 21)
    if name == "DSI":
        return np.linspace(2.0, 5.0, 31)
    return np.array([period])


def _combine(parsed: ParsedIMT, periods: NDArray[np.float64], sa: NDArray[np.float64]) -> object:
    """The measure from SA (..., n_periods) in g at its periods."""
    if parsed.name in _AVERAGED:
        with np.errstate(divide="ignore"):  # the average of an all-zero record is 0
            return np.exp(np.log(sa).mean(axis=-1))
    turn = periods / (2 * np.pi)
    if parsed.name == "SI":
        return trapezoid(sa * turn * _CM_S2, periods, axis=-1)
    if parsed.name == "ASI":
        return trapezoid(sa, periods, axis=-1)
    if parsed.name == "DSI":
        return trapezoid(sa * turn**2 * _CM_S2, periods, axis=-1)
    return sa[..., 0]


def ordinates(parsed: Sequence[ParsedIMT]) -> NDArray[np.float64]:
    """All periods that the measures need, each once."""
    return np.unique(np.concatenate([periods_of(p) for p in parsed]))


def from_spectrum(
    parsed: Sequence[ParsedIMT], periods: NDArray[np.float64], sa: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Measures (..., n_imts) from SA (..., n_periods) in g at `ordinates(parsed)`."""
    out = np.empty((*sa.shape[:-1], len(parsed)))
    for column, p in enumerate(parsed):
        own = periods_of(p)
        # contiguous, so that sums have the same order in batches of any size
        values = np.ascontiguousarray(sa[..., np.searchsorted(periods, own)])
        out[..., column] = _combine(p, own, values)
    return out
