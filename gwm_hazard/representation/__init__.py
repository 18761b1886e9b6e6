"""Representations of waveforms that networks draw: spectrograms, and waveforms back from them."""
