"""SeisBench (Woollam et al. 2022): metadata.csv and waveforms.hdf5, in m/s2."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

from gwm_hazard.catalogue.export import Options, seed
from gwm_hazard.catalogue.export.records import Records
from gwm_hazard.files.hdf5_writing import writing
from gwm_hazard.files.seisbench_columns import NAMES

README = """
Files
  metadata.csv      a row a record, columns named as SeisBench's: source_*, path_*, station_*,
                    trace_*; trace_name locates the record in the other file
  waveforms.hdf5    data/bucketN (record, component, sample), 32-bit floats in m/s2
  In Python: seisbench.data.WaveformDataset(FOLDER, component_order=LETTERS), with the letters of
  the column trace_component_order
"""


def write(records: Records, folder: Path, options: Options) -> list[str]:
    """Write ``metadata.csv`` and ``waveforms.hdf5``."""
    order = "".join(seed.letters(records.components))
    traces: list[str] = []
    with writing(folder / "waveforms.hdf5") as file:
        file.attrs.update({k: str(v) for k, v in records.dataset.attrs.items()})
        for group in ("data_format", "data"):
            file.create_group(group)  # those that HDF5 makes on the way carry the time
        file["data_format/dimension_order"] = "CW"
        file["data_format/component_order"] = order
        file["data_format/sampling_rate"] = 1.0 / records.dt_s
        file["data_format/measurement"] = "acceleration"
        file["data_format/unit"] = "mps2"
        for number, (rows, block) in enumerate(records.blocks()):
            npts = records.table["npts"].iloc[rows].to_numpy()
            file[f"data/bucket{number}"] = block[:, :, : npts.max()]
            traces += [
                f"bucket{number}${i},:{len(order)},:{n}" for i, n in enumerate(npts.tolist())
            ]
            options.progress(rows.stop / len(records))
    metadata(records, traces, order).to_csv(folder / "metadata.csv", index=False)
    return []


def metadata(records: Records, traces: list[str], order: str) -> pd.DataFrame:
    """The table of the records under SeisBench's names; what has none becomes ``trace_*``."""
    table = records.table
    names = {c: NAMES.get(c, _trace_name(c, records.units.get(c, ""))) for c in table.columns}
    front = {
        "trace_name": traces,
        "trace_sampling_rate_hz": 1.0 / records.dt_s,
        "trace_component_order": order,
        "trace_category": "synthetic",
        "trace_unit": "m/s2",
        "trace_start_time": "1970-01-01T00:00:00.000000Z",
        "source_type": "earthquake",
    }
    renamed = table.rename(columns=names)
    if "mag" in table:
        renamed["source_magnitude_type"] = "Mw"
    if "site" in table:
        # A letter in front: pandas keeps the code a text.
        renamed["station_code"] = [f"S{site}" for site in table["site"]]
    missing = pd.DataFrame(front, index=np.arange(len(table)))
    return pd.concat([missing, renamed], axis=1)


def _trace_name(column: str, unit: str) -> str:
    """``SA(0.3)`` in g becomes ``trace_sa_0.3_g``."""
    plain = re.sub(r"[^0-9a-z.]+", "_", f"{column}_{unit}".lower().replace("/", "p"))
    return "trace_" + plain.strip("_")
