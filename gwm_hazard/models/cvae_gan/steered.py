"""A decoder for records of small networks: noise of every octave, steered by the condition.

The published decoder makes all 96,000 numbers of its first layer linearly of latent and condition,
98 % of the weights of the whole network, and what it draws has no other randomness than 100
latent numbers. Here a hidden layer of both makes the features, each level adds to the waveform what
one octave of frequencies has, white noise passes through a part of the channels, and the amplitude
of each level is the exponential of a linear map: it can follow spectra over orders of magnitude.
"""

from __future__ import annotations

import itertools

import torch
from torch import nn
from torch.nn import functional

from gwm_hazard.models.cvae_gan.sizes import Sizes


class SteeredDecoder(nn.Module):
    """Latent, condition and white noise -> waveform in -1 to 1."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.kernel, self.start, self.first = sizes.kernel, sizes.start, sizes.first
        widths = (sizes.start, *sizes.decoder)
        #: (channels, time steps) that each level multiplies with white noise
        self.noisy = [(c // 2, sizes.first * 2**level) for level, c in enumerate(widths)]
        self.texture = sum(c * n for c, n in self.noisy)
        self.hidden = nn.Sequential(
            nn.Linear(sizes.latent + sizes.condition, sizes.style),
            nn.SiLU(),
            nn.Linear(sizes.style, sizes.style),
            nn.SiLU(),
        )
        self.dense = nn.Linear(sizes.style, sizes.first * sizes.start)
        pairs = list(itertools.pairwise(widths))
        half = sizes.kernel // 2
        self.conv = nn.ModuleList(nn.Conv1d(a, b, sizes.kernel, padding=half) for a, b in pairs)
        self.wave = nn.ModuleList(
            nn.Conv1d(c, sizes.components, sizes.kernel, padding=half, bias=False) for c in widths
        )
        self.gain = nn.Linear(sizes.style, len(widths) * sizes.components)

    def forward(
        self, latent: torch.Tensor, condition: torch.Tensor, texture: torch.Tensor | None = None
    ) -> torch.Tensor:
        """(n, latent), (n, condition), (n, texture) -> (n, components, samples).

        Without texture, its mean: 0.
        """
        style = self.hidden(torch.cat([latent, condition], dim=1))
        gains = torch.exp(self.gain(style)).view(len(style), len(self.wave), -1, 1)
        h = functional.relu(self.dense(style).view(-1, self.start, self.first))
        out = self._level(h, 0, texture) * gains[:, 0]
        for level, conv in enumerate(self.conv, start=1):
            h = functional.relu(conv(h.repeat_interleave(2, dim=2)))
            out = functional.interpolate(out, scale_factor=2, mode="linear", align_corners=False)
            out = out + self._level(h, level, texture) * gains[:, level]
        return torch.tanh(out)

    def _level(self, h: torch.Tensor, level: int, texture: torch.Tensor | None) -> torch.Tensor:
        """The waveform of one level: channels with noise, and channels as they are."""
        channels, steps = self.noisy[level]
        if texture is None:
            noise = torch.zeros_like(h[:, :channels])
        else:
            at = sum(c * n for c, n in self.noisy[:level])
            noise = texture[:, at : at + channels * steps].view(-1, channels, steps)
        mixed: torch.Tensor = self.wave[level](
            torch.cat([h[:, :channels] * noise, h[:, channels:]], dim=1)
        )
        return mixed
