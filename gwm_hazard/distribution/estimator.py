"""What a model's distribution of ln IM (RotD50) is at conditions: by its surface, or by draws."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.core.conditioning import Conditioning
from gwm_hazard.core.draws import Draws
from gwm_hazard.core.ensemble_noise import Ensemble
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.distribution.mixing import mix, uniform_points
from gwm_hazard.distribution.moments import Moments, moments_of, rotd50_moments
from gwm_hazard.distribution.shape import Shape, exceedance, sample_shape
from gwm_hazard.distribution.surface import Surface
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.models.measuring import ln_measures

Array = NDArray[np.float64]
Columns = Mapping[str, Array]

#: Scenarios that are drawn at once: bounds the records held in memory.
CHUNK = 256

_MOMENTS, _SHAPE = ("mean", "tau", "phi"), ("skewness", "kurtosis")


class Estimator(Protocol):
    """Moments and shape of ln IM at conditions."""

    def __call__(
        self, conditions: Columns, imts: tuple[str, ...], with_shape: bool = False
    ) -> tuple[Moments, Shape | None]:
        """Of n scenarios, each (n, n_imts); the shape where asked for.

        A condition with a prior is mixed over it, whatever ``conditions`` hold of it.

        Raises
        ------
        InputError
            A measure that the estimator does not have.
        """


@dataclass(frozen=True)
class SurfaceEstimator:
    """Interpolates a surface; conditions that it has no axis of are not looked at."""

    surface: Surface

    @classmethod
    def of(cls, surface: Surface, conditioning: Conditioning) -> SurfaceEstimator:
        """Over the conditions that are asked for: the others are fixed, or mixed over their prior.

        A surface takes a while to be mixed: keep the estimator.
        """
        for name, value in conditioning.fixed.items():
            surface = surface.marginal(name, np.array([value]), np.ones(1))
        for name in conditioning.priors:
            surface = surface.marginal(name, *uniform_points(*conditioning.ranges[name]))
        return cls(surface)

    def __call__(
        self, conditions: Columns, imts: tuple[str, ...], with_shape: bool = False
    ) -> tuple[Moments, Shape | None]:
        """See :class:`Estimator`."""
        moments = self.surface(conditions, imts)
        return moments, self.surface.shape(conditions, imts) if with_shape else None


@dataclass(frozen=True)
class DirectEstimator:
    """Draws an ensemble for each scenario, with random numbers that all scenarios share.

    Results depend neither on the order of the scenarios nor on how they are split.

    Attributes
    ----------
    model : whose waveforms are drawn
    realizations, seed : of the :class:`gwm_hazard.core.ensemble_noise.Ensemble`
    priors : {condition: (low, high)} with a uniform prior, mixed over Gauss-Legendre points
    """

    model: WaveformModel
    realizations: int
    seed: int
    priors: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __call__(
        self, conditions: Columns, imts: tuple[str, ...], with_shape: bool = False
    ) -> tuple[Moments, Shape | None]:
        """See :class:`Estimator`."""
        grids = [zip(*uniform_points(*bounds), strict=True) for bounds in self.priors.values()]
        moments, shapes, weights = [], [], []
        for combined in itertools.product(*grids):
            at = dict(conditions)
            for name, (value, _) in zip(self.priors, combined, strict=True):
                at[name] = np.full(len(at[name]), value)
            m, s = self._drawn(at, imts)
            moments.append(m)
            shapes.append(s)
            weights.append(float(np.prod([w for _, w in combined])))
        stacked = Moments(*(np.stack([getattr(m, k) for m in moments]) for k in _MOMENTS))
        shape = Shape(*(np.stack([getattr(s, k) for s in shapes]) for k in _SHAPE))
        return mix(stacked, shape if with_shape else None, np.array(weights))

    def _drawn(self, conditions: Columns, imts: tuple[str, ...]) -> tuple[Moments, Shape]:
        # Pairs that differ in nothing the model takes (the same rupture seen twice) are drawn once.
        names = self.model.card.condition_names
        table = np.stack([conditions[name] for name in names])
        unique, inverse = np.unique(table, axis=1, return_inverse=True)
        ensemble = Ensemble(self.realizations, self.seed)
        found: list[list[Array]] = []
        for start in range(0, unique.shape[1], CHUNK):
            part = unique[:, start : start + CHUNK]
            scenarios = Scenarios(**dict(zip(names, part, strict=True)))
            n = len(scenarios)
            draws = Draws(scenarios.repeat(self.realizations), ensemble.tile(n))
            ln = ln_measures(self.model, draws, imts).reshape(n, self.realizations, len(imts))
            m, s = moments_of(ln, self.model.card, imts), sample_shape(ln)
            found.append([m.mean, m.tau, m.phi, s.skewness, s.kurtosis])
        columns = [np.concatenate(c)[inverse.ravel()] for c in zip(*found, strict=True)]
        return Moments(*columns[:3]), Shape(*columns[3:])


def independent_moments(
    model: WaveformModel,
    scenarios: Scenarios,
    keys: Noise,
    draws: int,
    imts: tuple[str, ...],
    conditioning: Conditioning,
) -> Array:
    """Means and mean squares of ln IM from draws of each scenario's own.

    Unlike an ensemble's, the sampling errors of two scenarios are independent. The draws of a
    scenario are events of two sites, and a condition with a prior is drawn for each event.

    Parameters
    ----------
    keys : one a scenario; whatever the realization, its draws are its own
    draws : for each scenario; even

    Returns
    -------
    ndarray, shape (3, n, n_imts)
        Mean, and the mean squares within and between events: what :func:`pooled_moments` takes.
    """
    n = len(scenarios)
    own = keys.event ^ (keys.site.astype(np.uint64) << np.uint64(32))
    each = np.tile(np.arange(draws), n)
    noise = Noise(keys.seed + 1, np.repeat(own, draws), each % 2, each // 2)
    repeated = scenarios.repeat(draws)
    columns = {name: repeated[name] for name in repeated} | conditioning.from_priors(noise)
    ln = ln_measures(model, Draws(Scenarios(**columns), noise), imts)
    pairs = ln.reshape(n, draws // 2, 2, len(imts))
    within = (0.5 * (pairs[:, :, 0] - pairs[:, :, 1]) ** 2).mean(axis=1)
    between = 2.0 * pairs.mean(axis=2).var(axis=1, ddof=1)
    return np.stack([pairs.mean(axis=(1, 2)), within, between])


def pooled_moments(
    model: WaveformModel, found: Array, groups: NDArray[np.int64], imts: tuple[str, ...]
) -> Moments:
    """Moments (n, n_imts) from :func:`independent_moments`, tau and phi alike within a group.

    By analysis of variance: the mean square within events is phi^2, half the rest of that between
    events tau^2. ``groups`` (n,) labels the scenarios.
    """
    mean, within, between = found
    tau, phi = np.zeros_like(mean), np.empty_like(mean)
    for value in np.unique(groups):
        mine = groups == value
        phi2, square = within[mine].mean(axis=0), between[mine].mean(axis=0)
        if model.card.between_event:
            tau[mine] = np.sqrt(np.maximum(0.5 * (square - phi2), 0.0))
            phi[mine] = np.sqrt(phi2)
        else:
            phi[mine] = np.sqrt(0.5 * (phi2 + square))
    return rotd50_moments(Moments(mean, tau, phi), model.card, imts)


def exceedance_at(
    moments: Moments, shape: Shape | None, ln_iml: Array, truncation: float = np.inf
) -> Array:
    """P(ln IM > ln_iml), (n, n_imts, n_levels); a lognormal where there is no shape.

    ln_iml (n_imts, n_levels) or, by scenario, (n, n_imts, n_levels); ``truncation`` as of
    :func:`gwm_hazard.distribution.shape.exceedance`.
    """
    z = (ln_iml - moments.mean[..., None]) / moments.sigma[..., None]
    if shape is None:
        normal = np.zeros((1, 1, 1))
        return exceedance(z, Shape(normal, normal), truncation)
    return exceedance(z, Shape(shape.skewness[..., None], shape.kurtosis[..., None]), truncation)
