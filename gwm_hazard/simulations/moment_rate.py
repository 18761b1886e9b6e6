"""Moment-rate functions of unit moment, as complex spectra exp(-i 2 pi f t) of a start at t = 0."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import j0, j1

Array = NDArray[np.float64]
Spectrum = NDArray[np.complex128]

#: Share of the rise time that the regularised Yoffe function takes to its peak, and again at its
#: end: half of the base of the triangle.
SMOOTHING = 0.1


def moment_n_m(mag: ArrayLike) -> Array:
    """Seismic moment, N m (Hanks and Kanamori 1979)."""
    return np.asarray(10.0 ** (1.5 * np.asarray(mag, dtype=np.float64) + 9.05))


def corner_hz(mag: ArrayLike, stress_bar: float, beta_km_s: ArrayLike) -> Array:
    """Brune's corner 4.906e6 beta (stress / M0)^(1/3), M0 in dyne cm (Boore 2003, eq. 4)."""
    return np.asarray(
        4.906e6 * np.asarray(beta_km_s) * np.cbrt(stress_bar / (1e7 * moment_n_m(mag)))
    )


def brune(f: Array, corner: ArrayLike) -> Spectrum:
    """Moment rate wc^2 t exp(-wc t) (Brune 1970): 1 / (1 + i f / fc)^2; corner (n,) -> (n, nf)."""
    below = 1.0 + 1j * f / np.asarray(corner, dtype=np.float64)[..., None]
    return np.asarray(1.0 / below**2, dtype=np.complex128)


def yoffe(f: Array, rise_s: ArrayLike) -> Spectrum:
    """Regularised Yoffe function (Tinti et al. 2005) that lasts ``rise_s`` (n,) -> (n, nf).

    Yoffe's 2 / (pi T) sqrt((T - t) / t), whose transform is exp(-iz) (J0(z) + i J1(z)) with
    z = pi f T, convolved with a triangle of half base :data:`SMOOTHING` ``rise_s``.
    """
    rise = np.asarray(rise_s, dtype=np.float64)[..., None]
    half = SMOOTHING * rise
    z = np.pi * f * (rise - 2.0 * half)
    triangle = np.sinc(f * half) ** 2 * np.exp(-2j * np.pi * f * half)
    return np.exp(-1j * z) * (j0(z) + 1j * j1(z)) * triangle


def cosine(f: Array, duration_s: ArrayLike) -> Spectrum:
    """Raised cosine (1 - cos(2 pi t / T)) / T of duration T (n,) -> (n, nf)."""
    x = f * np.asarray(duration_s, dtype=np.float64)[..., None]
    smooth = np.sinc(x) + 0.5 * (np.sinc(x - 1.0) + np.sinc(x + 1.0))
    return smooth * np.exp(-1j * np.pi * x)


#: By the name that a file of layers says.
SHAPES = {"brune": brune, "yoffe": yoffe, "cosine": cosine}
