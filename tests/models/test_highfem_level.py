"""The level of highfem models: drawn apart from shapes."""

from __future__ import annotations

import numpy as np
import pytest

from gwm_hazard import load_model
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.errors import GwmHazardError
from gwm_hazard.models.highfem.level import (
    COLUMNS,
    GRID_HZ,
    POINTS,
    LevelDistribution,
    design,
)
from gwm_hazard.models.registry import rebuilt, save_model
from gwm_hazard.models.weights import Weights
from gwm_hazard.representation.level import energy_mean, ln_amplitude
from gwm_hazard.training.level import with_level

RNG = np.random.default_rng(2)


def a_level(size: float = 0.1) -> LevelDistribution:
    square = [np.tril(RNG.normal(scale=size / 4, size=(POINTS, POINTS))) for _ in range(4)]
    lines = [RNG.normal(scale=0.05, size=(COLUMNS, POINTS)) for _ in range(2)]
    lines[0][:20] -= 3.0
    return LevelDistribution(lines[0], square[0], square[1], square[2], lines[1], square[3])


def scenarios(n: int) -> Scenarios:
    return Scenarios(
        mag=RNG.uniform(4, 8, n), rhypo=RNG.uniform(3, 200, n), vs30=RNG.uniform(150, 1500, n),
        hypo_depth=RNG.uniform(0, 100, n),
    )  # fmt: skip


def test_draws_have_the_stated_moments():
    level, n = a_level(1.0), 20_000
    one = scenarios(1)
    same = Scenarios(**{k: np.repeat(v, n) for k, v in one.items()})
    event = np.arange(n) // 2
    drawn = level.draw(same, Noise(1, event, np.arange(n) % 2, 0))
    mean = energy_mean(drawn[:, 0], drawn[:, 1])
    wanted = (design(one) @ level.mean)[0]
    total = level.event @ level.event.T + level.record @ level.record.T
    sd = np.sqrt(total.diagonal())
    assert (np.abs(mean.mean(axis=0) - wanted) < 4.0 * sd / np.sqrt(n / 2)).all()
    np.testing.assert_allclose(np.cov(mean.T), total, atol=0.06 * total.max())
    off = (mean - wanted).reshape(-1, 2, POINTS)
    between = off[:, 0].T @ off[:, 1] / len(off)
    np.testing.assert_allclose(between, level.event @ level.event.T, atol=0.06 * total.max())
    half = 0.5 * (drawn[:, 0] - drawn[:, 1])
    own = level.own @ level.own.T
    np.testing.assert_allclose(np.cov(half.T), own, atol=0.06 * own.max())
    ratio = drawn[:, 2] - mean
    rest = level.rest @ level.rest.T
    np.testing.assert_allclose(np.cov(ratio.T), rest, atol=0.06 * rest.max())


def test_a_row_does_not_depend_on_the_others():
    level, sc, noise = a_level(), scenarios(9), Noise(3, np.arange(9), 0, 0)
    all_ = level.draw(sc, noise)
    few = np.array([7, 2])
    np.testing.assert_array_equal(level.draw(sc.take(few), noise.take(few)), all_[few])


@pytest.fixture(scope="module")
def model():
    base = load_model("highfem-small", "cpu")
    return with_level(rebuilt(base, precision="float32", griffin_lim=4, steps=2), a_level())


def test_waveforms_have_the_level_that_was_drawn(model):
    sc, noise = scenarios(2), Noise(5, [1, 1], [0, 1], 0)
    drawn = {int(r): a for rows, acc in model.batches(sc, noise)
             for r, a in zip(rows, acc, strict=True)}  # fmt: skip
    level = model.level.draw(sc, noise)
    for k in range(2):
        found = ln_amplitude(drawn[k].astype(float), model.dt_s, GRID_HZ)
        assert np.abs(found - level[k])[:, 1:].max() < 0.15
        assert np.abs(found - level[k]).mean() < 0.02
    assert model.card.between_event
    assert not any("between-event" in line.lower() for line in model.card.limitations)


def test_a_folder_holds_the_level(model, tmp_path):
    save_model(model, tmp_path / "m")
    again = load_model(tmp_path / "m", "cpu")
    sc, noise = scenarios(3), Noise(5, np.arange(3), 0, 0)
    np.testing.assert_array_equal(again.level.draw(sc, noise), model.level.draw(sc, noise))
    assert again.card.to_dict() == model.card.to_dict()


def test_a_level_that_is_missing_or_of_another_size_is_refused(model):
    tensors = dict(model.weights.tensors)
    tensors["level.mean"] = tensors["level.mean"][:3]
    with pytest.raises(GwmHazardError, match=r"level\.mean"):
        rebuilt(model, weights=Weights.of(tensors))
    with pytest.raises(GwmHazardError, match=r"level\."):
        rebuilt(model, level=False)
