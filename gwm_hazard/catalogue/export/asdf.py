"""ASDF (Krischer et al. 2016): all records in one HDF5 file, in m/s2."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from gwm_hazard.catalogue.export import Options
from gwm_hazard.catalogue.export.folder import write_table
from gwm_hazard.catalogue.export.records import Records
from gwm_hazard.catalogue.export.streams import codes, streams
from gwm_hazard.errors import MissingPackageError

README = """
Files
  records.csv      a row a record: network, station, conditions, key, measures
  waveforms.h5     ASDF: a station a record (column station), tag synthetic, 32-bit floats in m/s2;
                   AuxiliaryData/Records/STATION holds conditions, key and measures of the record
  In Python: pyasdf.ASDFDataSet("waveforms.h5", mode="r").waveforms["XX.A0000"].synthetic
"""

TAG = "synthetic"


def write(records: Records, folder: Path, options: Options) -> list[str]:
    """Write ``waveforms.h5`` and ``records.csv``."""
    columns = codes(records)
    dataset_class = _pyasdf().ASDFDataSet
    attributes = {
        k: str(records.dataset.attrs[k])
        for k in ("model", "model_version", "licence", "seed", "model_card", "software")
        if k in records.dataset.attrs
    }
    with dataset_class(str(folder / "waveforms.h5"), compression="gzip-1", mpi=False) as file:
        for row, stream in streams(records):
            file.add_waveforms(stream, tag=TAG)
            about = {k: _plain(v) for k, v in records.table.iloc[row].to_dict().items()}
            file.add_auxiliary_data(
                np.empty(0),
                data_type="Records",
                path=columns["station"][row],
                parameters=about | {"acceleration_unit": options.unit},
            )
            options.progress((row + 1) / len(records))
        file.add_auxiliary_data(
            np.frombuffer(json.dumps(attributes).encode(), dtype=np.uint8),
            data_type="Provenance",
            path="model",
            parameters={"content": "JSON"},
        )
    write_table(folder, records, options.unit, columns)
    return []


def _plain(value: Any) -> Any:
    """A value that an HDF5 attribute holds."""
    return value if isinstance(value, int | float | np.generic) else str(value)


def _pyasdf() -> Any:
    try:
        import pyasdf
    except ImportError:
        raise MissingPackageError("ASDF needs pyasdf: pip install pyasdf") from None
    return pyasdf
