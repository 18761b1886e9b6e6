"""StyleGAN-EQ (Xu and Chen 2024): images of spectrograms by a StyleGAN3, turned into motions."""

from gwm_hazard.models.stylegan_eq.model import StyleGANEQModel

__all__ = ["StyleGANEQModel"]
