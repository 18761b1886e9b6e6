"""miniSEED: a file a record, float32 in m/s2, with the metadata in a CSV file."""

from __future__ import annotations

from pathlib import Path

from gwm_hazard.catalogue.export import Options
from gwm_hazard.catalogue.export.folder import write_table
from gwm_hazard.catalogue.export.records import Records
from gwm_hazard.catalogue.export.streams import codes, streams

README = """
Files
  records.csv               a row a record: file, network, station, channels, conditions, key,
                            measures, and the unit of acceleration, which miniSEED cannot hold
  waveforms/NAME.mseed      one trace a component, 32-bit floats in m/s2: there is no instrument
                            response to remove
  The station code stands for the record (column station), network XX for a synthetic one; the
  first sample is at 1970-01-01T00:00:00.
  In Python: obspy.read("waveforms/NAME.mseed")
"""


def write(records: Records, folder: Path, options: Options) -> list[str]:
    """Write ``waveforms/NAME.mseed`` and ``records.csv``."""
    (folder / "waveforms").mkdir()
    for row, stream in streams(records):
        path = folder / "waveforms" / f"{records.table['name'][row]}.mseed"
        stream.write(str(path), format="MSEED", encoding="FLOAT32")
        options.progress((row + 1) / len(records))
    files = [f"waveforms/{name}.mseed" for name in records.table["name"]]
    write_table(folder, records, options.unit, {"file": files, **codes(records)})
    return []
