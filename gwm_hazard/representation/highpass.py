"""A high-pass for records whose phase was retrieved."""

from __future__ import annotations

import torch


def highpass(record: torch.Tensor, corner_hz: float, dt_s: float) -> torch.Tensor:
    """Amplitudes of a second-order Butterworth high-pass, phases kept.

    Rows of a spectrogram near 0 Hz do not tell frequencies apart that are below the inverse of its
    window, so what phase retrieval leaves there is not ordered; below the corner of the high-pass
    that the records of the training had gone through it is not motion at all.

    Parameters
    ----------
    record : Tensor, shape (..., nt)

    Returns
    -------
    Tensor, of the same shape and type
    """
    nt = record.shape[-1]
    padded = 2 * nt  # what is filtered at one end does not come back at the other
    frequency = torch.fft.rfftfreq(padded, dt_s, device=record.device, dtype=record.dtype)
    ratio = (frequency / corner_hz) ** 4
    spectrum = torch.fft.rfft(record, n=padded) * torch.sqrt(ratio / (1.0 + ratio))
    return torch.fft.irfft(spectrum, n=padded)[..., :nt]
