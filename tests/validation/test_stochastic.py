"""What the stochastic model is calibrated with and compared to, and what it reaches."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gwm_hazard.models.registry import load_model
from gwm_hazard.models.stochastic import StochasticParameters, spectrum
from gwm_hazard.records.training_set import split_by_event
from validation.stochastic import figures, fit, published, records, variability
from validation.stochastic import random_vibration as rv
from validation.stochastic.medians import drawn

IMTS = ("PGA", "PGV", "SA(0.1)", "SA(0.3)", "SA(1.0)", "SA(3.0)")


def test_the_four_models_agree_where_they_have_data():
    """Vs30 760 has no basin beyond the usual one: a wrong basin depth would part them."""
    at = published.cells((6.0, 7.0), (20.0, 60.0), (400.0, 760.0), (8.0,))
    by_model = published.four(at, IMTS)
    assert np.exp(np.ptp(by_model, axis=0)).max() < 2.0
    assert np.exp(np.abs(by_model - by_model.mean(axis=0)).mean()) < 1.2


def test_vertical_ratios_are_near_two_thirds_at_short_periods_and_half_at_long():
    at = published.cells((6.5,), (30.0,), (500.0,), (8.0,))
    both = np.exp(published.vertical_ratios(at, ("SA(0.05)", "SA(0.5)")))
    assert ((both[..., 0] > 0.55) & (both[..., 0] < 1.0)).all()
    assert ((both[..., 1] > 0.3) & (both[..., 1] < 0.6)).all()


def test_events_are_split_by_their_names_and_earthquakes_are_whole():
    table = pd.read_csv(records.EVENTS)
    assert table.groupby("same")["split"].nunique().max() == 1
    file, name = table["event"].str.split(":", n=1).str[0], table["event"].str.split(":").str[1]
    name = np.where(file == "ngaw2_1000_rotd50", "NGAW2_" + name, name)
    by_name = split_by_event(name, records.SHARES, records.SEED) == "test"
    # an earthquake of several files is test where one of its names is
    want = pd.Series(by_name).groupby(table["same"]).transform("any")
    assert ((table["split"] == "test") == want).all()
    assert 0.1 < (table["split"] == "test").mean() < 0.2


def conditions(n=6):
    return {
        "mag": np.linspace(4.5, 7.5, n),
        "rrup": np.geomspace(5.0, 150.0, n),
        "vs30": np.full(n, 500.0),
        "hypo_depth": np.full(n, 8.0),
    }


def test_random_vibration_scales_with_the_spectrum():
    c, p = conditions(), StochasticParameters()
    ln, _ = rv.ln_amplitude(p, c)
    mean, share = rv.peaks(ln, rv.durations(p, c), IMTS)
    np.testing.assert_allclose(share.sum(axis=-1), 1.0, atol=1e-5)
    more, _ = rv.peaks(ln + 0.3, rv.durations(p, c), IMTS)
    np.testing.assert_allclose(more - mean, 0.3, atol=1e-9)
    # a bump in the spectrum moves the root mean square by its share
    bump = 1e-3 * np.exp(-((np.log(rv.HZ) - np.log(2.0)) ** 2))
    moved, _ = rv.peaks(ln + bump, rv.durations(p, c), IMTS)
    np.testing.assert_allclose(moved - mean, np.einsum("mnf,f->nm", share, bump), atol=2e-4)


def test_random_vibration_is_near_draws():
    """20 draws without random terms, within 0.35 ln: what the correction has to bring."""
    from gwm_hazard.calibration.medians import quiet
    from gwm_hazard.core.scenario import Scenarios

    c, p = conditions(3), quiet(StochasticParameters())
    ln, _ = rv.ln_amplitude(p, c)
    by_rv, _ = rv.peaks(ln, rv.durations(p, c), IMTS)
    ours = drawn(rv.model_of(p), Scenarios(**c), IMTS, pairs=10, seed=1, paired=False)[0]
    assert np.abs(ours.mean(axis=1) - by_rv).max() < 0.35


def test_table_is_found_again_from_what_it_does():
    nodes = [np.array(v) for v in ([4.0, 6.0, 8.0], [1.0, 30.0, 300.0], [200.0, 1500.0])]
    freq_hz = np.array([0.1, 1.0, 10.0])
    truth = spectrum.NodeTable(*nodes, freq_hz, np.zeros((3, 3, 2, 3)))
    m, r, _, f = np.meshgrid(*[np.arange(k) for k in truth.values.shape], indexing="ij")
    values = 0.2 * m - 0.1 * r + 0.15 * f
    rng = np.random.default_rng(5)
    n = 800
    c = {
        "mag": rng.uniform(4, 8, n),
        "rrup": np.exp(rng.uniform(0, np.log(300), n)),
        "vs30": np.exp(rng.uniform(np.log(200), np.log(1500), n)),
        "hypo_depth": np.full(n, 8.0),
    }
    share = np.zeros((3, n, len(rv.HZ)), dtype=np.float32)
    for j, hz in enumerate(freq_hz):
        share[j, :, int(np.argmin(np.abs(rv.HZ - hz)))] = 1.0
    found = fit.TableFit(truth)
    event = rng.integers(0, 40, n)
    for j in range(3):
        design = found.design(c, share[j])
        found.add(design, design @ values.ravel(), np.full(n, 0.05**-2.0))
        found.add_events(design, design @ values.ravel(), event, np.full(40, 0.4), 0.5, 1.0)
    np.testing.assert_allclose(found.solve().values, values, atol=0.02)


def test_event_terms_enter_as_in_the_dense_likelihood():
    rng = np.random.default_rng(6)
    table = spectrum.NodeTable(
        np.array([4.0, 8.0]), np.array([1.0, 300.0]), np.array([200.0, 1500.0]),
        np.array([0.1, 10.0]), np.zeros((2, 2, 2, 2)),
    )  # fmt: skip
    found = fit.TableFit(table)
    n, event = 30, np.repeat(np.arange(6), 5)
    design = fit.csr_array(rng.normal(size=(n, table.values.size)))
    residual = rng.normal(size=n)
    tau = rng.uniform(0.3, 0.9, 6)
    found.add_events(design, residual, event, tau, 0.6, 0.3)
    same = event[:, None] == event
    inverse = np.linalg.inv(0.36 * np.eye(n) + same * tau[event] ** 2)
    dense = design.toarray()
    np.testing.assert_allclose(found.information, 0.3 * dense.T @ inverse @ dense, rtol=1e-8)
    np.testing.assert_allclose(found.score, 0.3 * dense.T @ inverse @ residual, rtol=1e-8)


def test_sigma_is_that_of_all_rows_and_tau_that_of_events_with_many():
    """60 events of 12 rows and 300 of one, whose records scatter more."""
    rng = np.random.default_rng(8)
    event = np.concatenate([np.repeat(np.arange(60), 12), 60 + np.arange(300)])
    more = np.where(event < 60, 0.5, 0.9)
    of_event = rng.normal(0, 0.4, 360)
    residual = of_event[event] + more * rng.normal(size=len(event))
    c = {"mag": np.full(len(event), 5.0), "rrup": np.full(len(event), 30.0)}
    _, found, _ = variability.observed(c, event, residual[:, None], event < 60)
    assert found.tau[0] == pytest.approx(of_event[:60].std(), rel=0.1)
    assert np.hypot(found.tau[0], found.phi[0]) == pytest.approx(residual.std(), rel=1e-6)


def test_standard_errors_of_means_know_events():
    """Equal rows of an event are one: as many independent rows as there are events."""
    one = np.random.default_rng(9).normal(size=50)
    mean, error = figures.mean_and_error(np.repeat(one, 7), np.repeat(np.arange(50), 7))
    assert mean == pytest.approx(one.mean())
    assert error == pytest.approx(one.std() / np.sqrt(50))


def test_medians_are_those_of_the_four_models():
    """12 cells: within a factor of 1.5, 1.2 on average, M 7.5 no further than M 6."""
    at = published.cells((6.0, 7.5), (5.0, 30.0, 120.0), (300.0, 760.0), (8.0,))
    ours = drawn(load_model("stochastic", "cpu"), at.scenarios(), IMTS, pairs=12, seed=2)[0]
    ln = ours.mean(axis=1) - published.four(at, IMTS).mean(axis=0)
    assert np.exp(np.abs(ln).max()) < 1.5
    assert np.exp(np.abs(ln).mean()) < 1.2
    for mag in (6.0, 7.5):
        assert np.exp(np.abs(ln[at.mag == mag].mean())) < 1.15


def test_durations_are_those_of_afshari_and_stewart():
    at = published.cells((5.0, 6.5, 7.5), (5.0, 30.0, 120.0), (400.0,), (8.0,))
    kinds = ("RSD575", "RSD595")
    ours = drawn(load_model("stochastic", "cpu"), at.scenarios(), kinds, pairs=12, seed=3)[0]
    left = ours.mean(axis=1) - published.durations(at, kinds)
    assert np.exp(np.abs(left).max()) < 1.3
    assert np.exp(np.abs(left.mean(axis=0)).max()) < 1.1


@pytest.mark.parametrize("imt", ["SA(0.05)", "SA(0.2)", "SA(1.0)"])
def test_vertical_over_horizontal_is_published(imt):
    at = published.cells((5.5, 7.0), (10.0, 60.0), (400.0,), (8.0,))
    model = load_model("stochastic", "cpu")
    h, v = drawn(model, at.scenarios(), [imt], pairs=12, seed=4, others=("vertical",)).mean(axis=2)
    left = (v - h) - published.bozorgnia_campbell(at, [imt])
    assert np.exp(np.abs(left).max()) < 1.35
    assert np.exp(np.abs(left.mean())) < 1.15
