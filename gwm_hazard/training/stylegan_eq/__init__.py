"""Training of the StyleGAN-EQ family."""
