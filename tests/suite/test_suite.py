"""Targets in closed form and by sampling, selection, hazard consistency."""

import numpy as np
import pytest
from scipy.special import ndtr

from gwm_hazard.suite import consistency
from gwm_hazard.suite.contributions import Contributions
from gwm_hazard.suite.selection import match, measure_weights, select
from gwm_hazard.suite.target import conditional, correlation_matrix, scenario, uniform_hazard

IMTS = ("SA(0.2)", "SA(0.5)", "SA(1.0)")


def rho(a: str, b: str) -> float:
    return float(np.exp(-0.4 * abs(np.log(float(a[3:-1]) / float(b[3:-1])))))


def contributions(n: int = 1, truncation: float = np.inf) -> Contributions:
    rng = np.random.default_rng(n)
    return Contributions(
        IMTS,
        rng.uniform(0.001, 0.02, n),
        np.log([0.3, 0.2, 0.1]) + rng.normal(0.0, 0.4, (n, 3)),
        rng.uniform(0.5, 0.8, (n, 3)),
        truncation,
        np.arange(n),
        np.zeros(n, dtype=np.int64),
        {"mag": rng.uniform(5.0, 7.5, n)},
        ("GMM",),
    )


def test_one_rupture_has_the_conditional_spectrum_of_baker() -> None:
    """Baker (2011), eq. 5 and 6."""
    c = contributions()
    got = conditional(c, "SA(0.5)", 1e-4, rho)
    eps = (np.log(got.level) - c.mean[0, 1]) / c.sigma[0, 1]
    assert c.rate[0] * ndtr(-eps) == pytest.approx(1e-4, rel=1e-8)
    r = np.array([rho(i, "SA(0.5)") for i in IMTS])
    np.testing.assert_allclose(got.mean, c.mean[0] + r * eps * c.sigma[0])
    np.testing.assert_allclose(got.sigma, c.sigma[0] * np.sqrt(1 - r**2), atol=1e-12)


def test_mixture_is_what_sampling_gives() -> None:
    c = contributions(5)
    got = conditional(c, "SA(0.5)", 3e-3, rho)
    rng = np.random.default_rng(0)
    rows = rng.choice(5, 400_000, p=c.rate / c.rate.sum())
    z = rng.multivariate_normal(np.zeros(3), correlation_matrix(IMTS, rho), len(rows))
    ln = c.mean[rows] + z * c.sigma[rows]
    near = ln[np.abs(ln[:, 1] - np.log(got.level)) < 0.02]
    assert len(near) > 1000
    error = ln.std(axis=0) / np.sqrt(len(near))
    np.testing.assert_array_less(np.abs(near.mean(axis=0) - got.mean), 4 * error + 0.002)
    covariance = np.cov(near.T)
    np.testing.assert_allclose(
        covariance[[0, 2, 0], [0, 2, 2]], got.covariance[[0, 2, 0], [0, 2, 2]], rtol=0.1, atol=0.01
    )


def test_uniform_hazard_and_scenario() -> None:
    c = contributions(4, truncation=3.0)
    levels = np.exp(uniform_hazard(c, 2e-3).mean)
    for imt, level in zip(IMTS, levels, strict=True):
        assert c.hazard(imt, level)[0] == pytest.approx(2e-3, rel=1e-6)
    single = contributions(1)
    got = scenario(single, rho)
    np.testing.assert_allclose(got.mean, single.mean[0])
    np.testing.assert_allclose(got.sigma, single.sigma[0])


def test_a_level_out_of_reach_is_named() -> None:
    with pytest.raises(ValueError, match=r"rate = 5 a year of SA\(0\.5\).*longer return period"):
        conditional(contributions(3), "SA(0.5)", 5.0, rho)
    with pytest.raises(ValueError, match=r"imt = 'PGV': the branches were asked for SA"):
        conditional(contributions(3), "PGV", 1e-3, rho)


