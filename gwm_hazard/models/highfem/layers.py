"""Blocks shared by the autoencoder and the denoiser.

Attribute names and the order inside each ``Sequential`` are those of the published checkpoints
(tqdne 0.2), so that their keys load as they are. Images are (n, channels, frequency, time).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

#: Groups of the published models; channels of every normalised layer are multiples of it.
GROUPS = 32


class GroupNorm(nn.GroupNorm):
    """eps 1e-5; the statistics are float32 whatever the type of the input."""

    def __init__(self, channels: int, groups: int = GROUPS) -> None:
        super().__init__(groups, channels, eps=1e-5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (n, channels, ...) -> the same shape and type."""
        if x.dtype == torch.float32 or x.device.type == "cpu":  # CPU kernels mix types themselves
            return super().forward(x)
        return super().forward(x.float()).to(x.dtype)


def conv3(channels_in: int, channels_out: int, stride: int = 1) -> nn.Conv2d:
    """A 3 x 3 convolution, zero padding."""
    return nn.Conv2d(channels_in, channels_out, 3, stride=stride, padding=1)


class ResBlock(nn.Module):
    """Pre-activation residual block; an embedding, where there is one, is added to its middle."""

    def __init__(
        self, channels_in: int, channels_out: int, embedding: int = 0, groups: int = GROUPS
    ) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(
            GroupNorm(channels_in, groups), nn.SiLU(), conv3(channels_in, channels_out)
        )
        if embedding:
            self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding, channels_out))
        self.out_layers = nn.Sequential(
            GroupNorm(channels_out, groups),
            nn.SiLU(),
            nn.Identity(),  # the dropout of training keeps its place in the keys
            conv3(channels_out, channels_out),
        )
        self.skip_connection: nn.Module = (
            nn.Identity()
            if channels_in == channels_out
            else nn.Conv2d(channels_in, channels_out, 1)
        )

    def forward(self, x: torch.Tensor, embedding: torch.Tensor | None = None) -> torch.Tensor:
        """x (n, channels_in, h, w), embedding (n, embedding) -> (n, channels_out, h, w)."""
        h = self.in_layers(x)
        if embedding is not None:
            h = h + self.emb_layers(embedding)[:, :, None, None]
        return self.skip_connection(x) + self.out_layers(h)


class Attention(nn.Module):
    """Self-attention over all pixels, residual."""

    def __init__(self, channels: int, heads: int, groups: int = GROUPS) -> None:
        super().__init__()
        self.heads = heads
        self.norm = GroupNorm(channels, groups)
        self.qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: torch.Tensor, embedding: torch.Tensor | None = None) -> torch.Tensor:
        """x (n, channels, h, w) -> the same shape; the embedding is not used."""
        n, channels, height, width = x.shape
        tokens = self.qkv(self.norm(x)).reshape(n, 3, self.heads, -1, height * width)
        query, key, value = tokens.transpose(-1, -2).unbind(1)  # (n, heads, tokens, width)
        mixed = functional.scaled_dot_product_attention(query, key, value)
        return x + self.proj_out(mixed.transpose(-1, -2).reshape(n, channels, height, width))


class Downsample(nn.Module):
    """Half the height and width, by a strided convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.op = conv3(channels, channels, stride=2)

    def forward(self, x: torch.Tensor, embedding: torch.Tensor | None = None) -> torch.Tensor:
        """x (n, channels, h, w) -> (n, channels, h / 2, w / 2); the embedding is not used."""
        return self.op(x)


class Upsample(nn.Module):
    """Twice the height and width: nearest neighbour, then a convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = conv3(channels, channels)

    def forward(self, x: torch.Tensor, embedding: torch.Tensor | None = None) -> torch.Tensor:
        """x (n, channels, h, w) -> (n, channels, 2 h, 2 w); the embedding is not used."""
        return self.conv(functional.interpolate(x, scale_factor=2.0, mode="nearest"))


class FoldedUpsample(nn.Module):
    """What :class:`Upsample` computes, as one transposed convolution: 4 products a pixel, not 9.

    A pixel of the enlarged image and its neighbours are copies of two pixels a side, so that the
    weights that meet the same copy add up. For evaluation: it keeps no link to the weights.
    """

    weight: torch.Tensor
    bias: torch.Tensor

    def __init__(self, plain: Upsample) -> None:
        super().__init__()
        w = plain.conv.weight.detach().transpose(0, 1)  # (in, out, 3, 3)
        self.register_buffer("weight", _doubled(_doubled(w, 2), 3).contiguous())
        self.register_buffer("bias", plain.conv.bias.detach())  # type: ignore[union-attr]

    def forward(self, x: torch.Tensor, embedding: torch.Tensor | None = None) -> torch.Tensor:
        """x (n, channels, h, w) -> (n, channels, 2 h, 2 w); the embedding is not used."""
        return functional.conv_transpose2d(x, self.weight, self.bias, stride=2, padding=1)


def _doubled(w: torch.Tensor, dim: int) -> torch.Tensor:
    """Weights of 3 pixels along ``dim`` -> of the 4 places around a pixel twice as large."""
    first, middle, last = w.unbind(dim)
    return torch.stack((last, middle + last, first + middle, first), dim)


def fold_upsampling(network: nn.Module) -> None:
    """Replace each :class:`Upsample` within a network by its faster equivalent."""
    for name, module in network.named_children():
        if isinstance(module, Upsample):
            setattr(network, name, FoldedUpsample(module))
        else:
            fold_upsampling(module)
