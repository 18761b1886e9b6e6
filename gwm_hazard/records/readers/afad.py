"""AFAD, the national strong-motion network of Turkey: three columns N-S, E-W, U-D in gal.

17 lines ``KEY : VALUE`` below the title "STRONG GROUND MOTION RECORDS OF TURKIYE", a line that
names the columns, then the samples. Times are UTC. (Records of TADAS come in the format DYNA.)
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from gwm_hazard.errors import InputError
from gwm_hazard.records.readers.channels import Channel, known, lines_of, scan_channels, seconds
from gwm_hazard.records.record import Failure, Options, Source, Value
from gwm_hazard.records.traces import Trace, unit_factor

TITLE = "STRONG GROUND MOTION RECORDS OF TURK"
_COLUMNS = ("N-S", "E-W", "U-D")
_COORDINATES = re.compile(r"([\d.]+)\s*N\s*-\s*([\d.]+)\s*E")


def scan(paths: Sequence[Path], options: Options) -> list[Source | Failure]:
    """One source a file."""
    return scan_channels(read, paths, options)


def is_afad(head: str) -> bool:
    """Whether a text begins as such a file."""
    return TITLE in head[:200]


def read(path: Path, options: Options) -> list[Channel]:
    """The three channels of a file, in m/s2."""
    lines = lines_of(path)
    at = next((i for i, line in enumerate(lines[:40]) if line.split() == list(_COLUMNS)), None)
    if at is None:
        raise InputError(f"{path}: no line that names the columns {', '.join(_COLUMNS)}")
    header = {}
    for line in lines[:at]:
        key, colon, value = line.partition(":")
        if colon:
            header[key.strip()] = value.strip()
    npts = _number(header, "NUMBER OF DATA", path)
    dt = _number(header, "SAMPLING INTERVAL (sec)", path)
    unit = next((m[1] for k in header if (m := re.fullmatch(r"RAW PGA VALUES \((.*)\)", k))), None)
    if unit is None and options.unit is None:
        raise InputError(
            f"{path}: the header names no unit (RAW PGA VALUES (gal)); give it with --unit"
        )
    factor = unit_factor(str(unit or options.unit))
    rows = [line for line in lines[at + 1 :] if line.strip()]
    if len(rows) != npts:
        raise InputError(
            f"{path}:{at + 1}: NUMBER OF DATA is {npts:g}, but {len(rows)} lines "
            "follow: the file is damaged"
        )
    try:
        data = np.array([row.split() for row in rows], dtype=np.float64)
    except ValueError as exc:
        raise InputError(f"{path}: {exc}: the file is damaged") from None
    if data.shape[1:] != (3,):
        raise InputError(f"{path}: {data.shape[1:]} columns of numbers, 3 are needed")
    peaks = _peaks(data, next((v for k, v in header.items() if k.startswith("RAW PGA")), ""), path)
    metadata = _metadata(header, path)
    begin = _time(header.get("RECORD TIME", ""), path)
    record = ("TK", str(metadata.get("station", "")), str(metadata.get("event_time", "")))
    return [
        Channel(record, Trace(name, name == "U-D", column * factor, dt, begin), metadata,
                peak * factor, raw=True)
        for name, column, peak in zip(_COLUMNS, data.T, peaks, strict=True)
    ]  # fmt: skip


def _peaks(data: np.ndarray, text: str, path: Path) -> list[float]:
    """The peaks of the header, 0 where it tells none.

    The peaks of the header are those of the samples, or the unit is not what it says."""
    stated = [float(x) for x in re.findall(r"\)\s*([\d.]+)", text)]
    peaks = np.abs(data - data.mean(axis=0)).max(axis=0)
    if len(stated) != 3 or min(stated) <= 0:
        return [0.0] * 3
    ratio = peaks / stated
    if not np.all((ratio > 0.5) & (ratio < 2)):
        raise InputError(
            f"{path}: the header tells peaks of {', '.join(f'{x:.4g}' for x in stated)}, the "
            f"samples reach {', '.join(f'{x:.4g}' for x in peaks)}: damaged, or another unit"
        )
    return stated


def _metadata(header: Mapping[str, str], path: Path) -> dict[str, Value]:
    metadata: dict[str, str | float | None] = {
        "network": "TK",
        "station": header.get("STATION ID"),
        "station_name": header.get("PLACE"),
    }
    for name, key in (("event", "EPICENTER COORDINATES"), ("station", "STATION COORDINATES")):
        if match := _COORDINATES.search(header.get(key, "")):
            metadata |= {f"{name}_lat": float(match[1]), f"{name}_lon": float(match[2])}
    if header.get("EARTHQUAKE DEPTH (km)"):
        metadata["hypo_depth"] = _number(header, "EARTHQUAKE DEPTH (km)", path)
    if match := re.match(r"([\d.]+)\s*(\w*)", header.get("EARTHQUAKE MAGNITUDE", "")):
        metadata |= {"mag": float(match[1]), "mag_type": match[2]}
    if header.get("EARTHQUAKE DATE"):
        from obspy import UTCDateTime

        metadata["event_time"] = str(UTCDateTime(_time(header["EARTHQUAKE DATE"], path)))
    return known(metadata)


def _time(text: str, path: Path) -> float:
    plain = text.replace("(GMT)", "").strip()
    if not plain:
        return 0.0
    # 20/07/2017 22:31:14.000000
    plain = re.sub(r"^(\d{2})/(\d{2})/(\d{4})", r"\3-\2-\1", plain).replace("/", "-")
    return seconds(plain, str(path))


def _number(header: Mapping[str, str], key: str, path: Path) -> float:
    try:
        return float(header[key])
    except (KeyError, ValueError):
        raise InputError(f"{path}: {key} = {header.get(key)!r} is no number") from None
