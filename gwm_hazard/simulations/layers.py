"""A layered earth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.errors import InputError

Array = NDArray[np.float64]

#: What a layer may be: nothing beyond is rock, or a unit that is not ours.
_BOUNDS = {
    "thickness_km": (0.0, 700.0), "vp_km_s": (0.2, 14.0), "vs_km_s": (0.1, 8.0),
    "density_g_cm3": (1.0, 6.0), "qp": (5.0, 1e5), "qs": (5.0, 1e5),
}  # fmt: skip


@dataclass(frozen=True)
class Layers:
    """Flat layers from the surface down, (n,) each; the last one is a half-space of thickness 0.

    Attributes
    ----------
    thickness_km, vp_km_s, vs_km_s, density_g_cm3 : of each layer
    qp, qs : quality factors of P and S waves
    """

    thickness_km: tuple[float, ...]
    vp_km_s: tuple[float, ...]
    vs_km_s: tuple[float, ...]
    density_g_cm3: tuple[float, ...]
    qp: tuple[float, ...]
    qs: tuple[float, ...]

    def __post_init__(self) -> None:
        n = len(self.thickness_km)
        for name, (low, high) in _BOUNDS.items():
            values = getattr(self, name)
            if len(values) != n:
                raise InputError(f"layers: {name} has {len(values)} values, thickness_km {n}")
            for i, v in enumerate(values):
                if not low <= v <= high:
                    raise InputError(
                        f"layers: {name} = {v:g} of layer {i + 1}: must be from {low:g} to {high:g}"
                    )
        if n < 1 or self.thickness_km[-1] != 0.0 or not all(self.thickness_km[:-1]):
            raise InputError(
                "layers: thickness_km must be > 0, and 0 for the last one, the half-space"
            )
        for i, (p, s) in enumerate(zip(self.vp_km_s, self.vs_km_s, strict=True)):
            if p < 1.2 * s:
                raise InputError(
                    f"layers: vp_km_s = {p:g} of layer {i + 1} is below 1.2 times its vs_km_s = "
                    f"{s:g}: must be above"
                )

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Layers:
        """Layers from a mapping of lists, as of a TOML file.

        Raises
        ------
        InputError
            A name that is missing or unknown, a value that no layer has.
        """
        names = [f.name for f in fields(cls)]
        for name in table:
            if name not in names:
                raise InputError(f"layers: unknown {name!r}; known: {', '.join(names)}")
        for name in names:
            if name not in table:
                raise InputError(f"layers: {name} is missing; needed are {', '.join(names)}")
        try:
            return cls(*(tuple(float(v) for v in table[name]) for name in names))
        except TypeError as exc:
            raise InputError(f"layers: must be lists of numbers, a value a layer ({exc})") from None

    @property
    def tops_km(self) -> Array:
        """Depth of the top of each layer, km, (n,)."""
        return np.concatenate([[0.0], np.cumsum(self.thickness_km[:-1])])

    def at(self, name: str, depth_km: Array) -> Array:
        """Values of a property at depths, of the same shape."""
        layer = np.searchsorted(self.tops_km, depth_km, side="right") - 1
        return np.asarray(getattr(self, name))[np.maximum(layer, 0)]

    def s_time_s(self, depth_km: Array) -> Array:
        """Vertical travel time of S from the surface to depths, s: the integral of 1 / vs."""
        tops = self.tops_km
        slowness = 1.0 / np.asarray(self.vs_km_s)
        into = np.clip(np.asarray(depth_km)[..., None] - tops, 0.0, None)
        within = np.minimum(into, np.append(self.thickness_km[:-1], np.inf))
        return (within * slowness).sum(axis=-1)

    def text(self) -> str:
        """A line a layer: thickness km, vp, vs km/s, density g/cm3, Qp, Qs."""
        return "".join(
            " ".join(f"{v:.9g}" for v in row) + "\n" for row in zip(*astuple(self), strict=True)
        )
