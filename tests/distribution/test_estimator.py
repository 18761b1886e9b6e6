"""Estimators against a model whose ln IM is known in closed form."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from gwm_hazard.core.card import Range
from gwm_hazard.core.conditioning import Conditioning, conditioning_of
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.distribution import estimator as module
from gwm_hazard.distribution.build import build_surface
from gwm_hazard.distribution.estimator import (
    DirectEstimator,
    Estimator,
    SurfaceEstimator,
    exceedance_at,
    independent_moments,
    pooled_moments,
)
from gwm_hazard.distribution.file import read_surface
from gwm_hazard.distribution.moments import Moments
from gwm_hazard.distribution.surface import Axis
from gwm_hazard.intensity.one_component import component_sigma, ln_rotd50_ratio
from tests.toy import OneHorizontal, ToyModel

SLOPE, GAP = 0.004, (40.0, 280.0)
IMTS = ("PGV", "CAV")
AT = {
    "mag": np.array([5.0, 7.5, 5.0]),
    "rrup": np.array([20.0, 90.0, 20.0]),
    "vs30": np.array([400.0, 760.0, 400.0]),
}
WITH_GAP = AT | {"azimuthal_gap": np.full(3, 100.0)}


class GapModel(ToyModel):
    """The toy, with ln amplitude linear in the azimuthal gap."""

    def __init__(self, **parameters: Any) -> None:
        super().__init__(**parameters)
        conditions = (*self.card.conditions, Range("azimuthal_gap", *GAP))
        self.card = replace(self.card, conditions=conditions)

    def ln_amplitude(self, sc: Any) -> np.ndarray:
        return super().ln_amplitude(sc) + SLOPE * sc["azimuthal_gap"]


@pytest.fixture(scope="module")
def surface_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    axes = (
        Axis("mag", (4.0, 8.0), "linear", "linear"),
        Axis("rrup", (1.0, 300.0), "log", "linear"),
        Axis("vs30", (150.0, 1500.0), "log", "linear"),
        Axis("azimuthal_gap", (40.0, 160.0, 280.0), "linear", "linear"),
    )
    path = tmp_path_factory.mktemp("gap") / "gap.h5"
    build_surface(GapModel(), path, axes=axes, imts=IMTS, realizations=200, held_out=4)
    return path


@pytest.fixture(params=["surface", "direct"])
def make(request: Any, surface_path: Path) -> Any:
    def estimator(given: Conditioning) -> Estimator:
        if request.param == "surface":
            return SurfaceEstimator.of(read_surface(surface_path), given)
        priors = {name: given.ranges[name] for name in given.priors}
        return DirectEstimator(GapModel(), 200, 3, priors)

    return estimator


def test_a_prior_is_mixed_and_its_spread_is_of_the_event(make: Any) -> None:
    """A uniform prior of width w spreads ln IM by slope w / sqrt(12); skewness 0 by symmetry."""
    toy, at = GapModel(), WITH_GAP | {"azimuthal_gap": np.full(3, np.mean(GAP))}
    moments, shape = make(conditioning_of(toy.card))(WITH_GAP, IMTS, True)
    spread = SLOPE * (GAP[1] - GAP[0]) / np.sqrt(12.0)
    for k, imt in enumerate(IMTS):
        np.testing.assert_allclose(moments.mean[:, k], toy.ln_mean(at, imt), atol=1e-5)
        np.testing.assert_allclose(moments.tau[:, k], np.hypot(toy.tau, spread), rtol=0.01)
        np.testing.assert_allclose(moments.phi[:, k], toy.phi, rtol=0.01)
    assert shape is not None and shape.skewness.shape == (3, 2)


def test_a_fixed_condition_has_no_spread(make: Any) -> None:
    toy, at = GapModel(), WITH_GAP | {"azimuthal_gap": np.full(3, 250.0)}
    moments, shape = make(conditioning_of(toy.card, fixed="azimuthal_gap=250"))(at, IMTS)
    assert shape is None
    np.testing.assert_allclose(moments.mean[:, 0], toy.ln_mean(at, "PGV"), atol=1e-5)
    np.testing.assert_allclose(moments.tau, toy.tau, rtol=0.01)


def test_direct_moments_are_exact_for_a_linear_model_whatever_the_chunks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    toy = ToyModel()
    estimator = DirectEstimator(toy, 400, 2)
    whole, _ = estimator(AT, IMTS)
    np.testing.assert_allclose(whole.mean[:, 1], toy.ln_mean(AT, "CAV"), atol=2e-6)
    np.testing.assert_allclose(whole.tau, toy.tau, rtol=1.5 / 400)
    monkeypatch.setattr(module, "CHUNK", 1)
    order = [1, 2, 0]
    turned, _ = estimator({k: v[order] for k, v in AT.items()}, IMTS)
    np.testing.assert_allclose(turned.mean, whole.mean[order], rtol=1e-6)
    np.testing.assert_allclose(turned.phi, whole.phi[order], rtol=1e-6)


def test_the_same_scenario_is_drawn_once() -> None:
    drawn = []

    class Counting(ToyModel):
        def draw(self, scenarios: Scenarios, noise: Noise) -> Any:
            drawn.append(len(scenarios))
            return super().draw(scenarios, noise)

    found, _ = DirectEstimator(Counting(), 10, 1)(AT, IMTS)
    assert sum(drawn) == 2 * 10
    assert (found.mean[0] == found.mean[2]).all()


def test_one_horizontal_becomes_rotd50_in_every_estimator() -> None:
    """RotD50 by the published ratio, phi without the component's own variability."""
    model, imts = OneHorizontal(tau=0.4, phi=0.6), ("PGV",)
    # The component along the motion: sqrt 2 times RotD50 of a linearly polarised motion.
    mean = model.ln_mean(AT, "PGV") + np.log(np.sqrt(2.0)) + ln_rotd50_ratio("PGV")
    phi = np.sqrt(0.6**2 - component_sigma("PGV") ** 2)
    direct, _ = DirectEstimator(model, 400, 2)(AT, imts)
    np.testing.assert_allclose(direct.mean[:, 0], mean, atol=1e-5)
    np.testing.assert_allclose(direct.phi, phi, rtol=0.01)
    scenarios = Scenarios(**AT)
    keys = Noise(5, np.arange(3), 0, 0)
    given = conditioning_of(model.card)
    found = independent_moments(model, scenarios, keys, 1000, imts, given)
    pooled = pooled_moments(model, found, np.zeros(3, np.int64), imts)
    # 1500 events of two sites
    np.testing.assert_allclose(pooled.phi, phi, rtol=4 / np.sqrt(2 * 1500) * (0.6 / phi) ** 2)
    np.testing.assert_allclose(pooled.tau, 0.4, rtol=0.15)
    np.testing.assert_allclose(pooled.mean[:, 0], mean, atol=4 * np.sqrt((0.16 + 0.18) / 500))


