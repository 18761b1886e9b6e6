"""Correlation between measures as a waveform model itself has it.

A generative model carries the correlations of all its measures. They are measured from an
ensemble: residuals of ln IM about the mean of each scenario, over its standard deviation there,
pooled over the scenarios that control the target. Every draw is an earthquake of its own, so that
the residuals are total ones, as those of published correlations are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.core.draws import Draws
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.errors import InputError
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.models.measuring import ln_measures

Array = NDArray[np.float64]

#: Scatter of ln IM below which it is that of float32 waveforms.
LEAST_SIGMA = 1e-6


@dataclass(frozen=True)
class MeasuredCorrelation:
    """Correlations of a model's measures; a function of two of them.

    Attributes
    ----------
    imts : n_imts measures
    matrix : (n_imts, n_imts)
    draws : waveforms that it is from, over all scenarios
    scenarios : how many scenarios they were drawn for
    model : name of the model
    seed : of the draws
    component : horizontal component of the measures
    """

    imts: tuple[str, ...]
    matrix: Array
    draws: int
    scenarios: int
    model: str
    seed: int
    component: str

    def __call__(self, first: str, second: str) -> float:
        """Correlation of two measures.

        Raises
        ------
        ValueError
            A measure that was not measured.
        """
        for imt in (first, second):
            if imt not in self.imts:
                raise InputError(
                    f"imt = {imt!r}: the correlation of model {self.model!r} was measured for "
                    f"{', '.join(self.imts)}; measure it for {imt} too"
                )
        return float(self.matrix[self.imts.index(first), self.imts.index(second)])

    @property
    def standard_error(self) -> Array:
        """Sampling error of the matrix, (n_imts, n_imts): at most 1 / sqrt(draws - scenarios).

        (1 - rho^2) / sqrt(n), that of normal residuals (Fisher 1915).
        """
        return (1.0 - self.matrix**2) / np.sqrt(self.draws - self.scenarios)


def measured(
    model: WaveformModel,
    scenarios: Scenarios,
    imts: tuple[str, ...],
    draws: int = 50,
    seed: int = 1,
    component: str = "RotD50",
    batch_size: int | None = None,
) -> MeasuredCorrelation:
    """Measure the correlations of a model's measures.

    Draw k of scenario i depends on (seed, i, k) and the conditions only, not on batches. A model
    that draws one horizontal has the correlations of one component.

    Parameters
    ----------
    model : the waveform model
    scenarios : n_scenarios, such as those of :func:`controlling`
    imts : the measures
    draws : waveforms for each scenario; 50 for each of 20 scenarios leave an error of at most 0.03
    seed : of the draws
    component : of the measures
    batch_size : waveforms at once; by default by memory

    Raises
    ------
    ValueError
        Fewer than 2 draws, a measure without scatter or twice the same one.
    """
    if draws < 2:
        raise InputError(f"draws = {draws}: at least 2 for each scenario")
    if len(set(imts)) < len(imts):
        raise InputError(f"imts = {', '.join(imts)}: each measure once")
    n = len(scenarios)
    noise = Noise(seed, np.repeat(np.arange(n), draws), 0, np.tile(np.arange(draws), n))
    ln = ln_measures(
        model, Draws(scenarios.repeat(draws), noise), imts, component, batch_size=batch_size
    )
    ln = ln.reshape(n, draws, len(imts))
    residual = ln - ln.mean(axis=1, keepdims=True)
    sigma = np.sqrt((residual**2).mean(axis=1, keepdims=True))
    flat = np.argwhere(~(sigma[:, 0] > LEAST_SIGMA))
    if len(flat):
        row, column = flat[0]
        raise InputError(
            f"imt = {imts[column]!r}: all {draws} draws of model {model.card.name!r} have the same "
            f"value at scenario {row}, so that it has no correlation; leave it out"
        )
    z = (residual / sigma).reshape(-1, len(imts))
    matrix = z.T @ z / len(z)
    np.fill_diagonal(matrix, 1.0)
    return MeasuredCorrelation(tuple(imts), matrix, n * draws, n, model.card.name, seed, component)


def controlling(weight: Array, n: int) -> NDArray[np.int64]:
    """Rows that stand for a weighted set, (n,): each as often as its weight says.

    Systematic resampling at the quantiles (k + 1/2) / n; no random numbers.

    Parameters
    ----------
    weight : (n_rows,) not negative, such as ``Contributions.density`` at the level
    n : how many

    Raises
    ------
    ValueError
        Weights that are negative or all 0.
    """
    weight = np.asarray(weight, dtype=np.float64)
    if not (weight >= 0).all() or not weight.sum() > 0:
        raise InputError("weight: must not be negative, and at least one above 0")
    total = np.cumsum(weight)
    at = (np.arange(n) + 0.5) / n * total[-1]
    return np.searchsorted(total, at, side="right").astype(np.int64)
