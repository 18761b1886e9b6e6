"""The motions of a suite: drawn again from their keys, scaled, measured, compared with the pool."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.core.draws import Draws
from gwm_hazard.errors import InputError
from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.models.measuring import ln_of, measured
from gwm_hazard.suite.study import Study, Suite

Array = NDArray[np.float64]

#: Measures of every motion beside those of its target.
STANDARD_MEASURES = ("PGA", "PGV", "IA", "CAV", "RSD595")

#: Largest difference of ln IM between a motion drawn again and the candidate it was chosen as.
TOLERANCE = 1e-5


@dataclass(frozen=True)
class Motions:
    """Waveforms of a suite, in the order of its rows.

    Attributes
    ----------
    acceleration : n arrays (n_components, npts) float32, m/s2, scaled
    imts : measures: those of the target, then what of ``STANDARD_MEASURES`` it lacks
    values : (n, n_imts) of the scaled motions, OpenQuake's units
    dt_s : time step, s
    """

    acceleration: tuple[NDArray[np.float32], ...]
    imts: tuple[str, ...]
    values: Array
    dt_s: float

    def __len__(self) -> int:
        return len(self.acceleration)


def measures_of(suite: Suite) -> tuple[str, ...]:
    """What is measured of every motion: the target's measures, then the standard ones."""
    return tuple(dict.fromkeys([*suite.target.imts, *STANDARD_MEASURES]))


def draw_again(study: Study, suite: Suite, model: WaveformModel) -> Motions:
    """The waveforms of a suite from their keys.

    Raises
    ------
    ValueError
        A motion whose measures are not those it was chosen for.
    """
    target = suite.target
    imts = measures_of(suite)
    scale = suite.scale.astype(np.float32)
    drawn: dict[int, NDArray[np.float32]] = {}
    values = np.empty((len(suite), len(imts)))
    for rows, scaled, measures in measured(
        model,
        Draws(suite.scenarios, suite.noise),
        imts,
        study.component,
        change=lambda rows, acceleration: acceleration * scale[rows, None, None],
    ):
        values[rows] = measures
        drawn.update(zip(rows.tolist(), scaled, strict=True))
    difference = np.abs(ln_of(values[:, : len(target.imts)]) - suite.ln)
    if not (difference <= TOLERANCE).all():
        row, column = np.argwhere(~(difference <= TOLERANCE))[0]
        raise InputError(
            f"motion {row} drawn again has {imts[column]} = {values[row, column]:.7g}, it was "
            f"chosen with {np.exp(suite.ln[row, column]):.7g}: the model "
            f"{model.card.name!r}, its device or the software changed meanwhile; make the suite "
            "again"
        )
    return Motions(tuple(drawn[i] for i in range(len(suite))), imts, values, model.dt_s)


def velocity_and_displacement(
    acceleration: NDArray[np.float32], dt_s: float
) -> tuple[Array, Array]:
    """Velocity (m/s) and displacement (m) of motions at rest before them, shapes as given.

    Cumulative trapezoids in float64 of the acceleration as it is, (..., npts) in m/s2: no
    baseline is corrected, so that an offset at the end is the motion's own.
    """
    velocity = _integral(acceleration.astype(np.float64), dt_s)
    return velocity, _integral(velocity, dt_s)


def _integral(values: Array, dt_s: float) -> Array:
    out = np.zeros_like(values)
    np.cumsum(0.5 * dt_s * (values[..., 1:] + values[..., :-1]), axis=-1, out=out[..., 1:])
    return out


def husid(acceleration: NDArray[np.float32]) -> Array:
    """Share of the Arias intensity of each component up to each sample, (..., npts), 0 to 1."""
    energy = _integral(acceleration.astype(np.float64) ** 2, 1.0)
    total = energy[..., -1:]
    return np.divide(energy, total, out=np.zeros_like(energy), where=total > 0)


def _rows(suite: Suite) -> NDArray[np.int64]:
    """Rows of the motions' ruptures, under their own branch, in the contributions, (n,)."""
    return suite.origin[suite.candidates.rupture[suite.rows]]


def ruptures_of(study: Study, suite: Suite) -> NDArray[np.int64]:
    """Rows of the motions in the ruptures of the contributions, (n,)."""
    return study.contributions.rupture[_rows(suite)]


def branches_of(study: Study, suite: Suite) -> list[str]:
    """Ground-motion branch that each motion's rupture is taken under, n names."""
    c = study.contributions
    return [c.branches[b] for b in c.branch[_rows(suite)]]


def epsilon(study: Study, suite: Suite) -> Array:
    """Epsilon of the conditioning measure of each motion, (n,); NaN where there is none.

    Standard deviations by which the measure lies above the branch's median for the rupture.
    """
    imt = suite.target.conditioning
    if not imt:
        return np.full(len(suite), np.nan)
    c, rows = study.contributions, _rows(suite)
    m = c.column(imt)
    ln = suite.ln[:, suite.target.imts.index(imt)]
    return (ln - c.mean[rows, m]) / c.sigma[rows, m]


def spectra(motions: Motions, component: str, periods: Array) -> Array:
    """SA of all motions, (n, n_periods) in g."""
    imts = [f"SA({t:.10g})" for t in periods]
    npts = np.array([a.shape[1] for a in motions.acceleration])
    out = np.empty((len(motions), len(periods)))
    for length in np.unique(npts):
        rows = np.flatnonzero(npts == length)
        block = np.stack([motions.acceleration[i] for i in rows])
        out[rows] = intensity_measures_array(block, motions.dt_s, imts, component)
    return out
