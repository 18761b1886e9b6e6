"""CVAE-GAN (Hu et al. 2026): accelerograms that are compatible with a response spectrum."""

from gwm_hazard.models.cvae_gan.model import CVAEGANModel

__all__ = ["CVAEGANModel"]
