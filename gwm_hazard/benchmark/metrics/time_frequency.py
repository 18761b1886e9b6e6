"""Envelope and phase goodness of fit of several components together, by an own transform.

Kristekova, Kristek and Moczo (2009, GJI 178: 813-825), global normalisation: the misfits of every
component are over the largest norm of a component of the reference. The settings are those that
systems from low frequencies to broadband are published with: Morlet's wavelet, w0 = 6, 100
frequencies from 0.1 to 30 Hz.
"""

from __future__ import annotations

import math

import numpy as np
import scipy.fft
from numpy.typing import ArrayLike, NDArray

from gwm_hazard.errors import InputError

Array = NDArray[np.float64]

W0 = 6.0


def morlet(signal: ArrayLike, dt_s: float, frequencies_hz: ArrayLike) -> NDArray[np.complex128]:
    """Continuous wavelet transform of signals (..., nt): (..., n_frequencies, nt).

    By the analytic Fourier transform of the wavelet; zeros are put behind the signal, twice its
    length, so that its end does not meet its beginning.
    """
    x = np.asarray(signal, dtype=np.float64)
    nt = x.shape[-1]
    size = scipy.fft.next_fast_len(3 * nt)
    omega = 2 * np.pi * scipy.fft.fftfreq(size, dt_s)
    scale = W0 / (2 * np.pi * np.asarray(frequencies_hz, dtype=np.float64))[:, None]
    wavelet = np.exp(-0.5 * (scale * omega - W0) ** 2) * (omega > 0)
    wavelet *= np.sqrt(2 * np.pi * scale) * math.pi**-0.25
    spectrum = scipy.fft.fft(x, size)
    return np.asarray(scipy.fft.ifft(spectrum[..., None, :] * wavelet)[..., :nt])


def eg_pg(
    signal: ArrayLike, reference: ArrayLike, dt_s: float, *, fmin_hz: float = 0.1,
    fmax_hz: float = 30.0, n_frequencies: int = 100,
) -> tuple[Array, Array]:  # fmt: skip
    """EG = 10 exp(-EM) and PG = 10 (1 - PM) by component, (n_components,) each.

    Parameters
    ----------
    signal, reference : (n_components, nt), on one time axis; the reference is what is to be met

    Raises
    ------
    InputError
        Two shapes, or a reference without motion.
    """
    x, r = np.asarray(signal, dtype=np.float64), np.asarray(reference, dtype=np.float64)
    if x.shape != r.shape or x.ndim != 2:
        raise InputError(f"signal {x.shape} and reference {r.shape}: must be (n_components, nt)")
    if not r.any():
        raise InputError("reference: no motion to compare with")
    f = np.geomspace(fmin_hz, fmax_hz, n_frequencies)
    envelope, phase, norm = np.empty(len(x)), np.empty(len(x)), np.empty(len(x))
    for c in range(len(x)):  # a component at a time: the transforms are large
        w, wr = morlet(x[c], dt_s, f), morlet(r[c], dt_s, f)
        size = np.abs(wr)
        envelope[c] = ((np.abs(w) - size) ** 2).sum()
        phase[c] = ((size * np.angle(w * wr.conj()) / np.pi) ** 2).sum()
        norm[c] = (size**2).sum()
    eg: Array = 10.0 * np.exp(-np.sqrt(envelope / norm.max()))
    pg: Array = 10.0 * (1.0 - np.sqrt(phase / norm.max()))
    return eg, pg
