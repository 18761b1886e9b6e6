"""USC (Los Angeles strong-motion network), volumes 1 and 2: one component a file, film in g/10.

The files of a record have the same name but for the last letter or digits (017m30lw.s0a, .s0b,
.s0c). :mod:`.volumes` reads the samples.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from gwm_hazard.records.readers.channels import (
    Channel,
    known,
    lines_of,
    needed,
    scan_channels,
    utc,
)
from gwm_hazard.records.readers.volumes import read_volume
from gwm_hazard.records.record import Failure, Options, Source, Value
from gwm_hazard.records.traces import Trace, azimuth_name, is_vertical

_TITLE = re.compile(r"^FILE\s+\d+ OF UNCORRECTED ACCELEROGRAM DATA OF VOLUME I", re.MULTILINE)
_COMPONENT = re.compile(r"^COMP\s+(\w+)", re.MULTILINE)
_STATION = re.compile(r"^STATION (USC# ?\w+)", re.MULTILINE)
_PLACE = re.compile(
    r"(\d+) +(\d+) +([\d.]+) ?([NS]), *(\d+) +(\d+) +([\d.]+) ?([A-Z])", re.IGNORECASE
)
_TIME = re.compile(r"([A-Z]{3})[A-Z]* (\d+), *(\d{4}) *-? *(\d\d)(\d\d) GMT")
_BAND = re.compile(r"FILTERED BETWEEN +([\d.]+)- *([\d.]+) AND +([\d.]+)-")
_MONTHS = "JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC".split()


def scan(paths: Sequence[Path], options: Options) -> list[Source | Failure]:
    """One source a record: the files of its components."""
    return scan_channels(read, paths, options)


def is_usc(head: str) -> bool:
    """Whether a text begins as such a file."""
    return bool(_TITLE.search(head[:200]))


def read(path: Path, options: Options) -> list[Channel]:
    """The channel of a file, in m/s2."""
    volume = read_volume(lines_of(path), str(path))
    text = "\n".join(volume.text)
    name = needed(_COMPONENT, text, "direction (COMP N90E)", str(path))[1]
    name, data = azimuth_name(name) or name.upper(), volume.data
    if name in ("DOWN", "DWN"):
        name, data = "UP", -data
    station = _STATION.search(text)
    metadata: dict[str, Value | None] = {
        "network": "USC", "station": station[1].removeprefix("USC#").strip() if station else "",
        "repi": volume.real(10) or None, "mag": volume.real(11) or None,
        "processing": f"volume {'2, corrected' if volume.processed else '1, uncorrected'}",
    }  # fmt: skip
    # the station comes first; its west is often misprinted as N
    for what, place in zip(("station", "event"), _PLACE.finditer(text), strict=False):
        lat, lon = (sum(float(place[k + i]) / 60**i for i in range(3)) for k in (1, 5))
        metadata[f"{what}_lat"] = round(-lat if place[4] == "S" else lat, 5)
        metadata[f"{what}_lon"] = round(lon if place[8] == "E" else -lon, 5)
    if (match := _TIME.search(text)) and match[1] in _MONTHS:
        month = _MONTHS.index(match[1]) + 1
        moment = f"{match[3]}-{month:02d}-{int(match[2]):02d}T{match[4]}:{match[5]}:00"
        metadata["event_time"] = utc(moment, str(path))
    if match := _BAND.search(text):
        metadata |= {"highpass_hz": float(match[2]), "lowpass_hz": float(match[3])}
    # .s0a, .s0b, .s0c; older ones .001, .002, .003
    stem = f"{path.stem}{path.suffix[:-1]}"
    key = (str(metadata["station"]), stem, "V2" if volume.processed else "V1")
    trace = Trace(name, is_vertical(name), data, volume.dt_s)
    return [Channel(key, trace, known(metadata), volume.peak, raw=not volume.processed)]
