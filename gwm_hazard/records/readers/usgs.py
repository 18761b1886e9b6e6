"""USGS strong-motion records of the 1980s, corrected, in cm/s2: one component a file.

Acceleration, velocity and displacement stand one below the other, each with a header of 7 lines:
station, direction, earthquake, filter, start, sampling and ``DATA TYPE=AC``, number of points. The
files of a record tell the same station and start.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from gwm_hazard.records.readers.channels import (
    Channel,
    fixed_width,
    known,
    lines_of,
    needed,
    scan_channels,
    seconds,
)
from gwm_hazard.records.record import Failure, Options, Source, Value
from gwm_hazard.records.traces import Trace, azimuth_name, is_vertical

_HEADER = 7
_SAMPLING = re.compile(r"SAMPLES/SEC= *(\d+).*DATA TYPE=AC")
_CORNER = re.compile(r"CORNER= *([\d.]+)")
_DIRECTION = re.compile(r"(UP|DOWN|VERTICAL)|(\d+) +DEGREES", re.IGNORECASE)
_START = re.compile(
    r"YEAR= *(\d{4}) +JULIAN DAY= *(\d+) +HOUR= *(\d+) +MINUTE= *(\d+) +SECOND= *(\d+)"
)
_POINTS = re.compile(r"NO OF POINTS= *(\d+)")


def scan(paths: Sequence[Path], options: Options) -> list[Source | Failure]:
    """One source a record: the files of its components."""
    return scan_channels(read, paths, options)


def is_usgs(head: str) -> bool:
    """Whether a text begins as such a file."""
    lines = head.splitlines()[:_HEADER]
    return len(lines) == _HEADER and bool(_SAMPLING.search(lines[5]) and _POINTS.search(lines[6]))


def read(path: Path, options: Options) -> list[Channel]:
    """The acceleration of a file, in m/s2."""
    lines, where = lines_of(path), str(path)
    header = "\n".join(lines[:_HEADER])
    sampling = needed(_SAMPLING, header, "acceleration (DATA TYPE=AC)", where)
    count = int(needed(_POINTS, header, "NO OF POINTS", where)[1])
    data = fixed_width(lines[_HEADER:], "(10F8.2)", count, where)
    direction = needed(_DIRECTION, lines[1], "direction (090 DEGREES)", where)
    name = azimuth_name(direction[2]) or direction[2] if direction[2] else "UP"
    if (direction[1] or "").upper() == "DOWN":
        data = -data
    corner = _CORNER.search(lines[5])
    metadata: dict[str, Value | None] = {
        "station": path.stem, "station_name": lines[0].strip(), "event_name": lines[2].strip(),
        "highpass_hz": float(corner[1]) if corner else None,
        "processing": f"USGS, corrected: {lines[3].strip()}",
    }  # fmt: skip
    start, began = 0.0, ""
    if match := _START.search(header):
        year, day, hour, minute, second = (int(v) for v in match.groups())
        began = f"{year}-{day:03d}T{hour:02d}:{minute:02d}:{second:02d}"
        start = seconds(began, where)
    key = (lines[0].strip(), began, "V2")
    trace = Trace(name, is_vertical(name), data / 100, 1.0 / float(sampling[1]), start)
    return [Channel(key, trace, known(metadata))]
