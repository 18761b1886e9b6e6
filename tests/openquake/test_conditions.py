"""From OpenQuake's pairs to conditions: distances of finite ruptures, fixed values, priors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openquake.hazardlib import const
from openquake.hazardlib.contexts import simple_cmaker

from gwm_hazard.core.card import Range
from gwm_hazard.core.distance import effective_distance_km
from gwm_hazard.distribution.build import build_surface
from gwm_hazard.distribution.surface import Axis
from gwm_hazard.openquake import gsim as module
from gwm_hazard.openquake.gsim import GenerativeWaveformGMM, conditions_of
from tests.toy import ToyModel

SLOPE = 0.004
GAP = (40.0, 280.0)


class GapModel(ToyModel):
    """The toy on the distance to a point, with ln amplitude linear in the azimuthal gap."""

    def __init__(self) -> None:
        super().__init__()
        from dataclasses import replace

        self.card = replace(
            self.card,
            conditions=(
                Range("mag", 4.0, 8.0),
                Range("rhypo", 1.0, 300.0),
                Range("vs30", 150.0, 1500.0),
                Range("azimuthal_gap", *GAP),
            ),
        )

    def ln_amplitude(self, sc: Any) -> np.ndarray:
        return super().ln_amplitude(sc) + SLOPE * (sc["azimuthal_gap"] - 100.0)


AXES = (
    Axis("mag", (4.0, 8.0), "linear", "linear"),
    Axis("rhypo", (1.0, 300.0), "log", "linear"),
    Axis("vs30", (150.0, 1500.0), "log", "linear"),
    Axis("azimuthal_gap", (*GAP[:1], 160.0, *GAP[1:]), "linear", "linear"),
)


@pytest.fixture(scope="module")
def surface(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("gap") / "gap.h5"
    build_surface(GapModel(), path, axes=AXES, imts=("PGV",), realizations=40, held_out=4)
    return path


@pytest.fixture(autouse=True)
def _gap_model(monkeypatch: pytest.MonkeyPatch) -> None:
    model = GapModel()
    monkeypatch.setattr(module, "load_model", lambda name, device="cpu": model)
    monkeypatch.setattr(module, "located", lambda name: name)
    module._loaded_model.cache_clear()


@pytest.fixture(params=["surface", "direct"])
def make(request: Any, surface: Path) -> Any:
    own = (
        {"surface_file": str(surface)}
        if request.param == "surface"
        else {"estimator": "direct", "realizations": 40, "device": "cpu"}
    )
    return lambda **more: GenerativeWaveformGMM(model="gap", **own, **more)


PAIRS = {"mag": [5.0, 7.5], "rrup": [20.0, 10.0], "rhypo": [22.0, 40.0], "vs30": [400.0, 760.0]}


def context(gsim: Any) -> tuple[Any, Any]:
    cmaker = simple_cmaker([gsim], ["PGV"])
    ctx = cmaker.new_ctx(2)
    for name in PAIRS.keys() & set(ctx.dtype.names):
        ctx[name] = PAIRS[name]
    return cmaker, ctx


def moments(gsim: Any) -> np.ndarray:
    cmaker, ctx = context(gsim)
    return cmaker.get_mean_stds([ctx], split_by_mag=False)[:, 0, 0]


def truth(distance: np.ndarray, gap: float) -> np.ndarray:
    columns = {k: np.array(v) for k, v in PAIRS.items()}
    columns |= {"rrup": np.asarray(distance), "azimuthal_gap": np.full(2, gap)}
    return GapModel().ln_mean(columns, "PGV")


@pytest.mark.parametrize(
    ("distance", "needs", "expected"),
    [
        ("", {"rrup"}, effective_distance_km(PAIRS["mag"], PAIRS["rrup"])),
        ("effective", {"rrup"}, effective_distance_km(PAIRS["mag"], PAIRS["rrup"])),
        ("rrup", {"rrup"}, np.array(PAIRS["rrup"])),
        ("rhypo", {"rhypo"}, np.array(PAIRS["rhypo"])),
    ],
)
def test_point_source_distance(
    make: Any, distance: str, needs: set[str], expected: np.ndarray
) -> None:
    gsim = make(distance=distance, fixed="azimuthal_gap=120")
    assert needs == set(gsim.REQUIRES_DISTANCES)
    assert set(gsim.REQUIRES_RUPTURE_PARAMETERS) == {"mag"}
    assert set(gsim.REQUIRES_SITES_PARAMETERS) == {"vs30"}
    np.testing.assert_allclose(moments(gsim)[0], truth(expected, 120.0), atol=1e-5)


def test_fixed_condition_leaves_the_spread_alone(make: Any) -> None:
    mean, sigma, tau, phi = moments(make(fixed="azimuthal_gap = 250", distance="rrup"))
    np.testing.assert_allclose(mean, truth(PAIRS["rrup"], 250.0), atol=1e-5)
    toy = ToyModel()
    np.testing.assert_allclose(tau, toy.tau, rtol=0.05)
    np.testing.assert_allclose(phi, toy.phi, rtol=0.05)
    np.testing.assert_allclose(sigma, np.hypot(tau, phi), rtol=1e-6)


def test_prior_is_integrated_and_adds_to_tau(make: Any) -> None:
    fixed = moments(make(fixed="azimuthal_gap=160", distance="rrup"))
    mean, sigma, tau, phi = moments(make(distance="rrup"))
    np.testing.assert_allclose(mean, truth(PAIRS["rrup"], np.mean(GAP)), atol=1e-5)
    spread = SLOPE * (GAP[1] - GAP[0]) / np.sqrt(12.0)  # of a uniform prior
    np.testing.assert_allclose(tau**2, fixed[2] ** 2 + spread**2, rtol=1e-5)
    np.testing.assert_allclose(phi, fixed[3], rtol=1e-6)
    np.testing.assert_allclose(sigma**2, tau**2 + phi**2, rtol=1e-6)


def test_conditions_of_a_prior_follow_its_quantile(make: Any) -> None:
    gsim = make(distance="rhypo")
    _, ctx = context(gsim)
    assert conditions_of(gsim, ctx)["azimuthal_gap"].tolist() == [160.0, 160.0]
    found = conditions_of(gsim, ctx, {"azimuthal_gap": [0.0, 0.25]})
    assert found["azimuthal_gap"].tolist() == [40.0, 100.0]
    assert list(found) == ["mag", "rhypo", "vs30", "azimuthal_gap"]


def test_outside_is_told_by_condition(make: Any) -> None:
    gsim = make(distance="rhypo", fixed="azimuthal_gap=120")
    cmaker, ctx = context(gsim)
    ctx["rhypo"], ctx["vs30"] = [301.0, 20.0], [400.0, 1501.0]
    found = gsim.conditioning.outside(ctx)
    assert {k: v.tolist() for k, v in found.items()} == {
        "mag": [False, False],
        "rhypo": [True, False],
        "vs30": [False, True],
    }


def test_a_prior_gives_a_model_without_event_terms_a_tau(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from dataclasses import replace

    model = GapModel()
    model.card = replace(model.card, between_event=False)
    monkeypatch.setattr(module, "load_model", lambda name, device="cpu": model)
    monkeypatch.setattr(module, "located", lambda name: name)
    direct = {"model": "gap", "estimator": "direct", "realizations": 8}
    everything = {const.StdDev.TOTAL, const.StdDev.INTER_EVENT, const.StdDev.INTRA_EVENT}
    assert set(GenerativeWaveformGMM(**direct).DEFINED_FOR_STANDARD_DEVIATION_TYPES) == everything
    fixed = GenerativeWaveformGMM(**direct, fixed="azimuthal_gap=100")
    assert set(fixed.DEFINED_FOR_STANDARD_DEVIATION_TYPES) == {const.StdDev.TOTAL}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"fixed": "gap=3"}, "no condition 'gap', it takes mag, rhypo, vs30, azimuthal_gap"),
        ({"fixed": "azimuthal_gap"}, 'write "NAME=VALUE"'),
        ({"fixed": "azimuthal_gap=wide"}, 'write "NAME=VALUE"'),
        ({"fixed": "azimuthal_gap=10"}, "valid for azimuthal_gap from 40 to 280 deg"),
        ({"distance": "rjb"}, "takes rhypo, which can be effective, rrup, rhypo"),
    ],
)
def test_mistakes(make: Any, arguments: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make(**arguments)


def test_a_model_with_its_own_saturation_is_given_rrup_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.undo()
    with pytest.raises(ValueError, match="'stochastic' takes rrup, which can be rrup"):
        GenerativeWaveformGMM(distance="effective")
