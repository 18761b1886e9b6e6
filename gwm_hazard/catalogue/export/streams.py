"""Records as obspy's streams, for the formats that obspy or pyasdf writes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from gwm_hazard.catalogue.export import seed
from gwm_hazard.catalogue.export.records import Records
from gwm_hazard.errors import MissingPackageError

if TYPE_CHECKING:
    import obspy


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
        raise MissingPackageError("miniSEED and ASDF need obspy: pip install obspy") from None
    return obspy
