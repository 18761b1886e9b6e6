"""CWA (Taiwan; CWB before 2023), free-field TSMIP records: one file, columns named in the header.

Lines ``#Key: value``, times in UTC + 8 h, then time and components in the order that
``#DataSequence`` tells, in the unit of ``#AmplitudeUnit``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from gwm_hazard.errors import InputError
from gwm_hazard.records.readers.channels import (
    Channel,
    header_of,
    known,
    lines_of,
    scan_channels,
    seconds,
    utc,
    values_of,
)
from gwm_hazard.records.record import Failure, Options, Source, Value
from gwm_hazard.records.traces import Trace, is_vertical, unit_factor

_AHEAD_H = 8.0
_COLUMN = re.compile(r"\b(U|N|E)\s*\(([+-])\)")


def scan(paths: Sequence[Path], options: Options) -> list[Source | Failure]:
    """One source a file."""
    return scan_channels(read, paths, options)


def is_cwa(head: str) -> bool:
    """Whether a text begins as such a file."""
    return "#DataSequence:" in head[:4000]


def read(path: Path, options: Options) -> list[Channel]:
    """The channels of a file, in m/s2."""
    lines, where = lines_of(path), str(path)
    at = next((i for i, line in enumerate(lines) if line.strip() and line[0] != "#"), len(lines))
    header = header_of(lines[:at])
    columns = _COLUMN.findall(header["DataSequence"])
    timed = header["DataSequence"].lower().startswith("time")
    rate = float(header.get("SampleRate(Hz)") or 0)
    if not columns or rate <= 0 or "AmplitudeUnit" not in header:
        raise InputError(f"{where}: the header tells no DataSequence, SampleRate or AmplitudeUnit")
    factor = unit_factor(header["AmplitudeUnit"].split(".")[0])
    rows = [line for line in lines[at:] if line.strip()]
    width = len(columns) + timed
    data = values_of(rows, len(rows) * width, where).reshape(-1, width)[:, int(timed) :]
    metadata, start = _metadata(header, path)
    corrected = "corr" in header["AmplitudeUnit"].lower()
    key = ("TW", str(metadata["station"]), str(metadata.get("event_time", path.stem)))
    channels = []
    for (letter, sign), column in zip(columns, data.T, strict=True):
        peaks = [abs(float(v)) for v in
                 re.findall(r"-?\d+\.?\d*", header.get(f"AmplitudeMAX. {letter}", ""))]  # fmt: skip
        name = "UP" if letter == "U" else letter
        values = column * (factor if sign == "+" else -factor)
        trace = Trace(name, is_vertical(name), values, 1.0 / rate, start)
        peak = max(peaks) * factor if peaks else None
        channels.append(Channel(key, trace, known(metadata), peak, raw=not corrected))
    return channels


def _metadata(header: dict[str, str], path: Path) -> tuple[dict[str, Value | None], float]:
    names = {
        "event_lat": "EpicenterLatitude(N)", "event_lon": "EpicenterLongitude(E)",
        "hypo_depth": "Depth(km)", "mag": "Magnitude(Ml)", "station_lat": "StationLatitude(N)",
        "station_lon": "StationLongitude(E)",
    }  # fmt: skip
    metadata: dict[str, Value | None] = {"network": "TW"}
    for ours, theirs in names.items():
        if header.get(theirs):
            metadata[ours] = float(header[theirs])
    metadata |= {"mag_type": "ML"} if "mag" in metadata else {}
    metadata["station"] = header.get("StationCode", path.stem)
    metadata["station_name"] = header.get("StationName", "")
    moments = {
        what: header[key].replace("/", "-").replace("-", "T", 3).replace("T", "-", 2)
        for what, key in (("event", "Origin Time(GMT+08)"), ("start", "StartTime(GMT+08)"))
        if header.get(key)
    }
    if "event" in moments:
        metadata["event_time"] = utc(moments["event"], str(path), _AHEAD_H)
    if "start" not in moments:
        return metadata, 0.0
    return metadata, float(seconds(moments["start"], str(path)) - 3600.0 * _AHEAD_H)
