"""The level of a record: its smoothed Fourier amplitudes, drawn apart from its shape.

A network that learned shapes from few records says how energy is spread over time within each
band; how much energy a band has is drawn here, of a regression on the conditions with
between-event and within-event terms that are correlated over frequency. Of the horizontals it
tells the energy, the same however they are turned, and half their difference; of the vertical the
ratio to that energy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray

from gwm_hazard.core.noise import Noise
from gwm_hazard.representation.level import at_level

Array = NDArray[np.float64]

#: Frequencies of the level, Hz.
POINTS = 20
GRID_HZ = np.geomspace(0.1, 40.0, POINTS)
#: Conditions that the regression takes.
CONDITIONS = ("mag", "rhypo", "vs30", "hypo_depth")
#: Magnitudes at which its lines in magnitude break, and ln distances.
_MAG_NODES = (4.0, 5.0, 6.0, 7.0, 8.0)
_LN_R_NODES = tuple(np.log([5.0, 20.0, 60.0, 150.0]))
#: Columns of :func:`design`.
COLUMNS = 32


def design(conditions: Mapping[str, Array]) -> Array:
    """What medians are linear in, (n, COLUMNS): pieces of lines in magnitude, distance, site."""
    mag, ln_r = conditions["mag"], np.log(conditions["rhypo"])
    ln_v, depth = np.log(conditions["vs30"] / 500.0), np.sqrt(conditions["hypo_depth"] / 10.0)
    of_mag = _hats(mag, np.array(_MAG_NODES))
    of_r = _hats(ln_r, np.array(_LN_R_NODES))
    both = (of_mag[:, :, None] * of_r[:, None, :]).reshape(len(mag), -1)
    m = mag - 6.0
    rest = [
        ln_v, ln_v**2, np.maximum(ln_v, 0.0), m * ln_v, depth, depth**2, m * depth,
        depth * (ln_r - 4.0), conditions["rhypo"] / 100.0, m * conditions["rhypo"] / 100.0,
        (ln_r - 4.0) * ln_v, depth * ln_v,
    ]  # fmt: skip
    return np.concatenate([both, np.stack(rest, axis=1)], axis=1)


def _hats(x: Array, nodes: Array) -> Array:
    """Shares of the nodes beside x, (n, nodes), that add up to 1: linear between, level beyond."""
    return np.stack([np.interp(x, nodes, row) for row in np.eye(len(nodes))], axis=1)


@dataclass(frozen=True)
class LevelDistribution:
    """Of ln smoothed amplitudes, m/s.

    Attributes
    ----------
    mean : (COLUMNS, POINTS), of :func:`design`: ln of the root mean square of the horizontals
    event, record : (POINTS, POINTS), lower triangles: of what the sites of an event share, and of
        the rest
    own : (POINTS, POINTS), lower triangle, of half the difference of the horizontals' logarithms
    vertical : (COLUMNS, POINTS), of :func:`design`: the vertical less the mean that was drawn
    rest : (POINTS, POINTS), lower triangle, of the residuals of ``vertical``
    """

    mean: Array
    event: Array
    record: Array
    own: Array
    vertical: Array
    rest: Array

    @staticmethod
    def shapes() -> dict[str, tuple[int, int]]:
        """Of the tensors, by name."""
        square, line = (POINTS, POINTS), (COLUMNS, POINTS)
        return {
            "mean": line, "event": square, "record": square, "own": square, "vertical": line,
            "rest": square,
        }  # fmt: skip

    @classmethod
    def of(cls, tensors: Mapping[str, torch.Tensor], prefix: str) -> LevelDistribution:
        """From tensors named ``prefix`` + attribute."""
        return cls(**{k: tensors[prefix + k].double().numpy() for k in cls.shapes()})

    def tensors(self, prefix: str) -> dict[str, torch.Tensor]:
        """What :meth:`of` reads, float64: kept to all digits."""
        return {prefix + f.name: torch.tensor(getattr(self, f.name)) for f in fields(self)}

    def draw(self, conditions: Mapping[str, Array], noise: Noise) -> Array:
        """ln amplitudes of the three components, (n, 3, POINTS), m/s."""
        shared = noise.normal("level event", POINTS, per_event=True).astype(np.float64)
        normals = noise.normal("level", 3 * POINTS).astype(np.float64).reshape(-1, 3, POINTS)
        # not products of matrices: a row must not depend on the others, to the last bit
        x = design(conditions)
        mean = np.einsum("ni,ij->nj", x, self.mean)
        mean = mean + np.einsum("nj,ij->ni", shared, self.event)
        mean = mean + np.einsum("nj,ij->ni", normals[:, 0], self.record)
        half = np.einsum("nj,ij->ni", normals[:, 1], self.own)
        vertical = mean + np.einsum("ni,ij->nj", x, self.vertical)
        vertical = vertical + np.einsum("nj,ij->ni", normals[:, 2], self.rest)
        # the energy is that of both: the logarithms' own mean is below it where they differ
        middle = mean - 0.5 * np.log(np.cosh(2.0 * half))
        return np.stack([middle + half, middle - half, vertical], axis=1)


def brought(record: torch.Tensor, ln_level: Array, dt_s: float) -> torch.Tensor:
    """Waveforms (n, 3, nt), m/s2, with the levels (n, 3, POINTS)."""
    made = at_level(record.double().cpu().numpy(), dt_s, ln_level, GRID_HZ)
    return torch.from_numpy(made.astype(np.float32)).to(record.device)
