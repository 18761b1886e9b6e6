from __future__ import annotations

from dataclasses import astuple, replace

import numpy as np
import pandas as pd
import pytest
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from gwm_hazard.statistics import regression
from gwm_hazard.statistics.mixed_effects import Estimate, Groups, Spread, fit
from gwm_hazard.statistics.regression import design


def simulated(n=1500, events=100, sites=80, tau=0.4, s2s=0.3, phi=0.5, seed=0):
    rng = np.random.default_rng(seed)
    event, site = rng.integers(0, events, n), rng.integers(0, sites, n)
    x = np.column_stack([np.ones(n), rng.normal(size=n)])
    y = x @ [1.0, -2.0] + phi * rng.normal(size=n)
    y = y + tau * rng.normal(size=events)[event] + s2s * rng.normal(size=sites)[site]
    return y, x, event, site


def split(y, x, event, site) -> Estimate:
    """As the benchmark splits the variability."""
    return fit(Groups(event, site), y, x, restricted=True, repeated=10)


def test_simulated_parts_are_recovered():
    """Over 12 data sets the mean estimate is within 4 standard errors of the truth."""
    found = []
    for seed in range(12):
        s = split(*simulated(seed=seed))
        found.append([s.spread.tau, s.spread.phi_s2s, s.spread.phi, *s.beta])
    mean, error = np.mean(found, axis=0), np.std(found, axis=0, ddof=1) / np.sqrt(12)
    assert np.all(np.abs(mean - [0.4, 0.3, 0.5, 1.0, -2.0]) < 4.0 * error)
    assert split(*simulated()).spread.sigma == pytest.approx(np.sqrt(0.16 + 0.09 + 0.25), rel=0.1)


@pytest.mark.parametrize("g, h", [(0.0, 0.0), (0.8, 0.0), (0.0, 0.7), (0.9, 0.6)])
@pytest.mark.parametrize("events, sites", [(12, 30), (30, 12)])
def test_restricted_likelihood_is_that_of_dense_matrices(events, sites, g, h):
    y, x, event, site = simulated(n=150, events=events, sites=sites)
    s = Spread(0.5 * g, 0.5 * h, 0.5)
    groups = Groups(event, site)
    value, beta, error = groups.generalised(y, x, s, restricted=True)
    v = np.eye(150)
    for group, ratio in ((event, g), (site, h)):
        v += ratio**2 * (group[:, None] == group[None, :])
    factor = cho_factor(v)
    xvx = x.T @ cho_solve(factor, x)
    expected = np.linalg.solve(xvx, x.T @ cho_solve(factor, y))
    r = y - x @ expected
    square = r @ cho_solve(factor, r) / 0.25
    ln = 148 * np.log(2 * np.pi * 0.25) + np.linalg.slogdet(v)[1] + np.linalg.slogdet(xvx)[1]
    assert beta == pytest.approx(expected, rel=1e-9)
    assert error == pytest.approx(0.5 * np.sqrt(np.diag(np.linalg.inv(xvx))), rel=1e-9)
    assert value == pytest.approx(-0.5 * (ln + square), rel=1e-10)


def test_nested_events_as_statsmodels():
    smf = pytest.importorskip("statsmodels.formula.api")
    y, x, event, _ = simulated(n=400, events=40, s2s=0.0)
    table = pd.DataFrame({"y": y, "x": x[:, 1], "event": event})
    ours = split(y, x, event, np.arange(400))  # a station of its own for every record
    theirs = smf.mixedlm("y ~ x", table, groups="event").fit(reml=True)
    assert "phi_s2s" not in ours.terms and ours.spread.phi_s2s == 0.0
    assert ours.spread.tau == pytest.approx(np.sqrt(theirs.cov_re.iloc[0, 0]), rel=1e-3)
    assert ours.spread.phi == pytest.approx(np.sqrt(theirs.scale), rel=1e-4)
    assert ours.beta == pytest.approx(theirs.fe_params.to_numpy(), rel=1e-4)


