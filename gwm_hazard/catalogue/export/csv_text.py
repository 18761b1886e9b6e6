"""CSV: a file a record, time and components in columns."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gwm_hazard.catalogue.export import Options
from gwm_hazard.catalogue.export.folder import write_table
from gwm_hazard.catalogue.export.records import Records
from gwm_hazard.catalogue.export.units import M_S2

README = """
Files
  records.csv           a row a record: file, conditions, key, measures
  waveforms/NAME.csv    time (s), then a column a component with its unit in brackets. Nine
                        digits: the float32 values of the source are kept.
  In Python: pandas.read_csv("waveforms/NAME.csv")
"""


def write(records: Records, folder: Path, options: Options) -> list[str]:
    """Write ``waveforms/NAME.csv`` and ``records.csv``."""
    (folder / "waveforms").mkdir()
    header = ",".join(["time (s)", *(f"{c} ({options.unit})" for c in records.components)])
    line = ",".join(["%.10g", *("%.9g" for _ in records.components)]) + "\n"
    for row, name, acceleration in records.each(M_S2[options.unit]):
        time = np.arange(acceleration.shape[1]) * records.dt_s
        values = np.vstack([time, acceleration]).T.ravel().tolist()
        text = header + "\n" + line * len(time) % tuple(values)
        (folder / "waveforms" / f"{name}.csv").write_text(text)
        options.progress((row + 1) / len(records))
    files = [f"waveforms/{name}.csv" for name in records.table["name"]]
    write_table(folder, records, options.unit, {"file": files})
    return []
