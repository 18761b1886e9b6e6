"""How records and conditions enter the networks, and how what they make becomes a motion.

Florez et al. (2022): every component of a record is divided by its own peak, whose logarithm is an
output of its own; conditions and logarithms of peaks are scaled to the span of the training data.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.core.units import CONDITIONS
from gwm_hazard.errors import InputError


@dataclass(frozen=True)
class Span:
    """Ends of a condition that become 0 and 1, by value (as published) or by logarithm."""

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        for value in (self.low, self.high):
            if not isinstance(value, int | float) or not math.isfinite(value):
                raise InputError(f"condition: {value!r}: must be a number")
        if not self.low < self.high or (self.log and self.low <= 0):
            raise InputError(
                f"condition: from {self.low:g} to {self.high:g}: must grow, and be above 0 for a "
                "logarithm"
            )

    def scaled(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """0 at the low end, 1 at the high one."""
        low, high = (math.log(v) if self.log else v for v in (self.low, self.high))
        return ((np.log(values) if self.log else values) - low) / (high - low)


@dataclass(frozen=True)
class Scaling:
    """Spans of the conditions in the order of the network, and of log10 of the peaks (m/s2).

    Attributes
    ----------
    conditions : by name
    log10_peak : lowest and highest over all records and components; none for networks of shapes,
        whose records are divided by their standard deviation after their mean is taken off
    """

    conditions: dict[str, Span]
    log10_peak: tuple[float, float] | None

    def __post_init__(self) -> None:
        for name in self.conditions:
            if name not in CONDITIONS:
                raise InputError(f"condition {name!r}: known are {', '.join(CONDITIONS)}")
        if self.log10_peak is not None:
            ends = tuple(self.log10_peak)
            if len(ends) != 2 or not all(isinstance(v, int | float) for v in ends):
                raise InputError(f"log10_peak = {ends!r}: give the lowest and the highest")
            if not -30 < ends[0] < ends[1] < 30:
                raise InputError(f"log10_peak = {ends!r}: must grow, log10 of m/s2")
            object.__setattr__(self, "log10_peak", ends)

    @classmethod
    def read(cls, conditions: Mapping[str, Mapping[str, Any]], log10_peak: Any) -> Scaling:
        """From plain types."""
        try:
            spans = {name: Span(**fields) for name, fields in conditions.items()}
            return cls(spans, None if log10_peak is None else tuple(log10_peak))
        except (TypeError, AttributeError) as exc:
            raise InputError(f"scaling: {exc}") from None

    def to_dict(self) -> dict[str, Any]:
        """Plain types, as a card holds them."""
        return {
            "conditions": {name: asdict(span) for name, span in self.conditions.items()},
            "log10_peak": None if self.log10_peak is None else list(self.log10_peak),
        }

    @property
    def ln_span(self) -> float:
        """ln of the largest over the smallest peak, 0 without peaks."""
        return 0.0 if self.log10_peak is None else math.log(10) * float(np.diff(self.log10_peak)[0])

    def condition(self, columns: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
        """Scaled conditions, (n, conditions)."""
        return np.stack([s.scaled(columns[name]) for name, s in self.conditions.items()], axis=1)

    def normalised(
        self, acceleration: NDArray[np.floating]
    ) -> tuple[NDArray[np.floating], NDArray[np.floating] | None]:
        """Records (n, 3, samples), m/s2, as the critic sees them, and their scaled log-peaks."""
        if self.log10_peak is None:
            mean = acceleration.mean(axis=(1, 2), keepdims=True)
            sd = acceleration.std(axis=(1, 2), keepdims=True)
            return (acceleration - mean) / sd, None
        peak = np.abs(acceleration).max(axis=2)
        low, high = self.log10_peak
        return (
            acceleration / peak[:, :, None],
            2.0 * (np.log10(peak) - low) / (high - low) - 1.0,
        )

    def physical(
        self, wave: NDArray[np.floating], peaks: NDArray[np.floating] | None
    ) -> NDArray[np.floating]:
        """What :meth:`normalised` takes; a shape without peaks stays what it is."""
        if peaks is None or self.log10_peak is None:
            return wave
        low, high = self.log10_peak
        return wave * 10.0 ** ((peaks[:, :, None] + 1.0) / 2.0 * (high - low) + low)
