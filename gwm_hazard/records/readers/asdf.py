"""ASDF (Krischer et al. 2016), as gmprocess and this package write it.

A record is a station, an event and a tag. Where gmprocess keeps a station's traces unprocessed and
processed, the unprocessed ones are read, for filters that look ahead move what comes before P; if
their unit is not known, the processed ones.

Units: traces that this package wrote tell theirs; the provenance of gmprocess's processed traces,
and the level of its stations, tell whether they are cm/s2 or counts. Counts, and integer samples of
other files, are divided by the sensitivity of the file's StationXML (accelerometers only).
Everything else needs a unit from the user.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from gwm_hazard.errors import InputError
from gwm_hazard.files.foreign import hdf5
from gwm_hazard.records.record import Failure, Options, Record, Source, Value
from gwm_hazard.records.traces import Trace, assemble, differing, is_vertical, unit_factor

#: gmprocess's words for the state of a station's unprocessed traces, and their unit.
_LEVELS = {
    "raw counts": None,
    "uncorrected physical units": "cm/s2",
    "corrected physical units": "cm/s2",
}

_NAME = re.compile(r"^(?P<id>[^_]+)__(?P<start>[^_]+)__(?P<end>[^_]+)__(?P<tag>.+)$")


def scan(paths: Sequence[Path], options: Options) -> list[Source | Failure]:
    """One source a file."""
    found: list[Source | Failure] = []
    for path in paths:
        try:
            with hdf5(path) as file:
                size = sum(len(_groups(station)) for station in file["Waveforms"].values())
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as exc:
            found.append(Failure(str(path), f"{path}: not a readable ASDF file ({exc})"))
        else:
            found.append(Source(str(path), (path,), size, partial(_read, path, options)))
    return found


def is_asdf(path: Path) -> bool:
    """Whether an HDF5 file calls itself ASDF."""
    try:
        with hdf5(path) as file:
            return _text(file.attrs.get("file_format", "")) == "ASDF"
    except (OSError, ValueError):
        return False


def _groups(station: h5py.Group) -> dict[tuple[str, ...], list[str]]:
    """Traces of a record: same location, band, instrument, event and tag."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in station:
        if match := _NAME.match(name):
            *codes, channel = match["id"].split(".")
            groups.setdefault((*codes, channel[:2], match["tag"]), []).append(name)
    for key in [k for k in groups if k[-1].endswith("_unprocessed")]:
        event = key[-1].removesuffix("_unprocessed")
        for other in [k for k in groups if k[:-1] == key[:-1] and k != key]:
            if other[-1].startswith(event):
                groups[key] += [f"={name}" for name in groups.pop(other)]  # the second choice
    return groups


def _read(path: Path, options: Options) -> Iterator[Record | Failure]:
    with hdf5(path) as file:
        events = _events(file)
        for code, station in file["Waveforms"].items():
            for key, names in sorted(_groups(station).items()):
                label = ".".join(filter(None, key))
                first = [n for n in names if not n.startswith("=")]
                second = [n[1:] for n in names if n.startswith("=")]
                try:
                    try:
                        yield _record(file, station, code, first, events, path, options)
                    except ValueError:
                        if not second:
                            raise
                        yield _record(file, station, code, second, events, path, options)
                except (ValueError, KeyError, OSError, TypeError, AttributeError) as exc:
                    yield Failure(label, f"{path}: {label}: {exc}")


def _record(
    file: h5py.File,
    station: h5py.Group,
    code: str,
    names: Sequence[str],
    events: Mapping[str, dict[str, Value]],
    path: Path,
    options: Options,
) -> Record:
    inventory = _inventory(station)
    tag = str(_NAME.match(names[0])["tag"])  # type: ignore[index]
    network, short = code.split(".", 1)
    own = file.get(f"AuxiliaryData/Records/{short}")
    metadata: dict[str, Value] = {
        "record_id": f"{code}.{tag}",
        "source_file": str(path),
        "network": network,
        "station": short,
    }
    metadata |= _place(inventory) | _event(station[names[0]], events)
    if own is not None:
        metadata |= {str(k): _plain(v) for k, v in own.attrs.items() if k != "acceleration_unit"}
    traces, azimuths, sensitivities = [], dict[str, float](), dict[str, float]()
    starts = [int(station[name].attrs["starttime"]) for name in names]
    for name, start in zip(names, starts, strict=True):
        data = station[name]
        identity = str(_NAME.match(name)["id"])  # type: ignore[index]
        channel = _channel(inventory, identity)
        factor = _factor(file, data, identity, tag, channel, inventory, own, options)
        letter = identity.rsplit(".", 1)[1]
        rate = float(data.attrs["sampling_rate"])
        values = np.asarray(data[()], dtype=np.float64) * factor
        vertical = is_vertical(letter)
        traces.append(
            Trace(letter, vertical, values, 1.0 / rate if rate > 0 else np.nan,
                  (start - min(starts)) * 1e-9)
        )  # fmt: skip
        if np.issubdtype(data.dtype, np.integer) and factor:
            sensitivities[letter] = 1.0 / factor
        if not vertical and channel is not None and channel.azimuth is not None:
            azimuths[letter] = float(channel.azimuth)
    if told := differing(sensitivities):
        metadata["quality"] = told
    record = assemble(
        traces,
        metadata | {"start_time": _time(max(starts))},
        options.components,
        raw=tag.endswith("_unprocessed"),
    )
    first, second = (*record.components, "", "")[:2]
    if record.n_horizontal == 2 and first in azimuths and second in azimuths:
        extra = {"azimuth_1": azimuths[first], "azimuth_2": azimuths[second]}
        record = replace(record, metadata={**record.metadata, **extra})
    return record


