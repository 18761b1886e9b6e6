"""Fit of the level of records to observed ones, around that of the stochastic model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from gwm_hazard.core.draws import Draws
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.datasets.shapes import scenario_table, span
from gwm_hazard.datasets.simulation import Simulation, drawn
from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.models.highfem.level import GRID_HZ, POINTS, LevelDistribution, brought, design
from gwm_hazard.models.highfem.model import LEVEL, HighFEMModel
from gwm_hazard.models.measuring import ln_of
from gwm_hazard.models.registry import load_model, rebuilt
from gwm_hazard.models.weights import Weights
from gwm_hazard.records.completion import POINT_UP_TO
from gwm_hazard.records.training_set import TrainingSet
from gwm_hazard.representation.level import energy_mean, ln_amplitude
from gwm_hazard.statistics.covariance import between
from gwm_hazard.training.config import LevelStage

Array = NDArray[np.float64]

#: How many observed events and records the prior's covariances count for.
PRIOR_EVENTS, PRIOR_WEIGHT = 20.0, 60.0
#: Standard deviations, before any record is seen, of what corrects the medians: a constant, and
#: slopes by magnitude, ln distance, ln Vs30 and depth (sqrt(depth / 10 km)). Its slopes come
#: from far more records than there are waveforms; wider ones do not help on training events left
#: out (`validation/highfem_observed/slopes.py`).
PRIOR_SD = (0.3, 0.05, 0.05, 0.05, 0.05)
#: Correlation of the records of an event, for their weights.
_ALIKE = 0.3
#: A filter's corner leaves its mark so far into the band.
_INSIDE_LOW, _INSIDE_HIGH = 1.25, 0.8
#: Measures that the level is adjusted to in the end, and their periods (0: all frequencies).
IMTS = ("PGA", "PGV", "SA(0.05)", "SA(0.1)", "SA(0.2)", "SA(0.3)", "SA(0.5)", "SA(1.0)", "SA(2.0)",
        "SA(3.0)", "SA(5.0)")  # fmt: skip
PERIOD_S = (0.0, 0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 3.0, 5.0)
#: Draws of each record for that, and passes.
DRAWS, PASSES = 2, 2
#: Change of a level by which its effect on measures is found, and what keeps changes smooth in
#: frequency and small beside what measures ask for.
_STEP, _SMOOTH, _SMALL = 0.2, 0.3, 0.05
_BLOCK = 64


@dataclass(frozen=True)
class Sample:
    """Levels of records.

    Attributes
    ----------
    x : (n, COLUMNS), of :func:`design`
    level : (n, 3, POINTS), NaN where not known
    event : (n,), numbers
    """

    x: Array
    level: Array
    event: NDArray[np.int64]

    @property
    def mean(self) -> Array:
        """ln of the root mean square of the horizontals, (n, POINTS)."""
        return energy_mean(self.level[:, 0], self.level[:, 1])

    @property
    def half(self) -> Array:
        """Half the difference of the horizontals, (n, POINTS)."""
        return 0.5 * (self.level[:, 0] - self.level[:, 1])

    @property
    def vertical(self) -> Array:
        """The vertical less :attr:`mean`, (n, POINTS)."""
        found: Array = self.level[:, 2] - self.mean
        return found


def simulated(records: int, seed: int) -> Sample:
    """Of the stochastic model, over the conditions of :class:`Simulation`."""
    simulation, model = Simulation(ambient_m_s2=0.0, npts=8192), load_model("stochastic")
    tables, levels = [], []
    row = np.arange(records)
    for start in range(0, records, _BLOCK):
        event, site = np.divmod(row[start : start + _BLOCK], simulation.sites_per_event)
        table = simulation.conditions(event, site)
        made = drawn(simulation, model, table, Noise(seed, event, site, 0)).astype(np.float64)
        levels.append(ln_amplitude(made, model.dt_s, GRID_HZ))
        tables.append(table)
    x = design({str(k): v.to_numpy() for k, v in pd.concat(tables).items()})
    return Sample(x, np.concatenate(levels), row // simulation.sites_per_event)


def observed(records: TrainingSet, rows: NDArray[np.int64]) -> Sample:
    """Of records, within their bands."""
    table = records.table.iloc[rows]
    levels = []
    for start in range(0, len(rows), _BLOCK):
        motion = records.waveforms(rows[start : start + _BLOCK]).astype(np.float64)
        level = ln_amplitude(motion, records.dt_s, GRID_HZ)
        level[np.abs(motion).max(axis=2) == 0] = np.nan
        levels.append(level)
    level = np.concatenate(levels)
    for one, (_, row) in zip(level, table.iterrows(), strict=True):
        *_, low, high = span(row, records.npts)
        inside = (_INSIDE_LOW * low <= GRID_HZ) & (_INSIDE_HIGH * high >= GRID_HZ)
        one[:, ~inside] = np.nan
    told = scenario_table(Simulation(), table)
    x = design({str(k): v.to_numpy() for k, v in told.items()})
    event = np.unique(table["event_id"].astype(str), return_inverse=True)[1]
    return Sample(x, level, event)


def placed(records: TrainingSet, rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Rows of known distance to the rupture; that to a point stands for it where it is small."""
    table = records.table.iloc[rows]
    known = table["mag"] <= POINT_UP_TO
    if "rrup" in table:
        known = known | table["rrup"].notna()
    return rows[known.to_numpy()]


