"""Matched branches: the moments of a published GMM, and waveforms that show its spectra."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from openquake.hazardlib import const, valid
from openquake.hazardlib.contexts import ContextMaker
from toml import dumps

from gwm_hazard import open_catalogue
from gwm_hazard.core.draws import Draws
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.models.matched import MatchedModel, achieved
from gwm_hazard.models.measuring import ln_measures
from gwm_hazard.models.registry import model_from_card
from gwm_hazard.openquake import event_catalogue
from gwm_hazard.openquake.gmm import evaluate
from gwm_hazard.openquake.gsim import distribution
from gwm_hazard.openquake.job_check import check_measures
from gwm_hazard.openquake.matched import source_of
from gwm_hazard.openquake.suites import Request, make_study
from gwm_hazard.suite.build import Settings
from tests.openquake.jobs import OpenQuake, toml

#: With rake, z1pt0 and ztor; without tau and phi; of tables.
GMMS = (
    "[AbrahamsonEtAl2014]\nregion = 'JPN'",
    "Kanno2006Shallow",
    "[NGAEastGMPE]\ngmpe_table = 'NGAEast_BOORE_A04_J15.hdf5'",
)
COLUMNS = {
    "mag": 6.5, "rake": 90.0, "dip": 45.0, "ztor": 3.0, "width": 12.0, "hypo_depth": 9.0,
    "z1pt0": 150.0, "vs30measured": 1.0, "ry0": 0.0,
}  # fmt: skip
MATCHED = {"model": "matched", "gmm": "BooreEtAl2014"}


def gsim_of(**arguments: Any) -> Any:
    return valid.gsim("[GenerativeWaveformGMM]\n" + dumps(arguments))


def context(gsim: Any, imts: tuple[str, ...], n: int = 500) -> tuple[ContextMaker, Any]:
    maker = ContextMaker("*", [gsim], {"imtls": {i: [0.1] for i in imts}})
    ctx = maker.new_ctx(n)
    distance = np.geomspace(0.3, 500.0, n)
    for name in ctx.dtype.names:
        if name in COLUMNS:
            ctx[name] = COLUMNS[name]
        elif name.startswith("r"):
            ctx[name] = distance * {"rjb": 0.9, "rx": 0.5}.get(name, 1.0)
    ctx["vs30"] = np.linspace(250.0, 1400.0, n)
    return maker, ctx


@pytest.mark.parametrize("gmm", GMMS)
def test_moments_are_those_of_the_gmm(gmm: str) -> None:
    plain = valid.gsim(gmm if gmm.startswith("[") else f"[{gmm}]")
    matched = pickle.loads(pickle.dumps(gsim_of(model="matched", gmm=gmm)))
    for name in ("TECTONIC_REGION_TYPE", "STANDARD_DEVIATION_TYPES"):
        attribute = f"DEFINED_FOR_{name}"
        assert getattr(matched, attribute) == getattr(plain, attribute)
    imts = ("PGA", "SA(0.3)", "SA(2.0)")
    found = []
    for gsim in (plain, matched):
        maker, ctx = context(gsim, imts)
        found.append(maker.get_mean_stds([ctx]))
    np.testing.assert_array_equal(*found)


def test_what_is_asked_for_is_that_of_both() -> None:
    matched = gsim_of(**MATCHED)
    assert {"rjb", "rrup"} == matched.REQUIRES_DISTANCES
    assert {"mag", "rake", "hypo_depth"} == matched.REQUIRES_RUPTURE_PARAMETERS
    far = gsim_of(model="matched", gmm="BooreEtAl2014", shape="highfem-small")
    assert "rrup" in far.REQUIRES_DISTANCES  # of which highfem's effective distance is made


def test_other_measures_are_those_of_ensembles() -> None:
    gsim = gsim_of(**MATCHED, realizations=8)
    maker, ctx = context(gsim, ("PGA", "RSD595"), n=2)
    ctx["rrup"] = ctx["rjb"] = [20.0, 60.0]
    mean, sigma, *_ = maker.get_mean_stds([ctx])[:, 0]
    plain = distribution(gsim, ctx, ("PGA",))
    np.testing.assert_allclose(mean[0], plain.mean[:, 0])
    assert (mean[1] > np.log(4.0)).all() and mean[1, 1] > mean[1, 0]
    assert ((sigma[1] > 0.05) & (sigma[1] < 1.0)).all()


def test_waveforms_show_the_spectra_of_the_gmm() -> None:
    """The median of drawn spectra is the GMM's, asked for by OpenQuake alone."""
    model = MatchedModel("BooreEtAl2014")
    row = {"mag": 6.0, "rjb": 30.0, "rrup": 30.0, "vs30": 500.0, "rake": 0.0, "hypo_depth": 8.0}
    n = 200
    acc = model.draw(Scenarios(**row).repeat(n), Noise(1, np.arange(n), 0, 0)).numpy()
    imts = ["SA(0.1)", "SA(0.5)", "SA(2.0)"]
    ln = np.log(intensity_measures_array(acc, 0.01, imts))
    gsim = valid.gsim("[BooreEtAl2014]")
    columns = {k: np.array([row[k]]) for k in ("mag", "rjb", "vs30", "rake")}
    mean, sigma, *_ = evaluate(gsim, columns, imts)[:, :, 0]
    assert (np.abs(ln.mean(axis=0) - mean) < 3.0 * sigma / np.sqrt(n)).all()
    assert (np.abs(ln.std(axis=0) / sigma - 1.0) < 3.0 / np.sqrt(2 * n)).all()


