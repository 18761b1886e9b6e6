"""Training sets that are flat in features of the motion, not in the conditions.

Features are spread unevenly where conditions are even: few short records, few of low frequency. As
in the balanced data set of Xu and Chen (2024), each bin gets the same number of records; theirs are
made by walking in the space of styles, here candidates are drawn until every bin is full.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.errors import InputError
from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.intensity.table import parse_imt

#: Candidates that are drawn for each record, at most, before the bins are said to be out of reach.
MOST = 200
#: Frequencies that count in the mean period, Hz.
_TM_HZ = (0.25, 20.0)


def mean_period_s(acceleration: NDArray[np.floating], dt_s: float) -> NDArray[np.float64]:
    """Tm of Rathje et al. (2004, Earthquake Spectra 20: 119-144), of both horizontals together.

    (n, components, nt) with the horizontals first -> (n,).
    """
    power = (np.abs(np.fft.rfft(acceleration[:, :2].astype(np.float64))) ** 2).sum(axis=1)
    f = np.fft.rfftfreq(acceleration.shape[2], dt_s)
    band = (f >= _TM_HZ[0]) & (f <= _TM_HZ[1])
    total = power[:, band].sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.asarray((power[:, band] / f[band]).sum(axis=1) / total)


class Balance:
    """Bins of features, and how many records each still takes.

    Parameters
    ----------
    bins : feature -> (lowest, highest, number of bins), equal in logarithm; a feature is an
        intensity measure (RotD50) or "Tm", the mean period
    records : how many there will be; each bin of all features together takes an equal share

    Raises
    ------
    InputError
        A feature that is not known, or bins that are none.
    """

    def __init__(self, bins: Mapping[str, Sequence[float]], records: int) -> None:
        for name, value in bins.items():
            if name != "Tm":
                parse_imt(name)
            good = isinstance(value, Sequence) and len(value) == 3
            good = good and all(isinstance(v, int | float) and math.isfinite(v) for v in value)
            if not (good and 0 < value[0] < value[1] and value[2] == int(value[2]) >= 1):
                raise InputError(
                    f"balance: {name} = {value!r}: give [lowest, highest, number of bins], "
                    "lowest above 0"
                )
        self.names = tuple(bins)
        self.edges = [np.geomspace(v[0], v[1], int(v[2]) + 1) for v in bins.values()]
        shape = tuple(len(e) - 1 for e in self.edges)
        self.left = np.full(shape, -(-records // math.prod(shape)))
        self.wanted = records

    def features(self, acceleration: NDArray[np.floating], dt_s: float) -> NDArray[np.float64]:
        """(n, 3, nt) m/s2 -> (n, features)."""
        imts = [n for n in self.names if n != "Tm"]
        measured = iter(intensity_measures_array(acceleration, dt_s, imts).T if imts else ())
        columns = [
            mean_period_s(acceleration, dt_s) if name == "Tm" else next(measured)
            for name in self.names
        ]
        return np.stack(columns, axis=1)

    def take(self, features: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which candidates are kept, one after the other, (n,)."""
        kept = np.zeros(len(features), dtype=bool)
        at = [
            np.searchsorted(edges, values, "right") - 1
            for edges, values in zip(self.edges, features.T, strict=True)
        ]
        for k, place in enumerate(zip(*at, strict=True)):
            inside = all(0 <= i < n for i, n in zip(place, self.left.shape, strict=True))
            if inside and self.wanted and self.left[place]:
                self.left[place] -= 1
                self.wanted -= 1
                kept[k] = True
        return kept

    def missing(self) -> str:
        """The emptiest bin, in words."""
        place = np.unravel_index(int(self.left.argmax()), self.left.shape)
        return ", ".join(
            f"{name} {edges[i]:.3g} to {edges[i + 1]:.3g}"
            for name, edges, i in zip(self.names, self.edges, place, strict=True)
        )
