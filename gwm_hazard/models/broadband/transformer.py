"""Envelopes of the high band by flow matching: a transformer guided by the low band.

In the manner of diffusion transformers (Peebles and Xie 2023), on tokens of 0.32 s; the flow is a
straight line from noise to envelope (Lipman et al. 2023). A block looks at all times (attention),
at its neighbours (convolution, as in a conformer) and at itself. Any number of tokens goes through.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from gwm_hazard.errors import InputError
from gwm_hazard.models.broadband.envelope import BANDS, FEATURES

#: Numbers that a scenario and the scale of its low band make: :func:`.model.condition_of`.
CONDITIONS = 5
CHANNELS = 3 * BANDS


@dataclass(frozen=True)
class TransformerSizes:
    """Width, blocks, heads, times the width inside a block, taps of the convolution.

    ``patch`` tokens of time go through together.
    """

    width: int = 96
    blocks: int = 3
    heads: int = 4
    expansion: int = 3
    taps: int = 7
    patch: int = 2

    def __post_init__(self) -> None:
        if self.width % (2 * self.heads) or self.taps % 2 == 0:
            raise InputError(
                f"sizes: width = {self.width}, heads = {self.heads}, taps = {self.taps}: the width "
                "must be a multiple of twice the heads, the taps odd"
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain types."""
        return asdict(self)


def waves(values: torch.Tensor, width: int, longest: float) -> torch.Tensor:
    """Sines and cosines of values (...), (..., width)."""
    half = width // 2
    rate = torch.exp(torch.linspace(0.0, -math.log(longest), half, device=values.device))
    angle = values[..., None] * rate
    return torch.cat([torch.sin(angle), torch.cos(angle)], dim=-1)


class Block(nn.Module):
    """Attention, convolution and two dense layers, each shifted and scaled by the condition."""

    def __init__(self, sizes: TransformerSizes) -> None:
        super().__init__()
        width = sizes.width
        self.heads = sizes.heads
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.depth = nn.Conv1d(width, width, sizes.taps, padding=sizes.taps // 2, groups=width)
        self.point = nn.Linear(width, width)
        self.up = nn.Linear(width, sizes.expansion * width)
        self.down = nn.Linear(sizes.expansion * width, width)
        self.shift = nn.Parameter(torch.zeros(9, width))

    def forward(self, x: torch.Tensor, change: torch.Tensor) -> torch.Tensor:
        """x (n, tokens, width); change (n, 9, width)."""
        parts = (change + self.shift)[:, :, None].unbind(1)
        n, length, width = x.shape
        seen = self.norm(x) * (1.0 + parts[0]) + parts[1]
        q, k, v = self.qkv(seen).view(n, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        looked = functional.scaled_dot_product_attention(q, k, v)
        x = x + parts[2] * self.out(looked.transpose(1, 2).reshape(n, length, width))
        seen = self.norm(x) * (1.0 + parts[3]) + parts[4]
        near = self.depth(seen.transpose(1, 2)).transpose(1, 2)
        x = x + parts[5] * self.point(functional.silu(near))
        seen = self.norm(x) * (1.0 + parts[6]) + parts[7]
        return x + parts[8] * self.down(functional.gelu(self.up(seen)))


class Transformer(nn.Module):
    """The velocity of the flow: (envelope on its way, share of the way, low band) -> velocity."""

    def __init__(self, sizes: TransformerSizes) -> None:
        super().__init__()
        width = sizes.width
        self.width = width
        self.patch = sizes.patch
        self.enter = nn.Linear(sizes.patch * (CHANNELS + FEATURES), width)
        self.time = nn.Linear(width, width)
        self.told = nn.Sequential(nn.Linear(CONDITIONS, width), nn.SiLU(), nn.Linear(width, width))
        self.way = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.change = nn.Linear(width, 9 * width)
        self.block = nn.ModuleList([Block(sizes) for _ in range(sizes.blocks)])
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, sizes.patch * CHANNELS)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)
        nn.init.normal_(self.change.weight, std=0.02)
        nn.init.zeros_(self.change.bias)
        with torch.no_grad():  # a block begins as a small part of the whole
            self.change.bias.view(9, width)[2::3] = 0.3

    def forward(
        self,
        x: torch.Tensor,
        share: torch.Tensor,
        seen: torch.Tensor,
        when: torch.Tensor,
        condition: torch.Tensor,
    ) -> torch.Tensor:
        """Velocity (n, tokens, CHANNELS).

        Parameters
        ----------
        x : (n, tokens, CHANNELS)
        share : (n,), 0 noise, 1 envelope
        seen, when : of :func:`gwm_hazard.models.broadband.envelope.features`
        condition : (n, CONDITIONS)
        """
        state = self.way(waves(1000.0 * share, self.width, 10_000.0)) + self.told(condition)
        change = self.change(functional.silu(state)).view(-1, 9, self.width)
        length = x.shape[1]
        both = functional.pad(torch.cat([x, seen], dim=2), (0, 0, 0, -length % self.patch))
        h = self.enter(both.reshape(len(x), -1, self.patch * both.shape[2]))
        h = h + self.time(waves(when[:, :: self.patch], self.width, 1000.0))
        for block in self.block:
            h = block(h, change)
        velocity: torch.Tensor = self.leave(self.norm(h))
        return velocity.reshape(len(x), -1, CHANNELS)[:, :length]


def flow(
    network: nn.Module,
    start: torch.Tensor,
    seen: torch.Tensor,
    when: torch.Tensor,
    condition: torch.Tensor,
    steps: int,
) -> torch.Tensor:
    """From noise (n, tokens, CHANNELS) to envelopes: so many steps of the midpoint rule."""
    x = start
    for k in range(steps):
        share = torch.full((len(x),), k / steps, dtype=x.dtype, device=x.device)
        middle = x + network(x, share, seen, when, condition) / (2 * steps)
        x = x + network(middle, share + 0.5 / steps, seen, when, condition) / steps
    return x
