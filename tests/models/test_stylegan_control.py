"""Steering of an unconditional generator: the published step, and styles given features."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gwm_hazard.errors import InputError
from gwm_hazard.models.stylegan_eq.control import (
    FEATURES,
    LatentControl,
    ScenarioFeatures,
    entering,
    features,
    leaving,
    published_directions,
    walked,
)


@pytest.fixture(scope="module")
def sample(shared: Path) -> dict[str, Any]:
    with np.load(shared / "reference" / "stylegan_eq" / "walk_sample.npz") as file:
        return {k: file[k] for k in file.files}


def test_features_of_two_bars() -> None:
    image = np.zeros((2, 128, 128))
    image[0, 20:31, 40:52] = 0.5
    image[0, 25, 44] = 1.0
    image[1, 3, 7] = 0.04  # below the threshold: no extent
    found = features(image)
    assert found[0].tolist() == [0.5 * 11 * 12 + 0.5, 25, 44, 10, 11]
    assert found[1, 1:3].tolist() == [3, 7]


def test_directions_are_the_published(sample: Any) -> None:
    made = published_directions(sample["w"], sample["feature"])
    top = np.abs(sample["dn_pca"]).max(axis=1, keepdims=True)
    assert np.allclose(made, sample["dn_pca"], rtol=0, atol=1e-6 * top)
    assert list(sample["feature_names"]) == list(FEATURES)


def test_a_walk_is_one_step() -> None:
    w = walked(np.zeros((2, 3)), [10.0, 20.0], [14.0, 20.0], np.array([1.0, 0.0, -0.5]))
    assert w.tolist() == [[4.0, 0.0, -2.0], [0.0, 0.0, 0.0]]


def of_two_features(n: int, seed: int) -> tuple[Any, Any]:
    """Styles of four numbers; the first two make f_primary and t_primary, which correlate."""
    rng = np.random.default_rng(seed)
    w = rng.standard_normal((n, 4))
    w[:, 1] = 0.8 * w[:, 0] + 0.6 * w[:, 1]
    measured = np.full((n, 5), 9.0)
    measured[:, 1] = 60 + 10 * w[:, 0] + rng.standard_normal(n)
    measured[:, 2] = 34 + 5 * w[:, 1] + 0.5 * rng.standard_normal(n)
    return w, measured


def test_styles_given_features_are_the_conditional_normal_distribution() -> None:
    w, measured = of_two_features(40_000, 1)
    control = LatentControl.fit(w, measured, ("f_primary", "t_primary"))
    normals = np.random.default_rng(2).standard_normal((40_000, 4))
    asked = np.tile([68.0, 31.0], (40_000, 1))
    drawn = control.styles(asked, normals)
    # closed form: f = a w + e
    a, cov = np.diag([10.0, 5.0]), np.array([[1.0, 0.8], [0.8, 1.0]])
    s_ff = a @ cov @ a + np.diag([1.0, 0.25])
    gain = cov @ a @ np.linalg.inv(s_ff)
    mean = gain @ (np.array([68.0, 31.0]) - [60.0, 34.0])
    scatter = cov - gain @ a @ cov
    assert np.allclose(drawn[:, :2].mean(axis=0), mean, atol=0.03)
    assert np.allclose(np.cov(drawn[:, :2].T), scatter, atol=0.01)
    assert np.allclose(np.cov(drawn[:, 2:].T), np.eye(2), atol=0.03)  # the rest is free
    assert np.array_equal(drawn[5:7], control.styles(asked[5:7], normals[5:7]))
    # what lies beyond the measured features is drawn at their ends
    far = control.styles(np.array([[1e4, 31.0]]), normals[:1])
    assert np.allclose(far, control.styles(np.array([[control.high[0], 31.0]]), normals[:1]))


def test_one_feature_leaves_the_other_alone() -> None:
    """The published step for a feature moves what correlates with it; the distribution not."""
    w, measured = of_two_features(20_000, 3)
    control = LatentControl.fit(w, measured, ("f_primary", "t_primary"))
    zero = np.zeros((1, 4))
    low, high = (control.styles(np.array([[f, 34.0]]), zero)[0] for f in (50.0, 70.0))
    moved = walked(zero, [50.0], [70.0], published_directions(w, measured[:, 1:2])[0])[0]
    assert abs(5 * (high - low)[1]) < 0.3  # t_primary, columns
    assert 5 * moved[1] == pytest.approx(8.0, abs=0.4)
    assert 10 * (high - low)[0] == pytest.approx(20.0, abs=1.0)


def test_features_of_scenarios() -> None:
    rng = np.random.default_rng(5)
    columns = {
        "mag": rng.uniform(5, 7, 3000), "rrup": np.exp(rng.uniform(2, 5, 3000)),
        "vs30": np.exp(rng.uniform(5.5, 6.5, 3000)),
    }  # fmt: skip
    made = np.full((3000, 5), 7.0)
    scatter = rng.standard_normal((3000, 2)) * [0.2, 3.0]
    made[:, 0] = np.exp(5 + 0.7 * (columns["mag"] - 6) + scatter[:, 0])
    made[:, 1] = 90 - 8 * np.log(columns["rrup"]) + scatter[:, 1]
    names = ("energy", "f_primary")
    fitted = ScenarioFeatures.fit(columns, made, names)
    assert np.allclose(fitted.coefficients[:, 0], [5, 0.7, 0, 0, 0], atol=0.15)
    assert np.allclose(fitted.coefficients[1:, 1], [0, 0, -8, 0], atol=0.6)
    assert np.allclose(fitted.root, np.diag([0.2, 3.0]), atol=0.15)
    at = [np.array([6.5]), np.array([40.0]), np.array([400.0])]
    middle = fitted.drawn(at, np.zeros((1, 2)))
    assert np.allclose(middle, [[np.exp(5.35), 90 - 8 * np.log(40)]], rtol=0.03)
    values = np.array([[3.0, 50.0]])
    assert np.allclose(leaving(entering(values, names), names), values)


def test_fits_that_cannot_be() -> None:
    w, measured = of_two_features(25, 1)
    with pytest.raises(InputError, match="25 styles"):
        LatentControl.fit(w, measured, ("f_primary", "t_primary"))
    with pytest.raises(InputError, match="'colour'"):
        LatentControl.fit(w, measured, ("colour",))
