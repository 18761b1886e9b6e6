"""One valid file, or folder, of every format, and ways to damage it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.records.agency import (
    afad_text,
    cosmos_channel,
    csmip_channel,
    dyna_text,
    shaking,
    write_asdf,
)
from tests.records.files import at2_text, knet_text, stream, write_seisbench

NT = 700

#: What takes the place of a number in a header.
NUMBERS = (b"99999999999999999", b"-1", b"0", b"nan", b"inf", b"1e999", b"", b"x", b"2147483648",
           b"-32768", b"1e-300")  # fmt: skip


def corpus(folder: Path) -> dict[str, dict[str, bytes]]:
    """{format: {name of the file: content}}."""
    acc = shaking(nt=NT)
    files: dict[str, dict[str, bytes]] = {
        "at2": {"a-UP.AT2": at2_text(acc[2] / 9.80665, 0.01, "UP").encode()},
        "knet": {"AKT0131103111446.EW": knet_text(np.round(acc[0] * 1e5), "E-W").encode()},
        "kik": {"AKTH131103111446.NS2": knet_text(np.round(acc[0] * 1e5), "1").encode()},
        "csv": {"a.csv": _csv(acc).encode()},
        "dyna": {"a.ASC": dyna_text(acc[0], "HNE").encode()},
        "afad": {"a.txt": afad_text(acc).encode("latin-1")},
        "cosmos": {"a.v1": cosmos_channel(acc[0], 90).encode()},
        "csmip": {"a.v1": csmip_channel(acc[0], "90 Deg").encode()},
    }
    for name, options in {
        "mseed": {"format": "MSEED"},
        "mseed_steim": {"format": "MSEED", "encoding": "STEIM2"},
        "sac": {"format": "SAC"},
        "gse2": {"format": "GSE2"},
    }.items():
        whole = name in ("mseed_steim", "gse2")
        data = np.round(acc * 1e4).astype("i4") if whole else acc.astype("f4")
        part = stream(data) if "mseed" in name else stream(data[:1], channels="E")
        path = folder / f"a.{name}"
        part.write(str(path), **options)
        files[name] = {path.name: path.read_bytes()}
    own = write_seisbench(folder / "seisbench", [acc, acc], buckets=True)
    files["seisbench"] = {p.name: p.read_bytes() for p in sorted(own.iterdir())}
    path = write_asdf(folder / "asdf.h5", acc, level="raw counts", counts_per_m_s2=2e5)
    files["asdf"] = {"asdf.h5": path.read_bytes()}
    files["hdf5"] = {"own.h5": _own(folder / "own.h5", acc)}
    return files


def _csv(acc):
    rows = [f"{0.01 * i:.2f},{a:.6f},{b:.6f},{c:.6f}" for i, (a, b, c) in enumerate(acc.T)]
    return "\n".join(["time,EW (m/s2),NS (m/s2),UD (m/s2)", *rows]) + "\n"


def _own(path: Path, acc) -> bytes:
    import xarray as xr

    data = xr.Dataset(
        {"acceleration": (("record", "component", "time"), acc[None].astype("f4"))},
        coords={"component": ["H1", "H2", "V"], "time": 0.01 * np.arange(acc.shape[1])},
    )
    data.to_netcdf(path, engine="h5netcdf")
    return path.read_bytes()


def truncated(content: bytes, at: float) -> bytes:
    return content[: int(at * len(content))]


def garbled(content: bytes, places: list[float], values: list[int]) -> bytes:
    out = bytearray(content)
    for place, value in zip(places, values, strict=True):
        out[int(place * (len(out) - 1))] = value
    return bytes(out)


def wiped(content: bytes, at: float, length: int, value: int) -> bytes:
    start = int(at * len(content))
    piece = content[start : start + length]
    return content[:start] + bytes([value]) * len(piece) + content[start + len(piece) :]


def swapped(content: bytes, at: float, size: int) -> bytes:
    """The byte order of what follows a place turned round."""
    start = int(at * len(content)) // size * size
    stop = start + (len(content) - start) // size * size
    words = np.frombuffer(content[start:stop], dtype=f"u{size}").byteswap().tobytes()
    return content[:start] + words + content[stop:]


def renumbered(content: bytes, which: int, value: bytes) -> bytes:
    """One number of the first 6,000 bytes replaced."""
    import re

    found = list(re.finditer(rb"\d[\d.]*", content[:6000]))
    if not found:
        return content
    match = found[which % len(found)]
    return content[: match.start()] + value + content[match.end() :]


def repeated(content: bytes, at: float, length: int) -> bytes:
    start = int(at * len(content))
    piece = content[start : start + length]
    return content[:start] + piece + content[start:]
