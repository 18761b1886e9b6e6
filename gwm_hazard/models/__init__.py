"""Generative waveform models: the protocol, the registry, one module or folder a family."""
