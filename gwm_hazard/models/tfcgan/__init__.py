"""TFCGAN (Esfahani et al. 2023): a conditional GAN on spectrograms, and phase retrieval."""

from gwm_hazard.models.tfcgan.model import TFCGANModel

__all__ = ["TFCGANModel"]
