"""Measures of many records as one table, and the table as CSV, Parquet or HDF5."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.errors import InputError
from gwm_hazard.files.atomic import replacing
from gwm_hazard.files.hdf5_writing import save_netcdf
from gwm_hazard.files.provenance import software_versions
from gwm_hazard.intensity import intensity_measures_array, parse_imt
from gwm_hazard.intensity.one_component import INFERRED, component_ratios
from gwm_hazard.records.processing import correct
from gwm_hazard.records.quality import examined
from gwm_hazard.records.record import Failure, Record, Value

if TYPE_CHECKING:
    import pandas as pd

SUFFIXES = (".csv", ".parquet", ".h5", ".hdf5")

_BATCH = 256  # records of one length and step that are measured together
_PENDING_BYTES = 128_000_000  # of waveforms that wait for others of their length


@dataclass(frozen=True)
class Request:
    """What to measure: OpenQuake's measures, components, damping (fraction), corrections."""

    imts: tuple[str, ...]
    components: tuple[str, ...] = ("RotD50",)
    damping: float = 0.05
    baseline: str = "auto"
    highpass_hz: float | None = None

    def __post_init__(self) -> None:
        for name, values in (("imts", self.imts), ("component", self.components)):
            if not values or len(set(values)) != len(values):
                raise InputError(f"{name} = {','.join(values)!r}: give each at least and most once")
        for imt in self.imts:
            parse_imt(imt)
        noise = np.random.default_rng(0).normal(size=(1, 3, 64))
        for component in self.components:  # the kernels say what is wrong, before files are read
            intensity_measures_array(noise, 0.01, ["PGA"], component, self.damping)

    def column(self, imt: str, component: str) -> str:
        """Name of a measure's column: IMT, or IMT_COMPONENT where there are several."""
        return imt if len(self.components) == 1 else f"{imt}_{component.replace('/', '')}"

    @property
    def columns(self) -> dict[str, tuple[str, str]]:
        """{column: (imt, component)}."""
        return {self.column(i, c): (i, c) for c in self.components for i in self.imts}


def measure(
    items: Iterable[Record | Failure],
    request: Request,
    *,
    on_failure: Callable[[Failure], None],
    on_record: Callable[[Record], None] = lambda record: None,
) -> pd.DataFrame:
    """Measure records as they come: one row a record, in the order they came.

    Records of the same time step and number of samples are measured together, for speed; the
    result does not depend on it, and what waits is bounded. ``on_record`` gets each record as it
    is measured, after the corrections; ``on_failure`` those that cannot be, with the reason.

    Columns: record_id, source_file, the metadata, dt_s, npts, components, then the measures (see
    `Request.column`), in OpenQuake's units.
    """
    import pandas as pd

    waiting: dict[Hashable, list[tuple[int, Record]]] = {}
    tables: list[pd.DataFrame] = []
    pending = 0

    def flush(key: Hashable) -> None:
        nonlocal pending
        members = waiting.pop(key)
        pending -= sum(record.acceleration.nbytes for _, record in members)
        try:
            values = _measure_batch([record for _, record in members], request)
        except ValueError as exc:
            for _, record in members:
                on_failure(Failure(record.record_id, str(exc)))
            return
        rows = [{"order": order} | _row(record) for order, record in members]
        numbers = pd.DataFrame(values, columns=list(request.columns))
        tables.append(pd.concat([pd.DataFrame(rows), numbers], axis=1))

    for order, item in enumerate(items):
        if isinstance(item, Failure):
            on_failure(item)
            continue
        try:
            _check_components(item, request)
            record = item if item.whole else examined(item)
            record = correct(record, request.baseline, request.highpass_hz)
            if _one_horizontal(record) and "RotD50" in request.components:
                record = record.noted(INFERRED)
        except ValueError as exc:
            on_failure(Failure(item.record_id, str(exc)))
            continue
        on_record(record)
        acc = record.acceleration
        key = (record.dt_s, acc.shape, acc.dtype.str, record.n_horizontal)
        waiting.setdefault(key, []).append((order, record))
        pending += record.acceleration.nbytes
        if len(waiting[key]) >= _BATCH:
            flush(key)
        if pending > _PENDING_BYTES:
            for each in list(waiting):
                flush(each)
    for each in list(waiting):
        flush(each)
    if not tables:
        return pd.DataFrame(columns=["record_id", "source_file", *request.columns])
    table = pd.concat(tables, ignore_index=True).sort_values("order", ignore_index=True)
    measures = list(request.columns)
    last = [
        *("dt_s", "npts", "components"),
        *(name for name in ("p_s", "processing", "quality") if name in table),
    ]
    first = [c for c in table if c not in {"order", *last, *measures}]
    return table[[*first, *last, *measures]]


def _one_horizontal(record: Record) -> bool:
    """Whether the record is one horizontal by nature."""
    return record.whole and record.n_horizontal == 1 and not record.has_vertical


