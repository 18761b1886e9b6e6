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
    """

    key: tuple[str, ...]
    trace: Trace
    metadata: Mapping[str, Value]


Read = Callable[[Path, Options], Sequence[Channel]]


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
    starts = [c.trace.start_s for c in channels]
    if min(starts) > 0:
        from obspy import UTCDateTime

        metadata["start_time"] = str(UTCDateTime(max(starts)))
    try:
        yield assemble([c.trace for c in channels], metadata)
    except ValueError as exc:
        raise InputError(_named(paths[0], exc)) from None


def _named(path: Path, exc: Exception) -> str:
    text = str(exc)
    return text if text.startswith(str(path)) else f"{path}: {text}"


def lines_of(path: Path) -> list[str]:
    """Lines of a text file of any of the usual encodings."""
    if path.stat().st_size > MOST_BYTES:
        raise InputError(f"{path}: {path.stat().st_size:,} bytes, too large for a text record")
    return path.read_text(encoding="latin-1").splitlines()


def fixed_width(lines: Sequence[str], form: str, count: int, where: str) -> NDArray[np.float64]:
    """``count`` numbers of lines in a Fortran format, as ``(8F10.3)``.

    Columns are cut by their width, for numbers may touch. Raises ValueError for an unknown format,
    fewer numbers, or something else in their place, naming ``where``.
    """
    columns, width = columns_and_width(form, where)
    fields = [
        line[k * width : (k + 1) * width]
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


def seconds(text: Any, where: str) -> float:
    """A UTC time as s after 1970; ValueError for what is no time."""
    from obspy import UTCDateTime

    try:
        return float(UTCDateTime(text))
    except Exception as exc:  # obspy raises what it meets
        raise InputError(f"{where}: {text!r} is no time") from exc


def known(values: Mapping[str, str | float | None]) -> dict[str, Value]:
    """Entries that are known: no empty text, not -999."""
    return {k: v for k, v in values.items() if v is not None and v != "" and v != -999}
