"""Building: refinement until the held-out error is small, with a model known in closed form."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from gwm_hazard.core.ensemble_noise import Ensemble
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.distribution import build, find
from gwm_hazard.distribution.build import build_surface
from gwm_hazard.distribution.estimate import estimate
from gwm_hazard.distribution.file import read_surface
from gwm_hazard.distribution.refine import Estimates, Tolerance
from gwm_hazard.distribution.surface import Axis
from gwm_hazard.errors import SurfaceError
from tests.toy import ToyModel

IMTS = ("PGV", "IA")
#: The toy's ln IM is linear in mag and in the logarithms of the others: rrup alone is curved here.
COARSE = (
    Axis("mag", (4.0, 8.0), "linear", "linear"),
    Axis("rrup", (1.0, 300.0), "linear", "linear"),
    Axis("vs30", (150.0, 1500.0), "log", "linear"),
)
SMALL = {"imts": IMTS, "realizations": 16, "held_out": 12, "shape_scenarios": 0}


def test_refinement_puts_nodes_where_the_model_bends(tmp_path: Path) -> None:
    tolerance = Tolerance(mean=0.4, sigma=0.05)
    surface = build_surface(
        ToyModel(), tmp_path / "s.h5", axes=COARSE, tolerance=tolerance, **SMALL
    )
    mag, rrup, vs30 = surface.axes
    assert len(mag.values) == len(vs30.values) == 2
    assert len(rrup.values) > 3 and rrup.values[1] < 100  # the steep end
    assert (surface.errors["interpolation_mean"] <= 0.4).all()
    assert (surface.errors["largest_mean"] >= surface.errors["interpolation_mean"]).all()
    assert surface.attrs["rounds"] > 2 and surface.attrs["tolerance_mean"] == 0.4
    assert read_surface(tmp_path / "s.h5").attrs == surface.attrs
    assert [p.name for p in tmp_path.iterdir()] == ["s.h5"]


def test_errors_are_those_at_scenarios_that_have_put_no_node(tmp_path: Path) -> None:
    tolerance = Tolerance(mean=0.4, sigma=0.05)
    surface = build_surface(
        ToyModel(), tmp_path / "s.h5", axes=COARSE, tolerance=tolerance, **SMALL
    )
    ensemble = Ensemble(SMALL["realizations"], 1)
    worst = []
    for held_set in range(4):
        rng = np.random.default_rng([1, held_set])
        at = {a.name: rng.random(SMALL["held_out"]) for a in surface.axes}
        for axis in surface.axes:
            x = np.log(axis.values) if axis.scale == "log" else np.array(axis.values)
            value = x[0] + at[axis.name] * (x[-1] - x[0])
            at[axis.name] = np.exp(value) if axis.scale == "log" else value
        true = estimate(ToyModel(), Scenarios(**at), list(IMTS), ensemble)
        worst.append(np.abs(surface(at, IMTS).mean - true.mean).max(axis=0))
    same = [np.allclose(w, surface.errors["largest_mean"], rtol=1e-4) for w in worst]
    assert sum(same) == 1 and not same[0]  # the first put the nodes


class Erratic(ToyModel):
    """The toy, times a factor that jumps with the least change of a condition."""

    def draw(self, scenarios, noise):
        acc = super().draw(scenarios, noise)
        at = sum(scenarios[name] for name in scenarios)
        jump = Noise(noise.seed, noise.event, noise.site, (at * 1e6).astype(np.int64))
        return acc * torch.from_numpy(np.exp(0.6 * jump.normal("jump", 1)))[:, :, None]


def test_noise_of_the_draws_puts_no_nodes(tmp_path: Path) -> None:
    """Interpolation has no error here: all that differs is noise, above the tolerance."""
    axes = (
        Axis("mag", (4.0, 5.0, 6.0, 7.0, 8.0), "linear", "linear"),
        Axis("rrup", (1.0, 5.0, 20.0, 80.0, 300.0), "log", "linear"),
        Axis("vs30", (150.0, 500.0, 1500.0), "log", "linear"),
    )
    options = SMALL | {"imts": ("PGV",), "realizations": 100, "held_out": 60}
    tolerance = Tolerance(mean=0.055, sigma=0.2)
    surface = build_surface(
        Erratic(), tmp_path / "s.h5", axes=axes, tolerance=tolerance, max_nodes=75, **options
    )
    assert surface.axes == axes and surface.attrs["rounds"] == 1
    assert surface.errors["interpolation_mean"] < tolerance.mean
    # What a build that took noise for interpolation would see.
    rng = np.random.default_rng([1, 0])
    at = {a.name: rng.random(60) for a in axes}
    for a in axes:
        x = a.transform(np.array(a.values))
        value = x[0] + at[a.name] * (x[-1] - x[0])
        at[a.name] = np.exp(value) if a.scale == "log" else value
    true = estimate(Erratic(), Scenarios(**at), ["PGV"], Ensemble(100, 1))
    assert np.sqrt(((surface(at, ("PGV",)).mean - true.mean) ** 2).mean()) > tolerance.mean


def test_progress_in_a_log(caplog: pytest.LogCaptureFixture, monkeypatch) -> None:
    now = [0.0]
    monkeypatch.setattr(find.time, "monotonic", lambda: now[0])
    progress = find.LogProgress()
    for now[0], share in ((30.0, 0.1), (90.0, 0.3), (100.0, 0.4), (200.0, 0.5)):
        progress(share)
    assert [r.getMessage() for r in caplog.records] == [
        "surface: 30 % done, about 4 min left",
        "surface: 50 % done, about 3 min left",
    ]


def test_scenarios_at_once_follow_the_speed_of_the_model(tmp_path: Path, monkeypatch) -> None:
    """A fast model is drawn in full chunks, a slow one scenario by scenario."""
    sizes = {}
    for seconds in (0.01, 8.0):
        now, drawn = [0.0], []

        def make(part, seconds=seconds, now=now, drawn=drawn):
            drawn.append(len(part["mag"]))
            now[0] += seconds * len(part["mag"])
            return np.zeros((1, len(part["mag"]), 1))

        monkeypatch.setattr("gwm_hazard.distribution.refine.time.monotonic", lambda now=now: now[0])
        at = {"mag": np.linspace(4.0, 8.0, 64)}
        Estimates(tmp_path / f"{seconds}.npz", "plan")("k", at, np.zeros(64), make)
        sizes[seconds] = drawn
    assert sizes[0.01] == [1, 2, 4, 8, 16, 16, 16, 1] and set(sizes[8.0]) == {1}


def test_a_grid_of_ones_own_is_left_as_it_is(tmp_path: Path) -> None:
    surface = build_surface(ToyModel(), tmp_path / "s.h5", axes=COARSE, **SMALL)
    assert surface.axes == COARSE and surface.attrs["rounds"] == 1


def test_the_limit_of_nodes_ends_it_with_a_warning(tmp_path: Path, caplog) -> None:
    surface = build_surface(
        ToyModel(), tmp_path / "s.h5", axes=COARSE, tolerance=Tolerance(), max_nodes=12, **SMALL
    )
    assert surface.mean[..., 0].size <= 12
    (record,) = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert "max_nodes = 12" in record.message and "0.03" in record.message


def test_an_interrupted_build_ends_as_an_undisturbed_one(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("gwm_hazard.distribution.refine.SAVING_SHARE", 1e9)
    tolerance = Tolerance(mean=0.4, sigma=0.05)
    whole = build_surface(ToyModel(), tmp_path / "a.h5", axes=COARSE, tolerance=tolerance, **SMALL)

    class Killed(Exception):
        pass

    calls = []

    def stop(share: float) -> None:
        calls.append(share)
        if len(calls) == 4:
            raise Killed

    again = {"axes": COARSE, "tolerance": tolerance, **SMALL}
    with pytest.raises(Killed):
        build_surface(ToyModel(), tmp_path / "b.h5", progress=stop, **again)
    assert not (tmp_path / "b.h5").exists() and (tmp_path / "b.h5.partial.npz").exists()
    drawn = []
    original = build.estimate_with_halves
    monkeypatch.setattr(
        build,
        "estimate_with_halves",
        lambda m, sc, *a: drawn.append(len(sc)) or original(m, sc, *a),
    )
    resumed = build_surface(ToyModel(), tmp_path / "b.h5", **again)
    total = whole.mean[..., 0].size + 2 * SMALL["held_out"]
    assert resumed.axes == whole.axes
    np.testing.assert_array_equal(resumed.mean, whole.mean)
    np.testing.assert_array_equal(resumed.errors["largest_mean"], whole.errors["largest_mean"])
    assert 0 < sum(drawn) < total + whole.attrs["rounds"] * (SMALL["held_out"] + 24) - 16
    assert not (tmp_path / "b.h5.partial.npz").exists()


def test_nodes_of_another_surface_are_taken_over(tmp_path: Path, monkeypatch) -> None:
    first = build_surface(ToyModel(), tmp_path / "a.h5", axes=COARSE, **SMALL)
    finer = (COARSE[0], Axis("rrup", (1.0, 20.0, 300.0), "linear", "linear"), COARSE[2])
    drawn = []
    original = build.estimate_with_halves
    monkeypatch.setattr(
        build,
        "estimate_with_halves",
        lambda m, sc, *a: drawn.extend(sc["rrup"]) or original(m, sc, *a),
    )
    got = build_surface(ToyModel(), tmp_path / "b.h5", axes=finer, start_from=first, **SMALL)
    assert drawn.count(20.0) == 4 and not {1.0, 300.0} & set(drawn)
    np.testing.assert_array_equal(got.mean[:, [0, 2]], first.mean)
    fresh = build_surface(ToyModel(), tmp_path / "c.h5", axes=finer, **SMALL)
    np.testing.assert_allclose(got.mean, fresh.mean, rtol=1e-6)


@pytest.mark.parametrize(
    ("changed", "words"),
    [({"seed": 2}, "seed 1, the new one 2"), ({"realizations": 18}, "realizations 16")],
)
def test_nodes_of_another_ensemble_are_refused(
    tmp_path: Path, changed: dict[str, int], words: str
) -> None:
    first = build_surface(ToyModel(), tmp_path / "a.h5", axes=COARSE, **SMALL)
    with pytest.raises(SurfaceError, match=words):
        build_surface(ToyModel(), tmp_path / "b.h5", start_from=first, **(SMALL | changed))


def test_shape_of_a_lognormal_model_is_that_of_a_normal(tmp_path: Path) -> None:
    options = SMALL | {"realizations": 100, "shape_scenarios": 64}
    surface = build_surface(ToyModel(), tmp_path / "s.h5", axes=COARSE, **options)
    assert surface.skewness is not None and surface.kurtosis is not None
    # 6400 draws: standard errors 0.03 and 0.06 where one value is pooled.
    assert np.abs(surface.skewness).max() < 0.2
    assert np.abs(surface.kurtosis).max() < 0.4


@pytest.mark.parametrize("field", ["mean", "sigma"])
def test_tolerance_is_checked(field: str) -> None:
    with pytest.raises(ValueError, match=f"tolerance of the {field} = 0"):
        Tolerance(**{field: 0.0})
