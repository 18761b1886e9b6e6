from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gwm_hazard.statistics import sampling


def test_normality_of_normal_and_other_samples():
    rng = np.random.default_rng(0)
    n = sampling.normality(rng.normal(3.0, 0.6, 4000))
    assert n.p > 0.05 and n.tail == pytest.approx(0.0124, abs=0.004) and abs(n.skewness) < 0.1
    skewed = sampling.normality(rng.gamma(2.0, size=4000))
    assert skewed.p < 1e-6 and skewed.skewness == pytest.approx(np.sqrt(2.0), abs=0.15)
    heavy = sampling.normality(rng.standard_t(3, 4000))
    assert heavy.tail > 0.016 and heavy.p < 1e-6


def test_shapiro_is_scipys():
    x = np.random.default_rng(1).gumbel(size=80)
    n = sampling.normality(np.append(x, np.nan))
    w, p = stats.shapiro(x)
    assert (n.w, n.p) == (w, p)
    assert n.skewness == pytest.approx(stats.skew(x), rel=0.03)


def test_tail_share_of_a_normal():
    assert pytest.approx(0.012419, abs=1e-6) == sampling.TAIL_SHARE


def test_draws_needed_hold_the_median():
    n = sampling.draws_needed(0.6, 0.05, 0.95)
    medians = np.median(0.6 * np.random.default_rng(2).normal(size=(4000, n)), axis=1)
    assert (np.abs(medians) < 0.05).mean() == pytest.approx(0.95, abs=0.015)


def test_running_estimates_are_of_the_first_draws():
    x = np.random.default_rng(3).normal(size=100)
    c = sampling.convergence(x, np.array([10, 100]))
    assert c.median.tolist() == [np.median(x[:10]), np.median(x)]
    assert c.sd.tolist() == [x[:10].std(ddof=1), x.std(ddof=1)]


def test_quantiles_lie_on_the_line_of_a_normal():
    x = np.random.default_rng(4).normal(7.0, 2.0, 5000)
    expected, got = sampling.quantiles(x)
    middle = np.abs(expected) < 2
    assert np.abs(got - expected)[middle].max() < 0.1
    osm = stats.probplot(x)[0][0]
    assert np.abs(expected - osm)[5:-5].max() < 0.01
