"""Export of waveform files to the formats of other tools.

:func:`export_catalogue` writes one folder: the records in a foreign format, a table of them, a
``README.txt`` that says how to read it and a ``provenance.json``. :data:`FORMATS` lists the
formats; each is one module with a text ``README`` and a function ``write``.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from gwm_hazard.errors import InputError

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Format:
    """A format: the module that writes it, and what a user may choose.

    Attributes
    ----------
    units : of acceleration, the first by default; empty where none is written
    options : names of the arguments of :func:`export_catalogue` that only some formats take
    """

    module: str
    summary: str
    units: tuple[str, ...] = ("m/s2",)
    options: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Options:
    """What a user chose for a format; see :func:`export_catalogue`."""

    unit: str
    imts: tuple[str, ...] = ()
    sites: Path | None = None
    progress: Callable[[float], None] = lambda share: None


@dataclass(frozen=True)
class Exported:
    """What was written: the number of records, and remarks on them; often none."""

    records: int
    remarks: tuple[str, ...] = ()


#: Entry points of other packages: a format's name, and the :class:`Format` that describes it.
GROUP = "gwm_hazard.exporters"

_OWN = {
    "asdf": Format("asdf", "ASDF, one HDF5 file (needs pyasdf)"),
    "at2": Format("at2", "PEER AT2, a file a component, in g", units=("g",)),
    "csv": Format("csv_text", "CSV, a file a record: time and components", ("m/s2", "cm/s2", "g")),
    "miniseed": Format("miniseed", "miniSEED, a file a record, and a table of metadata"),
    "openquake": Format(
        "gmf",
        "ground-motion fields for OpenQuake: gmfs_file and sites_csv",
        units=(),
        options=frozenset({"imts", "sites"}),
    ),
    "opensees": Format(
        "opensees",
        "OpenSees path time series, with Tcl and Python to load them",
        ("g", "m/s2", "cm/s2"),
    ),
    "seisbench": Format("seisbench", "SeisBench data set: metadata.csv and waveforms.hdf5"),
}

#: Importing this package loads none of its own modules.
FORMATS: dict[str, Format] = {e.name: e.load() for e in entry_points(group=GROUP)} | {
    name: replace(known, module=f"{__name__}.{known.module}") for name, known in _OWN.items()
}


def export_catalogue(
    source: str | Path | xr.Dataset,
    format: str,
    output: str | Path,
    *,
    records: str = "",
    where: str = "",
    limit: int | None = None,
    unit: str | None = None,
    imts: Iterable[str] = (),
    sites: str | Path | None = None,
    overwrite: bool = False,
    progress: Callable[[float], None] | None = None,
) -> Exported:
    """Write the records of a waveform file as a folder in another format.

    Waveforms are read in blocks, so that memory holds a block and the table of the coordinates.
    The folder is written under a temporary name and gets its own when it is complete.

    Parameters
    ----------
    source : path of a catalogue or of a file of ``gwm-hazard generate``, or such a Dataset
    format : a name of :data:`FORMATS`
    output : the folder to write
    records : numbers of records, ``"3,10:20"`` (the end of a range is left out); all by default
    where : pandas query over the coordinates and measures, ``"mag > 6.5 and site == 2"``
    limit : take only the first records that are left by the other filters
    unit : of acceleration, for the formats that leave a choice
    imts : OpenQuake's intensity measures, for ground-motion fields: those that the file lacks are
        computed from the waveforms (RotD50)
    sites : CSV file with the columns site_id (the key of a site), lon, lat, for ground-motion
        fields of a file without coordinates
    overwrite : replace a former export
    progress : called with the share done, 0 to 1

    Returns
    -------
    Exported
        How many records were written, and what a user should know of them.

    Raises
    ------
    ValueError
        An unknown format, unit or filter, no record left, a file that holds no waveforms.
    OSError
        The output exists.
    ImportError
        A package that the format needs is missing.
    """
    from gwm_hazard.catalogue.export.folder import export_folder, write_notes
    from gwm_hazard.catalogue.export.records import open_records, select

    if format not in FORMATS:
        raise InputError(f"unknown format {format!r}: known are {', '.join(FORMATS)}")
    known = FORMATS[format]
    if unit is not None and unit not in known.units:
        raise InputError(
            f"unit = {unit!r}: format {format} has {' or '.join(known.units) or 'none'}"
        )
    imts = tuple(imts)
    for name, value in {"imts": imts, "sites": sites}.items():
        if value and name not in known.options:
            raise InputError(
                f"{name} = {value!r}: format {format} has no such option; leave it out"
            )
    module = importlib.import_module(known.module)
    options = Options(
        unit or next(iter(known.units), ""),
        imts,
        None if sites is None else Path(sites),
        progress or (lambda share: None),
    )
    with open_records(source) as everything:
        chosen = select(everything, records, where, limit)
        with export_folder(output, overwrite) as folder:
            remarks: list[str] = module.write(chosen, folder, options)
            selection = {"records": records, "where": where, "max": limit}
            write_notes(folder, format, options.unit, chosen, selection, module.README, remarks)
    return Exported(len(chosen), tuple(remarks))
