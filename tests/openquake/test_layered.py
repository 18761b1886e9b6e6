"""Branches whose low frequencies are those of a layered earth, in OpenQuake's calculations."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from openquake.hazardlib import valid
from openquake.hazardlib.contexts import ContextMaker

from gwm_hazard import Scenarios, open_catalogue
from gwm_hazard.distribution.build import build_surface
from gwm_hazard.distribution.surface import Axis
from gwm_hazard.errors import InputError
from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.models.layered import LayeredModel
from gwm_hazard.openquake.gsim import GenerativeWaveformGMM, conditions_of, model_of
from tests.models.broadband_folder import write_broadband
from tests.openquake.jobs import OpenQuake, toml
from tests.simulations.conftest import cache, green  # noqa: F401
from tests.simulations.test_layered import TEXT

IMTS = ("PGA", "SA(0.5)", "SA(2.0)")
LAYERED = {"model": "tiny", "low_frequency": "layered.toml", "estimator": "direct"}


@pytest.fixture
def folder(tmp_path, monkeypatch, cache) -> Path:  # noqa: F811
    """A folder with a broadband model and a layered earth, where the process is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GWM_HAZARD_MODELS", str(tmp_path / "models"))
    write_broadband(tmp_path / "models" / "tiny")
    (tmp_path / "layered.toml").write_text(TEXT)
    return tmp_path


def test_what_is_asked_of_openquake(folder) -> None:
    gsim = GenerativeWaveformGMM(**LAYERED, realizations=4)
    assert {"vs30"} == gsim.REQUIRES_SITES_PARAMETERS
    assert {"rrup", "repi", "azimuth"} == gsim.REQUIRES_DISTANCES
    rupture = {"mag", "strike", "dip", "rake", "ztor", "width"}
    assert rupture == gsim.REQUIRES_RUPTURE_PARAMETERS


def test_direct_moments_are_of_the_model_s_draws(folder) -> None:
    gsim = valid.gsim("[GenerativeWaveformGMM]\n" + "\n".join(
        [*(f'{k} = "{v}"' for k, v in LAYERED.items()), "realizations = 4"]
    ))  # fmt: skip
    maker = ContextMaker("*", [gsim], {"imtls": {i: [0.1] for i in IMTS}})
    ctx = maker.new_ctx(2)
    for name, value in {
        "mag": 6.2, "strike": 40.0, "dip": 80.0, "rake": 0.0, "ztor": 2.0, "width": 9.0,
        "azimuth": [30.0, 250.0], "repi": [20.0, 35.0], "rrup": [15.0, 30.0], "vs30": 500.0,
    }.items():  # fmt: skip
        ctx[name] = value
    mean, sigma, *_ = maker.get_mean_stds([ctx])[:, 0]
    assert np.isfinite(mean).all() and (sigma > 0).all()
    draws = model_of(gsim).generate(Scenarios(**conditions_of(gsim, ctx)), n=8, seed=5)
    acc = draws["acceleration"].values.reshape(16, 3, -1)
    ln = np.log(intensity_measures_array(acc, 0.01, list(IMTS), "RotD50")).reshape(2, 8, 3)
    assert np.abs(ln.mean(axis=1).T - mean).max() < 4 * (sigma / np.sqrt(4)).max()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"low_frequency": "none.toml"}, r"low_frequency = 'none.toml': no file .*none.toml"),
        ({"low_frequency": ""}, r"model 'broadband' adds high frequencies .*layered.toml"),
        ({"model": "stochastic"}, r"model 'stochastic' takes none"),
        ({"model": "matched", "gmm": "BooreEtAl2014"}, r"not with model = \"matched\""),
        ({"estimator": "surface", "surface_file": "other.h5"}, "other.h5"),
    ],
)
def test_what_cannot_be_is_refused(folder, arguments, words) -> None:
    with pytest.raises(ValueError, match=words):
        GenerativeWaveformGMM(**LAYERED | arguments)


def test_classical_moments_are_of_a_surface_of_random_mechanisms(folder) -> None:
    model = LayeredModel("tiny", folder / "layered.toml", "random")
    axes = (
        Axis("mag", (5.0, 7.0), "linear", "linear"), Axis("rrup", (10.0, 40.0), "log", "linear"),
        Axis("vs30", (300.0, 800.0), "log", "linear"),
    )  # fmt: skip
    build_surface(
        model, folder / "s.h5", axes=axes, imts=IMTS, realizations=6, held_out=1, shape_scenarios=0
    )
    gsim = GenerativeWaveformGMM(**LAYERED | {"estimator": "surface", "surface_file": "s.h5"})
    maker = ContextMaker("*", [gsim], {"imtls": {i: [0.1] for i in IMTS}})
    ctx = maker.new_ctx(2)
    for name, value in {
        "mag": 6.0, "strike": 0.0, "dip": 90.0, "rake": 0.0, "ztor": 2.0, "width": 9.0,
        "azimuth": [30.0, 250.0], "repi": 20.0, "rrup": 18.0, "vs30": 500.0,
    }.items():  # fmt: skip
        ctx[name] = value
    mean = maker.get_mean_stds([ctx])[0, 0]
    np.testing.assert_allclose(mean[:, 0], mean[:, 1])  # it knows no azimuth
    model_card = model_of(gsim).card
    assert model_card.parameters["geometry"] == "rupture"


@pytest.mark.slow
def test_fields_are_of_waveforms_that_are_drawn_again(oq: OpenQuake, folder) -> None:
    """Event-based, two sites, a source within reach and one beyond it."""
    for name in ("GWM_HAZARD_MODELS", "GWM_HAZARD_CACHE"):
        oq.env[name] = os.environ[name]
    ini = oq.job(
        folder / "job", {"layered": toml(**LAYERED)}, calculation_mode="event_based",
        ses_per_logic_tree_path=4, ground_motion_fields="true", sites="0 0, 0.1 0.1",
        minimum_intensity=None, poes=None, intensity_measure_types="PGA, SA(2.0)",
        intensity_measure_types_and_levels=None, individual_rlzs=None, ses_seed=7,
    )  # fmt: skip
    (ini.parent / "layered.toml").write_text(TEXT)
    run = oq.run(ini)
    assert run.code == 0, run.text
    assert "repi" in run.text and "is outside the range" in run.text
    path = oq.home / f"calc_{run.calc_id}.hdf5"
    for store in ("waveforms", "keys"):
        done = oq.gwm_hazard("catalogue", path, "-o", folder / f"{store}.h5", "--store", store)
        assert done.code == 0, done.text
    with (
        open_catalogue(folder / "waveforms.h5") as kept,
        open_catalogue(folder / "keys.h5") as drawn,
    ):
        assert kept.sizes["record"] >= 4
        np.testing.assert_array_equal(kept["acceleration"].values, drawn["acceleration"].values)
        assert {"azimuth", "repi", "strike", "width"} <= set(kept.coords)


def test_a_point_that_has_no_plane_is_given_one(folder) -> None:
    """OpenQuake's point ruptures have no width."""
    model = LayeredModel("tiny", folder / "layered.toml")
    at = Scenarios(
        mag=6.0, repi=20.0, azimuth=10.0, strike=0.0, dip=90.0, rake=0.0, ztor=5.0, width=0.1,
        rrup=20.0, vs30=500.0,
    )  # fmt: skip
    assert np.isfinite(model.generate(at)["acceleration"].values).all()
    with pytest.raises(InputError, match="repi"):
        model.generate(Scenarios(mag=6.0, rrup=20.0, vs30=500.0))