def test_independent_draws_are_of_the_scenario_alone() -> None:
    model, given = GapModel(), conditioning_of(GapModel().card)
    scenarios, keys = Scenarios(**WITH_GAP), Noise(5, np.arange(3), [0, 1, 2], 0)
    whole = independent_moments(model, scenarios, keys, 20, IMTS, given)
    part = independent_moments(model, scenarios.take([2]), keys.take([2]), 20, IMTS, given)
    np.testing.assert_allclose(part[:, 0], whole[:, 2], rtol=1e-6)
    assert not np.allclose(whole[0, 0], whole[0, 2])  # the same conditions, other numbers


def test_pooled_moments_by_hand() -> None:
    """Two scenarios of mean squares within 1 and 3 and between 5 and 7: phi^2 2, tau^2 2."""
    found = np.array([[[0.5], [0.7]], [[1.0], [3.0]], [[5.0], [7.0]]])
    together = pooled_moments(ToyModel(), found, np.array([4, 4]), ("PGV",))
    np.testing.assert_allclose(together.phi**2, 2.0)
    np.testing.assert_allclose(together.tau**2, 2.0)
    assert together.mean[:, 0].tolist() == [0.5, 0.7]
    apart = pooled_moments(ToyModel(), found, np.array([4, 5]), ("PGV",))
    np.testing.assert_allclose(apart.phi[:, 0] ** 2, [1.0, 3.0])
    np.testing.assert_allclose(apart.tau[:, 0] ** 2, [2.0, 2.0])
    whole = pooled_moments(ToyModel(between_event=False), found, np.array([4, 4]), ("PGV",))
    assert not whole.tau.any()
    np.testing.assert_allclose(whole.phi**2, 4.0)


def test_exceedance_of_a_lognormal_is_openquakes_truncated_normal() -> None:
    moments = Moments(np.full((1, 1), 0.2), np.full((1, 1), 0.3), np.full((1, 1), 0.4))
    levels = np.array([[-0.3, 0.2, 1.0, 3.0]])
    z = (levels[0] - 0.2) / 0.5
    np.testing.assert_allclose(exceedance_at(moments, None, levels)[0, 0], stats.norm.sf(z))
    np.testing.assert_allclose(
        exceedance_at(moments, None, levels, 3.0)[0, 0], stats.truncnorm.sf(z, -3.0, 3.0),
        atol=1e-15,
    )  # fmt: skip
