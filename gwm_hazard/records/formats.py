"""Which format a file has, by its content."""

from __future__ import annotations

import importlib
import re
from importlib.metadata import entry_points
from pathlib import Path

from gwm_hazard.errors import InputError
from gwm_hazard.records.obspy_formats import obspy_format

#: Entry points of other packages: a format's name, and the module that reads it, with
#: ``scan(paths, options)`` as in :mod:`gwm_hazard.records.readers.text` and
#: ``recognises(path) -> bool``.
GROUP = "gwm_hazard.readers"

_INSTALLED = {e.name: e.value for e in entry_points(group=GROUP)}

#: Formats, and the module that reads each.
FORMATS = _INSTALLED | {
    "hdf5": "gwm_hazard.records.readers.hdf5",
    "seisbench": "gwm_hazard.records.readers.seisbench",
    "obspy": "gwm_hazard.records.readers.seismology",
    "at2": "gwm_hazard.records.readers.at2",
    "asdf": "gwm_hazard.records.readers.asdf",
    "dyna": "gwm_hazard.records.readers.dyna",
    "afad": "gwm_hazard.records.readers.afad",
    "cosmos": "gwm_hazard.records.readers.cosmos",
    "csmip": "gwm_hazard.records.readers.csmip",
    "usc": "gwm_hazard.records.readers.usc",
    "bhrc": "gwm_hazard.records.readers.bhrc",
    "geonet": "gwm_hazard.records.readers.geonet",
    "smc": "gwm_hazard.records.readers.smc",
    "usgs": "gwm_hazard.records.readers.usgs",
    "unam": "gwm_hazard.records.readers.unam",
    "csmnc": "gwm_hazard.records.readers.csmnc",
    "cwa": "gwm_hazard.records.readers.cwa",
    "bbp": "gwm_hazard.records.readers.bbp",
    "cybershake": "gwm_hazard.records.readers.cybershake",
    "sw4": "gwm_hazard.records.readers.sw4",
    "specfem": "gwm_hazard.records.readers.specfem",
    "csv": "gwm_hazard.records.readers.text",
}

#: Formats whose reader tells the beginning of a text, with ``is_NAME(text)``; GeoNet's and USC's
#: first lines are much like CSMIP's.
_BY_HEADER = (
    "dyna",
    "afad",
    "cosmos",
    "geonet",
    "usc",
    "csmip",
    "bhrc",
    "smc",
    "usgs",
    "unam",
    "csmnc",
    "cwa",
)

#: Formats of simulated motions, whose reader tells a file, as those of other packages do.
_SIMULATED = ("bbp", "cybershake", "sw4", "specfem")

_HDF5 = b"\x89HDF\r\n\x1a\n"
_AT2 = re.compile(r"NPTS\s*=\s*\d|^\s*\d+\s+[\d.eE+-]+\s+NPTS", re.IGNORECASE | re.MULTILINE)
#: First words of the text formats that obspy reads: K-NET, SLIST and TSPAIR, GSE, PDAS.
_OBSPY_TEXT = ("Origin Time", "TIMESERIES", "WID1", "WID2", "XW01", "DATASET")
_NUMBERS = re.compile(r"^[\s,;\d.eEdD+-]*\d[\s,;\d.eEdD+-]*$")


#: What lies beside records and is none, by the first bytes, and by the end of the name.
_BESIDE = {
    b"{": "JSON", b"[{": "JSON", b"<!DOCTYPE html": "a page", b"<html": "a page",
    b"\x89PNG": "a picture", b"\xff\xd8\xff": "a picture", b"GIF8": "a picture",
    b"%PDF": "a document", b"%!PS": "a picture",
}  # fmt: skip
_BESIDE_NAMES = (".yml", ".yaml", ".toml", ".ini", ".py", ".m", ".md", ".rst", ".sh", ".log")


def beside(path: Path) -> str | None:
    """What a file is that lies beside records and is none, in words; None for any other."""
    if not path.is_file():
        return None
    with path.open("rb") as file:
        head = file.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n")
    if head.startswith(b"<") and b"FDSNStationXML" in head:
        return "StationXML (give it with --inventory)"
    if head.startswith(b"<?xml") or head.startswith(b"<q:quakeml"):
        return "QuakeML" if b"quakeml" in head else "XML"
    if path.name.lower().endswith(_BESIDE_NAMES) or path.name.lower().startswith("readme"):
        return "text about the records"
    return next((what for begin, what in _BESIDE.items() if head.startswith(begin)), None)


def detect(path: Path) -> str:
    """Name of the format in `FORMATS`; ValueError for what none of them is."""
    if path.is_dir():
        if any(path.glob("metadata*.csv")):
            return "seisbench"
        raise InputError(
            f"{path}: a folder without metadata.csv, so no SeisBench data set; give its files"
        )
    with path.open("rb") as file:
        head = file.read(16384)
    if not head.strip():
        raise InputError(f"{path}: the file is empty")
    for told in (*_INSTALLED, *_SIMULATED):
        if importlib.import_module(FORMATS[told]).recognises(path):
            return told
    if head.startswith(_HDF5):
        from gwm_hazard.records.readers.asdf import is_asdf

        if is_asdf(path):
            return "asdf"
        beside = path.with_name(path.name.replace("waveforms", "metadata")).with_suffix(".csv")
        return "seisbench" if beside != path.with_suffix(".csv") and beside.exists() else "hdf5"
    if b"\0" in head:
        return "obspy"
    text = head.decode("latin-1")
    lines = text.splitlines()
    if (name := _header(text)) is not None:
        return name
    if _AT2.search("\n".join(lines[:10])):
        return "at2"
    if "trace_name" in lines[0].split(","):
        return "seisbench"
    # undefined values of the SAC header, when written as text
    if text.lstrip().startswith(_OBSPY_TEXT) or "-12345.0" in lines[0]:
        return "obspy"
    # all but a header of one line, comments, and the last line, which may be cut
    rows = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    if len(rows) > 1 and all(_NUMBERS.match(row) for row in rows[1 : max(2, len(rows) - 1)][:20]):
        return "csv"
    if obspy_format(path) is not None:
        return "obspy"
    raise InputError(
        f"{path}: no format that is known ({', '.join(FORMATS)}); if it is one of them, name it "
        "with --format"
    )


def _header(text: str) -> str | None:
    """Formats that the beginning of their header gives away."""
    for name in _BY_HEADER:
        reader = importlib.import_module(FORMATS[name])
        if getattr(reader, f"is_{name}")(text):
            return name
    return None
