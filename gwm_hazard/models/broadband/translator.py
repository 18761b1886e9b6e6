"""From a low band to the band above by adversarial networks: systems of the SeismoALICE group.

Their parts are shared, and a system is which of them it has: paths that skip the inner levels
(U-Net), where the style z enters, conformers, a latent vector in the middle.

    pix2pix      U-Net, no style: one motion for one low band (Isola et al. 2017)
    bicycle      U-Net, style by AdaIN at every level, down and up (Zhu et al. 2017, full injection)
    shared       conformer encoder to a latent vector that both bands share, no style (ALICE)
    factorised   the same, the latent vector beside a specific part that is drawn
    must         conformer content, style by AdaIN (as MUNIT, Huang et al. 2018)

Differences from the thesis that describes them: conformers take time as the sequence; scenario and
scale are told at every level too; what is drawn is the shape of the high band alone, whose level
and low band are set outside. Any number of samples goes through.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from gwm_hazard.errors import InputError

#: Numbers that a scenario and the scale of its low band make: :func:`.forms.condition_of`.
CONDITIONS = 5
#: Places in time of which a vector is made.
PLACES = 16


@dataclass(frozen=True)
class System:
    """Which parts a system has; ``style`` is "", "adain" or "latent"."""

    skips: bool = False
    style: str = ""
    conformer: bool = False
    vector: bool = False


SYSTEMS = {
    "pix2pix": System(skips=True),
    "bicycle": System(skips=True, style="adain"),
    "shared": System(conformer=True, vector=True),
    "factorised": System(style="latent", conformer=True, vector=True),
    "must": System(style="adain", conformer=True),
}


@dataclass(frozen=True)
class TranslatorSizes:
    """Channels of each level, which halves the length; numbers of style and latent vector."""

    channels: tuple[int, ...] = (16, 32, 64, 64, 96, 96)
    style: int = 32
    latent: int = 128
    heads: int = 4
    dropout: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "channels", tuple(self.channels))
        if len(self.channels) < 2 or min(self.channels) < 1 or self.channels[-1] % self.heads:
            raise InputError(
                f"sizes: channels = {self.channels}: give two or more, the last one a multiple of "
                f"heads = {self.heads}"
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain types."""
        return asdict(self) | {"channels": list(self.channels)}


class Modulated(nn.Module):
    """Instance normalisation, shifted and scaled by a code: AdaIN (Huang and Belongie 2017)."""

    def __init__(self, channels: int, code: int) -> None:
        super().__init__()
        self.change = nn.Linear(code, 2 * channels)

    def forward(self, x: torch.Tensor, code: torch.Tensor) -> torch.Tensor:
        """x (n, channels, nt)."""
        scale, shift = self.change(code)[..., None].chunk(2, dim=1)
        return functional.instance_norm(x) * (1.0 + scale) + shift


class Dense(nn.Module):
    """Two dense layers beside a straight path."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (n, width)."""
        changed: torch.Tensor = self.second(functional.relu(self.first(functional.relu(x))))
        return x + changed


