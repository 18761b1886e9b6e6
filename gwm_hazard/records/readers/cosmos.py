"""COSMOS strong-motion format 1.20 (COSMOS 2001): volumes 1 and 2, one or several channels a file.

Text header, integer and real headers by number, comments, then acceleration; velocity and
displacement that follow in volume 2 are passed over. Units stand with the samples; raw counts
(volume 0) become m/s2 by the least significant bit, the recorder's gain and the sensor's
sensitivity of the real header.
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
    columns_and_width,
    fixed_width,
    known,
    largest,
    lines_of,
    scan_channels,
    sections,
    utc,
)
from gwm_hazard.records.record import Failure, Options, Source, Value
from gwm_hazard.records.traces import (
    Trace,
    azimuth_name,
    is_horizontal,
    is_vertical,
    unit_factor,
)

#: Table 2 of the format: codes of units of acceleration.
UNITS = {2: "g", 4: "cm/s2", 10: "gal", 11: "mg"}

#: Table 5 in part: codes of directions that are no azimuths.
_VERTICAL = {400: "UP", 401: "DOWN", 402: "VERT"}
_OTHER = {500: "R", 501: "T", 700: "H1", 701: "H2"}

#: The code of counts, and those of an orientation that the header leaves to the SNCL in comments.
COUNTS = 50

_FIRST = re.compile(r"\(Format v\s*0?1\.[12]\d* with\s+(\d+) text lines\)", re.IGNORECASE)
_BLOCK = re.compile(r"^\s*(\d+)\s+(.*)$")
_TITLE = re.compile(
    r"^Sta Chan?\b[^:]*:\s*(\d+(?= *deg)|up|down|vert)", re.IGNORECASE | re.MULTILINE
)
_CODE = re.compile(r"Code:\s*(\w+)\s*-\s*(\w+)")
_SNCL = re.compile(r"<SCNL>\s*(\w+)\.(\w+)\.(\w+)")
_ORIGIN = re.compile(
    r"Origin:\s*(?:(\d{4})/(\d+)/(\d+)|(\d+)/(\d+)/(\d{4})),?\s+(\d+:\d+:[\d.]+)\s*(?:UTC|GMT)"
)


def scan(paths: Sequence[Path], options: Options) -> list[Source | Failure]:
    """One source a record: the channels of a station, in one file or several."""
    return scan_channels(read, paths, options)


def is_cosmos(head: str) -> bool:
    """Whether a text begins as such a file."""
    return bool(_FIRST.search(head[:300]))


def read(path: Path, options: Options) -> list[Channel]:
    """All channels of acceleration in a file, in m/s2."""
    lines = lines_of(path)
    begins = [i for i, line in enumerate(lines) if _FIRST.search(line)]
    if not begins:
        raise InputError(f"{path}: no header of COSMOS format 1.20")
    return [_channel(path, part, at, options) for part, at in sections(lines, begins)]


class _Cursor:
    """Walks through the blocks of a channel."""

    def __init__(self, path: Path, lines: Sequence[str], offset: int) -> None:
        self.path, self.lines, self.offset, self.at = path, lines, offset, 0

    @property
    def where(self) -> str:
        return f"{self.path}:{self.offset + self.at + 1}"

    def title(self, what: str) -> tuple[int, str]:
        """The line that announces a block: its number of values and the rest."""
        line = self.lines[self.at] if self.at < len(self.lines) else ""
        match = _BLOCK.match(line)
        if match is None or what not in line.lower():
            raise InputError(f"{self.where}: expected a block of {what!r}, found {line[:40]!r}")
        return int(match[1]), match[2]

    def values(self, what: str) -> tuple[NDArray[np.float64], str]:
        """Numbers of a block, and the line that announced it."""
        count, rest = self.title(what)
        where, body = self.where, self.lines[self.at + 1 :]
        form = rest[rest.lower().find("format") :]
        values = fixed_width(body, form, count, where)
        columns, _ = columns_and_width(form, where)
        self.at += 1 + -(-count // columns)
        return values, rest


def _channel(path: Path, lines: Sequence[str], offset: int, options: Options) -> Channel:
    cursor = _Cursor(path, lines, offset)
    match = _FIRST.search(lines[0])
    cursor.at = int(match[1]) if match else 0
    text = lines[: cursor.at]
    integers, _ = cursor.values("integer-header")
    reals, _ = cursor.values("real-header")
    if integers.size < 100 or reals.size < 65:
        raise InputError(
            f"{path}: {integers.size} integers and {reals.size} reals in the header: "
            "at least 100 and 65 are needed"
        )
    comments, _ = cursor.title("comment")
    sncl = _SNCL.search(" ".join(lines[cursor.at : cursor.at + 1 + comments]))
    cursor.at += 1 + comments
    samples, quantity = cursor.values("pts")
    if "accel" not in quantity.lower() or int(integers[1]) not in (1, -999):
        raise InputError(f"{cursor.where}: {quantity.strip()[:40]!r} is no acceleration")
    code = int(integers[2])
    stated = re.search(r"\(\s*0?(\d+)\s*\)", quantity)  # units=cm/sec2 (04)
    if stated and int(stated[1]) != code:
        raise InputError(f"{path}: unit {code} in the header, {stated[1]} with the samples")
    factor = _per_count(reals, path) if code == COUNTS else _unit(code, path)
    dt = reals[61] / 1000.0 if reals[61] > 0 else reals[33]
    if not dt > 0:
        raise InputError(f"{path}: sampling interval = {reals[61]:g} ms: must be > 0")
    name, vertical = _direction(int(integers[53]), sncl[2] if sncl else "", text)
    metadata, key = _metadata(text, integers, reals, sncl, path)
    data = samples * factor
    if name == "DOWN":
        data, name = -data, "UP"
    trace = Trace(name, vertical, data, float(dt), _start(integers, reals))
    peak = float(reals[63]) * factor if reals[63] not in (0.0, -999.0) else None
    return Channel(key, trace, metadata, peak, raw=int(integers[0]) in (0, 1))


def _unit(code: int, path: Path) -> float:
    if code not in UNITS:
        raise InputError(f"{path}: unit {code} is none of acceleration ({UNITS}) nor counts")
    return unit_factor(UNITS[code])


def _per_count(reals: NDArray[np.float64], path: Path) -> float:
    """m/s2 a count of volume 0: microvolts a count, V/g of the sensor, gain of the recorder."""
    bit, sensitivity, gain = float(reals[21]), float(reals[41]), float(reals[46])
    if not (bit > 0 and sensitivity > 0):
        raise InputError(
            f"{path}: counts, and real header 22 = {bit:g} microvolts a count, 42 = "
            f"{sensitivity:g} V/g: both must be > 0; give volume 1 or 2"
        )
    return unit_factor("g") * bit * 1e-6 / sensitivity / (gain if gain > 0 else 1.0)


def _direction(code: int, channel: str, text: Sequence[str]) -> tuple[str, bool]:
    """Name of a channel, and whether it is vertical.

    A SNCL that ends with Z wins over a code of 0; for a code that is not known, the text header
    (Sta Chan 1: 340 deg) and the SNCL stand in.
    """
    if channel.endswith("Z") and code not in _VERTICAL:
        return "UP", True
    if code in _VERTICAL:
        return _VERTICAL[code], True
    if code in _OTHER:
        return _OTHER[code], False
    if 0 <= code <= 360:
        return f"{code % 360:03d}", False
    title = _TITLE.search("\n".join(text))
    name = (azimuth_name(title[1]) or title[1].upper()) if title else channel
    if is_vertical(name) or is_horizontal(name):
        return name, is_vertical(name)
    raise InputError(f"direction {code} of a channel is not known")


def _metadata(
    text: Sequence[str],
    integers: NDArray[np.float64],
    reals: NDArray[np.float64],
    sncl: re.Match[str] | None,
    path: Path,
) -> tuple[dict[str, Value], tuple[str, ...]]:
    code = _CODE.search(" ".join(text))
    names = ("station_lat", "station_lon", "station_elevation_m", "vs30")
    metadata: dict[str, str | float | None] = dict(zip(names, map(float, reals[:4]), strict=True))
    # real header 10 to 16, counted from 1
    place = zip(("event_lat", "event_lon", "hypo_depth"), map(float, reals[9:12]), strict=True)
    metadata |= dict(place)
    metadata |= largest(dict(zip(("Mw", "Ms", "ML", ""), map(float, reals[12:16]), strict=True)))
    for name, corner in (("highpass_hz", float(reals[53])), ("lowpass_hz", float(reals[56]))):
        metadata[name] = corner if corner > 0 and int(integers[0]) == 2 else None
    if match := _ORIGIN.search("\n".join(text)):
        year, month, day = (match[k] for k in ((1, 2, 3) if match[1] else (6, 4, 5)))
        moment = f"{year}-{int(month):02d}-{int(day):02d}T{match[7]}"
        metadata["event_time"] = utc(moment, str(path))
    metadata["network"], metadata["station"] = (code[1], code[2]) if code else ("", path.stem)
    if sncl:
        metadata |= {"network": sncl[3], "station": sncl[1]}
    metadata["station_name"] = text[4][40:].strip() if len(text) > 4 else ""
    stage = {
        0: "volume 0, counts", 1: "volume 1, uncorrected", 2: "volume 2, corrected",
    }.get(int(integers[0]), "")  # fmt: skip
    metadata["processing"] = f"COSMOS {stage}" if stage else ""
    begin = "".join(f"{max(0, int(integers[k])):02d}" for k in (39, 41, 42, 43, 44))
    station = str(metadata["network"]), str(metadata["station"])
    return known(metadata), (*station, begin, f"V{int(integers[0])}")


def _start(integers: NDArray[np.float64], reals: NDArray[np.float64]) -> float:
    from obspy import UTCDateTime

    year, month, day, hour, minute = (int(integers[k]) for k in (39, 41, 42, 43, 44))
    if min(year, month, day, hour, minute) < 0 or reals[29] < 0:
        return 0.0
    try:
        return float(UTCDateTime(year, month, day, hour, minute)) + float(reals[29])
    except ValueError:
        raise InputError(f"{year}-{month}-{day} {hour}:{minute} is no time") from None
