"""Candidate motions: waveforms drawn for the ruptures that control the hazard.

A candidate is an exact draw of the model given that the conditioning measure lies within a narrow
band about the level. Ruptures are proposed with probability q, a waveform is drawn for each, and
those in the band are kept; what was kept is thinned by the importance weights rate / q, so that
each candidate counts alike. Kept motions are never scaled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.noise import Noise
from gwm_hazard.scenario import Scenarios

Array = NDArray[np.float64]

#: Draws between two looks at how many were kept.
BLOCK = 2_000


class Budget(ValueError):
    """Too few candidates after all the draws that were allowed."""


@dataclass(frozen=True)
class Proposal:
    """What candidates are drawn from.

    Attributes
    ----------
    conditions : {condition: (n_ruptures,)}, those of the model
    rate : (n_ruptures,) annual rates
    density : (n_ruptures,) rate density of the conditioning measure at its level, as the model's
        own distribution has it; None without conditioning
    """

    conditions: dict[str, Array]
    rate: Array
    density: Array | None

    @property
    def probability(self) -> Array:
        """Probability of proposing each rupture, (n_ruptures,).

        Proportional to the rate times the square root of the chance to be kept: for a fixed
        number of draws this gives the least variance of what is estimated from the kept ones
        (Neyman allocation). Ruptures that cannot reach the level are not proposed.
        """
        weight = self.rate if self.density is None else np.sqrt(self.rate * self.density)
        return weight / weight.sum()


@dataclass(frozen=True)
class Candidates:
    """Kept motions as keys and measures; waveforms are drawn again from the keys.

    Attributes
    ----------
    key : (n,) number of the draw: the event of its noise
    rupture : (n,) row in the proposal
    ln : (n, n_imts) ln of the measures
    draws : how many waveforms it took
    kept : how many lay in the band, before thinning
    seed, site : the rest of the key
    """

    key: NDArray[np.int64]
    rupture: NDArray[np.int64]
    ln: Array
    draws: int
    kept: int
    seed: int
    site: int

    def __len__(self) -> int:
        return len(self.key)

    def noise(self, rows: NDArray[np.int64]) -> Noise:
        """The keys of some candidates."""
        return Noise(self.seed, self.key[rows], self.site, 0)


def draw(
    model: WaveformModel,
    proposal: Proposal,
    imts: tuple[str, ...],
    wanted: int,
    seed: int,
    *,
    conditioning: str = "",
    level: float = 0.0,
    tolerance: float = 0.05,
    site: int = 0,
    budget: int = 400_000,
    component: str = "RotD50",
    progress: Callable[[float], None] | None = None,
) -> Candidates:
    """Draw until enough motions have the level of the conditioning measure.

    Draw i depends on (seed, site, i) and on the proposal only: not on how many are wanted, on
    batches or on what came before.

    Parameters
    ----------
    model : the waveform model
    proposal : ruptures and their rates
    imts : measures of every candidate, the conditioning one among them
    wanted : candidates to end with
    seed : of the proposals and of the waveforms
    conditioning, level : measure and level, OpenQuake's unit; "" keeps every draw
    tolerance : half-width of the band about the level, ln units
    site : part of the keys
    budget : waveforms to draw, at most
    component : of the measures
    progress : called with the share of ``wanted`` that is there

    Raises
    ------
    Budget
        Fewer than ``wanted`` after ``budget`` draws; the message says how near it came.
    """
    column = imts.index(conditioning) if conditioning else -1
    cumulative = np.cumsum(proposal.probability)
    kept_key, kept_rupture, kept_ln, kept_u = [], [], [], []
    draws, found, highest = 0, 0, -np.inf
    ratio = _ratio(proposal)
    while draws < budget:
        index = np.arange(draws, min(draws + BLOCK, budget))
        rupture, u = _proposed(cumulative, index, seed, site)
        ln = _measured(model, proposal, rupture, Noise(seed, index, site, 0), imts, component)
        inside = np.ones(len(index), dtype=bool)
        if conditioning:
            inside = np.abs(ln[:, column] - np.log(level)) <= tolerance
            highest = max(highest, float(np.exp(ln[:, column].max())))
        draws += len(index)
        kept_key.append(index[inside])
        kept_rupture.append(rupture[inside])
        kept_ln.append(ln[inside])
        kept_u.append(u[inside])
        # thinned by a bound of the weights that all draws share, not by what was seen so far
        found += int((u[inside] < ratio[rupture[inside]]).sum())
        if progress is not None:
            progress(min(found / wanted, 1.0))
        if found >= wanted:
            break
    key, rupture = np.concatenate(kept_key), np.concatenate(kept_rupture)
    thin = np.concatenate(kept_u) < ratio[rupture]
    if thin.sum() < wanted:
        raise Budget(_message(int(thin.sum()), wanted, draws, conditioning, level, highest))
    return Candidates(
        key[thin], rupture[thin], np.concatenate(kept_ln)[thin], draws, len(key), seed, site
    )


#: Share of the target's rate whose ruptures may count less than they should: the bound of the
#: importance weights leaves the few that are proposed most rarely for their rate.
CAPPED = 0.01


def _ratio(proposal: Proposal) -> Array:
    """Probability of keeping a draw of each rupture: its importance weight over the bound."""
    q = proposal.probability
    weight = np.divide(proposal.rate, q, out=np.zeros_like(q), where=q > 0)
    if proposal.density is None:
        return np.ones_like(q)
    order = np.argsort(weight)
    mass = np.cumsum(proposal.density[order])
    bound = weight[order][min(np.searchsorted(mass, (1 - CAPPED) * mass[-1]), len(order) - 1)]
    return np.clip(weight / bound, 0.0, 1.0)


def _proposed(
    cumulative: Array, index: NDArray[np.int64], seed: int, site: int
) -> tuple[NDArray[np.int64], Array]:
    """Rupture of each draw, and a uniform number to thin with."""
    from scipy.special import ndtr

    u = ndtr(Noise(seed, index, site, 0).normal("suite proposal", 2).astype(np.float64))
    rupture = np.searchsorted(cumulative, u[:, 0] * cumulative[-1], side="right")
    return np.minimum(rupture, len(cumulative) - 1), u[:, 1]


def _measured(
    model: WaveformModel,
    proposal: Proposal,
    rupture: NDArray[np.int64],
    noise: Noise,
    imts: tuple[str, ...],
    component: str,
) -> Array:
    scenarios = Scenarios(**{k: v[rupture] for k, v in proposal.conditions.items()})
    ln = np.empty((len(rupture), len(imts)))
    for rows, acceleration in model.batches(scenarios, noise):
        measures = intensity_measures_array(acceleration, model.dt_s, list(imts), component)
        with np.errstate(divide="ignore"):
            ln[rows] = np.log(measures)
    return ln


def _message(
    got: int, wanted: int, draws: int, conditioning: str, level: float, highest: float
) -> str:
    text = f"{got} of {wanted} candidates after {draws} draws"
    if conditioning and highest < level:
        return (
            f"{text}: no motion reached {conditioning} = {level:.4g}, the largest had "
            f"{highest:.4g}; take a larger poe, another GWM branch, or allow scaling (--max-scale)"
        )
    return f"{text}: raise --budget, widen --tolerance, or ask for a smaller pool (--pool)"
