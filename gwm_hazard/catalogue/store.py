"""The waveform catalogue on disk: HDF5 that ``xarray.open_dataset(engine="h5netcdf")`` opens.

Layout, version 1. Dimensions ``record`` (grows), ``component``, ``time``. Variables:
``acceleration (record, component, time)`` float32 m/s2, compressed, zero after ``npts``; one
variable an intensity measure under OpenQuake's name. Coordinates: the conditions under
OpenQuake's names, the key of each draw (``event``, ``site``, ``realization``; the seed is an
attribute), ``npts``, and what the writer of the file adds (branch, weight ...).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import h5netcdf
import h5py
import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from gwm_hazard.models.base import WaveformModel
from gwm_hazard.noise import Noise
from gwm_hazard.provenance import attributes
from gwm_hazard.scenario import Scenarios
from gwm_hazard.units import CONDITIONS

FORMAT = "gwm_hazard waveform catalogue"
FORMAT_VERSION = 1


class CatalogueError(ValueError):
    """A file that is not a waveform catalogue, or one of another version."""


class CatalogueWriter:
    """Write a catalogue in a stream; memory stays that of one batch.

    The file is written under a temporary name and gets its own when the ``with`` block ends
    without an exception.

    Parameters
    ----------
    path : path of the catalogue
    model : the model that draws
    npts : samples of the longest record
    seed : seed of the draws
    measures : {OpenQuake's intensity measure: unit}
    extra : {name: attributes} of further coordinates, one value a record
    provenance : further attributes of the file (calculation, job.ini ...)
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
    ) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._temporary = self.path.with_name(self.path.name + ".tmp")
        self._model = model
        self._measures = dict(measures)
        self._extra = dict(extra or {})
        self._coordinates: set[str] = set()
        self.records = 0
        self._file = h5netcdf.File(self._temporary, "w")
        components = model.card.components
        self._file.dimensions = {"record": None, "component": len(components), "time": npts}
        self._file.attrs.update(
            attributes(model.card)
            | {"format": FORMAT, "format_version": FORMAT_VERSION, "seed": str(seed)}
            | {"dt_s": model.dt_s}
            | dict(provenance or {})
        )
        names = self._file.create_variable("component", ("component",), h5py.string_dtype())
        names[:] = np.array(components, dtype=object)
        time = self._file.create_variable("time", ("time",), "f8")
        time[:] = np.arange(npts) * model.dt_s
        time.attrs["units"] = "s"
        acceleration = self._file.create_variable(
            "acceleration",
            ("record", "component", "time"),
            "f4",
            chunks=(1, len(components), npts),
            compression="gzip",
            compression_opts=1,
            shuffle=True,
        )
        acceleration.attrs.update(units="m/s2", long_name="ground acceleration")

    def append(
        self,
        acceleration: NDArray[np.float32],
        scenarios: Scenarios,
        noise: Noise,
        measures: Mapping[str, ArrayLike],
        extra: Mapping[str, ArrayLike] | None = None,
    ) -> None:
        """Add n records: acceleration (n, n_components, n_samples), m/s2, and a row for each."""
        n, _, npts = acceleration.shape
        start, stop = self.records, self.records + n
        self._file.resize_dimension("record", stop)
        self._file["acceleration"][start:stop, :, :npts] = acceleration
        for name in scenarios:
            condition = CONDITIONS[name]
            self._put(
                name, scenarios[name], start, units=condition.unit, long_name=condition.description
            )
        self._put("npts", np.full(n, npts, dtype=np.int32), start, long_name="samples")
        for key, kind in (("event", np.uint64), ("site", np.int64), ("realization", np.int64)):
            self._put(key, getattr(noise, key).astype(kind), start, long_name=f"{key} of the key")
        for name, values in (extra or {}).items():
            self._put(name, np.asarray(values), start, **dict(self._extra[name]))  # type: ignore[arg-type]
        for imt, values in measures.items():
            self._put(
                imt,
                np.asarray(values, dtype=np.float64),
                start,
                coordinate=False,
                units=self._measures[imt],
                component="RotD50",
            )
        self.records = stop

    def _put(
        self, name: str, values: NDArray[Any], start: int, *, coordinate: bool = True, **attrs: str
    ) -> None:
        if name not in self._file.variables:
            text = values.dtype.kind in "UO"
            kind = h5py.string_dtype() if text else values.dtype
            variable = self._file.create_variable(name, ("record",), kind, chunks=(1024,))
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
            # What CF and xarray read to tell coordinates from data variables.
            self._file["acceleration"].attrs["coordinates"] = " ".join(sorted(self._coordinates))
            self._file.close()
            self._temporary.replace(self.path)
        else:
            self._file.close()
            self._temporary.unlink(missing_ok=True)


def open_catalogue(path: str | Path) -> xr.Dataset:
    """Open a waveform catalogue; waveforms are read when they are used.

    Returns
    -------
    xarray.Dataset
        Dimensions (record, component, time); close it, or use it in a ``with`` block.

    Raises
    ------
    CatalogueError
        No such file, not a catalogue, or one of a newer format.
    """
    path = Path(path)
    if not path.is_file():
        raise CatalogueError(f"{path}: no such file")
    try:
        dataset = xr.open_dataset(path, engine="h5netcdf", phony_dims="access")
    except (OSError, ValueError, KeyError) as exc:
        raise CatalogueError(f"{path}: not a readable HDF5 file ({exc})") from exc
    if dataset.attrs.get("format") != FORMAT:
        dataset.close()
        raise CatalogueError(f"{path}: not a waveform catalogue of this package")
    found = int(dataset.attrs.get("format_version", 0))
    if found > FORMAT_VERSION:
        dataset.close()
        raise CatalogueError(
            f"{path}: catalogue format {found}, this version reads up to {FORMAT_VERSION}; "
            "update gwm_hazard"
        )
    return dataset
