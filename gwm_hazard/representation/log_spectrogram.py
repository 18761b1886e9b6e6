"""Records as images: the logarithm of the modulus of the short-time Fourier transform."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import torch

from gwm_hazard.errors import InputError
from gwm_hazard.representation.phase import griffin_lim
from gwm_hazard.representation.phase_gradient import gradient_phase
from gwm_hazard.representation.stft import STFT


@dataclass(frozen=True)
class LogSpectrogram:
    """ln |STFT| scaled to -1 at the clip and +1 at a top, any number of leading dimensions.

    Defaults are the representation of HighFEM (Palgunadi et al. 2025) at 100 Hz: 4064 samples
    become 128 frequencies (0 to 49.6 Hz; the Nyquist row is dropped) by 128 frames 0.32 s apart.

    Attributes
    ----------
    transform : STFT
    clip : float
        Smallest modulus told apart, in the unit of the record.
    ln_top : float
        ln of the modulus that becomes +1; larger ones are kept.
    """

    transform: STFT = field(default_factory=lambda: STFT(256, 32, 256, 128))
    clip: float = 1e-8
    ln_top: float = 3.0

    def __post_init__(self) -> None:
        if not (0.0 < self.clip < 1.0 and math.log(self.clip) < self.ln_top <= 20.0):
            raise InputError(
                f"clip = {self.clip:g}, ln_top = {self.ln_top:g}: clip must lie between 0 and 1, "
                "ln_top between its logarithm and 20"
            )

    def forward(
        self, acceleration: torch.Tensor, dtype: torch.dtype = torch.float64
    ) -> torch.Tensor:
        """Records (..., nt) -> images (..., n_freq, nt // hop + 1) of type ``dtype``.

        In float64 unless asked: a float32 transform loses 1e-3 where the modulus is below 1e-5 of
        the unit.
        """
        flat = acceleration.to(dtype).reshape(-1, acceleration.shape[-1])
        modulus = self.transform.forward(flat).abs().clamp(min=self.clip)
        low = math.log(self.clip)
        image = 2.0 * (torch.log(modulus) - low) / (self.ln_top - low) - 1.0
        return image.reshape(*acceleration.shape[:-1], *image.shape[1:])

    def modulus(self, image: torch.Tensor) -> torch.Tensor:
        """Images -> modulus of the transform, the same shape and type, unit of the record."""
        low = math.log(self.clip)
        return torch.exp((image + 1.0) * (0.5 * (self.ln_top - low)) + low)

    def inverse(
        self,
        image: torch.Tensor,
        phase: torch.Tensor,
        iterations: int = 128,
        momentum: float = 0.99,
    ) -> torch.Tensor:
        """Records by fast Griffin-Lim (:func:`griffin_lim`), in the type of the images.

        Parameters
        ----------
        image : Tensor, shape (..., n_freq, n_frames)
        phase : Tensor
            Initial phase, rad, of a shape that broadcasts to that of the image.
        iterations, momentum
            Defaults as published with HighFEM.

        Returns
        -------
        Tensor, shape (..., hop (n_frames - 1))
        """
        flat = self.modulus(image).reshape(-1, *image.shape[-2:])
        angle = phase.to(flat).expand(image.shape).reshape(flat.shape)
        record = griffin_lim(flat, angle, self.transform, iterations, momentum)
        return record.reshape(*image.shape[:-2], -1)

    def gradient_phase(self, image: torch.Tensor) -> torch.Tensor:
        """Initial phases (..., n_freq, n_frames), rad, from the gradient that images imply.

        The integration starts at the pixels' :func:`published_phase`.
        """
        flat = self.modulus(image).reshape(-1, *image.shape[-2:])
        start = published_phase(*image.shape[-2:])
        return gradient_phase(flat, start, self.transform).reshape(image.shape)


@lru_cache(maxsize=8)
def published_phase(n_freq: int = 128, n_frames: int = 128) -> torch.Tensor:
    """The initial phase that HighFEM gives every record, rad, float64.

    Its Griffin-Lim seeds NumPy's legacy generator (whose stream is frozen) with 0 for every
    trace, and draws one row more than the image has.
    """
    random = np.random.RandomState(0).random((n_freq + 1, n_frames))
    return torch.as_tensor(2.0 * np.pi * random[:n_freq])
