"""Candidate motions: waveforms drawn for the ruptures that control the hazard.

A candidate is a draw of the model given that the conditioning measure lies within a narrow band
about the level: a pair (rupture, noise) of probability proportional to the rupture's rate times the
standard normal density of the noise, wherever the motion is in the band. Kept motions are never
scaled. Two ways lead to the same distribution:

- ``"direct"``: ruptures are proposed with probability q, a waveform is drawn for each, and those in
  the band are kept; what was kept is thinned by the importance weights rate / q, so that each
  candidate counts alike. Exact and independent, and slow where the band is narrow or rare.
- ``"walk"``: a search in the space of the noise, :mod:`gwm_hazard.suite.search`. Many times fewer
  draws, for any model; some candidates share parts of their noise, and ``family`` says which.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.core.draws import Draws
from gwm_hazard.core.noise import MixedNoise, Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.errors import BudgetExceededError, InputError
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.models.measuring import ln_measures
from gwm_hazard.suite.search import Reach, Search, SearchResult, walk

Array = NDArray[np.float64]

#: Draws between two looks at how many were kept.
BLOCK = 2_000

METHODS = ("direct", "walk")


@dataclass(frozen=True)
class Proposal:
    """What candidates are drawn from.

    Attributes
    ----------
    conditions : {condition: (n_ruptures,)}, those of the model
    rate : (n_ruptures,) annual rates
    density : (n_ruptures,) rate density of the conditioning measure at its level, as the model's
        own distribution has it; None without conditioning
    mean, sigma : (n_ruptures,) of ln of the conditioning measure in that distribution; a walk
        needs them
    """

    conditions: dict[str, Array]
    rate: Array
    density: Array | None
    mean: Array | None = None
    sigma: Array | None = None

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
    rupture : (n,) row in the proposal
    ln : (n, n_imts) ln of the measures
    draws : how many waveforms it took
    kept : how many lay in the band, before thinning
    seed, site : of the keys
    source : n keys
    family : (n,) number of the family: motions of two families have noise that is correlated by
        less than :data:`SIMILAR`, those of one may be near copies of each other
    """

    rupture: NDArray[np.int64]
    ln: Array
    draws: int
    kept: int
    seed: int
    site: int
    source: Noise | MixedNoise
    family: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rupture)

    def noise(self, rows: NDArray[np.int64]) -> Noise:
        """The noise of some candidates, for a model to draw from."""
        # MixedNoise has all that a model asks of Noise
        return cast(Noise, self.source.take(rows))

    def keys(self, rows: NDArray[np.int64]) -> list[str]:
        """The noise of some candidates as text: :func:`gwm_hazard.core.noise.noise_from_text`."""
        return self.source.take(rows).text()


def draw(
    model: WaveformModel,
    proposal: Proposal,
    imts: tuple[str, ...],
    search: Search,
    *,
    conditioning: str | tuple[str, ...] = (),
    level: float = 0.0,
    component: str = "RotD50",
    method: str = "direct",
) -> Candidates:
    """Draw until enough motions have the level of the conditioning measure.

    Candidates come in an order that depends on (seed, site) and on the proposal only: neither on
    batches nor on how many are wanted.

    Parameters
    ----------
    model : the waveform model
    proposal : ruptures and their rates
    imts : measures of every candidate, the conditioning one among them
    search : how many candidates are wanted, and with what effort
    conditioning, level : measure and level, OpenQuake's unit; of several measures it is their
        geometric mean that has the level; none keeps every draw
    component : of the measures
    method : "direct" or "walk"

    Raises
    ------
    BudgetExceededError
        Fewer than wanted within the budget, the message says how near it came; or a level
        that no rupture of the proposal reaches.
    ValueError
        Another method, or a walk where it cannot be: without conditioning, or with a proposal
        that has no mean and sigma.
    """
    if method not in METHODS:
        raise InputError(f"method = {method!r}: must be one of {', '.join(METHODS)}")
    if search.wanted < 1:
        raise InputError(f"wanted = {search.wanted}: must be at least 1")
    given = (conditioning,) if isinstance(conditioning, str) else tuple(conditioning)
    given = tuple(imt for imt in given if imt)
    if not given:
        found = _all(proposal, search)
    else:
        if unknown := [imt for imt in given if imt not in imts]:
            raise InputError(f"conditioning = {unknown[0]!r}: must be one of {', '.join(imts)}")
        if proposal.density is not None and not (proposal.density > 0).any():
            raise BudgetExceededError(
                f"no rupture of the branch reaches {_name(given)} = {level:.4g}; take a larger "
                "poe, another GWM branch, or a larger truncation_level in the job"
            )

        def reach(rupture: NDArray[np.int64], noise: Noise | MixedNoise) -> Array:
            """How far ln of the conditioning measure is above the level, (n,)."""
            ln = measured(model, proposal, rupture, noise, given, component).mean(axis=1)
            return np.where(np.isnan(ln), -np.inf, ln - np.log(level))

        if method == "walk":
            found = _walk(reach, proposal, np.log(level), search)
        else:
            found = _direct(reach, proposal, search)
    if len(found.rupture) < search.wanted:
        raise BudgetExceededError(_message(found, search.wanted, _name(given), level))
    ln = measured(model, proposal, found.rupture, found.noise, imts, component)
    return Candidates(
        found.rupture,
        ln,
        found.draws,
        found.kept,
        search.seed,
        search.site,
        found.noise,
        found.family,
    )


