"""Distances of samples against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.linalg

from gwm_hazard.statistics.frechet import frechet_diagonal, frechet_gaussian, frechet_samples
from gwm_hazard.statistics.splits import halves_by_event
from gwm_hazard.statistics.two_samples import discriminant_accuracy


def test_one_dimension_in_closed_form() -> None:
    assert frechet_gaussian([1.0], [[4.0]], [3.0], [[9.0]]) == pytest.approx(4.0 + (2 - 3) ** 2)


def test_commuting_covariances_in_closed_form() -> None:
    mean, a, b = np.array([1.0, -2.0, 0.5]), np.diag([1.0, 4.0, 9.0]), np.diag([4.0, 1.0, 16.0])
    expected = (mean**2).sum() + ((np.sqrt(np.diag(a)) - np.sqrt(np.diag(b))) ** 2).sum()
    assert frechet_gaussian(mean, a, np.zeros(3), b) == pytest.approx(expected)


def test_general_covariances_against_scipy_square_root() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 20)), rng.normal(size=(8, 20))
    a, b = x @ x.T / 20, y @ y.T / 20
    expected = np.trace(a + b - 2 * np.real(scipy.linalg.sqrtm(a @ b)))
    assert frechet_gaussian(np.zeros(8), a, np.zeros(8), b) == pytest.approx(expected, rel=1e-6)


def test_distance_is_zero_to_itself_and_symmetric() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(50, 80)), rng.normal(0.3, 1.2, (60, 80))  # fewer rows than columns
    assert frechet_samples(x, x) == pytest.approx(0.0, abs=1e-6)
    assert frechet_samples(x, y) == pytest.approx(frechet_samples(y, x), rel=1e-6)


def test_not_a_covariance() -> None:
    with pytest.raises(ValueError, match="positive semidefinite"):
        frechet_gaussian([0, 0], np.diag([1.0, -1.0]), [0, 0], np.eye(2))


def test_diagonal_distance_of_large_samples() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal([0.0, 1.0], [1.0, 2.0], (40000, 2))
    y = rng.normal([0.5, 1.0], [1.0, 3.0], (40000, 2))
    y[::2, 0] = np.nan
    assert frechet_diagonal(x, y) == pytest.approx((0.25 + 1.0) / 2, rel=0.05)
    assert frechet_diagonal(x[:, :1], np.full((5, 1), np.nan)) != frechet_diagonal(x, y)


def test_discriminant_reaches_the_bayes_accuracy() -> None:
    from scipy.stats import norm

    rng = np.random.default_rng(3)
    shift = np.array([1.0, 0.0, 0.0])
    x, y = rng.normal(size=(4000, 3)), rng.normal(size=(4000, 3)) + shift
    events = np.arange(4000) % 50
    assert discriminant_accuracy(x, y, events, events) == pytest.approx(norm.cdf(0.5), abs=0.02)
    assert discriminant_accuracy(x, x[::-1], events, events) == pytest.approx(0.5, abs=0.02)


def test_halves_share_no_event() -> None:
    event = np.random.default_rng(4).integers(0, 30, 400)
    for half in halves_by_event(event, 5, seed=1):
        assert not set(event[half]) & set(event[~half])
        assert abs(half.sum() - 200) < 40
    same = halves_by_event(event, 5, seed=1)
    assert np.array_equal(same, halves_by_event(event.astype(str), 5, seed=1))
    with pytest.raises(ValueError, match="at least 2"):
        halves_by_event(["a", "a"], 1, 0)
