"""What is known of a record: completed, checked, as one row of the table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gwm_hazard.core.units import CONDITIONS
from gwm_hazard.datasets.preparation.geometry import complete
from gwm_hazard.datasets.preparation.settings import RejectedRecordError, Settings

#: Columns of numbers beside the conditions.
_NUMBERS = (
    "event_lat",
    "event_lon",
    "station_lat",
    "station_lon",
    "back_azimuth",
    "azimuth_1",
    "azimuth_2",
    "p_s",
    "p_sample",
)

#: What describes the record as it was, not as it will be.
_OWN = ("npts", "dt_s", "split", "start_time")


def conditions(metadata: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """Conditions with distances and back-azimuth added, and the event they belong to.

    Raises `RejectedRecordError` for what is missing, impossible, or outside the ranges asked for.
    """
    values = {k: v for k, v in metadata.items() if k not in _OWN and not _empty(v)}
    for name in (*CONDITIONS, *_NUMBERS):
        if name in values:
            values[name] = _number(name, values[name])
    try:
        values = complete(values)
    except ValueError as exc:
        raise RejectedRecordError("metadata", str(exc)) from None
    for name, condition in CONDITIONS.items():
        value = values.get(name)
        if value is not None and not condition.low <= value <= condition.high:
            raise RejectedRecordError(
                "metadata",
                f"{name} = {value:g} {condition.unit}: must lie between "
                f"{condition.low:g} and {condition.high:g}",
            )
    missing = [name for name in settings.require if name not in values]
    if missing:
        told = str(values.get("quality", ""))
        told = f" ({told})" if any(f"{name} =" in told for name in missing) else ""
        raise RejectedRecordError("metadata", f"no {', '.join(missing)} known{told}")
    for name, (low, high) in settings.ranges.items():
        if name not in values:
            raise RejectedRecordError("metadata", f"no {name} known, of which a range is asked for")
        if not low <= values[name] <= high:
            raise RejectedRecordError(
                "range", f"{name} = {values[name]:g}: outside {low:g} to {high:g}"
            )
    values["event_id"] = event_id(values)
    return values


def event_id(values: Mapping[str, Any]) -> str:
    """The event: given, else its origin time to the second, else its name and date."""
    if not _empty(values.get("event_id")):
        return str(values["event_id"])
    if not _empty(values.get("event_time")):
        return _utc(values["event_time"]).strftime("%Y%m%dT%H%M%S")
    if not _empty(values.get("event_name")):
        return " ".join(str(values[k]) for k in ("event_name", "event_date") if k in values)
    raise RejectedRecordError(
        "event",
        "neither event_id nor event_time known: splits are by event; give them in a metadata table",
    )


def origin_s(metadata: Mapping[str, Any]) -> float:
    """Origin time in s after the first sample of the record; NaN where either is unknown."""
    event, start = metadata.get("event_time"), metadata.get("start_time")
    if _empty(event) or _empty(start):
        return math.nan
    return float(_utc(event) - _utc(start))


def to_the_minute(event_time: Any) -> bool:
    """Whether an origin time is cut to the minute, as in the files of K-NET and KiK-net."""
    time = _utc(event_time)
    return time.second == 0 and time.microsecond == 0


def given_pick(metadata: Mapping[str, Any], dt_s: float) -> float:
    """The P onset that the metadata tell, s after the first sample, or NaN.

    ``p_s`` seconds after the first sample, ``p_sample`` the sample, ``p_time`` the UTC time.
    """
    if not _empty(metadata.get("p_s")):
        return _number("p_s", metadata["p_s"])
    if not _empty(metadata.get("p_sample")):
        return _number("p_sample", metadata["p_sample"]) * dt_s
    if not _empty(metadata.get("p_time")) and not _empty(metadata.get("start_time")):
        return float(_utc(metadata["p_time"]) - _utc(metadata["start_time"]))
    return math.nan


def _utc(text: Any) -> Any:
    from obspy import UTCDateTime

    try:
        return UTCDateTime(str(text))
    except Exception as exc:  # obspy raises what it meets
        raise RejectedRecordError("metadata", f"{text!r} is no time") from exc


def _number(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise RejectedRecordError("metadata", f"{name} = {value!r}: not a number")
    return number


def _empty(value: Any) -> bool:
    return value is None or value == "" or (isinstance(value, float) and math.isnan(value))
