"""What every model keeps: the check that packages of others call, on those that ship."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import gwm_hazard as gwm
from gwm_hazard.models.registry import shipped
from gwm_hazard.testing import RandomModel, check_model
from tests.toy import OneHorizontal, ToyModel


@pytest.mark.parametrize("model", [RandomModel(), RandomModel(["H1"]), ToyModel()])
def test_doubles(model: Any) -> None:
    check_model(model)


@pytest.mark.parametrize("name", ["stochastic", *shipped()])
def test_models_that_ship(name: str) -> None:
    if "classifier" in name:
        pytest.skip("it draws nothing")
    check_model(gwm.load_model(name, "cpu"))


@pytest.mark.parametrize("family_of", ["Global", "ByBatch"])
def test_faults_are_found_by_measures_too(family_of: str) -> None:
    with pytest.raises(AssertionError, match="change a measure"):
        check_model(globals()[family_of](), rounding=0.005, by="measures")


class Global(RandomModel):
    def draw(self, scenarios: Any, noise: Any) -> torch.Tensor:
        return super().draw(scenarios, noise) * torch.rand(1)


class ByBatch(RandomModel):
    def draw(self, scenarios: Any, noise: Any) -> torch.Tensor:
        return super().draw(scenarios, noise) * (1.0 + 0.01 * len(scenarios))


class Double(RandomModel):
    def draw(self, scenarios: Any, noise: Any) -> torch.Tensor:
        return super().draw(scenarios, noise).double()


class Deaf(RandomModel):
    def draw(self, scenarios: Any, noise: Any) -> torch.Tensor:
        return torch.ones_like(super().draw(scenarios, noise))


@pytest.mark.parametrize(
    ("family", "words"),
    [(Global, "change a draw"), (ByBatch, "change a draw"), (Double, "float64"), (Deaf, "keys")],
)
def test_faults_are_found(family: Any, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        check_model(family())


def test_abilities_are_asked_by_name() -> None:
    class Matched(RandomModel):
        def generate(self, *a: Any, target: Any = None, **k: Any) -> Any:  # type: ignore[override]
            return super().generate(*a, **k)

    class Broadband(RandomModel):
        def generate(self, *a: Any, low_frequency: Any = None, **k: Any) -> Any:  # type: ignore[override]
            return super().generate(*a, **k)

        def reconstruct(self, acceleration: Any, dt_s: float) -> Any:
            return np.asarray(acceleration)

    abilities = (
        gwm.ConditionsOnSpectrum,
        gwm.ConditionsOnLowFrequencies,
        gwm.Reconstructs,
        gwm.Represents,
    )
    has = [[isinstance(m(), a) for a in abilities] for m in (RandomModel, Matched, Broadband)]
    assert has == [[False] * 4, [True, False, False, False], [False, True, True, False]]
    assert issubclass(OneHorizontal, gwm.WaveformModel)
