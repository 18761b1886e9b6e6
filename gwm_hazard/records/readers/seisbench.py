"""SeisBench data sets: metadata.csv beside waveforms.hdf5 (Woollam et al. 2022).

Plain traces (``data/NAME``) and buckets (``bucket0$3,:3,:4096``), several chunks (metadata_A.csv
beside waveforms_A.hdf5), component and dimension order of the data set or of each trace. The unit
is that of the trace (columns trace_unit, unit) or of the data set; counts and velocities are
refused unless the user gives a unit of acceleration.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.errors import InputError
from gwm_hazard.files.foreign import hdf5
from gwm_hazard.files.seisbench_columns import COLUMNS
from gwm_hazard.records.record import Failure, Options, Record, Source, Value
from gwm_hazard.records.traces import Trace, assemble, unit_factor

_ROWS = 2048  # of the metadata in memory at a time

#: Told by the layout of the data set rather than by its metadata.
_FIXED = ("record_id", "npts")


def scan(paths: Sequence[Path], options: Options) -> list[Source | Failure]:
    """One source a metadata table (a data set has one, or one a chunk)."""
    found: list[Source | Failure] = []
    for given in paths:
        tables = sorted(given.glob("metadata*.csv")) if given.is_dir() else [given]
        for table in tables:
            if table.suffix != ".csv":
                table = table.with_name(table.name.replace("waveforms", "metadata"))
                table = table.with_suffix(".csv")
            waveforms = table.with_name(table.name.replace("metadata", "waveforms"))
            waveforms = waveforms.with_suffix(".hdf5")
            missing = next((p for p in (table, waveforms) if not p.is_file()), None)
            if missing is not None:
                found.append(Failure(str(given), f"{given}: no {missing.name} beside it"))
                continue
            with table.open("rb") as file:
                size = max(0, sum(1 for _ in file) - 1)
            read = partial(_read, table, waveforms, options)
            found.append(Source(str(table), (given,), size, read))
    return found


def _read(table: Path, waveforms: Path, options: Options) -> Iterator[Record | Failure]:
    with hdf5(waveforms) as file:
        try:
            if "data" not in file:
                raise InputError(f"{waveforms}: holds no group 'data'; is it a SeisBench data set?")
            layout = {k: _text(v[()]) for k, v in file.get("data_format", {}).items()}
        except (RuntimeError, AttributeError, KeyError) as exc:  # h5py's, of damaged files
            raise InputError(f"{waveforms}: damaged HDF5 file ({exc})") from exc
        for rows in pd.read_csv(
            table, chunksize=_ROWS, dtype={"trace_name": str}, low_memory=False
        ):
            if "trace_name" not in rows:
                raise InputError(f"{table}: has no column trace_name")
            for number, row in zip(rows.index, rows.to_dict("records"), strict=True):
                name = str(row["trace_name"])
                try:
                    yield _record(file["data"], name, row, layout, options, table)
                except (ValueError, KeyError, OSError, RuntimeError, OverflowError) as exc:
                    # line 1 is the header
                    reason = exc.args[0] if exc.args else exc
                    yield Failure(name, f"{table}:{number + 2}: trace {name}: {reason}")


def _record(
    data: h5py.Group,
    name: str,
    row: Mapping[Any, Any],
    layout: Mapping[str, str],
    options: Options,
    table: Path,
) -> Record:
    array = _array(data, name)
    order = _given(row, "trace_dimension_order") or layout.get("dimension_order", "CW")
    if array.ndim != 2 or sorted(str(order)) != ["C", "W"]:
        raise InputError(f"dimensions {array.shape} in the order {order}: read are CW and WC")
    if order == "WC":
        array = array.T
    components = str(
        _given(row, "trace_component_order", "component_order")
        or layout.get("component_order", "ZNE")
    )
    if len(components) != array.shape[0]:
        raise InputError(f"{array.shape[0]} components, but the component order is {components!r}")
    wrong = set(components) - set("ZNE12RTXY")
    if wrong:
        raise InputError(f"component {wrong.pop()!r}: its orientation is not known")
    npts = _given(row, "trace_npts")
    values = array[:, : int(npts)] if npts is not None else array  # buckets are filled up
    factor = _factor(row, layout, options.unit)
    dt = _step(row, layout, options.dt_s)
    metadata: dict[str, Value] = {"record_id": name, "source_file": str(table)}
    for ours, theirs in COLUMNS.items():
        if ours not in _FIXED and (value := _given(row, *theirs)) is not None:
            metadata[ours] = value
    traces = [
        Trace(c, c == "Z", np.asarray(v, dtype=np.float64) * factor, dt)
        for c, v in zip(components, values, strict=True)
    ]
    return assemble(traces, metadata, options.components)


def _array(data: h5py.Group, name: str) -> NDArray[Any]:
    """The samples of a trace: its own data set, or a slice of a bucket."""
    base, _, location = name.partition("$")
    if base not in data:
        raise InputError(f"no data set data/{base} in the waveform file")
    if not location:
        return data[base][()]
    if not re.fullmatch(r"\d+(,\d*:\d*)*", location):
        raise InputError(f"location {location!r} in the bucket is not of the form 3,:3,:4096")
    first, *rest = location.split(",")
    slices = [slice(*(int(x) if x else None for x in part.split(":"))) for part in rest]
    if int(first) >= data[base].shape[0]:
        raise InputError(f"bucket {base} has no row {first}")
    return data[base][(int(first), *slices)]


def _factor(row: Mapping[Any, Any], layout: Mapping[str, str], given: str | None) -> float:
    if given is not None:
        return unit_factor(given)
    unit = _given(row, "trace_unit", "unit") or layout.get("unit")
    if unit is None:
        raise InputError("the data set names no unit; give that of its samples with --unit")
    try:
        return unit_factor(str(unit))
    except ValueError as exc:
        raise InputError(f"{exc}, of the data set's samples if they are, with --unit") from None


def _step(row: Mapping[Any, Any], layout: Mapping[str, str], given: float | None) -> float:
    rate = _given(row, "trace_sampling_rate_hz") or layout.get("sampling_rate")
    if rate is not None:
        return 1.0 / float(rate) if float(rate) > 0 else math.nan
    step = _given(row, "trace_dt_s") or given
    if step is None:
        raise InputError("neither trace_sampling_rate_hz nor trace_dt_s; give the step with --dt")
    return float(step)


def _given(row: Mapping[Any, Any], *names: str) -> Any:
    """The first of the columns that is present and not empty."""
    return next((row[n] for n in names if n in row and not pd.isna(row[n])), None)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
