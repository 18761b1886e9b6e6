"""The conditional distribution of ln IM at given scenarios, estimated from draws."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.core.draws import Draws
from gwm_hazard.core.ensemble_noise import SITES_PER_EVENT, Ensemble
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.distribution.moments import Moments, moments_of
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.models.measuring import ln_measures


def estimate(
    model: WaveformModel, scenarios: Scenarios, imts: list[str], ensemble: Ensemble
) -> Moments:
    """Mean, between-event and within-event standard deviation of ln IM at each scenario.

    tau^2 is the covariance of the two sites of an event, phi^2 the rest of the variance. For a
    model without a between-event term (its card says so) tau is 0; for one that draws one
    horizontal, phi is without the component-to-component variability.
    """
    return estimate_with_halves(model, scenarios, imts, ensemble)[0]


def estimate_with_halves(
    model: WaveformModel, scenarios: Scenarios, imts: list[str], ensemble: Ensemble
) -> tuple[Moments, Moments, Moments]:
    """:func:`estimate` of all events, and of the first and the second half of them alone."""
    from gwm_hazard.intensity.one_component import rotd50_phi

    n, draws = len(scenarios), ensemble.realizations
    ln = ln_measures(model, Draws(scenarios.repeat(draws), ensemble.tile(n)), imts)
    ln = ln.reshape(n, draws, len(imts))
    half = ensemble.events // 2 * SITES_PER_EVENT

    def moments(part: NDArray[np.float64]) -> Moments:
        m = moments_of(part, model.card.between_event)
        return Moments(m.mean, m.tau, rotd50_phi(len(model.card.components), imts, m.phi))

    return moments(ln), moments(ln[:, :half]), moments(ln[:, half:])
