"""The folder of an export: written aside and renamed, with its table, README and provenance."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gwm_hazard._version import __version__
from gwm_hazard.catalogue.export.records import Records
from gwm_hazard.files.atomic import needing_room
from gwm_hazard.files.provenance import software_versions

PROVENANCE = "provenance.json"
#: Marks an unfinished folder as ours, so that only such a folder is ever removed.
_MARK = ".gwm_hazard_export"
_KEY = "gwm_hazard_export"


@contextmanager
def export_folder(output: str | Path, overwrite: bool = False) -> Iterator[Path]:
    """Give an empty folder beside ``output``; rename it on success, remove it on failure.

    What a killed process left is removed by the next export to the same place. A folder that is
    not an export is never removed.

    Raises
    ------
    FileExistsError
        ``output`` exists and is not to be overwritten, or is no export.
    """
    output = Path(output).absolute()
    _check(output, overwrite)
    output.parent.mkdir(parents=True, exist_ok=True)
    temporary = output.with_name(output.name + ".tmp")
    former = output.with_name(output.name + ".old")
    for left in (temporary, former):
        # an empty one is what a run leaves that was killed at once
        if left.exists() and any(left.iterdir()) and not (left / _MARK).is_file():
            raise FileExistsError(f"{left} is in the way: move it, or take another output")
        shutil.rmtree(left, ignore_errors=True)
    temporary.mkdir()
    (temporary / _MARK).touch()
    try:
        with needing_room(output):
            yield temporary
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    if (output / PROVENANCE).is_file():
        (output / _MARK).touch()
        output.rename(former)
    temporary.rename(output)
    (output / _MARK).unlink()
    shutil.rmtree(former, ignore_errors=True)


def _check(output: Path, overwrite: bool) -> None:
    if not output.exists() or (output.is_dir() and not any(output.iterdir())):
        return
    if not overwrite:
        raise FileExistsError(
            f"{output} exists: give another output, or overwrite an export (--overwrite)"
        )
    try:
        ours = _KEY in json.loads((output / PROVENANCE).read_text())
    except (OSError, ValueError):
        ours = False
    if not ours:
        raise FileExistsError(
            f"{output} is no export of gwm-hazard, so it is not overwritten: give another output"
        )


def write_table(folder: Path, records: Records, unit: str, columns: Mapping[str, Any]) -> None:
    """``records.csv``: a row a record, first what the format adds, then the coordinates.

    ``unit`` is that of the exported acceleration, empty where none is exported.
    """
    table = records.table
    front = pd.DataFrame({"record": table["record"], "name": table["name"], **columns})
    if unit:
        front["acceleration_unit"] = unit
    front["dt_s"] = records.dt_s
    rest = table.drop(columns=[c for c in front if c in table])
    pd.concat([front, rest], axis=1).to_csv(folder / "records.csv", index=False)


def write_notes(
    folder: Path,
    format: str,
    unit: str,
    records: Records,
    selection: Mapping[str, Any],
    layout: str,
    remarks: Sequence[str],
) -> None:
    """``provenance.json`` and ``README.txt`` of an export."""
    attributes = {str(k): _plain(v) for k, v in records.dataset.attrs.items()}
    card = attributes.get("model_card") or {}
    notes = {
        _KEY: __version__,
        "format": format,
        "source": records.source,
        "records": len(records),
        "records_of_source": records.total,
        "selection": dict(selection),
        "components": records.components,
        "dt_s": records.dt_s,
        "acceleration_unit": unit,
        "column_units": records.units,
        "model": attributes.get("model"),
        "model_version": attributes.get("model_version"),
        "licence": attributes.get("licence"),
        "citation": card.get("citation", []),
        "seed": attributes.get("seed"),
        "remarks": list(remarks),
        "software": software_versions(),
        "source_attributes": attributes,
    }
    (folder / PROVENANCE).write_text(json.dumps(notes, indent=1, ensure_ascii=False) + "\n")
    (folder / "README.txt").write_text(_readme(notes, records, layout))


def _readme(notes: Mapping[str, Any], records: Records, layout: str) -> str:
    npts = records.table["npts"]
    written = f"acceleration in {u}; " if (u := notes["acceleration_unit"]) else ""
    lines = [
        f"Synthetic ground motion, format {notes['format']}: {len(records)} of "
        f"{records.total} records of {records.source}",
        "",
        f"Components {', '.join(records.components)}; {written}time step {records.dt_s:.10g} s; "
        f"{npts.min()} to {npts.max()} samples.",
        f"Model {notes['model']} {notes['model_version']}, seed {notes['seed']}, licence "
        f"{notes['licence']}; exported by gwm_hazard {__version__}.",
        "provenance.json holds the model card, the filters, units and software versions.",
        *(f"Note: {remark}" for remark in notes["remarks"]),
        "",
        *layout.strip("\n").splitlines(),
        "",
        "Columns",
    ]
    for name in records.table.columns:
        unit = records.units.get(name, "")
        lines.append(f"  {name:14s} {unit:6s} {_description(records, name)}".rstrip())
    cited = notes["citation"]
    lines += ["", "Cite", *(f"  {c}" for c in cited)] if cited else []
    return "\n".join(_wrap(line) for line in lines) + "\n"


def _wrap(line: str) -> str:
    indent = " " * (len(line) - len(line.lstrip()))
    return "\n".join(textwrap.wrap(line, 98, subsequent_indent=indent + "  " * bool(indent)))


def _description(records: Records, name: str) -> str:
    variable = records.dataset.variables.get(name)
    said = str(variable.attrs.get("long_name", "")) if variable is not None else ""
    measure = "intensity measure" if name in records.measures else ""
    return _COLUMNS.get(name) or said or measure


#: Columns that every table has.
_COLUMNS = {
    "record": "number of the record in the source file, from 0",
    "name": "name of the record, after that number",
    "npts": "samples of the record",
    "event": "key of the draw: event",
    "site": "key of the draw: site",
    "realization": "key of the draw: realization",
}


def _plain(value: Any) -> Any:
    """An attribute of the source as JSON holds it; text that is JSON is unpacked."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, str) and value[:1] in "{[":
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value if isinstance(value, str | int | float | bool | None) else str(value)
