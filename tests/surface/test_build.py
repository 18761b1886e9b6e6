"""Building: refinement until the held-out error is small, with a model known in closed form."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from gwm_hazard.surface import build
from gwm_hazard.surface.build import build_surface
from gwm_hazard.surface.refine import Tolerance
from gwm_hazard.surface.surface import Axis, Surface, SurfaceError
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
    assert Surface.load(tmp_path / "s.h5").attrs == surface.attrs
    assert [p.name for p in tmp_path.iterdir()] == ["s.h5"]


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
    monkeypatch.setattr("gwm_hazard.surface.refine.SAVE_EVERY_S", 0.0)
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
    estimate = build.estimate
    monkeypatch.setattr(
        build, "estimate", lambda m, sc, *a: drawn.append(len(sc)) or estimate(m, sc, *a)
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
    estimate = build.estimate
    monkeypatch.setattr(
        build, "estimate", lambda m, sc, *a: drawn.extend(sc["rrup"]) or estimate(m, sc, *a)
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
