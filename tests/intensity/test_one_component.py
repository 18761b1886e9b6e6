"""RotD50 from one horizontal component, against OpenQuake's tables and observed pairs."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from openquake.hazardlib import imt as oq_imt
from openquake.hazardlib.const import IMC
from openquake.hazardlib.gsim.campbell_bozorgnia_2008 import CampbellBozorgnia2008

from gwm_hazard.catalogue.store import open_catalogue
from gwm_hazard.catalogue.stream import Block, Plan, write_catalogue
from gwm_hazard.cli import cli
from gwm_hazard.core.draws import Draws
from gwm_hazard.core.ensemble_noise import Ensemble
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.distribution.build import IMTS
from gwm_hazard.distribution.estimate import estimate
from gwm_hazard.intensity import intensity_measures, intensity_measures_array
from gwm_hazard.intensity.one_component import component_sigma, ln_rotd50_ratio, rotd50_phi
from gwm_hazard.models.measuring import ln_measures
from tests.toy import OneHorizontal, ToyModel
from tests.validation.test_claims import command

SA = [i for i in IMTS if i.startswith("SA")]
NOISE = Noise(3, np.arange(2), 0, 0)
RNG = np.random.default_rng(1)


@pytest.mark.parametrize("name", ["PGA", *SA])
def test_ratios_are_those_of_boore_and_kishida(name):
    """As OpenQuake has them, for its conversion to the geometric mean."""
    want, _, _ = IMC.RotD50.apply_conversion(oq_imt.from_string(name))
    assert np.exp(ln_rotd50_ratio(name)) == pytest.approx(want, rel=1e-6)


@pytest.mark.parametrize("name", ["PGA", "PGV", *SA])
def test_variability_is_that_of_campbell_and_bozorgnia(name):
    imt = oq_imt.from_string(name)
    assert component_sigma(name) == pytest.approx(CampbellBozorgnia2008.COEFFS[imt]["c_lny"])


def test_between_the_tabulated_periods():
    low, high = component_sigma("SA(1.0)"), component_sigma("SA(1.5)")
    middle = component_sigma(f"SA({np.sqrt(1.5):.6f})")
    assert middle == pytest.approx((low + high) / 2, rel=1e-4)


def test_observed_pairs(shared):
    """Every twelfth of 820 pairs: ratios within 0.03, sigma_c within 30 %."""
    import h5py

    path = shared / "data" / "waveforms" / "observed_2h.h5"
    imts = ["PGA", "PGV", "SA(0.3)", "SA(1.0)", "SA(3.0)", "IA", "CAV", "RSD595", "RSD575"]
    tool = command("tfcgan/components.py")
    with h5py.File(path) as file:
        rows = range(0, len(file["npts"]), 12)
    rotd50, h1, h2 = tool.ln_measures(path, imts, rows)
    ratio = (rotd50 - (h1 + h2) / 2).mean(axis=0)
    sigma = np.sqrt((((h1 - h2) / 2) ** 2).mean(axis=0))
    for k, name in enumerate(imts):
        assert ratio[k] == pytest.approx(ln_rotd50_ratio(name), abs=0.03), name
        assert sigma[k] == pytest.approx(component_sigma(name), rel=0.3), name


ALL = ["PGA", "PGV", "SA(0.3)", "SA(1.0)", "IA", "CAV", "RSD595", "RSD575", "RSD2080"]


@pytest.fixture
def acc():
    return RNG.standard_normal((3, 1, 500)).astype(np.float32)


def test_as_recorded(acc):
    """H1 of one component is H1 of any pair that it belongs to, Fourier amplitudes and all."""
    imts = [*ALL, "FAS(2.0)", "EAS(2.0)", "DB(0.01)", "Sa_avg2(0.5)", "FIV3(0.5)"]
    pair = np.concatenate([acc, RNG.standard_normal(acc.shape)], axis=1)
    found = intensity_measures_array(acc, 0.01, imts, "H1")
    assert np.array_equal(found, intensity_measures_array(pair, 0.01, imts, "H1"))


def test_rotd50_is_the_component_times_the_ratio(acc):
    alone = intensity_measures_array(acc, 0.01, ALL, "H1")
    ratio = intensity_measures_array(acc, 0.01, ALL) / alone
    assert ratio[0, ALL.index("PGA")] == pytest.approx(1.009)
    np.testing.assert_allclose(ratio, [np.exp([ln_rotd50_ratio(i) for i in ALL])] * 3)


def test_true_lengths_count(acc):
    padded = np.concatenate([acc, np.zeros((3, 1, 100), np.float32)], axis=2)
    found = intensity_measures_array(padded, 0.01, ALL, npts=[500, 500, 500])
    assert np.array_equal(found, intensity_measures_array(acc, 0.01, ALL))


@pytest.mark.parametrize(
    "component",
    ["H2", "vertical", "V/H", "RotD100", "RotD00", "GMRotD50", "GMRotI50", "geometric_mean"]
    + ["larger", "vector_sum"],
)
def test_what_one_horizontal_does_not_give(acc, component):
    with pytest.raises(ValueError, match=rf"'{component}': .* one horizontal .* H1 .* RotD50"):
        intensity_measures_array(acc, 0.01, ["PGA"], component)


@pytest.mark.parametrize("imt", ["FAS(1.0)", "RSD1090", "Sa_avg2(0.5)", "PGD"])
def test_a_measure_without_a_relation(acc, imt):
    with pytest.raises(ValueError) as error:
        intensity_measures_array(acc, 0.01, ["PGA", imt])
    assert str(error.value).startswith(f"{imt} of one horizontal component")
    assert "SA(T), PGA, PGV" in str(error.value)


def test_jma_needs_three(acc):
    with pytest.raises(ValueError, match="acc has 1: give three"):
        intensity_measures_array(acc, 0.01, ["JMA"], "H1")


SCENARIOS = Scenarios(mag=[5.5, 6.5], rrup=20.0, vs30=[500.0, 300.0])


def test_dataset_says_how():
    wf = OneHorizontal().generate(SCENARIOS, n=2)
    im = intensity_measures(wf, ["SA(1.0)", "CAV"])
    two = intensity_measures(ToyModel().generate(SCENARIOS, n=2), ["SA(1.0)", "CAV"], "H1")
    np.testing.assert_allclose(im["SA(1.0)"] / two["SA(1.0)"], np.exp(ln_rotd50_ratio("SA(1.0)")))
    attrs = im["SA(1.0)"].attrs
    assert attrs["component"] == "RotD50" and "one horizontal" in attrs["inferred_from"]
    assert "Boore and Kishida (2017)" in attrs["conversion_source"]
    assert attrs["conversion_factor"] == pytest.approx(np.exp(ln_rotd50_ratio("SA(1.0)")), abs=1e-6)
    assert "observed pairs" in im["CAV"].attrs["conversion_source"]
    for measured in (intensity_measures(wf, ["PGA"], "H1"), two):
        assert not [k for v in measured.values() for k in v.attrs if k.startswith("conversion")]


def test_a_vertical_alone_is_no_horizontal():
    wf = ToyModel().generate(SCENARIOS).sel(component=["V"])
    with pytest.raises(ValueError, match="only component is V, the vertical"):
        intensity_measures(wf, ["PGA"])


@pytest.mark.parametrize("store", ["waveforms", "keys"])
def test_catalogue_says_how(tmp_path, store, monkeypatch):
    model, n = OneHorizontal(), 2
    monkeypatch.setattr("gwm_hazard.catalogue.redraw.model_from_card", lambda *_: model)
    plan = Plan(model, n, lambda a, b: Block(SCENARIOS.take(np.arange(a, b)), NOISE.take(
        np.arange(a, b))), 3, ("PGA", "RSD595"), store)  # fmt: skip
    path = write_catalogue(tmp_path / "one.h5", plan)
    with open_catalogue(path) as data:
        assert data["PGA"].attrs["component"] == "RotD50"
        assert "Boore and Kishida (2017)" in data["PGA"].attrs["conversion_source"]
        assert data["acceleration"].shape[1] == 1
        again = intensity_measures(data, ["PGA", "RSD595"])
        for imt in again:
            np.testing.assert_allclose(again[imt], data[imt], rtol=1e-6)


def test_generate_and_im_on_the_command_line(tmp_path, monkeypatch):
    monkeypatch.setattr("gwm_hazard.models.registry.load_model", lambda *_: OneHorizontal())
    run = CliRunner().invoke
    conditions = ["-s", "mag=5.5,6.5", "-s", "rrup=20", "-s", "vs30=500,300", "-n", "2"]
    wf, table = tmp_path / "wf.h5", tmp_path / "im.csv"
    done = run(cli, ["generate", *conditions, "--seed", "0", "-o", str(wf)])
    assert done.exit_code == 0, done.output
    done = run(cli, ["im", str(wf), "--imts", "PGA,RSD595", "--component", "RotD50,H1", "--plot",
                     str(tmp_path / "im.png"), "-o", str(table)])  # fmt: skip
    assert done.exit_code == 0, done.output
    found = pd.read_csv(table)
    expected = intensity_measures(OneHorizontal().generate(SCENARIOS, n=2), ["PGA", "RSD595"])
    for imt in expected:
        np.testing.assert_allclose(found[f"{imt}_RotD50"], expected[imt].values.ravel(), rtol=1e-6)
    np.testing.assert_allclose(found["PGA_RotD50"] / found["PGA_H1"], 1.009, rtol=1e-6)
    assert found["processing"].str.contains("inferred from one horizontal").all()
    refused = run(cli, ["im", str(wf), "--component", "H2", "-o", str(tmp_path / "no.csv")])
    assert refused.exit_code == 1
    assert "'H2': the records have one horizontal" in str(refused.exception)


def test_tfcgan(shared):
    """The published model's one horizontal, through the same doors."""
    folder = shared / "reference" / "tfcgan" / "saved_model"
    if not folder.is_dir():
        pytest.skip(f"needs {folder}")
    from gwm_hazard.models.tfcgan.importer import import_model

    model = import_model([folder])
    sc = Scenarios(mag=[6.0], rhypo=[30.0], vs30=[400.0])
    im = intensity_measures(model.generate(sc, n=2, seed=1), ["PGA", "SA(1.0)", "RSD595"])
    assert "one horizontal" in im["PGA"].attrs["inferred_from"]
    ln = ln_measures(
        model, Draws(sc.repeat(2), Noise(1, [0, 0], 0, [0, 1])), ["PGA", "SA(1.0)", "RSD595"]
    )
    for k, imt in enumerate(im):
        np.testing.assert_allclose(np.exp(ln[:, k]), im[imt].values[0], rtol=1e-6)


