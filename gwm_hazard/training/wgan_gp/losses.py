"""The losses of a Wasserstein GAN with gradient penalty (Gulrajani et al. 2017)."""

from __future__ import annotations

import torch

from gwm_hazard.core.noise import Noise
from gwm_hazard.models.wgan_gp.network import critic_of, generator_of
from gwm_hazard.models.wgan_gp.sizes import Sizes
from gwm_hazard.training.wgan_gp.config import Fit
from gwm_hazard.training.wgan_gp.score import energy_score

Parts = dict[str, torch.Tensor]


class Game:
    """Both networks and the losses that each is trained with.

    A batch holds the records of all updates of a step, one after another; the key of the noise
    says which update asks. ``ln_span`` is ln of the largest over the smallest peak.
    """

    def __init__(self, sizes: Sizes, fit: Fit, ln_span: float = 1.0) -> None:
        self.sizes, self.fit, self.ln_span = sizes, fit, ln_span
        self.generator, self.critic = generator_of(sizes), critic_of(sizes)

    def critic_loss(
        self, wave: torch.Tensor, peaks: torch.Tensor, condition: torch.Tensor, noise: Noise
    ) -> tuple[torch.Tensor, Parts]:
        """Score of draws less that of records, and the penalty of the gradient."""
        rows = self._rows(len(wave), noise)
        wave, peaks, condition = wave[rows], peaks[rows], condition[rows]
        noise = noise.take(rows)
        with torch.no_grad():
            drawn, made = self.generator(self._normals(noise, condition), condition)
        made = peaks if made is None else made
        share = 0.5 * (1.0 + torch.erf(normals(noise, "between", 1).to(wave.device) / 2**0.5))
        penalty = self.penalty(
            share[:, :, None] * wave + (1.0 - share[:, :, None]) * drawn,
            share * peaks + (1.0 - share) * made,
            condition,
        )
        gap = (
            self.critic(drawn, made, condition).mean() - self.critic(wave, peaks, condition).mean()
        )
        return gap + self.fit.penalty * penalty, {
            "critic": gap.detach(),
            "penalty": penalty.detach(),
        }

    def penalty(
        self, wave: torch.Tensor, peaks: torch.Tensor, condition: torch.Tensor
    ) -> torch.Tensor:
        """(|gradient of the score by waveform and peaks together| - 1)^2, a mean."""
        inputs = [wave.detach().requires_grad_(True)]
        if peaks.shape[1]:
            inputs.append(peaks.detach().requires_grad_(True))
        score = self.critic(inputs[0], inputs[-1] if peaks.shape[1] else peaks, condition)
        gradients = torch.autograd.grad(score.sum(), inputs, create_graph=True)
        flat = torch.cat([g.flatten(1) for g in gradients], dim=1)
        return (flat.norm(dim=1) - 1.0).square().mean()

    def generator_loss(
        self, wave: torch.Tensor, peaks: torch.Tensor, condition: torch.Tensor, noise: Noise
    ) -> tuple[torch.Tensor, Parts]:
        """Less the critic's score of draws, and their energy score beside the records."""
        rows = self._rows(len(wave), noise)
        wave, condition, peaks, noise = wave[rows], condition[rows], peaks[rows], noise.take(rows)
        parts: Parts = {}
        proper = wave.new_zeros(())
        if self.fit.score:
            proper = self._proper(wave, peaks, condition, noise)
            parts["score"] = proper.detach()
        if self.fit.marginals and condition.shape[1] > 1:
            order = normals(noise, "marginals", condition.shape[1]).argsort(dim=0)
            condition = condition.gather(0, order.to(condition.device))
        drawn, made = self.generator(self._normals(noise, condition), condition)
        score = self.critic(drawn, peaks if made is None else made, condition).mean()
        parts["loss"] = -score.detach()
        return self.fit.score * proper - score, parts

    def _proper(
        self, wave: torch.Tensor, peaks: torch.Tensor, condition: torch.Tensor, noise: Noise
    ) -> torch.Tensor:
        """The energy score of two draws for the conditions of each record."""
        latent = [
            normals(noise, stream, self.sizes.normals).to(condition.device)
            for stream in ("first", "second")
        ]
        drawn, made = self.generator(torch.cat(latent), torch.cat([condition, condition]))
        made = torch.cat([peaks, peaks]) if made is None else made
        (first, second), (a, b) = drawn.chunk(2), (0.5 * self.ln_span * made).chunk(2)
        return energy_score(first, second, wave, a, b, 0.5 * self.ln_span * peaks)

    def _rows(self, n: int, noise: Noise) -> slice:
        """The records of one update of a step; all of a batch that is no larger."""
        size = self.fit.batch
        turn = int(noise.realization[0])
        start = (turn * size) % max(1, n - n % size)
        return slice(start, start + size)

    def _normals(self, noise: Noise, condition: torch.Tensor) -> torch.Tensor:
        return normals(noise, "latent", self.sizes.normals).to(condition.device)


def normals(noise: Noise, stream: str, size: int) -> torch.Tensor:
    """Standard normals, (n, size)."""
    return torch.from_numpy(noise.normal(stream, size))
