"""A library of Green's functions in depth and distance: computed once, kept, interpolated."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from gwm_hazard.errors import InputError
from gwm_hazard.files.parts import keep, kept
from gwm_hazard.files.user_folders import cache_folder
from gwm_hazard.simulations.green import green_functions
from gwm_hazard.simulations.layers import Layers

log = logging.getLogger(__name__)

Array = NDArray[np.float64]

#: What decides the numbers of a library beside its settings: raise it where they change.
VERSION = 1

#: Time before the origin in which what a band limit makes of an onset may ring, s.
LEAD_S = 5.0

#: Depth of the first row, in steps.
SHALLOWEST = 0.5

#: Steps of distance up to which nodes are one apart.
_NEAR = 31

#: Frequencies are computed to this times ``max_hz``, the rest a taper: no ringing at the end.
_BEYOND = 1.25

#: Share of the window that fades, ending in half as much of zeros.
_ENDING = 0.08

#: No wave that matters is slower than this share of the slowest S wave.
_SLOWEST = 0.85


@dataclass(frozen=True)
class Library:
    """Green's functions of a layered earth on a grid of source depths and distances.

    A row, all distances of a depth, is computed when it is asked for, and kept in the user's
    cache under what decides it.

    Attributes
    ----------
    layers : the earth
    max_hz : highest frequency without loss
    max_distance_km, step_km : distances to this one; steps of depth and distance
    after_s : time after the slowest wave of the furthest distance: what a source lasts
    """

    layers: Layers
    max_hz: float
    max_distance_km: float = 150.0
    step_km: float = 1.0
    after_s: float = 40.0

    def __post_init__(self) -> None:
        for name in ("max_hz", "max_distance_km", "step_km", "after_s"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise InputError(f"{name} = {getattr(self, name)}: must be > 0")
        if self.max_distance_km < 4 * self.step_km:
            raise InputError(
                f"max_distance_km = {self.max_distance_km:g}: must be at least four steps of "
                f"{self.step_km:g} km"
            )

    @property
    def dt_s(self) -> float:
        """Time step, s: four samples in the period of the highest frequency."""
        return 0.25 / self.max_hz

    @property
    def nt(self) -> int:
        """Samples: the slowest wave and what a source lasts, and what fades at the end."""
        slowest = self.max_distance_km / (_SLOWEST * min(self.layers.vs_km_s))
        samples = (LEAD_S + slowest + self.after_s) / (1.0 - _ENDING) / self.dt_s
        return 64 * math.ceil(samples / 64)

    @property
    def frequencies_hz(self) -> Array:
        """Of the spectra, (nf,)."""
        f = np.fft.rfftfreq(self.nt, self.dt_s)
        return np.asarray(f[f < _BEYOND * self.max_hz])

    @property
    def distances_km(self) -> Array:
        """Nodes, (n,): the first one near the epicentre instead of there; far ones two steps apart.

        With distance, paths to two nodes differ less in what they meet.
        """
        near = np.arange(0.0, min(_NEAR, self.max_distance_km / self.step_km), 1.0)
        far = np.arange(near[-1] + 1.0, self.max_distance_km / self.step_km + 2.0, 2.0)
        nodes = self.step_km * np.concatenate([near, far])
        nodes[0] = 0.02 * self.step_km
        return nodes

    def depth_km(self, row: int) -> float:
        """Depth of a row; the first one stands for all above, near the surface all is dear."""
        return (row or SHALLOWEST) * self.step_km

    def key(self) -> str:
        """What decides the numbers, in a line."""
        return json.dumps({"version": VERSION, **asdict(self)}, sort_keys=True)

    @property
    def folder(self) -> Path:
        """Where the rows are kept."""
        return cache_folder() / "green" / hashlib.sha256(self.key().encode()).hexdigest()[:16]

    def row(self, row: int) -> tuple[NDArray[np.complex64], Array]:
        """Spectra of a depth and its S arrivals.

        Returns
        -------
        (n, 8, nf) complex64, velocity in m/s times s after a step of 1 N m; (n,) s
        """
        path = self.folder / f"{row:04d}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        if (found := kept(path, self.key())) is None:
            with FileLock(path.with_suffix(".lock")):  # workers of a job ask at once
                if (found := kept(path, self.key())) is None:
                    found = self._computed(row)
                    keep(path, self.key(), **found)
        return found["spectra"], found["s_s"]

    def _computed(self, row: int) -> dict[str, Any]:
        depth = self.depth_km(row)
        log.info("Green's functions of sources at %g km depth", depth)
        f, top = self.frequencies_hz, _BEYOND * self.max_hz
        found = green_functions(
            self.layers, depth, self.distances_km, self.nt, self.dt_s, top, LEAD_S
        )
        x = np.clip((f - self.max_hz) / (top - self.max_hz), 0.0, 1.0)
        # What rings before the start stands at the end of the window, many times enlarged.
        ending = np.clip((self.nt - np.arange(self.nt)) / (_ENDING * self.nt) - 0.5, 0.0, 1.0)
        ending = (0.5 - 0.5 * np.cos(np.pi * ending)).astype(np.float32)
        spectra = np.fft.rfft(found.velocity * ending)[..., : len(f)] * self.dt_s
        spectra *= (0.5 + 0.5 * np.cos(np.pi * x)) * np.exp(2j * np.pi * f * LEAD_S)
        return {"spectra": spectra.astype(np.complex64), "s_s": found.s_s}

    def rows(self, first: int, last: int) -> tuple[NDArray[np.complex64], Array]:
        """Rows from first to last, the last one with them: (n_rows, n, 8, nf) and (n_rows, n)."""
        return _stacked(self, first, last)


@lru_cache(maxsize=4)
def _stacked(library: Library, first: int, last: int) -> tuple[NDArray[np.complex64], Array]:
    held = [_held(library, row) for row in range(first, last + 1)]
    return np.stack([spectra for spectra, _ in held]), np.stack([s_s for _, s_s in held])


@lru_cache(maxsize=64)  # about 1.5 MB each at 1 Hz and 150 km
def _held(library: Library, row: int) -> tuple[NDArray[np.complex64], Array]:
    return library.row(row)
