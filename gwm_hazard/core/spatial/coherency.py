"""Coherency of waveforms at short distances.

The white noise that phases are made of is independent from site to site, but for low frequencies
at short distances, where waves are coherent. A part of its spectrum then comes from lattice fields
(:mod:`gwm_hazard.core.spatial.lattice`) that neighbouring sites share, a part of the site's own,
with weights by frequency that add up to 1, so that it stays white at each site.

``HarichandranVanmarcke1986``: Harichandran and Vanmarcke (1986) J. Eng. Mech. 112(2): 154-174,
eq. 11, with the parameters of event 20 at the SMART-1 array: separations of 0.2 to 4 km.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

Array = NDArray[np.float64]

NAMES = ("HarichandranVanmarcke1986",)

#: Correlation lengths of what neighbours share, km.
COHERENT_KM = np.array([0.05, 0.15, 0.5, 1.5, 5.0, 15.0])
#: What is shared has every so manieth sample of a record: 6 Hz at 100 samples a second. Above
#: this share of that band nothing is.
THINNED, BAND = 8, 0.8

_A, _ALPHA, _K_KM, _F0_HZ, _B = 0.736, 0.147, 5.21, 1.09, 2.78
#: Frequencies at which weights are found, Hz, and distances, km.
_AT_HZ = np.array([0.0, 0.3, 0.6, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0])
_AT_KM = np.array([0.0, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.8, 1.2, 2.0, 3.0, 5.0, 8.0, 15.0])


def harichandran_vanmarcke(f_hz: Array, h_km: Array) -> Array:
    """Coherency (without wave passage) at frequencies and distances that broadcast."""
    scale_km = _K_KM / np.sqrt(1.0 + (f_hz / _F0_HZ) ** _B)
    u = 2.0 * h_km * (1.0 - _A + _ALPHA * _A) / scale_km
    found: Array = _A * np.exp(-u / _ALPHA) + (1.0 - _A) * np.exp(-u)
    return found


@lru_cache(maxsize=1)
def _table() -> Array:
    """Weights of the fields at the frequencies, (n_lengths, n_frequencies)."""
    fields = np.exp(-((_AT_KM[:, None] / COHERENT_KM) ** 2))
    columns = []
    for f in _AT_HZ:
        found = nnls(fields, harichandran_vanmarcke(f, _AT_KM))[0]
        columns.append(np.round(found / max(found.sum(), 1.0), 4))
    return np.stack(columns, axis=1)


@dataclass(frozen=True)
class Coherent:
    """White noise of a model that becomes waveforms.

    Attributes
    ----------
    stream : its name, of ``components`` rows of samples
    dt_s : time step, s
    """

    stream: str
    components: int
    dt_s: float

    def weights(self, f_hz: Array) -> Array:
        """Weights of the fields at frequencies (m,), (n_lengths, m); the rest is the site's own."""
        found = np.stack([np.interp(f_hz, _AT_HZ, row) for row in _table()])
        top = BAND * 0.5 / (self.dt_s * THINNED)
        taper = np.clip((top - f_hz) / (0.1 * top), 0.0, 1.0)
        shared: Array = np.minimum(found * taper, 1.0)
        return shared