def _factor(
    file: h5py.File,
    data: h5py.Dataset,
    identity: str,
    tag: str,
    channel: Any,
    inventory: Any,
    own: Any,
    options: Options,
) -> float:
    if own is not None and "acceleration_unit" in own.attrs:
        return unit_factor(_text(own.attrs["acceleration_unit"]))
    counts = np.issubdtype(data.dtype, np.integer)
    level = _level(inventory)
    if tag.endswith("_unprocessed") and level is not None:
        if _LEVELS[level] is not None:
            return unit_factor(str(_LEVELS[level]))
        counts = True
    elif unit := _output_unit(file, f"{identity}_{tag}"):
        return unit_factor(unit)
    if options.unit is not None:
        return unit_factor(options.unit)
    if not counts:
        raise InputError(f"{identity}: the file tells no unit of its samples; give it with --unit")
    response = getattr(channel, "response", None)
    sensitivity = getattr(response, "instrument_sensitivity", None)
    if sensitivity is None or not sensitivity.value:
        raise InputError(f"{identity}: counts, and no sensitivity in the file's StationXML")
    try:
        return unit_factor(str(sensitivity.input_units)) / float(sensitivity.value)
    except ValueError:
        raise InputError(
            f"{identity} records {sensitivity.input_units}, not acceleration"
        ) from None


def _output_unit(file: h5py.File, name: str) -> str | None:
    """Unit after the last step of gmprocess that changed it."""
    if f"Provenance/{name}" not in file:
        return None
    text = bytes(file[f"Provenance/{name}"][()]).decode("utf-8", "replace")
    units = re.findall(r"<seis_prov:output_units[^>]*>([^<]+)<", text)
    return units[-1].strip() if units else None


def _inventory(station: h5py.Group) -> Any:
    if "StationXML" not in station:
        return None
    import obspy

    try:
        return obspy.read_inventory(io.BytesIO(bytes(station["StationXML"][()])), "STATIONXML")
    except Exception as exc:  # obspy raises what it meets
        raise InputError(f"its StationXML is not readable ({exc})") from exc


def _channel(inventory: Any, identity: str) -> Any:
    if inventory is None:
        return None
    network, station, location, channel = identity.split(".")
    chosen = inventory.select(network, station, location, channel)
    found = [c for n in chosen for s in n for c in s]
    return found[0] if found else None


def _level(inventory: Any) -> str | None:
    """The state of unprocessed traces that gmprocess notes in the station's description."""
    if inventory is None:
        return None
    try:
        stated = json.loads(inventory[0][0].description or "")
        level = str(stated["standard"]["process_level"])
    except (ValueError, KeyError, IndexError, TypeError):
        return None
    return level if level in _LEVELS else None


def _place(inventory: Any) -> dict[str, Value]:
    if inventory is None or not len(inventory) or not len(inventory[0]):
        return {}
    station = inventory[0][0]
    return {
        "station_lat": float(station.latitude),
        "station_lon": float(station.longitude),
        "station_elevation_m": float(station.elevation or 0.0),
    }


def _events(file: h5py.File) -> dict[str, dict[str, Value]]:
    if "QuakeML" not in file or not file["QuakeML"].size:
        return {}
    import obspy

    try:
        catalog = obspy.read_events(io.BytesIO(bytes(file["QuakeML"][()])), "QUAKEML")
    except Exception as exc:  # obspy raises what it meets
        raise InputError(f"its QuakeML is not readable ({exc})") from exc
    found: dict[str, dict[str, Value]] = {}
    for event in catalog:
        origin = event.preferred_origin() or (event.origins or [None])[0]
        magnitude = event.preferred_magnitude() or (event.magnitudes or [None])[0]
        metadata: dict[str, Value] = {}
        if origin is not None:
            metadata = {
                "event_time": str(origin.time),
                "event_lat": float(origin.latitude),
                "event_lon": float(origin.longitude),
            }
            if origin.depth is not None:
                metadata["hypo_depth"] = origin.depth / 1000.0
        if magnitude is not None:
            kind = str(magnitude.magnitude_type or "")
            metadata |= {"mag": float(magnitude.mag), "mag_type": kind}
        identity = str(event.resource_id).rsplit("/", 1)[-1]
        found[identity] = {**metadata, "event_id": identity}
    return found


def _event(data: h5py.Dataset, events: Mapping[str, dict[str, Value]]) -> dict[str, Value]:
    named = _text(data.attrs.get("event_id", "")).split(",")[0].rsplit("/", 1)[-1]
    if named in events:
        return events[named]
    # a file of one event need not name it
    return next(iter(events.values())) if len(events) == 1 and not named else {}


def _time(nanoseconds: int) -> str:
    from obspy import UTCDateTime

    return str(UTCDateTime(ns=nanoseconds))


def _plain(value: Any) -> Value:
    return _text(value) if isinstance(value, bytes | str) else value.item()


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
