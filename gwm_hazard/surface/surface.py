"""A surface: moments of ln IM at the nodes of a grid, in a file, with their errors."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from gwm_hazard.models.base import ModelCard
from gwm_hazard.provenance import attributes, replacing
from gwm_hazard.surface.ensemble import Moments
from gwm_hazard.surface.interpolate import cubic_weights, linear_weights, tensor_product
from gwm_hazard.units import CONDITIONS

FORMAT = "gwm_hazard surface"
FORMAT_VERSION = 1


class SurfaceError(ValueError):
    """A surface that cannot be read, or does not hold what is asked of it."""


@dataclass(frozen=True)
class Axis:
    """Grid nodes of one condition; interpolation is in ``scale``, linear or cubic."""

    name: str
    values: tuple[float, ...]
    scale: str = "linear"
    interpolation: str = "cubic"

    def __post_init__(self) -> None:
        if len(self.values) < 2 or (np.diff(self.values) <= 0).any():
            raise ValueError(f"axis {self.name}: needs at least 2 increasing values")

    def transform(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values on the scale of interpolation."""
        return np.log(x) if self.scale == "log" else np.asarray(x, dtype=np.float64)

    def weights(self, x: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """First node and four weights of each value, see :mod:`gwm_hazard.surface.interpolate`."""
        method = cubic_weights if self.interpolation == "cubic" else linear_weights
        return method(self.transform(np.array(self.values)), self.transform(x))


def fingerprint(card: ModelCard) -> str:
    """Identity of a model for its surfaces: family, parameters, conditions and sampling."""
    content = card.to_dict()
    keys = ("family", "parameters", "conditions", "components", "sampling_rate_hz")
    text = json.dumps({k: content[k] for k in keys}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def spectral_period(imt: str) -> float | None:
    """5.0 for "SA(5.0)", None for a measure without a period."""
    return float(imt[3:-1]) if imt.startswith("SA(") else None


@dataclass
class Surface:
    """Conditional mean, tau and phi of ln IM (RotD50, OpenQuake's units) over a grid.

    Attributes
    ----------
    axes : grid
    imts : measures, spectral ordinates by increasing period
    mean, tau, phi : (*grid, n_imts) float32
    errors : {name: (n_imts,)} measured on held-out scenarios: ``interpolation_mean`` and
        ``interpolation_sigma`` (rms difference in ln mean and relative in sigma from an
        estimate with the same random numbers), ``largest_mean`` and ``largest_sigma`` (the
        largest of these differences), ``sampling_mean`` and ``sampling_sigma`` (rms
        standard error, from an estimate with other random numbers).
    model : fingerprint of the model's card
    """

    axes: tuple[Axis, ...]
    imts: tuple[str, ...]
    mean: NDArray[np.float32]
    tau: NDArray[np.float32]
    phi: NDArray[np.float32]
    errors: dict[str, NDArray[np.float64]]
    model: str
    attrs: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._selected: dict[tuple[str, ...], NDArray[np.float64]] = {}

    @property
    def ranges(self) -> dict[str, tuple[float, float]]:
        """Lowest and highest value of each condition that the grid holds."""
        return {a.name: (a.values[0], a.values[-1]) for a in self.axes}

    def columns(self, imts: tuple[str, ...]) -> NDArray[np.float64]:
        """Matrix (n_held, n_asked) that takes the held measures to the asked ones.

        A spectral period between two held ones is interpolated in its logarithm.

        Raises
        ------
        SurfaceError
            A measure, or a period outside those held.
        """
        periods = np.array([spectral_period(i) or np.nan for i in self.imts])
        held = np.argsort(periods)[: np.isfinite(periods).sum()]  # by increasing period
        matrix = np.zeros((len(self.imts), len(imts)))
        for column, imt in enumerate(imts):
            period = spectral_period(imt)
            if imt in self.imts:
                matrix[self.imts.index(imt), column] = 1.0
            elif period in periods:  # SA(1) for SA(1.0)
                matrix[np.flatnonzero(periods == period)[0], column] = 1.0
            elif period and held.size and periods[held[0]] <= period <= periods[held[-1]]:
                k = int(np.searchsorted(periods[held], period)) - 1
                low, high = np.log(periods[held[k : k + 2]])
                u = (np.log(period) - low) / (high - low)
                matrix[held[k], column], matrix[held[k + 1], column] = 1.0 - u, u
            else:
                names = [i for i in self.imts if spectral_period(i) is None]
                if held.size:
                    names.append(f"SA from {periods[held[0]]:g} to {periods[held[-1]]:g} s")
                raise SurfaceError(
                    f"{imt} is not in the surface, which holds {', '.join(names)}: take one of "
                    'these, or estimator = "direct"'
                )
        return matrix

    def __call__(
        self, conditions: dict[str, NDArray[np.float64]], imts: tuple[str, ...]
    ) -> Moments:
        """Interpolate at n scenarios inside the grid; :class:`Moments` of shape (n, n_imts)."""
        if imts not in self._selected:
            matrix = self.columns(imts)
            fields = [
                v.reshape(-1, len(self.imts)) @ matrix for v in (self.mean, self.tau, self.phi)
            ]
            self._selected[imts] = np.ascontiguousarray(np.concatenate(fields, axis=1))
        values = self._selected[imts]
        located = [a.weights(np.asarray(conditions[a.name], dtype=np.float64)) for a in self.axes]
        first = np.stack([f for f, _ in located], axis=1)
        weights = np.stack([w for _, w in located], axis=1)
        shape = [len(a.values) for a in self.axes]
        strides = np.array([int(np.prod(shape[i + 1 :])) for i in range(len(shape))])
        out = np.empty((len(first), values.shape[1]))
        tensor_product(first, weights, strides, values, out)
        mean, tau, phi = np.split(out, 3, axis=1)
        return Moments(mean, np.maximum(tau, 0.0), np.maximum(phi, 0.0))

    def save(self, path: str | Path, card: ModelCard) -> Path:
        """Write the surface as HDF5 (xarray opens it with engine "h5netcdf")."""
        dims = (*(a.name for a in self.axes), "imt")
        data = xr.Dataset(
            {
                "mean": (dims, self.mean, {"long_name": "mean of ln IM, RotD50"}),
                "tau": (dims, self.tau, {"long_name": "between-event s.d. of ln IM"}),
                "phi": (dims, self.phi, {"long_name": "within-event s.d. of ln IM"}),
                **{f"error_{k}": ("imt", v) for k, v in self.errors.items()},
            },
            coords={
                "imt": list(self.imts),
                **{
                    a.name: (
                        a.name,
                        np.array(a.values),
                        {
                            "units": CONDITIONS[a.name].unit,
                            "scale": a.scale,
                            "interpolation": a.interpolation,
                        },
                    )
                    for a in self.axes
                },
            },
            attrs=attributes(card)
            | {"format": FORMAT, "format_version": FORMAT_VERSION, "fingerprint": self.model}
            | self.attrs,
        )
        compressed = {"zlib": True, "complevel": 9, "shuffle": True}
        with replacing(path) as temporary:
            data.to_netcdf(
                temporary,
                engine="h5netcdf",
                encoding={v: compressed for v in ("mean", "tau", "phi")},
            )
        return Path(path)

    @classmethod
    def load(cls, path: str | Path) -> Surface:
        """Read a surface.

        Raises
        ------
        SurfaceError
            No such file, not a surface, or one of a newer format.
        """
        path = Path(path)
        if not path.is_file():
            raise SurfaceError(
                f"surface {path}: no such file; make it with `gwm-hazard surface build`"
            )
        try:
            with xr.open_dataset(path, engine="h5netcdf", phony_dims="access") as data:
                data.load()
        except (OSError, ValueError, KeyError, RuntimeError) as exc:
            raise SurfaceError(
                f"surface {path}: not a readable HDF5 file ({str(exc).splitlines()[0]}); make it "
                "with `gwm-hazard surface build`"
            ) from exc
        if data.attrs.get("format") != FORMAT:
            raise SurfaceError(f"surface {path}: this file is not a surface of gwm_hazard")
        if int(data.attrs["format_version"]) > FORMAT_VERSION:
            raise SurfaceError(
                f"surface {path}: format {data.attrs['format_version']}, this version reads up to "
                f"{FORMAT_VERSION}; update gwm_hazard or build the surface again"
            )
        names = data["mean"].dims[:-1]
        axes = tuple(
            Axis(
                str(n),
                tuple(data[n].values.tolist()),
                data[n].attrs["scale"],
                data[n].attrs["interpolation"],
            )
            for n in names
        )
        errors = {
            str(k).removeprefix("error_"): v.values
            for k, v in data.data_vars.items()
            if str(k).startswith("error_")
        }
        return cls(
            axes,
            tuple(str(i) for i in data["imt"].values),
            mean=data["mean"].values,
            tau=data["tau"].values,
            phi=data["phi"].values,
            errors=errors,
            model=data.attrs["fingerprint"],
            attrs={
                k: data.attrs[k] for k in ("realizations", "seed", "held_out") if k in data.attrs
            },
        )
