"""CSMIP (CGS, "DMG") volumes 1 and 2 as CESMD distributes them: .V1 and .V2, channels in one file.

A text header a channel, 100 integers, a line that tells number, rate, unit and format of the
samples, the samples; velocity and displacement of volume 2 are passed over. Older volumes 1, of
pairs of time and acceleration, are refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from gwm_hazard.errors import InputError
from gwm_hazard.records.readers.channels import (
    Channel,
    fixed_width,
    known,
    lines_of,
    scan_channels,
    seconds,
)
from gwm_hazard.records.record import Failure, Options, Source, Value
from gwm_hazard.records.traces import Trace, is_vertical, unit_factor

_FIRST = re.compile(r"^\s*(?:un)?corrected accelerogram", re.IGNORECASE)
_SAMPLES = re.compile(
    r"^\s*(?P<n>\d+)\s+(?:accelerogram points|points of accel data)(?P<rest>.*)", re.IGNORECASE
)
_RATE = re.compile(r"at\s+([\d.]+)\s*pts?/sec", re.IGNORECASE)
_STEP = re.compile(r"spaced at\s+([\d.]+)\s*sec", re.IGNORECASE)
_UNIT = re.compile(r"\bin (?:units of )?(\S+?)\.?(?:\s|$)", re.IGNORECASE)
_DIRECTION = re.compile(r"^\s*Chan\s*\d+\s*:\s*(?:(\d+)\s*Deg|(Up|Down|Vert))", re.IGNORECASE)
_STATION = re.compile(r"Station (?:Id|No)\.?\s*(\w+)\s+([\d.]+)\s*([NS])\s*,\s*([\d.]+)\s*([EW])")
_SNCL = re.compile(r"\b([A-Z0-9]{2})\.([A-Z0-9]{1,5})\.(..)\.")
_START = re.compile(r"Start time:\s*(\d+)/(\d+)/(\d+),\s*(\d+):\s*(\d+):\s*([\d.]+)\s*(?:UTC|GMT)")


def scan(paths: Sequence[Path], options: Options) -> list[Source | Failure]:
    """One source a station and file."""
    return scan_channels(read, paths, options)


def is_csmip(head: str) -> bool:
    """Whether a text begins as such a file."""
    return bool(_FIRST.match(head)) and re.search(r"^\s*Chan\s*\d+\s*:", head, re.M) is not None


def read(path: Path, options: Options) -> list[Channel]:
    """All channels of acceleration in a file, in m/s2."""
    lines = lines_of(path)
    begins = [i for i, line in enumerate(lines) if _FIRST.match(line)]
    return [
        _channel(path, lines[a:b], a, options)
        for a, b in zip(begins, [*begins[1:], len(lines)], strict=True)
    ]


def _channel(path: Path, lines: Sequence[str], offset: int, options: Options) -> Channel:
    at = next((i for i, line in enumerate(lines[:80]) if _SAMPLES.match(line)), None)
    if at is None:
        raise InputError(f"{path}:{offset + 1}: no line 'accelerogram points' in this channel")
    where = f"{path}:{offset + at + 1}"
    match = _SAMPLES.match(lines[at])
    count, rest = (int(match["n"]), match["rest"]) if match else (0, "")
    rate, step = _RATE.search(rest), _STEP.search(rest)
    if rate is None and step is None:
        raise InputError(f"{where}: no sampling rate in {lines[at].strip()!r}")
    dt = 1.0 / float(rate[1]) if rate and float(rate[1]) > 0 else float(step[1]) if step else 0.0
    unit = _UNIT.search(rest)
    if unit is None:
        raise InputError(f"{where}: no unit in {lines[at].strip()!r}")
    factor = unit_factor(unit[1])
    data = fixed_width(lines[at + 1 :], rest[rest.rfind("(") :], count, where) * factor
    name = _direction(lines[:at], where)
    if name == "DOWN":
        data, name = -data, "UP"
    metadata, start = _metadata(lines[:at], path)
    key = (str(metadata.get("network", "")), str(metadata["station"]), path.stem)
    return Channel(key, Trace(name, is_vertical(name), data, dt, start), metadata)


def _direction(header: Sequence[str], where: str) -> str:
    for line in header:
        if match := _DIRECTION.match(line):
            return f"{int(match[1]) % 360:03d}" if match[1] else match[2].upper()
    raise InputError(f"{where}: no direction of the channel (Chan 1: 90 Deg)")


def _metadata(header: Sequence[str], path: Path) -> tuple[dict[str, Value], float]:
    text = "\n".join(header)
    metadata: dict[str, str | float | None] = {"station": path.stem}
    if match := _STATION.search(text):
        metadata["station"] = match[1]
        metadata["station_lat"] = float(match[2]) * (1 if match[3] == "N" else -1)
        metadata["station_lon"] = float(match[4]) * (1 if match[5] == "E" else -1)
    if match := _SNCL.search(text):
        metadata |= {"network": match[1], "station": match[2]}
    volume = "1, uncorrected" if header[0].lstrip().lower().startswith("un") else "2, corrected"
    metadata["processing"] = f"CSMIP volume {volume}"
    start = 0.0
    if match := _START.search(text):
        month, day, year, hour, minute = (int(match[k]) for k in range(1, 6))
        year += 0 if year > 99 else 2000 if year < 70 else 1900
        moment = f"{year}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:00"
        start = seconds(moment, str(path)) + float(match[6])
    return known(metadata), start
