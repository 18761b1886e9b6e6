"""A decoder for small networks: noise of every octave, its envelope steered by the condition.

The published decoder makes all 96,000 numbers of its first layer linearly of latent and condition,
98 % of the weights of the whole network, and what it draws has no other randomness than 100
latent numbers. Here a hidden layer of both makes the features; each level adds to the waveform what
one octave of frequencies has; white noise passes through a half of the channels; and the amplitude
of each level, at :data:`TIMES` times, is the exponential of a linear map of the condition and the
hidden layer, so that it can follow spectra and envelopes over orders of magnitude.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import nn
from torch.nn import functional

from gwm_hazard.models.cvae_gan.sizes import Sizes

#: Times at which envelopes are given; straight lines between.
TIMES = 128
#: Taps on each side of the filter that doubles the sampling rate.
_TAPS = 15


class SteeredDecoder(nn.Module):
    """Latent, condition and white noise -> waveform in -1 to 1."""

    doubling: torch.Tensor

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.components, self.start, self.first = sizes.components, sizes.start, sizes.first
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
        envelopes = len(widths) * sizes.components * TIMES
        self.direct = nn.Linear(sizes.condition, envelopes)
        self.envelope = nn.Linear(sizes.style, envelopes, bias=False)
        self.register_buffer("doubling", _half_band(), persistent=False)

    def forward(
        self, latent: torch.Tensor, condition: torch.Tensor, texture: torch.Tensor | None = None
    ) -> torch.Tensor:
        """(n, latent), (n, condition), (n, texture) -> (n, components, samples).

        Without texture, its mean: 0.
        """
        style = self.hidden(torch.cat([latent, condition], dim=1))
        ln_envelope = self.direct(condition) + self.envelope(style)
        ln_envelope = ln_envelope.view(len(style), len(self.wave), -1, TIMES)
        h = functional.relu(self.dense(style).view(-1, self.start, self.first))
        out = self._level(h, 0, texture, ln_envelope[:, 0])
        for level, conv in enumerate(self.conv, start=1):
            h = functional.relu(conv(h.repeat_interleave(2, dim=2)))
            out = self._doubled(out) + self._level(h, level, texture, ln_envelope[:, level])
        return torch.tanh(out)

    def _level(
        self, h: torch.Tensor, level: int, texture: torch.Tensor | None, ln_envelope: torch.Tensor
    ) -> torch.Tensor:
        """The waveform of one level: channels with noise, and channels as they are."""
        channels, steps = self.noisy[level]
        if texture is None:
            noise = torch.zeros_like(h[:, :channels])
        else:
            at = sum(c * n for c, n in self.noisy[:level])
            noise = texture[:, at : at + channels * steps].view(-1, channels, steps)
        mixed = self.wave[level](torch.cat([h[:, :channels] * noise, h[:, channels:]], dim=1))
        ln = functional.interpolate(ln_envelope, size=steps, mode="linear", align_corners=False)
        shaped: torch.Tensor = mixed * torch.exp(ln)
        return shaped

    def _doubled(self, out: torch.Tensor) -> torch.Tensor:
        """Twice the samples, without what lies above the old Nyquist frequency."""
        weight = self.doubling.expand(self.components, 1, -1)
        return functional.conv_transpose1d(
            out, weight, stride=2, padding=_TAPS, output_padding=1, groups=self.components
        )


def _half_band() -> torch.Tensor:
    """A sinc under a Kaiser window, (1, 1, taps): keeps samples, fills in between them."""
    n = torch.arange(-_TAPS, _TAPS + 1, dtype=torch.float64)
    window = torch.kaiser_window(2 * _TAPS + 1, periodic=False, beta=6.0, dtype=torch.float64)
    turn = math.pi * n / 2.0
    sinc = torch.where(n == 0, torch.ones_like(n), torch.sin(turn) / torch.where(n == 0, 1.0, turn))
    return (sinc * window).float()[None, None]
