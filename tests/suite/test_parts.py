"""Finished suites of a run that was stopped: taken up as they were, and nothing stale."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gwm_hazard.core.noise import Noise
from gwm_hazard.suite.build import DrawingBranch, Settings, make_suite, make_target
from gwm_hazard.suite.contributions import Contributions
from gwm_hazard.suite.parts import FOLDER, Parts, remove
from gwm_hazard.suite.study import Suite
from tests.suite.test_build import asked, ones, site
from tests.toy import ToyModel

__all__ = ["site"]  # the fixture

World = tuple[Contributions, DrawingBranch]


def parts(output: Path, world: World, settings: Settings) -> Parts:
    return Parts(output, *world, ones, settings)


def make(world: World, settings: Settings) -> Suite:
    target = make_target(world[0], ones, 1e-3, settings)
    return make_suite(*world, target, settings, ones)


@pytest.mark.parametrize("method", ("direct", "walk"))
def test_a_suite_comes_back_as_it_was(site: World, method: str, tmp_path: Path) -> None:
    settings = asked(method=method)
    suite = make(site, settings)
    assert parts(tmp_path, site, settings).find(0, suite.target) is None
    parts(tmp_path, site, settings).keep(0, suite)
    back = parts(tmp_path, site, settings).find(0, suite.target)
    assert back is not None
    assert isinstance(back.candidates.source, Noise) == (method == "direct")
    np.testing.assert_array_equal(back.rows, suite.rows)
    np.testing.assert_array_equal(back.ln, suite.ln)
    np.testing.assert_array_equal(back.candidates.family, suite.candidates.family)
    assert back.candidates.draws == suite.candidates.draws
    assert back.candidates.keys(back.rows) == suite.candidates.keys(suite.rows)
    drawn = [
        np.concatenate(
            [
                a[:, 0].ravel()
                for _, a in site[1].model.batches(s.scenarios.take([2, 5]), s.noise.take([2, 5]))
            ]
        )
        for s in (suite, back)
    ]
    np.testing.assert_array_equal(*drawn)
    assert [p.name for p in (tmp_path / FOLDER).iterdir()] == ["suite01.npz"]
    remove(tmp_path)
    assert not list(tmp_path.iterdir())


def test_nothing_stale_is_taken_up(site: World, tmp_path: Path) -> None:
    contributions, source = site
    settings = asked()
    suite = make(site, settings)
    parts(tmp_path, site, settings).keep(0, suite)
    assert parts(tmp_path, site, settings).find(0, suite.target) is not None
    rarer = make_target(contributions, ones, 5e-4, settings)
    others = {
        "number": (site, settings, 1, suite.target),
        "target": (site, settings, 0, rarer),
        "settings": (site, asked(seed=4), 0, suite.target),
        "rates": ((replace(contributions, rate=2 * contributions.rate), source), settings, 0,
                  suite.target),
        "model": ((contributions, replace(source, model=ToyModel(a=-1.1))), settings, 0,
                  suite.target),
        "component": ((contributions, replace(source, component="geometric_mean")), settings, 0,
                      suite.target),
        "site": ((contributions, replace(source, site=1)), settings, 0, suite.target),
        "conditions": (
            (contributions, replace(source, conditions={**source.conditions, "vs30":
                                                        np.full(3, 500.0)})),
            settings, 0, suite.target,
        ),
    }  # fmt: skip
    for what, (world, now, number, target) in others.items():
        assert parts(tmp_path, world, now).find(number, target) is None, what


def test_a_model_that_draws_otherwise_is_found(site: World, tmp_path: Path) -> None:
    """Nothing on its card tells: its motions do."""
    settings, (contributions, source) = asked(), site
    suite = make(site, settings)
    parts(tmp_path, site, settings).keep(0, suite)
    changed = ToyModel(a=-1.01)
    changed.card = source.model.card
    world = contributions, replace(source, model=changed)
    assert parts(tmp_path, world, settings).find(0, suite.target) is None


@pytest.mark.parametrize("damage", (b"", b"PK\x03\x04 no archive", None))
def test_a_damaged_part_is_left_aside(site: World, damage: bytes | None, tmp_path: Path) -> None:
    settings = asked()
    suite = make(site, settings)
    kept = parts(tmp_path, site, settings)
    kept.keep(0, suite)
    path = tmp_path / FOLDER / "suite01.npz"
    path.write_bytes(path.read_bytes()[:2000] if damage is None else damage)
    assert kept.find(0, suite.target) is None
