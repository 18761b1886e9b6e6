"""CyberShake seismograms (.grm): velocities in cm/s, a header of 56 bytes before each variation.

Little-endian: version, site and padding of 8 bytes each; source, rupture and variation (int32);
time step (float32); samples, components (int32: bits 1, 2 and 4 for X, Y and Z); highest
frequencies of the deterministic and of the stochastic part (float32, -1 for none). X is east, Y
north, as ObsPy reads it.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gwm_hazard.errors import InputError
from gwm_hazard.records.readers.channels import Channel, scan_channels
from gwm_hazard.records.record import Failure, Options, Source
from gwm_hazard.records.simulated import acceleration, one_unit, told
from gwm_hazard.records.traces import Trace

_HEADER = struct.Struct("<8s8s8s3if2i2f")
_COMPONENTS = ((1, "E"), (2, "N"), (4, "UP"))


def recognises(path: Path) -> bool:
    """By the header: a version, and counts that fit the size of the file."""
    if not path.is_file() or path.stat().st_size <= _HEADER.size:
        return False
    with path.open("rb") as file:
        head = _HEADER.unpack(file.read(_HEADER.size))
    version, nt, flags = head[0].rstrip(b"\0"), head[7], head[8]
    one = _HEADER.size + 4 * max(nt, 0) * flags.bit_count()
    plain = version.replace(b".", b"").isdigit()
    return bool(plain and nt > 0 and 0 < flags < 8 and path.stat().st_size >= one)


def scan(paths: Sequence[Path], options: Options) -> list[Source | Failure]:
    """One source a rupture variation."""
    return scan_channels(read, paths, options)


def read(path: Path, options: Options) -> list[Channel]:
    """All variations of a file, in m/s2."""
    data, at, found = path.read_bytes(), 0, []
    unit = one_unit(["cm/s"], options.unit, str(path))
    while at < len(data):
        if len(data) < at + _HEADER.size:
            raise InputError(f"{path}: ends within a header: the file is damaged")
        _, site, _, source, rupture, variation, dt, nt, flags, fmax, stochastic = (
            _HEADER.unpack_from(data, at)
        )
        names = [name for bit, name in _COMPONENTS if flags & bit]
        at += _HEADER.size
        size = 4 * nt * len(names)
        if nt < 8 or not names or len(data) < at + size:
            raise InputError(
                f"{path}: variation {variation} is to have {nt} samples of {len(names)} "
                f"components, {(len(data) - at) // 4} numbers follow: the file is damaged"
            )
        samples = np.frombuffer(data, "<f4", nt * len(names), at).reshape(len(names), nt)
        at += size
        step = float(f"{dt:.6g}")
        station = site.rstrip(b"\0 ").decode("latin-1")
        metadata = told(unit, "H1 north, H2 east, up") | {
            "station": station, "valid_hz": float(f"{max(fmax, stochastic):.6g}")
        }  # fmt: skip
        key = (station, str(source), str(rupture), str(variation))
        found += [
            Channel(key, Trace(name, name == "UP", values, step), metadata)
            for name, values in zip(names, acceleration(samples, step, unit), strict=True)
        ]
    return found
