"""Finite sources: a plane, slip, rupture and rise times on it, as points.

After Graves and Pitarka (2010, BSSA 100(5A): 2095-2123; 2016, BSSA 106(5): 2136-2153), with the
slip spectrum of Mai and Beroza (2002, JGR 107(B11): 2308). All of it is a pure function of the
plane and of normals.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from gwm_hazard.errors import InputError
from gwm_hazard.simulations.layers import Layers
from gwm_hazard.simulations.moment_rate import moment_n_m
from gwm_hazard.simulations.points import Points

Array = NDArray[np.float64]

#: Coefficient of variation of slip, Hurst exponent of its spectrum (Graves and Pitarka 2016; Mai
#: and Beroza 2002), standard deviations of rake, and of strike and dip, deg. A smooth plane in a
#: layered earth has sharper nodal planes than are observed above 1 Hz (Pulido and Kubo 2004).
SLIP_VARIATION, HURST, RAKE_SD, ROUGHNESS_SD = 0.85, 0.75, 15.0, 15.0

#: Rupture velocity over that of S, and its factor above 5 km, none below 8 km.
RUPTURE_VELOCITY, SHALLOW_FACTOR, SHALLOW_KM = 0.8, 0.7, (5.0, 8.0)

#: Of the average rise time, s, and of the advance of rupture where slip is large, s: factors on
#: the cube root of the moment in dyne cm.
_RISE, _ADVANCE = 1.6e-9, 1.8e-9

#: Shares of length, at both ends, and of width, at the bottom, over which slip tapers.
_TAPER_ENDS, _TAPER_BOTTOM = 0.1, 0.1


class Normals(Protocol):
    """Standard normals by the name of a stream, a row a draw, as of a Noise."""

    def normal(self, stream: str, size: int, *, per_event: bool = False) -> NDArray[np.float32]:
        """(n, size)."""


@dataclass(frozen=True)
class Plane:
    """A rectangular rupture.

    Attributes
    ----------
    mag : Mw
    strike, dip, rake : deg
    ztor : depth of its top, km
    width, length : km, along dip and along strike
    north_km, east_km : where the middle of the plane is, from any origin
    """

    mag: float
    strike: float
    dip: float
    rake: float
    ztor: float
    width: float
    length: float
    north_km: float = 0.0
    east_km: float = 0.0

    def __post_init__(self) -> None:
        if not (self.width > 0 and self.length > 0 and self.ztor >= 0 and 0 < self.dip <= 90):
            raise InputError(
                f"rupture: width = {self.width:g} km, length = {self.length:g} km, ztor = "
                f"{self.ztor:g} km, dip = {self.dip:g} deg: must be > 0, and dip at most 90"
            )

    def rrup_km(self, north_km: float, east_km: float) -> float:
        """Closest distance to a site at the surface, km."""
        strike, dip = np.radians([self.strike, self.dip])
        north, east = north_km - self.north_km, east_km - self.east_km
        along = north * np.cos(strike) + east * np.sin(strike)
        across = east * np.cos(strike) - north * np.sin(strike)
        top = across + 0.5 * self.width * np.cos(dip)  # from above the top edge, down dip
        down = np.clip(top * np.cos(dip) - self.ztor * np.sin(dip), 0.0, self.width)
        beyond = max(abs(along) - 0.5 * self.length, 0.0)
        depth = self.ztor + down * np.sin(dip)
        return float(np.sqrt(beyond**2 + (top - down * np.cos(dip)) ** 2 + depth**2))


def wells_coppersmith(mag: float, rake: float) -> tuple[float, float]:
    """Area, km2, and width, km, of a rupture (Wells and Coppersmith 1994, table 2A)."""
    if abs(rake) <= 45 or abs(rake) >= 135:
        area, width = (-3.42, 0.90), (-0.76, 0.27)
    elif rake > 0:
        area, width = (-3.99, 0.98), (-1.61, 0.41)
    else:
        area, width = (-2.87, 0.82), (-1.14, 0.35)
    return 10.0 ** (area[0] + area[1] * mag), 10.0 ** (width[0] + width[1] * mag)


def rupture_points(
    plane: Plane, layers: Layers, max_hz: float, noise: Normals, spacing_km: float | None = None
) -> Points:
    """A finite source as points, whose ``parameter`` is the rise time (yoffe), s.

    Streams: "rupture slip", "rupture rake", "rupture strike", "rupture dip" and "rupture
    hypocentre", the same for all sites of an event.

    Parameters
    ----------
    max_hz : points are no further apart than a quarter of the S wavelength there
    noise : of one draw
    spacing_km : in place of that
    """
    middle = plane.ztor + 0.5 * plane.width * np.sin(np.radians(plane.dip))
    spacing = spacing_km or float(layers.at("vs_km_s", np.array(middle))) / (4.0 * max_hz)
    nx = max(1, int(np.ceil(plane.length / spacing)))
    nz = max(1, int(np.ceil(plane.width / spacing)))
    x = (np.arange(nx) + 0.5) / nx  # shares of length and of width
    z = (np.arange(nz) + 0.5) / nz
    depth = plane.ztor + z * plane.width * np.sin(np.radians(plane.dip))
    slip = _slip(plane, nx, nz, noise)
    at = _hypocentre(noise)
    moment = slip * (layers.at("density_g_cm3", depth) * layers.at("vs_km_s", depth) ** 2)
    moment *= moment_n_m(plane.mag) / moment.sum()
    rake = RAKE_SD * _field("rupture rake", plane, nx, nz, noise)
    rough = [
        ROUGHNESS_SD * _field(f"rupture {angle}", plane, nx, nz, noise)
        for angle in ("strike", "dip")
    ]
    down = (z - 0.5)[None, :] * plane.width * np.cos(np.radians(plane.dip))
    along = (x - 0.5)[:, None] * plane.length
    strike = np.radians(plane.strike)
    return Points(
        north_km=(plane.north_km + along * np.cos(strike) - down * np.sin(strike)).ravel(),
        east_km=(plane.east_km + along * np.sin(strike) + down * np.cos(strike)).ravel(),
        depth_km=np.tile(depth, nx),
        moment_n_m=moment.ravel(),
        delay_s=_rupture_times(plane, layers, x, z, slip, at).ravel(),
        parameter=_rise_times(plane, depth, slip).ravel(),
        strike=(plane.strike + rough[0]).ravel(),
        dip=(plane.dip + rough[1]).ravel(),
        rake=(plane.rake + rake).ravel(),
    )


def _hypocentre(noise: Normals) -> tuple[float, float]:
    """Shares of length and width: normal (0.5, 0.23) and Weibull (0.626, 3.921).

    Mai et al. (2005, BSSA 95(3): 965-980), for all mechanisms; cut to the plane.
    """
    normals = noise.normal("rupture hypocentre", 2, per_event=True)[0].astype(np.float64)
    down = 0.626 * (-np.log1p(-ndtr(min(normals[1], 4.0)))) ** (1.0 / 3.921)
    return float(np.clip(0.5 + 0.23 * normals[0], 0.02, 0.98)), float(np.clip(down, 0.05, 0.98))


def _field(stream: str, plane: Plane, nx: int, nz: int, noise: Normals) -> Array:
    """Random field (nx, nz) of mean 0 and variance 1 with a von Karman spectrum.

    Correlation lengths 2 + L / 3 along strike and 1 + W / 3 down dip, km (Mai and Beroza 2002).
    The field is made on a plane twice as large, so that opposite edges do not meet.
    """
    mx, mz = 2 * nx, 2 * nz
    white = noise.normal(stream, mx * mz, per_event=True)[0].astype(np.float64).reshape(mx, mz)
    kx = 2.0 * np.pi * np.fft.fftfreq(mx, plane.length / nx) * (2.0 + plane.length / 3.0)
    kz = 2.0 * np.pi * np.fft.rfftfreq(mz, plane.width / nz) * (1.0 + plane.width / 3.0)
    amplitude = (1.0 + kx[:, None] ** 2 + kz**2) ** (-0.5 * (HURST + 1.0))
    field = np.fft.irfft2(np.fft.rfft2(white) * amplitude, s=(mx, mz))[:nx, :nz]
    field = field - field.mean()
    return np.asarray(field / field.std()) if field.size > 1 else field


def _slip(plane: Plane, nx: int, nz: int, noise: Normals) -> Array:
    """Slip (nx, nz) with a mean of 1: never below 0.05, tapered where the plane ends."""
    slip = np.maximum(1.0 + SLIP_VARIATION * _field("rupture slip", plane, nx, nz, noise), 0.05)
    x, z = (np.arange(nx) + 0.5) / nx, (np.arange(nz) + 0.5) / nz
    ends = np.clip(np.minimum(x, 1.0 - x) / _TAPER_ENDS, 0.0, 1.0)
    bottom = np.clip((1.0 - z) / _TAPER_BOTTOM, 0.0, 1.0)
    slip *= np.sqrt(ends)[:, None] * np.sqrt(bottom)
    return slip / slip.mean()


def _shallow(depth: Array, factor: float) -> Array:
    """A factor above 5 km, 1 below 8 km, linear between."""
    return 1.0 + (factor - 1.0) * np.clip(
        (SHALLOW_KM[1] - depth) / (SHALLOW_KM[1] - SHALLOW_KM[0]), 0.0, 1.0
    )


def _rupture_times(
    plane: Plane, layers: Layers, x: Array, z: Array, slip: Array, at: tuple[float, float]
) -> Array:
    """Start of slip, s, (nx, nz): along straight lines from the hypocentre, sooner where slip is
    large."""
    fine = np.linspace(0.0, plane.width, 200)
    depth = plane.ztor + fine * np.sin(np.radians(plane.dip))
    slowness = 1.0 / (
        RUPTURE_VELOCITY * layers.at("vs_km_s", depth) * _shallow(depth, SHALLOW_FACTOR)
    )
    steps = 0.5 * (slowness[1:] + slowness[:-1]) * np.diff(fine)
    summed = np.concatenate([[0.0], np.cumsum(steps)])
    here, there = at[1] * plane.width, z * plane.width
    gap = there - here
    near = np.abs(gap) < 1e-3 * plane.width
    between = np.interp(there, fine, summed) - np.interp(here, fine, summed)
    mean = np.where(near, np.interp(here, fine, slowness), between / np.where(near, 1.0, gap))
    distance = np.hypot((x - at[0])[:, None] * plane.length, gap)
    # Graves and Pitarka (2010), eq. 5
    ln = np.log(np.maximum(slip, 1e-3))
    share = ln / ln.max() if ln.max() > 0 else np.zeros_like(ln)
    advance = _ADVANCE * np.cbrt(1e7 * moment_n_m(plane.mag)) * np.maximum(share, -1.0)
    time = np.maximum(distance * mean - advance, 0.0)
    return time - time.min()


def _rise_times(plane: Plane, depth: Array, slip: Array) -> Array:
    """Rise time, s, (nx, nz): as the root of slip, twice that near the surface, shorter on
    shallow reverse faults (Graves and Pitarka 2010, eq. 7 to 9)."""
    of_dip = 1.0 - np.clip((plane.dip - 45.0) / 45.0, 0.0, 1.0)
    of_rake = 1.0 - abs(plane.rake - 90.0) / 90.0 if 0.0 <= plane.rake <= 180.0 else 0.0
    mean = _RISE * np.cbrt(1e7 * moment_n_m(plane.mag)) / (1.0 + 0.1 * of_dip * of_rake)
    rise = np.sqrt(np.maximum(slip, 0.0)) * _shallow(depth, 2.0)
    return np.maximum(rise * mean / rise.mean(), 0.05 * mean)
