"""The training file: waveforms cut at the P onset and their conditions, as SeisBench lays them out.

A folder with ``metadata.csv`` (a row a record, columns named as SeisBench's) and
``waveforms.hdf5`` (``data/bucketN`` of (record, component, sample) float32 in m/s2), which
``seisbench.data.WaveformDataset(folder, component_order="RTZ")`` opens. `TrainingSet` reads it
under our names, `TrainingSetWriter` writes it in constant memory and can go on after a kill.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from gwm_hazard.errors import InputError
from gwm_hazard.files.foreign import hdf5
from gwm_hazard.files.foreign import table as read_table
from gwm_hazard.files.hdf5_writing import writing
from gwm_hazard.files.parts import PLAN, working
from gwm_hazard.files.provenance import software_versions
from gwm_hazard.files.seisbench_columns import from_seisbench, to_seisbench

FORMAT = "gwm_hazard training set"
VERSION = 1

SPLITS = ("train", "dev", "test")

#: Records of a bucket: what waits in memory, and what an interrupted run loses at most.
BUCKET = 256

_TEXT = ("trace_name", "source_id", "station_code", "station_network_code", "station_location_code",
         "trace_name_original")  # fmt: skip


#: Columns that say where and how a record lies, for SeisBench.
_LAYOUT = ("trace_name", "trace_component_order", "trace_sampling_rate_hz")


def split_by_event(
    event_id: ArrayLike, shares: Sequence[float] = (0.8, 0.1, 0.1), seed: int = 0
) -> NDArray[np.str_]:
    """ "train", "dev" or "test" for each event: shape of ``event_id``.

    A hash of the seed and the event alone decides, so that all records of an event fall together
    and further events move none. The shares are therefore met on average over many events.

    Raises ValueError for shares that are not three, negative, or do not add up to 1.
    """
    if len(shares) != 3 or min(shares) < 0 or abs(sum(shares) - 1) > 1e-9:
        raise InputError(
            f"shares = {tuple(shares)}: give three (train, dev, test) that add up to 1"
        )
    ids = np.asarray(event_id)
    names, inverse = np.unique(ids.astype(str), return_inverse=True)
    bounds = np.cumsum(shares)[:2]
    chosen = [SPLITS[int(np.searchsorted(bounds, _uniform(name, seed), "right"))] for name in names]
    return np.array(chosen, dtype="U5")[inverse].reshape(ids.shape)


def _uniform(name: str, seed: int) -> float:
    digest = hashlib.blake2b(f"{seed}:{name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


class TrainingSet:
    """A training file, read lazily: the table in memory, waveforms from the disk when asked for.

    It travels to other processes by pickle or fork; each opens the file for itself.

    Attributes
    ----------
    table : a row a record under our names: ``record_id``, ``event_id``, ``split``, ``mag``,
        ``rhypo`` and ``hypo_depth`` (km), ``vs30`` (m/s), ``azimuthal_gap`` (deg), ``p_sample`` ...
    components : "RTZ" as a tuple; R radial, T transverse, Z up
    dt_s : time step, s
    npts : samples of each record
    attributes : provenance, as text
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        path = self.folder / "waveforms.hdf5"
        for each in (path, self.folder / "metadata.csv"):
            if not each.is_file():
                raise OSError(f"{each}: not there; give the folder that `data prepare` or "
                              "`data simulate` wrote")  # fmt: skip
        try:
            with hdf5(path) as file:
                self.attributes = {str(k): str(v) for k, v in file.attrs.items()}
                self._check_format(path)
                layout = {k: v[()] for k, v in file["data_format"].items()}
                sizes = {int(k.removeprefix("bucket")): v.shape for k, v in file["data"].items()}
            self.components = tuple(layout["component_order"].decode())
            self.dt_s = 1.0 / float(layout["sampling_rate"])
            if self.dt_s != 1.0 / float(self.attributes.get("sampling_rate_hz", 1.0 / self.dt_s)):
                raise InputError(f"{path}: a sampling rate other than was written: it is damaged")
            self.npts = int(self.attributes["npts"])
            self._sizes = [sizes[i] for i in range(len(sizes))]
        except InputError:
            raise
        except (OSError, ValueError, TypeError, LookupError, AttributeError,
                ArithmeticError) as exc:  # fmt: skip
            raise InputError(f"{path}: not a readable training file ({exc})") from exc
        if any(shape[1:] != (len(self.components), self.npts) for shape in self._sizes):
            raise InputError(f"{path}: buckets of other shapes than "
                             f"({len(self.components)}, {self.npts}): it is damaged")  # fmt: skip
        self._starts = np.cumsum([0] + [shape[0] for shape in self._sizes])
        self._opened: tuple[int, h5py.File] | None = None

    @classmethod
    def open(cls, folder: str | Path) -> TrainingSet:
        """Open the folder; ValueError or OSError for what is no training file."""
        return cls(folder)

    def _check_format(self, path: Path) -> None:
        if self.attributes.get("format") != FORMAT:
            raise InputError(f"{path}: not a training file of this package; make one of a "
                             "SeisBench data set with `gwm-hazard data prepare`")  # fmt: skip
        if int(self.attributes.get("format_version", 0)) > VERSION:
            raise InputError(f"{path}: format version {self.attributes['format_version']}, this "
                             f"package reads up to {VERSION}: update it")  # fmt: skip

    @cached_property
    def table(self) -> pd.DataFrame:
        """The table under our names; ValueError where it does not fit the waveforms."""
        path = self.folder / "metadata.csv"
        table = _read_table(path)
        if len(table) != len(self):
            raise InputError(f"{path}: {len(table)} rows, but waveforms.hdf5 holds {len(self)}")
        return table.drop(columns=list(_LAYOUT)).rename(columns=from_seisbench(table.columns))

    def __len__(self) -> int:
        return int(self._starts[-1])

    def rows(self, split: str) -> NDArray[np.int64]:
        """Row numbers of a split, "train", "dev" or "test"."""
        if split not in SPLITS:
            raise InputError(f"split = {split!r}: give one of {', '.join(SPLITS)}")
        return np.flatnonzero((self.table["split"] == split).to_numpy())

    def waveforms(self, rows: ArrayLike) -> NDArray[np.float32]:
        """Acceleration of some rows, in their order: (n, n_components, npts) float32, m/s2.

        Raises IndexError for rows that are not there.
        """
        wanted = np.atleast_1d(np.asarray(rows, dtype=np.int64))
        if wanted.size and not 0 <= wanted.min() <= wanted.max() < len(self):
            raise IndexError(f"rows {wanted.min()} to {wanted.max()}: the set has {len(self)}")
        out = np.empty((wanted.size, len(self.components), self.npts), dtype=np.float32)
        buckets = np.searchsorted(self._starts, wanted, "right") - 1
        data = self._file["data"]
        for bucket in np.unique(buckets):
            dataset = data[f"bucket{bucket}"]
            for place in np.flatnonzero(buckets == bucket):
                dataset.read_direct(out, np.s_[wanted[place] - self._starts[bucket]], np.s_[place])
        return out

    @property
    def _file(self) -> h5py.File:
        # HDF5 handles must not be used after a fork
        if self._opened is None or self._opened[0] != os.getpid():
            self._opened = os.getpid(), h5py.File(self.folder / "waveforms.hdf5", "r")
        return self._opened[1]

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_opened": None}