def test_crossed_stations_as_statsmodels():
    smf = pytest.importorskip("statsmodels.formula.api")
    y, x, event, site = simulated(n=240, events=20, sites=15)
    table = pd.DataFrame({"y": y, "x": x[:, 1], "event": event, "site": site, "all": 1})
    parts = {"event": "0 + C(event)", "site": "0 + C(site)"}
    theirs = smf.mixedlm("y ~ x", table, groups="all", vc_formula=parts).fit(reml=True)
    ours = split(y, x, event, site)
    vcomp = dict(zip(theirs.model.exog_vc.names, theirs.vcomp, strict=True))
    assert ours.spread.tau == pytest.approx(np.sqrt(vcomp["event"]), rel=0.01)
    assert ours.spread.phi_s2s == pytest.approx(np.sqrt(vcomp["site"]), rel=0.01)
    assert ours.spread.phi == pytest.approx(np.sqrt(theirs.scale), rel=0.01)


def test_one_record_an_event_tells_no_tau():
    y, x, _, site = simulated(n=300)
    s = split(y, x, np.arange(300), site)
    assert s.terms == ("phi_s2s", "phi") and s.spread.tau == 0.0 < s.spread.phi_s2s
    with pytest.raises(ValueError, match="5 records"):
        split(y[:5], x[:5], np.arange(5), np.arange(5))


def test_names_of_groups_do_not_matter():
    y, x, event, site = simulated(n=300, events=25, sites=30)
    a = split(y, x, event, site)
    b = split(y, x, 100 * (30 - event), site + 7)
    assert astuple(a.spread) == pytest.approx(astuple(b.spread), rel=1e-4)


def test_columns_that_follow_from_others_change_nothing():
    """Two magnitudes: their squares are a line through them."""
    y, x, event, site = simulated(n=300, events=25, sites=30)
    alone = split(y, x, event, site)
    wide = np.column_stack([x, 3.0 * x[:, 1] - 2.0, x[:, 1]])
    s = split(y, wide, event, site)
    np.testing.assert_allclose(s.beta, [*alone.beta, 0.0, 0.0])
    assert s.spread == alone.spread


def test_regression_recovers_its_coefficients():
    rng = np.random.default_rng(0)
    mag, r, vs30 = rng.uniform(4, 7, 500), rng.uniform(5, 200, 500), rng.uniform(200, 900, 500)
    x = design(mag, r, vs30)
    y = -1.0 + 0.9 * mag - 1.6 * np.log10(r) - 0.7 * np.log10(vs30)
    y[3] = np.nan
    assert regression.fit(y, x) == pytest.approx([-1.0, 0.9, -1.6, -0.7], rel=1e-9)
    assert design(mag, r).shape == (500, 3)
    with pytest.raises(ValueError, match="do not tell 4 coefficients"):
        regression.fit(y[:4], x[:4])


# -- likelihoods that are not restricted ---------------------------------------------------------


def random_residuals(seed: int, sites: bool):
    rng = np.random.default_rng(seed)
    event, site = rng.integers(0, 12, 90), rng.integers(0, 25, 90)
    r = 0.4 * rng.normal(size=12)[event] + 0.6 * rng.normal(size=90) + 0.2
    if sites:
        r = r + 0.35 * rng.normal(size=25)[site]
    return event, site, r


def dense(event, site, s: Spread):
    same_event, same_site = event[:, None] == event, site[:, None] == site
    return s.tau**2 * same_event + s.phi_s2s**2 * same_site + s.phi**2 * np.eye(len(event))


