"""The splice: a given band below the crossover, kept exactly, and a drawn one above it.

O = L X + H N in frequency on a window padded to twice the length, in float64. L is 1 below 0.8 fc
and falls along a raised cosine to 0 at 1.2 fc. H = sqrt(1 - L^2): phases of a draw are its own, so
powers add; with H = 1 - L up to 3 dB would be missing at fc.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.signal import czt

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

#: Ends of the transition, over the crossover.
PASS, STOP = 0.8, 1.2


def low_mask(frequency_hz: ArrayLike, fc_hz: float) -> Array:
    """L: 1 up to 0.8 fc, a raised cosine to 0 at 1.2 fc."""
    place = (np.asarray(frequency_hz, dtype=np.float64) / fc_hz - PASS) / (STOP - PASS)
    mask: Array = 0.5 + 0.5 * np.cos(np.pi * np.clip(place, 0.0, 1.0))
    return mask


def high_mask(frequency_hz: ArrayLike, fc_hz: float) -> Array:
    """H = sqrt(1 - L^2)."""
    mask: Array = np.sqrt(1.0 - low_mask(frequency_hz, fc_hz) ** 2)
    return mask


def padded(npts: int) -> int:
    """Samples of the window on which frequencies are spliced."""
    return 2 * npts


def low_spectrum(motion: Array, dt_s: float, npts: int, out_dt_s: float, fc_hz: float) -> Complex:
    """L X of a motion at the frequencies of the padded window of another time step.

    Parameters
    ----------
    motion : (..., nt), at steps of ``dt_s``, zero outside; ``fc_hz`` below 1 / (4 dt_s)
    npts, out_dt_s : samples of the result and its time step

    Returns
    -------
    (..., npts + 1) complex: the transform of the motion itself (Bluestein 1970, no
    interpolation), times L; scaled as numpy's of a signal of step ``out_dt_s``
    """
    size = padded(npts)
    frequency = np.fft.rfftfreq(size, out_dt_s)
    below = int(np.searchsorted(frequency, STOP * fc_hz))
    out = np.zeros((*motion.shape[:-1], len(frequency)), dtype=np.complex128)
    step = np.exp(-2j * np.pi * frequency[1] * dt_s)
    found = czt(np.asarray(motion, dtype=np.float64), m=below, w=step, a=1.0, axis=-1)
    out[..., :below] = found * (dt_s / out_dt_s) * low_mask(frequency[:below], fc_hz)
    return out


def splice(low: Complex, drawn: Array, dt_s: float, fc_hz: float) -> Array:
    """O on the padded window, (..., 2 npts), float64.

    Parameters
    ----------
    low : (..., npts + 1), of :func:`low_spectrum`
    drawn : (..., npts): N, broadband; only what is above 0.8 fc of it is taken
    """
    size = padded(drawn.shape[-1])
    high = np.fft.rfft(np.asarray(drawn, dtype=np.float64), size)
    high *= high_mask(np.fft.rfftfreq(size, dt_s), fc_hz)
    out: Array = np.fft.irfft(low + high, size)
    return out
