"""The waveform catalogue on disk: HDF5 that ``xarray.open_dataset(engine="h5netcdf")`` opens.

Layout, version 1. Dimensions ``record`` and ``time`` (both grow), ``component``. Variables: one
an intensity measure under OpenQuake's name. Coordinates: the conditions under OpenQuake's names,
the key of each draw (``event``, ``site``, ``realization``; the seed is an attribute), ``npts``,
and what the writer of the file adds (branch, weight ...). Where the attribute
``spatial_correlation`` is there and not "none", noise is a function of ``lon`` and ``lat`` too.

The attribute ``store`` says how the waveforms are kept:

- ``"waveforms"``: as the variable ``acceleration (record, component, time)`` float32 m/s2, zero
  after ``npts``;
- ``"keys"``: not at all. The seed, the keys, the conditions and the card of the model draw any
  of them again, and :func:`open_catalogue` gives an ``acceleration`` that does so when it is
  read. Conditions and measures are float32; a column that repeats (what an event or a site
  shares) costs next to nothing once compressed, so the table needs no tables beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import h5netcdf
import h5py
import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.core.units import ALL_CONDITIONS
from gwm_hazard.errors import CatalogueError, InputError
from gwm_hazard.files.atomic import replacing
from gwm_hazard.files.foreign import check_hdf5
from gwm_hazard.files.hdf5_writing import writing
from gwm_hazard.files.parts import digest
from gwm_hazard.files.provenance import attributes
from gwm_hazard.intensity.one_component import conversion_attributes
from gwm_hazard.models.base import WaveformModel

FORMAT = "gwm_hazard waveform catalogue"
FORMAT_VERSION = 1
STORES = ("waveforms", "keys")

#: Values of a column, and samples of a record, that are compressed together.
ROWS_A_CHUNK = 8192
SAMPLES_A_CHUNK = 8192

_COMPRESSED = {"compression": "gzip", "compression_opts": 1, "shuffle": True}


class CatalogueWriter:
    """Write a catalogue in a stream; memory stays that of one batch.

    The file is written under a temporary name and gets its own when the ``with`` block ends
    without an exception. For long runs that must survive a kill see
    :func:`gwm_hazard.catalogue.stream.write_catalogue`.

    Parameters
    ----------
    path : path of the catalogue
    model : the model that draws
    npts : samples of the longest record, where known; the file widens for a longer one
    seed : seed of the draws
    measures : {OpenQuake's intensity measure: unit}
    extra : {name: attributes} of further coordinates, one value a record
    provenance : further attributes of the file (calculation, job.ini ...)
    store : "waveforms", or "keys" to draw them again when they are read
    component : horizontal component of the measures

    Raises
    ------
    ValueError
        Another ``store``.
    """

    def __init__(
        self,
        path: str | Path,
        model: WaveformModel,
        npts: int,
        seed: int,
        measures: Mapping[str, str],
        extra: Mapping[str, Mapping[str, str]] | None = None,
        provenance: Mapping[str, str] | None = None,
        store: str = "waveforms",
        component: str = "RotD50",
    ) -> None:
        if store not in STORES:
            raise InputError(f"store = {store!r}: must be one of {', '.join(STORES)}")
        self.path = Path(path)
        self._held = ExitStack()
        self._temporary = self._held.enter_context(replacing(self.path))
        self._dt_s = model.dt_s
        self._keys = store == "keys"
        inferred = len(model.card.components) == 1 and component == "RotD50"
        self._measures: dict[str, dict[str, Any]] = {
            imt: {
                "units": unit,
                "component": component,
                **(conversion_attributes(imt) if inferred else {}),
            }
            for imt, unit in measures.items()
        }
        self._extra = dict(extra or {})
        self._coordinates: set[str] = set()
        self.records = 0
        try:
            file = self._held.enter_context(writing(self._temporary))
            # netCDF's dimensions and scales are written when this one is closed, before the file
            self._file = self._held.enter_context(h5netcdf.File(file, "r+"))
            self._lay_out(model, npts, seed, store, dict(provenance or {}))
        except BaseException as exc:
            if not self._held.__exit__(type(exc), exc, exc.__traceback__):
                raise

    def _lay_out(
        self, model: WaveformModel, npts: int, seed: int, store: str, provenance: dict[str, str]
    ) -> None:
        components = model.card.components
        self._file.dimensions = {"record": None, "component": len(components), "time": None}
        self._file.attrs.update(
            attributes(model.card)
            | {"format": FORMAT, "format_version": FORMAT_VERSION, "seed": str(seed)}
            | {"dt_s": model.dt_s, "store": store, "device": str(model.device)}
            | provenance
        )
        self._file.attrs["content"] = _content(self._file.attrs)
        names = self._file.create_variable("component", ("component",), h5py.string_dtype())
        names[:] = np.array(components, dtype=object)
        time = self._file.create_variable(
            "time", ("time",), "f8", chunks=(SAMPLES_A_CHUNK,), **_COMPRESSED
        )
        time.attrs["units"] = "s"
        if not self._keys:
            acceleration = self._file.create_variable(
                "acceleration",
                ("record", "component", "time"),
                "f4",
                chunks=(1, len(components), min(npts or SAMPLES_A_CHUNK, SAMPLES_A_CHUNK)),
                **_COMPRESSED,
            )
            acceleration.attrs.update(units="m/s2", long_name="ground acceleration")
        self._widen(npts)

    def _widen(self, npts: int) -> None:
        """Make room for records of ``npts`` samples."""
        if npts > self._file.dimensions["time"].size:
            self._file.resize_dimension("time", npts)
            self._file["time"][:] = np.arange(npts) * self._dt_s

    def append(
        self,
        acceleration: NDArray[np.float32] | None,
        scenarios: Scenarios,
        noise: Noise,
        measures: Mapping[str, ArrayLike],
        extra: Mapping[str, ArrayLike] | None = None,
        npts: ArrayLike | None = None,
    ) -> None:
        """Add n records.

        Parameters
        ----------
        acceleration : (n, n_components, n_samples), m/s2
            Zero after the record's own ``npts``; None in a catalogue of keys, or where
            :meth:`copy_waveforms` follows.
        scenarios, noise : conditions and keys of the n records
        measures, extra : a column of n values for each name given to the writer
        npts : (n,) int
            Samples of each record; by default those of ``acceleration``.

        Raises
        ------
        ValueError
            In a catalogue of keys, conditions that float32 cannot hold: another waveform would
            be drawn from what it holds.
        """
        start, stop = self.records, self.records + len(noise)
        if npts is None:
            if acceleration is None:
                raise InputError("npts: give the samples of each record where none is given")
            npts = np.full(len(noise), acceleration.shape[2])
        lengths = np.asarray(npts, dtype=np.int32)
        self._file.resize_dimension("record", stop)
        self._widen(int(lengths.max(initial=0)))
        if acceleration is not None and not self._keys:
            self._file["acceleration"][start:stop, :, : acceleration.shape[2]] = acceleration
        for name in scenarios:
            condition = ALL_CONDITIONS[name]
            values: NDArray[Any] = scenarios[name]
            if self._keys:
                values = _as_float32(name, values)
            self._put(name, values, start, units=condition.unit, long_name=condition.description)
        self._put("npts", lengths, start, long_name="samples")
        for key, kind in (("event", np.uint64), ("site", np.int64), ("realization", np.int64)):
            self._put(key, getattr(noise, key).astype(kind), start, long_name=f"{key} of the key")
        for name, column in (extra or {}).items():
            self._put(name, np.asarray(column), start, **dict(self._extra[name]))  # type: ignore[arg-type]
        for imt, column in measures.items():
            self._put(
                imt,
                np.asarray(column, dtype=np.float32 if self._keys else np.float64),
                start,
                coordinate=False,
                **self._measures[imt],
            )
        self.records = stop

    def copy_waveforms(self, source: h5py.Dataset) -> None:
        """The waveforms of the records that were appended last, as the packed chunks of a file.

        ``source`` is the variable ``acceleration`` of a catalogue with chunks of the same shape;
        what is packed already is not packed again.
        """
        target = self._file._h5file["acceleration"]
        start = self.records - len(source)
        offsets: list[tuple[int, ...]] = []
        source.id.chunk_iter(lambda chunk: offsets.append(chunk.chunk_offset))
        for offset in offsets:
            mask, data = source.id.read_direct_chunk(offset)
            target.id.write_direct_chunk((offset[0] + start, *offset[1:]), data, mask)

    def _put(
        self, name: str, values: NDArray[Any], start: int, *, coordinate: bool = True, **attrs: Any
    ) -> None:
        if name not in self._file.variables:
            if start:
                raise InputError(f"{name}: the first {start} records of {self.path} lack it")
            text = values.dtype.kind in "UO"
            kind = h5py.string_dtype() if text else values.dtype
            packed = {} if text else _COMPRESSED
            variable = self._file.create_variable(
                name, ("record",), kind, chunks=(ROWS_A_CHUNK,), **packed
            )
            variable.attrs.update(attrs)
            if coordinate:
                self._coordinates.add(name)
        if values.dtype.kind == "U":
            values = values.astype(object)
        self._file[name][start : start + len(values)] = values

    def __enter__(self) -> CatalogueWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            # What xarray reads to tell coordinates from data variables.
            self._file.attrs["coordinates"] = " ".join(sorted(self._coordinates))
        self._held.__exit__(kind, value, trace)


def _as_float32(name: str, values: NDArray[np.float64]) -> NDArray[np.float32]:
    narrow = values.astype(np.float32)
    if not np.array_equal(narrow, values):
        raise InputError(
            f"{name} = {values[narrow != values][0]!r}: a catalogue of keys holds conditions in "
            "float32; round them before drawing, e.g. Scenarios(rrup=numpy.float32(rrup))"
        )
    return narrow


def _content(attrs: Mapping[Any, Any]) -> str:
    """SHA-256 of what decides the numbers and no checksum of HDF5 covers."""
    return digest([str(attrs.get(name)) for name in ("seed", "dt_s", "store")])


def _version(dataset: xr.Dataset, path: Path) -> int:
    told = dataset.attrs.get("format_version", 0)
    if np.ndim(told) or not isinstance(told, int | np.integer):
        dataset.close()
        raise CatalogueError(f"{path}: format_version = {told!r:.40}: must be a whole number")
    return int(told)


def open_catalogue(path: str | Path, device: str | None = None) -> xr.Dataset:
    """Open a waveform catalogue; waveforms are read, or drawn again, when they are used.

    Parameters
    ----------
    path : path of the catalogue
    device : torch device on which a catalogue of keys draws; by default the one that drew first,
        where this machine has it, which gives the waveforms bit for bit

    Returns
    -------
    xarray.Dataset
        Dimensions (record, component, time); close it, or use it in a ``with`` block.

    Raises
    ------
    CatalogueError
        No such file, not a catalogue, or one of a newer format. Reading ``acceleration`` of a
        catalogue of keys raises it where the installed model is not the one that the file was
        made with; conditions and measures can be read all the same.
    """
    path = Path(path)
    if not path.exists():
        raise CatalogueError(f"{path}: no such file")
    try:
        check_hdf5(path)
        dataset = xr.open_dataset(path, engine="h5netcdf", phony_dims="access")
    except InputError as exc:
        raise CatalogueError(str(exc)) from exc
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError) as exc:
        raise CatalogueError(f"{path}: not a readable HDF5 file ({exc})") from exc
    if dataset.attrs.get("format") != FORMAT:
        dataset.close()
        raise CatalogueError(f"{path}: not a waveform catalogue of this package")
    found = _version(dataset, path)
    if found > FORMAT_VERSION:
        dataset.close()
        raise CatalogueError(
            f"{path}: catalogue format {found}, this version reads up to {FORMAT_VERSION}; "
            "update gwm_hazard"
        )
    if dataset.attrs.get("content", _content(dataset.attrs)) != _content(dataset.attrs):
        dataset.close()
        raise CatalogueError(f"{path}: its attributes are not those that were written: damaged")
    if dataset.attrs.get("store") == "keys":
        from gwm_hazard.catalogue.redraw import drawn_acceleration

        dataset["acceleration"] = drawn_acceleration(dataset, path, device)
    return dataset
