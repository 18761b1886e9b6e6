"""UNAM (Instituto de Ingenieria, Mexico), "archivo estandar de aceleracion" 2.0: columns in gal.

Lines ``KEY : VALUE`` in Spanish, those of channels parted by "/", then a column a channel.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gwm_hazard.errors import InputError
from gwm_hazard.records.readers.channels import (
    Channel,
    fixed_width,
    header_of,
    known,
    largest,
    lines_of,
    scan_channels,
    seconds,
    utc,
)
from gwm_hazard.records.record import Failure, Options, Source, Value
from gwm_hazard.records.traces import Trace, azimuth_name, is_vertical, unit_factor

_DATA = "DATOS DE ACELERACION:"
_BELOW = 5  # lines of rulers and names of channels
_FORM = re.compile(r"(\d+)F(\d+)\.(\d+)")
_LAT_LON = re.compile(r"([\d.]+)\s*LAT\.\s*([NS])\s*:?\s*([\d.]+)\s*LONG\.\s*([EW])")


def scan(paths: Sequence[Path], options: Options) -> list[Source | Failure]:
    """One source a file."""
    return scan_channels(read, paths, options)


def is_unam(head: str) -> bool:
    """Whether a text begins as such a file."""
    return "ARCHIVO ESTANDAR DE ACELERACION" in head[:1500]


def read(path: Path, options: Options) -> list[Channel]:
    """The channels of a file, in m/s2."""
    lines, where = lines_of(path), str(path)
    at = next((i for i, line in enumerate(lines[:200]) if line.startswith(_DATA)), None)
    if at is None:
        raise InputError(f"{where}: no line {_DATA!r}")
    header = header_of(lines[:at])
    names = _each(header, "ORIENTACION C1-C6 (rumbo;orientacion)", where)
    counts = [int(float(v)) for v in _each(header, "NUM. TOTAL DE MUESTRAS, C1-C6", where)]
    steps = [float(v) for v in _each(header, "INTERVALO DE MUESTREO, C1-C6 (s)", where)]
    peaks = [float(v) for v in _each(header, "ACEL. MAX.(Gal), C1-C6", where)]
    factor = unit_factor(header.get("UNIDADES DE LOS DATOS", "").partition("(")[0] or "gal")
    form = _FORM.search(next((v for k, v in header.items() if k.startswith("FORMATO DATOS")), ""))
    if form is None or not len(names) == len(counts) == len(steps) == len(peaks) == int(form[1]):
        raise InputError(f"{where}: the header's channels differ in number")
    width = f"({form[1]}F{form[2]}.{form[3]})"
    data = fixed_width(lines[at + _BELOW :], width, len(names) * min(counts), where)
    metadata, start = _metadata(header, where)
    channels = []
    for name, column, dt, peak in zip(names, data.reshape(-1, len(names)).T, steps, peaks,
                                      strict=True):  # fmt: skip
        title = azimuth_name(name.replace(";", "")) or name.upper()
        trace = Trace(title, is_vertical(title), column * factor, dt, start)
        key = ("UNAM", str(metadata["station"]), path.stem + path.suffix)
        channels.append(Channel(key, trace, known(metadata), abs(peak) * factor, raw=True))
    return channels


def _each(header: dict[str, str], key: str, where: str) -> list[str]:
    values = [v.strip() for v in header.get(key, "").strip("/").split("/")]
    if not all(values):
        raise InputError(f"{where}: the header tells no {key}")
    return values


def _metadata(header: dict[str, str], where: str) -> tuple[dict[str, Value | None], float]:
    metadata: dict[str, Value | None] = {
        "network": "UNAM", "station": header.get("CLAVE DE LA ESTACION", ""),
        "station_name": header.get("NOMBRE DE LA ESTACION", ""),
    }  # fmt: skip
    for what, key in (("station", "COORDENADAS DE LA ESTACION"),
                      ("event", "COORDENADAS DEL EPICENTRO")):  # fmt: skip
        if match := _LAT_LON.search(header.get(key, "")):
            metadata[f"{what}_lat"] = float(match[1]) * (1 if match[2] == "N" else -1)
            metadata[f"{what}_lon"] = float(match[3]) * (1 if match[4] == "E" else -1)
    if depth := re.match(r"[\d.]+", header.get("PROFUNDIDAD FOCAL (Km)", "")):
        metadata["hypo_depth"] = float(depth[0])
    told = {k if k != "M" else "": v for k, v in
            re.findall(r"/(M\w*)=([\d.]+)", header.get("MAGNITUD(ES)", ""))}  # fmt: skip
    metadata |= largest({"Mw": told.get("Mw"), "ML": told.get("Ml")} | told)
    day, origin = header.get("FECHA DEL SISMO [GMT]", ""), header.get("HORA EPICENTRO (GMT)", "")
    first = header.get("HORA DE LA PRIMERA MUESTRA (GMT)", "")
    if not day or not origin:
        return metadata, 0.0
    metadata["event_time"] = utc(f"{day.replace('/', '-')}T{origin}", where)
    if not first:
        return metadata, 0.0
    event = seconds(metadata["event_time"], where)
    start = seconds(f"{day.replace('/', '-')}T{first}", where)
    # a record that begins after midnight
    return metadata, start + 86400.0 * np.round((event - start) / 86400.0)