def _check_components(record: Record, request: Request) -> None:
    names = ", ".join(record.components)
    whole = record.n_horizontal == 2 and record.has_vertical
    if "JMA" in request.imts and not whole:
        raise InputError(f"JMA needs three components, the record has {names} only")
    for component in request.components:
        if _one_horizontal(record):
            component_ratios(component, request.imts)  # which says what one does not give
            continue
        if component == "vertical":
            enough, needed = record.has_vertical, "the vertical component"
        elif component == "V/H":
            enough, needed = whole, "three components"
        elif component == "H1":
            enough, needed = record.n_horizontal >= 1, "a horizontal component"
        else:
            enough, needed = record.n_horizontal == 2, "two horizontal components"
        if not enough:
            remedy = [
                *(["H1"] if record.n_horizontal else []),
                *(["vertical"] if record.has_vertical else []),
            ]
            raise InputError(
                f"{component} needs {needed}, the record has {names} only: give the files of all "
                f"its components, or --component {' or '.join(remedy)}"
            )


def _measure_batch(records: list[Record], request: Request) -> NDArray[np.float64]:
    """(n, n_columns) of records of one step, length and set of components."""
    first = records[0]
    stack = np.stack([record.acceleration for record in records])
    acc = stack
    if first.has_vertical and first.n_horizontal < 2:
        # what is asked for does not read the components that are not there
        n, _, nt = stack.shape
        acc = np.zeros((n, 3, nt), stack.dtype)
        acc[:, : first.n_horizontal] = stack[:, : first.n_horizontal]
        if first.has_vertical:
            acc[:, 2] = stack[:, -1]
    return np.hstack(
        [
            intensity_measures_array(acc, first.dt_s, request.imts, component, request.damping)
            for component in request.components
        ]
    )


def _row(record: Record) -> dict[str, Value]:
    return {
        **record.metadata,
        "dt_s": record.dt_s,
        "npts": record.metadata.get("npts", record.acceleration.shape[1]),
        "components": ",".join(record.components),
    }


def write_table(table: pd.DataFrame, path: Path, request: Request) -> None:
    """Write the table by its suffix: .csv, .parquet, .h5 or .hdf5.

    Parquet and HDF5 carry the unit of each measure, the request and the software as metadata of
    columns and file; HDF5 has one variable a measure along the dimension ``record``. CSV has
    nothing but columns: there they stand in the columns component, damping and software.
    """
    check_suffix(path)
    settings: dict[str, str | float] = {
        "component": ",".join(request.components),
        "damping": request.damping,
        "baseline": request.baseline,
        "highpass_hz": request.highpass_hz if request.highpass_hz is not None else "none",
        "software": json.dumps(software_versions()),
    }
    with replacing(path) as temporary:
        if path.suffix == ".csv":
            version = f"gwm_hazard {software_versions()['gwm_hazard']}"
            n_measures = len(request.columns)
            constants = {
                "component": settings["component"],
                "damping": request.damping,
                "software": version,
            }
            full = table.copy()
            for offset, (name, value) in enumerate(constants.items()):
                full.insert(table.shape[1] - n_measures + offset, name, value)
            full.to_csv(temporary, index=False)
        elif path.suffix == ".parquet":
            _write_parquet(table, temporary, request, settings)
        else:
            _write_hdf5(table, temporary, request, settings)


def check_suffix(path: Path) -> None:
    """ValueError for a name whose suffix tells no format of a table."""
    if path.suffix not in SUFFIXES:
        raise InputError(f"{path}: the suffix tells the format; give one of {', '.join(SUFFIXES)}")


def _attributes(imt: str, component: str, request: Request) -> dict[str, str | float]:
    parsed = parse_imt(imt)
    entry, period = parsed.measure, parsed.period
    attrs: dict[str, str | float] = {
        "units": "-" if component == "V/H" else entry.unit,
        "long_name": entry.long_name,
        "component": component,
    }
    return attrs | ({"damping": request.damping, "period_s": period} if period > 0 else {})


def _write_parquet(
    table: pd.DataFrame, path: Path, request: Request, settings: dict[str, str | float]
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    arrow = pa.Table.from_pandas(table, preserve_index=False)
    fields = []
    for field in arrow.schema:
        if field.name in request.columns:
            attrs = _attributes(*request.columns[field.name], request)
            field = field.with_metadata({k: str(v) for k, v in attrs.items()})
        fields.append(field)
    metadata = dict(arrow.schema.metadata or {}) | {k: str(v) for k, v in settings.items()}
    pq.write_table(arrow.cast(pa.schema(fields, metadata=metadata)), path)


def _write_hdf5(
    table: pd.DataFrame, path: Path, request: Request, settings: dict[str, str | float]
) -> None:
    import xarray as xr

    data = xr.Dataset(attrs=settings)
    for name in table:
        column = table[name]
        if name in request.columns:
            attrs = _attributes(*request.columns[str(name)], request)
            data[name] = ("record", column.to_numpy(np.float64), attrs)
            continue
        values = column.to_numpy()
        if values.dtype.kind not in "iufb":
            values = column.astype(object).where(column.notna(), "").map(str).to_numpy(object)
        data = data.assign_coords({str(name): ("record", values)})
    save_netcdf(data, path)
