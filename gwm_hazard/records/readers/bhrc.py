"""BHRC (Iran), volume 1: components L, V and T of a record in one file, in g/10 at an even step.

L and T are named by their azimuths, which the header tells. :mod:`.volumes` reads the samples.
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
    sections,
    utc,
)
from gwm_hazard.records.readers.volumes import read_volume
from gwm_hazard.records.record import Failure, Options, Source, Value
from gwm_hazard.records.traces import Trace

_FIRST = re.compile(r"^\* VOL1DS FILE:\s*(\S+)")
_COMPONENT = re.compile(r"^COMP\s+([LTV])", re.MULTILINE)
_STATION = re.compile(
    r"^(.*?)\s+Station\s+([\d.]+) ?([NS]) +([\d.]+) ?([EW])\s+Altitude\s*(\d*)", re.M
)
_AZIMUTHS = re.compile(r"Azimuth\s+L\s*(\d+)\s+T\s*(\d+)")
_EPICENTRE = re.compile(r"^Epicenter\s+([\d.]+) ?([NS]) +([\d.]+) ?([EW])\s+FD\s*([\d.]*)", re.M)
_MAGNITUDE = re.compile(r"\b(mb|Ms|Mw|M|ML)\s*(\d\.\d+|\d+)")
_TIME = re.compile(r"^Origin Time\s*:\s*(\d+/\d+/\d+)\s+(\d+:\d+:\d+)", re.MULTILINE)


def scan(paths: Sequence[Path], options: Options) -> list[Source | Failure]:
    """One source a file."""
    return scan_channels(read, paths, options)


def is_bhrc(head: str) -> bool:
    """Whether a text begins as such a file."""
    return bool(_FIRST.match(head))


def read(path: Path, options: Options) -> list[Channel]:
    """The channels of a file, in m/s2."""
    lines = lines_of(path)
    begins = [i for i, line in enumerate(lines) if _FIRST.match(line)]
    return [_channel(path, part, at) for part, at in sections(lines, begins)]


def _channel(path: Path, lines: Sequence[str], offset: int) -> Channel:
    where = f"{path}:{offset + 1}"
    volume = read_volume(lines, where)
    text = "\n".join(volume.text)
    letter = needed(_COMPONENT, text, "component (COMP L)", where)[1]
    azimuths = _AZIMUTHS.search(text)
    name = letter
    if azimuths and letter in "LT":
        degrees = int(azimuths[1 if letter == "L" else 2])
        if degrees > 360:
            raise InputError(f"{where}: azimuth of {letter} = {degrees} deg: must be at most 360")
        name = f"{degrees % 360:03d}"
    metadata: dict[str, Value | None] = {
        "network": "BHRC", "station": path.stem, "processing": "volume 1, uncorrected",
    }  # fmt: skip
    if match := _STATION.search(text):
        metadata["station_name"] = match[1].strip()
        metadata["station_lat"] = float(match[2]) * (1 if match[3] == "N" else -1)
        metadata["station_lon"] = float(match[4]) * (1 if match[5] == "E" else -1)
        metadata["station_elevation_m"] = float(match[6]) if match[6] else None
    if match := _EPICENTRE.search(text):
        metadata["event_lat"] = float(match[1]) * (1 if match[2] == "N" else -1)
        metadata["event_lon"] = float(match[3]) * (1 if match[4] == "E" else -1)
        metadata["hypo_depth"] = float(match[5]) if match[5] else None
        metadata |= largest(dict(_MAGNITUDE.findall(text[match.end() :])))
    if match := _TIME.search(text):
        metadata["event_time"] = utc(f"{match[1]} {match[2]}".replace("/", "-"), where)
    trace = Trace(name, letter == "V", volume.data, volume.dt_s)
    return Channel(("BHRC", path.stem), trace, known(metadata), volume.peak, raw=True)
