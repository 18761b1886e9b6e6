"""Motion at a site from point sources, summed in the frequency domain."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from gwm_hazard.errors import InputError
from gwm_hazard.simulations.library import SHALLOWEST, Library
from gwm_hazard.simulations.moment_rate import SHAPES

Array = NDArray[np.float64]

#: Moment rates that are evaluated of those of many points, by their parameter.
_SHAPES_HELD = 48


@dataclass(frozen=True)
class Points:
    """n double couples.

    Attributes
    ----------
    each (n,); one number is that of all
    north_km, east_km, depth_km : where they are, from any origin
    moment_n_m : moment, N m
    delay_s : start of rupture
    parameter : of the moment rate: corner in Hz (brune), duration in s (yoffe, cosine)
    strike, dip, rake : deg
    """

    north_km: Any
    east_km: Any
    depth_km: Any
    moment_n_m: Any
    delay_s: Any
    parameter: Any
    strike: Any
    dip: Any
    rake: Any

    def __post_init__(self) -> None:
        columns = [np.atleast_1d(np.asarray(getattr(self, f.name), float)) for f in fields(self)]
        shape = np.broadcast_shapes(*(c.shape for c in columns))
        for f, column in zip(fields(self), columns, strict=True):
            if not np.isfinite(column).all():
                raise InputError(f"point sources: {f.name} has values that are not numbers")
            object.__setattr__(self, f.name, np.ascontiguousarray(np.broadcast_to(column, shape)))

    def __len__(self) -> int:
        return len(self.moment_n_m)


def radiation(azimuth: Array, strike: Array, dip: Array, rake: Array) -> Array:
    """Weights of a double couple on the eight elementary Green's functions, (n, 8).

    Of :data:`gwm_hazard.simulations.green.ELEMENTARY`, azimuth from source to site; angles in
    radians (Aki and Richards 2002, 4.88 to 4.91, in the notation of Zhu and Rivera 2002).
    """
    phi = azimuth - strike
    along, across = np.cos(rake) * np.cos(dip), np.sin(rake) * np.cos(2.0 * dip)
    horizontal, vertical = np.cos(rake) * np.sin(dip), 0.5 * np.sin(rake) * np.sin(2.0 * dip)
    dd = vertical
    ds = np.cos(phi) * along - np.sin(phi) * across
    ds_t = -np.sin(phi) * along - np.cos(phi) * across
    ss = np.sin(2.0 * phi) * horizontal + np.cos(2.0 * phi) * vertical
    ss_t = np.cos(2.0 * phi) * horizontal - np.sin(2.0 * phi) * vertical
    return np.stack([dd, dd, ds, ds_t, ds, ss, ss_t, ss], axis=-1)


def site_velocity(
    library: Library,
    points: Points,
    north_km: float,
    east_km: float,
    shape: str = "yoffe",
    *,
    clip: bool = False,
) -> NDArray[np.complex128]:
    """Spectra of velocity at a site, (3, nf) m/s times s: north, east, up.

    Green's functions are linear between the four nodes about a point, each shifted to the S
    arrival at the point first.

    Parameters
    ----------
    shape : of moment rates, of :data:`gwm_hazard.simulations.moment_rate.SHAPES`
    clip : take what is further than the library reaches as if it were there

    Raises
    ------
    InputError
        A point further than the library reaches, or above the surface.
    """
    north, east = north_km - points.north_km, east_km - points.east_km
    distance = np.hypot(north, east)
    if clip:
        distance = np.minimum(distance, library.max_distance_km)
    if distance.max() > library.max_distance_km:
        raise InputError(
            f"a source is {distance.max():.1f} km from the site, max_distance_km = "
            f"{library.max_distance_km:g}: raise it"
        )
    if points.depth_km.min() < 0.0:
        raise InputError(f"a source at {points.depth_km.min():g} km depth: must be below 0")
    azimuth = np.arctan2(east, north)
    row = np.maximum(points.depth_km / library.step_km, 0.0)
    row = np.where(row < 1.0, np.maximum(row - SHALLOWEST, 0.0) / (1.0 - SHALLOWEST), row)
    first = int(row.min())
    spectra, s_s = library.rows(first, int(np.ceil(row.max())))
    f = library.frequencies_hz
    rates, which = _moment_rates(f, points.parameter, shape)
    nodes = library.distances_km
    column = np.interp(distance, nodes, np.arange(len(nodes)))
    weights = radiation(azimuth, *np.radians([points.strike, points.dip, points.rake]))
    weights *= points.moment_n_m[:, None]
    turn = np.stack([np.cos(azimuth), np.sin(azimuth)], axis=-1)
    out = np.zeros((3, len(f)), dtype=np.complex128)
    _sum(
        spectra, s_s, 2.0 * np.pi * (f[1] - f[0]), rates, which, row - first, column, weights,
        turn, points.delay_s, out,
    )  # fmt: skip
    return out


def _moment_rates(
    f: Array, parameter: Array, shape: str
) -> tuple[NDArray[np.complex128], NDArray[np.int64]]:
    """Spectra (k, nf) of moment rates, and which is that of each point."""
    if shape not in SHAPES:
        raise InputError(f"moment_rate = {shape!r}: must be one of {', '.join(SHAPES)}")
    if parameter.min() <= 0.0:
        raise InputError(f"moment rate {shape}: parameter {parameter.min():g}: must be > 0")
    values, which = np.unique(parameter, return_inverse=True)
    if len(values) > _SHAPES_HELD:
        # Finer than what the frequencies of a library tell apart: nearest of a geometric row.
        values = np.geomspace(values[0], values[-1], _SHAPES_HELD)
        edges = np.sqrt(values[1:] * values[:-1])
        which = np.searchsorted(edges, parameter)
    return SHAPES[shape](f, values), which.astype(np.int64)


@njit(cache=True, fastmath=True)
def _sum(
    spectra: Any, s_s: Any, step: Any, rates: Any, which: Any, row: Any, column: Any, weights: Any,
    turn: Any, delay: Any, out: Any,
) -> None:  # fmt: skip  # pragma: no cover
    """Add all points to ``out`` (3, nf); rows and columns count nodes, the first column at 0."""
    n_rows, n_columns, _, nf = spectra.shape
    for p in range(len(row)):
        i = int(row[p])
        j = int(column[p])
        below = min(i + 1, n_rows - 1)
        beyond = min(j + 1, n_columns - 1)
        u = row[p] - i
        v = column[p] - j
        corner = ((1 - u) * (1 - v), (1 - u) * v, u * (1 - v), u * v)
        at = (s_s[i, j], s_s[i, beyond], s_s[below, j], s_s[below, beyond])
        arrival = corner[0] * at[0] + corner[1] * at[1] + corner[2] * at[2] + corner[3] * at[3]
        w = weights[p]
        rate = rates[which[p]]
        c, s = turn[p, 0], turn[p, 1]
        for k in range(4):
            if corner[k] == 0.0:
                continue
            g = spectra[below if k > 1 else i, beyond if k % 2 else j]
            angle = -step * (delay[p] + arrival - at[k])
            turn_by = complex(np.cos(angle), np.sin(angle))
            phase = complex(corner[k], 0.0)
            for m in range(nf):
                by = phase * rate[m]
                radial = (w[0] * g[0, m] + w[2] * g[2, m] + w[5] * g[5, m]) * by
                transverse = (w[3] * g[3, m] + w[6] * g[6, m]) * by
                out[0, m] += radial * c - transverse * s
                out[1, m] += radial * s + transverse * c
                out[2, m] += (w[1] * g[1, m] + w[4] * g[4, m] + w[7] * g[7, m]) * by
                phase *= turn_by


def acceleration(library: Library, velocity: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Time series of spectra of velocity: acceleration, (3, nt) m/s2, from origin time on."""
    f = library.frequencies_hz
    return np.fft.irfft(2j * np.pi * f * velocity, library.nt) / library.dt_s
