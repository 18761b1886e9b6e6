"""The file of a surface: HDF5 in netCDF's layout."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import h5netcdf
import numpy as np

from gwm_hazard.core.card import ModelCard, Range
from gwm_hazard.core.units import CONDITIONS
from gwm_hazard.distribution.surface import FIELDS, Axis, Surface
from gwm_hazard.errors import SurfaceError
from gwm_hazard.files.atomic import replacing
from gwm_hazard.files.provenance import attributes

FORMAT = "gwm_hazard surface"
#: 2: skewness and kurtosis, which 1 lacks.
FORMAT_VERSION = 2

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
        data.to_netcdf(temporary, engine="h5netcdf", encoding=dict.fromkeys(held, compressed))
    return path


def read_surface(path: str | Path) -> Surface:
    """Read a surface.

    Raises
    ------
    SurfaceError
        No such file, not a surface, or one of a newer format.
    """
    path = Path(path)
    if not path.is_file():
        raise SurfaceError(f"surface {path}: no such file; make it with `gwm-hazard surface build`")
    try:
        # Without xarray, whose import costs every worker process of a job half a second.
        with h5netcdf.File(path, "r", phony_dims="access") as file:
            attrs = dict(file.attrs)
            if attrs.get("format") != FORMAT:
                raise SurfaceError(f"surface {path}: this file is not a surface of gwm_hazard")
            if int(attrs["format_version"]) > FORMAT_VERSION:
                raise SurfaceError(
                    f"surface {path}: format {attrs['format_version']}, this version reads up to "
                    f"{FORMAT_VERSION}; update gwm_hazard or build the surface again"
                )
            return _surface(file, attrs)
    except SurfaceError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError) as exc:
        raise SurfaceError(
            f"surface {path}: not a readable HDF5 file ({str(exc).splitlines()[0]}); make it "
            "with `gwm-hazard surface build`"
        ) from exc


def _surface(file: h5netcdf.File, attrs: dict[str, Any]) -> Surface:
    names = file["mean"].dimensions[:-1]
    axes = []
    for n in names:
        about = file[n].attrs
        values = tuple(float(v) for v in file[n][...])
        axes.append(Axis(n, values, str(about["scale"]), str(about["interpolation"])))
    errors = {
        k.removeprefix("error_"): v[...] for k, v in file.variables.items() if k[:6] == "error_"
    }
    build = json.loads(attrs["build"]) if "build" in attrs else _first_format(attrs)
    return Surface(
        tuple(axes),
        tuple(v.decode() if isinstance(v, bytes) else str(v) for v in file["imt"][...]),
        **{f: file[f][...] for f in FIELDS if f in file.variables},
        errors=errors,
        model=str(attrs["fingerprint"]),
        attrs=build,
        card=_card(json.loads(attrs["model_card"])),
    )


def _first_format(attrs: dict[str, Any]) -> dict[str, Any]:
    keys = ("realizations", "seed", "held_out")
    return {k: int(attrs[k]) for k in keys if k in attrs}


def _card(content: dict[str, Any]) -> ModelCard:
    known = {f.name for f in fields(ModelCard)}
    content = {k: v for k, v in content.items() if k in known}
    content["conditions"] = tuple(Range(n, *r) for n, r in content["conditions"].items())
    for name in ("citation", "components", "limitations"):
        content[name] = tuple(content[name])
    return ModelCard(**content)
