"""Ground-motion fields of event-based and scenario jobs are the measures of drawn waveforms."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from inspect import signature
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import h5py
import numpy as np
import pandas as pd
import pytest
from openquake.baselib.performance import Monitor
from openquake.hazardlib import valid
from openquake.hazardlib.calc.gmf import GmfComputer
from openquake.hazardlib.contexts import ContextMaker, simple_cmaker
from openquake.hazardlib.correlation import JB2009CorrelationModel
from openquake.hazardlib.geo import Point
from openquake.hazardlib.site import SiteCollection
from openquake.hazardlib.source.rupture import EBRupture, build_planar
from scipy.stats import kstest
from toml import dumps as toml_dumps

from gwm_hazard import open_catalogue
from gwm_hazard.core.card import Range
from gwm_hazard.core.conditioning import conditioning_of
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.intensity import intensity_measures, intensity_measures_array
from gwm_hazard.intensity.one_component import ln_rotd50_ratio
from gwm_hazard.models.registry import load_model, save_model
from gwm_hazard.models.stochastic import StochasticModel
from gwm_hazard.openquake import datastore, event_draws, fields, progress, releases, workload
from gwm_hazard.openquake import event_catalogue as calculation
from gwm_hazard.openquake.gsim import GenerativeWaveformGMM, distribution
from gwm_hazard.openquake.workload import estimate
from tests.openquake.jobs import GWM, OpenQuake, toml
from tests.toy import ToyModel

RUPTURE = """<?xml version="1.0" encoding="utf-8"?>
<nrml xmlns="http://openquake.org/xmlns/nrml/0.4" xmlns:gml="http://www.opengis.net/gml">
  <simpleFaultRupture>
    <magnitude>6.5</magnitude>
    <rake>0</rake>
    <hypocenter lat="0.0" lon="0.0" depth="6.0"/>
    <simpleFaultGeometry>
      <gml:LineString><gml:posList>-0.1 0.0 0.1 0.0</gml:posList></gml:LineString>
      <dip>90.0</dip>
      <upperSeismoDepth>2.0</upperSeismoDepth>
      <lowerSeismoDepth>10.0</lowerSeismoDepth>
    </simpleFaultGeometry>
  </simpleFaultRupture>
</nrml>
"""
IMTS = ("PGA", "PGV", "SA(0.5)")
BOORE = {"GWM": toml(**GWM), "Boore": "[BooreEtAl2014]"}
SITES = "0 0.1, 0 0.3, 0.2 0.5"
#: Lines of the classical job that other modes do not take.
NO_SOURCES = dict.fromkeys(
    (
        "source_model_logic_tree_file",
        "investigation_time",
        "width_of_mfd_bin",
        "individual_rlzs",
        "poes",
        "intensity_measure_types_and_levels",
    )
)


def scenario(oq: OpenQuake, folder: Path, branches: Any = None, **more: Any) -> Path:
    """A scenario job of 4 fields a branch at 3 sites; returns the job.ini."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rupture.xml").write_text(RUPTURE)
    changes = {
        "calculation_mode": "scenario",
        "rupture_model_file": "rupture.xml",
        "intensity_measure_types": ", ".join(IMTS),
        "number_of_ground_motion_fields": 4,
        "ses_seed": 7,
        "rupture_mesh_spacing": 0.5,
        "sites": SITES,
    }
    return oq.job(folder, branches or BOORE, **(NO_SOURCES | changes | more))


def event_based(oq: OpenQuake, folder: Path, branches: Any = None, **more: Any) -> Path:
    """An event-based job with hazard curves from fields; returns the job.ini."""
    changes = {
        "calculation_mode": "event_based",
        "ses_per_logic_tree_path": 20,
        "ses_seed": 5,
        "sites": "0 0, 0.1 0.4",
        "ground_motion_fields": "true",
        "hazard_curves_from_gmfs": "true",
        "minimum_intensity": '{"default": 0.02}',
    }
    return oq.job(folder, branches or BOORE, **(changes | more))


def stored(oq: OpenQuake, run: Any) -> pd.DataFrame:
    """gmf_data with the realization of each event, in one order."""
    assert run.code == 0, run.text
    with oq.datastore(run) as dstore:
        table = dstore.read_df("gmf_data")
        table["rlz"] = dstore["events"]["rlz_id"][table.eid]
    return table.sort_values(["eid", "sid"], ignore_index=True)


def measured(table: pd.DataFrame, conditions: dict[str, Any], seed: int) -> np.ndarray:
    """Measures of waveforms drawn anew, by nothing but keys and conditions: (n, n_imts)."""
    model = load_model("stochastic", "cpu")
    noise = Noise(seed, table.eid.to_numpy(), table.sid.to_numpy(), 0)
    out = np.empty((len(table), len(IMTS)))
    for rows, acc in model.batches(Scenarios(**conditions), noise, batch_size=5):
        out[rows] = intensity_measures_array(acc, model.dt_s, IMTS)
    return out


