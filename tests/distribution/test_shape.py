from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from gwm_hazard.distribution.shape import (
    LEAST_VARIANCE,
    Shape,
    exceedance,
    pooled_shape,
    sample_shape,
)


def one(skewness: float, kurtosis: float) -> Shape:
    return Shape(np.array([[skewness]]), np.array([[kurtosis]]))


def moments_of_mixture(shape: Shape) -> tuple[float, float, float, float]:
    """Mean, variance, skewness and excess kurtosis by numerical integration."""
    offset, spread = (x[:, 0, 0] for x in shape.components())

    def density(x: float) -> float:
        return float(stats.norm.pdf(x, offset, spread).mean())

    raw = [
        integrate.quad(lambda x, k=k: x**k * density(x), -12, 12, limit=200, points=list(offset))[0]
        for k in (1, 2, 3, 4)
    ]
    return raw[0], raw[1], raw[2], raw[3] - 3.0


@pytest.mark.parametrize(
    ("skewness", "kurtosis"),
    [(0.0, 0.0), (0.2, 0.1), (-0.3, 0.4), (0.0, 0.48), (0.0, -0.6), (0.5, -0.2), (1e-7, 0.3),
     (0.144, 0.209), (-0.177, -0.652), (1.0, 1.0)],
)  # fmt: skip
def test_mixture_has_the_moments(skewness: float, kurtosis: float) -> None:
    got = moments_of_mixture(one(skewness, kurtosis))
    np.testing.assert_allclose(got, (0.0, 1.0, skewness, kurtosis), atol=1e-6)


@given(st.floats(-3, 3), st.floats(-2, 10))
def test_any_moments_give_a_mixture_of_unit_variance(skewness: float, kurtosis: float) -> None:
    offset, spread = one(skewness, kurtosis).components()
    assert offset.sum() == pytest.approx(0.0, abs=1e-12)
    assert (offset**2 + spread**2).mean() == pytest.approx(1.0, abs=1e-9)
    assert (spread**2 >= LEAST_VARIANCE - 1e-9).all()


@pytest.mark.parametrize("kurtosis", [0.3, -0.3])
def test_mixture_is_continuous_where_the_skewness_vanishes(kurtosis: float) -> None:
    z = np.linspace(-4, 4, 41)
    values = [
        exceedance(z, Shape(np.full(41, g), np.full(41, kurtosis))) for g in (-1e-5, 0.0, 1e-5)
    ]
    np.testing.assert_allclose(values[0], values[1], atol=1e-4)
    np.testing.assert_allclose(values[2], values[1], atol=1e-4)


@pytest.mark.parametrize("truncation", [0.5, 2.0, 3.0, 6.0])
def test_a_normal_is_truncated_as_scipy_truncates_it(truncation: float) -> None:
    z = np.linspace(-8.0, 8.0, 161)
    zero = np.zeros_like(z)
    expected = stats.truncnorm.sf(z, -truncation, truncation)
    np.testing.assert_allclose(exceedance(z, Shape(zero, zero), truncation), expected, atol=1e-12)


def test_ends_of_truncation() -> None:
    z = np.array([-1.0, -0.01, 0.01, 1.0])
    zero = Shape(np.zeros(4), np.zeros(4))
    # 99 is OpenQuake's "no truncation", 1E-9 what it makes of truncation_level = 0.
    np.testing.assert_allclose(exceedance(z, zero, 99.0), stats.norm.sf(z), rtol=1e-12)
    np.testing.assert_allclose(exceedance(z, zero, 1e-9), [1.0, 1.0, 0.0, 0.0])


def test_components_are_truncated_apart() -> None:
    shape = one(0.5, -0.2)
    offset, spread = shape.components()
    ends = (offset + 2.0 * spread)[:, 0, 0]
    z = np.array([[ends.max() + 1e-9]])
    assert exceedance(z, shape, 2.0)[0, 0] == 0.0
    assert exceedance(z - 1e-2, shape, 2.0)[0, 0] > 0.0
    low = np.array([[(offset - 2.0 * spread).min() - 1e-9]])
    assert exceedance(low, shape, 2.0)[0, 0] == 1.0


