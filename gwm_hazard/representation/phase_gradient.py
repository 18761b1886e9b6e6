# Kernels take their types from numba.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""A phase for a spectrogram, by integrating the gradient that its modulus implies.

For a Gaussian window the modulus of the transform of any record tells the gradient of its phase:
the derivative along time is that of ln modulus along frequency, and the other way round, but for
constants. With a Hann window this holds nearly. The phase is integrated from the largest pixel
outwards, always from the largest pixel reached, along the ridges where it is well determined
(Prusa, Balazs and Sondergaard 2017, IEEE/ACM Trans. Audio Speech Lang. Process. 25(5): 1154-1164).

It is an approximation that takes as long as ten iterations of Griffin-Lim and is worth far more:
see ``validation/highfem/phase_retrieval.py``.
"""

from __future__ import annotations

import numba
import numpy as np
import torch

from gwm_hazard.representation.stft import STFT

#: Variance of the Gaussian nearest to a Hann window of unit length, times 2 pi (ibid., table I).
HANN = 0.25645

#: Pixels below this share of the largest keep the phase of ``start``: they do not matter, and
#: their gradient is that of noise.
LEAST = 1e-4


def gradient_phase(
    magnitude: torch.Tensor, start: torch.Tensor, transform: STFT, least: float = LEAST
) -> torch.Tensor:
    """Phases whose gradient fits the magnitude, (n, n_freq, n_frames), rad, float32.

    Parameters
    ----------
    magnitude : (n, n_freq, n_frames)
        Modulus of the transform. On a GPU it is copied: the integration runs on the CPU.
    start : (n, n_freq, n_frames), or a shape that broadcasts to it
        Phase of the pixels where the integration starts, and of those below ``least`` times the
        largest of their record, rad.
    """
    s = np.ascontiguousarray(magnitude.detach().cpu().transpose(1, 2).float().numpy())
    ln = np.log(np.maximum(s, np.finfo(np.float32).tiny))
    phase = np.empty_like(s)
    phase[:] = start.detach().cpu().float().expand(magnitude.shape).transpose(1, 2).numpy()
    along_time = np.float32(transform.hop * transform.n_fft / (HANN * transform.win_length**2))
    turn = np.float32(2.0 * np.pi * transform.hop / transform.n_fft)
    _integrate_all(ln, s, along_time, turn, np.float32(least), phase)
    return torch.from_numpy(phase).transpose(1, 2).to(magnitude.device)


@numba.njit(cache=True, nogil=True)
def _push(keys, pixels, size, key, pixel):
    """Into a heap whose root is the largest."""
    i = size
    while i > 0:
        parent = (i - 1) >> 1
        if keys[parent] >= key:
            break
        keys[i], pixels[i] = keys[parent], pixels[parent]
        i = parent
    keys[i], pixels[i] = key, pixel


@numba.njit(cache=True, nogil=True)
def _pop(keys, pixels, size):
    """Take the root out of a heap of ``size``."""
    root = pixels[0]
    key, pixel = keys[size - 1], pixels[size - 1]
    i, last = 0, size - 1
    while True:
        child = 2 * i + 1
        if child >= last:
            break
        if child + 1 < last and keys[child + 1] > keys[child]:
            child += 1
        if keys[child] <= key:
            break
        keys[i], pixels[i] = keys[child], pixels[child]
        i = child
    keys[i], pixels[i] = key, pixel
    return root


@numba.njit(cache=True, nogil=True)
def _integrate(ln, s, along_time, turn, least, phase):
    """One record: ln modulus and modulus (frames, rows); phase holds the start, then the result."""
    frames, rows = s.shape
    size = frames * rows
    by_time = np.empty(size, np.float32)
    by_row = np.empty(size, np.float32)
    for n in range(frames):
        for k in range(rows):
            slope = np.float32(0.0)
            if 0 < k < rows - 1:
                slope = np.float32(0.5) * (ln[n, k + 1] - ln[n, k - 1])
            by_time[n * rows + k] = along_time * slope + turn * k
            slope = np.float32(0.0)
            if 0 < n < frames - 1:
                slope = np.float32(0.5) * (ln[n + 1, k] - ln[n - 1, k])
            # a frame starts half its length before its centre: half a turn from row to row
            by_row[n * rows + k] = -slope / along_time - np.float32(np.pi)
    flat, angle = s.ravel(), phase.ravel()
    level = least * flat.max()
    waiting = flat >= level
    keys, pixels = np.empty(size, np.float32), np.empty(size, np.int32)
    half = np.float32(0.5)
    while True:
        seed, largest = -1, np.float32(0.0)
        for p in range(size):
            if waiting[p] and flat[p] > largest:
                seed, largest = p, flat[p]
        if seed < 0:
            return
        waiting[seed] = False
        _push(keys, pixels, 0, largest, seed)
        held = 1
        while held > 0:
            p = _pop(keys, pixels, held)
            held -= 1
            k = p % rows
            for side in range(4):
                if side == 0:
                    q, inside = p + rows, p + rows < size
                elif side == 1:
                    q, inside = p - rows, p >= rows
                elif side == 2:
                    q, inside = p + 1, k + 1 < rows
                else:
                    q, inside = p - 1, k > 0
                if not inside or not waiting[q]:
                    continue
                slopes = by_time if side < 2 else by_row
                step = half * (slopes[p] + slopes[q])
                angle[q] = angle[p] + step if side % 2 == 0 else angle[p] - step
                waiting[q] = False
                _push(keys, pixels, held, flat[q], q)
                held += 1


@numba.njit(cache=True, nogil=True, parallel=True)
def _integrate_all(ln, s, along_time, turn, least, phase):
    for i in numba.prange(s.shape[0]):
        _integrate(ln[i], s[i], along_time, turn, least, phase[i])