@pytest.mark.parametrize("truncation", (0.0, -1.0, np.nan))
def test_a_calculation_without_scatter_is_refused(truncation: float) -> None:
    with pytest.raises(ValueError, match=r"truncation_level = .*a truncation_level above 0"):
        contributions(3, truncation)


def test_correlation_matrix_becomes_positive() -> None:
    table = {("a", "b"): 0.95, ("b", "c"): 0.95, ("a", "c"): 0.2}

    def bad(x: str, y: str) -> float:
        return table.get((x, y), table.get((y, x), 1.0))

    matrix = correlation_matrix(("a", "b", "c"), bad)
    assert np.linalg.eigvalsh(matrix)[0] > -1e-12
    np.testing.assert_allclose(np.diag(matrix), 1.0)
    with pytest.raises(ValueError, match=r"correlation of b and a = 1\.5"):
        correlation_matrix(("a", "b"), lambda x, y: 1.5)


def test_selection_matches_mean_and_scatter_from_a_biased_pool() -> None:
    target = conditional(contributions(5), "SA(0.5)", 1e-3, rho)
    rng = np.random.default_rng(3)
    spread = 1.3 * np.linalg.cholesky(target.covariance + 1e-9 * np.eye(3))
    pool = target.mean + 0.2 + rng.standard_normal((600, 3)) @ spread.T
    pool[:, 1] = np.log(target.level) + rng.uniform(-0.05, 0.05, 600)
    rows = select(pool, target, 20, seed=1)
    assert len(np.unique(rows)) == 20
    got = match(pool[rows], target)
    assert np.abs(got.mean_error).max() < 0.02
    assert np.nanmax(np.abs(got.sigma_error)) < 0.05
    assert np.isnan(got.sigma_error[1])  # the conditioning measure has no scatter
    plain = match(pool[rng.choice(600, 20, replace=False)], target)
    assert got.misfit < 0.05 * plain.misfit
    np.testing.assert_array_equal(rows, select(pool, target, 20, seed=1))
    groups = np.arange(600) // 20  # 30 of them
    apart = select(pool, target, 20, seed=1, group=groups)
    assert len(np.unique(groups[apart])) == 20
    with pytest.raises(ValueError, match="holds 30 different candidates"):
        select(pool, target, 31, seed=1, group=groups)
    with pytest.raises(ValueError, match="the pool holds 600 different candidates"):
        select(pool, target, 601, seed=1)


def test_measures_beside_the_spectrum_have_a_part_of_their_own() -> None:
    weights = measure_weights(("SA(0.1)", "SA(0.2)", "SA(0.3)", "CAV"))
    assert weights.mean() == pytest.approx(1.0) and weights[3] / weights.sum() == 0.3
    assert (measure_weights(("CAV", "PGV")) == 1).all() and (measure_weights(IMTS) == 1).all()


def test_stripes_of_exact_suites_carry_the_hazard() -> None:
    c = contributions(6)
    rng = np.random.default_rng(5)
    total = c.rate.sum()
    levels = np.geomspace(c.level("SA(0.5)", 0.99 * total), c.level("SA(0.5)", 1e-6), 16)
    returned = c.hazard("SA(0.5)", levels)
    rates = consistency.stripe_rates(
        levels, np.array([total, 0.0]), c.hazard("SA(0.5)", np.sqrt(levels[1:] * levels[:-1]))
    )
    suites = []
    for rate in returned:
        t = conditional(c, "SA(0.5)", rate, rho)
        suites.append(rng.multivariate_normal(t.mean, t.covariance + 1e-12 * np.eye(3), 4000))
    for column, imt in ((0, "SA(0.2)"), (2, "SA(1.0)")):  # the conditioning one goes in steps
        at = np.array([c.level(imt, r) for r in (1e-2, 2e-3, 4e-4)])
        got = consistency.implied(suites, rates, column, at)
        np.testing.assert_allclose(got, [1e-2, 2e-3, 4e-4], rtol=0.2)
    with pytest.raises(ValueError, match="ascending"):
        consistency.stripe_rates(levels[::-1], np.array([1.0, 0.0]), rates[1:])
