"""wgan-small, the conditional WGAN-GP that ships with the package."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gwm_hazard import Scenarios, load_model
from gwm_hazard.core.distance import effective_distance_km
from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.models.registry import shipped
from gwm_hazard.openquake.gmm import moments
from gwm_hazard.records.completion import complete

MAG, RRUP = np.repeat([5.0, 6.0, 7.0], 3), np.tile([15.0, 40.0, 100.0], 3)
DRAWS = 40


@pytest.fixture(scope="module")
def drawn():
    model = load_model("wgan-small", "cpu")
    scenarios = Scenarios(mag=MAG, rhypo=effective_distance_km(MAG, RRUP), vs30=400.0)
    acc = model.generate(scenarios, DRAWS, seed=3).acceleration.values
    values = intensity_measures_array(
        acc.reshape(-1, *acc.shape[2:]), model.dt_s, ["PGA", "SA(0.3)", "SA(1.0)", "RSD595"]
    )
    return acc, np.log(values).reshape(len(MAG), DRAWS, -1)


def test_it_ships_small() -> None:
    assert sum(f.stat().st_size for f in shipped()["wgan-small"].iterdir()) < 20e6


def test_medians_and_sigmas_beside_boore_et_al(drawn) -> None:
    """A published model that knows nothing of it: within a factor of two, on average the root."""
    table = pd.DataFrame({"mag": MAG, "rrup": RRUP, "rjb": RRUP, "vs30": 400.0, "rake": 0.0,
                          "hypo_depth": 10.0, "rhypo": RRUP})  # fmt: skip
    found = moments("BooreEtAl2014", complete(table)[0], ["PGA", "SA(0.3)", "SA(1.0)"])
    off = drawn[1][:, :, :3].mean(axis=1) - found.mean
    assert np.abs(off).max() < np.log(2.0)
    assert np.abs(off).mean() < 0.5 * np.log(2.0)
    sigma = drawn[1][:, :, :3].std(axis=1, ddof=1).mean(axis=0)
    np.testing.assert_allclose(sigma, found.sigma.mean(axis=0), rtol=0.35)


def test_motions_begin_at_p_and_last_longer_where_far(drawn) -> None:
    acc, ln = drawn
    before = np.abs(acc[..., : round(4.0 * 50)]).max(axis=(-1, -2))
    assert (before < 0.1 * np.abs(acc).max(axis=(-1, -2))).mean() > 0.95
    duration = ln[:, :, 3].mean(axis=1).reshape(3, 3)
    # beyond M 6 the window of 41 s cuts them
    assert (np.diff(duration[:2], axis=1) > 0).all() and (np.diff(duration, axis=0) > 0).all()


def test_draws_of_a_scenario_are_not_one_motion(drawn) -> None:
    unit = drawn[0][4].reshape(DRAWS, -1)
    unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
    alike = unit @ unit.T - np.eye(DRAWS)
    # the card tells it: a few are nearly the same
    assert np.median(np.abs(alike)) < 0.25 and np.abs(alike).max() < 0.95
