"""The file of a surface: HDF5 in netCDF's layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.core.card import ModelCard
from gwm_hazard.core.units import CONDITIONS
from gwm_hazard.distribution.surface import FIELDS, Axis, Surface
from gwm_hazard.errors import SurfaceError
from gwm_hazard.files.atomic import replacing
from gwm_hazard.files.foreign import hdf5
from gwm_hazard.files.hdf5_writing import save_netcdf
from gwm_hazard.files.parts import digest
from gwm_hazard.files.provenance import attributes
from gwm_hazard.intensity import parse_imt

if TYPE_CHECKING:
    import h5py

FORMAT = "gwm_hazard surface"
#: 2: skewness and kurtosis, which 1 lacks.
FORMAT_VERSION = 2

#: What the value of a node can be: no accelerogram has measures below e**-100 or above e**30, nor
#: a scatter of a factor e**10.
BOUNDS = {
    "mean": (-100.0, 30.0), "tau": (0.0, 10.0), "phi": (0.0, 10.0), "skewness": (-10.0, 10.0),
    "kurtosis": (-2.1, 200.0),
}  # fmt: skip
MOST_NODES, MOST_VALUES = 10_000, 20_000_000

_LONG_NAMES = {
    "mean": "mean of ln IM, RotD50",
    "tau": "between-event s.d. of ln IM",
    "phi": "within-event s.d. of ln IM",
    "skewness": "skewness of ln IM",
    "kurtosis": "excess kurtosis of ln IM",
}


def write_surface(surface: Surface, path: str | Path, card: ModelCard) -> Path:
    """Write a surface; xarray opens it with engine "h5netcdf"."""
    import xarray as xr

    path = Path(path)
    dims = (*(a.name for a in surface.axes), "imt")
    held = {f: v for f in FIELDS if (v := getattr(surface, f)) is not None}
    coords: dict[str, Any] = {"imt": list(surface.imts)}
    for a in surface.axes:
        about = {
            "units": CONDITIONS[a.name].unit,
            "scale": a.scale,
            "interpolation": a.interpolation,
        }
        coords[a.name] = (a.name, np.array(a.values), about)
    own = {"format": FORMAT, "format_version": FORMAT_VERSION, "fingerprint": surface.model}
    own["content"] = _content(surface)
    data = xr.Dataset(
        {
            **{f: (dims, v, {"long_name": _LONG_NAMES[f]}) for f, v in held.items()},
            **{f"error_{k}": ("imt", v) for k, v in surface.errors.items()},
        },
        coords=coords,
        attrs=attributes(card) | own | {"build": json.dumps(surface.attrs)},
    )
    compressed = {"zlib": True, "complevel": 9, "shuffle": True}
    with replacing(path) as temporary:
        save_netcdf(data, temporary, encoding=dict.fromkeys(held, compressed))
    return path


def read_surface(path: str | Path) -> Surface:
    """Read a surface, and hold it against what its values mean.

    Raises
    ------
    SurfaceError
        No such file, not a surface, one of a newer format, values that no surface has, or others
        than those that were written.
    """
    path = Path(path)
    if not path.exists():
        raise SurfaceError(f"surface {path}: no such file; make it with `gwm-hazard surface build`")
    try:
        # without xarray, whose import costs every worker process of a job half a second
        with hdf5(path) as file:
            attrs = {str(k): v for k, v in file.attrs.items()}
            if str(attrs.get("format")) != FORMAT:
                raise SurfaceError("this file is not a surface of gwm_hazard")
            version = _whole(attrs["format_version"])
            if version > FORMAT_VERSION:
                raise SurfaceError(
                    f"format {version}, this version reads up to {FORMAT_VERSION}; update "
                    "gwm_hazard or build the surface again"
                )
            surface = _surface(file, attrs)
            if "content" in attrs and str(attrs["content"]) != _content(surface):
                raise SurfaceError("its values are not those that were written: it was damaged")
            return surface
    # what a forged or damaged file leads the libraries to
    except (ValueError, TypeError, LookupError, AttributeError, OSError, ArithmeticError) as exc:
        reason = (str(exc).splitlines() or [type(exc).__name__])[0]
        reason = reason.removeprefix(f"{path}: ")
        raise SurfaceError(
            f"surface {path}: {reason}; make it with `gwm-hazard surface build`"
        ) from exc


def _content(surface: Surface) -> str:
    """SHA-256 of all that a surface says."""
    words = [[a.name, a.scale, a.interpolation] for a in surface.axes]
    arrays = [np.asarray(a.values, dtype=np.float64) for a in surface.axes]
    held = [v for f in FIELDS if (v := getattr(surface, f)) is not None]
    arrays += [np.asarray(v, dtype=np.float32) for v in held]
    return digest([words, list(surface.imts), surface.model, len(held)], *arrays)


def _surface(file: h5py.File, attrs: dict[str, Any]) -> Surface:
    sizes = file["mean"].shape[:-1]
    names = [str(file[scale[0]].name).lstrip("/") for scale in _scales(file["mean"])[:-1]]
    axes = []
    for name, size in zip(names, sizes, strict=True):
        if name not in CONDITIONS or file[name].shape != (size,) or size > MOST_NODES:
            raise SurfaceError(f"axis {name!r:.40}: not a condition with {size} nodes")
        about = file[name].attrs
        values = tuple(float(v) for v in file[name][()])
        if not np.isfinite(values).all():
            raise SurfaceError(f"axis {name}: values that are not finite")
        axes.append(Axis(name, values, _text(about["scale"]), _text(about["interpolation"])))
    imts = tuple(_text(v) for v in file["imt"][()])
    if len(set(imts)) != len(imts):
        raise SurfaceError("a measure stands in it twice")
    for imt in imts:
        parse_imt(imt)
    held = {f: _field(file, f, (*sizes, len(imts))) for f in FIELDS if f in file}
    shape = {"skewness", "kurtosis"} <= set(held)
    # Pearson's bound, with what float32 and smoothing may cost
    if shape and (held["kurtosis"] < held["skewness"] ** 2 - 2.0 - 0.1).any():
        raise SurfaceError("a kurtosis below what its skewness allows")
    errors = {
        k.removeprefix("error_"): _array(file, k, (len(imts),)) for k in file if k[:6] == "error_"
    }
    build = json.loads(_text(attrs["build"])) if "build" in attrs else _first_format(attrs)
    return Surface(
        tuple(axes), imts, **held, errors=errors, model=_text(attrs["fingerprint"]),
        attrs=dict(build), card=ModelCard.from_dict(json.loads(_text(attrs["model_card"]))),
    )  # fmt: skip


def _scales(dataset: h5py.Dataset) -> list[list[Any]]:
    """The coordinate of each dimension, as a reference into the file."""
    return [list(refs) for refs in dataset.attrs["DIMENSION_LIST"]]


def _array(file: h5py.File, name: str, shape: tuple[int, ...]) -> NDArray[Any]:
    """An array of numbers, once it has the shape that the axes say."""
    found = file[name]
    if found.shape != shape or found.dtype.kind != "f":
        raise SurfaceError(f"{name} is {found.dtype} of {found.shape}: must be numbers of {shape}")
    if found.size > MOST_VALUES:
        raise SurfaceError(f"{name} has {found.size:,} values; at most {MOST_VALUES:,} are read")
    return np.asarray(found[()])


def _field(file: h5py.File, name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    values = _array(file, name, shape)
    low, high = BOUNDS[name]
    bad = ~((values >= low) & (values <= high))
    if bad.any():
        at = tuple(int(i) for i in np.argwhere(bad)[0])
        raise SurfaceError(
            f"{name} = {values[at]:g} at node {at}: must lie between {low:g} and {high:g}"
        )
    return values


def _whole(value: Any) -> int:
    """A whole number, as netCDF holds it: in an array of one."""
    return int(np.ravel(value).item())


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _first_format(attrs: dict[str, Any]) -> dict[str, Any]:
    keys = ("realizations", "seed", "held_out")
    return {k: _whole(attrs[k]) for k in keys if k in attrs}