@pytest.fixture(scope="module")
def scenario_run(oq: OpenQuake, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return oq.run(scenario(oq, tmp_path_factory.mktemp("scenario")))


@pytest.fixture(scope="module")
def event_run(oq: OpenQuake, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return oq.run(event_based(oq, tmp_path_factory.mktemp("event_based")))


def test_scenario_stores_measures_of_waveforms(oq: OpenQuake, scenario_run: Any) -> None:
    table = stored(oq, scenario_run)
    assert len(table) == 2 * 4 * 3
    gwm = table[table.rlz == 0]
    # A vertical fault on the equator, top at 2 km: distances by hand (a degree is 111.2 km).
    degree = 6371.0 * np.pi / 180.0
    beyond = np.array([0.0, 0.0, 0.1]) * degree
    rrup = np.sqrt((np.array([0.1, 0.3, 0.5]) * degree) ** 2 + beyond**2 + 2.0**2)
    conditions = {
        "mag": 6.5,
        "rrup": rrup[gwm.sid.to_numpy()],
        "vs30": 400.0,
        "hypo_depth": 6.0,
    }
    expected = measured(gwm, conditions, seed=7)
    np.testing.assert_allclose(gwm[list(IMTS)], expected, rtol=5e-3)  # mesh of the surface


def test_event_based_hazard_curves_come_from_the_fields(oq: OpenQuake, event_run: Any) -> None:
    table = stored(oq, event_run)
    assert set(table.rlz) == {0, 1}
    with oq.datastore(event_run) as dstore:
        param = dstore["oqparam"]
        curves = dstore["hcurves-rlzs"][:]  # (N, R, M, L)
        sigma = dstore.read_df("gmf_data/sigma_epsilon")
        events = dstore["events"][:]
    for rlz in (0, 1):
        for site in (0, 1):
            part = table[(table.rlz == rlz) & (table.sid == site)]
            for m, imt in enumerate(param.imtls):
                counts = (part[imt].to_numpy()[:, None] > param.imtls[imt]).sum(axis=0)
                np.testing.assert_allclose(
                    curves[site, rlz, m], -np.expm1(-counts / 20.0), rtol=1e-5, atol=1e-7
                )
    assert (table[list(param.imtls)].max(axis=1) >= 0.02).all()  # minimum_intensity
    of_gwm = np.isin(sigma.eid, events["id"][events["rlz_id"] == 0])
    assert sigma["eps_inter_PGA"][of_gwm].isna().all()
    assert sigma["eps_inter_PGA"][~of_gwm].notna().all()
    assert sigma["sig_inter_PGA"].between(0.2, 0.9).all()


def test_two_workers_give_the_same_fields(oq: OpenQuake, event_run: Any, tmp_path: Path) -> None:
    run = oq.run(event_based(oq, tmp_path), distribute="processpool")
    pd.testing.assert_frame_equal(stored(oq, run), stored(oq, event_run), check_exact=True)
    assert "Sent" in run.text


# The computer itself, in this process


@pytest.fixture(scope="module")
def gsim(tiny_surface: Path) -> GenerativeWaveformGMM:
    return GenerativeWaveformGMM(surface_file=str(tiny_surface))


def computers(
    gsims: list[Any], seed: int = 3, n_occ: int = 60, correlation: Any = None, **options: Any
) -> list[Any]:
    """OpenQuake's computer and ours for one rupture, its events spread over the GSIMs."""
    rlzs_by_gsim = {g: np.array([i], np.uint32) for i, g in enumerate(gsims)}
    params = Mock(reference_vs30_value=400.0, req_site_params={"vs30"})
    sites = SiteCollection.from_points([0.0, 0.0, 0.3], [0.1, 0.3, 0.5], sitemodel=params)
    out = []
    for cls in (GmfComputer, fields.WaveformGmfComputer):
        cmaker = simple_cmaker(rlzs_by_gsim, list(IMTS), truncation_level=3.0)
        if not hasattr(cmaker, "gmf_mon"):
            cmaker.init_monitoring(Monitor())
        if not isinstance(getattr(ContextMaker, "scenario", None), property):
            cmaker.scenario = False
        defaults = {"mea_tau_phi": False, "ses_seed": 8, "calculation_mode": "event_based"}
        vars(cmaker.oq).update(defaults | options)
        rupture = build_planar(Point(0.0, 0.0, 8.0), mag=6.4, rake=0.0)
        ebr = EBRupture(rupture, 0, 0, n_occ=n_occ, id=1, e0=100)
        ebr.seed = seed
        out.append(cls(ebr, sites, cmaker, correlation))
    return out


def test_other_branches_are_those_of_openquake_bit_for_bit(gsim: Any) -> None:
    """The same random numbers, before and after a branch with waveforms."""
    gsims = [valid.gsim("BooreEtAl2014"), gsim]
    plain, ours = (c.compute_all() for c in computers(gsims))
    pd.testing.assert_frame_equal(
        ours[ours.rlz == 0].reset_index(), plain[plain.rlz == 0].reset_index(), check_exact=True
    )
    assert not np.allclose(ours.PGA[ours.rlz == 1], plain.PGA[plain.rlz == 1])


def test_lognormal_fields_are_openquakes_with_its_correlation_models(tiny_surface: Path) -> None:
    gsim = GenerativeWaveformGMM(surface_file=str(tiny_surface), fields="lognormal")
    model = JB2009CorrelationModel(vs30_clustering=True)
    plain, ours = (c.compute_all() for c in computers([gsim], correlation=model))
    pd.testing.assert_frame_equal(ours, plain, check_exact=True)
    # sites 22 km apart: correlated more than by the shared event alone
    _, alone = (c.compute_all() for c in computers([gsim], n_occ=6000))
    _, together = (c.compute_all() for c in computers([gsim], n_occ=6000, correlation=model))

    def between(table: Any) -> float:
        ln = np.log(table.sort_values(["eid", "sid"])["SA(0.5)"].to_numpy().reshape(-1, 3))
        return float(np.corrcoef(ln.T)[0, 1])

    assert between(together) > between(alone) + 0.04
    with pytest.raises(ValueError, match="fields = 'other'"):
        GenerativeWaveformGMM(fields="other")


def test_moments_of_the_fields_are_those_of_the_model() -> None:
    """400 events at 3 sites: mean, total and between-event terms of ln PGA."""
    n = 400
    gsim = GenerativeWaveformGMM(estimator="direct", realizations=n)
    (_, computer) = computers([gsim], n_occ=n)
    table = computer.compute_all().sort_values(["eid", "sid"])
    ln = np.log(table.PGA.to_numpy().reshape(n, 3))
    expected = distribution(gsim, computer.ctx, ("PGA",))
    # Four standard errors of the two samples.
    np.testing.assert_allclose(ln.mean(axis=0), expected.mean[:, 0], atol=0.17)
    np.testing.assert_allclose(ln.std(axis=0), expected.sigma[:, 0], rtol=0.2)
    shared = np.sqrt([np.cov(ln[:, i], ln[:, j])[0, 1] for i, j in ((0, 1), (0, 2), (1, 2))])
    np.testing.assert_allclose(shared.mean(), expected.tau.mean(), rtol=0.25)
    assert expected.tau.min() > 0.2


def test_measures_of_one_record_go_together(gsim: Any) -> None:
    """PGA and PGV of a pair share a record: their residuals are strongly correlated."""
    plain, ours = (c.compute_all() for c in computers([gsim], n_occ=120))
    for table, low, high in ((ours, 0.5, 0.95), (plain, -0.3, 0.3)):
        ln = np.log(table[table.sid == 0][["PGA", "PGV"]].to_numpy())
        assert low < np.corrcoef(ln.T)[0, 1] < high


class OneHorizontal(StochasticModel):
    """The stochastic model, of which only the first horizontal is seen."""

    def __init__(self) -> None:
        super().__init__()
        self.card = replace(self.card, components=("H1",))

    def draw(self, scenarios: Scenarios, noise: Noise) -> Any:
        return super().draw(scenarios, noise)[:, :1]


def test_fields_of_a_model_with_one_component(gsim: Any, monkeypatch: Any) -> None:
    """The measures of its horizontal, times the published ratio of RotD50."""
    monkeypatch.setattr(event_draws, "model_of", lambda *_: OneHorizontal())
    (_, computer) = computers([gsim], n_occ=4)
    table = computer.compute_all().sort_values(["eid", "sid"])
    draws = event_draws.draws_of(gsim, computer.ctx, table.eid.unique(), 8)
    model = StochasticModel()
    expected = np.empty((len(table), len(IMTS)))
    for rows, acc in model.batches(draws.scenarios, draws.noise):
        expected[rows] = intensity_measures_array(acc, model.dt_s, IMTS, "H1")
    expected *= np.exp([ln_rotd50_ratio(i) for i in IMTS])
    np.testing.assert_allclose(table[list(IMTS)], expected, rtol=1e-5)


def test_estimator_does_not_matter(gsim: Any) -> None:
    direct = GenerativeWaveformGMM(estimator="direct", realizations=4)
    a, b = (computers([g], n_occ=3)[1].compute_all() for g in (gsim, direct))
    pd.testing.assert_frame_equal(a, b, check_exact=True)


def test_seed_of_the_job_counts(gsim: Any) -> None:
    tables = [
        computers([gsim], n_occ=3, ses_seed=s, seed=r)[1].compute_all()
        for s, r in ((8, 3), (9, 3), (8, 4))
    ]
    assert (tables[0].PGA != tables[1].PGA).all()
    np.testing.assert_array_equal(tables[0].PGA, tables[2].PGA)  # the event id is the key


def test_a_condition_without_a_word_in_openquake_is_drawn_once_an_event() -> None:
    """Its prior is uniform; the sites of an event share the value."""
    card = ToyModel().card
    card = replace(card, conditions=(*card.conditions, Range("azimuthal_gap", 40.0, 280.0)))
    gsim: Any = SimpleNamespace(
        conditioning=conditioning_of(card), card=card, out_of_range="clip", _gmm=None
    )
    ctx = np.rec.fromarrays(
        [[6.1, 6.1], [10.0, 20.0], [400.0, 300.0], [4, 9]], names="mag,rrup,vs30,sids"
    )
    draws = event_draws.draws_of(gsim, ctx, np.arange(400), seed=1)
    gap = draws.scenarios["azimuthal_gap"].reshape(400, 2)
    assert (gap[:, 0] == gap[:, 1]).all()
    assert kstest(gap[:, 0], "uniform", (40.0, 240.0)).pvalue > 0.01
    assert draws.scenarios["rrup"].reshape(400, 2)[7].tolist() == [10.0, 20.0]
    assert draws.noise.site[:2].tolist() == [4, 9]
    for values in draws.scenarios.values():
        np.testing.assert_array_equal(values, np.float32(values))


def test_within_another_gsim_fields_are_openquakes() -> None:
    inner = {"GenerativeWaveformGMM": {"estimator": "direct", "realizations": 4}}
    scaled = {"gmpe": inner, "set_scale_median_scalar": {"scaling_factor": 2.0}}
    wrapped = valid.gsim(toml_dumps({"ModifiableGMPE": scaled}))
    plain, ours = (c.compute_all() for c in computers([wrapped], n_occ=5))
    pd.testing.assert_frame_equal(ours, plain, check_exact=True)


def test_median_fields_are_openquakes(gsim: Any) -> None:
    pair = computers([gsim], n_occ=2)
    for computer in pair:
        for name in ("", "_between", "_within"):
            setattr(computer.cmaker, f"truncation_level{name}", 0.0)
    plain, ours = (c.compute_all() for c in pair)
    pd.testing.assert_frame_equal(ours, plain, check_exact=True)


def test_extreme_values_are_kept(gsim: Any) -> None:
    limit = np.full(len(IMTS), 1e-3)
    tables = []
    for computer in computers([gsim], n_occ=4):
        if "max_iml" in signature(GmfComputer.compute_all).parameters:  # until 3.25
            tables.append(computer.compute_all(None, limit))
        else:
            computer.cmaker.oq.get_max_iml = lambda: limit
            tables.append(computer.compute_all())
    capped, kept = tables
    assert (kept.PGA > 1e-3).all()
    assert capped.groupby("sid").PGA.nunique().max() == 1  # all at the median: what we avoid


@pytest.mark.parametrize("model", [StochasticModel, OneHorizontal])
def test_fields_in_the_geometric_mean(gsim: Any, monkeypatch: Any, model: Any) -> None:
    """Of the two horizontals; of one, its own measure, whose ln has the same mean."""
    monkeypatch.setattr(event_draws, "model_of", lambda *_: model())
    (_, computer) = computers([gsim], n_occ=4, horiz_comp_to_geom_mean=True)
    table = computer.compute_all().sort_values(["eid", "sid"])
    draws = event_draws.draws_of(gsim, computer.ctx, table.eid.unique(), 8)
    expected = np.empty((len(table), len(IMTS)))
    for rows, acc in StochasticModel().batches(draws.scenarios, draws.noise):
        first, second = (intensity_measures_array(acc, 0.01, IMTS, c) for c in ("H1", "H2"))
        expected[rows] = first if model is OneHorizontal else np.sqrt(first * second)
    np.testing.assert_allclose(table[list(IMTS)], expected, rtol=1e-5)


def test_nothing_is_drawn_where_minimum_intensity_drops_it(gsim: Any, monkeypatch: Any) -> None:
    """What is stored is the same; the farthest site, all of whose measures stay below, is left."""
    drawn: list[int] = []
    original = StochasticModel.draw

    def draw(self: Any, scenarios: Scenarios, noise: Noise) -> Any:
        drawn.extend(noise.site.tolist())
        return original(self, scenarios, noise)

    monkeypatch.setattr(StochasticModel, "draw", draw)
    bounded, unbounded = (computers([gsim], n_occ=40)[1] for _ in range(2))
    moments = distribution(gsim, bounded.ctx, IMTS)
    # just beyond the bound at the farthest site: within 2 sigma at the next, 22 km nearer
    least = np.exp(moments.mean[2] + (event_draws.BOUND + 0.01) * moments.sigma[2])
    assert (np.exp(moments.mean[1] + 3 * moments.sigma[1]) > least).any()
    for computer in (bounded, unbounded):
        computer.cmaker.min_iml = least
    table = bounded.compute_all()
    assert set(drawn) == {0, 1} and len(drawn) == 80
    monkeypatch.setattr(event_draws, "BOUND", np.inf)
    pd.testing.assert_frame_equal(table, unbounded.compute_all(), check_exact=True)
    assert len(drawn) == 80 + 120
    assert 0 < len(table) < 80


def test_bound_of_what_is_drawn() -> None:
    """mean + 4 sigma against the minimum, of any measure; more scatter where one is drawn."""
    moments = np.zeros((4, 2, 3))
    moments[0] = [[-3.0, -4.1, -4.1], [-9.0, -9.0, -3.9]]
    moments[1] = 1.0
    card = SimpleNamespace(components=("H1", "H2", "V"))
    two: Any = SimpleNamespace(card=card)
    found = event_draws.reaching(two, ["PGA", "SA(1.0)"], moments, np.ones(2))
    assert found.tolist() == [True, False, True]
    card.components = ("H1",)  # sigma of a component: sqrt(1 + 0.166^2), times four 4.055
    assert event_draws.reaching(two, ["PGA", "SA(1.0)"], moments, np.ones(2))[1] == (4.055 > 4.1)
    moments[0, 0, 1] = -4.05
    assert event_draws.reaching(two, ["PGA", "SA(1.0)"], moments, np.ones(2))[1]


def test_mean_tau_phi_are_stored_where_asked_for(gsim: Any) -> None:
    plain, ours = computers([gsim], n_occ=2, mea_tau_phi=True)
    gsim.gid = 0
    for computer in (plain, ours):
        computer.cmaker.gid = [0]
        computer.compute_all()
    np.testing.assert_allclose(np.array(ours.mea_tau_phi), np.array(plain.mea_tau_phi))
    np.testing.assert_array_equal(ours.sig, plain.sig)


# What the log says, and what is refused


def job(**changes: Any) -> Any:
    defaults = {
        "inputs": {},
        "truncation_level": 3.0,
        "extreme_gmv": {"default": np.inf},
        "ground_motion_correlation_model": None,
        "horiz_comp_to_geom_mean": False,
        "min_iml": np.full(1, 1e-10),
        "truncation_level_between": None,
        "truncation_level_within": None,
    }
    return Mock(spec_set=list(defaults), **(defaults | changes))


def direct_gsim() -> GenerativeWaveformGMM:
    return GenerativeWaveformGMM(estimator="direct", realizations=4)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "truncation_level = 3 in fields: waveforms are not truncated"),
        ({"extreme_gmv": {"PGA": 5.0, "default": np.inf}}, "ignores extreme_gmv"),
        ({"truncation_level": 0.0}, "medians, and no waveforms"),
        (
            {"truncation_level_between": 0.0, "truncation_level_within": 0.0},
            "truncation_level = 0: fields of GenerativeWaveformGMM are its medians",
        ),
        (
            {"truncation_level_between": 0.0, "truncation_level_within": 2.0},
            "truncation_level_within = 2 in fields: waveforms are not truncated",
        ),
    ],
)
def test_the_log_says_what_does_not_apply(gsim: Any, caplog: Any, changes: Any, words: str) -> None:
    fields.check_job(job(**changes), [gsim])
    assert words in caplog.text
    caplog.clear()
    fields.check_job(job(**changes), [valid.gsim("BooreEtAl2014")])
    assert caplog.text == ""


