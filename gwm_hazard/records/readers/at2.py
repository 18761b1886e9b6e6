"""PEER AT2: one component a file, acceleration in g, four lines of header.

The second line of the header is EVENT, DATE, STATION, COMPONENT in NGA-West2 files. Files of one
record are those with the same record sequence number (RSN123_...), or, without one, those in one
folder whose names differ in the orientation at the end only (TAF021, TAF111, TAF-UP).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.errors import InputError
from gwm_hazard.records.record import Failure, Options, Record, Source, Value
from gwm_hazard.records.traces import Trace, assemble, is_horizontal, is_vertical, unit_factor

_NPTS_DT = (
    re.compile(
        r"NPTS\s*=\s*(?P<npts>\d+)[\s,]+DT\s*=\s*(?P<dt>\d*\.?\d+(?:[ED][-+]?\d+)?)", re.IGNORECASE
    ),
    re.compile(
        r"^\s*(?P<npts>\d+)[\s,]+(?P<dt>\d*\.?\d+(?:[ED][-+]?\d+)?)[\s,]+NPTS", re.IGNORECASE
    ),
)
_UNIT = re.compile(r"UNITS?\s*(?:OF|:|=)?\s*([^\s,;.]+)", re.IGNORECASE)
_ORIENTATION = re.compile(
    r"[-_.]?(UPDO|UP|DWN|DOWN|DN|VERTICAL|VERT|VER|[NS]\d{2}[EW]|[A-Z]N[ENZ12]|"
    r"(?:NS|EW|UD)[12]?|\d{3}|(?<=[-_.])H[12]|(?<=[-_.])[NSEWVZLTRXY12])$",
    re.IGNORECASE,
)
_DATE = re.compile(r"\d{1,4}[/-]\d{1,2}[/-]\d{1,4}")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:E[-+]?\d+)?", re.IGNORECASE)


def scan(paths: Sequence[Path], options: Options) -> list[Source | Failure]:
    """One source a record: the files of its components."""
    groups: dict[tuple[Path, str, str], list[Path]] = {}
    for path in paths:
        # by suffix, as PEER puts velocity and displacement (VT2, DT2) beside the acceleration
        key = (path.parent, _record_name(path), path.suffix.upper())
        groups.setdefault(key, []).append(path)
    return [
        Source(", ".join(p.name for p in members), tuple(members), 1, _reader(members, options))
        for members in groups.values()
    ]


def _record_name(path: Path) -> str:
    number = re.match(r"(RSN\d+)_", path.stem, re.IGNORECASE)
    return number[1].upper() if number else _ORIENTATION.sub("", path.stem) or path.stem


def _reader(members: Sequence[Path], options: Options):  # type: ignore[no-untyped-def]
    def read() -> Iterator[Record]:
        # by name, so that the order in which files are given does not matter
        files = sorted(members)
        read_files = [read_at2(path, options.unit) for path in files]
        first = files[0]
        metadata: dict[str, Value] = {
            "record_id": _ORIENTATION.sub("", first.stem) or first.stem,
            "source_file": ", ".join(str(p) for p in files),
        }
        if number := re.match(r"RSN(\d+)_", first.stem, re.IGNORECASE):
            metadata["rsn"] = int(number[1])
        metadata |= read_files[0][1]
        yield assemble([trace for trace, _ in read_files], metadata, options.components)

    return read


def read_at2(path: Path, unit: str | None = None) -> tuple[Trace, dict[str, Value]]:
    """One component, in m/s2, and what the header tells of the event and the station.

    unit : of the samples, where the header names none.
    """
    lines = path.read_text(encoding="latin-1").splitlines()
    at, match = _find_npts(path, lines)
    npts, dt = int(match["npts"]), float(match["dt"].upper().replace("D", "E"))
    header = " ".join(lines[:at]).upper()
    if ("VELOCITY" in header or "DISPLACEMENT" in header) and "ACCELERATION" not in header:
        raise InputError(f"{path}: holds velocity or displacement; give the acceleration (AT2)")
    factor = _factor(path, lines[:at], unit)
    values = _values(path, lines, at + 1)
    if values.size > npts and not values[npts:].any():
        values = values[:npts]  # the last line filled up with zeros
    if values.size != npts:
        raise InputError(
            f"{path}:{at + 1}: the header says NPTS = {npts}, but {values.size} values follow: "
            "the file is damaged"
        )
    name, metadata = _title(path, lines[1] if at > 1 else "")
    return Trace(name, is_vertical(name), values * factor, dt), metadata


def _find_npts(path: Path, lines: Sequence[str]) -> tuple[int, re.Match[str]]:
    for at, line in enumerate(lines[:20]):
        for pattern in _NPTS_DT:
            if match := pattern.search(line):
                return at, match
    raise InputError(
        f"{path}:4: no number of samples and time step: expected 'NPTS= 4096, DT= .0100 SEC' or "
        "'4096 0.01 NPTS, DT'"
    )


def _factor(path: Path, header: Sequence[str], unit: str | None) -> float:
    for number, line in enumerate(header, 1):
        if "UNIT" in line.upper() and (match := _UNIT.search(line)):
            try:
                return unit_factor(match[1])
            except ValueError as exc:
                if unit is None:
                    raise InputError(f"{path}:{number}: {exc}") from None
    if unit is None:
        raise InputError(f"{path}: the header names no unit; give it with --unit, e.g. --unit g")
    return unit_factor(unit)


def _values(path: Path, lines: Sequence[str], start: int) -> NDArray[np.float64]:
    try:
        return np.array(" ".join(lines[start:]).split(), dtype=np.float64)
    except ValueError:
        pass  # numbers without a blank between them, Fortran exponents, or damage: line by line
    values: list[float] = []
    for number, line in enumerate(lines[start:], start + 1):
        plain = re.sub(r"(?<=\d)D(?=[-+]?\d)|(?<=\.)D(?=[-+]?\d)", "E", line, flags=re.IGNORECASE)
        left = _NUMBER.sub("", plain).strip()
        if left:
            raise InputError(f"{path}:{number}: {left.split()[0]!r} is not a number")
        values.extend(float(x) for x in _NUMBER.findall(plain))
    return np.array(values)


def _title(path: Path, line: str) -> tuple[str, dict[str, Value]]:
    """Name of the component, from the header where it has one, else from the file's name."""
    fields = [field.strip() for field in line.split(",")]
    metadata: dict[str, Value] = {}
    # names of events and stations may hold commas ("Tabas, Iran"); the date parts them
    date = next((i for i, field in enumerate(fields) if _DATE.fullmatch(field)), 0)
    if 0 < date < len(fields) - 2:
        metadata = {"event_name": ", ".join(fields[:date]), "event_date": fields[date]}
        metadata["station_name"] = ", ".join(fields[date + 1 : -1])
    last = fields[-1] if len(fields) >= 3 else ""
    last = last.zfill(3) if last.isdigit() and int(last) <= 360 else last
    if last and len(last) <= 8 and (is_vertical(last) or is_horizontal(last)):
        return last, metadata
    match = _ORIENTATION.search(path.stem)
    return (match[1] if match else last or "H1"), metadata
