"""CSMIP (CGS, "DMG") volumes 1 and 2 of all years, and RENADIC's in their layout: .V1, .V2, .RAW.

The channels of a station follow each other; :mod:`.volumes` reads each. Volume 3 holds spectra.
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
    scan_channels,
    seconds,
    sections,
    utc,
)
from gwm_hazard.records.readers.volumes import read_volume
from gwm_hazard.records.record import Failure, Options, Source, Value
from gwm_hazard.records.traces import Trace, azimuth_name, is_horizontal, is_vertical, named

_FIRST = re.compile(r"^\s*(un)?corrected accelerogram", re.IGNORECASE)
_SPECTRA = re.compile(r"^\s*response and fourier amplitude spectra", re.IGNORECASE)
_CHANNEL = re.compile(r"^\s*chan\s*\d+\s*:\s*([\w /.-]*?)\s*(?:\(|$|\s{3})", re.I)
_STATION = re.compile(
    r"station (?:id|no)\.?\s*(\w*)\s+([\d.]+)\s*([NS])\s*,?\s*([\d.]+)\s*([EW])", re.I
)
_LOCATION = re.compile(r"^\s*chan\b.*?location:\s*(.*?)\s*$", re.IGNORECASE)
_SNCL = re.compile(r"\b([A-Z0-9]{2})\.([A-Z0-9]{1,5})\.(..)\.")
_HYPOCENTRE = re.compile(
    r"hypocenter\S*\s*([\d.]+)\s*([NS])\s*,?\s*([\d.]+)\s*([EW])\s*,?\s*H=\s*([\d.]+)", re.I
)
_MAGNITUDE = re.compile(r"\b(M[wsl])\s*=\s*([\d.]+)", re.IGNORECASE)
_TIME = r"{}[^:]*:\s*(\d+)[/-]\s*(\d+)[/-](\d+),?\s+(\d+):\s*(\d+):\s*([\d.]+)\s*(?:UTC|GMT)"
_START = re.compile(_TIME.format("(?:start|trigger) time"), re.IGNORECASE)
_ORIGIN = re.compile(_TIME.format("origin"), re.IGNORECASE)
_BAND = re.compile(r"bandpass filtered with (?:3 dB pts|ramps) at\s*(.*?)\s*cyc", re.IGNORECASE)
_CORNER = re.compile(r"([\d.]*\d)\s*(?:-\s*([\d.]*\d))?")


def scan(paths: Sequence[Path], options: Options) -> list[Source | Failure]:
    """One source a station and file."""
    return scan_channels(read, paths, options)


def is_csmip(head: str) -> bool:
    """Whether a text begins as such a file."""
    begins = _FIRST.match(head) or _SPECTRA.match(head)
    return bool(begins) and re.search(r"\bchan\s*\d+\s*:", head, re.I | re.M) is not None


def read(path: Path, options: Options) -> list[Channel]:
    """All channels of acceleration in a file, in m/s2."""
    lines = lines_of(path)
    if lines and _SPECTRA.match(lines[0]):
        raise InputError(
            f"{path}: volume 3 of CSMIP, response spectra without samples: give the station's "
            "volume 2 (.V2)"
        )
    # volume 2 repeats the first line of the volume 1 that it was made of
    begins = [i for i, line in enumerate(lines)
              if _FIRST.match(line) and not (i and _FIRST.match(lines[i - 1]))]  # fmt: skip
    return [_channel(path, part, at, options) for part, at in sections(lines, begins)]


def _channel(path: Path, lines: Sequence[str], offset: int, options: Options) -> Channel:
    where = f"{path}:{offset + 1}"
    volume = read_volume(lines, where)
    name, data = _direction(volume.text, options, where), volume.data
    if name == "DOWN":
        data, name = -data, "UP"
    metadata, start = _metadata(volume.text, path)
    metadata["processing"] = f"volume {'2, corrected' if volume.processed else '1, uncorrected'}"
    kind = "V2" if volume.processed else "V1"
    # of a building, the channels of a place
    place = next((m[1] for line in volume.text if (m := _LOCATION.search(line))), "")
    key = (str(metadata.get("network", "")), str(metadata["station"]), path.stem, kind, place)
    trace = Trace(name, is_vertical(name), data, volume.dt_s, start)
    return Channel(key, trace, known(metadata), volume.peak, raw=not volume.processed)


def _direction(header: Sequence[str], options: Options, where: str) -> str:
    for line in header:
        if (match := _CHANNEL.match(line)) and match[1]:
            name = azimuth_name(match[1]) or match[1].upper()
            told = named(name, options.components)
            if told != name or is_vertical(name) or is_horizontal(name):
                return name
            raise InputError(
                f"{where}: direction {name!r} of the channel is not known: say what it is with "
                f"--components {name}=N"
            )
    raise InputError(f"{where}: no direction of the channel (Chan 1: 90 Deg)")


def _metadata(header: Sequence[str], path: Path) -> tuple[dict[str, Value | None], float]:
    text = "\n".join(header)
    metadata: dict[str, Value | None] = {"station": path.stem}
    if match := _STATION.search(text):
        metadata |= {"station": match[1] or path.stem} | _place("station", match, 2)
    if match := _SNCL.search(text):
        metadata |= {"network": match[1], "station": match[2]}
    if match := _HYPOCENTRE.search(text):
        metadata |= _place("event", match, 1)
        if "event_lat" in metadata:
            metadata["hypo_depth"] = float(match[5])
    kinds = {"MW": "Mw", "MS": "Ms", "ML": "ML"}
    told = {kinds[k.upper()]: v.strip(".") for k, v in reversed(_MAGNITUDE.findall(text))}
    metadata |= largest(told)
    if origin := _moment(_ORIGIN.search(text), path):
        metadata["event_time"] = utc(origin, str(path))
    if match := _BAND.search(text):
        (low, ramp), *high = _CORNER.findall(match[1]) or [("", "")]
        metadata["highpass_hz"] = float(ramp or low) if low else None
        metadata["lowpass_hz"] = float(high[0][0]) if high else None
    return metadata, _moment(_START.search(text), path) or 0.0


def _place(what: str, match: re.Match[str], at: int) -> dict[str, Value | None]:
    """Coordinates, unknown where both are 0."""
    lat, lon = float(match[at]), float(match[at + 2])
    if lat == lon == 0:
        return {}
    return {
        f"{what}_lat": lat if match[at + 1].upper() == "N" else -lat,
        f"{what}_lon": lon if match[at + 3].upper() == "E" else -lon,
    }


def _moment(match: re.Match[str] | None, path: Path) -> float | None:
    """s after 1970; None where there is no time, or the clock was never set."""
    if match is None:
        return None
    month, day, year, hour, minute = (int(match[k]) for k in range(1, 6))
    year += 0 if year > 99 else 2000 if year < 70 else 1900
    if (year, month, day) == (1980, 1, 1):  # the zero of recorders' clocks
        return None
    moment = f"{year}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:00"
    return seconds(moment, str(path)) + float(match[6].rstrip("."))
