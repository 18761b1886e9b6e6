"""A Gaussian for the latents given the conditions alone: what the diffusion is measured by.

The published model draws latents as they are. Here, where a model has a baseline, the diffusion
draws what is left of a latent after its conditional mean, over its conditional standard deviation:
amplitudes, arrivals and durations are then right on average from the first step of the training,
and every pixel has the scale that the preconditioning of Karras et al. (2022) assumes.
"""

from __future__ import annotations

import torch
from torch import nn

from gwm_hazard.errors import InputError
from gwm_hazard.models.highfem.config import AutoencoderConfig, BaselineConfig
from gwm_hazard.models.highfem.layers import Upsample, conv3

#: Pixels along one side of a log-spectrogram, and of the image that the conditions become first.
IMAGE = 128
SEED = 4

#: Standard deviations are kept above this, so that what hardly varies is not blown up.
LEAST_SD = 1e-2


class Baseline(nn.Module):
    """Conditions -> mean and standard deviation of every pixel of the latent."""

    def __init__(
        self, config: BaselineConfig, conditions: int, autoencoder: AutoencoderConfig
    ) -> None:
        super().__init__()
        side = IMAGE // autoencoder.downsampling
        levels = (side // SEED).bit_length() - 1
        if SEED << levels != side:
            raise InputError(
                f"latents of {side} x {side} pixels: a baseline needs {SEED} times a power of 2"
            )
        width = config.width
        self.mlp = nn.Sequential(
            nn.Linear(conditions, 2 * width),
            nn.SiLU(),
            nn.Linear(2 * width, 2 * width),
            nn.SiLU(),
            nn.Linear(2 * width, width * SEED**2),
        )
        blocks: list[nn.Module] = []
        for _ in range(levels):
            blocks += [nn.SiLU(), Upsample(width)]
        self.up_blocks = nn.Sequential(*blocks)
        self.position = nn.Parameter(torch.zeros(width, side, side))
        self.output_layers = nn.Sequential(
            nn.SiLU(),
            conv3(width, width),
            nn.SiLU(),
            conv3(width, 2 * autoencoder.latent_channels),
        )

    def forward(self, cond: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """cond (n, conditions) -> mean and standard deviation, (n, latent channels, h, w) each."""
        seed = self.mlp(cond).view(len(cond), -1, SEED, SEED)
        mean, ln_sd = self.output_layers(self.up_blocks(seed) + self.position).chunk(2, dim=1)
        return mean, torch.exp(ln_sd.float()) + LEAST_SD

    def restore(self, residual: torch.Tensor, cond: torch.Tensor, scale: float) -> torch.Tensor:
        """Residuals of standard deviation ``scale`` -> latents, of the same shape, float32."""
        dtype = self.position.dtype
        mean, sd = self(cond.to(dtype))
        return mean.float() + residual.float() * (sd / scale)

    def residual(self, latent: torch.Tensor, cond: torch.Tensor, scale: float) -> torch.Tensor:
        """The inverse of :meth:`restore`."""
        mean, sd = self(cond)
        return (latent - mean.float()) * (scale / sd)
