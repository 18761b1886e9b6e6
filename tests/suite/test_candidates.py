"""Candidates: in the band, drawn again from their keys, clear errors."""

import numpy as np
import pytest

from gwm_hazard.core.noise import noise_from_text
from gwm_hazard.errors import BudgetExceededError
from gwm_hazard.suite import candidates
from gwm_hazard.suite.candidates import Proposal, draw, measured
from gwm_hazard.suite.search import Search
from tests.toy import ToyModel

IMTS = ("PGA", "SA(0.5)")


def proposal() -> Proposal:
    conditions = {
        "mag": np.array([5.0, 6.0, 7.0]),
        "rrup": np.array([20.0, 30.0, 50.0]),
        "vs30": np.full(3, 400.0),
    }
    rate = np.array([0.02, 0.005, 0.001])
    mean = ToyModel().ln_amplitude(conditions) - np.log(9.80665 * np.sqrt(2.0))
    return Proposal(conditions, rate, np.ones(3), mean, np.full(3, np.hypot(0.4, 0.6)))


def search(wanted: int, seed: int = 1, budget: int = 20_000) -> Search:
    return Search(wanted, seed, tolerance=0.1, budget=budget)


def asked(level: float = 0.05) -> dict:
    return {"conditioning": "PGA", "level": level}


@pytest.mark.parametrize("method", candidates.METHODS)
def test_candidates_lie_in_the_band_and_are_drawn_again_from_their_keys(method: str) -> None:
    model = ToyModel()
    got = draw(model, proposal(), IMTS, search(10, 7), method=method, **asked())
    assert len(got) >= 10 and got.kept >= len(got)
    assert np.abs(got.ln[:, 0] - np.log(0.05)).max() <= 0.1 + 1e-6
    rows = np.array([len(got) - 1, 0])
    for noise in (got.noise(rows), noise_from_text(got.keys(rows))):
        again = measured(model, proposal(), got.rupture[rows], noise, IMTS, "RotD50")
        np.testing.assert_allclose(again, got.ln[rows], rtol=1e-6)
    fewer = draw(model, proposal(), IMTS, search(3, 7), method=method, **asked())
    every = np.arange(len(fewer))
    assert fewer.keys(every) == got.keys(every)
    np.testing.assert_array_equal(fewer.rupture, got.rupture[every])


def test_without_conditioning_every_draw_is_kept() -> None:
    rates = Proposal(proposal().conditions, proposal().rate, None)
    got = draw(ToyModel(), rates, IMTS, search(600))
    assert len(got) == got.draws == got.kept == 600
    share = np.bincount(got.rupture, minlength=3) / 600
    np.testing.assert_allclose(share, rates.rate / rates.rate.sum(), atol=0.06)


@pytest.mark.parametrize("method", candidates.METHODS)
def test_a_budget_that_does_not_do_says_what_to_do(method: str) -> None:
    with pytest.raises(BudgetExceededError, match=r"no motion reached PGA = 1e\+04.*larger poe"):
        draw(ToyModel(), proposal(), IMTS, search(5, 1, 2000), method=method, **asked(1e4))
    with pytest.raises(BudgetExceededError, match=r"candidates after \d+ draws: raise --budget"):
        draw(ToyModel(), proposal(), IMTS, search(5000, 1, 2500), method=method, **asked())


@pytest.mark.parametrize("method", candidates.METHODS)
def test_a_level_that_no_rupture_reaches_is_named(method: str) -> None:
    p = proposal()
    nowhere = Proposal(p.conditions, p.rate, np.zeros(3), p.mean, p.sigma)
    with pytest.raises(
        BudgetExceededError, match=r"no rupture of the branch reaches PGA = 0\.05; take"
    ):
        draw(ToyModel(), nowhere, IMTS, search(5), method=method, **asked())


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match="method = 'run': must be one of direct, walk"):
        draw(ToyModel(), proposal(), IMTS, search(5), method="run", **asked())
    with pytest.raises(ValueError, match="wanted = 0"):
        draw(ToyModel(), proposal(), IMTS, search(0), **asked())
    with pytest.raises(ValueError, match=r"conditioning = 'PGV': must be one of PGA, SA\(0.5\)"):
        draw(ToyModel(), proposal(), IMTS, search(5), **asked() | {"conditioning": "PGV"})
    plain = Proposal(proposal().conditions, proposal().rate, np.ones(3))
    with pytest.raises(ValueError, match=r"'walk': the proposal must have .* mean and sigma"):
        draw(ToyModel(), plain, IMTS, search(5), method="walk", **asked())
