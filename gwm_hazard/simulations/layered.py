"""Low frequencies of scenarios by a layered earth: what a file of layers says, and its motions.

fc_hz = 1.0                       # crossover: motions are right up to here

[layers]                          # from the surface down; the last one is a half-space
thickness_km = [0.5, 5.0, 10.5, 16.0, 0.0]
vp_km_s = [3.6, 5.5, 6.3, 6.7, 7.8]
vs_km_s = [2.0, 3.18, 3.64, 3.87, 4.5]
density_g_cm3 = [2.3, 2.5, 2.67, 2.8, 3.3]
qp = [200, 600, 600, 600, 900]
qs = [100, 300, 300, 300, 450]

[source]                          # all with these defaults
kind = "finite"                   # or "point"
stress_bar = 186.3                # of a point's corner (Brune)
seismogenic_km = 16.0             # bottom of ruptures of random geometry

[library]
max_distance_km = 150.0
step_km = 1.0
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.core.low_frequency import LowFrequency
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.core.site_amplification import BOORE_2016_SOURCE, linear_factor
from gwm_hazard.errors import InputError
from gwm_hazard.files.foreign import read_text
from gwm_hazard.simulations.layers import Layers
from gwm_hazard.simulations.library import Library
from gwm_hazard.simulations.moment_rate import corner_hz, moment_n_m
from gwm_hazard.simulations.points import Points, site_velocity
from gwm_hazard.simulations.rupture import Plane, rupture_points, wells_coppersmith

Array = NDArray[np.float64]

KINDS = ("finite", "point")

#: End of the transition of the splice over the crossover: motions have to be right up to there.
STOP = 1.2

_SOURCE = {"kind": "finite", "stress_bar": 186.3, "seismogenic_km": 16.0}
_LIBRARY = {"max_distance_km": 150.0, "step_km": 1.0}


@dataclass(frozen=True)
class LayeredSource:
    """Low-frequency motions of a layered earth for ruptures and sites.

    A motion is a pure function of its conditions (:attr:`columns`) and of the noise of its event,
    which draws slip, rake, rise time and hypocentre (:mod:`gwm_hazard.simulations.rupture`).

    Attributes
    ----------
    layers : the earth
    fc_hz : crossover, Hz
    kind : "finite", or "point" with Brune's moment rate
    stress_bar : stress parameter of a point, bar
    seismogenic_km : depth that ruptures of random geometry do not pass
    max_distance_km, step_km : of the :class:`Library`; parts of a rupture that are further from a
        site are taken to be there
    """

    layers: Layers
    fc_hz: float = 1.0
    kind: str = "finite"
    stress_bar: float = 186.3
    seismogenic_km: float = 16.0
    max_distance_km: float = 150.0
    step_km: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InputError(f"source: kind = {self.kind!r}: must be one of {', '.join(KINDS)}")
        for name in ("fc_hz", "stress_bar", "seismogenic_km"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or not value > 0:
                raise InputError(f"{name} = {value!r}: must be a number above 0")

    @classmethod
    def read(cls, path: str | Path) -> LayeredSource:
        """What a file of layers says.

        Raises
        ------
        InputError
            No such file, no TOML, unknown names or values that nothing has.
        """
        try:
            table = tomllib.loads(read_text(Path(path)))
        except OSError as exc:
            raise InputError(
                f"low_frequency = {str(path)!r}: cannot be read ({exc.strerror})"
            ) from exc
        except ValueError as exc:
            raise InputError(f"{path}: not TOML ({exc})") from exc
        try:
            return cls.of(table)
        except InputError as exc:
            raise InputError(f"{path}: {exc}") from exc

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> LayeredSource:
        """The source of a nested table, as of the file."""
        given: dict[str, Any] = {}
        for section, known in (("source", _SOURCE), ("library", _LIBRARY)):
            for name, value in table.get(section, {}).items():
                if name not in known:
                    raise InputError(f"{section}: unknown {name!r}; known: {', '.join(known)}")
                given[name] = value
        if unknown := sorted(set(table) - {"fc_hz", "layers", "source", "library"}):
            raise InputError(f"unknown {unknown[0]!r}; known: fc_hz, layers, source, library")
        if "layers" not in table:
            raise InputError("[layers] is missing: thickness_km, vp_km_s, vs_km_s ...")
        return cls(Layers.of(table["layers"]), table.get("fc_hz", 1.0), **given)

    def to_dict(self) -> dict[str, Any]:
        """The nested table again."""
        layers = {k: list(v) for k, v in vars(self.layers).items()}
        return json.loads(
            json.dumps(
                {
                    "fc_hz": self.fc_hz,
                    "layers": layers,
                    "source": {k: getattr(self, k) for k in _SOURCE},
                    "library": {k: getattr(self, k) for k in _LIBRARY},
                }
            )
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """Conditions that a motion depends on; vs30 where scenarios have it."""
        where = ("mag", "repi", "azimuth", "strike", "dip", "rake")
        return (*where, "hypo_depth") if self.kind == "point" else (*where, "ztor", "width")

    @property
    def reach_km(self) -> float:
        """Epicentral distance to which motions are made: parts of a long rupture lie further."""
        return 0.8 * self.max_distance_km

    @cached_property
    def library(self) -> Library:
        """The Green's functions."""
        return Library(self.layers, STOP * self.fc_hz, self.max_distance_km, self.step_km)

    def __call__(
        self, scenarios: Scenarios, noise: Noise, start_s: Array | None = None, nt: int = 0
    ) -> LowFrequency:
        """Motions of n scenarios: north, east, up; acceleration, m/s2.

        Parameters
        ----------
        scenarios : with :attr:`columns`: ``azimuth`` from strike, of the site as seen from the
            middle of the rupture, and ``repi`` from there, as of OpenQuake. With ``vs30``
            horizontals are amplified from the layers' surface to it.
        noise : n keys
        start_s : (n,), time after the origin at which a record starts
        nt : samples, zeros after the end; by default all from the start on

        Raises
        ------
        InputError
            A condition that is missing, a rupture out of the library's reach.
        """
        scenarios.require(self.columns, "the layered source")
        library = self.library
        start = np.zeros(len(scenarios)) if start_s is None else start_s
        amplitude = self._site(scenarios)
        f = library.frequencies_hz
        nt = nt or library.nt
        out = np.zeros((len(scenarios), 3, nt))
        sources: dict[bytes, Points] = {}
        for i in range(len(scenarios)):
            row = scenarios.take([i])
            points = self._points(row, noise.take([i]), sources)
            angle = np.radians(row["azimuth"][0] + row["strike"][0])
            north, east = row["repi"][0] * np.cos(angle), row["repi"][0] * np.sin(angle)
            shape = "brune" if self.kind == "point" else "yoffe"
            velocity = site_velocity(library, points, north, east, shape, clip=True)
            velocity[:2] *= amplitude[i]
            velocity *= 2j * np.pi * f * np.exp(2j * np.pi * f * start[i])
            motion = np.fft.irfft(velocity, library.nt) / library.dt_s
            out[i, :, : library.nt] = motion[:, :nt]
        return LowFrequency(out, library.dt_s, self.fc_hz, start)

    def _points(self, row: Scenarios, noise: Noise, made: dict[bytes, Points]) -> Points:
        """The source of one scenario; the sites of an event share it."""
        mag, strike, dip, rake = (float(row[k][0]) for k in ("mag", "strike", "dip", "rake"))
        if self.kind == "point":
            depth = row["hypo_depth"]
            beta = self.layers.at("vs_km_s", depth)
            corner = corner_hz(mag, self.stress_bar, beta)
            zero = np.zeros(1)
            return Points(zero, zero, depth, moment_n_m(mag), zero, corner, strike, dip, rake)
        width, length = _sides(mag, rake, float(row["width"][0]))
        plane = Plane(mag, strike, dip, rake, float(row["ztor"][0]), width, length)
        # By the numbers that are drawn, whatever kind of noise draws them.
        drawn = noise.normal("rupture hypocentre", 2, per_event=True)
        key = np.array([mag, strike, dip, rake, plane.ztor, width]).tobytes() + drawn.tobytes()
        if key not in made:
            made.clear()  # the sites of an event come together
            made[key] = rupture_points(plane, self.layers, STOP * self.fc_hz, noise)
        return made[key]

    def _site(self, scenarios: Scenarios) -> Array:
        """Amplification (n, nf) of horizontals from the surface of the layers to Vs30.

        The published one over that of the layers, which the Green's functions have already: by
        impedances averaged over a quarter of a wavelength (Joyner, Warrick and Fumal 1981).
        """
        f = self.library.frequencies_hz
        out = np.ones((len(scenarios), len(f)))
        if "vs30" not in scenarios:
            return out
        depth = np.geomspace(1e-3, 200.0, 400)
        time = self.layers.s_time_s(depth)
        middle = np.concatenate([[0.5 * depth[0]], 0.5 * (depth[1:] + depth[:-1])])
        mass = np.cumsum(self.layers.at("density_g_cm3", middle) * np.diff(depth, prepend=0.0))
        impedance = (mass / depth) * (depth / time)
        at = np.interp(np.log(f[1:]), np.log(0.25 / time)[::-1], impedance[::-1])
        own = np.sqrt(BOORE_2016_SOURCE / at)
        out[:, 1:] = linear_factor(f[1:], scenarios["vs30"]) / np.maximum(own, 1.0)
        return out

    def arrivals_s(self, scenarios: Scenarios) -> tuple[Array, Array]:
        """First P and last motion that matters, s after the origin, (n,).

        P straight from the nearest point that can rupture; S from the furthest one, the rupture
        to there, and what follows.
        """
        mag, repi = scenarios["mag"], scenarios["repi"]
        fastest = max(self.layers.vp_km_s)
        if self.kind == "point":
            depth, length = scenarios["hypo_depth"], np.zeros(len(scenarios))
        else:
            told = zip(mag, scenarios["rake"], scenarios["width"], strict=True)
            depth, length = scenarios["ztor"], np.array([_sides(*v)[1] for v in told])
        near = np.hypot(np.maximum(repi - 0.5 * length, 0.0), depth)
        slow = float(self.layers.at("vs_km_s", np.array(5.0)))
        s_s = np.hypot(repi, depth) / slow
        return near / fastest, s_s + 0.5 * length / (0.75 * slow)


def _sides(mag: float, rake: float, width: float) -> tuple[float, float]:
    """Width and length, km, of a rupture by its width; a point has none, and is given one."""
    area, usual = wells_coppersmith(mag, rake)
    if width < 0.2 * usual:
        width = usual
    return width, area / width