def prior_of(sample: Sample) -> LevelDistribution:
    """The distribution of simulated records, as it is."""
    mean = regressed(sample.x, sample.mean)
    tau, phi = between(sample.mean - sample.x @ mean, sample.event, min(len(mean), POINTS))
    vertical = regressed(sample.x, sample.vertical)
    left = sample.vertical - sample.x @ vertical
    own: Array = sample.half.T @ sample.half / len(sample.half)
    return LevelDistribution(
        mean, root_of(tau), root_of(phi), root_of(own), vertical, root_of(left.T @ left / len(left))
    )


def regressed(x: Array, y: Array) -> Array:
    """Coefficients of designs; where no record tells one, it adds nothing to the mean of all."""
    middle = y.mean(axis=0)
    square = x.T @ x + 0.1 * np.eye(x.shape[1])
    found = np.linalg.solve(square, x.T @ (y - middle))
    return np.asarray(found + np.outer(correction_lines()[:, 0], middle), dtype=np.float64)


def fit_level(sample: Sample, prior: LevelDistribution) -> LevelDistribution:
    """The distribution of observed records: the prior's medians corrected, covariances pooled."""
    mean = prior.mean + corrections(sample, sample.mean - sample.x @ prior.mean)
    tau, phi = pooled(sample, sample.mean - sample.x @ mean)
    vertical = prior.vertical + corrections(sample, sample.vertical - sample.x @ prior.vertical)
    rest = np.add(*pooled(sample, sample.vertical - sample.x @ vertical))
    own = np.add(*pooled(sample, sample.half))
    counts = known_pairs(sample.mean)
    three = known_pairs(sample.vertical)
    events = np.array(
        [[len(np.unique(sample.event[c])) for c in row] for row in _both(sample.mean)]
    )

    def mixed(found: Array, root: Array, count: Array, weight: float) -> Array:
        return root_of((count * found + weight * root @ root.T) / (count + weight))

    return LevelDistribution(
        mean,
        mixed(tau, prior.event, events, PRIOR_EVENTS),
        mixed(phi, prior.record, counts, PRIOR_WEIGHT),
        mixed(own, prior.own, counts, PRIOR_WEIGHT),
        vertical,
        mixed(rest, prior.rest, three, PRIOR_WEIGHT),
    )


def corrections(
    sample: Sample, off: Array, noise_sd: float = 0.6, prior_sd: Sequence[float] = PRIOR_SD
) -> Array:
    """Change of a mean (COLUMNS, POINTS) that residuals (n, points) ask for, as far as they can."""
    lines = correction_lines()
    found = np.zeros((lines.shape[1], off.shape[1]))
    z = sample.x @ lines
    for j, column in enumerate(off.T):
        known = np.isfinite(column)
        _, event, count = np.unique(sample.event[known], return_inverse=True, return_counts=True)
        weight = 1.0 / (noise_sd**2 * (1.0 + _ALIKE * (count[event] - 1.0)))
        a = z[known] * weight[:, None]
        square = a.T @ z[known] + np.diag(1.0 / np.array(prior_sd) ** 2)
        found[:, j] = np.linalg.solve(square, a.T @ column[known])
    return np.asarray(lines @ found)