def test_ensemble_of_a_model_with_one_component():
    """The toy's variability is phi; RotD50 has less of it, and the ratio in the mean."""
    sc = Scenarios(mag=[6.5], rrup=[20.0], vs30=[500.0])
    imts, phi = ["PGA", "SA(1.0)"], 0.6
    one, two = OneHorizontal(phi=phi, tau=0.3), ToyModel(phi=phi, tau=0.3)
    ensemble = Ensemble(40, 1)
    found, full = (estimate(m, sc, imts, ensemble) for m in (one, two))
    sigma_c = np.array([component_sigma(i) for i in imts])
    np.testing.assert_allclose(found.tau, full.tau, rtol=1e-4)
    np.testing.assert_allclose(found.phi, np.sqrt(full.phi**2 - sigma_c**2), rtol=1e-4)
    # The toy is polarised: its RotD50 is cos 45 degrees of its first horizontal.
    ratio = np.array([ln_rotd50_ratio(i) for i in imts])
    np.testing.assert_allclose(found.mean - full.mean, [np.log(np.sqrt(2.0)) + ratio], atol=1e-3)


def test_draws_of_other_components_are_not_converted():
    sc = Scenarios(mag=[6.5], rrup=[20.0], vs30=[500.0])
    two = ln_measures(ToyModel(), Draws(sc, Noise(1, 0, 0, 0)), ["PGA"], "H1")
    one = ln_measures(OneHorizontal(), Draws(sc, Noise(1, 0, 0, 0)), ["PGA"])
    assert one - two == pytest.approx(np.log(1.009), abs=1e-6)


def test_phi_keeps_half():
    assert rotd50_phi(1, ["SA(10.0)"], [0.2]) == pytest.approx([0.1])
    assert rotd50_phi(2, ["SA(10.0)"], [0.2]) == pytest.approx([0.2])
