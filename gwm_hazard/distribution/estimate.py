"""The conditional distribution of ln IM at given scenarios, estimated from draws."""

from __future__ import annotations

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

    See :func:`gwm_hazard.distribution.moments.moments_of`.
    """
    return estimate_with_halves(model, scenarios, imts, ensemble)[0]


def estimate_with_halves(
    model: WaveformModel, scenarios: Scenarios, imts: list[str], ensemble: Ensemble
) -> tuple[Moments, Moments, Moments]:
    """:func:`estimate` of all events, and of the first and the second half of them alone."""
    n, draws = len(scenarios), ensemble.realizations
    ln = ln_measures(model, Draws(scenarios.repeat(draws), ensemble.tile(n)), imts)
    ln = ln.reshape(n, draws, len(imts))
    half = ensemble.events // 2 * SITES_PER_EVENT

    first, second = ln[:, :half], ln[:, half:]
    whole, one, other = (moments_of(part, model.card, imts) for part in (ln, first, second))
    return whole, one, other