@cache
def correction_lines() -> Array:
    """(COLUMNS, 5): a constant and lines in magnitude, ln distance, ln Vs30, depth, of designs."""
    rng = np.random.default_rng(0)
    n = 4000
    told = {
        "mag": rng.uniform(4, 8, n), "rhypo": np.exp(rng.uniform(np.log(5), np.log(150), n)),
        "vs30": np.exp(rng.uniform(np.log(150), np.log(1500), n)),
        "hypo_depth": rng.uniform(0, 60, n),
    }  # fmt: skip
    wanted = np.stack(
        [np.ones(n), told["mag"] - 6.0, np.log(told["rhypo"]) - 4.0, np.log(told["vs30"] / 500.0),
         np.sqrt(told["hypo_depth"] / 10.0) - 1.0], axis=1,
    )  # fmt: skip
    return np.asarray(np.linalg.lstsq(design(told), wanted, rcond=1e-10)[0], dtype=np.float64)


def _both(values: Array) -> NDArray[np.bool_]:
    known = np.isfinite(values).T
    return known[:, None] & known[None]


def known_pairs(values: Array) -> Array:
    """Of how many rows (n, p) each two columns are known, (p, p)."""
    return np.asarray(_both(values).sum(axis=2), dtype=np.float64)


def pooled(sample: Sample, off: Array) -> tuple[Array, Array]:
    """Covariances between and within events of residuals (n, POINTS) with gaps, pair by pair."""
    tau, phi = np.zeros((POINTS, POINTS)), np.zeros((POINTS, POINTS))
    both = _both(off)
    for i in range(POINTS):
        for j in range(i + 1):
            rows = np.flatnonzero(both[i, j])
            if len(rows) < 8:
                continue
            event = np.unique(sample.event[rows], return_inverse=True)[1]
            t, p = between(off[rows][:, (i, j)], event, 1, bounded=False)
            tau[i, j] = tau[j, i] = t[0, 1]
            phi[i, j] = phi[j, i] = p[0, 1]
    return tau, phi


def root_of(covariance: Array) -> Array:
    """Lower triangle whose square is the nearest covariance."""
    values, vectors = np.linalg.eigh(0.5 * (covariance + covariance.T))
    least = 1e-6 * max(values.max(), 1e-12)
    near = (vectors * np.maximum(values, least)) @ vectors.T
    return np.linalg.cholesky(near)


