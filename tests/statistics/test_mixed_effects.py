from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import cho_factor, cho_solve

from gwm_hazard.statistics.mixed_effects import _Problem, split
from gwm_hazard.statistics.regression import design, fit


def simulated(n=1500, events=100, sites=80, tau=0.4, s2s=0.3, phi=0.5, seed=0):
    rng = np.random.default_rng(seed)
    event, site = rng.integers(0, events, n), rng.integers(0, sites, n)
    x = np.column_stack([np.ones(n), rng.normal(size=n)])
    y = x @ [1.0, -2.0] + phi * rng.normal(size=n)
    y = y + tau * rng.normal(size=events)[event] + s2s * rng.normal(size=sites)[site]
    return y, x, event, site


def test_simulated_parts_are_recovered():
    """Over 12 data sets the mean estimate is within 4 standard errors of the truth."""
    found = []
    for seed in range(12):
        s = split(*simulated(seed=seed))
        found.append([s.tau, s.phi_s2s, s.phi_ss, *s.beta])
    mean, error = np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / np.sqrt(12)
    assert np.all(np.abs(mean - [0.4, 0.3, 0.5, 1.0, -2.0]) < 4.0 * error)
    assert split(*simulated()).sigma == pytest.approx(np.sqrt(0.16 + 0.09 + 0.25), rel=0.1)


@pytest.mark.parametrize("g, h", [(0.0, 0.0), (0.8, 0.0), (0.0, 0.7), (0.9, 0.6)])
@pytest.mark.parametrize("events, sites", [(12, 30), (30, 12)])
def test_restricted_likelihood_is_that_of_dense_matrices(events, sites, g, h):
    y, x, event, site = simulated(n=150, events=events, sites=sites)
    value, beta, variance = _Problem(y, x, event, site).evaluate(g, h)
    v = np.eye(150)
    for group, ratio in ((event, g), (site, h)):
        v += ratio**2 * (group[:, None] == group[None, :])
    factor = cho_factor(v)
    xvx = x.T @ cho_solve(factor, x)
    expected = np.linalg.solve(xvx, x.T @ cho_solve(factor, y))
    r = y - x @ expected
    s2 = r @ cho_solve(factor, r) / 148
    ln = 148 * (np.log(2 * np.pi * s2) + 1) + np.linalg.slogdet(v)[1] + np.linalg.slogdet(xvx)[1]
    assert beta == pytest.approx(expected, rel=1e-9)
    assert variance == pytest.approx(s2, rel=1e-9)
    assert value == pytest.approx(-0.5 * ln, rel=1e-10)


def test_nested_events_as_statsmodels():
    smf = pytest.importorskip("statsmodels.formula.api")
    y, x, event, _ = simulated(n=400, events=40, s2s=0.0)
    table = pd.DataFrame({"y": y, "x": x[:, 1], "event": event})
    ours = split(y, x, event, np.arange(400))  # a station of its own for every record
    theirs = smf.mixedlm("y ~ x", table, groups="event").fit(reml=True)
    assert np.isnan(ours.phi_s2s)
    assert ours.tau == pytest.approx(np.sqrt(theirs.cov_re.iloc[0, 0]), rel=1e-3)
    assert ours.phi_ss == pytest.approx(np.sqrt(theirs.scale), rel=1e-4)
    assert ours.beta == pytest.approx(theirs.fe_params.to_numpy(), rel=1e-4)


def test_crossed_stations_as_statsmodels():
    smf = pytest.importorskip("statsmodels.formula.api")
    y, x, event, site = simulated(n=240, events=20, sites=15)
    table = pd.DataFrame({"y": y, "x": x[:, 1], "event": event, "site": site, "all": 1})
    parts = {"event": "0 + C(event)", "site": "0 + C(site)"}
    theirs = smf.mixedlm("y ~ x", table, groups="all", vc_formula=parts).fit(reml=True)
    ours = split(y, x, event, site)
    vcomp = dict(zip(theirs.model.exog_vc.names, theirs.vcomp, strict=True))
    assert ours.tau == pytest.approx(np.sqrt(vcomp["event"]), rel=0.01)
    assert ours.phi_s2s == pytest.approx(np.sqrt(vcomp["site"]), rel=0.01)
    assert ours.phi_ss == pytest.approx(np.sqrt(theirs.scale), rel=0.01)


def test_one_record_an_event_tells_no_tau():
    y, x, _, site = simulated(n=300)
    s = split(y, x, np.arange(300), site)
    assert np.isnan(s.tau) and s.phi_s2s > 0
    assert s.phi_s2s**2 + s.phi_ss**2 == pytest.approx(s.sigma**2)
    with pytest.raises(ValueError, match="5 records"):
        split(y[:5], x[:5], np.arange(5), np.arange(5))


def test_names_of_groups_do_not_matter():
    y, x, event, site = simulated(n=300, events=25, sites=30)
    a = split(y, x, event, site)
    b = split(y, x, 100 * (30 - event), site + 7)
    assert (a.tau, a.phi_s2s, a.phi_ss) == pytest.approx((b.tau, b.phi_s2s, b.phi_ss), rel=1e-4)


def test_columns_that_follow_from_others_change_nothing():
    """Two magnitudes: their squares are a line through them."""
    y, x, event, site = simulated(n=300, events=25, sites=30)
    alone = split(y, x, event, site)
    wide = np.column_stack([x, 3.0 * x[:, 1] - 2.0, x[:, 1]])
    s = split(y, wide, event, site)
    np.testing.assert_allclose(s.beta, [*alone.beta, 0.0, 0.0])
    assert (s.tau, s.phi_s2s, s.phi_ss) == (alone.tau, alone.phi_s2s, alone.phi_ss)


def test_regression_recovers_its_coefficients():
    rng = np.random.default_rng(0)
    mag, r, vs30 = rng.uniform(4, 7, 500), rng.uniform(5, 200, 500), rng.uniform(200, 900, 500)
    x = design(mag, r, vs30)
    y = -1.0 + 0.9 * mag - 1.6 * np.log10(r) - 0.7 * np.log10(vs30)
    y[3] = np.nan
    assert fit(y, x) == pytest.approx([-1.0, 0.9, -1.6, -0.7], rel=1e-9)
    assert design(mag, r).shape == (500, 3)
    with pytest.raises(ValueError, match="do not tell 4 coefficients"):
        fit(y[:4], x[:4])
