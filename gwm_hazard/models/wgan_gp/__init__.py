"""Wasserstein GANs with gradient penalty on waveforms: Florez et al. (2022), SeismoGen, ITACA."""

from gwm_hazard.models.wgan_gp.model import WGANGPModel

__all__ = ["WGANGPModel"]
