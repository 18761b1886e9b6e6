"""What validation/highfem judges samplers by, against closed forms."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

SCRIPTS = Path(__file__).parents[2] / "validation" / "highfem"
RNG = np.random.default_rng(1)


@pytest.fixture
def quality(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(SCRIPTS)
    return importlib.import_module("sampling_quality")


def exact(n: int, mean: list[float], sd: list[float]) -> np.ndarray:
    """A sample with exactly this mean and these standard deviations, uncorrelated."""
    x = RNG.standard_normal((n, len(mean)))
    x -= x.mean(axis=0)
    q = np.linalg.qr(x)[0] * np.sqrt(n - 1)
    return q * sd + mean


def test_frechet_distance_of_independent_gaussians(quality: ModuleType) -> None:
    a, b = exact(50, [0.0, 1.0, 2.0], [1.0, 2.0, 0.5]), exact(40, [0.5, 1.0, 1.0], [1.5, 1.0, 0.5])
    wanted = np.sqrt(0.5**2 + 1.0**2 + 0.5**2 + 1.0**2)
    assert quality.frechet(a, b) == pytest.approx(wanted, rel=1e-6)
    assert quality.frechet(a, a) == pytest.approx(0.0, abs=1e-5)


def test_distances(quality: ModuleType) -> None:
    ln, bands = RNG.standard_normal((31, 2)), RNG.standard_normal((31, 3))
    moved = (ln * [2.0, 1.0] + [0.0, 0.3], bands)
    median, sd, frechet = quality.distances((ln, bands), moved)
    shift = np.array([np.median(ln[:, 0]), 0.3])
    assert median == pytest.approx(np.sqrt((shift**2).mean()))
    assert sd == pytest.approx(ln[:, 0].std() / np.sqrt(2.0))
    assert frechet == pytest.approx(0.0, abs=1e-5)
