"""What each network is fitted to: a module that gives a loss and its parts."""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional

from gwm_hazard.models.highfem.autoencoder import Autoencoder
from gwm_hazard.models.highfem.baseline import IMAGE, Baseline
from gwm_hazard.models.highfem.denoiser import SIGMA_DATA, LatentDiffusion
from gwm_hazard.training.config import AutoencoderStage, Data, DenoiserStage

Parts = tuple[torch.Tensor, dict[str, torch.Tensor]]

#: Frequencies and frames over which the local power is averaged.
_POOL = (2, 8)
#: ln of the standard deviation of a latent's noise is kept within.
_LN_SD = (-10.0, 5.0)
#: Added to the share of variance by which channels are weighed: none is left out.
_LEAST_SHARED = 0.02
#: Residuals beyond so many standard deviations count linearly.
_HUBER = 2.0


class AutoencoderObjective(nn.Module):
    """Squared error of ln amplitude, of the ln of local mean power, and the latent's divergence.

    A bottleneck smooths the scatter of neighbouring pixels, and the mean of a logarithm lies below
    the logarithm of the mean: squared error alone would leave the power of what is decoded too
    low. The second term holds the average power of each patch of pixels (``power`` times).

    Rows of low frequency are few but make PGV and long-period response, so the squared error of
    row k counts 1 + ``low_frequencies`` x 8 / (8 + k) times, normalised to 1 on average.
    """

    weight: torch.Tensor

    def __init__(self, autoencoder: Autoencoder, stage: AutoencoderStage, data: Data) -> None:
        super().__init__()
        self.autoencoder = autoencoder
        self.kl, self.power = stage.kl, stage.power
        self.unit = 0.5 * (data.ln_top - math.log(data.clip))  # ln units of 1 in the image
        rows = torch.arange(IMAGE, dtype=torch.float32)
        weight = 1.0 + stage.low_frequencies * 8.0 / (8.0 + rows)
        self.register_buffer("weight", (weight / weight.mean())[:, None], persistent=False)

    def forward(self, image: torch.Tensor, noise: torch.Tensor) -> Parts:
        """image (n, 3, h, w), noise (n, latent channels, h', w') -> loss and its parts."""
        mean, ln_sd = self.autoencoder.encoder(image).float().chunk(2, dim=1)
        ln_sd = ln_sd.clamp(*_LN_SD)
        found = self.autoencoder.decode(mean + torch.exp(ln_sd) * noise).float()
        error = torch.mean(self.weight * ((found - image) * self.unit) ** 2)
        local = torch.mean((self._ln_power(found) - self._ln_power(image)) ** 2)
        divergence = 0.5 * (mean**2 + torch.exp(2.0 * ln_sd) - 2.0 * ln_sd - 1.0).sum(1).mean()
        loss = error + self.power * local + self.kl * divergence
        return loss, {"loss": loss, "error": error, "power": local, "divergence": divergence}

    def _ln_power(self, image: torch.Tensor) -> torch.Tensor:
        """ln of the root of the mean squared amplitude of patches."""
        squared = torch.exp(2.0 * self.unit * image.clamp(max=2.0))
        return 0.5 * torch.log(functional.avg_pool2d(squared, _POOL))


class BaselineObjective(nn.Module):
    """Negative log likelihood of latents, a pixel.

    With ``kept``, a baseline from before, only the mean is fitted, and the standard deviation held
    where that one has it: a few records tell where their mean lies, but hardly the spread of all
    that could be. Residuals then count by Huber's loss, so that records with defects (analogue ones
    without high frequencies, say) do not decide.
    """

    def __init__(self, baseline: Baseline, kept: Baseline | None = None) -> None:
        super().__init__()
        self.baseline, self.kept = baseline, kept
        if kept is not None:
            kept.requires_grad_(False)

    def forward(
        self,
        latent: torch.Tensor,
        cond: torch.Tensor,
        level: torch.Tensor,
        noise: torch.Tensor,
    ) -> Parts:
        """latent (n, channels, h, w), cond (n, conditions); the rest is not used."""
        mean, sd = self.baseline(cond)
        if self.kept is None:
            residual = (latent - mean.float()) / sd
            loss = torch.mean(0.5 * residual**2 + torch.log(sd))
        else:
            before = self.kept(cond)[1]
            residual = (latent - mean.float()) / before
            held = torch.log(sd / before).square().mean()
            loss = functional.huber_loss(residual, torch.zeros_like(residual), delta=_HUBER) + held
        return loss, {"loss": loss, "residual": residual.square().mean()}


class DiffusionObjective(nn.Module):
    """Weighted squared error of the denoised latent (Karras et al. 2022, table 1 and eq. 8).

    Noise levels are lognormal. Amplitudes of a whole record vary together, which many pixels tell
    even through strong noise, so the levels reach higher than for photographs (-1.2 and 1.2).

    Most channels of a latent hold the scatter of single pixels, which nothing predicts; what all
    pixels of a record share, and the variability of intensity measures with it, lies in few. After
    :meth:`weigh` these count more. The best denoiser is the same for any weights, it is only found
    sooner.
    """

    channel_weight: torch.Tensor

    def __init__(self, network: LatentDiffusion, stage: DenoiserStage) -> None:
        super().__init__()
        self.network = network
        self.ln_sigma = stage.ln_sigma_mean, stage.ln_sigma_sd
        channels = network.unet.out[2].out_channels
        assert isinstance(channels, int)
        self.register_buffer("channel_weight", torch.ones(channels, 1, 1), persistent=False)

    @torch.no_grad()
    def weigh(self, latent: torch.Tensor, cond: torch.Tensor) -> None:
        """Weigh channels by the share of their variance that is the record's own mean.

        latent (n, channels, h, w), cond (n, conditions): examples, some hundreds.
        """
        if self.network.baseline is not None:
            latent = self.network.baseline.residual(latent, cond, SIGMA_DATA)
        shared = latent.mean(dim=(2, 3)).var(dim=0) / latent.var(dim=(0, 2, 3))
        weight = shared + _LEAST_SHARED
        self.channel_weight = (weight / weight.mean())[:, None, None].to(self.channel_weight)

    def forward(
        self,
        latent: torch.Tensor,
        cond: torch.Tensor,
        level: torch.Tensor,
        noise: torch.Tensor,
    ) -> Parts:
        """latent and noise (n, channels, h, w), cond (n, conditions), level (n,) normal."""
        if self.network.baseline is not None:
            with torch.no_grad():
                latent = self.network.baseline.residual(latent, cond, SIGMA_DATA)
        mean, sd = self.ln_sigma
        sigma = torch.exp(mean + sd * level)
        denoised = self.network.denoise(latent + sigma[:, None, None, None] * noise, sigma, cond)
        weight = (sigma**2 + SIGMA_DATA**2) / (sigma * SIGMA_DATA) ** 2
        error = self.channel_weight * (denoised - latent) ** 2
        loss = torch.mean(weight * error.mean(dim=(1, 2, 3)))
        return loss, {"loss": loss}