class TrainingSetWriter:
    """Writes a training file part by part; it appears under its name when it is whole.

    Until then each bucket of `BUCKET` records lies as a file of its own in ``FOLDER.partial``, so
    that a run that was killed loses at most one bucket: with ``resume`` the writer goes on behind
    the records of `table`. `path` is that folder, where files that belong to the set may be put.

    Parameters
    ----------
    folder : to write; must not exist
    components : of the waveforms, one letter each, "RTZ"
    dt_s, npts : time step, s, and samples of each record
    attributes : provenance for the file, JSON values; with ``resume`` they must be the same as
        those of the interrupted run
    resume : go on where an interrupted run stopped; else its parts are deleted

    Raises
    ------
    InputError : the folder exists; an interrupted run of other settings is to be resumed
    OSError : another process writes the same folder
    """

    def __init__(
        self,
        folder: str | Path,
        components: Sequence[str] = "RTZ",
        dt_s: float = 0.01,
        npts: int = 4096,
        attributes: Mapping[str, Any] | None = None,
        resume: bool = False,
    ) -> None:
        self.folder = Path(folder)
        self.components, self.dt_s, self.npts = tuple(components), float(dt_s), int(npts)
        self.path = self.folder.with_name(self.folder.name + ".partial")
        if self.folder.exists():
            raise InputError(f"{self.folder}: exists already; give another name or remove it")
        self._attributes = json.loads(json.dumps(dict(attributes or {})))
        layout = {"components": list(self.components), "dt_s": self.dt_s, "npts": self.npts}
        self._held = ExitStack()
        self._work = self._held.enter_context(
            working(
                self.folder,
                self.path,
                layout | self._attributes,
                anew=not (resume and (self.path / PLAN).is_file()),
            )
        )
        self._parts: list[pd.DataFrame] = []
        while self._part(len(self._parts), "csv").is_file():
            self._parts.append(_read_table(self._part(len(self._parts), "csv")))
        self._waiting: list[NDArray[np.float32]] = []
        self._rows: list[pd.DataFrame] = []
        self._late = pd.DataFrame()

    def _part(self, number: int, suffix: str) -> Path:
        return self.path / f"part-{number:06d}.{suffix}"

    def __len__(self) -> int:
        return sum(map(len, self._parts)) + sum(map(len, self._rows))

    @property
    def table(self) -> pd.DataFrame:
        """The records so far, under our names; right after a resume, those that are safe."""
        parts = [p.rename(columns=from_seisbench(p.columns)) for p in self._parts]
        together = [*parts, *self._rows]
        return pd.concat(together, ignore_index=True) if together else pd.DataFrame()

    def append(self, acceleration: NDArray[np.floating], table: pd.DataFrame) -> None:
        """Add records: (n, n_components, npts) in m/s2, and their rows under our names.

        Raises ValueError for another shape, values that are not finite, a table of another
        length, or without the columns record_id, event_id and split.
        """
        shape = (len(table), len(self.components), self.npts)
        if acceleration.shape != shape:
            raise InputError(f"acceleration has shape {acceleration.shape}: must be {shape}, as "
                             "the table has rows, the set components and samples")  # fmt: skip
        missing = {"record_id", "event_id", "split"} - set(table.columns)
        if missing:
            raise InputError(f"the table has no column {', '.join(sorted(missing))}")
        wrong = set(table["split"]) - set(SPLITS)
        if wrong:
            raise InputError(f"split = {wrong.pop()!r}: give one of {', '.join(SPLITS)}")
        if not np.isfinite(acceleration).all():
            raise InputError("acceleration holds NaN or infinite values")
        self._waiting.append(np.array(acceleration, dtype=np.float32))
        self._rows.append(table.reset_index(drop=True))
        if sum(map(len, self._rows)) >= BUCKET:
            self._flush()

    def complete(self, columns: pd.DataFrame) -> None:
        """Columns under our names that are known only at the end, a row a record of `table`.

        They replace those of the same name. Raises ValueError for another number of rows.
        """
        if len(columns) != len(self):
            raise InputError(f"{len(columns)} rows for {len(self)} records")
        self._late = columns.rename(columns=to_seisbench(columns.columns)).reset_index(drop=True)

    def _flush(self) -> None:
        """Bring what waits to the disk: samples first, the table says that they are whole."""
        if not self._rows:
            return
        number = len(self._parts)
        block, rows = np.concatenate(self._waiting), pd.concat(self._rows, ignore_index=True)
        rows = rows.rename(columns=to_seisbench(rows.columns))
        samples, table = self._part(number, "npy"), self._part(number, "csv")
        with self._work.writing(samples.name) as temporary, temporary.open("wb") as file:
            np.save(file, block)
        with self._work.writing(table.name) as temporary:
            rows.to_csv(temporary, index=False)
        self._parts.append(_read_table(self._part(number, "csv")))
        self._waiting, self._rows = [], []

    def __enter__(self) -> TrainingSetWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        try:
            self._flush()
            if kind is None:
                self._finish()
        finally:
            self._held.close()

    def _finish(self) -> None:
        """Put the parts together and move the folder into place."""
        if not self._parts:
            raise InputError(f"{self.folder}: no records, nothing is written")
        order = "".join(self.components)
        with self._work.writing("waveforms.hdf5") as temporary, writing(temporary) as file:
            file.attrs.update(
                {"format": FORMAT, "format_version": str(VERSION), "npts": str(self.npts)}
            )
            file.attrs["software"] = json.dumps(software_versions())
            for key, value in self._attributes.items():
                file.attrs[key] = value if isinstance(value, str) else json.dumps(value)
            for group in ("data_format", "data"):
                file.create_group(group)  # those that HDF5 makes on the way carry the time
            file["data_format/dimension_order"] = "CW"
            file["data_format/component_order"] = order
            file["data_format/sampling_rate"] = 1.0 / self.dt_s
            file["data_format/measurement"] = "acceleration"
            file["data_format/unit"] = "mps2"
            file.attrs["sampling_rate_hz"] = 1.0 / self.dt_s  # under the checksum of a header
            for number in range(len(self._parts)):
                bucket = np.load(self._part(number, "npy"))
                file.create_dataset(
                    f"data/bucket{number}", data=bucket, chunks=(1, *bucket.shape[1:]),
                    fletcher32=True,
                )  # fmt: skip
        tables = []
        for number, part in enumerate(self._parts):
            traces = [f"bucket{number}${i},:{len(order)},:{self.npts}" for i in range(len(part))]
            front = pd.DataFrame({"trace_name": traces, "trace_component_order": order,
                                  "trace_sampling_rate_hz": 1.0 / self.dt_s})  # fmt: skip
            tables.append(pd.concat([front, part], axis=1))
        table = pd.concat(tables, ignore_index=True)
        table["trace_npts"] = self.npts
        table[list(self._late.columns)] = self._late
        with self._work.writing("metadata.csv") as temporary:
            table.to_csv(temporary, index=False)
        parts = (
            self._part(n, kind).name for n in range(len(self._parts)) for kind in ("npy", "csv")
        )
        self._work.become(self.folder, parts)


def _read_table(path: Path) -> pd.DataFrame:
    # codes stay text (event 0012, network NA)
    return read_table(
        path, dtype=dict.fromkeys(_TEXT, str), keep_default_na=False, na_values=[""],
        low_memory=False,
    )  # fmt: skip
