from __future__ import annotations

import numpy as np
import pytest

from gwm_hazard.statistics.bootstrap import EventBootstrap
from gwm_hazard.statistics.correlation import correlation, correlation_interval, nearest_correlation

TRUE = np.array([[1.0, 0.8, -0.3], [0.8, 1.0, 0.1], [-0.3, 0.1, 1.0]])


def sample(n, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 3)) @ np.linalg.cholesky(TRUE).T


def test_a_known_covariance_is_recovered():
    assert correlation(5.0 + 3.0 * sample(200_000)) == pytest.approx(TRUE, abs=0.01)


def test_it_is_numpys_and_pairwise_with_gaps():
    x = sample(300)
    assert correlation(x) == pytest.approx(np.corrcoef(x.T), abs=1e-12)
    x[::4, 0] = np.nan
    x[1::5, 2] = np.nan
    both = np.isfinite(x[:, 0]) & np.isfinite(x[:, 2])
    expected = np.corrcoef(x[both][:, [0, 2]].T)[0, 1]
    assert correlation(x)[0, 2] == pytest.approx(expected, abs=1e-12)
    x[:, 1] = np.nan
    with np.errstate(all="ignore"), pytest.warns(RuntimeWarning):
        assert np.isnan(correlation(x)[1]).all()


def test_interval_covers_the_truth():
    covered = np.zeros((3, 3))
    for seed in range(100):
        boot = EventBootstrap(np.repeat(np.arange(80), 2), 200, seed)
        low, high = correlation_interval(sample(160, seed), boot)
        covered += (low <= TRUE) & (high >= TRUE)
    off = ~np.eye(3, dtype=bool)
    assert (covered[off] > 85).all()


def test_nearest_correlation_is_positive_definite():
    odd = np.array([[1.0, 0.9, -0.9], [0.9, 1.0, 0.9], [-0.9, 0.9, 1.0]])
    assert np.linalg.eigvalsh(odd).min() < 0
    fixed = nearest_correlation(odd, 1e-4)
    assert np.linalg.eigvalsh(fixed).min() > 0
    assert np.diag(fixed) == pytest.approx(1.0)
    assert nearest_correlation(TRUE) == pytest.approx(TRUE)
