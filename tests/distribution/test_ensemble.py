from __future__ import annotations

import numpy as np
import pytest

from gwm_hazard import Noise, Scenarios
from gwm_hazard.core.draws import Draws
from gwm_hazard.core.ensemble_noise import Ensemble
from gwm_hazard.distribution.estimate import estimate
from gwm_hazard.distribution.moments import Moments
from gwm_hazard.models.measuring import ln_measures
from tests.toy import ToyModel

IMTS = ["PGV", "CAV", "IA"]
SC = Scenarios(mag=[5.0, 6.5, 7.5], rrup=[30.0, 10.0, 100.0], vs30=[760.0, 300.0, 500.0])


def test_matched_streams_have_exact_moments():
    ensemble = Ensemble(200, seed=5)
    event = ensemble.matched("event", 4, True).astype(float)
    record = ensemble.matched("record", 3, False).astype(float)
    assert event.shape == (200, 4)
    assert record.shape == (200, 3)
    # Two sites share their event.
    assert np.array_equal(event[0::2], event[1::2])
    assert not np.array_equal(record[0::2], record[1::2])
    # All ten numbers of an event: 4 of the event, 3 of each of its sites.
    numbers = np.hstack([event[::2], record[0::2], record[1::2]])
    np.testing.assert_allclose(numbers.mean(axis=0), 0.0, atol=1e-6)
    np.testing.assert_allclose(numbers.T @ numbers / 100, np.eye(10), atol=1e-6)


def test_matching_moves_the_numbers_little():
    ensemble = Ensemble(2000, seed=5)
    plain = ensemble.noise.normal("record", 3)
    matched = ensemble.matched("record", 3, False)
    assert np.corrcoef(plain.ravel(), matched.ravel())[0, 1] > 0.999


def test_long_streams_stay_plain():
    ensemble = Ensemble(40, seed=5)
    assert ensemble.matched("waveform", 3000, False) is None
    got = ensemble.tile(1).normal("waveform", 3000)
    assert np.array_equal(got, ensemble.noise.normal("waveform", 3000))


def test_matching_stops_where_the_events_do_not_carry_it():
    ensemble = Ensemble(40, seed=5)  # 20 events
    assert ensemble.matched("a", 4, True) is not None
    assert ensemble.matched("b", 6, False) is None  # 4 + 2 * 6 = 16 of 20: too many
    assert ensemble.matched("c", 5, True) is not None


@pytest.mark.parametrize("per_event", [True, False])
def test_rows_are_those_of_the_ensemble(per_event):
    ensemble = Ensemble(20, seed=1)
    whole = ensemble.matched("s", 2, per_event)
    noise = ensemble.tile(3)
    assert len(noise) == 60
    rows = np.array([0, 19, 20, 59, 33])
    got = noise.take(rows).take(slice(1, None)).normal("s", 2, per_event=per_event)
    assert np.array_equal(got, whole[rows[1:] % 20])
    assert noise.event.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9] * 3
    assert noise.site.tolist() == [0, 1] * 30


@pytest.mark.parametrize("realizations", [0, 2, 7])
def test_realizations_are_checked(realizations):
    with pytest.raises(ValueError, match=f"realizations = {realizations}: must be an even"):
        Ensemble(realizations, seed=1)


def test_sigma():
    assert Moments(np.zeros(1), np.array([0.3]), np.array([0.4])).sigma[0] == pytest.approx(0.5)


@pytest.mark.parametrize("seed", [1, 2])
def test_estimate_is_exact_for_a_linear_model(toy, seed):
    """Moments are matched, so that the sampling error is that of n against n - 1 draws."""
    draws = 400
    got = estimate(toy, SC, IMTS, Ensemble(draws, seed))
    for column, imt in enumerate(IMTS):
        np.testing.assert_allclose(got.mean[:, column], toy.ln_mean(SC, imt), atol=2e-6)
        np.testing.assert_allclose(got.tau[:, column], toy.ln_tau(imt), rtol=1.5 / draws)
        np.testing.assert_allclose(got.phi[:, column], toy.ln_phi(imt), rtol=1.5 / draws)


