"""The waveform catalogue: its HDF5 format and its xarray view."""
