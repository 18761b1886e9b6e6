"""Correlations: published ones against other sources, measured ones against closed forms."""

import numpy as np
import pytest

from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.models.registry import load_model
from gwm_hazard.suite.correlation import controlling, measured
from gwm_hazard.suite.target import correlation_matrix
from tests.toy import PULSE_SAMPLES, ToyModel


class TwoNumbers(ToyModel):
    """A pulse whose ln amplitude x and ln length y are correlated normals.

    ln PGA is x and a constant, ln CAV is x + y and a constant.
    """

    rho = -0.6

    def npts(self, scenarios):
        return np.full(len(scenarios), 4 * PULSE_SAMPLES)

    def draw(self, scenarios, noise):
        import torch

        z = noise.normal("record", 2).astype(float)
        x = 0.5 * z[:, 0] + self.ln_amplitude(scenarios)
        y = 0.4 * (self.rho * z[:, 0] + np.sqrt(1 - self.rho**2) * z[:, 1])
        t = np.arange(4 * PULSE_SAMPLES)[None, :]
        length = 1.0 * PULSE_SAMPLES * np.exp(y)[:, None]
        shape = np.where(t < length, np.sin(np.pi * t / length) ** 2, 0.0)
        out = np.zeros((len(z), 3, t.size))
        out[:, 0] = np.exp(x)[:, None] * shape
        return torch.as_tensor(out, dtype=torch.float32)


def scenarios() -> Scenarios:
    return Scenarios(mag=[5.0, 6.0, 7.0], rrup=[10.0, 30.0, 100.0], vs30=400.0)


def test_measured_is_the_correlation_of_what_the_model_draws() -> None:
    got = measured(TwoNumbers(), scenarios(), ("PGA", "CAV"), draws=1000, seed=3)
    # cov(x, x + y) over sigmas, x = N(0, 0.5), y = N(0, 0.4), correlated by rho
    sigma = np.sqrt(0.5**2 + 0.4**2 + 2 * TwoNumbers.rho * 0.5 * 0.4)
    expected = (0.5**2 + TwoNumbers.rho * 0.5 * 0.4) / (0.5 * sigma)
    error = got.standard_error[0, 1]
    assert got.draws == 3000 and got.scenarios == 3
    assert error == pytest.approx((1 - expected**2) / np.sqrt(2997), rel=0.1)
    assert got("PGA", "CAV") == got("CAV", "PGA") == pytest.approx(expected, abs=3.5 * error)
    assert got("PGA", "PGA") == 1.0


def test_scenarios_that_differ_in_the_mean_add_no_correlation() -> None:
    """Residuals are about the mean of each scenario: distance does not make durations correlate."""
    one = Scenarios(mag=6.0, rrup=30.0, vs30=400.0)
    apart = measured(TwoNumbers(), scenarios(), ("PGA", "CAV"), 400, 1)("PGA", "CAV")
    single = measured(TwoNumbers(), one, ("PGA", "CAV"), 1200, 1)("PGA", "CAV")
    assert apart == pytest.approx(single, abs=0.12)
    assert apart < 0.75


def test_measured_depends_neither_on_batches_nor_on_the_seed_beyond_its_error() -> None:
    model, imts = load_model("stochastic", "cpu"), ("PGA", "SA(1.0)", "RSD595")
    where = Scenarios(mag=[6.0, 7.0], rrup=[20.0, 50.0], vs30=400.0, hypo_depth=10.0)
    got = measured(model, where, imts, 30, 1)
    small = measured(model, where, imts, 30, 1, batch_size=7)
    np.testing.assert_allclose(small.matrix, got.matrix, atol=1e-5)
    other = measured(model, where, imts, 30, 2)
    assert np.abs(other.matrix - got.matrix).max() > 1e-3
    error = np.hypot(other.standard_error, got.standard_error)
    assert (np.abs(other.matrix - got.matrix) <= 4 * error + 1e-12).all()
    assert np.linalg.eigvalsh(correlation_matrix(imts, got))[0] > -1e-12


def test_errors_say_what_to_do() -> None:
    toy = ToyModel()
    got = measured(toy, scenarios(), ("PGA", "PGV"), 5)
    with pytest.raises(ValueError, match=r"'IA': the correlation of model 'toy' was measured for "):
        got("PGA", "IA")
    with pytest.raises(ValueError, match=r"RSD595.*all 5 draws of model 'toy' have the same value"):
        measured(toy, scenarios(), ("PGA", "RSD595"), 5)
    with pytest.raises(ValueError, match="draws = 1: at least 2"):
        measured(toy, scenarios(), ("PGA",), 1)
    with pytest.raises(ValueError, match="each measure once"):
        measured(toy, scenarios(), ("PGA", "PGA"), 5)


def test_controlling_rows_stand_for_their_weights() -> None:
    weight = np.array([0.0, 3.0, 1.0, 0.0, 6.0])
    np.testing.assert_array_equal(np.bincount(controlling(weight, 10), minlength=5), weight)
    np.testing.assert_array_equal(controlling(weight, 1), [4])
    with pytest.raises(ValueError, match="must not be negative"):
        controlling(-weight, 3)
