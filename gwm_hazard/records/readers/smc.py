"""USGS SMC: one component a file, in cm/s2; volumes 0 to 2, at an even step or digitised film.

11 lines of text, 48 integers, 50 reals, comments, then the samples in eights of width 10; where the
header tells no rate they are pairs of time and acceleration. Unknown are -32768 and 1.7e38. The
files of a record have the same name but for the letter of the component.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.errors import InputError
from gwm_hazard.records.readers.channels import (
    Channel,
    even,
    fixed_width,
    known,
    largest,
    lines_of,
    scan_channels,
    utc,
)
from gwm_hazard.records.record import Failure, Options, Source, Value
from gwm_hazard.records.traces import Trace, is_vertical

_TEXT, _INTEGERS, _REALS = 11, 6, 10  # lines of the headers
_KINDS = {
    "0": "raw", "1": "uncorrected", "2": "corrected", "3": "velocity", "4": "displacement",
    "5": "response spectra", "6": "response spectra",
}  # fmt: skip
_FIRST = re.compile(r"^\s*([0-6]) [A-Z][A-Z ]+\s*$")
_STATION = re.compile(r"station\s*=\s*(.*?)\s*component=", re.IGNORECASE)
_EVENT = re.compile(r"^\s*(\d{4})\s+(\d+)\s+(\d+)\s+(\d{4})\s*(.*)$", re.MULTILINE)


def scan(paths: Sequence[Path], options: Options) -> list[Source | Failure]:
    """One source a record: the files of its components."""
    return scan_channels(read, paths, options)


def is_smc(head: str) -> bool:
    """Whether a text begins as such a file."""
    lines = head.splitlines()[: _TEXT + 1]
    return len(lines) > _TEXT and bool(_FIRST.match(lines[0])) and lines[1].startswith("*")


def read(path: Path, options: Options) -> list[Channel]:
    """The channel of a file, in m/s2."""
    lines = lines_of(path)
    where = str(path)
    match = _FIRST.match(lines[0])
    kind = match[1] if match else ""
    if kind not in "012":
        raise InputError(
            f"{where}: SMC of {_KINDS.get(kind, 'another kind')}, no acceleration: give the file "
            "that begins with 1 or 2"
        )
    integers = fixed_width(lines[_TEXT:], "(8I10)", 48, where)
    reals = fixed_width(lines[_TEXT + _INTEGERS :], "(5E15.7)", 50, where)
    told = [float(v) if v < 1e38 else None for v in reals]
    at = _TEXT + _INTEGERS + _REALS + int(max(integers[15], 0))
    count, rate = int(integers[16]), told[1]
    values = fixed_width(lines[at:], "(8E10.4)", count, where)
    if rate:
        dt, data = 1.0 / rate, values
    else:
        dt, data = even(values[0::2], values[1::2], where)
    name, data = _direction(int(integers[12]), int(integers[13]), data, where)
    number = int(integers[7])
    metadata: dict[str, Value | None] = {
        "station": str(number) if number > 0 else path.stem,
        "event_lat": told[2], "event_lon": told[3], "hypo_depth": told[4],
        "station_lat": told[10], "station_lon": told[11], "repi": told[16],
        "processing": f"SMC, {_KINDS[kind]}",
    }  # fmt: skip
    metadata |= largest(dict(zip(("Mw", "Ms", "ML", ""), told[5:9], strict=True)))
    metadata["highpass_hz"] = told[32] if kind == "2" else None
    header = "\n".join(lines[:_TEXT])
    if match := _STATION.search(header):
        metadata["station_name"] = match[1]
    if match := _EVENT.search(header):
        metadata["event_name"] = match[5].strip()
        moment = f"{match[1]}-{match[2]}-{match[3]}T{match[4][:2]}:{match[4][2:]}:00"
        metadata["event_time"] = utc(moment, where)
    peaks = [abs(v) for v in (told[29], told[31]) if v is not None]
    # channels of a building: those of a floor have its name
    record = re.sub(r"[a-z](?=(_[a-z])?$)", "", path.stem, count=1)
    key = (str(metadata["station"]), record, str(metadata.get("station_name", "")), f"V{kind}")
    trace = Trace(name, is_vertical(name), data / 100, dt)
    peak = max(peaks) / 100 if peaks else None
    return [Channel(key, trace, known(metadata), peak, raw=kind != "2")]


def _direction(
    vertical: int, horizontal: int, data: NDArray[np.float64], where: str
) -> tuple[str, NDArray[np.float64]]:
    """Name and samples of a component, by its angles from the vertical and from north."""
    if vertical in (0, 180) or horizontal in (500, 600):
        return "UP", -data if vertical == 180 or horizontal == 600 else data
    if not 0 <= horizontal <= 360:
        raise InputError(f"{where}: orientation {horizontal} of the component is not known")
    return f"{horizontal % 360:03d}", data
