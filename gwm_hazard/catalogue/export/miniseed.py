"""miniSEED: a file a record, float32 in m/s2, with the metadata in a CSV file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gwm_hazard.catalogue.export import Options, seed
from gwm_hazard.catalogue.export.folder import write_table
from gwm_hazard.catalogue.export.records import Records

if TYPE_CHECKING:
    import obspy

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


def codes(records: Records) -> dict[str, list[str]]:
    """Columns network, station and channels of the records."""
    channels = " ".join(seed.channels(records.components, 1.0 / records.dt_s))
    return {
        "network": [seed.NETWORK] * len(records),
        "station": [seed.station(int(i)) for i in records.table["record"]],
        "channels": [channels] * len(records),
    }


def streams(records: Records) -> Iterator[tuple[int, obspy.Stream]]:
    """Records one by one as (row, obspy.Stream)."""
    obspy = _obspy()
    channels = seed.channels(records.components, 1.0 / records.dt_s)
    for row, _, acceleration in records.each():
        header = {
            "network": seed.NETWORK,
            "station": seed.station(int(records.table["record"][row])),
            "delta": records.dt_s,
            "starttime": obspy.UTCDateTime(0),
        }
        yield (
            row,
            obspy.Stream(
                obspy.Trace(values.astype("f4"), header | {"channel": channel})
                for channel, values in zip(channels, acceleration, strict=True)
            ),
        )


def _obspy() -> Any:
    try:
        import obspy
    except ImportError:
        raise ImportError("miniSEED and ASDF need obspy: pip install obspy") from None
    return obspy
