"""Noise that is correlated in space: fields of waveforms of one event.

:mod:`.lattice` makes correlated standard normals from a key and the coordinates of a site,
:mod:`.published` holds the correlations that others have found between residuals of intensity
measures, :mod:`.tuning` finds what noise gives these, and :mod:`.noise` is such noise as a model
takes it.
"""