def test_the_log_says_how_sites_are_correlated(gsim: Any, caplog: Any) -> None:
    caplog.set_level("INFO", logger="gwm_hazard")
    jb2009 = job(ground_motion_correlation_model="JB2009")
    fields.check_job(jb2009, [gsim])
    assert "spatial correlation of model 'stochastic': JB2009" in caplog.text
    assert "ignores ground_motion" not in caplog.text
    without = GenerativeWaveformGMM(estimator="direct", realizations=4, spatial_correlation="none")
    fields.check_job(jb2009, [without])
    assert "independent between sites, as spatial_correlation = " in caplog.text
    caplog.clear()
    stations = job(inputs={"station_data": "s.csv"})
    fields.check_job(stations, [gsim, without])
    if releases.CONDITIONS:
        assert "conditioned on records; spatial correlation JB2009-clustered" in caplog.text
    assert "conditioned fields are sampled from the lognormal moments" in caplog.text


def test_the_log_says_what_is_drawn_in_vain(caplog: Any) -> None:
    assert fields.check_job(job(min_iml=np.full(1, 0.05)), [direct_gsim()])
    assert "also those that minimum_intensity drops" in caplog.text


def test_what_waveforms_cannot_do_is_refused(gsim: Any) -> None:
    amplified = job(inputs={"amplification": "a.csv"})
    with pytest.raises(ValueError, match=r"amplification_csv.*take it out"):
        fields.check_job(amplified, [gsim])
    assert not fields.check_job(amplified, [valid.gsim("BooreEtAl2014")])


