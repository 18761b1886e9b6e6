"""Models without a level: refused where a level is asked for, and matched to a GMM in jobs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from openquake.hazardlib import valid

from gwm_hazard import Noise, Scenarios, open_catalogue
from gwm_hazard.cli import cli
from gwm_hazard.errors import InputError
from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.models.matched import MatchedModel, achieved
from gwm_hazard.models.registry import load_model, save_model
from gwm_hazard.openquake import event_catalogue
from gwm_hazard.openquake.gsim import model_name
from gwm_hazard.openquake.matched import source_of
from tests.models.test_stylegan_eq import tiny
from tests.models.test_wgan_gp import SMALL_PIPES, small
from tests.openquake.jobs import OpenQuake, toml
from tests.openquake.test_matched import context, gsim_of

SHAPES = ("pipes", "stylegan")
PIPES = replace(SMALL_PIPES, samples=1200, sampling_rate_hz=100.0, threshold_hz=5.0)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Small networks of random weights, whose samples are of any size."""
    root = tmp_path_factory.mktemp("shapes")
    models = {"pipes": small(PIPES, sampling_rate_hz=100.0, highpass_hz=0.2), "stylegan": tiny()}
    return {name: save_model(model, root / name) for name, model in models.items()}


def matched_gsim(shape: Path) -> Any:
    return gsim_of(model="matched", gmm="BooreEtAl2014", shape=str(shape))


@pytest.mark.parametrize("name", SHAPES)
def test_a_level_is_not_made_up(folders: dict[str, Path], name: str, tmp_path: Path) -> None:
    folder = str(folders[name])
    words = r'no level; take it as shape = ... of model = "matched"'
    for arguments in ({}, {"estimator": "direct"}):
        with pytest.raises(InputError, match=words):
            gsim_of(model=folder, **arguments)
    run = CliRunner().invoke(
        cli, ["surface", "build", "--model", folder, "-o", str(tmp_path / "surface.h5")]
    )
    assert run.exit_code and "no level" in run.output + str(run.exception)
    assert not list(tmp_path.glob("surface*"))
    file = tmp_path / "shapes.h5"
    run = CliRunner().invoke(cli, ["generate", "--model", folder, "-s", "mag=6", "-o", str(file)])
    assert run.exit_code == 0 and "no level" in run.output
    assert file.is_file()
    assert not load_model(folder, "cpu").card.level
    assert MatchedModel("BooreEtAl2014", folder).card.level


@pytest.mark.parametrize("name", SHAPES)
def test_moments_are_those_of_the_gmm(folders: dict[str, Path], name: str) -> None:
    imts = ("PGA", "SA(0.3)", "SA(2.0)")
    found = []
    for gsim in (valid.gsim("[BooreEtAl2014]"), matched_gsim(folders[name])):
        maker, ctx = context(gsim, imts)
        found.append(maker.get_mean_stds([ctx]))
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("name", SHAPES)
def test_spectra_are_those_of_the_gmm(folders: dict[str, Path], name: str) -> None:
    """Up to what the shape holds: 12.4 Hz of StyleGAN-EQ, 12 s and some bands of the other."""
    row = Scenarios(mag=6.0, rjb=40.0, rrup=40.0, rhypo=42.0, vs30=500.0, rake=0.0, hypo_depth=8.0)
    model = MatchedModel("BooreEtAl2014", str(folders[name]))
    noise = Noise(1, np.arange(4), 0, 0)
    acc = model.draw(row.repeat(4), noise).numpy()
    ln, _ = achieved(acc, model.dt_s, model.spectra(row.repeat(4), noise))
    periods = source_of(model).periods_s
    low, within = (0.2, 0.02) if name == "stylegan" else (0.3, 0.1)
    held = (periods >= low) & (periods <= 3.0)
    assert np.median(np.abs(ln[:, held])) < within
    raw = model.shape.draw(model.shape_scenarios(row.repeat(4)), noise).numpy()
    before, _ = achieved(raw, model.dt_s, model.spectra(row.repeat(4), noise))
    assert np.median(np.abs(before[:, held])) > 0.5


def test_models_of_two_gmms_and_a_shape_in_a_folder_have_two_files(
    folders: dict[str, Path],
) -> None:
    names = {
        Path(model_name(gsim_of(model="matched", gmm=gmm, shape=str(folders["pipes"])))).name
        for gmm in ("BooreEtAl2014", "[AbrahamsonEtAl2014]\nregion = 'JPN'", "Kanno2006Shallow")
    }
    assert len(names) == 3 and all(name.isprintable() for name in names)


@pytest.fixture(scope="module")
def branches(folders: dict[str, Path]) -> dict[str, str]:
    made = {
        name: toml(model="matched", gmm="BooreEtAl2014", shape=str(folders[name]))
        for name in SHAPES
    }
    return made | {"plain": "[BooreEtAl2014]"}


def test_classical_curves_and_disaggregation_are_those_of_the_gmm(
    oq: OpenQuake, tmp_path: Path, branches: dict[str, str]
) -> None:
    more = {
        "calculation_mode": "disaggregation", "poes_disagg": "0.1", "poes": None,
        "num_rlzs_disagg": 3, "mag_bin_width": 1.0, "distance_bin_width": 20.0,
        "coordinate_bin_width": 1.0, "num_epsilon_bins": 3, "disagg_outputs": "Mag Mag_Dist",
        "intensity_measure_types_and_levels": '{"PGA": logscale(0.005, 3.0, 30)}',
    }  # fmt: skip
    run = oq.run(oq.job(tmp_path, branches, **more))
    assert run.code == 0, run.text
    with oq.datastore(run) as dstore:
        curves = dstore["hcurves-rlzs"][:]
        shares = {k: dstore["disagg-rlzs"][k][:] for k in ("Mag", "Mag_Dist")}
    assert curves[:, 0].max() > 0.1
    for j in (1, 2):
        np.testing.assert_allclose(curves[:, j], curves[:, 0], rtol=1e-6)
    for found in shares.values():
        assert found.max() > 0.0
        for j in (1, 2):
            np.testing.assert_allclose(found[..., j], found[..., 0], rtol=1e-5)


@pytest.mark.parametrize("name", SHAPES)
def test_fields_are_drawn_again(
    oq: OpenQuake, tmp_path: Path, branches: dict[str, str], folders: dict[str, Path], name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("GWM_HAZARD_MODELS", str(folders[name].parent))  # for the weights of keys
    more = {
        "calculation_mode": "event_based", "ses_per_logic_tree_path": 6, "poes": None,
        "ground_motion_fields": "true",
        "intensity_measure_types_and_levels": '{"PGA": [0.1], "SA(0.5)": [0.1]}',
    }  # fmt: skip
    run = oq.run(oq.job(tmp_path / "job", {name: branches[name]}, **more))
    assert run.code == 0, run.text
    file = tmp_path / "keys.h5"
    with oq.datastore(run) as dstore:
        fields = dstore.read_df("gmf_data").set_index(["eid", "sid"])
        assert event_catalogue.write(dstore, file, store="keys")[file] > 2
    with open_catalogue(file) as catalogue:
        acc = catalogue["acceleration"].values
        keys = list(zip(catalogue["event"].values, catalogue["site"].values, strict=True))
        dt_s = float(catalogue.attrs["dt_s"])
    measured = intensity_measures_array(acc, dt_s, ["PGA", "SA(0.5)"])
    # convolutions round by batch and number of threads, which the match makes some 100 times more
    np.testing.assert_allclose(measured, fields.loc[keys].iloc[:, -2:].to_numpy(), rtol=1e-4)
