"""HighFEM (Palgunadi et al. 2025): latent diffusion on log-spectrograms; needs its weights."""

from gwm_hazard.models.highfem.model import HighFEMModel

__all__ = ["HighFEMModel"]