def measured(
    model: WaveformModel,
    proposal: Proposal,
    rupture: NDArray[np.int64],
    noise: Noise | MixedNoise,
    imts: tuple[str, ...],
    component: str,
) -> Array:
    """ln of the measures of motions, (n, n_imts), in OpenQuake's units; NaN where there is none."""
    scenarios = Scenarios(**{k: v[rupture] for k, v in proposal.conditions.items()})
    return ln_measures(model, Draws(scenarios, noise), imts, component, on_zero="missing")


def _all(proposal: Proposal, search: Search) -> SearchResult:
    """As many draws as are wanted, each of them kept."""
    n = search.wanted
    index = np.arange(n)
    rupture, _ = _proposed(np.cumsum(proposal.probability), index, search)
    return SearchResult(rupture, search.noise(index), index, n, n, np.inf)


def _direct(reach: Reach, proposal: Proposal, search: Search) -> SearchResult:
    """Draws of the proposal until enough lie in the band. Draw i has the noise of event i."""
    cumulative, ratio = np.cumsum(proposal.probability), _ratio(proposal)
    keys, ruptures = [], []
    draws, kept, found, highest = 0, 0, 0, -np.inf
    while draws < search.budget and found < search.wanted:
        index = np.arange(draws, min(draws + BLOCK, search.budget))
        rupture, u = _proposed(cumulative, index, search)
        above = reach(rupture, search.noise(index))
        highest = max(highest, float(above.max()))
        inside = np.abs(above) <= search.tolerance
        # thinned by a bound of the weights that all draws share, not by what was seen so far
        take = inside & (u < ratio[rupture])
        keys.append(index[take])
        ruptures.append(rupture[take])
        draws, kept, found = draws + len(index), kept + int(inside.sum()), found + int(take.sum())
        search.tell(found)
    key = np.concatenate(keys)
    return SearchResult(
        np.concatenate(ruptures),
        search.noise(key),
        np.arange(len(key)),
        draws,
        kept,
        highest,
    )


def _walk(reach: Reach, proposal: Proposal, ln_level: float, search: Search) -> SearchResult:
    p = proposal
    if p.density is None or p.mean is None or p.sigma is None:
        raise InputError(
            "method = 'walk': the proposal must have density, mean and sigma of the conditioning "
            "measure; give them, or use method = 'direct'"
        )
    return walk(reach, p.rate, p.density, p.mean, p.sigma, ln_level, search)


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
    cumulative: Array, index: NDArray[np.int64], search: Search
) -> tuple[NDArray[np.int64], Array]:
    """Rupture of each draw, and a uniform number to thin with."""
    from scipy.special import ndtr

    u = ndtr(search.noise(index).normal("suite proposal", 2).astype(np.float64))
    rupture = np.searchsorted(cumulative, u[:, 0] * cumulative[-1], side="right")
    return np.minimum(rupture, len(cumulative) - 1), u[:, 1]


def _name(given: tuple[str, ...]) -> str:
    return given[0] if len(given) == 1 else f"the geometric mean of {given[0]} ... {given[-1]}"


def _message(found: SearchResult, wanted: int, conditioning: str, level: float) -> str:
    text = f"{len(found.rupture)} of {wanted} candidates after {found.draws} draws"
    if found.draws and found.highest < 0:
        return (
            f"{text}: no motion reached {conditioning} = {level:.4g}, the largest had "
            f"{level * np.exp(found.highest):.4g}; take a larger poe, another GWM branch, or allow "
            "scaling (--max-scale)"
        )
    return f"{text}: raise --budget, widen --tolerance, or ask for a smaller pool (--pool)"
