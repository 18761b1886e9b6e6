"""Convolutional autoencoder between log-spectrograms and latents (KL-regularised)."""

from __future__ import annotations

import torch
from torch import nn

from gwm_hazard.models.highfem.config import AutoencoderConfig
from gwm_hazard.models.highfem.layers import Downsample, ResBlock, Upsample, conv3


class Encoder(nn.Module):
    """Log-spectrogram (n, 3, 128, 128) -> moments of the latent (n, 2 x 8, 32, 32)."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        widths = [config.model_channels * m for m in config.channel_mult]
        channels = widths[0]
        self.patches = nn.PixelUnshuffle(config.patch)
        self.input_layer = conv3(config.channels * config.patch**2, channels)
        self.down_blocks = nn.ModuleList()
        for level, width in enumerate(widths):
            if level:
                self.down_blocks.append(Downsample(channels))
            for _ in range(config.num_res_blocks):
                self.down_blocks.append(ResBlock(channels, width, groups=config.groups))
                channels = width
        self.output_layer = conv3(channels, 2 * config.latent_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (n, 3, h, w) -> (n, 2 x latent channels, h / 4, w / 4): mean, ln sd."""
        h = self.input_layer(self.patches(x))
        for block in self.down_blocks:
            h = block(h)
        return self.output_layer(h)


class Decoder(nn.Module):
    """Latent (n, 8, 32, 32) -> log-spectrogram (n, 3, 128, 128)."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        widths = [config.model_channels * m for m in config.channel_mult]
        channels = widths[-1]
        self.input_layer = conv3(config.latent_channels, channels)
        self.up_blocks = nn.ModuleList()
        for level, width in enumerate(reversed(widths)):
            if level:
                self.up_blocks.append(Upsample(channels))
            for _ in range(config.num_res_blocks):
                self.up_blocks.append(ResBlock(channels, width, groups=config.groups))
                channels = width
        self.output_layer = conv3(channels, config.channels * config.patch**2)
        self.patches = nn.PixelShuffle(config.patch)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """z (n, latent channels, h, w) -> (n, 3, 4 h, 4 w)."""
        h = self.input_layer(z)
        for block in self.up_blocks:
            h = block(h)
        return self.patches(self.output_layer(h))


class Autoencoder(nn.Module):
    """Encoder and decoder."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)

    def encode(self, x: torch.Tensor, noise: torch.Tensor | None = None) -> torch.Tensor:
        """The latent of a log-spectrogram.

        Parameters
        ----------
        x : Tensor, shape (n, 3, h, w)
        noise : Tensor, shape (n, latent channels, h / 4, w / 4), optional
            Standard normal; without it the mean of the latent is returned.
        """
        mean, log_std = self.encoder(x).chunk(2, dim=1)
        return mean if noise is None else mean + torch.exp(log_std) * noise

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """z (n, latent channels, h, w) -> log-spectrogram (n, 3, 4 h, 4 w)."""
        return self.decoder(z)
