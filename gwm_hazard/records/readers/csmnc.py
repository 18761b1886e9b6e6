"""CSMNC (China): one component a file, 16 lines of header, cm/s2 in eights; times are UTC + 8 h.

The files of a record have the same name but for a number: the first line of each is an identity
whose last digit, or digits, count the components.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from gwm_hazard.errors import InputError
from gwm_hazard.records.readers.channels import (
    Channel,
    known,
    largest,
    lines_of,
    needed,
    scan_channels,
    seconds,
    utc,
    values_of,
)
from gwm_hazard.records.record import Failure, Options, Source, Value
from gwm_hazard.records.traces import Trace, azimuth_name, is_vertical, unit_factor

_HEADER = 16  # lines
_AHEAD_H = {"BTM": 8.0, "UTC": 0.0, "GMT": 0.0}

_ORIGIN = re.compile(r"(\d{4})-(\d+)-(\d+) (\d+:\d+:[\d.]+) (BTM|UTC|GMT)")
_EPICENTRE = re.compile(r"EPICENTER\s+(-?[\d.]+)N?\s+(-?[\d.]+)E?\s+DEPTH\s+([\d.]+)\s*KM")
_MAGNITUDE = re.compile(r"MAGNITUDE\s+([\d.]+)\s*\(?(M\w+)?")
_STATION = re.compile(r"STATION:\s*(\w+)\s+(-?[\d.]+)N?\s+(-?[\d.]+)E?")
_COMPONENT = re.compile(r"COMP\.\s*(\S+)")
_KIND = re.compile(r"^(\w+)\s+(\w+)\s+UNIT:\s*(\S+)", re.MULTILINE)
_POINTS = re.compile(r"NO\. OF POINTS:\s*(\d+)\s+EQUALLY SPACED INTERVALS OF:\s*([\d.]+)\s*SEC")
_PEAK = re.compile(r"PEAK VALUE:\s*(-?[\d.]+)")
_START = re.compile(
    r"(?:RECORDER|RECORD) TIME:\s*(\d{4})-(\d+)-(\d+) (\d+:\d+:[\d.]+) (BTM|UTC|GMT)"
)


def scan(paths: Sequence[Path], options: Options) -> list[Source | Failure]:
    """One source a record: the files of its components."""
    return scan_channels(read, paths, options)


def is_csmnc(head: str) -> bool:
    """Whether a text begins as such a file."""
    return "EQUALLY SPACED INTERVALS OF:" in head[:1500] and "COMP." in head[:1000]


def read(path: Path, options: Options) -> list[Channel]:
    """The channel of a file, in m/s2."""
    lines, where = lines_of(path), str(path)
    text = "\n".join(lines[:_HEADER])
    kind = needed(_KIND, text, "quantity and unit", where)
    if not kind[2].upper().startswith("ACCELERATION"):
        raise InputError(f"{where}: {kind[2].lower()}, no acceleration; give that file")
    points = needed(_POINTS, text, "number of points and interval", where)
    factor = unit_factor(kind[3])
    data = values_of(lines[_HEADER:], int(points[1]), where) * factor
    name = needed(_COMPONENT, text, "component", where)[1]
    name = azimuth_name(name) or name.upper()
    station = needed(_STATION, text, "station", where)
    corrected = kind[1].upper() == "CORRECTED"
    metadata: dict[str, Value | None] = {
        "network": "CSMNC", "station": station[1],
        "station_lat": float(station[2]), "station_lon": float(station[3]),
        "processing": kind[1].lower(),
    }  # fmt: skip
    if match := _EPICENTRE.search(text):
        names = ("event_lat", "event_lon", "hypo_depth")
        metadata |= dict(zip(names, map(float, match.groups()), strict=True))
    if match := _MAGNITUDE.search(text):
        metadata |= largest({(match[2] or "").replace("Ml", "ML"): match[1]})
    if match := _ORIGIN.search(text):
        metadata["event_time"] = utc(_iso(match), where, _AHEAD_H[match[5]])
    start = 0.0
    if match := _START.search(text):
        start = seconds(_iso(match), where) - 3600.0 * _AHEAD_H[match[5]]
    peak = _PEAK.search(text)
    # 065JZC120103153901: station, time, number of the component
    identity = lines[0].strip()[:-1]
    trace = Trace(name, is_vertical(name), data, float(points[2]), start)
    return [
        Channel(("CSMNC", station[1], identity), trace, known(metadata),
                abs(float(peak[1])) * factor if peak else None, raw=not corrected)
    ]  # fmt: skip


def _iso(match: re.Match[str]) -> str:
    return f"{match[1]}-{int(match[2]):02d}-{int(match[3]):02d}T{match[4]}"
