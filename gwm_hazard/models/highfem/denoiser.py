"""The U-Net, and the preconditioned denoiser of Karras et al. (2022).

Karras, Aittala, Aila and Laine (2022), *Elucidating the design space of diffusion-based
generative models*, NeurIPS 35 ("EDM"); table 1, last column.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from gwm_hazard.errors import InputError
from gwm_hazard.models.highfem.autoencoder import Autoencoder
from gwm_hazard.models.highfem.baseline import Baseline
from gwm_hazard.models.highfem.config import AutoencoderConfig, BaselineConfig, UNetConfig
from gwm_hazard.models.highfem.layers import (
    Attention,
    Downsample,
    GroupNorm,
    ResBlock,
    Upsample,
    conv3,
)

#: Standard deviation of the latents that the preconditioning assumes.
SIGMA_DATA = 0.5


class FourierEmbedding(nn.Module):
    """sin and cos of a number times fixed random frequencies, which the checkpoint holds."""

    W: torch.Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("W", 0.02 * torch.randn(width // 2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (n,) -> (n, width), sines first."""
        angle = x[:, None] * self.W[None, :] * (2.0 * math.pi)
        return torch.cat((torch.sin(angle), torch.cos(angle)), dim=1)


def _mlp(inputs: int, width: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, width), nn.SiLU(), nn.Linear(width, width))


class UNet(nn.Module):
    """Noise level, conditions and a noisy latent -> an image of the size of the latent."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        base = config.model_channels
        width = 4 * base
        self.time_embed = FourierEmbedding(base)
        self.time_mlp = _mlp(base, width)
        self.cond_mlp = _mlp(config.cond_features, width)

        def block(channels_in: int, channels_out: int, factor: int) -> list[nn.Module]:
            layers: list[nn.Module] = [ResBlock(channels_in, channels_out, width, config.groups)]
            if factor in config.attention_resolutions:
                layers.append(Attention(channels_out, config.num_heads, config.groups))
            return layers

        self.input_blocks = nn.ModuleList([nn.ModuleList([conv3(config.in_channels, base)])])
        channels, factor, skips = base, 1, [base]
        for level, mult in enumerate(config.channel_mult):
            if level:
                self.input_blocks.append(nn.ModuleList([Downsample(channels)]))
                skips.append(channels)
                factor *= 2
            for _ in range(config.num_res_blocks):
                self.input_blocks.append(nn.ModuleList(block(channels, base * mult, factor)))
                channels = base * mult
                skips.append(channels)

        self.middle_block = nn.ModuleList(
            [
                ResBlock(channels, channels, width, config.groups),
                Attention(channels, config.num_heads, config.groups),
                ResBlock(channels, channels, width, config.groups),
            ]
        )

        self.output_blocks = nn.ModuleList()
        for level, mult in reversed(list(enumerate(config.channel_mult))):
            for i in range(config.num_res_blocks + 1):
                layers = block(channels + skips.pop(), base * mult, factor)
                channels = base * mult
                if level and i == config.num_res_blocks:
                    layers.append(Upsample(channels))
                    factor //= 2
                self.output_blocks.append(nn.ModuleList(layers))
        self.out = nn.Sequential(
            GroupNorm(channels, config.groups), nn.SiLU(), conv3(channels, config.out_channels)
        )

    def embedding(self, c_noise: torch.Tensor, cond: torch.Tensor) -> torch.Tensor:
        """c_noise (n,), cond (n, conditions) -> (n, width)."""
        time = self.time_embed(c_noise).to(cond.dtype)
        return self.time_mlp(time) + self.cond_mlp(cond)

    def forward(self, x: torch.Tensor, c_noise: torch.Tensor, cond: torch.Tensor) -> torch.Tensor:
        """x (n, channels, h, w), c_noise (n,), cond (n, conditions) -> the shape of x."""
        embedding = self.embedding(c_noise, cond)
        first, *rest = self.input_blocks
        h = first[0](x)  # type: ignore[index]
        skips = [h]
        for block in rest:
            h = _run(block, h, embedding)
            skips.append(h)
        h = _run(self.middle_block, h, embedding)
        for block in self.output_blocks:
            h = _run(block, torch.cat((h, skips.pop()), dim=1), embedding)
        return self.out(h)


def _run(layers: nn.Module, h: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
    for layer in layers:  # type: ignore[attr-defined]
        h = layer(h, embedding)
    return h


class LatentDiffusion(nn.Module):
    """Denoiser of the latents together with the autoencoder, as one checkpoint holds them."""

    def __init__(
        self,
        unet: UNetConfig,
        autoencoder: AutoencoderConfig,
        baseline: BaselineConfig | None = None,
    ) -> None:
        super().__init__()
        if not unet.in_channels == unet.out_channels == autoencoder.latent_channels:
            raise InputError(
                f"the U-Net takes {unet.in_channels} and gives {unet.out_channels} channels, the "
                f"latent of the autoencoder has {autoencoder.latent_channels}; they must agree"
            )
        self.unet = UNet(unet)
        self.autoencoder = Autoencoder(autoencoder)
        self.baseline = None
        if baseline is not None:
            self.baseline = Baseline(baseline, unet.cond_features, autoencoder)

    def decode(self, latent: torch.Tensor, cond: torch.Tensor) -> torch.Tensor:
        """What :meth:`denoise` leads to, (n, channels, h, w), float32 -> log-spectrogram."""
        if self.baseline is not None:
            latent = self.baseline.restore(latent, cond, SIGMA_DATA)
        decoder = self.autoencoder.decoder
        dtype = next(decoder.parameters()).dtype
        return self.autoencoder.decode(latent.to(dtype, memory_format=torch.channels_last)).float()

    def denoise(self, x: torch.Tensor, sigma: torch.Tensor, cond: torch.Tensor) -> torch.Tensor:
        """Expected clean latent, given the noisy one (Karras et al. 2022, eq. 7).

        Parameters
        ----------
        x : Tensor, shape (n, channels, h, w)
            Latent plus noise of standard deviation sigma.
        sigma : Tensor, shape (n,) or ()
        cond : Tensor, shape (n, conditions)
            Standardised conditions.

        Returns
        -------
        Tensor, the shape of x, float32
        """
        x = x.float()
        sigma = sigma.to(x).expand(len(x))
        wide = sigma[:, None, None, None]
        total = torch.sqrt(wide**2 + SIGMA_DATA**2)
        dtype = next(self.unet.parameters()).dtype
        out = self.unet((x / total).to(dtype), torch.log(sigma) / 4.0, cond.to(dtype))
        c_skip = SIGMA_DATA**2 / total**2
        return c_skip * x + (wide * SIGMA_DATA / total) * out.float()
