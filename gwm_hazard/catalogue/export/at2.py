"""PEER AT2: a file a component, in g, five values a line under four lines of header."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gwm_hazard._version import __version__
from gwm_hazard.catalogue.export import Options
from gwm_hazard.catalogue.export.folder import write_table
from gwm_hazard.catalogue.export.records import Records
from gwm_hazard.catalogue.export.units import M_S2

README = """
Files
  records.csv                     a row a record: files, conditions, key, measures
  waveforms/NAME_COMPONENT.AT2    acceleration in g, as the PEER ground-motion database writes it:
                                  four lines of header, the last with NPTS and DT, then five values
                                  a line with eight digits. The first line says that the record
                                  is synthetic.
"""

_PER_LINE = 5
#: Line 1 names the format, which readers look for, and says that this is none of PEER's records.
_TITLE = "SYNTHETIC RECORD, FORMAT OF THE PEER NGA STRONG MOTION DATABASE"


def write(records: Records, folder: Path, options: Options) -> list[str]:
    """Write ``waveforms/NAME_COMPONENT.AT2`` and ``records.csv``."""
    (folder / "waveforms").mkdir()
    table, components = records.table, records.components
    attributes = records.dataset.attrs
    made = f"{attributes.get('model', 'unknown model')}, gwm_hazard {__version__}"
    for row, name, acceleration in records.each(M_S2["g"]):
        mag = f"M {table['mag'][row]:.2f}" if "mag" in table else "magnitude not given"
        for component, values in zip(components, acceleration, strict=True):
            # Line 2 of PEER: event, date, station, component.
            about = f"{mag}, seed {attributes.get('seed', 'unknown')}, {name}, {component}"
            path = folder / "waveforms" / f"{name}_{component}.AT2"
            path.write_text(at2_text(values, records.dt_s, f"{_TITLE} ({made})", about))
        options.progress((row + 1) / len(records))
    files = {
        f"file_{c}": [f"waveforms/{name}_{c}.AT2" for name in table["name"]] for c in components
    }
    write_table(folder, records, "g", files)
    return []


def at2_text(values_g: NDArray[np.float64], dt_s: float, title: str, about: str) -> str:
    """Text of an AT2 file; ``values_g`` (npts,) in g."""
    n = len(values_g)
    lines = [
        title,
        about,
        "ACCELERATION TIME SERIES IN UNITS OF G",
        f"NPTS= {n:6d}, DT= {_dt(dt_s):>8s} SEC,",
    ]
    full, rest = divmod(n, _PER_LINE)
    value = "%15.7E"
    shape = (value * _PER_LINE + "\n") * full + (value * rest + "\n" if rest else "")
    return "\n".join(lines) + "\n" + shape % tuple(values_g.tolist())


def _dt(dt_s: float) -> str:
    """PEER's ``.0100``, with more decimals where the step needs them."""
    text = f"{dt_s:.10f}".rstrip("0")
    whole, decimals = text.split(".")
    return f"{whole.lstrip('0')}.{decimals:0<4s}"
