from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gwm_hazard.statistics.bins import binned, even_edges, index_of, log_edges
from gwm_hazard.statistics.bootstrap import EventBootstrap, interval


def test_interval_of_the_mean_covers_the_truth():
    """95 % intervals of means of correlated records hold 0 in about 95 % of data sets."""
    covered, naive = 0, 0
    for seed in range(160):
        rng = np.random.default_rng(seed)
        event = np.repeat(np.arange(60), 10)
        x = 0.5 * rng.normal(size=60)[event] + 0.4 * rng.normal(size=600)
        low, high = interval(EventBootstrap(event, 200, seed).means(x))
        covered += low < 0 < high
        if seed < 40:
            low, high = interval(EventBootstrap(np.arange(600), 200, seed).means(x))
            naive += low < 0 < high
    assert 0.90 < covered / 160 < 0.98
    assert naive / 40 < 0.75  # what resampling records instead of events would give


def test_sums_are_those_of_the_resampled_records():
    rng = np.random.default_rng(1)
    event = rng.integers(0, 7, 50)
    values = rng.normal(size=(50, 3))
    values[4, 1] = np.nan
    boot = EventBootstrap(event, 20, 3)
    for b in range(20):
        rows = np.repeat(np.arange(50), boot.times[b].astype(int)[event])
        assert boot.sums(values)[b] == pytest.approx(np.nansum(values[rows], axis=0))
        assert boot.means(values)[b] == pytest.approx(np.nanmean(values[rows], axis=0))
        sd = np.nanstd(values[rows], axis=0)
        assert boot.standard_deviations(values)[b] == pytest.approx(sd)
    assert (boot.times.sum(axis=1) == 7).all()


def test_seed_decides():
    event = np.arange(30)
    a, b, c = (EventBootstrap(event, 10, s).times for s in (1, 1, 2))
    assert (a == b).all() and (a != c).any()


def test_empty_statistics_have_no_interval():
    low, high = interval(np.full((5, 2), [np.nan, 1.0]))
    assert np.isnan(low[0]) and (low[1], high[1]) == (1.0, 1.0)


def test_bins_are_those_of_pandas():
    rng = np.random.default_rng(2)
    x, y = rng.uniform(1, 100, 200), rng.normal(size=200)
    y[3], x[5] = np.nan, np.nan
    edges = log_edges(x, 6)
    b = binned(x, y, edges, EventBootstrap(np.arange(200), 200, 0))
    groups = pd.Series(y).groupby(pd.cut(x, edges, include_lowest=True, right=False))
    last = index_of(np.array([edges[-1]]), edges)[0]
    assert last == 5  # the upper edge belongs to the last bin
    count = np.bincount(index_of(x[np.isfinite(y)], edges)[index_of(x[np.isfinite(y)], edges) >= 0])
    assert (b.count == count).all() and b.count.sum() == 198
    assert b.mean[:5] == pytest.approx(groups.mean().to_numpy()[:5])
    assert b.sd[:5] == pytest.approx(groups.std().to_numpy()[:5])
    assert ((b.low < b.mean) & (b.mean < b.high)).all()
    assert b.middle == pytest.approx(np.sqrt(edges[1:] * edges[:-1]))


def test_bins_outside_and_empty():
    edges = np.array([0.0, 1.0, 2.0])
    assert index_of(np.array([-1.0, 0.0, 1.0, 2.0, 3.0, np.nan]), edges).tolist() == [
        *(-1, 0, 1, 1, -1, -1)
    ]
    b = binned(np.array([0.5]), np.array([2.0]), edges)
    assert b.count.tolist() == [1, 0] and np.isnan(b.mean[1]) and np.isnan(b.sd[0])
    assert b.middle.tolist() == [0.5, 1.5]


@pytest.mark.parametrize("step", [0.1, 0.25])
def test_even_edges_hold_all_values(step):
    """Also of one magnitude, whose multiple of the step is off by rounding: 71 * 0.1 > 7.1."""
    rng = np.random.default_rng(0)
    for x in ([7.1], [7.0, 7.0], np.round(rng.uniform(4, 8, 50), 1), rng.uniform(4, 8, 50)):
        edges = even_edges(np.array([*x, np.nan]), step)
        assert len(edges) >= 2 and (np.diff(edges) > 0).all()
        assert (index_of(np.asarray(x), edges) >= 0).all()
        np.testing.assert_allclose(edges / step, np.round(edges / step), atol=1e-6)
