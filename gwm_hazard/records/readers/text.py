"""Plain text: one record a file, a column a component, with or without a header line.

Columns are parted by commas, semicolons (then a comma may be the decimal sign), tabs or blanks;
lines that start with # are skipped. The time stands in a column named t or time, or, without a
header, in a first column that grows evenly; else the step is given. Units stand in the header,
``EW (cm/s2)``, ``acc_z [g]``, or are given. A column named UP, V, Z, UD ... is vertical; several
columns without names are refused unless the user names them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.errors import InputError
from gwm_hazard.records.record import Failure, Options, Record, Source
from gwm_hazard.records.traces import Trace, assemble, is_vertical, unit_factor

_TIME = re.compile(r"(t|time|times|seconds|sec)\b", re.IGNORECASE)
_BRACKETS = re.compile(r"[(\[]\s*([^)\]]+?)\s*[)\]]")
_SUFFIX = re.compile(r"_(c?m_s2|gal|g|mg)$", re.IGNORECASE)


def scan(paths: Sequence[Path], options: Options) -> list[Source | Failure]:
    """One source a file."""
    return [Source(str(path), (path,), 1, partial(_read, path, options)) for path in paths]


def _read(path: Path, options: Options) -> Iterator[Record]:
    header, values, lines = _table(path)
    if options.columns:
        if len(options.columns) != values.shape[1]:
            raise InputError(
                f"{path}: {values.shape[1]} columns, {len(options.columns)} are named by --columns"
            )
        header = list(options.columns)
    time = _time_column(header, values, options.dt_s)
    if time is not None:
        dt = _step(path, values[:, time], lines)
        if options.dt_s is not None and abs(dt - options.dt_s) > 1e-3 * dt:
            raise InputError(
                f"{path}: its times have a step of {dt:g} s, not --dt {options.dt_s:g}"
            )
    elif options.dt_s is None:
        raise InputError(f"{path}: no column of times (name it 'time'); give the step with --dt")
    else:
        dt = options.dt_s
    columns = [c for c in range(values.shape[1]) if c != time]
    if not 1 <= len(columns) <= 3:
        raise InputError(f"{path}: {len(columns)} columns beside the time; one to three are read")
    traces = []
    for column in columns:
        if len(columns) > 1 and not header:
            raise InputError(
                f"{path}: nothing names its {len(columns)} columns of acceleration: say their "
                "order with --columns, e.g. --columns time,H1,H2,V"
            )
        title = header[column] if header else "H1"
        name = _bare(title)
        vertical = is_vertical(name)
        factor = _factor(path, title, options.unit)
        traces.append(Trace(name, vertical, values[:, column] * factor, dt))
    metadata = {"record_id": path.stem, "source_file": str(path)}
    try:
        yield assemble(traces, metadata, options.components)
    except ValueError as exc:
        raise InputError(f"{path}: {exc}") from None


def _table(path: Path) -> tuple[list[str], NDArray[np.float64], list[int]]:
    """Names of the columns (empty without a header), values (nt, n), line number of each row."""
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    rows = [
        (number, line.strip())
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not rows:
        raise InputError(f"{path}: holds no numbers")
    # the last line is a row of numbers, whatever the first one is
    separator = next((s for s in (";", "\t", ",") if s in rows[-1][1]), None)

    def numbers(line: str) -> list[float]:
        plain = line.replace(",", ".") if separator == ";" else line
        return [float(field) for field in plain.rstrip(separator).split(separator)]

    header: list[str] = []
    try:
        width = len(numbers(rows[0][1]))
    except ValueError:
        line = rows.pop(0)[1]
        # a blank before a unit in brackets parts no columns
        fields = line.split(separator) if separator else re.split(r"\s+(?![(\[])", line)
        header = [field.strip().strip('"') for field in fields]
        width = len(header)
    values = np.empty((len(rows), width))
    for i, (number, line) in enumerate(rows):
        try:
            row = numbers(line)
        except ValueError as exc:
            word = str(exc).rpartition(":")[2].strip()
            raise InputError(f"{path}:{number}: {word} is not a number") from None
        if len(row) != width:
            raise InputError(f"{path}:{number}: {len(row)} values where {width} columns stand")
        values[i] = row
    if len(rows) < 2:
        raise InputError(f"{path}: {len(rows)} rows of numbers; a record needs at least 2")
    return header, values, [number for number, _ in rows]


def _time_column(
    header: Sequence[str], values: NDArray[np.float64], dt: float | None
) -> int | None:
    if header:
        return next((c for c, name in enumerate(header) if _TIME.match(name)), None)
    steps = np.diff(values[:, 0])
    grows = values.shape[1] > 1 and steps.min() > 0 and np.ptp(steps) < 0.5 * steps.mean()
    return 0 if grows and dt is None else None


def _step(path: Path, times: NDArray[np.float64], lines: Sequence[int]) -> float:
    dt = float(times[-1] - times[0]) / (times.size - 1)
    steps = np.diff(times)
    typical = float(np.median(steps))
    bad = np.flatnonzero(~(np.abs(steps - typical) <= 0.5 * abs(typical)))
    if not dt > 0 or bad.size:
        line = lines[int(bad[0]) + 1] if bad.size else lines[0]
        raise InputError(
            f"{path}:{line}: the times are not evenly spaced and growing; resample the record"
        )
    return float(f"{dt:.9g}")  # times are printed with few digits


def _factor(path: Path, name: str, unit: str | None) -> float:
    match = _BRACKETS.search(name) or _SUFFIX.search(name)
    if match:
        try:
            return unit_factor(match[1])
        except ValueError as exc:
            raise InputError(f"{path}: column {name!r}: {exc}") from None
    if unit is None:
        raise InputError(f"{path}: column {name!r} names no unit; give it with --unit, e.g. g")
    return unit_factor(unit)


def _bare(name: str) -> str:
    return _SUFFIX.sub("", _BRACKETS.sub("", name)).strip() or name