@pytest.mark.parametrize("name", ["GmfComputer", "run"])
def test_an_unknown_openquake_is_left_alone(caplog: Any, name: str) -> None:
    module = SimpleNamespace(GmfComputer=GmfComputer, run=lambda func, oq: None)
    if name == "GmfComputer":
        module.GmfComputer = type("Other", (), {})
    before = dict(vars(module))
    assert not fields.install(module)
    assert vars(module) == before
    assert f"is not supported by gwm_hazard ({'event_based.' * (name == 'GmfComputer')}{name})" in (
        caplog.text
    )


def test_supported_openquake_is_extended() -> None:
    from openquake.calculators import event_based as module

    assert module.GmfComputer is fields.WaveformGmfComputer


# The work ahead


def test_work_is_said_when_the_job_starts(oq: OpenQuake, scenario_run: Any, event_run: Any) -> None:
    assert "about 12 waveforms for 4 events (12 pairs of event and site" in scenario_run.text
    with oq.datastore(event_run) as dstore:
        oq_param, trees = dstore["oqparam"], fields.logic_trees(dstore)
        work = estimate(oq_param, dstore, trees)
        events = dstore["events"][:]
    n = len(events)
    # half of the realizations, give or take four standard deviations of a coin
    assert work is not None
    assert abs(work.events - (events["rlz_id"] == 0).sum()) < 2 * np.sqrt(n)
    assert work.events == n / 2
    assert work.waveforms <= work.pairs <= 2 * work.events
    stored_rows = (stored(oq, event_run).rlz == 0).sum()
    assert 0.9 * stored_rows < work.waveforms
    assert work.seconds is None  # too few to be worth it


