"""OpenSees: path time series, one value a line, and the scripts that load them."""

from __future__ import annotations

from pathlib import Path

from gwm_hazard.catalogue.export import Options
from gwm_hazard.catalogue.export.folder import write_table
from gwm_hazard.catalogue.export.records import Records
from gwm_hazard.catalogue.export.units import M_S2

README = """
Files
  records.csv                     a row a record: conditions, key, measures, npts, dt_s
  waveforms/NAME_COMPONENT.txt    acceleration, one value a line
  waveforms/NAME.tcl              for OpenSees: sets record(dt), record(npts), record(factor) and
                                  record(COMPONENT), the path of a component
  gwm_records.py                  for OpenSeesPy: time_series(ops, tag, name, component)
  The factor turns the unit of the files into m/s2: for a model in another unit of length, scale
  it. In Tcl:
    source waveforms/NAME.tcl
    timeSeries Path 1 -dt $record(dt) -filePath $record(H1) -factor $record(factor)
    pattern UniformExcitation 1 1 -accel 1
  In Python:
    import gwm_records
    dt, npts = gwm_records.time_series(ops, 1, "NAME", "H1")
    ops.pattern("UniformExcitation", 1, 1, "-accel", 1)
"""

_TCL = """\
# {name}: {components}; unit of the files {unit}, the factor turns it into m/s2
set record(dt) {dt}
set record(npts) {npts}
set record(factor) {factor}
"""
_TCL_FILE = "set record({c}) [file join [file dirname [info script]] {name}_{c}.txt]\n"

_PYTHON = '''\
"""Acceleration time series for OpenSeesPy; unit of the files: {unit}."""

import csv
from pathlib import Path

FOLDER = Path(__file__).resolve().parent
FACTOR = {factor}  # one unit of the files in m/s2

with open(FOLDER / "records.csv", newline="", encoding="utf-8") as _file:
    RECORDS = {{row["name"]: row for row in csv.DictReader(_file)}}


def time_series(ops, tag, name, component, factor=FACTOR):
    """Define path time series ``tag`` from a component of a record; returns (dt in s, npts)."""
    dt, npts = float(RECORDS[name]["dt_s"]), int(RECORDS[name]["npts"])
    path = FOLDER / "waveforms" / f"{{name}}_{{component}}.txt"
    ops.timeSeries("Path", tag, "-dt", dt, "-filePath", str(path), "-factor", factor)
    return dt, npts
'''


def write(records: Records, folder: Path, options: Options) -> list[str]:
    """Write ``waveforms/NAME_COMPONENT.txt``, the scripts and ``records.csv``."""
    waveforms = folder / "waveforms"
    waveforms.mkdir()
    factor = M_S2[options.unit]
    about = {
        "unit": options.unit,
        "factor": factor,
        "dt": f"{records.dt_s:.10g}",
        "components": ", ".join(records.components),
    }
    for row, name, acceleration in records.each(factor):
        for component, values in zip(records.components, acceleration, strict=True):
            text = "%.9g\n" * len(values) % tuple(values.tolist())
            (waveforms / f"{name}_{component}.txt").write_text(text)
        tcl = _TCL.format(name=name, npts=acceleration.shape[1], **about)
        tcl += "".join(_TCL_FILE.format(c=c, name=name) for c in records.components)
        (waveforms / f"{name}.tcl").write_text(tcl)
        options.progress((row + 1) / len(records))
    (folder / "gwm_records.py").write_text(_PYTHON.format(**about))
    write_table(folder, records, options.unit, {})
    return []
