from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gwm_hazard.distribution.file import read_surface, write_surface
from gwm_hazard.distribution.mixing import mix, uniform_points
from gwm_hazard.distribution.moments import Moments
from gwm_hazard.distribution.shape import Shape
from gwm_hazard.distribution.surface import Axis
from gwm_hazard.errors import SurfaceError
from tests.distribution.test_surface import GRID, IMTS, make, scenarios


def test_points_integrate_polynomials_over_the_prior() -> None:
    x, w = uniform_points(2.0, 6.0)
    assert w.sum() == pytest.approx(1.0)
    for k in range(10):
        expected = (6.0 ** (k + 1) - 2.0 ** (k + 1)) / (k + 1) / 4.0
        assert w @ x**k == pytest.approx(expected)


def test_mixture_of_draws() -> None:
    """Against draws: parts with their own mean, tau, phi, and a skewed third."""
    rng = np.random.default_rng(6)
    n, weights = 400_000, np.array([0.2, 0.5, 0.3])
    mean, tau, phi = (
        np.array([0.0, 1.0, -0.5]),
        np.array([0.3, 0.5, 0.4]),
        np.array([0.6, 0.4, 0.7]),
    )
    part = rng.choice(3, n, p=weights)
    event = mean[part] + tau[part] * rng.normal(size=n)
    sites = event[:, None] + phi[part][:, None] * rng.normal(size=(n, 2))
    columns = [v[:, None] for v in (mean, tau, phi)]
    got, shape = mix(Moments(*columns), Shape(np.zeros((3, 1)), np.zeros((3, 1))), weights)
    assert got.mean[0] == pytest.approx(sites.mean(), abs=0.01)
    assert got.tau[0] ** 2 == pytest.approx(np.cov(sites.T)[0, 1], rel=0.02)
    assert got.sigma[0] == pytest.approx(sites.std(), rel=0.01)
    assert shape is not None
    assert shape.skewness[0] == pytest.approx(stats.skew(sites[:, 0]), abs=0.02)
    assert shape.kurtosis[0] == pytest.approx(stats.kurtosis(sites[:, 0]), abs=0.03)


def test_one_part_is_itself() -> None:
    moments = Moments(*(np.array([[v]]) for v in (0.3, 0.4, 0.5)))
    got, shape = mix(moments, Shape(np.array([[0.2]]), np.array([[-0.3]])), np.ones(1))
    assert (got.mean[0], got.tau[0], got.phi[0]) == pytest.approx((0.3, 0.4, 0.5))
    assert shape is not None
    assert (shape.skewness[0], shape.kurtosis[0]) == pytest.approx((0.2, -0.3))


def test_a_fixed_condition_leaves_the_surface_at_that_value() -> None:
    surface = make()
    fixed = surface.marginal("vs30", np.array([520.0]), np.ones(1))
    assert [a.name for a in fixed.axes] == ["mag", "rrup"]
    sc = scenarios(20)
    at = {k: sc[k] for k in ("mag", "rrup")}
    want = surface(at | {"vs30": np.full(20, 520.0)}, IMTS)
    got = fixed(at, IMTS)
    for name in ("mean", "tau", "phi"):
        np.testing.assert_allclose(getattr(got, name), getattr(want, name), atol=2e-6)


def test_marginal_is_the_mixture_of_the_surface() -> None:
    surface = make()
    values, weights = uniform_points(150.0, 1500.0)
    got = surface.marginal("vs30", values, weights)
    node = {"mag": np.array([5.0]), "rrup": np.array([10.0])}
    parts = [surface(node | {"vs30": np.array([v])}, IMTS) for v in values]
    stacked = Moments(*(np.stack([getattr(p, k) for p in parts]) for k in ("mean", "tau", "phi")))
    want, _ = mix(stacked, None, weights)
    for name in ("mean", "tau", "phi"):
        np.testing.assert_allclose(getattr(got(node, IMTS), name), getattr(want, name), atol=1e-5)


def test_marginal_refuses_what_is_not_there() -> None:
    with pytest.raises(SurfaceError, match=r"no axis 'rake': it has mag, rrup, vs30"):
        make().marginal("rake", np.zeros(1), np.ones(1))
    with pytest.raises(SurfaceError, match=r"vs30: the surface holds 150 to 1500"):
        make().marginal("vs30", np.array([2000.0]), np.ones(1))


def test_shape_travels_with_the_surface(tmp_path) -> None:
    flat = [np.full((*GRID["mag"].shape, len(IMTS)), v) for v in (0.1, 0.4, 0.5)]
    surface = make(flat)
    surface.skewness = np.full_like(surface.mean, 0.25)
    surface.kurtosis = np.full_like(surface.mean, -0.5)
    from tests.toy import ToyModel

    loaded = read_surface(write_surface(surface, tmp_path / "s.h5", ToyModel().card))
    got = loaded.shape(scenarios(7), ("PGA", "SA(0.2)"))
    np.testing.assert_allclose(got.skewness, 0.25, rtol=1e-6)
    np.testing.assert_allclose(got.kurtosis, -0.5, rtol=1e-6)
    assert loaded.card == ToyModel().card


def test_a_surface_of_moments_has_no_shape() -> None:
    with pytest.raises(SurfaceError, match=r"no skewness and kurtosis.*lognormal"):
        make().shape(scenarios(2), ("PGA",))


@pytest.mark.parametrize(("name", "value"), [("mag", 8.01), ("rrup", 0.9), ("vs30", np.nan)])
def test_nothing_is_extrapolated(name: str, value: float) -> None:
    sc = scenarios(3)
    sc[name][1] = value
    with pytest.raises(SurfaceError, match=rf"{name} = {value:g} is outside the surface"):
        make()(sc, ("PGA",))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"scale": "logarithmic"}, "scale = 'logarithmic', must be one of linear, log"),
        ({"interpolation": "spline"}, "interpolation = 'spline', must be one of linear, cubic"),
    ],
)
def test_axis_refuses_unknown_words(arguments: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Axis("mag", (4.0, 5.0), **arguments)


def test_a_log_axis_needs_positive_values() -> None:
    with pytest.raises(ValueError, match=r"hypo_depth: a value of 0 has no logarithm"):
        Axis("hypo_depth", (0.0, 10.0), "log")
