"""SCEC Broadband Platform: time, north, east and up in columns below lines with #.

The label of the columns is no witness: files of accelerations exist that say cm/s. The name tells,
NAME.vel.bbp, NAME.acc.bbp or NAME-site.bbp (accelerations after site response), or a label that
says acceleration; a label of velocities alone is not believed.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gwm_hazard.errors import InputError
from gwm_hazard.records.readers.channels import Channel, even, scan_channels, values_of
from gwm_hazard.records.record import Failure, Options, Source
from gwm_hazard.records.simulated import acceleration, one_unit, told
from gwm_hazard.records.traces import Trace

_BY_NAME = ((r"[._-]vel\b", "cm/s"), (r"[._-]acc\b|-site\b", "cm/s2"), (r"[._-]dis\b", "cm"))
_LABEL = re.compile(r"N-S\s*\(([^)]+)\)", re.IGNORECASE)


def recognises(path: Path) -> bool:
    """By the name: the content is that of any text with four columns."""
    return path.name.removesuffix(".gz").endswith(".bbp")


def scan(paths: Sequence[Path], options: Options) -> list[Source | Failure]:
    """One source a file."""
    return scan_channels(read, paths, options)


def read(path: Path, options: Options) -> list[Channel]:
    """North, east and up, in m/s2."""
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="latin-1") as file:  # type: ignore[operator]
        lines = file.read().splitlines()
    where, name = str(path), path.name.removesuffix(".gz").removesuffix(".bbp")
    header = "\n".join(line for line in lines if line.startswith("#"))
    rows = [line for line in lines if line.strip() and not line.startswith("#")]
    table = values_of(rows, 4 * len(rows), where).reshape(-1, 4)
    if len(table) < 8:
        raise InputError(f"{where}: {len(table)} lines of samples: the file is damaged")
    label = _LABEL.search(header)
    units = [unit for pattern, unit in _BY_NAME if re.search(pattern, name)]
    if label and label[1].count("/") > 1:
        units.append(label[1].replace("/s/s", "/s2"))
    unit = one_unit(units, options.unit, where)
    dt, data = even(table[:, 0], table[:, 1:], where)
    motion = acceleration(data.T, dt, unit)
    station = re.search(r"stat=\s*(\S+)", header)
    metadata = told(unit, "H1 north, H2 east, up") | {"station": station[1] if station else name}
    return [
        Channel((name,), Trace(component, component == "UP", values, dt), metadata)
        for component, values in zip(("N", "E", "UP"), np.asarray(motion), strict=True)
    ]
