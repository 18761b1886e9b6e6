"""Waveforms of observed records behind one interface, whatever holds them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.errors import InputError
from gwm_hazard.files.foreign import hdf5, inside
from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.records.processing import correct
from gwm_hazard.records.read import read_records
from gwm_hazard.records.record import Record
from gwm_hazard.records.training_set import TrainingSet

#: Corner of the high-pass filter that records get which come without one: below it noise and
#: drift of accelerometers commonly dominate small and moderate motions (Boore and Bommer 2005,
#: Soil Dyn. Earthq. Eng. 25: 93-115).
HIGHPASS_HZ = 0.1

#: Words of ``processing`` that tell a record which still holds its drift.
UNPROCESSED = ("uncorrected", "raw counts")

#: Records measured at a time.
BLOCK = 128

#: A ratio of time steps is resampled as a fraction with at most this denominator.
LARGEST_RATIO = 1000


@dataclass
class TraceSource:
    """Waveforms by their row.

    Attributes
    ----------
    npts, dt_s, n_components : (n,) of each record; components are two horizontals and, where
        there are three, the vertical
    highpass_hz : (n,) corner of a filter that was applied on reading, NaN where none was
    read : rows -> one (n_components, npts) float32 array in m/s2 for each
    """

    npts: NDArray[np.int64]
    dt_s: NDArray[np.float64]
    n_components: NDArray[np.int64]
    highpass_hz: NDArray[np.float64]
    read: Callable[[NDArray[np.int64]], list[NDArray[np.float32]]]
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of_training_set(cls, held: TrainingSet) -> TraceSource:
        """The waveforms of a training file."""
        n = len(held)
        return cls(
            np.full(n, held.npts),
            np.full(n, held.dt_s),
            np.full(n, len(held.components)),
            np.full(n, np.nan),
            lambda rows: list(held.waveforms(rows)),
        )


def open_traces(folder: Path, table: pd.DataFrame) -> tuple[TraceSource, NDArray[np.int64]]:
    """The waveforms that the column ``file`` of a table names, and the row of each record.

    Either HDF5 with ``acceleration`` of integers, ``scale`` and ``dt`` by the column ``row``, or
    one file of any format of :mod:`gwm_hazard.records` a record. Records whose ``processing`` tells
    that they are not corrected get their mean removed and a high-pass filter.

    Raises ValueError where the table names no files.
    """
    if "file" not in table:
        raise InputError(f"{folder}: metadata.csv has no column 'file' that names the waveforms")
    rough = np.zeros(len(table), dtype=bool)
    if "processing" in table:
        words = table["processing"].astype(str).str.lower()
        rough = np.array([w.startswith(UNPROCESSED) for w in words])
    if "row" in table:
        read_raw, npts, dt, components = _packed(folder, table)
    else:
        read_raw, npts, dt, components = _files(folder, table)
    notes = []
    if rough.any():
        notes.append(
            f"{int(rough.sum())} records that came uncorrected: mean removed, high-pass "
            f"{HIGHPASS_HZ:g} Hz (acausal Butterworth)."
        )

    def read(rows: NDArray[np.int64]) -> list[NDArray[np.float32]]:
        out = []
        for row, acc in zip(rows, read_raw(rows), strict=True):
            if rough[row]:
                acc = _filtered(acc, float(dt[row]))
            out.append(acc.astype(np.float32))
        return out

    corner = np.where(rough, HIGHPASS_HZ, np.nan)
    source = TraceSource(npts, dt, components, corner, read, notes)
    return source, np.where(npts > 0, np.arange(len(table)), -1)


def _filtered(acc: NDArray[np.floating], dt: float) -> NDArray[np.floating]:
    """Corrected as ``gwm-hazard im`` does, cut to the record's own time window."""
    names = tuple(f"C{i}" for i in range(len(acc)))
    record = correct(Record(acc, dt, names, 2, {"record_id": ""}), "mean", HIGHPASS_HZ)
    pad = (record.acceleration.shape[1] - acc.shape[1]) // 2
    return record.acceleration[:, pad : pad + acc.shape[1]]


_Raw = tuple[
    Callable[[NDArray[np.int64]], list[NDArray[np.floating]]],
    NDArray[np.int64],
    NDArray[np.float64],
    NDArray[np.int64],
]


def _packed(folder: Path, table: pd.DataFrame) -> _Raw:
    file, row = table["file"].to_numpy(str), table["row"].to_numpy(np.int64)
    npts = np.zeros(len(table), dtype=np.int64)
    dt = np.full(len(table), np.nan)
    components = np.zeros(len(table), dtype=np.int64)
    for name in np.unique(file):
        mine = file == name
        with hdf5(inside(folder, name)) as held:
            npts[mine] = held["npts"][()][row[mine]]
            dt[mine] = held["dt"][()][row[mine]]
            components[mine] = held["acceleration"].shape[1]

    def read(rows: NDArray[np.int64]) -> list[NDArray[np.floating]]:
        out: list[NDArray[np.floating]] = [np.empty(0)] * len(rows)
        for name in np.unique(file[rows]):
            with hdf5(inside(folder, name)) as held:
                for i in np.flatnonzero(file[rows] == name):
                    r = row[rows[i]]
                    counts = held["acceleration"][r, :, : npts[rows[i]]]
                    out[i] = counts * held["scale"][r].astype(np.float64)[:, None]
        return out

    return read, npts, dt, components


def _files(folder: Path, table: pd.DataFrame) -> _Raw:
    names = table["file"].astype(str).tolist()
    held: dict[int, Record] = {}
    for i, name in enumerate(names):
        found = list(read_records(inside(folder, name)))
        if len(found) == 1 and found[0].n_horizontal == 2:
            held[i] = found[0]
    npts = np.array([held[i].acceleration.shape[1] if i in held else 0 for i in range(len(names))])
    dt = np.array([held[i].dt_s if i in held else np.nan for i in range(len(names))])
    components = np.array([len(held[i].components) if i in held else 0 for i in range(len(names))])
    return (lambda rows: [held[int(i)].acceleration for i in rows]), npts, dt, components


def resample(acc: NDArray[np.float32], dt_s: float, target_s: float) -> NDArray[np.float32]:
    """(n_components, nt) at another time step: polyphase filtering, scipy.signal.resample_poly."""
    if abs(dt_s / target_s - 1.0) < 1e-6:
        return acc
    from scipy.signal import resample_poly

    ratio = Fraction(dt_s / target_s).limit_denominator(LARGEST_RATIO)
    out = resample_poly(acc.astype(np.float64), ratio.numerator, ratio.denominator, axis=1)
    return np.asarray(out, dtype=np.float32)


def measure(
    source: TraceSource, rows: NDArray[np.int64], imts: Sequence[str]
) -> NDArray[np.float64]:
    """RotD50 measures of records, (n, n_imts), in OpenQuake's units.

    Records of one step and length go together.
    """
    out = np.empty((len(rows), len(imts)))
    dt, npts = source.dt_s[rows], source.npts[rows]
    order = np.lexsort((npts, dt))
    start = 0
    while start < len(order):
        part = order[start : start + BLOCK]
        part = part[(dt[part] == dt[part[0]]) & (npts[part] == npts[part[0]])]
        block = np.stack([acc[:2] for acc in source.read(rows[part])])
        out[part] = intensity_measures_array(block, float(dt[part[0]]), imts)
        start += len(part)
    return out
