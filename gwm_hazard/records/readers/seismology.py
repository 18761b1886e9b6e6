"""The formats that obspy reads: miniSEED, SAC, K-NET and KiK-net, GSE, Kinemetrics EVT ...

Traces of one network, station, location, band and instrument whose times overlap are one record,
in one file or in several. A break of more than `APART_S` parts two records; a shorter one is a
gap, and a record with a gap is refused.

Units: K-NET, KiK-net and Kinemetrics files tell the factor to m/s2, which is applied. All others
hold counts or whatever was written: their samples, as stored, have the unit that the user gives,
or the sensitivity of an inventory turns them into m/s2 (accelerometers only; no correction of the
instrument's frequency response).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from gwm_hazard.errors import InputError
from gwm_hazard.records.obspy_formats import obspy_format
from gwm_hazard.records.record import Failure, Options, Record, Source, Value
from gwm_hazard.records.simulated import acceleration
from gwm_hazard.records.traces import (
    Trace,
    assemble,
    differing,
    is_horizontal,
    is_vertical,
    named,
    unit_factor,
)

#: Longest break within a record, s: beyond it a new one begins.
APART_S = 60.0

#: Formats whose calibration factor in obspy is m/s2 per count.
PHYSICAL = ("KNET", "KINEMETRICS_EVT")

_SAC_UNDEFINED = -12345


@dataclass(frozen=True)
class _Header:
    path: Path
    key: tuple[str, ...]
    trace_id: str
    start: Any  # UTCDateTime
    end: Any


def scan(paths: Sequence[Path], options: Options) -> list[Source | Failure]:
    """One source a record, found from the headers of all files."""
    found: list[Source | Failure] = []
    by_key: dict[tuple[str, ...], list[_Header]] = {}
    for path in paths:
        try:
            for header in _headers(path):
                by_key.setdefault(header.key, []).append(header)
        except ValueError as exc:
            found.append(Failure(str(path), str(exc)))
    # one stream at a time stays in memory, for files of many records
    read = lru_cache(maxsize=1)(_read_file)
    for headers in by_key.values():
        for members in _parts(sorted(headers, key=lambda h: h.start)):
            found.append(_source(members, options, read))
    return found


#: What the header of a K-NET file must tell; obspy leaves out what it does not find.
_KNET = ("evot", "evla", "evlo", "evdp", "mag", "stla", "stlo", "duration")


def _headers(path: Path) -> Iterator[_Header]:
    for trace in _read_headers(path):
        stats = trace.stats
        lacking = [k for k in _KNET if k not in stats.get("knet", {})]
        if stats._format == "KNET" and lacking:
            raise InputError(f"{path}: damaged header, without {', '.join(lacking)}")
        # the end that K-NET's header tells stands in for samples that were not read
        end = stats.endtime
        if not stats.npts and "knet" in stats:
            end = stats.starttime + stats.knet.duration
        yield _Header(path, _key(stats), _id(stats), stats.starttime, end)


def _read_headers(path: Path) -> Any:
    with path.open("rb") as file:
        head = file.read(4096)
    if head.startswith(b"Origin Time") and b"Memo" in head:
        # obspy has no reading of the header alone for this format
        stop = head.find(b"\n", head.index(b"Memo"))
        return _obspy_read(io.BytesIO(head[: stop + 1 or None]), path, format="KNET")
    return _obspy_read(str(path), path, format=_format(path), headonly=True)


def _read_file(path: Path) -> Any:
    return _obspy_read(str(path), path, format=_format(path))


@lru_cache(maxsize=1024)
def _format(path: Path) -> str:
    name = obspy_format(path)
    if name is None:
        raise InputError(f"{path}: no format that obspy reads (pickles are not read)")
    return name


def _obspy_read(file: Any, path: Path, **keywords: Any) -> Any:
    import obspy

    try:
        return obspy.read(file, **keywords)
    except Exception as exc:  # obspy's readers raise whatever they meet
        text = str(exc).strip().splitlines() or [type(exc).__name__]
        raise InputError(f"{path}: not readable ({text[0]})") from exc


def _channel(stats: Any) -> tuple[str, str]:
    """What tells instruments apart, and the name of the component."""
    channel = str(stats.channel).strip()
    if stats._format == "KNET":
        # KiK-net: NS1, EW1, UD1 in the borehole; NS2, EW2, UD2 at the surface
        depth = channel[-1:] if channel[-1:] in "12" else ""
        event = stats.knet.evot.strftime("%Y%m%dT%H%M%S")
        return f"{depth}.{event}", channel
    return (channel[:-1] if len(channel) == 3 else ""), channel


def _key(stats: Any) -> tuple[str, ...]:
    codes = (stats.network, stats.station, stats.location)
    return (str(stats._format), *(str(c).strip() for c in codes), _channel(stats)[0])


def _id(stats: Any) -> str:
    return f"{stats.network}.{stats.station}.{stats.location}.{stats.channel}"


def _parts(headers: Sequence[_Header]) -> Iterator[list[_Header]]:
    """Cut what lies further apart in time than a gap."""
    part: list[_Header] = []
    for header in headers:
        if part and header.start > max(h.end for h in part) + APART_S:
            yield part
            part = []
        part.append(header)
    yield part


def _source(
    members: Sequence[_Header], options: Options, read: Callable[[Path], Any]
) -> Source | Failure:
    paths = tuple(dict.fromkeys(h.path for h in members))
    start, end = min(h.start for h in members), max(h.end for h in members)
    key = members[0].key
    codes = (*key[1:4], key[4].split(".")[0], start.strftime("%Y%m%dT%H%M%S"))
    label = ".".join(code for code in codes if code)

    def records() -> Iterator[Record]:
        wanted = {h.trace_id for h in members}
        traces = [
            trace
            for path in paths
            for trace in read(path)
            if _id(trace.stats) in wanted
            and trace.stats.endtime >= start - 1
            and trace.stats.starttime <= end + 1
        ]
        yield _record(traces, label, paths, options)

    return Source(f"{', '.join(str(p) for p in paths)}: {label}", paths, 1, records)


def _record(traces: Sequence[Any], label: str, paths: Sequence[Path], options: Options) -> Record:
    import obspy

    stream = obspy.Stream([t.copy() for t in traces if t.stats.npts])
    if not stream:
        raise InputError("the file has no samples of it")
    for trace in stream:
        if "knet" in trace.stats:
            announced = round(trace.stats.knet.duration * trace.stats.sampling_rate)
            if trace.stats.npts < announced:
                raise InputError(
                    f"component {trace.stats.channel} has {trace.stats.npts} samples, "
                    f"its header says {announced}: the file is damaged"
                )
        if np.ma.isMaskedArray(trace.data):
            raise InputError(f"component {trace.stats.channel} has a gap: cut or fill it first")
    try:
        stream.merge(method=-1)  # joins segments that follow each other without a break
    except Exception as exc:  # obspy raises plain ones, for instance for unequal steps
        raise InputError(f"its segments do not fit together ({exc})") from exc
    stats = stream[0].stats
    start = min(t.stats.starttime for t in stream)
    metadata: dict[str, Value] = {
        "record_id": label,
        "source_file": ", ".join(str(p) for p in sorted(paths)),
        "network": str(stats.network),
        "station": str(stats.station),
        "location": str(stats.location),
        "start_time": str(max(t.stats.starttime for t in stream)),
        **_told(stats),
    }
    seen: dict[str, Any] = {}
    sensitivities = {}
    components = []
    for trace in sorted(stream, key=lambda t: (str(t.stats.channel), t.stats.starttime)):
        name = _channel(trace.stats)[1]
        if name in seen:
            before = seen[name].stats.endtime
            gap = trace.stats.starttime - before
            raise InputError(
                f"component {name} has a gap or an overlap of {gap - trace.stats.delta:g} s at "
                f"{before}: cut or fill it first"
            )
        seen[name] = trace
        vertical = _vertical(trace.stats, named(name, options.components))
        # before the samples: no unit is the commonest mistake
        data, sensitivities[name] = _acceleration(trace, options)
        if vertical and _inclination(trace.stats) > 135:
            data = -data  # points down
        components.append(
            Trace(name, vertical, data, trace.stats.delta, trace.stats.starttime - start)
        )
    if stated := [(t.stats.knet.accmax, t.data * t.stats.calib) for t in stream
                  if t.stats.get("knet", {}).get("accmax")]:  # fmt: skip
        gal, data = max(stated, key=lambda pair: abs(pair[0]))
        peak = float(np.abs(data - data.mean()).max())
        metadata["pga_to_header"] = float(f"{100 * peak / abs(gal):.5g}")
    if told := differing(sensitivities):
        metadata["quality"] = told
    return assemble(components, metadata, options.components, raw=True)


def _inclination(stats: Any) -> float:
    """Of a SAC component, deg from up; as SAC writes it where the header does not tell."""
    return float(stats.get("sac", {}).get("cmpinc", _SAC_UNDEFINED))


def _vertical(stats: Any, name: str) -> bool:
    inclination = _inclination(stats)
    if inclination != _SAC_UNDEFINED:
        if min(abs(inclination - a) for a in (0, 90, 180)) > 5:
            raise InputError(
                f"component {name}: inclination {inclination:g} deg, neither "
                "horizontal nor vertical; rotate it first"
            )
        return abs(inclination - 90) > 45
    if is_vertical(name) or name == "-":
        return is_vertical(name)
    if not is_horizontal(name):
        raise InputError(
            f"component {name!r}: its code tells no orientation (known: Z, N, E, 1, 2, R, T, "
            "NS, EW, UD); say what it is with --components NAME=Z, or rotate it first"
        )
    return False


def _acceleration(trace: Any, options: Options) -> tuple[np.ndarray, float]:
    """Samples in m/s2, and counts per m/s2 where they were counts, else 0."""
    data = np.asarray(trace.data, dtype=np.float64)
    if trace.stats._format in PHYSICAL:
        return data * trace.stats.calib, 0.0
    if options.inventory is not None:
        sensitivity = _sensitivity(trace, options.inventory)
        return data / sensitivity, sensitivity
    if options.unit is None:
        raise InputError(
            f"{trace.stats._format} files tell no unit: give that of the samples with --unit, e.g. "
            "--unit m/s2, or for counts the StationXML with --inventory"
        )
    if options.simulated:
        return acceleration(data, trace.stats.delta, options.unit), 0.0
    return data * unit_factor(options.unit), 0.0


def _sensitivity(trace: Any, inventory: Path) -> float:
    """Counts per m/s2."""
    name = _id(trace.stats)
    try:
        response = _inventory(inventory, inventory.stat().st_mtime_ns).get_response(
            name, trace.stats.starttime
        )
        sensitivity = response.instrument_sensitivity
        unit, value = str(sensitivity.input_units), float(sensitivity.value)
    except Exception as exc:
        raise InputError(
            f"{inventory}: no sensitivity of {name} at {trace.stats.starttime}"
        ) from exc
    try:
        return value / unit_factor(unit)
    except ValueError:
        raise InputError(
            f"{name} records {unit}, not acceleration: give accelerometer channels (HN?, BN? ...)"
        ) from None


@lru_cache(maxsize=4)
def _inventory(path: Path, changed_ns: int) -> Any:
    import obspy

    try:
        return obspy.read_inventory(str(path))
    except Exception as exc:
        raise InputError(f"{path}: not an inventory that obspy reads ({exc})") from exc


def _told(stats: Any) -> dict[str, Value]:
    """Event and station as the headers of some formats tell them."""
    if "knet" in stats:
        k = stats.knet
        borehole: dict[str, Value] = (
            {"installation": "borehole"} if str(stats.channel).endswith("1") else {}
        )
        return borehole | {
            "event_time": str(k.evot), "event_lat": k.evla, "event_lon": k.evlo,
            "hypo_depth": k.evdp, "mag": k.mag, "station_lat": k.stla, "station_lon": k.stlo,
        }  # fmt: skip
    if "sac" in stats:
        # depth of the event is left out: SAC files have it in km or in m
        names = {"mag": "mag", "evla": "event_lat", "evlo": "event_lon", "stla": "station_lat",
                 "stlo": "station_lon", "dist": "repi"}  # fmt: skip
        values = {ours: stats.sac.get(theirs, _SAC_UNDEFINED) for theirs, ours in names.items()}
        return {k: float(v) for k, v in values.items() if v != _SAC_UNDEFINED}
    return {}