@pytest.mark.parametrize(
    "law",
    [stats.gamma(20.0), stats.skewnorm(2.0), stats.t(12), stats.uniform(), stats.beta(3.0, 5.0)],
    ids=["gamma", "skewnorm", "t", "uniform", "beta"],
)
def test_exceedance_of_other_laws(law: object) -> None:
    """Nearer to the truth than a normal where draws are: from 1 to 2.5 standard deviations."""
    mean, variance, skewness, kurtosis = (float(v) for v in law.stats("mvsk"))
    z = np.linspace(1.0, 2.5, 16)
    truth = law.sf(mean + z * np.sqrt(variance))
    got = exceedance(z, Shape(np.full(16, skewness), np.full(16, kurtosis)))
    ours, normal = (np.abs(x - truth).max() for x in (got, stats.norm.sf(z)))
    assert ours < 0.6 * normal
    assert ours < 0.035  # of the uniform; of the others 0.008


def test_sample_shape_is_unbiased_for_normals() -> None:
    rng = np.random.default_rng(4)
    got = sample_shape(rng.normal(size=(4000, 30, 1)))
    # Standard errors of the mean of 4000: sqrt(6/30/4000), sqrt(24/30/4000) and a little.
    assert abs(got.skewness.mean()) < 4 * np.sqrt(6 / 30 / 4000)
    assert abs(got.kurtosis.mean()) < 6 * np.sqrt(24 / 30 / 4000)


def test_draws_that_are_all_the_same_have_the_shape_of_a_normal() -> None:
    got = sample_shape(np.full((2, 10, 1), 3.7))
    assert not got.skewness.any() and not got.kurtosis.any()


def test_pooling_finds_the_degree_and_the_function() -> None:
    rng = np.random.default_rng(5)
    x = rng.uniform(-1, 1, (200, 2))
    at = rng.uniform(-1, 1, (50, 2))

    def functions(p: np.ndarray) -> np.ndarray:
        return np.stack([np.full(len(p), 0.3), 0.5 * p[:, 0], p[:, 0] ** 2 - 0.4 * p[:, 1]], axis=1)

    noise = rng.normal(scale=0.15, size=(2, 200, 3))
    sample = Shape(functions(x) + noise[0], functions(x) + noise[1])
    pooled, degrees = pooled_shape(x, sample, at)
    assert degrees.shape == (2, 3) and (degrees >= [0, 1, 2]).all()
    for values in (pooled.skewness, pooled.kurtosis):
        # The noise of 200 scenarios is pooled: 0.15 falls to 0.15 sqrt(6 / 200) and less.
        assert np.sqrt(((values - functions(at)) ** 2).mean()) < 0.04


def test_few_scenarios_give_one_value() -> None:
    x = np.linspace(-1, 1, 3)[:, None]
    sample = Shape(np.array([[0.1], [0.2], [0.3]]), np.zeros((3, 1)))
    pooled, degrees = pooled_shape(x, sample, x)
    assert not degrees.any()
    np.testing.assert_allclose(pooled.skewness, 0.2)


def test_a_pooled_kurtosis_is_one_that_a_distribution_can_have():
    """A cubic through few scenarios falls far below -2 between and beyond them."""
    x = np.linspace(-1.0, 1.0, 24)[:, None]
    sample = Shape(1.2 * x**3, 4.0 * x**3 - 1.9)
    pooled, degrees = pooled_shape(x, sample, np.linspace(-1.2, 1.2, 7)[:, None])
    assert degrees[1, 0] == 3
    assert (pooled.kurtosis >= pooled.skewness**2 - 2.0).all()
    assert pooled.kurtosis[-1, 0] > 4.0  # elsewhere it is as it was fitted
