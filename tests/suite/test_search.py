"""The walk in the noise space against closed forms.

Each test has a measure that is linear in the noise, ln IM = mean + sigma (w . z), with w a unit
vector that differs between ruptures. Given the band the probability of a rupture is then its rate
times the normal probability of the band, z along w is a truncated normal, and z across w remains
standard normal.
"""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import chi2, kstest, norm, truncnorm

from gwm_hazard.core.noise import MixedNoise, Noise, noise_from_text
from gwm_hazard.suite import search

Array = NDArray[np.float64]

TOLERANCE = 0.05
DIMENSIONS = 12


class Linear:
    """40 ruptures whose noise acts in one direction, up to a part that is each rupture's own."""

    def __init__(self, own: float, needed: float = 2.0, n: int = 40) -> None:
        rng = np.random.default_rng(5)
        self.sigma = rng.uniform(0.5, 0.7, n)
        self.mean = -self.sigma * (needed + rng.normal(0.0, 0.5, n))  # the level is ln 1
        self.rate = rng.lognormal(0.0, 1.0, n)
        self.direction = np.zeros((n, DIMENSIONS))
        self.direction[:, 0] = np.sqrt(1.0 - own**2)
        self.direction[np.arange(n), 1 + np.arange(n) % (DIMENSIONS - 1)] = own

    def noise(self, noise: Noise | MixedNoise) -> Array:
        return noise.normal("record", DIMENSIONS).astype(np.float64)

    def reach(self, rupture: NDArray[np.int64], noise: Noise | MixedNoise) -> Array:
        along = (self.noise(noise) * self.direction[rupture]).sum(axis=1)
        return self.mean[rupture] + self.sigma[rupture] * along

    def ends(self) -> tuple[Array, Array]:
        """Epsilon of both ends of the band, by rupture."""
        return (-TOLERANCE - self.mean) / self.sigma, (TOLERANCE - self.mean) / self.sigma

    def probability(self) -> Array:
        low, high = self.ends()
        p = self.rate * (norm.sf(low) - norm.sf(high))
        return p / p.sum()

    def found(
        self, wanted: int, seed: int = 1, bias: float = 0.0, **asked: int
    ) -> search.SearchResult:
        """A walk that is steered by means that are wrong by ``bias``, and sigmas alike."""
        mean, sigma = self.mean + bias, self.sigma * (1.0 + bias)
        density = self.rate * norm.pdf(-mean / sigma) / sigma
        settings = {"tolerance": TOLERANCE, "site": 0, "budget": 10**6} | asked
        effort = search.Search(wanted, seed, **settings)
        return search.walk(self.reach, self.rate, density, mean, sigma, 0.0, effort)


def effective(noise: MixedNoise) -> float:
    """How many independent motions know as much: from the correlations of the noise."""
    return len(noise) ** 2 / float(np.abs(correlation(noise)).sum())


def correlation(noise: MixedNoise) -> Array:
    """Of all pairs of rows, from the text of the keys."""
    terms = [
        {key: float(c or 1.0) for c, _, key in (t.rpartition("*") for t in row.split("+"))}
        for row in noise.text()
    ]
    keys = {key: i for i, key in enumerate(sorted({k for row in terms for k in row}))}
    table = np.zeros((len(terms), len(keys)))
    for i, row in enumerate(terms):
        table[i, [keys[k] for k in row]] = list(row.values())
    return table @ table.T


@pytest.mark.parametrize(
    ("own", "needed", "bias"),
    [(0.2, 2.0, 0.0), (0.2, 2.0, 0.2), (0.5, 3.0, 0.0), (0.7, 1.5, 0.0), (0.1, 4.0, 0.0)],
    ids=["usual", "wrong surface", "noise tells less", "rupture matters", "once in 30,000"],
)
def test_ruptures_and_noise_have_the_conditional_distribution(
    own: float, needed: float, bias: float
) -> None:
    case = Linear(own, needed)
    found = case.found(2000, bias=bias)
    n, p = effective(found.noise), case.probability()
    assert n > 100
    above = case.reach(found.rupture, found.noise)
    assert np.abs(above).max() <= TOLERANCE
    share = np.bincount(found.rupture, minlength=len(p)) / len(found.rupture)
    order = np.argsort(-p)
    groups = np.array_split(order, 5)
    got, want = (np.array([x[g].sum() for g in groups]) for x in (share, p))
    assert (np.abs(got - want) < 3.5 * np.sqrt(want * (1 - want) / n) + 0.005).all(), (got, want)

    z = case.noise(found.noise)
    along = (z * case.direction[found.rupture]).sum(axis=1)
    low, high = case.ends()
    mean = p @ truncnorm.mean(low, high)
    sd = np.sqrt(p @ (truncnorm.var(low, high) + truncnorm.mean(low, high) ** 2) - mean**2)
    assert abs(along.mean() - mean) < 3.5 * sd / np.sqrt(n)
    across = z - along[:, None] * case.direction[found.rupture]
    squares = (across**2).sum(axis=1)
    d = DIMENSIONS - 1
    assert abs(squares.mean() - d) < 3.5 * np.sqrt(2 * d / n)
    assert abs(squares.var() / (2 * d) - 1) < 0.3
    # a stream that the measure does not depend on is as it always was
    other = found.noise.normal("waveform", 40).astype(np.float64)
    assert abs(other.mean()) < 3.5 / np.sqrt(40 * n)
    assert abs(other.std() - 1) < 3.5 / np.sqrt(2 * 40 * n)


