"""How a response spectrum enters the networks, and how a waveform is normalised beside it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.core.units import GRAVITY_M_S2
from gwm_hazard.errors import InputError
from gwm_hazard.intensity import rotd

LN_G = float(np.log(GRAVITY_M_S2))

#: Distances between which a record's own is a mixture: where S arrives is no linear function of it.
KM = (3.0, 8.0, 14.0, 20.0, 28.0, 36.0, 46.0, 58.0, 72.0, 90.0, 110.0, 135.0, 165.0, 200.0)

#: Numbers that bring the condition near 1: ln of spectral shape, level (ln m/s2), duration (ln s).
_LN_SHAPE, _LN_LEVEL, _LN_DURATION = 4.0, 3.0, (2.5, 0.7)


@dataclass(frozen=True)
class Form:
    """Grid and scaling of the condition; the defaults are those published.

    Attributes
    ----------
    shortest_s, longest_s, damping : of the ordinates, evenly spaced in ln T. The publication does
        not state them: inferred from the same group's later code
    spectrum : "linear": the ordinates over their maximum, as published; "log": the logarithm of it
    level : the waveform is divided by the largest ordinate, whose logarithm is in the condition;
        else both are divided by their own maxima, and the level is lost
    duration : ln of the significant duration D5-95 is in the condition
    distance : the hypocentral distance is in the condition (the closest one where it is not known),
        which says when S arrives: its shares in the two nearest of :data:`KM`
    highpass_hz : corner of a high-pass on what the decoder makes; 0 for none, as published
    """

    shortest_s: float = 0.01
    longest_s: float = 10.0
    damping: float = 0.05
    spectrum: str = "linear"
    level: bool = False
    duration: bool = False
    distance: bool = False
    highpass_hz: float = 0.0

    def __post_init__(self) -> None:
        if self.spectrum not in ("linear", "log"):
            raise InputError(f"spectrum = {self.spectrum!r}: give 'linear' or 'log'")
        if not 0 < self.shortest_s < self.longest_s:
            raise InputError(
                f"shortest_s = {self.shortest_s}, longest_s = {self.longest_s}: must be above 0 "
                "and grow"
            )
        if not 0 < self.damping < 1:
            raise InputError(f"damping = {self.damping}: must be between 0 and 1")
        if not 0 <= self.highpass_hz < 10:
            raise InputError(f"highpass_hz = {self.highpass_hz}: must be from 0 to below 10")

    @property
    def extras(self) -> int:
        """Numbers of the condition beside the ordinates."""
        return int(self.level) + int(self.duration) + len(KM) * int(self.distance)

    def periods_s(self, ordinates: int) -> NDArray[np.float64]:
        """The grid, (ordinates,)."""
        return np.geomspace(self.shortest_s, self.longest_s, ordinates)

    def ln_sa(
        self, acceleration: NDArray[np.floating], dt_s: float, ordinates: int
    ) -> NDArray[np.float64]:
        """ln SA in m/s2 of records (n, n_components, nt) on the grid, (n, ordinates).

        RotD50 of the first two components; of the one where there is one.
        """
        acc = acceleration[:, :2]
        one = acc.shape[1] == 1
        if one:  # RotD100 of a component and nothing is the component
            acc = np.concatenate([acc, np.zeros_like(acc)], axis=1)
        sa = rotd(acc, dt_s, self.periods_s(ordinates), (100,) if one else (50,), self.damping)
        with np.errstate(divide="ignore"):
            return np.log(sa[:, 0]) + LN_G

    def condition(
        self,
        ln_sa: NDArray[np.float64],
        ln_duration: NDArray[np.float64],
        distance_km: NDArray[np.float64],
    ) -> NDArray[np.float32]:
        """What the networks take, (n, ordinates + extras).

        Parameters
        ----------
        ln_sa : (n, ordinates), ln m/s2
        ln_duration, distance_km : (n,), ln s and km; not looked at where the form has none
        """
        top = ln_sa.max(axis=1, keepdims=True)
        shape = ln_sa - top
        columns = [np.exp(shape) if self.spectrum == "linear" else 1.0 + shape / _LN_SHAPE]
        if self.level:
            columns.append(top / _LN_LEVEL)
        if self.duration:
            mean, sd = _LN_DURATION
            columns.append((ln_duration[:, None] - mean) / sd)
        if self.distance:
            columns.append(_shares(distance_km))
        return np.concatenate(columns, axis=1).astype(np.float32)

    def scale(
        self, ln_sa: NDArray[np.float64], acceleration: NDArray[np.floating]
    ) -> NDArray[np.float32]:
        """What a record is divided by, (n,), m/s2."""
        top = np.exp(ln_sa.max(axis=1)) if self.level else np.abs(acceleration).max(axis=(1, 2))
        return top.astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Plain types, as a card holds them."""
        return asdict(self)


def _shares(distance_km: NDArray[np.float64]) -> NDArray[np.float64]:
    """Hat functions of distance, (n, len(KM)); a row adds up to 1."""
    nodes = np.array(KM)
    return np.stack([np.interp(distance_km, nodes, unit) for unit in np.eye(len(KM))], axis=1)