def test_time_of_much_work(oq: OpenQuake, event_run: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(workload, "WORTH_TIMING", 1)
    with oq.datastore(event_run) as dstore:
        work = estimate(dstore["oqparam"], dstore, fields.logic_trees(dstore))
    assert work is not None and work.seconds is not None
    assert 1e-5 < work.seconds < 1.0
    text = str(replace(work, waveforms=72_340.0, seconds=0.1))
    assert text.startswith("about 72,000 waveforms")
    assert text.endswith(": 2 h of one process, shared by the workers")


def test_an_estimate_that_fails_takes_no_job_down(caplog: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(fields, "logic_trees", lambda _: [None])
    fields._say_workload(None, {})
    assert "cannot be estimated" in caplog.text


def test_progress_of_a_process(caplog: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(progress, "EVERY_S", 0.0)
    caplog.set_level("INFO")
    made = progress.Progress()
    made.add(1200)
    made.add(34)
    assert "1,234 waveforms drawn for fields" in caplog.text


# The catalogue of a finished calculation


@pytest.mark.parametrize("store", ["keys", "waveforms"])
def test_catalogue_returns_the_waveform_of_each_event_and_site(
    oq: OpenQuake, event_run: Any, tmp_path: Path, store: str
) -> None:
    table = stored(oq, event_run)
    gwm = table[table.rlz == 0].set_index(["eid", "sid"])
    path = oq.home / f"calc_{event_run.calc_id}.hdf5"
    done = oq.gwm_hazard("catalogue", path, "-o", "c.h5", "--store", store, cwd=tmp_path)
    assert done.code == 0, done.text
    assert f"{len(gwm)} records, store = {store}" in done.text
    with open_catalogue(tmp_path / "c.h5") as data:
        assert data.attrs["calculation_id"] == str(event_run.calc_id)
        pairs = list(zip(data["event"].values, data["site"].values, strict=True))
        assert pairs == list(gwm.index)
        imts = [name for name in data.data_vars if name != "acceleration"]
        again = intensity_measures(data, imts)
        for imt in imts:
            np.testing.assert_allclose(again[imt], gwm[imt], rtol=1e-5)
            np.testing.assert_allclose(data[imt], gwm[imt], rtol=1e-5)
        indexed = data.set_index(record=["event", "site"])
        pair = pairs[len(pairs) // 2]
        one = indexed["acceleration"].sel(record=pair).values
        pga = intensity_measures_array(one[None], data.attrs["dt_s"], ["PGA"])[0, 0]
        assert pga == pytest.approx(gwm.PGA[pair], rel=1e-5)


def test_catalogue_filters(oq: OpenQuake, scenario_run: Any, tmp_path: Path) -> None:
    table = stored(oq, scenario_run)
    gwm = table[table.rlz == 0]
    least = float(gwm.PGA.median())
    events = sorted(gwm.eid.unique())[1:]
    with oq.datastore(scenario_run) as dstore:
        made = calculation.Calculation(dstore, sites=[0, 1], events=events, minimum={"PGA": least})
    wanted = gwm[gwm.sid.isin([0, 1]) & gwm.eid.isin(events) & (least <= gwm.PGA)]
    assert 0 < len(wanted) < len(gwm)
    assert list(zip(made.eid, made.sid, strict=True)) == list(
        zip(wanted.eid, wanted.sid, strict=True)
    )


def test_catalogue_with_further_measures(oq: OpenQuake, scenario_run: Any, tmp_path: Path) -> None:
    table = stored(oq, scenario_run)
    event = table.eid[table.rlz == 0].min()
    with oq.datastore(scenario_run) as dstore:
        n = calculation.write(
            dstore, tmp_path / "c.h5", store="keys", events=[event], further=["RSD595", "PGA"]
        )
    assert n == {tmp_path / "c.h5": 3}
    with open_catalogue(tmp_path / "c.h5") as data:
        assert list(data.data_vars) == [*IMTS, "RSD595", "acceleration"]
        again = intensity_measures(data, ["RSD595"])
        np.testing.assert_allclose(data["RSD595"], again["RSD595"], rtol=1e-6)
        np.testing.assert_allclose(data["lat"], [0.1, 0.3, 0.5])


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ({"sites": [99]}, "no record is left by the filters; of 24 stored, 12 are measures"),
        ({"realizations": [1]}, "no record is left"),
        ({"minimum": {"SA(9.0)": 0.1}}, r"SA\(9\.0\): not a measure of the job; it has PGA"),
    ],
)
def test_filters_that_leave_nothing(
    oq: OpenQuake, scenario_run: Any, filters: Any, words: str
) -> None:
    with oq.datastore(scenario_run) as dstore, pytest.raises(ValueError, match=words):
        calculation.Calculation(dstore, **filters)


def test_fields_of_another_model_are_found(
    oq: OpenQuake, scenario_run: Any, monkeypatch: Any
) -> None:
    original = StochasticModel.draw
    monkeypatch.setattr(StochasticModel, "draw", lambda self, *a: 1.001 * original(self, *a))
    with oq.datastore(scenario_run) as dstore:
        made = calculation.Calculation(dstore)
        with pytest.raises(ValueError, match=r"12 of 12 records .*event \d, site 0: PGA of"):
            made.check()


def test_several_models_have_a_catalogue_each(oq: OpenQuake, tmp_path: Path) -> None:
    save_model(load_model("stochastic", "cpu"), tmp_path / "mine")
    card = json.loads((tmp_path / "mine" / "card.json").read_text())
    (tmp_path / "mine" / "card.json").write_text(json.dumps(card | {"name": "mine"}))
    branches = {
        "a": toml(**GWM),
        "b": toml(model="mine", estimator="direct", realizations=4),
        "c": "[BooreEtAl2014]",
    }
    run = oq.run(scenario(oq, tmp_path, branches))
    table = stored(oq, run)
    with oq.datastore(run) as dstore:
        with pytest.raises(ValueError, match=r"different models \(.*mine, stochastic\)"):
            calculation.Calculation(dstore)
        files = calculation.write(dstore, tmp_path / "c.h5", store="keys")
        only = calculation.write(dstore, tmp_path / "d.h5", store="keys", realizations=[1])
    assert files == {tmp_path / "c_stochastic.h5": 12, tmp_path / "c_mine.h5": 12}
    assert only == {tmp_path / "d_mine.h5": 12}
    for rlz, name in enumerate(("stochastic", "mine")):
        with open_catalogue(tmp_path / f"c_{name}.h5") as data:
            assert data.attrs["model"] == name
            np.testing.assert_array_equal(data["PGA"], table.PGA[table.rlz == rlz])


@pytest.mark.parametrize(
    ("status", "words"),
    [
        ("executing", "did not finish .OpenQuake's status: executing.*run the job again"),
        ("failed", "did not finish .OpenQuake's status: failed"),
        (None, "holds no ground-motion fields: it did not finish, or all are below"),
    ],
)
def test_calculation_that_did_not_finish(
    oq: OpenQuake, scenario_run: Any, tmp_path: Path, monkeypatch: Any, status: Any, words: str
) -> None:
    """What a killed job leaves: no mean field, no rows, and its status in the database."""
    from openquake.commonlib import datastore, logs

    path = tmp_path / f"calc_{scenario_run.calc_id}.hdf5"
    shutil.copy(oq.home / path.name, path)
    with h5py.File(path, "a") as file:
        del file["avg_gmf"]
        for name in ("eid", "sid", *IMTS):
            file[f"gmf_data/{name}"].resize((0,))
    row = SimpleNamespace(status=status, ds_calc_dir=str(path.with_suffix("")))
    monkeypatch.setattr(logs, "dbcmd", lambda *_: row if status else None)
    with datastore.read(str(path)) as dstore, pytest.raises(ValueError, match=words):
        calculation.Calculation(dstore)


def test_catalogue_in_the_component_of_the_job(oq: OpenQuake, tmp_path: Path) -> None:
    run = oq.run(scenario(oq, tmp_path, horiz_comp_to_geom_mean="true"))
    gwm = stored(oq, run).query("rlz == 0")
    with oq.datastore(run) as dstore:
        calculation.write(dstore, tmp_path / "c.h5", store="keys", further=["SA(1.0)"])
    with open_catalogue(tmp_path / "c.h5") as data:
        assert {data[i].attrs["component"] for i in data.data_vars if i != "acceleration"} == {
            "geometric_mean"
        }
        again = intensity_measures(data, [*IMTS, "SA(1.0)"], component="geometric_mean")
        for imt in IMTS:
            np.testing.assert_allclose(again[imt], gwm[imt], rtol=1e-5)
        np.testing.assert_allclose(again["SA(1.0)"], data["SA(1.0)"], rtol=1e-5)
        assert not np.allclose(intensity_measures(data, ["PGA"])["PGA"], gwm.PGA, rtol=1e-3)


def test_no_such_calculation(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="no such calculation file"):
        datastore.read(tmp_path / "calc_7.hdf5")


# Risk

EXPOSURE = """<?xml version="1.0" encoding="utf-8"?>
<nrml xmlns="http://openquake.org/xmlns/nrml/0.5">
  <exposureModel id="e" category="buildings" taxonomySource="none">
    <description>two buildings</description>
    <conversions><costTypes>
      <costType name="structural" type="aggregated" unit="USD"/>
    </costTypes></conversions>
    <assets>
      <asset id="a" number="1" taxonomy="t"><location lon="0.0" lat="0.0"/>
        <costs><cost type="structural" value="1000"/></costs></asset>
      <asset id="b" number="1" taxonomy="t"><location lon="0.1" lat="0.4"/>
        <costs><cost type="structural" value="3000"/></costs></asset>
    </assets>
  </exposureModel>
</nrml>
"""
VULNERABILITY = """<?xml version="1.0" encoding="utf-8"?>
<nrml xmlns="http://openquake.org/xmlns/nrml/0.5">
  <vulnerabilityModel id="v" assetCategory="buildings" lossCategory="structural">
    <description>no uncertainty</description>
    <vulnerabilityFunction id="t" dist="LN">
      <imls imt="SA(0.5)">0.01 0.1 0.3 1.0 3.0</imls>
      <meanLRs>0.001 0.01 0.1 0.5 0.9</meanLRs>
      <covLRs>0 0 0 0 0</covLRs>
    </vulnerabilityFunction>
  </vulnerabilityModel>
</nrml>
"""


def test_risk_takes_our_fields(oq: OpenQuake, tmp_path: Path) -> None:
    """Losses of every event, from the stored fields by hand."""
    (tmp_path / "exposure.xml").write_text(EXPOSURE)
    (tmp_path / "vulnerability.xml").write_text(VULNERABILITY)
    ini = event_based(
        oq,
        tmp_path,
        calculation_mode="event_based_risk",
        sites=None,
        hazard_curves_from_gmfs=None,
        intensity_measure_types_and_levels=None,
        poes=None,
        minimum_intensity=None,
        exposure_file="exposure.xml",
        structural_vulnerability_file="vulnerability.xml",
    )
    run = oq.run(ini)
    table = stored(oq, run)
    with oq.datastore(run) as dstore:
        losses = dstore.read_df("risk_by_event")
        assert dstore["oqparam"].calculation_mode == "event_based_risk"
        sites = dstore["sitecol"]
        value = np.where(np.isclose(sites.lons, 0.0), 1000.0, 3000.0)
    ratios = np.interp(table["SA(0.5)"], [0.01, 0.1, 0.3, 1.0, 3.0], [0.001, 0.01, 0.1, 0.5, 0.9])
    ratios[table["SA(0.5)"] < 0.01] = 0.0
    table["loss"] = ratios * value[table.sid]
    expected = table.groupby("eid").loss.sum()
    total = losses[losses.agg_id == losses.agg_id.max()].groupby("event_id").loss.sum()
    assert len(total) > 50
    np.testing.assert_allclose(total, expected[total.index], rtol=1e-4)
    of_gwm = table[table.rlz == 0]
    assert len(of_gwm) > 20
