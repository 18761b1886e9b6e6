"""Levels: smoothed Fourier amplitudes of motions at a few frequencies, read and given.

Energies are smoothed by a Gaussian window in ln f. What a motion is brought to a level by is one
real factor a frequency, smooth in ln f: its phases and the fine structure of its spectrum stay.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Width of the Gaussian window that smooths energies, in ln f.
WIDTH = 0.13
#: Passes that bring a motion to its level: the window sees neighbouring frequencies.
PASSES = 3
_TINY = 1e-30


@lru_cache(maxsize=64)
def _weights(size: int, dt_s: float, centres_hz: tuple[float, ...]) -> Array:
    """(size // 2 + 1, centres): of the energies of a transform, each column adds up to 1."""
    frequency = np.fft.rfftfreq(size, dt_s)
    ln_f = np.log(np.maximum(frequency, 0.5 * frequency[1]))
    place = (ln_f[:, None] - np.log(centres_hz)) / WIDTH
    weights = np.exp(-0.5 * place**2) / np.maximum(frequency, frequency[1])[:, None]
    weights[0] = 0.0
    found: Array = weights / weights.sum(axis=0)
    return found


def ln_amplitude(motion: Array, dt_s: float, centres_hz: Array) -> Array:
    """ln of smoothed Fourier amplitudes, m/s, of motions (..., nt): (..., centres)."""
    size = 2 * motion.shape[-1]
    power = np.abs(np.fft.rfft(motion, size) * dt_s) ** 2
    weights = _weights(size, dt_s, tuple(centres_hz.tolist()))
    # Not a product of matrices: a row must not depend on the others, to the last bit.
    smooth = np.einsum("...k,kj->...j", power, weights)
    found: Array = 0.5 * np.log(np.maximum(smooth, _TINY))
    return found


@lru_cache(maxsize=64)
def _operators(size: int, dt_s: float, centres_hz: tuple[float, ...]) -> tuple[Array, Array]:
    """From points to frequencies of a transform (centres, size // 2 + 1), and what undoes windows.

    The second tells how to change points so that what the windows see changes as is wanted: with
    it three passes are enough.
    """
    ln_f = np.log(np.maximum(np.fft.rfftfreq(size, dt_s), 0.1 * centres_hz[0]))
    ln_centres = np.log(centres_hz)
    spread = np.stack([np.interp(ln_f, ln_centres, row) for row in np.eye(len(centres_hz))])
    undone = np.linalg.inv(spread @ _weights(size, dt_s, centres_hz))
    return spread, np.asarray(undone, dtype=np.float64)


def at_level(motion: Array, dt_s: float, ln_level: Array, centres_hz: Array) -> Array:
    """Motions (..., nt) whose smoothed amplitudes are (..., centres): one real factor a frequency.

    Phases stay. Beyond the ends of the grid the factor is that of its end. A motion of zeros stays.
    """
    nt = motion.shape[-1]
    spread, seen = _operators(2 * nt, dt_s, tuple(centres_hz.tolist()))
    for _ in range(PASSES):
        missing = ln_level - ln_amplitude(motion, dt_s, centres_hz)
        factor = np.exp(
            np.einsum("...j,jk->...k", np.einsum("...i,ij->...j", missing, seen), spread)
        )
        motion = np.fft.irfft(np.fft.rfft(motion, 2 * nt) * factor, 2 * nt)[..., :nt]
    return motion


def energy_mean(first: Array, second: Array) -> Array:
    """ln of the root of the mean square of two amplitudes, of their logarithms."""
    with np.errstate(invalid="ignore"):  # NaN where one is not known
        found: Array = 0.5 * (np.logaddexp(2.0 * first, 2.0 * second) - np.log(2.0))
    return found
