"""Training of the WGAN-GP family."""