def test_draws_are_many_times_fewer_than_by_plain_sampling() -> None:
    case = Linear(0.1, 3.0)
    low, high = case.ends()
    best = (norm.sf(low) - norm.sf(high)).max()  # of plain sampling, if it knew the best rupture
    found = case.found(400)
    assert len(found.rupture) >= 400
    families = len(np.unique(found.family))
    assert families > 150
    assert found.draws / families < 0.6 / best


def test_one_rupture() -> None:
    case = Linear(0.0, 2.0, n=1)
    found = case.found(300)
    assert (found.rupture == 0).all()
    low, high = case.ends()
    along = case.noise(found.noise)[:, 0]
    first = np.unique(found.family, return_index=True)[1]
    assert len(first) > 80
    scaled = (norm.sf(low) - norm.sf(along[first])) / (norm.sf(low) - norm.sf(high))
    assert kstest(scaled, "uniform").pvalue > 0.01


def test_ruptures_within_a_bin_are_drawn_by_their_rates() -> None:
    """A thousand ruptures that all need nearly the same epsilon, and one that needs another."""
    rng = np.random.default_rng(2)
    needed = np.append(rng.normal(2.0, 0.01, 1000), -1.0)
    rate = rng.lognormal(0.0, 1.0, 1001)
    sigma = np.full(1001, 0.6)
    ruptures = search._Ruptures(rate, np.ones(1001), -needed * sigma, sigma, 0.0)
    epsilon = rng.standard_normal(100)
    ruptures.learn(epsilon, epsilon + 0.2 * rng.standard_normal(100), TOLERANCE)
    n = 40_000
    uniform = (rng.permutation(n) + 0.5) / n
    position, weight = ruptures.tried(np.full(n, 2.0), uniform)
    share = np.bincount(ruptures.rows[position], 1.0 / n * np.ones(n), minlength=1001)
    total = rate[:1000].sum()
    assert share[1000] < 1e-3
    np.testing.assert_allclose(share[:1000], rate[:1000] / total, atol=4e-3 * rate.max() / total)
    assert weight[ruptures.rows[position] < 1000].max() < 1.1
    largest = np.argmax(rate[:1000])
    assert share[largest] == pytest.approx(rate[largest] / total, rel=0.02)


def test_motions_without_amplitude_do_not_stop_the_walk() -> None:
    case = Linear(0.2)
    whole = case.reach

    def some_empty(rupture: NDArray[np.int64], noise: Noise | MixedNoise) -> Array:
        found = whole(rupture, noise)
        return np.where(case.noise(noise)[:, 5] > 1.0, -np.inf, found)

    case.reach = some_empty  # type: ignore[method-assign]
    found = case.found(50)
    assert len(found.rupture) >= 50
    assert (case.noise(found.noise)[:, 5] <= 1.0).all()


def test_families_share_little_noise() -> None:
    found = Linear(0.2).found(300)
    assert isinstance(found.noise, MixedNoise)
    rho = correlation(found.noise)
    z = found.noise.normal("waveform", 4000).astype(np.float64)
    np.testing.assert_allclose(np.corrcoef(z), rho, atol=6 / np.sqrt(4000))
    same = found.family[:, None] == found.family[None, :]
    assert np.abs(rho[~same]).max() < search.SIMILAR
    alone = np.bincount(found.family)[found.family] == 1
    near = np.abs(rho - np.eye(len(rho))).max(axis=1)
    np.testing.assert_array_equal(near < search.SIMILAR, alone)


def test_any_noise_of_the_same_length_is_as_likely() -> None:
    """|z|^2 of what is found, over many numbers, is that of standard normals."""
    found = Linear(0.2).found(300)
    size = 2000
    squares = (found.noise.normal("waveform", size).astype(np.float64) ** 2).sum(axis=1)
    first = np.unique(found.family, return_index=True)[1]
    assert kstest(squares[first], chi2(size).cdf).pvalue > 0.01


def test_order_and_batches_do_not_matter() -> None:
    case = Linear(0.2)
    many, few = case.found(400), case.found(20)
    rows = np.arange(len(few.rupture))
    np.testing.assert_array_equal(few.rupture, many.rupture[rows])
    assert few.noise.text() == many.noise.take(rows).text()
    whole = case.reach

    def by_parts(rupture: NDArray[np.int64], noise: Noise | MixedNoise) -> Array:
        parts = np.array_split(np.arange(len(rupture))[::-1], 7)
        out = np.empty(len(rupture))
        for part in parts:
            out[part] = whole(rupture[part], noise.take(part))
        return out

    case.reach = by_parts  # type: ignore[method-assign]
    again = case.found(20)
    np.testing.assert_array_equal(few.rupture, again.rupture)
    assert few.noise.text() == again.noise.text()
    assert not np.array_equal(case.found(20, seed=2).rupture, few.rupture)


def test_keys_give_the_noise_again() -> None:
    found = Linear(0.2).found(30)
    again = noise_from_text(found.noise.text())
    np.testing.assert_array_equal(again.normal("a", 50), found.noise.normal("a", 50))


def test_what_the_budget_allows_is_returned() -> None:
    case = Linear(0.2)
    found = case.found(10**6, budget=20_000)
    assert 0 < len(found.rupture) < 10**6
    assert found.draws <= 20_000
    nothing = case.found(10, budget=100)
    assert len(nothing.rupture) == 0 and nothing.draws <= 100


def test_shares_of_the_families_keep_the_count() -> None:
    found = Linear(0.2).found(300)
    assert len(found.family) == len(found.rupture) == len(found.noise)
    assert found.kept >= len(found.rupture)
    assert set(found.family) == set(range(found.family.max() + 1))
