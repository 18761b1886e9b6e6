"""The network that scores images: residual convolutions, and how an image's batch varies.

Karras et al. (2020, arXiv:1912.04958, "Analyzing and improving the image quality of StyleGAN"),
figure 7: residual connections; Karras et al. (2018, arXiv:1710.10196): weights scaled where they
are used, and the standard deviation over a group of images as a feature map.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import nn
from torch.nn import functional

from gwm_hazard.models.stylegan_eq.design import Design

SLOPE, GAIN = 0.2, math.sqrt(2.0)
#: Pixels of a side where convolutions end, and images of a group.
LAST, GROUP = 4, 4
#: Taps of the filter before pixels are left out.
_TAPS = (1.0, 3.0, 3.0, 1.0)


class Discriminator(nn.Module):
    """Images (n, 1, resolution, resolution) -> scores (n, 1)."""

    def __init__(self, design: Design) -> None:
        super().__init__()
        sides = [design.resolution]
        while sides[-1] > LAST:
            sides.append(sides[-1] // 2)
        channels = [min(design.channel_base // side, design.channel_max) for side in sides]
        self.image = _Scaled((channels[0], 1, 1, 1))
        self.blocks = nn.Sequential(
            *(_Block(into, out) for into, out in itertools.pairwise(channels))
        )
        last = channels[-1]
        self.last = _Scaled((last, last + 1, 3, 3))
        self.dense = _Scaled((last, last * LAST**2))
        self.score = _Scaled((1, last))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """(n, 1, resolution, resolution) -> (n, 1)."""
        x = self.blocks(_active(self.image(image)))
        x = _active(self.last(torch.cat([x, variation(x)], dim=1), padding=1))
        return self.score(_active(self.dense(x.flatten(1))))


def variation(x: torch.Tensor) -> torch.Tensor:
    """Standard deviation over groups of images, a mean over what they have: (n, 1, ...)."""
    n, _, rows, columns = x.shape
    size = next(k for k in range(min(GROUP, n), 0, -1) if n % k == 0)
    groups = x.view(size, n // size, -1)
    sd = ((groups - groups.mean(dim=0)).square().mean(dim=0) + 1e-8).sqrt().mean(dim=1)
    return sd.repeat(size)[:, None, None, None].expand(n, 1, rows, columns)


class _Block(nn.Module):
    """Two convolutions beside a straight way; half the pixels."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.first = _Scaled((into, into, 3, 3))
        self.second = _Scaled((out, into, 3, 3))
        self.straight = _Scaled((out, into, 1, 1), bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = _active(self.first(x, padding=1))
        y = _active(self.second(_smooth(y, 2), stride=2))
        return (y + self.straight(_smooth(x, 1, stride=2))) / GAIN


class _Scaled(nn.Module):
    """A linear layer or a convolution whose weights are divided by the root of their inputs."""

    def __init__(self, shape: tuple[int, ...], bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(shape))
        self.bias = nn.Parameter(torch.zeros(shape[0])) if bias else None

    def forward(self, x: torch.Tensor, padding: int = 0, stride: int = 1) -> torch.Tensor:
        weight = self.weight / math.sqrt(self.weight[0].numel())
        if weight.dim() == 2:
            return functional.linear(x, weight, self.bias)
        return functional.conv2d(x, weight, self.bias, stride, padding)


def _active(x: torch.Tensor) -> torch.Tensor:
    return functional.leaky_relu(x, SLOPE) * GAIN


def _smooth(x: torch.Tensor, padding: int, stride: int = 1) -> torch.Tensor:
    taps = x.new_tensor(_TAPS)
    kernel = (taps[:, None] * taps / taps.sum() ** 2).expand(x.shape[1], 1, -1, -1)
    return functional.conv2d(x, kernel, None, stride, padding, groups=x.shape[1])
