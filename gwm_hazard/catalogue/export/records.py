"""The records of a waveform file: a table in memory, waveforms in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from gwm_hazard.catalogue.store import open_catalogue
from gwm_hazard.errors import InputError
from gwm_hazard.files.foreign import check_hdf5

#: Waveforms read at once, bytes.
BLOCK_BYTES = 32 * 2**20
#: Dimensions of one waveform; the others count records.
_WAVEFORM = ("component", "time")


@dataclass(frozen=True)
class Records:
    """Some records of a waveform file.

    Attributes
    ----------
    dataset : the file: ``acceleration`` with the record dimensions, component and time
    table : a row a record: ``record`` (its number in the file), ``name``, coordinates, measures
    units : {column of the table: unit}, where the file says it
    measures : the columns of the table that are intensity measures
    total : records in the file
    source : name of the file
    """

    dataset: xr.Dataset
    table: pd.DataFrame
    units: dict[str, str]
    measures: tuple[str, ...]
    total: int
    source: str

    def __len__(self) -> int:
        return len(self.table)

    @property
    def dt_s(self) -> float:
        """Time step, s."""
        return float(self.dataset.attrs["dt_s"])

    @property
    def components(self) -> list[str]:
        """Names of the components, horizontal ones first."""
        return [str(c) for c in self.dataset["component"].values]

    def blocks(self) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Waveforms in order: (rows of the table, acceleration (n, n_components, n_samples)).

        Acceleration is float32 in m/s2 and zero after the ``npts`` of each record.
        """
        samples = self.dataset.sizes["component"] * self.dataset.sizes["time"]
        size = max(1, BLOCK_BYTES // (4 * samples))
        numbers = self.table["record"].to_numpy()
        for start in range(0, len(numbers), size):
            rows = slice(start, min(start + size, len(numbers)))
            yield rows, _read(self.dataset, numbers[rows])

    def each(self, unit_m_s2: float = 1.0) -> Iterator[tuple[int, str, NDArray[np.float64]]]:
        """Records one by one: (row of the table, name, acceleration).

        Acceleration is (n_components, npts) in the unit of ``unit_m_s2`` m/s2.
        """
        for rows, block in self.blocks():
            part = self.table.iloc[rows]
            for i, (name, npts) in enumerate(zip(part["name"], part["npts"], strict=True)):
                yield rows.start + i, name, block[i, :, :npts].astype(np.float64) / unit_m_s2


@contextmanager
def open_records(source: str | Path | xr.Dataset) -> Iterator[Records]:
    """All records of a catalogue, or of a file of scenarios and realizations.

    Record ``i * n + k`` of the latter is realization k of scenario i; its key is the one it was
    drawn from: event i, site 0, realization k.

    Raises
    ------
    ValueError
        Not a waveform file of this package.
    """
    if isinstance(source, xr.Dataset):
        yield _records(source, "a Dataset in memory")
        return
    try:
        dataset = open_catalogue(source)
    except ValueError as error:
        # A file of ``gwm-hazard generate`` is no catalogue.
        try:
            check_hdf5(source)
            dataset = xr.open_dataset(source, engine="h5netcdf", phony_dims="access")
        except (OSError, ValueError, KeyError):
            raise error from None
    with dataset:
        yield _records(dataset, Path(source).name)


def record_names(total: int) -> list[str]:
    """The names under which the records of a file are exported, in its order."""
    width = max(4, len(str(total - 1)))
    return [f"rec{i:0{width}d}" for i in range(total)]


def _records(dataset: xr.Dataset, source: str) -> Records:
    if "acceleration" not in dataset or dataset["acceleration"].dims[-2:] != _WAVEFORM:
        raise InputError(
            f"{source}: no variable acceleration (..., component, time); is it a file "
            "of gwm-hazard?"
        )
    if "dt_s" not in dataset.attrs:
        raise InputError(f"{source}: no attribute dt_s (time step); is it a file of gwm-hazard?")
    dims = dataset["acceleration"].dims[:-2]
    shape = tuple(dataset.sizes[d] for d in dims)
    total = int(np.prod(shape))
    columns: dict[str, Any] = {
        "record": np.arange(total),
        "name": record_names(total),
    }
    units: dict[str, str] = {}
    measures = []
    template = xr.DataArray(np.empty(shape, dtype=bool), dims=dims)
    for key, variable in dataset.variables.items():
        if key in (*dims, *columns) or not variable.dims or set(variable.dims) - set(dims):
            continue
        name = str(key)
        columns[name] = xr.DataArray(variable).broadcast_like(template).transpose(*dims)
        columns[name] = columns[name].values.ravel()
        if "units" in variable.attrs:
            units[name] = str(variable.attrs["units"])
        if key in dataset.data_vars:
            measures.append(name)
    if "scenario" in dims and "event" not in columns:
        columns["event"], columns["realization"] = np.divmod(np.arange(total), shape[-1])
        columns["site"] = np.zeros(total, dtype=np.int64)
    if "npts" not in columns:
        columns["npts"] = np.full(total, dataset.sizes["time"])
    return Records(dataset, pd.DataFrame(columns), units, tuple(measures), total, source)


def _read(dataset: xr.Dataset, numbers: NDArray[np.int64]) -> NDArray[np.float32]:
    acceleration = dataset["acceleration"]
    dims = acceleration.dims[:-2]
    if len(dims) == 1:
        return acceleration.isel({dims[0]: _span(numbers)}).values
    # One scenario at a time: xarray would read the outer product of an index over both.
    outer, inner = np.divmod(numbers, acceleration.sizes[dims[1]])
    parts = np.split(inner, np.flatnonzero(np.diff(outer)) + 1)
    first = np.cumsum([0, *(len(p) for p in parts[:-1])])
    found = [
        acceleration.isel({dims[0]: int(outer[i]), dims[1]: _span(p)}).values
        for i, p in zip(first, parts, strict=True)
    ]
    return np.concatenate(found)


def _span(numbers: NDArray[np.int64]) -> slice | NDArray[np.int64]:
    """A slice where the numbers are consecutive: HDF5 reads it far faster than a list."""
    if numbers[-1] - numbers[0] == len(numbers) - 1:
        return slice(int(numbers[0]), int(numbers[-1]) + 1)
    return numbers


def select(every: Records, records: str = "", where: str = "", limit: int | None = None) -> Records:
    """The records that pass all filters, in the order of the file.

    Raises
    ------
    ValueError
        A filter that cannot be read, a record that is not there, or no record left.
    """
    if limit is not None and limit < 1:
        raise InputError(f"max = {limit}: give at least 1 record")
    table = every.table
    if records:
        table = table.iloc[_numbers(records, every.total)]
    if where:
        table = _query(table, where)
    if limit is not None:
        table = table.iloc[:limit]
    if table.empty:
        raise InputError(
            f"no record is left of {every.total}: records = {records!r}, where = {where!r}"
        )
    return replace(every, table=table.reset_index(drop=True))


def _numbers(text: str, total: int) -> NDArray[np.int64]:
    picked = np.zeros(total, dtype=bool)
    for part in text.split(","):
        first, colon, last = (x.strip() for x in part.partition(":"))
        try:
            start = int(first) if first or not colon else 0
            stop = (int(last) if last else total) if colon else start + 1
        except ValueError:
            raise InputError(
                f"records = {text!r}: write numbers and ranges, such as 3,10:20"
            ) from None
        if not 0 <= start < stop <= total:
            raise InputError(
                f"records = {text!r}: {part.strip()!r} is not within the records 0 to {total - 1}"
            )
        picked[start:stop] = True
    return np.flatnonzero(picked)


def _query(table: pd.DataFrame, where: str) -> pd.DataFrame:
    try:
        found = table.eval(where, engine="python")
    except Exception as error:
        raise InputError(
            f"where = {where!r}: {error}; columns are {', '.join(table.columns)} (names with "
            "brackets in backticks)"
        ) from None
    if not isinstance(found, pd.Series) or found.dtype != bool:
        raise InputError(f"where = {where!r}: must be a condition, such as mag > 6.5")
    return table[found.to_numpy()]