class Conformer(nn.Module):
    """Half a feed-forward, attention, convolution, half a feed-forward (Gulati et al. 2020)."""

    def __init__(self, width: int, heads: int, taps: int = 15) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(width) for _ in range(5)])
        self.dense = nn.ModuleList(
            [nn.Sequential(nn.Linear(width, 2 * width), nn.SiLU(), nn.Linear(2 * width, width))
             for _ in range(2)]
        )  # fmt: skip
        self.look = nn.MultiheadAttention(width, heads, batch_first=True)
        self.enter = nn.Linear(width, 2 * width)
        self.depth = nn.Conv1d(width, width, taps, padding=taps // 2, groups=width)
        self.leave = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """x (n, width, nt)."""
        h = x.transpose(1, 2)
        h = h + 0.5 * self.dense[0](self.norms[0](h))
        seen = self.norms[1](h)
        h = h + self.look(seen, seen, seen, need_weights=False)[0]
        near = functional.glu(self.enter(self.norms[2](h)))
        h = h + self.leave(functional.silu(self.depth(near.transpose(1, 2)).transpose(1, 2)))
        h = h + 0.5 * self.dense[1](self.norms[3](h))
        return self.norms[4](h).transpose(1, 2)  # type: ignore[no-any-return]


def _down(before: int, after: int) -> nn.Conv1d:
    return nn.Conv1d(before, after, 4, stride=2, padding=1)


def pooled(x: torch.Tensor) -> torch.Tensor:
    """(n, channels, any) to (n, channels * PLACES)."""
    return functional.adaptive_avg_pool1d(x, PLACES).flatten(1)


class Generator(nn.Module):
    """G: low band, three channels of noise, style and condition to a motion above the crossover."""

    def __init__(self, system: System, sizes: TranslatorSizes) -> None:
        super().__init__()
        self.system, self.sizes = system, sizes
        channels = sizes.channels
        style = sizes.style if system.style == "adain" else 0
        code = 2 * (CONDITIONS + sizes.style)
        self.told = nn.Sequential(nn.Linear(CONDITIONS + style, code), Dense(code), Dense(code))
        ins = (6, *channels[:-1])
        self.down = nn.ModuleList([_down(a, b) for a, b in zip(ins, channels, strict=True)])
        self.down_norm = nn.ModuleList([Modulated(c, code) for c in channels[1:]])
        self.middle = Conformer(channels[-1], sizes.heads) if system.conformer else nn.Identity()
        if system.vector:
            self.to_latent = nn.Linear(PLACES * channels[-1], sizes.latent)
            specific = sizes.style if system.style == "latent" else 0
            self.from_latent = nn.Linear(sizes.latent + specific, PLACES * channels[-1])
        outs = channels[-2::-1]
        double = 2 if system.skips else 1
        ins = (channels[-1], *(double * c for c in outs))
        self.up = nn.ModuleList(
            [nn.ConvTranspose1d(a, b, 4, stride=2, padding=1)
             for a, b in zip(ins, (*outs, 3), strict=True)]
        )  # fmt: skip
        self.up_norm = nn.ModuleList([Modulated(c, code) for c in outs])

    def forward(
        self,
        low: torch.Tensor,
        condition: torch.Tensor,
        noise: torch.Tensor,
        style: torch.Tensor,
    ) -> torch.Tensor:
        """(n, 3, nt) of low and noise (n, 3, nt), condition (n, CONDITIONS), style (n, style)."""
        nt = low.shape[2]
        levels = len(self.down)
        x = functional.pad(torch.cat([low, noise], dim=1), (0, -nt % 2**levels))
        told = torch.cat([condition, style], dim=1) if self.system.style == "adain" else condition
        code = self.told(told)
        kept = []
        for k, conv in enumerate(self.down):
            x = conv(x)
            if k:
                x = self.down_norm[k - 1](x, code)
            x = functional.leaky_relu(x, 0.2)
            kept.append(x)
        x = self.middle(x)
        if self.system.vector:
            latent = self.to_latent(pooled(x))
            if self.system.style == "latent":
                latent = torch.cat([latent, style], dim=1)
            wide = self.from_latent(latent).unflatten(1, (-1, PLACES))
            x = functional.interpolate(wide, size=x.shape[2], mode="linear")
        for k, conv in enumerate(self.up):
            if k:
                x = functional.dropout(x, self.sizes.dropout, self.training)
                if self.system.skips:
                    x = torch.cat([x, kept[levels - 1 - k]], dim=1)
            x = conv(x)
            if k < levels - 1:
                x = functional.relu(self.up_norm[k](x, code))
        return x[..., :nt]


class Encoder(nn.Module):
    """F: a motion above the crossover to mean and ln variance of its style, (n, 2 style)."""

    def __init__(self, sizes: TranslatorSizes) -> None:
        super().__init__()
        ins = (3, *sizes.channels[:-1])
        self.down = nn.ModuleList([_down(a, b) for a, b in zip(ins, sizes.channels, strict=True)])
        self.leave = nn.Linear(PLACES * sizes.channels[-1], 2 * sizes.style)

    def forward(self, motion: torch.Tensor) -> torch.Tensor:
        """Motion (n, 3, nt)."""
        x = functional.pad(motion, (0, -motion.shape[2] % 2 ** len(self.down)))
        for conv in self.down:
            x = functional.leaky_relu(conv(x), 0.2)
        moments: torch.Tensor = self.leave(pooled(x))
        return moments
