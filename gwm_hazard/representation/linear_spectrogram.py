"""The image that StyleGAN-EQ learns (Xu and Chen 2024): linear amplitudes up to 12.4 Hz.

Records have 8000 samples at 50 Hz; 128 zeros are appended. The image has a row each 50 / 512 Hz
from 0 Hz up and a column each 1.28 s, and is divided by its maximum: what is 48 dB below is lost in
the 8 bits of the published images, and so is the level.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import resample_poly

from gwm_hazard.representation.phase import griffin_lim
from gwm_hazard.representation.stft import STFT

SAMPLING_RATE_HZ, SAMPLES = 50.0, 8000
ROWS = COLUMNS = 128
ROW_HZ, COLUMN_S = 50.0 / 512, 64 / 50.0
TRANSFORM = STFT(n_fft=512, hop=64, win_length=256, n_freq=257)
#: Of the fast Griffin-Lim, and of what is added to every amplitude.
MOMENTUM, FLOOR = 0.99, 1e-16


def at_50_hz(acceleration: NDArray[np.floating], rate_hz: float) -> NDArray[np.float64]:
    """Records (n, nt) at any rate -> (n, 8000) at 50 Hz, cut, or with zeros behind them."""
    up, down = int(SAMPLING_RATE_HZ), round(rate_hz)
    record = resample_poly(acceleration.astype(float), up, down, axis=1)[:, :SAMPLES]
    return np.pad(record, ((0, 0), (0, SAMPLES - record.shape[1])))


def images(record: NDArray[np.float64]) -> NDArray[np.float64]:
    """Records (n, 8000) that are not 0 -> (n, 128, 128) from 0 to 1: over the maximum of each."""
    image = amplitudes(torch.from_numpy(record)).numpy()
    return image / image.max(axis=(1, 2), keepdims=True)


def amplitudes(record: torch.Tensor) -> torch.Tensor:
    """Records (n, 8000), any unit -> (n, 128, 128), the unit of the record."""
    padded = torch.nn.functional.pad(record, (0, TRANSFORM.samples(COLUMNS) - SAMPLES))
    return TRANSFORM.forward(padded + FLOOR)[:, :ROWS].abs()


def waveforms(image: torch.Tensor, phase: torch.Tensor, iterations: int) -> torch.Tensor:
    """Records whose largest absolute value is 1, by Griffin-Lim.

    Parameters
    ----------
    image : (n, 128, 128), float32 or float64, of any scale
    phase : (n, 257, 128), rad
        From which the phases start.
    iterations : int
        1000 in the publication, 3000 for its data sets.

    Returns
    -------
    Tensor (n, 8000)
    """
    whole = torch.nn.functional.pad(image, (0, 0, 0, TRANSFORM.n_freq - ROWS)) + FLOOR
    record = griffin_lim(whole, phase, TRANSFORM, iterations, MOMENTUM)[:, :SAMPLES]
    return record / record.abs().amax(dim=1, keepdim=True)
