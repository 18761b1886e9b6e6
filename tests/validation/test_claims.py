"""The commands whose numbers the pages quote, at a smaller size."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from gwm_hazard.distribution.build import IMTS
from gwm_hazard.distribution.file import read_surface
from gwm_hazard.distribution.find import bundled_surface
from gwm_hazard.distribution.surface import fingerprint
from gwm_hazard.models.registry import load_model
from gwm_hazard.openquake.gsim import GenerativeWaveformGMM

ROOT = Path(__file__).parents[2]


def command(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / "validation" / path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_bundled_surface_is_that_of_the_bundled_model() -> None:
    model = load_model("stochastic", "cpu")
    path = bundled_surface(model)
    assert path is not None
    surface = read_surface(path)
    assert surface.model == fingerprint(model.card)
    assert surface.imts == IMTS
    offered = {i.__name__ for i in GenerativeWaveformGMM.DEFINED_FOR_INTENSITY_MEASURE_TYPES}
    assert offered == {i.split("(")[0] for i in surface.imts}
    for axis, limits in zip(surface.axes, model.card.conditions, strict=True):
        assert (axis.name, axis.values[0], axis.values[-1]) == (
            limits.name,
            limits.low,
            limits.high,
        )


@pytest.mark.parametrize(
    ("scenarios", "draws"), [(8, 150), pytest.param(50, 1000, marks=pytest.mark.slow)]
)
def test_gsim_agrees_with_direct_ensembles(scenarios: int, draws: int) -> None:
    found = command("surface/check_direct.py").compare(scenarios, draws, seed=2024)
    for quantity in ("mean", "sigma"):
        difference, allowed = found[quantity], found[f"{quantity}_allowed"]
        assert (difference <= allowed).mean() > 0.98
        assert (difference <= 1.5 * allowed).all()
