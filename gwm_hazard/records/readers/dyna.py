"""DYNA 1.2, the ASCII format of ESM, ITACA and AFAD's TADAS: one component a file.

64 lines ``KEY: VALUE``, then a value a line. The unit stands in the header (cm/s^2); files of
velocity, displacement or spectra are refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from gwm_hazard.errors import InputError
from gwm_hazard.records.readers.channels import (
    Channel,
    known,
    lines_of,
    scan_channels,
    seconds,
    utc,
)
from gwm_hazard.records.record import Failure, Options, Source, Value
from gwm_hazard.records.traces import Trace, is_vertical, unit_factor

HEADER_LINES = 64

#: Our names of what the header tells in numbers.
_NUMBERS = {
    "event_lat": "EVENT_LATITUDE_DEGREE",
    "event_lon": "EVENT_LONGITUDE_DEGREE",
    "hypo_depth": "EVENT_DEPTH_KM",
    "station_lat": "STATION_LATITUDE_DEGREE",
    "station_lon": "STATION_LONGITUDE_DEGREE",
    "station_elevation_m": "STATION_ELEVATION_M",
    "vs30": "VS30_M/S",
    "repi": "EPICENTRAL_DISTANCE_KM",
}
_PEAK = "PGA_CM/S^2"
_CORNERS = {"highpass_hz": "LOW_CUT_FREQUENCY_HZ", "lowpass_hz": "HIGH_CUT_FREQUENCY_HZ"}
_TEXTS = {
    "event_name": "EVENT_NAME",
    "event_id": "EVENT_ID",
    "network": "NETWORK",
    "station": "STATION_CODE",
    "location": "LOCATION",
    "processing": "PROCESSING",
}


def scan(paths: Sequence[Path], options: Options) -> list[Source | Failure]:
    """One source a record: the files of its components."""
    return scan_channels(read, paths, options)


def is_dyna(head: str) -> bool:
    """Whether a text begins as such a file."""
    return head.lstrip("\ufeff").startswith("EVENT_NAME:") and "SAMPLING_INTERVAL_S" in head


def read(path: Path, options: Options) -> list[Channel]:
    """The channel of a file, in m/s2."""
    lines = lines_of(path)
    header = {}
    for line in lines[:HEADER_LINES]:
        key, colon, value = line.partition(":")
        if colon:
            header[key.strip().lstrip("\ufeff")] = value.strip()
    kind = _need(header, "DATA_TYPE", path)
    if "ACCELERATION" not in kind.upper() or "SPECTRA" in kind.upper():
        raise InputError(f"{path}: DATA_TYPE {kind}; give the files of acceleration")
    factor = unit_factor(_need(header, "UNITS", path))
    dt = _number(header, "SAMPLING_INTERVAL_S", path)
    npts = int(_number(header, "NDATA", path))
    body = lines[HEADER_LINES:]
    while body and not body[-1].strip():
        body.pop()
    if len(body) != npts:
        raise InputError(
            f"{path}:{HEADER_LINES}: NDATA is {npts}, but {len(body)} lines follow: "
            "the file is damaged"
        )
    try:
        data = np.array(body, dtype=np.float64)
    except ValueError as exc:
        raise InputError(f"{path}: {exc}: the file is damaged") from None
    name = _need(header, "STREAM", path)
    metadata = _metadata(header, path)
    start = header.get("DATE_TIME_FIRST_SAMPLE_YYYYMMDD_HHMMSS", "").replace("_", "T")
    # AFAD writes 14/11/2010 23:09:19.300
    start = re.sub(r"^(\d\d)/(\d\d)/(\d{4})[ T]", r"\3-\2-\1T", start)
    begin = seconds(start, str(path)) if start else 0.0
    record = (
        *(str(metadata.get(k, "")) for k in ("network", "station", "location", "event_id")),
        name[:2],
        kind if "UNPROCESSED" in kind.upper() else "",
    )
    trace = Trace(name, is_vertical(name), data * factor, dt, begin)
    peak = abs(_number(header, _PEAK, path)) / 100 if header.get(_PEAK) else None
    raw = "UNPROCESSED" in kind.upper() or not header.get(_CORNERS["highpass_hz"])
    return [Channel(record, trace, metadata, peak, raw)]


def _metadata(header: Mapping[str, str], path: Path) -> dict[str, Value]:
    metadata: dict[str, str | float | None] = {
        ours: _number(header, theirs, path) if header.get(theirs) else None
        for ours, theirs in (_NUMBERS | _CORNERS).items()
    }
    metadata |= {ours: header.get(theirs) for ours, theirs in _TEXTS.items()}
    for kind in ("W", "L"):
        if header.get(f"MAGNITUDE_{kind}"):
            metadata |= {
                "mag": _number(header, f"MAGNITUDE_{kind}", path),
                "mag_type": f"M{kind.lower()}",
            }
            break
    if metadata.get("mag_type") == "Ml":
        metadata["mag_type"] = "ML"
    date, time = header.get("EVENT_DATE_YYYYMMDD"), header.get("EVENT_TIME_HHMMSS")
    if date and time:
        metadata["event_time"] = utc(f"{date.replace('/', '-')}T{time}", str(path))
    return known(metadata)


def _need(header: Mapping[str, str], key: str, path: Path) -> str:
    if not header.get(key):
        raise InputError(f"{path}: the header tells no {key}")
    return header[key]


def _number(header: Mapping[str, str], key: str, path: Path) -> float:
    try:
        number = float(_need(header, key, path))
    except ValueError:
        raise InputError(f"{path}: {key} = {header.get(key)!r} is no number") from None
    if not np.isfinite(number):
        raise InputError(f"{path}: {key} = {header[key]!r} is no number")
    return number
