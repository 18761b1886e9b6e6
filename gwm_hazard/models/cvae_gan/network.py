"""The networks of Hu et al. (2026) in torch: encoder, decoder and critic.

Arrays are channels first. Normalisation layers of the published networks never normalise: they run
with stored moments in training too, and are affine maps.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional

from gwm_hazard.models.cvae_gan.sizes import Sizes
from gwm_hazard.models.cvae_gan.steered import SteeredDecoder

ENCODER_KERNEL, CRITIC_KERNEL, STRIDE = 10, 5, 2
EPSILON = 1e-3  # of Keras' batch normalisation
SLOPE = 0.2


def same(x: torch.Tensor, kernel: int, stride: int) -> torch.Tensor:
    """Zeros as Keras' "same" adds them to the last axis: the odd one to the right."""
    n = x.shape[-1]
    total = max((-(-n // stride) - 1) * stride + kernel - n, 0)
    return functional.pad(x, (total // 2, total - total // 2))


class Affine(nn.Module):
    """Batch normalisation with moments that stay what they are."""

    moving_mean: torch.Tensor
    moving_variance: torch.Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels))
        self.beta = nn.Parameter(torch.zeros(channels))
        self.register_buffer("moving_mean", torch.zeros(channels))
        self.register_buffer("moving_variance", torch.ones(channels))

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        """(n, channels, time) to the same."""
        scale = self.gamma / torch.sqrt(self.moving_variance + EPSILON)
        shift = self.beta - self.moving_mean * scale
        return y * scale[:, None] + shift[:, None]


class Encoder(nn.Module):
    """Waveform and condition -> mean and log variance of the latent."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        widths = (sizes.components, *sizes.encoder)
        pairs = list(itertools.pairwise(widths))
        self.conv = nn.ModuleList(nn.Conv1d(a, b, ENCODER_KERNEL, STRIDE) for a, b in pairs)
        self.norm = nn.ModuleList(Affine(b) for _, b in pairs)
        self.mean = nn.Linear(widths[-1] + sizes.condition, sizes.latent)
        self.log_variance = nn.Linear(widths[-1] + sizes.condition, sizes.latent)

    def features(self, wave: torch.Tensor) -> list[torch.Tensor]:
        """What each convolution leaves, (n, channels, time)."""
        found = []
        for conv, norm in zip(self.conv, self.norm, strict=True):
            wave = functional.relu(norm(conv(same(wave, ENCODER_KERNEL, STRIDE))))
            found.append(wave)
        return found

    def forward(
        self, wave: torch.Tensor, condition: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(n, components, samples), (n, condition) -> two of (n, latent)."""
        both = torch.cat([self.features(wave)[-1].mean(dim=2), condition], dim=1)
        return self.mean(both), self.log_variance(both)


class Decoder(nn.Module):
    """Latent and condition -> waveform in -1 to 1."""

    #: Standard normals of a draw besides the latent.
    texture = 0

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.shape = (sizes.first, sizes.start)
        widths = (sizes.start, *sizes.decoder)
        pairs = list(itertools.pairwise(widths))
        self.kernel = sizes.kernel
        self.dense = nn.Linear(sizes.latent + sizes.condition, sizes.first * sizes.start)
        self.conv = nn.ModuleList(nn.Conv1d(a, b, sizes.kernel) for a, b in pairs)
        self.norm = nn.ModuleList(Affine(b) for _, b in pairs)
        self.last = nn.Conv1d(widths[-1], sizes.components, sizes.kernel)

    def features(self, latent: torch.Tensor, condition: torch.Tensor) -> list[torch.Tensor]:
        """The dense layer as (n, channels, time), and what each convolution leaves."""
        h = self.dense(torch.cat([latent, condition], dim=1))
        found = [h.view(-1, *self.shape).transpose(1, 2)]  # time runs slowest in the dense layer
        for conv, norm in zip(self.conv, self.norm, strict=True):
            h = found[-1].repeat_interleave(2, dim=2)
            found.append(functional.relu(norm(conv(same(h, self.kernel, 1)))))
        return found

    def forward(
        self, latent: torch.Tensor, condition: torch.Tensor, texture: torch.Tensor | None = None
    ) -> torch.Tensor:
        """(n, latent), (n, condition) -> (n, components, samples)."""
        last = self.features(latent, condition)[-1]
        return torch.tanh(self.last(same(last, self.kernel, 1)))


class Critic(nn.Module):
    """How real a waveform looks beside a condition."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        widths = (sizes.components + 1, *sizes.critic)
        pairs = list(itertools.pairwise(widths))
        self.spectrum = nn.Linear(sizes.condition, sizes.samples)
        self.conv = nn.ModuleList(nn.Conv1d(a, b, CRITIC_KERNEL, STRIDE) for a, b in pairs)
        steps = sizes.samples
        for _ in pairs:
            steps = -(-steps // STRIDE)
        self.dense = nn.Linear(steps * widths[-1], 1)

    def forward(self, wave: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """(n, components, samples), (n, condition) -> (n, 1)."""
        h = torch.cat([wave, self.spectrum(condition)[:, None]], dim=1)
        for conv in self.conv:
            h = functional.leaky_relu(conv(same(h, CRITIC_KERNEL, STRIDE)), SLOPE)
        return self.dense(h.transpose(1, 2).flatten(1))  # time slow, channel fast


class Generator(nn.Module):
    """Encoder and decoder: what a model keeps."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.encoder = Encoder(sizes)
        self.decoder: Decoder | SteeredDecoder = (
            SteeredDecoder(sizes) if sizes.style else Decoder(sizes)
        )


def weight_shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the weights of a network."""
    return {k: tuple(t.shape) for k, t in module.state_dict().items()}


def latent_of(moments: Sequence[torch.Tensor], normal: torch.Tensor) -> torch.Tensor:
    """A latent vector of an encoder's mean and log variance, all (n, latent)."""
    mean, log_variance = moments
    return mean + torch.exp(0.5 * log_variance) * normal
