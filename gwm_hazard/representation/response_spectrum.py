"""Response spectra in torch, for losses: with a gradient, to the accuracy that a loss needs.

Measures are taken with :func:`gwm_hazard.intensity.rotd`; this one misses peaks between samples.
"""

from __future__ import annotations

import math

import torch

#: Angles over which RotD50 is taken, evenly spread over half a turn.
ANGLES = 6


def ln_response_spectrum(
    acceleration: torch.Tensor, dt_s: float, periods_s: torch.Tensor, damping: float = 0.05
) -> torch.Tensor:
    """ln of pseudo-spectral acceleration, (n, n_periods), in the unit of the acceleration.

    The oscillators' transfer function is applied to the Fourier transform of the record, padded to
    twice its length.

    Parameters
    ----------
    acceleration : Tensor, (n, 1 or 2, nt)
        One component, or two horizontals, of which RotD50 over ANGLES angles is taken.
    periods_s : Tensor, (n_periods,), above 0
    """
    nt = acceleration.shape[-1]
    turn = 2.0 * math.pi * torch.fft.rfftfreq(2 * nt, dt_s, device=acceleration.device)
    ratio = turn * periods_s[:, None] / (2.0 * math.pi)
    transfer = 1.0 / torch.complex(1.0 - ratio**2, 2.0 * damping * ratio)
    spectrum = torch.fft.rfft(acceleration, n=2 * nt)
    motion = torch.fft.irfft(spectrum[:, :, None] * transfer, n=2 * nt)
    if motion.shape[1] == 1:
        return torch.log(motion[:, 0].abs().amax(dim=-1) + 1e-20)
    peaks = [
        (math.cos(a) * motion[:, 0] + math.sin(a) * motion[:, 1]).abs().amax(dim=-1)
        for a in (math.pi * k / ANGLES for k in range(ANGLES))
    ]
    ordered = torch.stack(peaks).sort(dim=0).values
    middle = 0.5 * (ordered[ANGLES // 2 - 1] + ordered[ANGLES // 2])
    return torch.log(middle + 1e-20)