class Adjustment:
    """Measures of draws beside those of records, for a level that is being adjusted.

    Smoothed Fourier amplitudes do not tell all of a response: how long the shaking lasts, and how
    regular it is, count as well, and that is the network's. The shapes are drawn once; what each
    level makes of them is measured.
    """

    @torch.inference_mode()
    def __init__(
        self, model: HighFEMModel, records: TrainingSet, rows: NDArray[np.int64], seed: int
    ) -> None:
        told = scenario_table(Simulation(), records.table.iloc[rows])
        self.model, self.rows = model, rows
        self.sample = observed(records, rows)
        which = np.repeat(np.arange(len(rows)), DRAWS)
        noise = Noise(seed, self.sample.event[which], which, np.tile(np.arange(DRAWS), len(rows)))
        columns = {str(k): v.to_numpy()[which] for k, v in told.items()}
        scenarios = Scenarios(**{k: columns[k] for k in model.card.condition_names})
        self.draws = Draws(scenarios, noise)
        size = model.batch_size(4064)
        self.shapes = [
            model.shapes(part.scenarios, part.model_noise)
            for part in (self.draws.take(slice(i, i + size)) for i in range(0, len(which), size))
        ]
        self.observed = np.concatenate([
            ln_of(intensity_measures_array(records.waveforms(rows[i : i + _BLOCK]), records.dt_s,
                                           list(IMTS)))
            for i in range(0, len(rows), _BLOCK)
        ])  # fmt: skip
        for one, (_, row) in zip(self.observed, records.table.iloc[rows].iterrows(), strict=True):
            low = span(row, records.npts)[2]
            one[np.array(PERIOD_S) > 1.0 / (_INSIDE_LOW * low)] = np.nan

    def measured(self, level: LevelDistribution) -> Array:
        """ln measures (rows, DRAWS, measures) of the draws at a level."""
        return self._measured(self.shapes, level, 0.0).reshape(len(self.rows), DRAWS, -1)

    def _measured(
        self, shapes: list[torch.Tensor], level: LevelDistribution, change: Array | float
    ) -> Array:
        """ln measures (n, measures) of the first draws, the level changed by (POINTS,)."""
        made, start = [], 0
        for shape in shapes:
            part = self.draws.take(slice(start, start + len(shape)))
            start += len(shape)
            ln = level.draw(part.scenarios, part.model_noise) + change
            motion = brought(shape, ln, self.model.dt_s).numpy()
            made.append(ln_of(intensity_measures_array(motion, self.model.dt_s, list(IMTS))))
        return np.concatenate(made)

    def effect(self, level: LevelDistribution, batches: int = 10) -> Array:
        """d ln measure / d ln level, (measures, POINTS), the mean over some of the draws."""
        few = self.shapes[:batches]
        base = self._measured(few, level, 0.0).mean(axis=0)
        steps = _STEP * np.eye(POINTS)
        found = [(self._measured(few, level, s).mean(axis=0) - base) / _STEP for s in steps]
        return np.stack(found, axis=1)

    def adjusted(self, level: LevelDistribution, effect: Array) -> LevelDistribution:
        """The level whose draws have the medians and standard deviations of the records."""
        lines = correction_lines()
        drawn = self.measured(level)
        off = self.observed - drawn.mean(axis=1)
        wanted = np.linalg.lstsq(lines, corrections(self.sample, off), rcond=None)[0]
        bend = np.diff(np.eye(POINTS), 2, axis=0)
        square = effect.T @ effect + _SMOOTH**2 * bend.T @ bend + _SMALL**2 * np.eye(POINTS)
        change = np.linalg.solve(square, effect.T @ wanted.T).T
        left = off - self.sample.x @ lines @ wanted
        stated = 0.5 * ((drawn[:, 0] - drawn[:, 1]) ** 2).mean(axis=0)
        seen = np.nanvar(left, axis=0) - stated / DRAWS
        ln_factor = 0.5 * np.log(np.maximum(seen, 0.1 * stated) / stated)
        share = effect**2 / (effect**2).sum(axis=1, keepdims=True)
        square = share.T @ share + _SMOOTH**2 * bend.T @ bend + _SMALL**2 * np.eye(POINTS)
        factor = np.exp(np.linalg.solve(square, share.T @ ln_factor))
        return replace(
            level,
            mean=level.mean + lines @ change,
            event=factor[:, None] * level.event,
            record=factor[:, None] * level.record,
        )


def with_level(model: HighFEMModel, level: LevelDistribution) -> HighFEMModel:
    """The model, its networks for shapes alone."""
    assert model.weights is not None
    tensors = {k: t for k, t in model.weights.tensors.items() if not k.startswith(LEVEL)}
    made = rebuilt(
        model, weights=Weights.of(tensors | level.tensors(LEVEL)), level=True, event_share=None
    )
    assert isinstance(made, HighFEMModel)
    return made


def levelled(model: HighFEMModel, stage: LevelStage, seed: int) -> HighFEMModel:
    """The model with the level of observed records (their train split)."""
    records = TrainingSet.open(stage.records)
    rows = placed(records, records.rows("train"))
    level = fit_level(observed(records, rows), prior_of(simulated(stage.prior, seed)))
    if stage.adjusted:
        some = np.unique(np.linspace(0, len(rows) - 1, min(stage.adjusted, len(rows))).astype(int))
        beside = Adjustment(model, records, rows[some], seed)
        effect = beside.effect(level)
        for _ in range(PASSES):
            level = beside.adjusted(level, effect)
    return with_level(model, level)
