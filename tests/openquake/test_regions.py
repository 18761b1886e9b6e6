"""A branch in two tectonic regions of two source models, without curves of the realizations.

Truth: a second job that keeps the curves of its realizations, and moments from OpenQuake.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from openquake.hazardlib.contexts import read_cmakers, read_ctx_by_grp
from openquake.hazardlib.map_array import compute_hazard_maps
from scipy.stats import truncnorm

from gwm_hazard.catalogue.store import open_catalogue
from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.openquake.curves import Curves
from gwm_hazard.openquake.gsim import GenerativeWaveformGMM
from gwm_hazard.openquake.rates import branches
from gwm_hazard.openquake.site_hazard import site_hazard
from tests.openquake.jobs import BRANCH, GWM, LOGIC_TREE, POINT, OpenQuake, Run, toml

SHALLOW, SLAB = "Active Shallow Crust", "Subduction IntraSlab"
GROUP = """<sourceGroup rup_interdep="indep" src_interdep="indep" tectonicRegion="{trt}">{points}
</sourceGroup>"""
MODEL = """<?xml version="1.0" encoding="utf-8"?>
<nrml xmlns="http://openquake.org/xmlns/nrml/0.5" xmlns:gml="http://www.opengis.net/gml">
<sourceModel name="{name}">{groups}</sourceModel></nrml>
"""


def prepare(oq: OpenQuake, folder: Path, **more: Any) -> Path:
    """Two source models with a shallow and a slab source each; GWM and another GMM in both."""
    ini = oq.job(folder, horiz_comp_to_geom_mean="true", sites="0 0, 0.1 0.1", **more)
    for name, rates in (("a", "0.01 0.006 0.004 0.002"), ("b", "0.02 0.002 0.001")):
        # Depths from 25 to 45 km, of which the tiny surface ends at 30; magnitudes from 5.7.
        near = POINT.format(name="near", lon=0.2, mag=5.7, rates=rates)
        deep = POINT.format(name="deep", lon=-0.3, mag=6.3, rates=rates).replace(SHALLOW, SLAB)
        deep = deep.replace(">20<", ">60<").replace('depth="8"', 'depth="45"')
        groups = GROUP.format(trt=SHALLOW, points=near) + GROUP.format(trt=SLAB, points=deep)
        (folder / f"{name}.xml").write_text(MODEL.format(name=name, groups=groups))
    models = "".join(
        BRANCH.format(name=n, text=f"{n}.xml", weight=w) for n, w in (("a", 0.6), ("b", 0.4))
    )
    (folder / "ssm.xml").write_text(LOGIC_TREE.format(kind="sourceModel", branches=models))
    sets = []
    for trt, other in ((SHALLOW, "[BooreEtAl2014]"), (SLAB, "[ParkerEtAl2020SSlab]")):
        both = BRANCH.format(name=f"GWM {trt}", text=toml(**GWM), weight=0.7)
        both += BRANCH.format(name=f"other {trt}", text=other, weight=0.3)
        kind = f'gmpeModel" applyToTectonicRegionType="{trt}'
        tree = LOGIC_TREE.format(kind=kind, branches=both).replace('"bs1"', f'"{trt[:6]}"')
        sets.append(re.search(r"<logicTreeBranchSet.*</logicTreeBranchSet>", tree, re.DOTALL)[0])
    (folder / "gmm.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8"?><nrml xmlns="http://openquake.org/xmlns/nrml/0.5">'
        f'<logicTree logicTreeID="lt">{"".join(sets)}</logicTree></nrml>'
    )
    return ini


@pytest.fixture(scope="module")
def finished(oq: OpenQuake, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("regions")
    run = oq.run(
        prepare(
            oq,
            folder,
            individual_rlzs="false",
            reference_depth_to_2pt5km_per_sec=0.6,
            postproc_func="gwm_hazard.waveforms",
            postproc_args='{"imt": "SA(0.5)", "waveforms": 4}',
        )
    )
    assert run.code == 0 and "stopped" not in run.text, run.text
    return folder / "output", run


@pytest.fixture(scope="module")
def kept(oq: OpenQuake, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The same hazard, with the curves of all realizations."""
    folder = tmp_path_factory.mktemp("kept")
    run = oq.run(prepare(oq, folder, reference_depth_to_2pt5km_per_sec=0.6))
    assert run.code == 0, run.text
    return run


def test_curves_of_realizations_are_openquakes(oq: OpenQuake, finished: Any, kept: Run) -> None:
    with oq.datastore(finished[1]) as dstore, oq.datastore(kept) as full:
        assert "hcurves-rlzs" not in dstore
        curves = Curves(dstore)
        assert curves.n_realizations == 8
        for site in (0, 1):
            got = -np.expm1(-curves.of_realizations(site, np.arange(8)) * 50.0)
            np.testing.assert_allclose(got, full["hcurves-rlzs"][site], rtol=1e-5, atol=1e-9)
            for m, imt in enumerate(curves.imtls):
                mean = curves.mean_poes(site, np.arange(8), imt)
                np.testing.assert_allclose(
                    mean, full["hcurves-stats"][site, 0, m], rtol=1e-5, atol=1e-9
                )


