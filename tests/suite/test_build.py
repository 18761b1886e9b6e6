"""From contributions to a suite, with a model whose measures are known in closed form."""

import dataclasses

import numpy as np
import pytest

from gwm_hazard.errors import BudgetExceededError
from gwm_hazard.suite.build import (
    DrawingBranch,
    Settings,
    check_consistency,
    make_suite,
    make_target,
    stripe_targets,
)
from gwm_hazard.suite.contributions import Contributions
from gwm_hazard.suite.study import Suite, scaling_power
from tests.toy import ToyModel

#: One amplitude moves all measures of the toy model: they are fully correlated.
IMTS = ("CAV", "IA", "PGV")


def ones(first: str, second: str) -> float:
    return 1.0


@pytest.fixture(scope="module")
def site() -> tuple[Contributions, DrawingBranch]:
    model = ToyModel(a=-1.0)
    conditions = {
        "mag": np.array([5.0, 6.0, 7.0]),
        "rrup": np.array([20.0, 30.0, 50.0]),
        "vs30": np.full(3, 400.0),
    }
    mean = np.stack([model.ln_mean(conditions, imt) for imt in IMTS], axis=1)
    sigma = np.tile([np.hypot(model.ln_tau(i), model.ln_phi(i)) for i in IMTS], (3, 1))
    contributions = Contributions(
        IMTS,
        np.array([0.05, 0.01, 0.004]),
        mean,
        sigma,
        np.inf,
        np.arange(3),
        np.zeros(3, dtype=np.int64),
        conditions,
        ("toy",),
    )
    return contributions, DrawingBranch("toy", model, np.arange(3), conditions)


def asked(**changes: object) -> Settings:
    return dataclasses.replace(
        Settings(imt="PGV", n=10, pool=60, tolerance=0.1, seed=3, budget=20_000),
        **changes,  # type: ignore[arg-type]
    )


def make(site: tuple[Contributions, DrawingBranch], rate: float, settings: Settings) -> Suite:
    c, source = site
    return make_suite(c, source, make_target(c, ones, rate, settings), settings, ones)


@pytest.mark.parametrize("method", ["direct", "walk"])
def test_a_suite_has_the_target(site: tuple[Contributions, DrawingBranch], method: str) -> None:
    suite = make(site, 1e-3, asked(method=method))
    assert len(suite) == 10 and (suite.scale == 1).all()
    # fully correlated: what PGV has to be, the others have to be too, within the band
    assert np.abs(suite.match.mean_error).max() < 0.06
    assert np.abs(suite.ln[:, 2] - np.log(suite.target.level)).max() <= 0.1
    assert len(np.unique(suite.candidates.family[suite.rows])) == 10
    again = make(site, 1e-3, asked(method=method))
    np.testing.assert_array_equal(suite.rows, again.rows)
    assert suite.candidates.keys(suite.rows) == again.candidates.keys(again.rows)


def test_scaled_motions_have_the_level_and_the_cap(
    site: tuple[Contributions, DrawingBranch],
) -> None:
    suite = make(site, 1e-3, asked(max_scale=2.0))
    np.testing.assert_allclose(suite.ln[:, 2], np.log(suite.target.level), atol=1e-9)
    assert (suite.scale <= 2.0).all() and (suite.scale >= 0.5).all()
    assert suite.scale.std() > 0.05
    narrow = make(site, 1e-3, asked(max_scale=1.05, tolerance=0.2))
    assert np.abs(np.log(narrow.scale)).max() <= np.log(1.05)
    assert suite.candidates.draws < make(site, 1e-3, asked()).candidates.draws
    unscaled = suite.candidates.ln[suite.rows]
    np.testing.assert_allclose(suite.ln[:, 1], unscaled[:, 1] + 2 * np.log(suite.scale))
    assert [scaling_power(i) for i in ("RSD595", "IA", "SA(1.0)")] == [0.0, 2.0, 1.0]


def test_uniform_hazard_is_met_on_average(site: tuple[Contributions, DrawingBranch]) -> None:
    """Fully correlated measures: a motion that meets the mean of the spectrum meets all of it."""
    suite = make(site, 1e-3, asked(target="uhs", imt=""))
    assert suite.target.conditioning == "" and len(suite) == 10
    middle = suite.candidates.ln.mean(axis=1)
    assert np.abs(middle - suite.target.mean.mean()).max() <= 0.1
    assert np.abs(suite.match.mean_error).max() < 0.06


def test_stripes_carry_the_hazard(site: tuple[Contributions, DrawingBranch]) -> None:
    c, source = site
    settings = asked(n=12, pool=80, method="walk")
    targets = stripe_targets(c, ones, 2.5e-3, 1e-3, 8, settings)
    assert np.abs([t.rate - 2.5e-3 for t in targets]).min() < 1e-9
    levels = [t.level for t in targets]
    assert (np.diff(levels) > 0).all()
    suites = [make_suite(c, source, t, settings, ones) for t in targets]
    table = check_consistency(c, suites, ("CAV", "PGV"), (1e-2, 3e-3))
    assert list(table["imt"]) == ["CAV", "CAV"]  # the conditioning one is carried in steps
    # a fully correlated measure goes in the same steps: within one of them
    step = np.diff(np.log(levels)).max()
    for imt, level, counted in zip(table["imt"], table["level"], table["counted"], strict=True):
        nearby = c.hazard(imt, level * np.exp([-step, step]))
        assert nearby[1] <= counted <= nearby[0]


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"target": "cms"}, "target = 'cms'"),
        ({"imt": ""}, "name the conditioning measure"),
        ({"n": 1}, "n = 1: a suite has at least 2"),
        ({"pool": 5}, "pool = 5: must be at least twice n = 10"),
        ({"max_scale": 0.5}, "max_scale = 0.5"),
        ({"tolerance": 0.0}, "tolerance = 0"),
    ],
)
def test_settings_that_cannot_be(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        asked(**changes)


def test_what_cannot_be_made_says_what_to_do(site: tuple[Contributions, DrawingBranch]) -> None:
    c, source = site
    with pytest.raises(ValueError, match="stripes of target uhs"):
        stripe_targets(c, ones, 1e-3, 1e-3, 8, asked(target="uhs"))
    with pytest.raises(ValueError, match="stripes = 1"):
        stripe_targets(c, ones, 1e-3, 1e-3, 1, asked())
    with pytest.raises(BudgetExceededError, match=r"raise --budget, widen --tolerance"):
        make(site, 1e-3, asked(budget=200, method="direct"))
    with pytest.raises(ValueError, match="longer return period"):
        make(site, 1.0, asked())
