"""SPECFEM3D in ASCII: NET.STA.CHANNEL.semd, .semv or .sema, a component a file, time and value.

m, m/s and m/s2 by the end of the name. The last letter of the channel: X or E east, Y or N north,
Z up, as of a mesh in UTM coordinates. Times begin before 0, the centroid's.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gwm_hazard.errors import InputError
from gwm_hazard.records.readers.channels import Channel, even, lines_of, scan_channels, values_of
from gwm_hazard.records.record import Failure, Options, Source
from gwm_hazard.records.simulated import acceleration, one_unit, told
from gwm_hazard.records.traces import Trace

_UNITS = {".semd": "m", ".semv": "m/s", ".sema": "m/s2"}
_COMPONENTS = {"X": "E", "E": "E", "Y": "N", "N": "N", "Z": "UP"}


def recognises(path: Path) -> bool:
    """By the name: the content is that of any text with two columns."""
    return path.suffix in _UNITS and path.name.count(".") >= 3


def scan(paths: Sequence[Path], options: Options) -> list[Source | Failure]:
    """One source a station: the files of its components together."""
    return scan_channels(read, paths, options)


def read(path: Path, options: Options) -> list[Channel]:
    """The component of a file, in m/s2."""
    *key, channel = path.name.removesuffix(path.suffix).split(".")
    if channel[-1:] not in _COMPONENTS:
        raise InputError(f"{path}: channel {channel!r}: must end in X, Y, Z, E or N")
    rows = [line for line in lines_of(path) if line.strip()]
    table = values_of(rows, 2 * len(rows), str(path)).reshape(-1, 2)
    units = [_UNITS[path.suffix]] if path.suffix in _UNITS else []
    unit = one_unit(units, options.unit, str(path))
    dt, values = even(table[:, 0] - table[0, 0], table[:, 1], str(path))
    name = _COMPONENTS[channel[-1]]
    told_of = told(unit, "H1 Y of the mesh, north; H2 X, east; up") | {
        "station": key[-1],
        "origin_s": float(f"{table[0, 0]:.6g}"),
    }
    data = acceleration(values, dt, unit)
    return [Channel((*key, path.suffix), Trace(name, name == "UP", data, dt), told_of)]