def test_shares_of_each_realizations_level(oq: OpenQuake, finished: Any, kept: Run) -> None:
    folder, run = finished
    table = pd.read_csv(folder / f"range_accounting_{run.calc_id}.csv", comment="#")
    assert len(table) == 2 * 3 * 2 and table.branch.nunique() == 1
    with oq.datastore(kept) as full:
        oqparam, lt = full["oqparam"], full["full_lt"].init()
        weights = np.array([rlz.weight[-1] for rlz in lt.get_realizations()])
        makers, groups = read_cmakers(full).to_array(), read_ctx_by_grp(full)
        for row in table.itertuples():
            m = list(oqparam.imtls).index(row.imt)
            shares, used = np.zeros(8), np.zeros(8, bool)
            for r in range(8):
                curve = full["hcurves-rlzs"][row.site_id, r, m]
                level = compute_hazard_maps(curve[None], oqparam.imtls[row.imt], [row.poe])[0, 0]
                part = whole = 0.0
                for number, ctx in groups.items():
                    maker = makers[number]
                    here = ctx[ctx["sids"] == row.site_id].view(np.recarray)
                    for gsim, rlzs in maker.gsims.items():
                        if r not in rlzs:
                            continue
                        mean, sigma = maker.get_4MN([here], gsim)[:2, m]
                        rate = here["occurrence_rate"] * truncnorm.sf(
                            (np.log(level) - mean) / sigma, -3, 3
                        )
                        whole += rate.sum()
                        if isinstance(gsim, GenerativeWaveformGMM):
                            used[r] = True
                            out = (here["mag"] < 6.0) | (here["hypo_depth"] > 30.0)
                            part += rate[out].sum()
                shares[r] = part / whole
            expected = weights[used] @ shares[used] / weights[used].sum()
            assert used.sum() == 6 and 0.02 < expected < 0.99
            assert row.outside == pytest.approx(expected, rel=0.02)


def test_waveforms_are_measured_in_the_component_of_the_job(finished: Any) -> None:
    folder, run = finished
    (path,) = folder.glob("waveforms_*.h5")
    with open_catalogue(path) as data:
        assert data.attrs["component"] == "geometric_mean"
        assert data.sizes["record"] == 2 * 2 * 4
        # Ruptures of both regions stand behind the hazard, each as often as it exceeds.
        assert set(np.unique(data.hypo_depth)) == {8.0, 30.0}
        acceleration = data.acceleration.values
        dt_s = float(data.time[1] - data.time[0])
        h1, h2 = (
            intensity_measures_array(acceleration, dt_s, ["PGA", "SA(0.5)"], c)
            for c in ("H1", "H2")
        )
        for i, imt in enumerate(("PGA", "SA(0.5)")):
            np.testing.assert_allclose(data[imt], np.sqrt(h1 * h2)[:, i], rtol=2e-4)
    assert list(folder.glob("hazard_curves_*_site0.png"))


def test_the_hazard_of_a_suite_is_openquakes_mean(oq: OpenQuake, kept: Run) -> None:
    with oq.datastore(kept) as full:
        hazard = site_hazard(full, ("SA(0.5)", "PGA"), 1)
        assert hazard.component == "geometric_mean"
        (branch,) = branches(Curves(full))
        assert [w.gsim for w in hazard.waveforms] == [branch.gsim]
        levels = np.array(full["oqparam"].imtls["SA(0.5)"])
        mean = full["hcurves-stats"][1, 0, list(full["oqparam"].imtls).index("SA(0.5)")]
        rate = hazard.contributions.hazard("SA(0.5)", levels)
        rare = (mean < 0.1) & (mean > 1e-6)
        # The mean of probabilities is not that of rates: the same where they are small.
        np.testing.assert_allclose(rate[rare], -np.log1p(-mean[rare]) / 50.0, rtol=0.02)


def test_what_comes_after_the_hazard_loses_nothing(oq: OpenQuake, tmp_path: Path) -> None:
    ini = prepare(
        oq,
        tmp_path,
        reference_depth_to_2pt5km_per_sec=0.6,
        postproc_func="gwm_hazard.waveforms",
        postproc_args='{"imt": "SA(9.0)"}',
    )
    run = oq.run(ini, "--exports", "csv")
    assert run.code == 0, run.text
    (line,) = [x for x in run.text.splitlines() if "waveforms stopped" in x]
    assert "ERROR" in line and "SA(9.0)" in line and "hazard of calculation" in line
    assert "Traceback" not in run.text
    assert list((tmp_path / "output").glob("hazard_curve-mean-PGA_*.csv"))
