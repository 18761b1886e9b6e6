"""The spectrograms of TFCGAN (Esfahani et al. 2023): scaled decimal logarithms of amplitude.

128 frequencies from 0 Hz in steps of 100 / 256 Hz by 248 frames of 0.16 s stand for 3952 samples
at 100 Hz.
"""

from __future__ import annotations

import math

import torch

from gwm_hazard.representation.stft import STFT

#: Hann window of 192 samples in frames of 256, every 16 samples; the Nyquist row is dropped.
TRANSFORM = STFT(n_fft=256, hop=16, win_length=192, n_freq=128)
N_FRAMES = 248
SAMPLING_RATE_HZ = 100.0

#: Decimal logarithms of amplitude that are scaled to -1 and 1.
LOWEST, HIGHEST = -10.0, 2.638887


def amplitude(scaled: torch.Tensor) -> torch.Tensor:
    """What the network draws -> modulus of the transform, m/s2. Values above 1 are not clipped."""
    return torch.pow(10.0, (scaled + 1.0) * (0.5 * (HIGHEST - LOWEST)) + LOWEST)


def scaled_amplitude(acceleration: torch.Tensor) -> torch.Tensor:
    """Records (n, 3952) m/s2 -> spectrograms (n, 128, 248) as the network draws them."""
    modulus = TRANSFORM.forward(acceleration).abs().clamp(min=10.0**LOWEST)
    return (torch.log10(modulus) - LOWEST) * (2.0 / (HIGHEST - LOWEST)) - 1.0


def from_segment_start(phase: torch.Tensor) -> torch.Tensor:
    """Phases (n, 128, 248) that count from the first sample of a window, for :data:`TRANSFORM`.

    The published package puts each window at the start of its frame (scipy's convention), here
    it stands in the middle.
    """
    rows = torch.arange(TRANSFORM.n_freq, dtype=phase.dtype, device=phase.device)
    # In the frame here the window begins so many samples later.
    lag = (TRANSFORM.n_fft - TRANSFORM.win_length) // 2
    return phase - (2.0 * math.pi / TRANSFORM.n_fft * lag) * rows[:, None]
