"""SW4 in the text format of the USGS: columns that the header names, below lines with #.

X and Y of the mesh, taken as north and east (a mesh that is turned is not turned back), and Z
down; or east-west, north-south and up-down where the run was asked for these. SW4's SAC files say
in their headers which way components point.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Sequence
from pathlib import Path

from gwm_hazard.errors import InputError
from gwm_hazard.records.readers.channels import Channel, even, scan_channels, values_of
from gwm_hazard.records.record import Failure, Options, Source
from gwm_hazard.records.simulated import acceleration, one_unit, told
from gwm_hazard.records.traces import Trace

_COLUMN = re.compile(r"^#\s*Column\s+\d+:\s*(\S+)\s+(.*)\(([^)]*)\)", re.MULTILINE)

#: By the first letters of a column: component and sign.
_COMPONENTS = {
    "x": ("N", 1.0), "y": ("E", 1.0), "z": ("UP", -1.0), "ea": ("E", 1.0), "ew": ("E", 1.0),
    "no": ("N", 1.0), "ns": ("N", 1.0), "up": ("UP", 1.0), "ud": ("UP", 1.0), "ve": ("UP", 1.0),
}  # fmt: skip


def _text(path: Path, size: int = -1) -> str:
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="latin-1") as file:  # type: ignore[operator]
        return str(file.read(size))


def recognises(path: Path) -> bool:
    """By the first line."""
    try:
        return path.is_file() and _text(path, 64).startswith("# Author: SW4")
    except (OSError, EOFError):
        return False


def scan(paths: Sequence[Path], options: Options) -> list[Source | Failure]:
    """One source a file."""
    return scan_channels(read, paths, options)


def read(path: Path, options: Options) -> list[Channel]:
    """North, east and up, in m/s2."""
    lines, where = _text(path).splitlines(), str(path)
    header = "\n".join(line for line in lines if line.startswith("#"))
    columns = _COLUMN.findall(header)
    names = [_COMPONENTS.get(c[0].lower()[: 1 if len(c[0]) == 1 else 2]) for c in columns[1:]]
    if not names or columns[0][0].lower() != "time" or None in names:
        raise InputError(
            f"{where}: the header tells no columns of time and of X, Y, Z or east-west, "
            "north-south, up-down"
        )
    rows = [line for line in lines if line.strip() and not line.startswith("#")]
    table = values_of(rows, len(columns) * len(rows), where).reshape(-1, len(columns))
    unit = one_unit([c[2].replace("^2", "2") for c in columns[1:]], options.unit, where)
    dt, data = even(table[:, 0], table[:, 1:], where)
    station = re.search(r"# Station:\s*(\S+)", header)
    name = station[1] if station else path.stem
    turned = columns[1][0].lower() == "x"
    metadata = told(
        unit,
        "H1 X of the mesh, north; H2 Y, east; up, turned from Z down"
        if turned
        else "H1 north, H2 east, up",
    ) | {"station": name}
    return [
        Channel((name,), Trace(which[0], which[0] == "UP", which[1] * values, dt), metadata)
        for which, values in zip(names, acceleration(data.T, dt, unit), strict=True)
        if which
    ]
