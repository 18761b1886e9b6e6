"""Adversarial losses of the systems from low frequencies to broadband.

What is drawn and what it is held against are over their own rms: the level is no matter of the
network. The oracle, whose style is that of the record, is held against the record itself; draws
from the prior only against the critics.
"""

from __future__ import annotations

import zlib
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from gwm_hazard.core.noise import Noise
from gwm_hazard.models.broadband.envelope import normals
from gwm_hazard.models.broadband.forms import TranslatorShape
from gwm_hazard.models.broadband.translator import TranslatorSizes, pooled
from gwm_hazard.training.broadband.config import Losses
from gwm_hazard.training.broadband.records import PairedRecords

Parts = dict[str, torch.Tensor]

#: Critics of each system: "patch" sees low band and motion, "whole" the motion, "joint" motion and
#: style (adversarially learned inference, Dumoulin et al. 2017).
CRITICS = {
    "pix2pix": ("patch",),
    "bicycle": ("patch", "whole"),
    "shared": ("patch", "whole"),
    "factorised": ("joint", "patch"),
    "must": ("joint", "patch"),
}
_SLOPE = 0.2


class Patch(nn.Module):
    """Scores of pieces of a motion beside its low band (Isola et al. 2017)."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        widths = (inputs, 16, 32, 64)
        self.conv = nn.ModuleList(
            [spectral_norm(nn.Conv1d(a, b, 4, stride=2, padding=1))
             for a, b in pairwise(widths)]
        )  # fmt: skip
        self.leave = spectral_norm(nn.Conv1d(widths[-1], 1, 3, padding=1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(n, pieces)."""
        for conv in self.conv:
            x = functional.leaky_relu(conv(x), _SLOPE)
        score: torch.Tensor = self.leave(x)
        return score.flatten(1)


class Whole(nn.Module):
    """Score of a motion, beside ``style`` numbers."""

    def __init__(self, sizes: TranslatorSizes, style: int = 0) -> None:
        super().__init__()
        ins = (3, *sizes.channels[:-1])
        self.conv = nn.ModuleList(
            [spectral_norm(nn.Conv1d(a, b, 4, stride=2, padding=1))
             for a, b in zip(ins, sizes.channels, strict=True)]
        )  # fmt: skip
        width = sizes.latent
        self.enter = spectral_norm(nn.Linear(16 * sizes.channels[-1] + style, width))
        self.leave = spectral_norm(nn.Linear(width, 1))

    def forward(self, x: torch.Tensor, style: torch.Tensor | None = None) -> torch.Tensor:
        """(n, 1)."""
        x = functional.pad(x, (0, -x.shape[2] % 2 ** len(self.conv)))
        for conv in self.conv:
            x = functional.leaky_relu(conv(x), _SLOPE)
        flat = pooled(x)
        if style is not None:
            flat = torch.cat([flat, style], dim=1)
        score: torch.Tensor = self.leave(functional.leaky_relu(self.enter(flat), _SLOPE))
        return score


