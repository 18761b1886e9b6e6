"""The losses of StyleGAN: logistic, not saturating, with a penalty at records now and then."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from gwm_hazard.core.noise import Noise
from gwm_hazard.models.stylegan_eq.design import Design
from gwm_hazard.models.stylegan_eq.network import Generator, Mapping, SynthesisLayer
from gwm_hazard.training.stylegan_eq.config import Fit
from gwm_hazard.training.stylegan_eq.discriminator import Discriminator

Parts = dict[str, torch.Tensor]

#: Images over which running magnitudes halve, and the decay of the mean style a step.
_HALF, _STYLE = 20_000, 0.998


class Game:
    """Both networks and the losses that each is trained with.

    The mean square that enters each layer of the synthesis, and the mean style, are followed while
    the discriminator is shown images: ``state`` holds them.
    """

    def __init__(self, design: Design, fit: Fit) -> None:
        self.design, self.fit = design, fit
        self.generator, self.critic = Generator(design), Discriminator(design)
        self._following = False
        for module in self.generator.modules():
            if isinstance(module, SynthesisLayer):
                module.register_forward_pre_hook(self._follow_magnitude)
            elif isinstance(module, Mapping):
                module.register_forward_hook(self._follow_style)

    @property
    def state(self) -> dict[str, torch.Tensor]:
        """Tensors of the generator that are followed."""
        ends = ("magnitude_ema", "w_avg")
        return {k: b for k, b in self.generator.named_buffers() if k.endswith(ends)}

    def critic_loss(self, image: torch.Tensor, noise: Noise) -> tuple[torch.Tensor, Parts]:
        """-ln of the probability that records are taken for records, and draws for draws."""
        self._following = True
        with torch.no_grad():
            drawn = self.generator(self._latent(noise, image))
        self._following = False
        score = self.critic(image)
        loss = functional.softplus(-score).mean() + functional.softplus(self.critic(drawn)).mean()
        parts: Parts = {"critic": loss.detach()}
        if int(noise.event[0]) % self.fit.r1_every == 0:
            penalty = self.penalty(image)
            parts["penalty"] = penalty.detach()
            loss = loss + 0.5 * self.fit.r1 * self.fit.r1_every * penalty
        return loss, parts

    def penalty(self, image: torch.Tensor) -> torch.Tensor:
        """Squared gradient of the score by the image, a mean over records."""
        image = image.detach().requires_grad_(True)
        (gradient,) = torch.autograd.grad(self.critic(image).sum(), image, create_graph=True)
        return gradient.square().sum(dim=(1, 2, 3)).mean()

    def generator_loss(self, image: torch.Tensor, noise: Noise) -> tuple[torch.Tensor, Parts]:
        """-ln of the probability that draws are taken for records."""
        score = self.critic(self.generator(self._latent(noise, image)))
        loss = functional.softplus(-score).mean()
        return loss, {"loss": loss.detach()}

    def _latent(self, noise: Noise, image: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(noise.normal("latent", self.design.z_dim)).to(image.device)

    def _follow_magnitude(self, layer: Any, given: tuple[torch.Tensor, torch.Tensor]) -> None:
        if self._following:
            share = 1.0 - 0.5 ** (len(given[0]) / _HALF)
            layer.magnitude_ema.lerp_(given[0].square().mean(), share)

    def _follow_style(self, mapping: Any, _: Any, styles: torch.Tensor) -> None:
        if self._following:
            mapping.w_avg.lerp_(styles.mean(dim=0), 1.0 - _STYLE)
