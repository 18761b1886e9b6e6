"""Motions as envelopes: the energy of bands of frequency over time, and noise that follows it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray

from gwm_hazard.representation.stft import STFT

#: Samples between tokens, and of a window; at 100 Hz 0.32 and 0.64 s.
HOP, WINDOW = 32, 64
TRANSFORM = STFT(WINDOW, HOP, WINDOW, WINDOW // 2 + 1)
#: First row of each band; the last one ends at the Nyquist frequency.
EDGES = (0, 2, 3, 4, 5, 7, 9, 12, 16, 22, 33)
BANDS = len(EDGES) - 1
#: Lowest energy beside the mean over time.
FLOOR = 1e-5
#: Brings ln of energy near 0 and 1.
_MEAN, _SD = -3.0, 3.0
#: Of noise's own energy: where it is low by chance, it is not raised without end.
_LEAST = 0.05
#: Samples of the low band a token, by component, and ln of its energy.
PHASES = 4
FEATURES = 3 * (PHASES + 1)
#: Lowest energy of the low band beside its peak.
_FLOOR_LOW = 1e-6
#: Share of the energy of the low band that has come at the time from which tokens are counted.
ONSET = 0.01


@lru_cache(maxsize=1)
def _bands() -> torch.Tensor:
    """Means over the rows of each band, (rows, BANDS)."""
    found = torch.zeros(TRANSFORM.n_freq, BANDS)
    for k in range(BANDS):
        found[EDGES[k] : EDGES[k + 1], k] = 1.0 / (EDGES[k + 1] - EDGES[k])
    return found


@lru_cache(maxsize=1)
def _rows() -> torch.Tensor:
    """From bands to rows, straight lines between their middles, (BANDS, rows)."""
    middle = [(EDGES[k] + EDGES[k + 1] - 1) / 2.0 for k in range(BANDS)]
    rows = np.arange(TRANSFORM.n_freq)
    return torch.from_numpy(np.stack([np.interp(rows, middle, unit) for unit in np.eye(BANDS)]))


def tokens(npts: int) -> int:
    """How many describe so many samples."""
    return -(-npts // HOP) + 1


def _whole(motion: torch.Tensor) -> torch.Tensor:
    """Zeros at the end, to a whole number of hops."""
    return torch.nn.functional.pad(motion, (0, -motion.shape[-1] % HOP))


def _spectra(motion: torch.Tensor) -> torch.Tensor:
    """(n, 3, nt) to complex (n, 3, tokens, rows)."""
    whole = _whole(motion)
    found = TRANSFORM.analyse(whole.flatten(0, 1))
    return found.view(*whole.shape[:2], *found.shape[1:])


def _energy(spectra: torch.Tensor) -> torch.Tensor:
    """(n, 3, tokens, BANDS)."""
    power = spectra.abs().square()
    return torch.einsum("nctr,rb->nctb", power, _bands().to(power))


def envelope(motion: torch.Tensor) -> torch.Tensor:
    """ln energy of bands beside its mean over time, near 0 and 1: (n, tokens, 3 * BANDS).

    Parameters
    ----------
    motion : (n, 3, nt), what is above the crossover of a record; its level leaves no trace
    """
    energy = _energy(_spectra(motion))
    mean = energy.mean(dim=2, keepdim=True).clamp_min(1e-30)
    ln = torch.log(energy / mean + FLOOR)
    return ((ln - _MEAN) / _SD).transpose(1, 2).flatten(2)


def carried(ln_energy: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Noise (n, 3, nt) whose energy in bands follows envelopes (n, tokens, 3 * BANDS)."""
    apart = ln_energy.reshape(*ln_energy.shape[:2], 3, BANDS).transpose(1, 2)
    wanted = torch.exp(apart * _SD + _MEAN)
    spectra = _spectra(noise)
    own = _energy(spectra)
    ln_gain = torch.log(wanted / (own + _LEAST * own.mean(dim=2, keepdim=True))) / 2.0
    gain = torch.exp(torch.einsum("nctb,br->nctr", ln_gain, _rows().to(ln_gain)))
    made = TRANSFORM.synthesise((spectra * gain).flatten(0, 1))
    return made.view(*noise.shape[:2], -1)[..., : noise.shape[2]]


def features(low: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What a network sees of a low band, and when it sees it.

    Parameters
    ----------
    low : (n, 3, nt), over its peak

    Returns
    -------
    (n, tokens, FEATURES): samples, PHASES a token, and ln of the energy of the window; (n, tokens):
    time since ONSET of the energy, in tokens
    """
    whole = torch.nn.functional.pad(_whole(low), (HOP, HOP))
    frames = whole.unfold(2, 2 * HOP, HOP)  # (n, 3, tokens, 2 HOP), centred at the tokens
    step = 2 * HOP // PHASES
    samples = frames[..., step // 2 :: step]
    energy = torch.log(frames.square().mean(dim=3) + _FLOOR_LOW)
    scaled = (energy - np.log(_FLOOR_LOW)) / -np.log(_FLOOR_LOW) * 4.0 - 2.0
    seen = torch.cat([3.0 * samples, scaled[..., None]], dim=3)
    come = low.square().sum(dim=1).cumsum(dim=1)
    first = (come < ONSET * come[:, -1:]).sum(dim=1, keepdim=True) / HOP
    when = torch.arange(seen.shape[2], device=low.device)[None] - first
    return seen.transpose(1, 2).flatten(2), when.to(low.dtype)


def normals(stream: NDArray[np.float32], n: int, npts: int) -> torch.Tensor:
    """A stream of numbers as three components, (n, 3, npts)."""
    return torch.from_numpy(stream).view(n, 3, npts)