class Game:
    """Generator with its encoder, critics, and the losses of both."""

    def __init__(self, shape: TranslatorShape, losses: Losses) -> None:
        self.shape, self.losses = shape, losses
        sizes = shape.sizes
        self.critic = nn.ModuleDict()
        for name in CRITICS[shape.system]:
            style = sizes.style if name == "joint" else 0
            self.critic[name] = Patch(6) if name == "patch" else Whole(sizes, style)

    def _style(self, high: torch.Tensor, noise: Noise) -> tuple[torch.Tensor, torch.Tensor]:
        """Style of the record, drawn about its mean, and its divergence from the prior."""
        own = torch.from_numpy(noise.normal("posterior", self.shape.sizes.style)).to(high)
        if self.shape.encoder is None:
            return own, high.new_zeros(())
        mean, ln_variance = self.shape.encoder(high).chunk(2, dim=1)
        gap = -0.5 * (1.0 + ln_variance - mean.square() - ln_variance.exp()).mean()
        return mean + (0.5 * ln_variance).exp() * own, gap

    def _made(
        self, low: torch.Tensor, condition: torch.Tensor, there: torch.Tensor, style: torch.Tensor,
        noise: Noise, name: str,
    ) -> torch.Tensor:  # fmt: skip
        phases = normals(noise.normal(f"phases {name}", low[0].numel()), len(low), low.shape[2])
        return self.shape.generator(low, condition, phases.to(low), style) * there[:, :, None]

    def _scores(
        self, low: torch.Tensor, motion: torch.Tensor, style: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        made = {}
        for name, critic in self.critic.items():
            if name == "patch":
                made[name] = critic(torch.cat([low, motion], dim=1))
            else:
                made[name] = critic(motion, style) if name == "joint" else critic(motion)
        return made

    def critic_loss(
        self, low: torch.Tensor, high: torch.Tensor, condition: torch.Tensor, there: torch.Tensor,
        noise: Noise,
    ) -> tuple[torch.Tensor, Parts]:  # fmt: skip
        """Logistic: records above 0, draws below; the joint one tells a record's own style."""
        with torch.no_grad():
            goal = over_rms(high)
            own, _ = self._style(goal, noise)
            prior = torch.from_numpy(noise.normal("style", self.shape.sizes.style)).to(low)
            drawn = self._made(low, condition, there, prior, noise, "critic")
        real, fake = self._scores(low, goal, own), self._scores(low, drawn, prior)
        apart = [functional.softplus(-real[k]).mean() + functional.softplus(fake[k]).mean()
                 for k in real]  # fmt: skip
        loss = torch.stack(apart).sum()
        return loss, {"critic": loss.detach()}

    def generator_loss(
        self, low: torch.Tensor, high: torch.Tensor, condition: torch.Tensor, there: torch.Tensor,
        noise: Noise,
    ) -> tuple[torch.Tensor, Parts]:  # fmt: skip
        """Oracle against the record, prior draws against the critics."""
        weights, goal = self.losses, over_rms(high)
        own, gap = self._style(goal, noise)
        prior = torch.from_numpy(noise.normal("style", self.shape.sizes.style)).to(low)
        oracle = self._made(low, condition, there, own, noise, "oracle")
        drawn = self._made(low, condition, there, prior, noise, "prior")
        fooled = [functional.softplus(-s).mean() for s in self._scores(low, drawn, prior).values()]
        if "joint" in self.critic:  # inference plays too: a record's own style is to look drawn
            fooled.append(functional.softplus(self.critic["joint"](goal, own)).mean())
        parts = {
            "adversarial": torch.stack(fooled).sum(),
            "focal": focal_frequency(oracle, goal),
            "similarity": similarity(oracle, goal, there),
            "spectra": log_spectra(oracle, goal, there),
            "divergence": gap,
        }
        total = torch.stack([getattr(weights, k) * v for k, v in parts.items()]).sum()
        return total, {"loss": total.detach()} | {k: v.detach() for k, v in parts.items()}


def over_rms(motion: torch.Tensor) -> torch.Tensor:
    """Motions (n, 3, nt) over the rms of all their samples."""
    return motion / (motion.square().mean(dim=(1, 2), keepdim=True).sqrt() + 1e-12)


def focal_frequency(made: torch.Tensor, goal: torch.Tensor) -> torch.Tensor:
    """Squares of what is missing to a spectrum, weighted by what is missing (Jiang et al. 2021)."""
    off = (torch.fft.rfft(made, norm="ortho") - torch.fft.rfft(goal, norm="ortho")).abs()
    weight = (off / off.amax(dim=2, keepdim=True).clamp_min(1e-12)).detach()
    return (weight * off.square()).mean()


def similarity(made: torch.Tensor, goal: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
    """(1 - cos)^2 of the angle of two motions, over components that are there."""
    angle = functional.cosine_similarity(made, goal, dim=2)
    return (there * (1.0 - angle).square()).sum() / there.sum().clamp_min(1.0)


def log_spectra(made: torch.Tensor, goal: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
    """Mean difference of ln spectrograms of three windows, over components that are there."""
    found = []
    for size in (64, 256, 1024):
        window = torch.hann_window(size, device=made.device)
        ln = [
            torch.log(torch.stft(m.flatten(0, 1), size, size // 4, window=window,
                                 return_complex=True).abs() + 1e-3 * size**0.5)
            for m in (made, goal)
        ]  # fmt: skip
        off = (ln[0] - ln[1]).abs().mean(dim=(1, 2)).view_as(there)
        found.append((there * off).sum() / there.sum().clamp_min(1.0))
    return torch.stack(found).mean()


class GamePairs:
    """Pairs by rows alone: turned and shifted by a key of the rows of a batch."""

    def __init__(self, pairs: PairedRecords, seed: int) -> None:
        self.pairs, self.seed = pairs, seed
        self.train, self.dev = pairs.train, pairs.dev

    def batch(self, rows: NDArray[np.int64]) -> tuple[torch.Tensor, ...]:
        """Those of :meth:`PairedRecords.batch`."""
        code = zlib.crc32(np.ascontiguousarray(rows).tobytes())
        return self.pairs.batch(rows, Noise(self.seed, code, np.arange(len(rows)), 0))
