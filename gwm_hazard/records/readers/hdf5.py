"""Waveform files of this package: catalogues, and what ``gwm-hazard generate`` writes.

Records keep the precision of the file and the zeros after their last sample, so that measures are
those of `gwm_hazard.intensity_measures` on the opened file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.errors import InputError
from gwm_hazard.files.foreign import check_hdf5
from gwm_hazard.intensity.measures import VERTICALS, time_step
from gwm_hazard.records.record import Failure, Options, Record, Source, Value

if TYPE_CHECKING:
    import xarray as xr

_BLOCK_BYTES = 32_000_000  # of waveforms in memory at a time


def scan(paths: Sequence[Path], options: Options) -> list[Source | Failure]:
    """One source a file."""
    found: list[Source | Failure] = []
    for path in paths:
        try:
            with _open(path) as data:
                shape = data["acceleration"].shape[:-2]
        except (ValueError, OSError) as exc:
            found.append(Failure(str(path), str(exc)))
        else:
            size = int(np.prod(shape, dtype=int))
            found.append(Source(str(path), (path,), size, partial(_read, path)))
    return found


def _open(path: Path) -> xr.Dataset:
    import xarray as xr

    from gwm_hazard.catalogue.store import FORMAT, open_catalogue

    check_hdf5(path)
    try:
        data = xr.open_dataset(path, engine="h5netcdf", phony_dims="access")
    except (OSError, ValueError, KeyError) as exc:
        raise InputError(f"{path}: not a readable HDF5 file ({exc})") from exc
    if data.attrs.get("format") == FORMAT:
        data.close()
        return open_catalogue(path)  # which checks the version
    if "acceleration" not in data:
        data.close()
        raise InputError(f"{path}: holds no variable 'acceleration'; is it a waveform file?")
    if data["acceleration"].dims[-2:] != ("component", "time"):
        dims = data["acceleration"].dims
        data.close()
        raise InputError(
            f"{path}: acceleration has dimensions {dims}: the last two must be component, time"
        )
    return data


def _read(path: Path) -> Iterator[Record]:
    with _open(path) as data:
        acceleration = data["acceleration"]
        dims, shape = acceleration.dims[:-2], acceleration.shape[:-2]
        names = (
            tuple(str(c) for c in data["component"].values)
            if "component" in data.coords
            else ("H1", "H2", "V")[: acceleration.sizes["component"]]
        )
        n_horizontal = 0 if names[0] in VERTICALS else min(2, len(names))
        dt = time_step(data)
        columns = _columns(data, dims)
        bytes_each = int(np.prod(acceleration.shape[-2:])) * acceleration.dtype.itemsize
        for where in _blocks(shape, max(1, _BLOCK_BYTES // bytes_each)):
            # the variable, so that nothing but this block is read
            block = acceleration.variable[where].values
            flat = block.reshape(-1, *acceleration.shape[-2:])
            for offset, index in enumerate(_indices(where, shape)):
                numbers = dict(zip(dims, index, strict=True))
                metadata: dict[str, Value] = {
                    "record_id": f"{path.name}#" + ",".join(f"{d}={i}" for d, i in numbers.items()),
                    "source_file": str(path),
                    **{str(d): int(i) for d, i in numbers.items()},
                }
                at = int(np.ravel_multi_index(index, shape)) if shape else 0
                metadata |= {name: values[at].item() for name, values in columns.items()}
                # a copy, or a record that waits would hold the whole block
                acc = flat[offset].copy()
                yield Record(acc, dt, names, n_horizontal, metadata, whole=True)


def _columns(data: xr.Dataset, dims: Sequence[object]) -> dict[str, NDArray[Any]]:
    """Each coordinate of the records, as one value a record in C order."""
    sizes = {d: data.sizes[d] for d in dims}
    return {
        str(name): np.asarray(value.variable.set_dims(sizes).transpose(*dims).values).reshape(-1)
        for name, value in data.coords.items()
        if set(value.dims) <= set(sizes) and name not in sizes
    }


def _blocks(shape: tuple[int, ...], most: int) -> Iterator[tuple[int | slice, ...]]:
    """Indices that cut the leading dimensions in blocks of at most ``most`` records."""
    if not shape:
        yield ()
        return
    inner = int(np.prod(shape[1:], dtype=int))
    if inner > most:
        for i in range(shape[0]):
            yield from ((i, *rest) for rest in _blocks(shape[1:], most))
        return
    step = max(1, most // max(inner, 1))
    for i in range(0, shape[0], step):
        yield (slice(i, min(i + step, shape[0])),)


def _indices(where: tuple[int | slice, ...], shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    """The index of each record of a block, in C order."""
    axes = [
        np.arange(n)[index] if isinstance(index, slice) else np.array([index])
        for n, index in zip(
            shape, (*where, *[slice(None)] * (len(shape) - len(where))), strict=True
        )
    ]
    for combination in np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, len(shape)):
        yield tuple(int(i) for i in combination)
