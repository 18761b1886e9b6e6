"""Conditions that nobody will ask for: mixed over a prior.

A hazard calculation has no word for some conditions of a model (the azimuthal gap between the
stations that recorded an earthquake). What it needs is the distribution of ln IM over their
prior.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.distribution.moments import Moments
from gwm_hazard.distribution.shape import Shape

#: Gauss-Legendre points over a prior: exact for polynomials up to degree 9.
POINTS = 5


def uniform_points(low: float, high: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gauss-Legendre points and weights of the uniform prior from ``low`` to ``high``."""
    x, w = np.polynomial.legendre.leggauss(POINTS)
    return low + (high - low) * (x + 1.0) / 2.0, w / 2.0


def mix(
    moments: Moments, shape: Shape | None, weights: NDArray[np.float64]
) -> tuple[Moments, Shape | None]:
    """Moments of a mixture whose parts lie along the first axis, (n_parts, ...).

    The condition belongs to the earthquake, so that the spread of the parts' means adds to
    tau: all sites of an event share it. ``weights`` (n_parts,) sum to 1.
    """

    def average(x: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.tensordot(weights, x, axes=(0, 0))

    mean = average(moments.mean)
    offset = moments.mean - mean
    tau = np.sqrt(average(moments.tau**2 + offset**2))
    phi = np.sqrt(average(moments.phi**2))
    mixed = Moments(mean, tau, phi)
    if shape is None:
        return mixed, None
    s = moments.sigma
    third = average(shape.skewness * s**3 + 3.0 * s**2 * offset + offset**3)
    fourth = average(
        (shape.kurtosis + 3.0) * s**4
        + 4.0 * shape.skewness * s**3 * offset
        + 6.0 * s**2 * offset**2
        + offset**4
    )
    sigma = np.maximum(mixed.sigma, 1e-12)
    return mixed, Shape(third / sigma**3, fourth / sigma**4 - 3.0)
