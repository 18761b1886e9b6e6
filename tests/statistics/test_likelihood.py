from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal, norm

from gwm_hazard.statistics import likelihood


@pytest.fixture
def sample():
    rng = np.random.default_rng(1)
    n = 400
    mean = rng.normal(size=n)
    sigma = rng.uniform(0.4, 0.9, n)
    return mean + sigma * rng.normal(size=n), mean, sigma


def test_llh_of_a_normal_tends_to_its_entropy():
    x = 0.6 * np.random.default_rng(0).normal(size=400_000)
    got = likelihood.llh(x, np.zeros_like(x), np.full_like(x, 0.6))
    assert got == pytest.approx(0.5 * np.log2(2 * np.pi * np.e * 0.36), abs=0.005)


def test_llh_is_scipys_density(sample):
    x, mean, sigma = sample
    expected = -norm.logpdf(x, mean, sigma).mean() / np.log(2)
    assert likelihood.llh(x, mean, sigma) == pytest.approx(expected, rel=1e-12)
    x = np.append(x, np.nan)
    got = likelihood.llh(x, np.append(mean, 0.0), np.append(sigma, 1.0))
    assert got == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("factor, shift", [(0.5, 0.0), (2.0, 0.0), (1.0, np.log(2))])
def test_a_wrong_model_has_the_larger_llh(sample, factor, shift):
    """Sigma halved or doubled, amplitudes halved."""
    x, mean, sigma = sample
    right = likelihood.llh(x, mean, sigma)
    wrong = likelihood.llh(x, mean - shift, factor * sigma)
    # what a wrong sigma or mean costs a normal model, in bits
    cost = np.log2(factor) + (1 / factor**2 - 1 + (shift / sigma) ** 2) / 2 / np.log(2)
    assert wrong - right == pytest.approx(cost.mean() if np.ndim(cost) else cost, abs=0.25)
    assert wrong > right + 0.2


def test_weights_halve_with_each_bit():
    got = likelihood.weights(np.array([1.0, 2.0, 3.0]))
    assert got == pytest.approx(np.array([4, 2, 1]) / 7)


def test_llh_by_event_is_the_joint_density(sample):
    x, mean, phi = sample
    event = np.random.default_rng(2).integers(0, 40, len(x))
    tau = np.linspace(0.2, 0.5, len(x))
    x[7] = np.nan
    total, count = 0.0, 0
    for e in range(40):
        rows = np.flatnonzero((event == e) & np.isfinite(x))
        covariance = np.outer(tau[rows], tau[rows]) + np.diag(phi[rows] ** 2)
        total += multivariate_normal(mean[rows], covariance).logpdf(x[rows])
        count += len(rows)
    got = likelihood.llh_by_event(x, mean, tau, phi, event)
    assert got == pytest.approx(-total / count / np.log(2), rel=1e-12)


def test_llh_by_event_without_an_event_term_is_llh(sample):
    x, mean, phi = sample
    event = np.zeros(len(x), dtype=int)
    got = likelihood.llh_by_event(x, mean, np.full(len(x), np.nan), phi, event)
    assert got == pytest.approx(float(likelihood.llh(x, mean, phi)), rel=1e-12)


def test_an_event_term_that_is_there_lowers_the_llh_by_event():
    rng = np.random.default_rng(3)
    event = np.repeat(np.arange(60), 20)
    x = 0.5 * rng.normal(size=60)[event] + 0.5 * rng.normal(size=1200)
    zero, half = np.zeros(1200), np.full(1200, 0.5)
    split = likelihood.llh_by_event(x, zero, half, half, event)
    pooled = likelihood.llh_by_event(x, zero, np.full(1200, np.nan), np.hypot(half, half), event)
    assert split < pooled - 0.2


def test_llh_of_measures_is_the_joint_density():
    rng = np.random.default_rng(4)
    correlation = np.array([[1.0, 0.7, 0.2], [0.7, 1.0, 0.5], [0.2, 0.5, 1.0]])
    n = 50
    sigma = rng.uniform(0.5, 0.8, (n, 3))
    mean = rng.normal(size=(n, 3))
    x = mean + sigma * (rng.normal(size=(n, 3)) @ np.linalg.cholesky(correlation).T)
    x[::3, 1] = np.nan
    x[5] = np.nan
    total, count = 0.0, 0
    for i in range(n):
        k = np.flatnonzero(np.isfinite(x[i]))
        if k.size:
            covariance = np.outer(sigma[i, k], sigma[i, k]) * correlation[np.ix_(k, k)]
            total += multivariate_normal(mean[i, k], covariance).logpdf(x[i, k])
            count += k.size
    got = likelihood.llh_of_measures(x, mean, sigma, correlation)
    assert got == pytest.approx(-total / count / np.log(2), rel=1e-12)
    # the correlation that is there is worth bits against independence
    assert got < likelihood.llh_of_measures(x, mean, sigma, np.eye(3))


def test_mean_density_by_bin(sample):
    x, mean, sigma = sample
    place = np.where(x > 0, 1, 0)
    place[:10] = -1
    got, count = likelihood.mean_density(x, mean, sigma, place, 3)
    for k in (0, 1):
        rows = place == k
        assert count[k] == rows.sum()
        assert got[k] == pytest.approx(norm.pdf(x, mean, sigma)[rows].mean(), rel=1e-12)
    assert count[2] == 0 and np.isnan(got[2])