def test_a_component_is_converted_and_sigma_without_tau_is_phi() -> None:
    source = source_of(MatchedModel("Kanno2006Shallow"))
    assert source.shift.any() == (
        source.gsim.DEFINED_FOR_INTENSITY_MEASURE_COMPONENT is not const.IMC.RotD50
    )
    moments = source(Scenarios(mag=6.5, rrup=30.0, vs30=400.0, hypo_depth=10.0))
    assert not source.between_event and (moments.tau == 0.0).all() and (moments.phi > 0.1).all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "needs gmm"),
        ({"gmm": "Boore"}, "not one that OpenQuake can make"),
        ({"gmm": "AfshariStewart2016"}, "no SA"),
        ({"gmm": "BozorgniaCampbell2016"}, "'Vertical' of PGA has no published ratio to RotD50"),
        ({"gmm": "BooreEtAl2014", "shape": "nothing"}, "no model folder"),
        ({"gmm": "BooreEtAl2014", "estimator": "direct"}, "moments of its gmm"),
        ({"gmm": "BooreEtAl2014", "surface_file": "a.h5"}, "moments of its gmm"),
        ({"gmm": "BooreEtAl2014", "correlation": "none"}, "must be one of"),
        ({"model": "stochastic", "gmm": "BooreEtAl2014"}, "goes with model"),
        ({"gmm": "BooreEtAl2014", "fixed": "mag=9"}, "is valid for mag"),
    ],
)
def test_bad_arguments(arguments: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        gsim_of(**{"model": "matched"} | arguments)


def test_period_beyond_the_gmm_and_measures_of_nobody() -> None:
    gsim = gsim_of(model="matched", gmm="Kanno2006Shallow")
    with pytest.raises(ValueError, match=r"SA\(8.0\).*periods from 0.05 to 5 s"):
        check_measures(["SA(8.0)"], [gsim])
    with pytest.raises(ValueError, match="neither its gmm nor"):
        check_measures(["JMA"], [gsim])
    check_measures(["PGA", "SA(1.0)", "RSD595"], [gsim])


def test_range_is_kept_where_it_is_asked_for() -> None:
    gsim = gsim_of(**MATCHED, out_of_range="error")
    _, ctx = context(gsim, ("PGA",), n=3)
    ctx["rrup"] = [10.0, 20.0, 500.0]
    from gwm_hazard.openquake.gsim import conditions_of

    with pytest.raises(ValueError, match="outside the range"):
        conditions_of(gsim, ctx)


@pytest.fixture(scope="module")
def classical_job(oq: OpenQuake, tmp_path_factory: pytest.TempPathFactory) -> Any:
    branches = {"M": toml(**MATCHED), "B": "[BooreEtAl2014]"}
    run = oq.run(oq.job(tmp_path_factory.mktemp("matched"), branches))
    assert run.code == 0, run.text
    return run


def test_classical_curves_are_those_of_the_gmm(oq: OpenQuake, classical_job: Any) -> None:
    with oq.datastore(classical_job) as dstore:
        curves = dstore["hcurves-rlzs"][:]
    assert curves[:, 0].max() > 0.1
    np.testing.assert_allclose(curves[:, 0], curves[:, 1], rtol=1e-6)


def test_fields_are_drawn_again_bit_for_bit(oq: OpenQuake, tmp_path: Path) -> None:
    more = {
        "calculation_mode": "event_based", "ses_per_logic_tree_path": 8, "poes": None,
        "sites": "0 0, 0.1 0.1", "ground_motion_fields": "true",
        "intensity_measure_types_and_levels": '{"PGA": [0.1], "SA(0.5)": [0.1], "PGV": [1]}',
    }  # fmt: skip
    branches = {"M": toml(**MATCHED), "B": "[BooreEtAl2014]"}
    run = oq.run(oq.job(tmp_path / "job", branches, **more))
    assert run.code == 0, run.text
    file = tmp_path / "keys.h5"
    with oq.datastore(run) as dstore:
        fields = dstore.read_df("gmf_data").set_index(["eid", "sid"])
        made = event_catalogue.write(dstore, file, store="keys")
    assert made[file] > 5
    with open_catalogue(file) as catalogue:
        acc = catalogue["acceleration"].values
        index = pd.MultiIndex.from_arrays([catalogue["event"].values, catalogue["site"].values])
        stored = fields.loc[index]
        again = np.stack([catalogue["acceleration"][i].values for i in range(3)])
        np.testing.assert_array_equal(again, acc[:3])
    measured = intensity_measures_array(acc, 0.01, ["PGA", "PGV", "SA(0.5)"])
    np.testing.assert_array_equal(np.float32(measured), stored.iloc[:, -3:].to_numpy())


def test_every_branch_draws_for_a_suite(oq: OpenQuake, tmp_path: Path) -> None:
    """Motions of two plain branches: drawn by number of the GMM, spectra as its moments say."""
    job = oq.job(tmp_path, {"B": "[BooreEtAl2014]", "C": "[CampbellBozorgnia2014]"})
    ini = job.read_text() + "reference_depth_to_2pt5km_per_sec = 1.5\n"
    job.write_text(ini)
    run = oq.run(job)
    assert run.code == 0, run.text
    settings = Settings(imt="SA(0.5)", n=3, pool=6, tolerance=0.3, method="direct", budget=300)
    request = Request(
        0.1, settings, ("SA(0.3)", "SA(1.0)"), correlation="BakerJayaram2008", shape="stochastic"
    )
    with oq.datastore(run) as dstore:
        study, model = make_study(dstore, request)
        with pytest.raises(ValueError, match="let the others draw"):
            make_study(dstore, replace(request, shape=""))
    suite = study.suites[0]
    assert isinstance(model, MatchedModel)
    assert len(model.card.parameters["gmm"]) == 2
    assert set(np.unique(suite.conditions["gmm"])) == {0.0, 1.0}  # both branches draw
    assert len(suite) == 3
    numbers = suite.candidates.rupture[suite.rows]
    row = Scenarios(**{k: v[numbers] for k, v in suite.conditions.items()})
    noise = suite.candidates.noise(suite.rows)
    ln = ln_measures(model, Draws(row, noise), ["SA(0.5)"])
    assert np.abs(ln - np.log(suite.target.level)).max() < 0.31


def test_sites_of_an_event_share_its_term() -> None:
    model = MatchedModel("BooreEtAl2014")
    row = Scenarios(mag=6.0, rjb=30.0, rrup=30.0, vs30=500.0, rake=0.0, hypo_depth=8.0)
    n = 4000
    noise = Noise(1, np.repeat(np.arange(n // 2), 2), np.tile([0, 1], n // 2), 0)
    ln = model.spectra(row.repeat(n), noise).ln_sa
    moments = source_of(model)(row)
    pairs = ln.reshape(-1, 2, ln.shape[1]) - ln.mean(axis=0)
    tau2 = (pairs[:, 0] * pairs[:, 1]).mean(axis=0)
    assert np.sqrt(tau2[15]) == pytest.approx(moments.tau[0, 15], rel=0.15)


def slow(name: str) -> Any:
    return pytest.param(name, marks=pytest.mark.slow)


@pytest.mark.parametrize("first", ["gmm", "matched", slow("spectra"), slow("correlation")])
def test_whatever_is_imported_first(first: str) -> None:
    """OpenQuake imports the GSIM in the middle of our own imports of OpenQuake."""
    code = (
        "import warnings; warnings.simplefilter('error', UserWarning)\n"
        f"import gwm_hazard.openquake.{first}\n"
        "from openquake.hazardlib.gsim import get_available_gsims\n"
        "assert 'GenerativeWaveformGMM' in get_available_gsims()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_shape_is_matched() -> None:
    row = Scenarios(mag=6.0, rjb=40.0, rrup=40.0, rhypo=42.0, vs30=500.0, rake=0.0, hypo_depth=8.0)
    model = MatchedModel("BooreEtAl2014", "highfem-small")
    n = 4
    noise = Noise(1, np.arange(n), 0, 0)
    acc = model.draw(row.repeat(n), noise).numpy()
    again = model_from_card(json.loads(json.dumps(model.card.to_dict())), "cpu")
    assert json.dumps(again.card.to_dict()) == json.dumps(model.card.to_dict())
    np.testing.assert_array_equal(again.draw(row.repeat(n), noise).numpy(), acc)
    ln, _ = achieved(acc, model.dt_s, model.spectra(row.repeat(n), noise))
    periods = source_of(model).periods_s
    assert np.median(np.abs(ln[:, (periods >= 0.1) & (periods <= 5.0)])) < 0.02
