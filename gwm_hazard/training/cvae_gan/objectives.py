"""The losses of critic and generator (Hu et al. 2026, in their public script), and options."""

from __future__ import annotations

import numpy as np
import torch

from gwm_hazard.core.noise import Noise
from gwm_hazard.models.cvae_gan.form import Form
from gwm_hazard.models.cvae_gan.model import filtered
from gwm_hazard.models.cvae_gan.network import Critic, Generator, latent_of
from gwm_hazard.models.cvae_gan.sizes import Sizes
from gwm_hazard.representation.response_spectrum import ln_response_spectrum
from gwm_hazard.training.cvae_gan.config import Losses
from gwm_hazard.training.cvae_gan.records import normals

Parts = dict[str, torch.Tensor]


class Game:
    """Both networks and the losses that each is trained with."""

    def __init__(
        self, generator: Generator, critic: Critic, sizes: Sizes, form: Form, losses: Losses,
        dt_s: float,
    ) -> None:  # fmt: skip
        self.generator, self.critic = generator, critic
        self.sizes, self.form, self.losses, self.dt_s = sizes, form, losses, dt_s

    def prior_draw(self, condition: torch.Tensor, noise: Noise, name: str = "") -> torch.Tensor:
        """A waveform of each condition, of a latent without a record."""
        decoder = self.generator.decoder
        latent = normals(noise, f"latent{name}", self.sizes.latent)
        texture = normals(noise, f"texture{name}", decoder.texture)
        return filtered(decoder(latent, condition, texture), self.form, self.dt_s)

    def critic_loss(
        self, wave: torch.Tensor, condition: torch.Tensor, noise: Noise
    ) -> tuple[torch.Tensor, Parts]:
        """Score of prior draws less that of records, and the penalty of the gradient."""
        with torch.no_grad():
            drawn = self.prior_draw(condition, noise)
        uniform = 0.5 * (1.0 + torch.erf(normals(noise, "between", 1) / 2**0.5))
        penalty = gradient_penalty(self.critic, wave, drawn, condition, uniform[:, :, None])
        gap = self.critic(drawn, condition).mean() - self.critic(wave, condition).mean()
        return gap + self.losses.penalty * penalty, {"critic": gap.detach()}

    def generator_loss(
        self, wave: torch.Tensor, condition: torch.Tensor, noise: Noise
    ) -> tuple[torch.Tensor, Parts]:
        """The published loss of reconstructions, and what the options add on prior draws."""
        weights = self.losses
        moments = self.generator.encoder(wave, condition)
        latent = latent_of(moments, normals(noise, "posterior", self.sizes.latent))
        rebuilt = filtered(self.generator.decoder(latent, condition), self.form, self.dt_s)
        parts = {
            "reconstruction": (rebuilt - wave).square().mean(),
            "kl": divergence(*moments),
            "adversarial": -self.critic(rebuilt, condition).mean(),
        }
        if weights.prior or weights.spectrum or weights.build_up:
            both = [self.prior_draw(condition, noise, f" {k}") for k in (1, 2)]
            if weights.prior:
                parts["prior"] = -0.5 * sum(self.critic(x, condition).mean() for x in both)
            if weights.spectrum:
                misses = self._spectral_misses(wave, both, noise)
                parts["spectrum"] = _square(misses, weights.scatter)
                parts["ln SA rms"] = torch.stack(misses).square().mean().sqrt()
            if weights.build_up:
                goal = build_up(wave)
                parts["build_up"] = _square([build_up(x) - goal for x in both], weights.scatter)
        total = sum(getattr(weights, k) * v for k, v in parts.items() if hasattr(weights, k))
        assert isinstance(total, torch.Tensor)
        return total, {"loss": total.detach()} | {k: v.detach() for k, v in parts.items()}

    def _spectral_misses(
        self, wave: torch.Tensor, drawn: list[torch.Tensor], noise: Noise
    ) -> list[torch.Tensor]:
        """ln SA of draws less that of the record, (n, n_spectra * n_periods) each."""
        grid = self.form.periods_s(self.sizes.ordinates)
        # one period of each of as many equal parts of the grid, the same for the whole batch
        edges = np.linspace(0, len(grid), min(self.losses.periods, len(grid)) + 1)
        place = 0.5 * (1.0 + torch.erf(normals(noise, "periods", len(edges) - 1)[0] / 2**0.5))
        chosen = np.floor(edges[:-1] + place.numpy() * np.diff(edges)).astype(int)
        periods = torch.from_numpy(grid[np.minimum(chosen, len(grid) - 1)]).float()
        stacked = torch.cat([wave, *drawn])
        found = [ln_response_spectrum(stacked[:, :2], self.dt_s, periods, self.form.damping)]
        if stacked.shape[1] == 3:
            found.append(
                ln_response_spectrum(stacked[:, 2:], self.dt_s, periods, self.form.damping)
            )
        ln = torch.cat(found, dim=1)
        n = len(wave)
        misses = [ln[n : 2 * n] - ln[:n], ln[2 * n :] - ln[:n]]
        if not self.form.level:  # a factor on the record means nothing
            misses = [m - m.mean(dim=1, keepdim=True) for m in misses]
        return misses


def divergence(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """From the standard normal: a mean over the batch and over the latent, as published."""
    return -0.5 * (1.0 + log_variance - mean.square() - log_variance.exp()).mean()


def gradient_penalty(
    critic: Critic, wave: torch.Tensor, drawn: torch.Tensor, condition: torch.Tensor,
    share: torch.Tensor,
) -> torch.Tensor:  # fmt: skip
    """(|gradient of the score| - 1)^2 between records and draws; Gulrajani et al. (2017)."""
    between = (share * wave + (1.0 - share) * drawn).requires_grad_(True)
    score = critic(between, condition).sum()
    (gradient,) = torch.autograd.grad(score, between, create_graph=True)
    return (gradient.flatten(1).norm(dim=1) - 1.0).square().mean()


def build_up(wave: torch.Tensor) -> torch.Tensor:
    """Share of the Arias intensity by time, at 64 times or so, (n, components * times)."""
    energy = wave.square().cumsum(dim=2)
    whole = energy[:, :, -1:] + 1e-12
    return (energy[:, :, :: max(1, wave.shape[2] // 64)] / whole).flatten(1)


def _square(pair: list[torch.Tensor], scatter: float) -> torch.Tensor:
    """Square of a mean difference from two independent draws of it, or of the draws."""
    one, other = pair
    apart = 0.5 * (one.square() + other.square()).mean()
    return (1.0 - scatter) * (one * other).mean() + scatter * apart
