"""A surface: the distribution of ln IM at the nodes of a grid, with its errors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.core.card import ModelCard
from gwm_hazard.distribution.interpolate import (
    COLUMNS,
    cubic_weights,
    linear_weights,
    tensor_product,
)
from gwm_hazard.distribution.mixing import mix
from gwm_hazard.distribution.moments import Moments
from gwm_hazard.distribution.shape import Shape
from gwm_hazard.errors import InputError, SurfaceError

SCALES = ("linear", "log")
INTERPOLATIONS = ("linear", "cubic")

#: What a node holds of each measure.
FIELDS = ("mean", "tau", "phi", "skewness", "kurtosis")


@dataclass(frozen=True)
class Axis:
    """Grid nodes of one condition; interpolation is in ``scale``, linear or cubic."""

    name: str
    values: tuple[float, ...]
    scale: str = "linear"
    interpolation: str = "cubic"

    def __post_init__(self) -> None:
        if len(self.values) < 2 or not (np.diff(self.values) > 0).all():
            raise InputError(f"axis {self.name}: needs at least 2 increasing values")
        for field_name, value, choices in (
            ("scale", self.scale, SCALES),
            ("interpolation", self.interpolation, INTERPOLATIONS),
        ):
            if value not in choices:
                raise InputError(
                    f"axis {self.name}: {field_name} = {value!r}, must be one of "
                    f"{', '.join(choices)}"
                )
        if self.scale == "log" and self.values[0] <= 0:
            raise InputError(
                f"axis {self.name}: a value of {self.values[0]:g} has no logarithm; "
                'take scale = "linear" or values above 0'
            )

    def transform(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values on the scale of interpolation."""
        return np.log(x) if self.scale == "log" else np.asarray(x, dtype=np.float64)

    def weights(self, x: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """First node and four weights of each value; see ``interpolate``."""
        method = cubic_weights if self.interpolation == "cubic" else linear_weights
        found: tuple[NDArray[np.int64], NDArray[np.float64]] = method(
            self.transform(np.array(self.values)), self.transform(x)
        )
        return found


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
        ``interpolation_sigma`` (rms of what interpolation adds to ln mean and, relative, to
        sigma: :func:`gwm_hazard.distribution.refine.interpolation_errors`), ``largest_mean`` and
        ``largest_sigma`` (largest difference from an estimate with the same random numbers,
        noise of its draws and all), ``sampling_mean`` and ``sampling_sigma`` (rms
        standard error, from an estimate with other random numbers).
    model : fingerprint of the model's card
    skewness, kurtosis : (*grid, n_imts) float32, or None where only moments are held
        Skewness and excess kurtosis of ln IM, pooled over the scenarios
        (:func:`gwm_hazard.distribution.shape.pooled_shape`).
    card : the model's card, where the surface comes from a file
    """

    axes: tuple[Axis, ...]
    imts: tuple[str, ...]
    mean: NDArray[np.float32]
    tau: NDArray[np.float32]
    phi: NDArray[np.float32]
    errors: dict[str, NDArray[np.float64]]
    model: str
    attrs: dict[str, Any] = field(default_factory=dict)
    skewness: NDArray[np.float32] | None = None
    kurtosis: NDArray[np.float32] | None = None
    card: ModelCard | None = None

    def __post_init__(self) -> None:
        self._selected: dict[tuple[tuple[str, ...], tuple[str, ...]], NDArray[np.float64]] = {}

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
        self, conditions: Mapping[str, NDArray[np.float64]], imts: tuple[str, ...]
    ) -> Moments:
        """Interpolate at n scenarios; :class:`Moments` of shape (n, n_imts).

        Raises
        ------
        SurfaceError
            A measure that is not held, or a scenario outside the grid.
        """
        mean, tau, phi = self._at(conditions, imts, FIELDS[:3])
        return Moments(mean, np.maximum(tau, 0.0), np.maximum(phi, 0.0))

    def shape(self, conditions: Mapping[str, NDArray[np.float64]], imts: tuple[str, ...]) -> Shape:
        """Interpolate the shape of the distribution, (n, n_imts).

        Raises
        ------
        SurfaceError
            As for the moments, or a surface that holds moments only.
        """
        if self.skewness is None:
            raise SurfaceError(
                "this surface holds no skewness and kurtosis: it was built without draws for "
                'the shape; build it again, or take distribution = "lognormal"'
            )
        return Shape(*self._at(conditions, imts, FIELDS[3:]))

    def _at(
        self,
        conditions: Mapping[str, NDArray[np.float64]],
        imts: tuple[str, ...],
        fields: tuple[str, ...],
    ) -> list[NDArray[np.float64]]:
        key = (imts, fields)
        if key not in self._selected:
            matrix = self.columns(imts)
            chosen = [getattr(self, f).reshape(-1, len(self.imts)) @ matrix for f in fields]
            packed = np.concatenate(chosen, axis=1)
            self._selected[key] = np.pad(packed, ((0, 0), (0, -packed.shape[1] % COLUMNS)))
        values = self._selected[key]
        points = [np.asarray(conditions[a.name], dtype=np.float64) for a in self.axes]
        for axis, x in zip(self.axes, points, strict=True):
            low, high = axis.values[0], axis.values[-1]
            if len(x) and not (x.min() >= low and x.max() <= high):
                bad = x[~((x >= low) & (x <= high))][0]
                raise SurfaceError(
                    f"{axis.name} = {bad:g} is outside the surface, which holds {low:g} to "
                    f"{high:g}: clip it, or build a surface that reaches it"
                )
        located = [a.weights(x) for a, x in zip(self.axes, points, strict=True)]
        first = np.stack([f for f, _ in located], axis=1)
        weights = np.stack([w for _, w in located], axis=1)
        shape = [len(a.values) for a in self.axes]
        strides = np.array([int(np.prod(shape[i + 1 :])) for i in range(len(shape))])
        out = np.empty((len(first), values.shape[1]))
        tensor_product(first, weights, strides, values, out)
        return np.split(out[:, : len(fields) * len(imts)], len(fields), axis=1)

    def marginal(
        self, name: str, values: NDArray[np.float64], weights: NDArray[np.float64]
    ) -> Surface:
        """The surface without the axis ``name``: mixed over ``values`` with ``weights``.

        One value fixes the condition. Weights sum to 1; see
        :func:`gwm_hazard.distribution.mixing.mix` for what becomes of the moments.
        """
        names = [a.name for a in self.axes]
        if name not in names:
            raise SurfaceError(f"the surface has no axis {name!r}: it has {', '.join(names)}")
        i = names.index(name)
        axis = self.axes[i]
        low, high = axis.values[0], axis.values[-1]
        values = np.asarray(values, dtype=np.float64)
        if not ((values >= low) & (values <= high)).all():
            raise SurfaceError(f"{name}: the surface holds {low:g} to {high:g}")
        first, w = axis.weights(values)
        matrix = np.zeros((len(values), len(axis.values) + 4))
        for row in range(len(values)):
            matrix[row, first[row] : first[row] + 4] = w[row]
        matrix = matrix[:, : len(axis.values)]

        def take(held: NDArray[np.float32]) -> NDArray[np.float64]:
            return np.tensordot(matrix, held.astype(np.float64), axes=(1, i))

        moments = Moments(take(self.mean), take(self.tau), take(self.phi))
        shape = None
        if self.skewness is not None and self.kurtosis is not None:
            shape = Shape(take(self.skewness), take(self.kurtosis))
        moments, shape = mix(moments, shape, weights)
        return replace(
            self,
            axes=tuple(a for a in self.axes if a.name != name),
            mean=moments.mean.astype(np.float32),
            tau=moments.tau.astype(np.float32),
            phi=moments.phi.astype(np.float32),
            skewness=None if shape is None else shape.skewness.astype(np.float32),
            kurtosis=None if shape is None else shape.kurtosis.astype(np.float32),
        )
