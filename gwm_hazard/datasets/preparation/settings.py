"""What a training file is made with, and why a record is left out of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from gwm_hazard.core.units import CONDITIONS
from gwm_hazard.errors import GwmHazardError, InputError
from gwm_hazard.records.training_set import split_by_event

#: Kinds of components: radial, transverse, up; or the horizontals as recorded.
COMPONENTS = ("RTZ", "RT", "12Z", "12")
DETRENDS = ("linear", "mean", "none")

#: Reasons for leaving a record out: the code in the table, and what it means.
CODES = {
    "unreadable": "cannot be read: damaged, unknown format or unit, gap, NaN",
    "no record": "a file beside the records: JSON, StationXML, pages, pictures",
    "crash": "the program that reads it crashed",
    "metadata": "a condition is missing or impossible",
    "range": "a condition lies outside the range asked for",
    "event": "neither the event nor its origin time is known",
    "components": "a component is missing",
    "borehole": "recorded in a borehole",
    "orientation": "radial and transverse unknown: no coordinates or azimuths",
    "short": "too few samples",
    "flat": "a component stands still",
    "clipped": "a component is cut off at its peak",
    "spike": "single samples stand out",
    "components differ": "one component is far weaker or stronger than the others",
    "no onset": "no P onset found, or none at a plausible time",
    "time": "does not cover the time at which P is expected",
    "late start": "starts too shortly before the P onset, or after it",
    "noise": "signal too weak against the noise before P",
    "peak": "peak acceleration impossible or implausible: wrong unit?",
    "duplicate": "the same record was there before",
}


class RejectedRecordError(GwmHazardError):
    """A record is left out; ``code`` is one of `CODES`."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        if code not in CODES:
            raise KeyError(code)
        self.code = code


@dataclass(frozen=True)
class Settings:
    """Every choice of the preparation; the defaults are those of Palgunadi et al. (2025, S1).

    Attributes
    ----------
    components : "RTZ" radial, transverse, up; "12Z" the horizontals as recorded; "RT", "12"
    detrend : "linear" (least squares), "mean" or "none", before filtering
    highpass_hz : corner of the causal Butterworth filter of order 2; 0 for none
    rate_hz : sampling rate of the result
    before_p_s, length_s : window, from before the P onset
    min_before_p_s : least record before P; what is missing of ``before_p_s`` is filled with zeros
    late_start : what is done with records that start later: "reject", or "align", keep those
        whose S onset agrees with a P onset at their start, see `pick.onset_from_s`; their noise is
        not known
    picker : "auto", "aic", or a SeisBench model and its weights, "phasenet:instance"
    travel_time : whether onsets must agree with origin time and distance, where both are known
    min_snr : least ratio of amplitude spectra, signal to noise before P, in each of ``snr_bands``
    snr_bands : Hz
    spikes, clipping : whether to reject records with them
    max_pga : m/s2; 50 is above all that was ever recorded
    check_peak : reject peaks more than a factor `quality.PEAK_FACTOR` off the median of Kanno et
        al. (2006): a wrong unit or gain
    borehole : keep borehole sensors
    require : conditions that must be known
    ranges : {condition: (low, high)}
    shares, seed : of the splits by event
    """

    components: str = "RTZ"
    detrend: str = "linear"
    highpass_hz: float = 0.1
    rate_hz: float = 100.0
    before_p_s: float = 5.0
    length_s: float = 40.96
    min_before_p_s: float = 1.0
    late_start: str = "reject"
    picker: str = "auto"
    travel_time: bool = True
    min_snr: float = 3.0
    snr_bands: tuple[tuple[float, float], ...] = ((0.5, 2.0), (2.0, 10.0))
    spikes: bool = True
    clipping: bool = True
    max_pga: float = 50.0
    check_peak: bool = True
    borehole: bool = False
    require: tuple[str, ...] = ("mag", "rhypo", "hypo_depth", "vs30")
    ranges: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    shares: tuple[float, float, float] = (0.8, 0.1, 0.1)
    seed: int = 0

    def __post_init__(self) -> None:
        def among(name: str, allowed: tuple[str, ...]) -> None:
            if getattr(self, name) not in allowed:
                raise InputError(
                    f"{name} = {getattr(self, name)!r}: give one of {', '.join(allowed)}"
                )

        among("components", COMPONENTS)
        among("detrend", DETRENDS)
        among("late_start", ("reject", "align"))
        if ":" not in self.picker:
            among("picker", ("auto", "aic"))
        for name in ("rate_hz", "length_s", "max_pga"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise InputError(f"{name} = {getattr(self, name)}: must be > 0")
        for name in ("before_p_s", "min_before_p_s", "min_snr", "highpass_hz"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise InputError(f"{name} = {getattr(self, name)}: must be >= 0")
        if self.highpass_hz >= self.rate_hz / 2:
            raise InputError(f"highpass_hz = {self.highpass_hz:g}: must be < {self.rate_hz / 2:g}")
        if self.before_p_s >= self.length_s:
            raise InputError(
                f"before_p_s = {self.before_p_s:g}: must be < length_s = {self.length_s:g}"
            )
        for low, high in self.snr_bands:
            if not 0 < low < high <= self.rate_hz / 2:
                raise InputError(
                    f"snr_bands: {low:g}-{high:g} Hz must grow and end at or below "
                    f"{self.rate_hz / 2:g} Hz"
                )
        for name in (*self.require, *self.ranges):
            if name not in CONDITIONS:
                raise InputError(f"{name!r} is no condition; known are {', '.join(CONDITIONS)}")
        for name, (low, high) in self.ranges.items():
            if not low < high:
                raise InputError(f"range of {name}: {low:g} to {high:g} is empty")
        split_by_event([], self.shares)  # which checks them
        object.__setattr__(self, "ranges", MappingProxyType(dict(self.ranges)))

    def __reduce__(self) -> Any:
        return _settings, (self.to_dict(),)

    @property
    def npts(self) -> int:
        """Samples of the window."""
        return round(self.length_s * self.rate_hz)

    @property
    def p_sample(self) -> int:
        """Sample of the P onset in the window."""
        return round(self.before_p_s * self.rate_hz)

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return values | {"ranges": {k: list(v) for k, v in self.ranges.items()}}


def _settings(values: dict[str, Any]) -> Settings:
    return Settings(**values)