@pytest.mark.parametrize("sites", [False, True])
@pytest.mark.parametrize("spread", [(0.4, 0.3, 0.6), (0.0, 0.2, 0.5), (0.7, 0.0, 0.1)])
def test_likelihood_solution_and_event_terms_are_those_of_the_dense_matrix(sites, spread):
    event, site, r = random_residuals(1, sites)
    s = Spread(spread[0], spread[1] if sites else 0.0, spread[2])
    v = dense(event, site, s)
    groups = Groups(event, site if sites else None)
    assert groups.ln_likelihood(r, s) == pytest.approx(
        multivariate_normal(np.zeros(90), v).logpdf(r), rel=1e-10
    )
    x = np.random.default_rng(2).normal(size=(90, 3))
    np.testing.assert_allclose(groups.solve(x, s), np.linalg.solve(v, x), atol=1e-8)
    z = (event[:, None] == np.unique(event)).astype(float)
    expected = s.tau**2 * z.T @ np.linalg.solve(v, r)
    np.testing.assert_allclose(groups.random_terms(r[:, None], s)[:, 0], expected, atol=1e-9)


@pytest.mark.parametrize("seed", [3, 4, 5])
def test_event_terms_as_statsmodels_fits_them(seed):
    sm = pytest.importorskip("statsmodels.api")
    event, _, r = random_residuals(seed, False)
    theirs = sm.MixedLM(r, np.ones(90), groups=event).fit(reml=False)
    ours = fit(Groups(event), r, np.ones((90, 1)))
    assert ours.ln_likelihood == pytest.approx(theirs.llf, abs=1e-5)
    assert ours.beta[0] == pytest.approx(theirs.fe_params[0], abs=1e-4)
    assert ours.error[0] == pytest.approx(theirs.bse_fe[0], rel=1e-2)
    assert ours.spread.phi == pytest.approx(np.sqrt(theirs.scale), rel=1e-3)
    assert ours.spread.tau == pytest.approx(np.sqrt(theirs.cov_re[0, 0]), rel=1e-2)


def test_crossed_event_and_site_terms_as_statsmodels_fits_them():
    sm = pytest.importorskip("statsmodels.api")
    event, site, r = random_residuals(6, True)
    frame = pd.DataFrame({"r": r, "e": event, "s": site, "all": 1})
    terms = {"e": "0 + C(e)", "s": "0 + C(s)"}
    model = sm.MixedLM.from_formula("r ~ 1", frame, groups="all", re_formula="0", vc_formula=terms)
    theirs = model.fit(reml=False)
    ours = fit(Groups(event, site), r, np.ones((90, 1)))
    assert ours.ln_likelihood == pytest.approx(theirs.llf, abs=1e-3)
    expected = dict(zip(model.exog_vc.names, np.sqrt(theirs.vcomp), strict=True))
    assert ours.spread.tau == pytest.approx(expected["e"], abs=0.01)
    assert ours.spread.phi_s2s == pytest.approx(expected["s"], abs=0.01)


@pytest.mark.parametrize("name", ["tau", "phi"])
def test_intervals_end_where_the_likelihood_has_fallen_by_half_of_chi_squared(name):
    event, site, r = random_residuals(7, False)
    found = fit(Groups(event), r, intervals=True)
    best = multivariate_normal(np.zeros(90), dense(event, site, found.spread)).logpdf(r)
    other = "phi" if name == "tau" else "tau"
    for end in found.intervals[name]:

        def negative(x, end=end):
            s = replace(Spread(0, 0, 0), **{name: end, other: abs(x[0])})
            return -multivariate_normal(np.zeros(90), dense(event, site, s)).logpdf(r)

        profile = -minimize(negative, [0.4], method="Nelder-Mead").fun
        assert best - profile == pytest.approx(1.9207, abs=0.01)


def test_no_event_terms_gives_tau_zero_to_its_lower_end():
    rng = np.random.default_rng(8)
    event = np.repeat(np.arange(20), 5)
    r = rng.normal(size=100)
    r -= np.repeat(r.reshape(20, 5).mean(axis=1), 5)  # event means exactly 0
    found = fit(Groups(event), r, intervals=True)
    assert found.spread.tau == pytest.approx(0.0, abs=1e-3)
    assert found.intervals["tau"][0] == 0.0
    assert 0.0 < found.intervals["tau"][1] < 0.5