@pytest.mark.parametrize(("tau", "phi"), [(0.0, 0.5), (0.5, 0.0), (0.2, 0.9)])
def test_estimate_separates_tau_from_phi(tau, phi):
    got = estimate(ToyModel(tau=tau, phi=phi), SC, ["PGV"], Ensemble(200, 3))
    np.testing.assert_allclose(got.tau, tau, atol=5e-3)
    np.testing.assert_allclose(got.phi, phi, atol=5e-3 if phi else 0.04)


def test_a_model_without_between_event_term():
    toy = ToyModel(tau=0.0, phi=0.6, between_event=False)
    got = estimate(toy, SC, ["PGV"], Ensemble(200, 3))
    assert not got.tau.any()
    np.testing.assert_allclose(got.phi, 0.6, rtol=5e-3)
    np.testing.assert_allclose(got.sigma, 0.6, rtol=5e-3)


def test_scenarios_do_not_move_each_other(toy):
    whole = estimate(toy, SC, IMTS, Ensemble(100, 3))
    part = estimate(toy, SC.take([2]), IMTS, Ensemble(100, 3))
    for name in ("mean", "tau", "phi"):
        np.testing.assert_allclose(
            getattr(part, name)[0], getattr(whole, name)[2], rtol=1e-9, atol=1e-12
        )


def test_plain_draws_agree_within_their_sampling_error(toy):
    events = 4000
    noise = Noise(8, np.repeat(np.arange(events), 2), np.tile([0, 1], events), 0)
    one = SC.take([1])
    ln = ln_measures(toy, Draws(one.repeat(2 * events), noise), ["PGV"]).reshape(events, 2)
    got = estimate(toy, one, ["PGV"], Ensemble(100, 3))
    sigma = float(got.sigma[0, 0])
    # The mean of an event's two sites has the variance tau^2 + phi^2 / 2.
    error = np.sqrt((toy.tau**2 + toy.phi**2 / 2) / events)
    assert ln.mean() == pytest.approx(got.mean[0, 0], abs=4 * error)
    covariance = np.cov(ln.T)
    error = 4 * np.sqrt(2 / events) * sigma**2
    assert covariance[0, 1] == pytest.approx(got.tau[0, 0] ** 2, abs=error)
    assert covariance[0, 0] == pytest.approx(sigma**2, abs=error)


@pytest.mark.parametrize("batch_size", [None, 1, 5])
def test_ln_measures_keeps_the_rows_in_order(toy, batch_size):
    """Records of unequal length are drawn apart; each value must go back to its row."""
    sc = SC.repeat(3)
    noise = Noise(1, np.arange(9), [0, 1, 2] * 3, 4)
    got = ln_measures(toy, Draws(sc, noise), IMTS, batch_size=batch_size)
    scale = toy.tau * noise.normal("event", 1, per_event=True)[:, 0]
    scale = scale + toy.phi * noise.normal("record", 1)[:, 0]
    want = [toy.ln_mean(sc, imt) + (2 if imt == "IA" else 1) * scale for imt in IMTS]
    np.testing.assert_allclose(got, np.stack(want, axis=1), atol=2e-6)


def test_a_silent_waveform_is_an_error_that_names_the_scenario(toy):
    class Silent(ToyModel):
        def draw(self, scenarios, noise):
            return super().draw(scenarios, noise) * (scenarios["mag"] < 7)[:, None, None]

    with pytest.raises(ValueError) as error:
        estimate(Silent(), SC, ["PGV"], Ensemble(4, 1))
    for word in ("'toy'", "PGV = 0", "mag = 7.5", "rrup = 100"):
        assert word in str(error.value)
