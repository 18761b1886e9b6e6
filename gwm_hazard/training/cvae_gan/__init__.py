"""Training of CVAE-GAN models."""
