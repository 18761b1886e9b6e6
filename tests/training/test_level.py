"""The fit of a level to observed records."""

from __future__ import annotations

import numpy as np
import pytest

from gwm_hazard.models.highfem.level import POINTS, design
from gwm_hazard.models.registry import load_model
from gwm_hazard.training.config import TrainingConfig
from gwm_hazard.training.level import Sample, correction_lines, corrections, fit_level, prior_of
from gwm_hazard.training.tuning import fine_tune


def made_up(events: int, seed: int, change: float) -> Sample:
    """Records of known medians and covariances: ten an event."""
    rng = np.random.default_rng(seed)
    event = np.repeat(np.arange(events), 10)
    n = len(event)
    told = {
        "mag": rng.uniform(4, 8, events)[event], "rhypo": rng.uniform(5, 150, n),
        "vs30": rng.uniform(200, 1200, n), "hypo_depth": rng.uniform(0, 40, events)[event],
    }  # fmt: skip
    x = design(told)
    mean = told["mag"][:, None] - np.log(told["rhypo"])[:, None] + np.zeros(POINTS)
    mean = mean + change + 0.3 * rng.normal(size=(events, 1))[event] + 0.5 * rng.normal(size=(n, 1))
    half, ratio = 0.2 * rng.normal(size=(n, 1)), -0.5 + 0.3 * rng.normal(size=(n, 1))
    middle = mean - 0.5 * np.log(np.cosh(2.0 * half))
    return Sample(x, np.stack([middle + half, middle - half, mean + ratio], axis=1), event)


def test_medians_and_covariances_of_records_are_found():
    prior = prior_of(made_up(400, 1, 0.0))
    seen = made_up(150, 2, 0.4)
    seen.level[:600, 2] = np.nan  # no vertical
    seen.level[:200, :, :3] = np.nan  # a high-pass
    found = fit_level(seen, prior)
    off = seen.mean - seen.x @ found.mean
    assert np.abs(np.nanmean(off, axis=0)).max() < 0.06
    assert abs(np.nanmean(seen.mean - seen.x @ prior.mean) - 0.4) < 0.1
    for root, sd in ((found.event, 0.3), (found.record, 0.5), (found.own, 0.2), (found.rest, 0.3)):
        covariance = root @ root.T
        np.testing.assert_allclose(np.sqrt(covariance.diagonal()), sd, atol=0.07)
        assert covariance[0, -1] > 0.8 * sd**2  # frequencies go together here
    np.testing.assert_allclose(np.nanmean(seen.x @ found.vertical), -0.5, atol=0.03)


def test_few_records_change_little():
    seen = made_up(1, 3, 1.0)
    few = Sample(seen.x[:1], seen.level[:1], seen.event[:1])
    change = few.x @ corrections(few, np.full((1, POINTS), 1.0))
    assert 0.1 < change.mean() < 0.6  # a residual of 1 with a standard deviation of 0.6, prior 0.4


def test_corrections_are_lines():
    mag = np.array([4.5, 5.5, 7.5])
    told = {"mag": mag, "rhypo": np.full(3, 30.0), "vs30": np.full(3, 500.0),
            "hypo_depth": np.full(3, 10.0)}  # fmt: skip
    values = design(told) @ correction_lines()
    np.testing.assert_allclose(values[:, 1], mag - 6.0, atol=0.02)
    np.testing.assert_allclose(values[:, 0], 1.0, atol=1e-6)
    np.testing.assert_allclose(values[:, 2], np.log(30.0) - 4.0, atol=0.1)


def test_a_tuned_model_has_the_level_of_records(tmp_path, tiny, training_set):
    text = (
        f"[data]\nfolder = '{training_set}'\n[tuning]\nrank = 2\nparts = ['baseline']\n"
        "[tuning.baseline]\nsteps = 2\nbatch = 4\ncheck = 1\n"
        f"[level]\nrecords = '{training_set}'\nprior = 64\nadjusted = 8\n"
        "[machine]\naccelerator = 'cpu'\n"
    )
    path = tmp_path / "tune.toml"
    path.write_text(text)
    model = load_model(
        fine_tune(TrainingConfig.read(path), tiny / "model", tmp_path / "run"), "cpu"
    )
    assert model.level is not None and model.card.between_event
    with pytest.raises(ValueError, match="level"):
        path.write_text(text.replace("prior = 64", "prior = 'many'"))
        TrainingConfig.read(path)
