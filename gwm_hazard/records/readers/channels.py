"""Text formats of one or a few channels a file: the channels of a record put together."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.errors import InputError
from gwm_hazard.records.record import Failure, Options, Record, Source, Value
from gwm_hazard.records.traces import Trace, assemble

#: Largest text file that is read, bytes: a day at 200 Hz is a quarter of it.
MOST_BYTES = 1 << 30

_FORMAT = re.compile(r"\(\s*(\d*)\s*[FEIGD](\d+)(?:\.\d+)?(?:E\d+)?\s*\)", re.IGNORECASE)


@dataclass(frozen=True)
class Channel:
    """One channel: what tells records apart, the trace, what the header tells of the record.

    The start of the trace is in s after 1970, or 0 where the file does not tell it.

    peak : the largest acceleration of the trace as the header tells it, m/s2
    raw : whether the format holds what the instrument gave, offsets included
    """

    key: tuple[str, ...]
    trace: Trace
    metadata: Mapping[str, Value]
    peak: float | None = None
    raw: bool = False


Read = Callable[[Path, Options], Sequence[Channel]]


def sections(lines: Sequence[str], begins: Sequence[int]) -> Iterator[tuple[Sequence[str], int]]:
    """The lines of each channel of a file, and the number of its first, from 0."""
    for first, end in zip(begins, [*begins[1:], len(lines)], strict=True):
        yield lines[first:end], first


def scan_channels(read: Read, paths: Sequence[Path], options: Options) -> list[Source | Failure]:
    """One source a record: channels of one key and folder."""
    found: list[Source | Failure] = []
    groups: dict[tuple[Path, tuple[str, ...]], list[Path]] = {}
    for path in paths:
        try:
            keys = {channel.key for channel in read(path, options)}
        except (ValueError, OSError) as exc:
            found.append(Failure(str(path), _named(path, exc)))
            continue
        for key in sorted(keys):
            groups.setdefault((path.parent, key), []).append(path)
    for (_, key), members in groups.items():
        label = f"{members[0]}: {'.'.join(filter(None, key))}"
        reader = partial(_record, read, tuple(sorted(members)), key, options)
        found.append(Source(label, tuple(members), 1, reader))
    return found


def _record(
    read: Read, paths: tuple[Path, ...], key: tuple[str, ...], options: Options
) -> Iterator[Record]:
    channels = [c for path in paths for c in read(path, options) if c.key == key]
    metadata: dict[str, Value] = {
        "record_id": ".".join(filter(None, key)),
        "source_file": ", ".join(map(str, paths)),
    }
    for channel in reversed(channels):
        metadata |= channel.metadata
    if stated := [c for c in channels if c.peak]:
        # of the strongest channel: headers tell small peaks to a digit
        metadata["pga_to_header"] = _to_header(max(stated, key=lambda c: c.peak or 0.0))
    starts = [c.trace.start_s for c in channels]
    if min(starts) > 0:
        from obspy import UTCDateTime

        metadata["start_time"] = str(UTCDateTime(max(starts)))
    try:
        traces = [c.trace for c in channels]
        yield assemble(traces, metadata, options.components, raw=any(c.raw for c in channels))
    except ValueError as exc:
        raise InputError(_named(paths[0], exc)) from None


def _to_header(channel: Channel) -> float:
    """Peak of the samples to that of the header: as they stand or, if nearer, less their mean."""
    data = channel.trace.data
    peaks = np.abs(data).max(), np.abs(data - data.mean()).max()
    stated = abs(channel.peak or np.nan)
    return float(f"{min((p / stated for p in peaks), key=lambda r: abs(r - 1)):.5g}")


def _named(path: Path, exc: Exception) -> str:
    text = str(exc)
    return text if text.startswith(str(path)) else f"{path}: {text}"


def lines_of(path: Path) -> list[str]:
    """Lines of a text file of any of the usual encodings."""
    if path.stat().st_size > MOST_BYTES:
        raise InputError(f"{path}: {path.stat().st_size:,} bytes, too large for a text record")
    return path.read_text(encoding="latin-1").splitlines()


def fixed_width(lines: Sequence[str], form: str, count: int, where: str) -> NDArray[np.float64]:
    """``count`` numbers of lines in a Fortran format, as ``(8F10.3)``, or as the first line.

    Columns are cut by their width, for numbers may touch; where ``form`` is empty the first line
    tells it: a point a number. Raises ValueError for an unknown format, fewer numbers, or something
    else in their place, naming ``where``.
    """
    lead = 0
    if form:
        columns, width = columns_and_width(form, where)
    else:
        line = lines[0].rstrip() if lines else ""
        columns = max(1, line.count("."))
        width, lead = divmod(len(line), columns)
        if not width or lead > 1 or line[:lead].strip():
            raise InputError(f"{where}: no columns of one width in {line[:40]!r}")
    fields = [
        line[lead + k * width : lead + (k + 1) * width]
        for line in lines[: -(-count // columns)]
        for k in range(columns)
    ]
    fields = [field for field in fields if field.strip()]
    if len(fields) < count:
        raise InputError(
            f"{where}: {count} numbers are announced, {len(fields)} follow: the file is damaged"
        )
    try:
        return np.array([float(field.replace("D", "E")) for field in fields[:count]])
    except ValueError as exc:
        raise InputError(f"{where}: {exc}: the file is damaged") from None


def columns_and_width(form: str, where: str) -> tuple[int, int]:
    """Numbers a line and characters a number of a Fortran format; ValueError for an unknown one."""
    match = _FORMAT.search(form)
    columns, width = (int(match[1] or 1), int(match[2])) if match else (0, 0)
    if not 0 < width <= 80 or not 0 < columns <= 80:
        raise InputError(f"{where}: format {form!r} of the numbers is not known")
    return columns, width


def values_of(lines: Sequence[str], count: int, where: str) -> NDArray[np.float64]:
    """``count`` numbers with blanks between them; ValueError for fewer, or another word."""
    try:
        values = np.array(" ".join(lines).split(), dtype=np.float64)
    except ValueError as exc:
        raise InputError(f"{where}: {exc}: the file is damaged") from None
    if values.size < count:
        raise InputError(
            f"{where}: {count} numbers are announced, {values.size} follow: the file is damaged"
        )
    return values[:count]


def even(
    times: NDArray[np.float64], values: NDArray[np.float64], where: str
) -> tuple[float, NDArray[np.float64]]:
    """Step in s and samples of pairs of time (to 1 ms) and value.

    Film was digitised at uneven times: these are interpolated to an even step. Raises ValueError
    for times that go back.
    """
    steps = np.diff(times)
    if times.size < 2 or steps.min() < 0 or not times[-1] > times[0]:
        raise InputError(f"{where}: the times do not grow: the file is damaged")
    dt = float(times[-1] - times[0]) / (times.size - 1)
    if np.abs(times - times[0] - dt * np.arange(times.size)).max() <= 2e-3:
        return float(f"{dt:.6g}"), values
    # as dense as the digitisation, so that peaks stay
    dt = float(f"{max(np.percentile(steps[steps > 0], 10), 1e-3):.2g}")
    even_times = np.arange(times[0], times[-1] + dt / 2, dt)
    return dt, np.interp(even_times, times, values)


def largest(told: Mapping[str, float | str | None]) -> dict[str, str | float | None]:
    """``mag`` and ``mag_type`` of magnitudes by type: the first known of Mw, Ms, ML, another."""
    for kind in ("Mw", "Ms", "ML", *told):
        value = float(told.get(kind) or 0)
        if value > 0:
            return {"mag": value, "mag_type": kind}
    return {}


def seconds(text: Any, where: str) -> float:
    """A UTC time as s after 1970; ValueError for what is no time."""
    from obspy import UTCDateTime

    try:
        return float(UTCDateTime(text))
    except Exception as exc:  # obspy raises what it meets
        raise InputError(f"{where}: {text!r} is no time") from exc


def utc(text: Any, where: str, ahead_h: float = 0.0) -> str:
    """A time as ISO 8601 in UTC, of a clock that is ``ahead_h`` hours ahead of it."""
    from obspy import UTCDateTime

    return str(UTCDateTime(seconds(text, where) - 3600.0 * ahead_h))


def header_of(lines: Sequence[str]) -> dict[str, str]:
    """The lines ``KEY : VALUE`` of a header; lines without a key go on with the one above."""
    header: dict[str, str] = {}
    key = ""
    for line in lines:
        name, colon, value = line.lstrip("#\ufeff ").partition(":")
        if colon:
            key = name.strip() or key
            header[key] = f"{header.get(key, '')} {value.strip()}".strip()
    return header


def needed(pattern: re.Pattern[str], text: str, what: str, where: str) -> re.Match[str]:
    """The first match in a header; ValueError says what it does not tell."""
    if (match := pattern.search(text)) is None:
        raise InputError(f"{where}: the header tells no {what}")
    return match


def known(values: Mapping[str, str | float | None]) -> dict[str, Value]:
    """Entries that are known: no empty text, not -999."""
    return {k: v for k, v in values.items() if v is not None and v != "" and v != -999}
