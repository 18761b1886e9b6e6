"""The level of the high band: smoothed Fourier amplitudes, given those of the low band.

A regression of ln amplitudes above the crossover on those below it, magnitude, distance and Vs30,
with all covariances of its residuals and a part that the sites of an event share. Of the two
horizontals it tells the energy, the same however they are turned, and half their difference, whose
distribution is symmetric; of the vertical what the horizontals leave open. The low band's own
phases, and the scale of a target, are not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from gwm_hazard.core.noise import Noise
from gwm_hazard.representation.level import energy_mean

Array = NDArray[np.float64]

#: Points of the level, from FIRST times the crossover to TOP_HZ, evenly in ln f.
POINTS, FIRST, TOP_HZ = 14, 0.9, 30.0
#: Where the low band is looked at, over the crossover.
LOW = (0.4, 0.6, 0.8)
#: Of the distance, km: near a source amplitudes stop growing.
NEAR_KM = 6.0


def grid_hz(fc_hz: float) -> Array:
    """Frequencies of the level, (POINTS,)."""
    return np.geomspace(FIRST * fc_hz, TOP_HZ, POINTS)


def low_grid_hz(fc_hz: float) -> Array:
    """Frequencies at which the low band is looked at, (3,)."""
    return np.array(LOW) * fc_hz


def predictors(ln_low: Array, mag: Array, distance_km: Array, vs30: Array) -> Array:
    """Of the energy of the horizontals, (n, 3 + 7): their low band, magnitude, distance, Vs30."""
    m = mag - 6.0
    ln_r = 0.5 * np.log((distance_km**2 + NEAR_KM**2) / (50.0**2 + NEAR_KM**2))
    rest = [np.ones_like(m), m, m**2, ln_r, m * ln_r, distance_km / 100.0, np.log(vs30 / 400.0)]
    return np.concatenate([ln_low, np.stack(rest, axis=1)], axis=1)


@dataclass(frozen=True)
class Level:
    """The distribution of the level at one crossover.

    Attributes
    ----------
    mean : (10, POINTS), of :func:`predictors`: :func:`energy_mean` of the horizontals
    event, record : (POINTS, POINTS), lower triangles: of what sites of an event share, and of the
        rest of the mean
    half : (3, POINTS), of half the difference of the horizontals' low bands; ``own`` (POINTS,
        POINTS) the lower triangle of its residuals
    vertical : (13, POINTS), of the vertical's low band and :func:`predictors`; ``cross`` (POINTS,
        POINTS) of the residuals of the mean, ``rest`` (POINTS, POINTS) the lower triangle of what
        is left
    """

    mean: Array
    event: Array
    record: Array
    half: Array
    own: Array
    vertical: Array
    cross: Array
    rest: Array

    @staticmethod
    def shapes() -> dict[str, tuple[int, int]]:
        """Of the tensors, by name."""
        square = (POINTS, POINTS)
        return {
            "mean": (10, POINTS), "event": square, "record": square, "half": (3, POINTS),
            "own": square, "vertical": (13, POINTS), "cross": square, "rest": square,
        }  # fmt: skip

    @classmethod
    def of(cls, tensors: Mapping[str, torch.Tensor], prefix: str) -> Level:
        """From tensors named ``prefix`` + attribute."""
        names = cls.shapes()
        return cls(**{k: tensors[prefix + k].numpy().astype(np.float64) for k in names})

    def tensors(self, prefix: str) -> dict[str, torch.Tensor]:
        """What :meth:`of` reads, float64: kept to all digits."""
        return {prefix + k: torch.tensor(getattr(self, k)) for k in self.shapes()}

    def median(
        self, ln_low: Array, mag: Array, distance_km: Array, vs30: Array
    ) -> tuple[Array, Array, Array]:
        """Medians of energy, half difference and vertical, (n, POINTS) each; ln_low (n, 3, 3)."""
        both = energy_mean(ln_low[:, 0], ln_low[:, 1])
        of_mean = predictors(both, mag, distance_km, vs30)
        of_vertical = np.concatenate([ln_low[:, 2], of_mean], axis=1)
        half = 0.5 * (ln_low[:, 0] - ln_low[:, 1])
        return (
            np.einsum("ni,ij->nj", of_mean, self.mean),
            np.einsum("ni,ij->nj", half, self.half),
            np.einsum("ni,ij->nj", of_vertical, self.vertical),
        )

    def draw(
        self, ln_low: Array, mag: Array, distance_km: Array, vs30: Array, noise: Noise
    ) -> Array:
        """ln amplitudes of the three components, (n, 3, POINTS), m/s."""
        shared = noise.normal("high band event", POINTS, per_event=True).astype(np.float64)
        normals = noise.normal("high band", 3 * POINTS).astype(np.float64)
        normals = normals.reshape(-1, 3, POINTS)
        mean, half, vertical = self.median(ln_low, mag, distance_km, vs30)
        off = np.einsum("nj,ij->ni", shared, self.event)
        off = off + np.einsum("nj,ij->ni", normals[:, 0], self.record)
        half = half + np.einsum("nj,ij->ni", normals[:, 1], self.own)
        vertical = vertical + np.einsum("nj,ji->ni", off, self.cross)
        vertical = vertical + np.einsum("nj,ij->ni", normals[:, 2], self.rest)
        # the energy is that of both: the logarithms' own mean is below it where they differ
        mean = mean + off - 0.5 * np.log(np.cosh(2.0 * half))
        return np.stack([mean + half, mean - half, vertical], axis=1)
