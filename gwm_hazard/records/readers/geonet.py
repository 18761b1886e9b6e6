"""GeoNet (New Zealand) V1A and V2A: the components of a record in one file, in mm/s2.

16 lines of text, 40 integers and 60 reals in tens, the samples in tens of width 8; velocity and
displacement of V2A follow and are passed over.
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
    sections,
    utc,
)
from gwm_hazard.records.record import Failure, Options, Source, Value
from gwm_hazard.records.traces import Trace, azimuth_name, is_vertical, unit_factor

_FIRST = re.compile(r"^\s*(un)?corrected accelerogram\s+\S+\s.*(GNS|GeoNet)", re.IGNORECASE)
_TEXT, _INTEGERS, _REALS = 16, 4, 6  # lines of the headers

_SITE = re.compile(
    r"^Site (\w+)\s+(\d+) +(\d+) +([\d.]+) ?([NS])\s+(\d+) +(\d+) +([\d.]+) ?([EW])", re.M
)
_EPICENTRE = re.compile(
    r"^Epicentre\s+(\d+) +(\d+) +([\d.]+) ?([NS])\s+(\d+) +(\d+) +([\d.]+) ?([EW]).*?"
    r"Dist\s*([\d.]+) ?km\s+Depth\s*([\d.]+) ?km\s+(M\w*)\s*([\d.]+)",
    re.MULTILINE,
)
_POINTS = re.compile(r"^Number of points\s+(\d+)", re.MULTILINE)
_STEP = re.compile(r"at (?:intervals of )?([\d.]+) s(?:ec)?\b(?: intervals)?")
_SCALE = re.compile(r"units of\s+([\d.]+) mm/s/s")
_COMPONENT = re.compile(r"^Component (\w+)", re.MULTILINE)
_PEAK = re.compile(r"^Acceleration:\s+peak\s+(-?[\d.]+) mm/s/s", re.MULTILINE | re.IGNORECASE)
_BAND = re.compile(r"transition bands are\s*([\d.]+)- ?([\d.]+) Hz and\s*([\d.]+)-")
#: The accelerogram has the name of the origin time.
_ORIGIN = re.compile(r"^Accelerogram (\d{8})_(\d{6})", re.MULTILINE)


def scan(paths: Sequence[Path], options: Options) -> list[Source | Failure]:
    """One source a file."""
    return scan_channels(read, paths, options)


def is_geonet(head: str) -> bool:
    """Whether a text begins as such a file."""
    return bool(_FIRST.match(head))


def read(path: Path, options: Options) -> list[Channel]:
    """The channels of a file, in m/s2."""
    lines = lines_of(path)
    begins = [i for i, line in enumerate(lines) if _FIRST.match(line)]
    return [_channel(path, part, at) for part, at in sections(lines, begins)]


def _channel(path: Path, lines: Sequence[str], offset: int) -> Channel:
    where = f"{path}:{offset + 1}"
    text = "\n".join(lines[:_TEXT])
    processed = not text.lstrip().lower().startswith("un")
    count = int(needed(_POINTS, text, "number of points", where)[1])
    dt = float(needed(_STEP, text, "sampling interval", where)[1])
    scale = float(match[1]) if (match := _SCALE.search(text)) else 1.0
    body = lines[_TEXT + _INTEGERS + _REALS :]
    data = fixed_width(body, "(10F8.1)", count, where) * scale * unit_factor("mm/s2")
    name = needed(_COMPONENT, text, "component", where)[1]
    name = azimuth_name(name) or name.upper()
    if name == "DOWN":
        name, data = "UP", -data
    site = needed(_SITE, text, "site", where)
    metadata: dict[str, Value | None] = {
        "network": "NZ",
        "processing": f"volume {'2, corrected' if processed else '1, uncorrected'}",
    }
    metadata |= {
        "station": site[1],
        "station_lat": _degrees(site, 2),
        "station_lon": _degrees(site, 6),
    }
    if match := _EPICENTRE.search(text):
        metadata |= {
            "event_lat": _degrees(match, 1), "event_lon": _degrees(match, 5),
            "repi": float(match[9]), "hypo_depth": float(match[10]),
            "mag": float(match[12]), "mag_type": match[11],
        }  # fmt: skip
    if processed and (match := _BAND.search(text)):
        metadata |= {"highpass_hz": float(match[2]), "lowpass_hz": float(match[3])}
    if match := _ORIGIN.search(text):
        metadata["event_time"] = utc(f"{match[1]}T{match[2]}", where)
    peak = _PEAK.search(text)
    trace = Trace(
        name, is_vertical(name), data, dt, _start(lines[_TEXT : _TEXT + _INTEGERS], where)
    )
    key = ("NZ", site[1], path.stem)
    return Channel(
        key, trace, known(metadata), float(peak[1]) / 1000 if peak else None, raw=not processed
    )


def _start(integers: Sequence[str], where: str) -> float:
    """s after 1970 of the first sample: year, month, day, hour, minute and ms end the lines."""
    year, month, day, hour, minute, ms = (int(row[k : k + 8]) for row in integers
                                          for k in (64, 72) if row is not integers[2])  # fmt: skip
    if not 0 < month <= 12:
        return 0.0
    moment = f"{year}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:00"
    return seconds(moment, where) + ms / 1000.0


def _degrees(match: re.Match[str], at: int) -> float:
    value = sum(float(match[at + k]) / 60**k for k in range(3))
    return round(-value if match[at + 3] in "SW" else value, 5)
