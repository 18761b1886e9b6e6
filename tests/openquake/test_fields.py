"""Ground-motion fields of event-based and scenario jobs are the measures of drawn waveforms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.models.registry import load_model
from gwm_hazard.noise import Noise
from gwm_hazard.scenario import Scenarios
from tests.openquake.conftest import GWM, OpenQuake, toml

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
    assert sigma["sig_inter_PGA"].between(0.2, 0.6).all()


def test_two_workers_give_the_same_fields(oq: OpenQuake, event_run: Any, tmp_path: Path) -> None:
    run = oq.run(event_based(oq, tmp_path), distribute="processpool")
    pd.testing.assert_frame_equal(stored(oq, run), stored(oq, event_run), check_exact=True)
    assert "Sent" in run.text
