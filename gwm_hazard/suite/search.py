"""Search for motions of a given level in the space of the noise.

Every model is a function of a rupture r and of standard normal noise z. What is wanted are pairs
of probability proportional to rate(r) N(z; 0, I), wherever ln IM(r, z) lies in a band about the
level. Two things are known that plain sampling leaves unused: how far the noise of a motion lifts
it above its median, its epsilon, hardly depends on the rupture; and of every rupture it is known
which epsilon it needs to reach the level, from its mean and sigma. So a population of pairs

1. is drawn from the disaggregation and N(0, I);
2. walks to the noise that some rupture needs. C(epsilon), the rate of the ruptures that need about
   this epsilon, weights the pairs, in steps from C^0 to C^1 (sequential Monte Carlo: Del Moral,
   Doucet and Jasra 2006, J. R. Stat. Soc. B 68(3): 411-436). Between the steps each pair makes
   moves of the preconditioned Crank-Nicolson kind, z' = sqrt(1 - s^2) z + s xi with fresh xi
   (Cotter, Roberts, Stuart and White 2013, Stat. Sci. 28(3): 424-446; in subset simulation Au and
   Beck 2001, Probab. Eng. Mech. 16(4): 263-277 and Papaioannou et al. 2015, ibid. 41: 89-103);
3. is given new ruptures, each drawn from those that need about the epsilon that its noise has.
   Motions in the band are kept.

A move leaves N(0, I) as it is in any number of dimensions and takes no gradient, so nothing pulls
the noise away from what the model was made for: found motions are as likely as those of plain
sampling that happen to lie in the band. The mean and sigma only steer: what is weighted is the
motion's own measure, and the weight of every choice is accounted for. Where the noise does not
tell the epsilon (its correlation between ruptures is measured), this becomes plain sampling.

Populations follow each other, independent, until there are enough motions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.special import ndtr

from gwm_hazard.core.noise import MixedNoise, Noise

Array = NDArray[np.float64]
Rows = NDArray[np.int64]

#: ln of the conditioning measure less ln of its level, for n ruptures and n noises, (n,).
Reach = Callable[[Rows, Noise | MixedNoise], Array]

#: Correlation of two noises from which their motions belong to one family.
SIMILAR = 0.5

#: Pairs of a population.
PAIRS = 250
#: Pairs that are drawn a second time with another rupture, for the correlation of their epsilons.
TWICE = 100
#: Share of the population that a step leaves effective.
EFFECTIVE = 0.5
#: Moves after each step: until the noise of the pairs correlates by less than SHARED with what it
#: was before them, on average, or so many.
SHARED, MOVES = 0.7, 8
#: s of the first move, the share of moves that are to be accepted, and the limits of s.
SINE, ACCEPTED, SINES = 0.8, 0.4, (0.1, 0.95)
#: New ruptures for each pair at the end.
TRIES = 4
#: Half-width of C, standard deviations of what one rupture's epsilon leaves open of another's.
WIDTH = 2.5
#: Bound of the weights of what is tried. Normal deviations from the forecast exceed it in 3 % of
#: the cases at most, and then count less than they should.
BOUND = 1.3
#: Bins of C in this width.
BINS = 20
#: No epsilon is taken to be larger: that of a motion without amplitude is not finite.
LARGEST = 40.0


@dataclass(frozen=True)
class Search:
    """How motions of a level are sought.

    Attributes
    ----------
    wanted : motions to end with, at least
    seed, site : of the keys of the noise
    tolerance : half-width of the band about the level, ln units
    budget : waveforms to draw, at most
    progress : called with the share of ``wanted`` that is there
    """

    wanted: int
    seed: int
    site: int = 0
    tolerance: float = 0.05
    budget: int = 400_000
    progress: Callable[[float], None] | None = None

    def noise(self, draw: ArrayLike) -> Noise:
        """Noise of draws by their numbers."""
        return Noise(self.seed, draw, self.site, 0)

    def tell(self, found: int) -> None:
        """Progress: so many are there."""
        if self.progress is not None:
            self.progress(min(found / self.wanted, 1.0))


@dataclass(frozen=True)
class SearchResult:
    """Motions in the band.

    Attributes
    ----------
    rupture : (n,) rows of the ruptures
    noise : n keys
    family : (n,) those of one number have noise correlated by :data:`SIMILAR` or more with
        another one of it
    draws : waveforms that it took
    kept : how many lay in the band, before thinning
    highest : the most that ln of the measure of any draw was above the level
    """

    rupture: Rows
    noise: Noise | MixedNoise
    family: Rows
    draws: int
    kept: int
    highest: float


class _Spent(Exception):
    """The budget is."""


@dataclass
class _Draws:
    """Counts draws; draw i has the noise of event i and uniform numbers of its own."""

    reach: Reach
    search: Search
    done: int = 0
    highest: float = -np.inf

    def fresh(self, n: int) -> tuple[Noise, Array]:
        """Noise of the next n draws, and uniform numbers (n, 2)."""
        if self.done + n > self.search.budget:
            raise _Spent
        noise = self.search.noise(np.arange(self.done, self.done + n))
        return noise, ndtr(noise.normal("suite walk", 2).astype(np.float64))

    def offset(self) -> float:
        """A uniform number for the resampling before the next draw."""
        noise = self.search.noise(self.done)
        return float(ndtr(noise.normal("suite resampling", 1)[0, 0]))

    def above(self, rupture: Rows, noise: Noise | MixedNoise) -> Array:
        """Draw: ln of the measures less ln of the level, (n,)."""
        self.done += len(rupture)
        found = self.reach(rupture, noise)
        self.highest = max(self.highest, float(found.max()))
        return found


@dataclass
class _Population:
    """Pairs of a rupture and a noise."""

    noise: MixedNoise
    #: epsilon that the noise gives its motion, (n,)
    epsilon: Array
    #: ln C of it, (n,)
    ln_c: Array


class _Ruptures:
    """Ruptures by the epsilon that they need to reach the level.

    Those that need nearly the same stand in one bin and count alike in C, which so takes as long
    for any number of ruptures.
    """

    def __init__(self, rate: Array, density: Array, mean: Array, sigma: Array, ln_level: float):
        possible = np.flatnonzero(density > 0)
        needed = (ln_level - mean[possible]) / sigma[possible]
        self.rows = possible[np.argsort(needed)]
        self.sigma = sigma[self.rows]
        self.needed = np.sort(needed)
        self._density = np.cumsum(density[self.rows])
        self._rate = np.concatenate([[0.0], np.cumsum(rate[self.rows])])
        #: of the epsilon of a noise in one rupture, given that in another
        self.slope, self.scale = 1.0, np.inf

    def drawn(self, uniform: Array) -> Rows:
        """Ruptures from the disaggregation, as positions here."""
        at = np.searchsorted(self._density, uniform * self._density[-1], side="right")
        return np.minimum(at, len(self.rows) - 1)

    def epsilon(self, position: Rows, above: Array) -> Array:
        """Standard deviations that motions are above the median of their rupture."""
        return np.clip(self.needed[position] + above / self.sigma[position], -LARGEST, LARGEST)

    def learn(self, first: Array, second: Array, tolerance: float) -> None:
        """What epsilon a noise has in one rupture, given that it has another in a second.

        The window of C is about the mean of the first given what the second rupture needs, so
        that it holds those pairs that reach the level, not those that are nearest to it.
        """
        self.slope = float(np.clip((first @ second) / (second @ second), 0.0, 1.0))
        scatter = float(np.mean((first - self.slope * second) ** 2))
        self.scale = WIDTH * np.sqrt(scatter + (tolerance / np.median(self.sigma)) ** 2)
        number = np.floor((self.needed - self.needed[0]) / (self.scale / BINS))
        first_of = np.flatnonzero(np.diff(number, prepend=-1.0))
        self._ends = np.append(first_of, len(number))
        self._needed = self.needed[0] + (number[first_of] + 0.5) * self.scale / BINS
        self._mass = np.diff(self._rate[self._ends])

    def ln_c(self, epsilon: Array) -> Array:
        """ln of the rate of the ruptures that need about this epsilon, (n,)."""
        return self._shares(epsilon)[0]

    def tried(self, epsilon: Array, uniform: Array) -> tuple[Rows, Array]:
        """A rupture that is likely to need each epsilon, and its rate over its share in C."""
        _, shares, inverse = self._shares(epsilon)
        cumulative = np.cumsum(shares, axis=1)
        goal = uniform * cumulative[:, -1]
        chosen = np.minimum((cumulative <= goal[:, None]).sum(axis=1), shares.shape[1] - 1)
        row = np.arange(len(epsilon))
        # what is left of the uniform number chooses within the bin
        into = 1.0 - (cumulative[row, chosen] - goal) / shares[row, chosen]
        rate = self._rate[self._ends[chosen]] + into * self._mass[chosen]
        position = np.searchsorted(self._rate, rate, side="right") - 1
        position = np.clip(position, self._ends[chosen], self._ends[chosen + 1] - 1)
        return position, inverse[row, chosen]

    def _shares(self, epsilon: Array) -> tuple[Array, Array, Array]:
        """ln C (n,), what each bin adds to C, and 1 over the share of its rate, (n, n_bins).

        The share is nearly 1 for what is forecast, and never 0.
        """
        inverse = 1.0 + ((epsilon[:, None] - self.slope * self._needed) / self.scale) ** 8
        shares = self._mass / inverse
        return np.log(shares.sum(axis=1)), shares, inverse


def walk(
    reach: Reach,
    rate: Array,
    density: Array,
    mean: Array,
    sigma: Array,
    ln_level: float,
    search: Search,
) -> SearchResult:
    """Populations until enough motions lie in the band.

    Parameters
    ----------
    reach : draws
    rate : (n_ruptures,) annual rates
    density : (n_ruptures,) rate density at the level; where it is 0 a rupture is left out
    mean, sigma : (n_ruptures,) of ln of the measure
    ln_level : ln of the level
    search : how many, and with what effort
    """
    ruptures = _Ruptures(rate, density, mean, sigma, ln_level)
    draws = _Draws(reach, search)
    positions: list[Rows] = []
    noises: list[MixedNoise] = []
    kept = found = 0
    try:
        while found < search.wanted:
            population = _walked(draws, ruptures, search.tolerance)
            position, noise, inside = _matched(draws, ruptures, population, search.tolerance)
            positions.append(position)
            noises.append(noise)
            kept, found = kept + inside, found + len(position)
            search.tell(found)
    except _Spent:
        pass
    if not found:
        empty = np.empty(0, dtype=np.int64)
        return SearchResult(empty, search.noise(empty), empty, draws.done, kept, draws.highest)
    noise = MixedNoise.joined(noises)
    rupture = ruptures.rows[np.concatenate(positions)]
    return SearchResult(rupture, noise, families(noise), draws.done, kept, draws.highest)


def _walked(draws: _Draws, ruptures: _Ruptures, tolerance: float) -> _Population:
    """A population whose noise is what the ruptures need."""
    fresh, u = draws.fresh(PAIRS)
    position = ruptures.drawn(u[:, 0])
    epsilon = ruptures.epsilon(position, draws.above(ruptures.rows[position], fresh))
    if np.isinf(ruptures.scale):
        other = ruptures.drawn(draws.fresh(TWICE)[1][:, 0])
        again = draws.above(ruptures.rows[other], fresh.take(slice(TWICE)))
        ruptures.learn(epsilon[:TWICE], ruptures.epsilon(other, again), tolerance)
    now = _Population(MixedNoise.of(fresh), epsilon, ruptures.ln_c(epsilon))
    power, sine = 0.0, SINE
    while power < 1.0:
        step = _step(now.ln_c, 1.0 - power)
        power = min(power + step, 1.0)
        rows = _resampled(step * now.ln_c, draws.offset())
        now = _Population(now.noise.take(rows), now.epsilon[rows], now.ln_c[rows])
        shared = np.ones(PAIRS)
        for _ in range(MOVES):
            now, accepted = _moved(draws, ruptures, now, power, sine)
            shared *= np.where(accepted, np.sqrt(1.0 - sine**2), 1.0)
            sine = float(np.clip(sine * np.exp(accepted.mean() - ACCEPTED), *SINES))
            if shared.mean() < SHARED:
                break
    return now


def _step(ln_c: Array, most: float) -> float:
    """Largest step of the power of C that leaves enough of the population effective."""

    def effective(step: float) -> float:
        weight = np.exp(step * (ln_c - ln_c.max()))
        return float(weight.sum() ** 2 / (weight**2).sum() / len(weight))

    if effective(most) >= EFFECTIVE:
        return most
    low, high = 0.0, most
    for _ in range(40):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if effective(middle) >= EFFECTIVE else (low, middle)
    return low


def _resampled(ln_weight: Array, uniform: float) -> Rows:
    """Systematic resampling: rows in proportion to their weights, as many as there are."""
    n = len(ln_weight)
    cumulative = np.cumsum(np.exp(ln_weight - ln_weight.max()))
    at = np.searchsorted(cumulative, (np.arange(n) + uniform) / n * cumulative[-1], side="right")
    return np.minimum(at, n - 1)


def _moved(
    draws: _Draws, ruptures: _Ruptures, now: _Population, power: float, sine: float
) -> tuple[_Population, NDArray[np.bool_]]:
    """One move of each pair, its rupture drawn anew, and which Metropolis and Hastings accept."""
    fresh, u = draws.fresh(len(now.epsilon))
    position = ruptures.drawn(u[:, 0])
    above = draws.above(ruptures.rows[position], now.noise.turned(sine, fresh))
    epsilon = ruptures.epsilon(position, above)
    ln_c = ruptures.ln_c(epsilon)
    accepted = np.log(u[:, 1]) < power * (ln_c - now.ln_c)
    moved = _Population(
        now.noise.turned(np.where(accepted, sine, 0.0), fresh),
        np.where(accepted, epsilon, now.epsilon),
        np.where(accepted, ln_c, now.ln_c),
    )
    return moved, accepted


def _matched(
    draws: _Draws, ruptures: _Ruptures, now: _Population, tolerance: float
) -> tuple[Rows, MixedNoise, int]:
    """Motions in the band: their ruptures, noises, and how many there were before thinning."""
    pair = np.repeat(np.arange(len(now.epsilon)), TRIES)
    _, u = draws.fresh(len(pair))
    position, weight = ruptures.tried(now.epsilon[pair], u[:, 0])
    noise = now.noise.take(pair)
    inside = np.abs(draws.above(ruptures.rows[position], noise)) <= tolerance
    take = inside & (u[:, 1] < weight / BOUND)
    return position[take], noise.take(take), int(inside.sum())


def correlations(noise: MixedNoise) -> csr_matrix:
    """Correlations of all pairs of noises, sparse (n, n).

    Sums of the products of their coefficients over the keys that two noises share.
    """
    events = np.concatenate([part.event for part in noise.parts])
    _, column = np.unique(events, return_inverse=True)
    row = np.tile(np.arange(len(noise)), len(noise.parts))
    table = csr_matrix((noise.coefficient.T.ravel(), (row, column)))
    return table @ table.T


def families(noise: MixedNoise) -> Rows:
    """Numbers of the families of noises: see :class:`SearchResult`."""
    linked = abs(correlations(noise)) >= SIMILAR
    return connected_components(linked, directed=False)[1].astype(np.int64)
