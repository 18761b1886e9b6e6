"""``gwm-hazard suite`` on a small job: a suite from end to end, and what users get wrong."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from click.testing import CliRunner
from openquake.hazardlib import const
from openquake.hazardlib.imt import from_string

from gwm_hazard.cli.suite import apart, first_modes, place, spread
from gwm_hazard.cli.suite import suite as command
from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.openquake import suites
from gwm_hazard.openquake.site_hazard import WaveformBranch
from gwm_hazard.openquake.suites import Request, make_study
from gwm_hazard.suite.build import Settings
from gwm_hazard.suite.codes import rotd50_ratio
from gwm_hazard.suite.motions import branches_of
from gwm_hazard.suite.output import write
from tests.openquake.jobs import BRANCH, GWM, LOGIC_TREE, POINT, SOURCES, OpenQuake, toml

SETTINGS = Settings(imt="SA(0.5)", n=4, pool=8, tolerance=0.2, method="walk")
REQUEST = Request(0.10, SETTINGS, ("SA(0.3)", "SA(1.0)"), correlation="BakerJayaram2008")


@pytest.fixture(scope="module")
def job(oq: OpenQuake, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("suites")
    branches = {"GWM": toml(**GWM), "Boore": "[BooreEtAl2014]"}
    run = oq.run(oq.job(folder, branches, individual_rlzs="false"))
    assert run.code == 0, run.text
    with oq.datastore(run) as dstore:
        yield dstore


def change(request: Request, **settings: Any) -> Request:
    return dataclasses.replace(request, settings=dataclasses.replace(SETTINGS, **settings))


@pytest.mark.usefixtures("quick_figures")
def test_a_suite_from_the_command(job: Any, tmp_path: Path) -> None:
    """GCIM: durations of the GWM alone, spectra of both branches; rules of a code; files."""
    result = CliRunner().invoke(
        command,
        [job.filename, "--poe", "0.1", "--target", "gcim", "--imt", "SA(0.5)", "-n", "4",
         "--pool", "8", "--tolerance", "0.2", "--method", "walk", "--periods", "0.3,0.49,1",
         "--imts", "RSD595", "--site", "0,0.001", "--code", "ec8", "--first-mode", "0.5",
         "-f", "at2", "-o", str(tmp_path / "s")],
        catch_exceptions=False,
    )  # fmt: skip
    assert "4 of" in result.output and "gcim, SA(0.5)" in result.output
    target = pd.read_csv(tmp_path / "s" / "target.csv", comment="#").set_index("imt")
    assert "SA(0.49)" not in target.index, "its twin, the conditioning period, stands for it"
    assert {"SA(0.3)", "SA(0.5)", "RSD595", "PGA"} <= set(target.index)
    with xr.open_dataset(tmp_path / "s" / "suite.h5", engine="h5netcdf") as waves:
        assert waves.sizes["record"] == 4
        ln = np.log(waves["SA(0.5)"].to_numpy())
        level = target["target_median"].astype(float)["SA(0.5)"]
        assert np.abs(ln - np.log(level)).max() <= 0.2
    assert len(list((tmp_path / "s" / "at2").rglob("*.AT2"))) == 12
    about = json.loads((tmp_path / "s" / "results.json").read_text())
    assert "RSD595: not given by Boore" in json.dumps(about)
    page = (tmp_path / "s" / "index.html").read_text()
    assert "measured from" in page and "3.2.3.1.2" in page
    assert "must be qualified" in page  # what remains for the designer


def test_a_study_does_not_depend_on_batches(job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first = make_study(job, REQUEST)[0].suites[0]
    monkeypatch.setattr("gwm_hazard.models.base.CPU_BATCH_BYTES", 6 * 2**20)
    again = make_study(job, REQUEST)[0].suites[0]
    np.testing.assert_array_equal(first.rows, again.rows)
    np.testing.assert_allclose(first.ln, again.ln, rtol=1e-5, atol=1e-6)
    assert first.candidates.keys(first.rows) == again.candidates.keys(again.rows)


@pytest.mark.parametrize(
    "request_, message",
    [
        (dataclasses.replace(REQUEST, poe=1.5), r"poe = 1\.5: must be between 0 and 1"),
        (dataclasses.replace(REQUEST, poe=0.9999), r"poe = 0\.9999: the curve of SA\(0\.5\)"),
        (dataclasses.replace(REQUEST, site=7), "site = 7: the calculation has sites 0 to 0"),
        (dataclasses.replace(REQUEST, site=(1.0, 1.0)), r"the nearest site of the job.*is 157"),
        (
            dataclasses.replace(REQUEST, branches=("TFCGAN",)),
            "branch = 'TFCGAN': the GWM branches are",
        ),
        (dataclasses.replace(REQUEST, correlation="Baker"), "correlation = 'Baker': must be one"),
        (dataclasses.replace(REQUEST, imts=("SA(20.0)",)), r"imt = 'SA\(20\.0\)': branch 'GWM'"),
        (change(REQUEST, imt="SA(0.50)", budget=50), r"candidates after .* draws"),
    ],
)
def test_bad_requests(job: Any, request_: Request, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_study(job, request_)


def test_a_job_without_a_waveform_model(oq: OpenQuake, tmp_path: Path) -> None:
    run = oq.run(oq.job(tmp_path, {"Boore": "[BooreEtAl2014]"}))
    with (
        oq.datastore(run) as dstore,
        pytest.raises(ValueError, match="no branch with GenerativeWaveformGMM: add one"),
    ):
        make_study(dstore, REQUEST)


def test_a_job_that_openquake_refuses(oq: OpenQuake, tmp_path: Path) -> None:
    """Its message, in a line, without a traceback."""
    (tmp_path / "job.ini").write_text("[general]\ncalculation_mode = classical\n")
    ini, out = tmp_path / "job.ini", tmp_path / "s"
    done = oq.gwm_hazard("suite", ini, "--poe", 0.1, "--imt", "SA(0.5)", "-o", out)
    assert done.code != 0 and "Traceback" not in done.text
    assert done.last.startswith("gwm-hazard: OpenQuake refuses the job") and "job.ini" in done.last


REGIONS = ("Active Shallow Crust", "Subduction IntraSlab")


def two_regions(oq: OpenQuake, folder: Path, branches: tuple[dict[str, str], ...]) -> Path:
    """The job of two points, each in a tectonic region with branches of its own."""
    ini = oq.job(folder, individual_rlzs="false")
    groups = [
        POINT.format(name=name, lon=lon, mag=mag, rates="0.01 0.006 0.004 0.002")
        for name, lon, mag in (("east", 0.2, 6.1), ("west", -0.22, 6.2))  # magnitudes tell them
    ]
    group = '<sourceGroup rup_interdep="indep" src_interdep="indep" tectonicRegion="{}">{}'
    text = "</sourceGroup>".join(
        group.format(r, g.replace(REGIONS[0], r)) for r, g in zip(REGIONS, groups, strict=True)
    )
    head, tail = SOURCES.split("<sourceGroup")[0], "</sourceGroup></sourceModel></nrml>"
    (folder / "sources.xml").write_text(head + text + tail)
    sets = "".join(
        f'<logicTreeBranchSet branchSetID="s{k}" uncertaintyType="gmpeModel" '
        f'applyToTectonicRegionType="{region}">'
        + "".join(BRANCH.format(name=n, text=b, weight=1 / len(of)) for n, b in of.items())
        + "</logicTreeBranchSet>"
        for k, (region, of) in enumerate(zip(REGIONS, branches, strict=True))
    )
    start = LOGIC_TREE.index("<logicTreeBranchSet")
    stop = LOGIC_TREE.index("</logicTreeBranchSet>") + len("</logicTreeBranchSet>")
    (folder / "gmm.xml").write_text(LOGIC_TREE[:start] + sets + LOGIC_TREE[stop:])
    return ini


#: The same model twice, as two GSIMs: the second moves no pair outside its range.
OTHER = toml(**GWM, out_of_range="error")
SLAB = "[ZhaoEtAl2006SSlab]"


def test_the_branch_of_each_region_draws_for_its_ruptures(oq: OpenQuake, tmp_path: Path) -> None:
    crust, slab = {"A": toml(**GWM), "B": "[BooreEtAl2014]"}, {"C": OTHER, "Z": SLAB}
    run = oq.run(two_regions(oq, tmp_path, (crust, slab)))
    assert run.code == 0, run.text
    imts = ("PGA", "SA(1.0)")
    asked = change(dataclasses.replace(REQUEST, imts=imts), imt="SA(0.5)", n=8, pool=60)
    with oq.datastore(run) as dstore:
        study, _ = make_study(dstore, asked)
        few = dataclasses.replace(asked.settings, pool=16)
        one, _ = make_study(dstore, dataclasses.replace(asked, branches=("C",), settings=few))
        named, _ = make_study(dstore, dataclasses.replace(asked, branches=("A", "C")))
    (suite,) = study.suites
    c = study.contributions
    drawn = suite.origin[suite.candidates.rupture]
    of_a = (c.branch[drawn] == c.branches.index("A")).mean()
    # shares of the regions in the pool: densities of both at the level, not truncated
    m = c.column("SA(0.5)")
    z = (np.log(suite.target.level) - c.mean[:, m]) / c.sigma[:, m]
    density = c.rate * np.exp(-0.5 * z**2) / c.sigma[:, m]
    a, b = (density[c.branch == c.branches.index(name)].sum() for name in ("A", "C"))
    assert of_a == pytest.approx(a / (a + b), abs=0.2) and 0.2 < a / (a + b) < 0.8
    assert study.about["branch"] == "A, C"
    names = branches_of(study, suite)
    assert set(names) == {"A", "C"}
    tenths = np.round(10 * suite.scenarios["mag"]).astype(int)
    assert names == ["A" if tenth % 2 else "C" for tenth in tenths]
    np.testing.assert_array_equal(named.suites[0].rows, suite.rows)
    assert set(branches_of(one, one.suites[0])) == {"C"}
    np.testing.assert_allclose(one.suites[0].target.mean, suite.target.mean)


def test_branches_that_cannot_draw_together_are_named(oq: OpenQuake, tmp_path: Path) -> None:
    crust = {"A": toml(**GWM), "A2": OTHER}
    run = oq.run(two_regions(oq, tmp_path, (crust, {"C": OTHER})))
    assert run.code == 0, run.text
    with (
        oq.datastore(run) as dstore,
        pytest.raises(ValueError, match=r"region Active Shallow Crust, A, A2.*--branch"),
    ):
        make_study(dstore, REQUEST)


def test_different_models_of_two_regions_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    none = np.empty(0, dtype=np.int64)
    found = {
        name: WaveformBranch(name, SimpleNamespace(model=model, _gmm=None, _layered=None), none, {})  # type: ignore[arg-type]
        for name, model in (("A", "stochastic"), ("C", "folder/mine"))
    }
    monkeypatch.setattr(suites, "_by_name", lambda hazard: found)
    monkeypatch.setattr(suites, "_by_region", lambda *_: {"crust": ["A"], "slab": ["C"]})
    with pytest.raises(ValueError, match=r"stochastic \(A\), mine \(C\).*name.*\(--branch\)"):
        suites._drawing_branch(None, REQUEST)  # type: ignore[arg-type]


@pytest.mark.usefixtures("quick_figures")
def test_measures_of_a_job_in_geometric_mean(oq: OpenQuake, tmp_path: Path) -> None:
    """Motions are chosen, measured and checked in the component of the hazard."""
    run = oq.run(oq.job(tmp_path, horiz_comp_to_geom_mean="true", individual_rlzs="false"))
    assert run.code == 0, run.text
    with oq.datastore(run) as dstore:
        study, model = make_study(dstore, REQUEST)
    (suite,) = study.suites
    assert study.component == "geometric_mean"
    ((_, drawn),) = model.batches(suite.scenarios.take([1]), suite.noise.take([1]))
    sa = [
        intensity_measures_array(drawn, model.dt_s, ["SA(0.5)"], part)[0, 0]
        for part in ("H1", "H2")
    ]
    m = suite.target.imts.index("SA(0.5)")
    assert suite.ln[1, m] == pytest.approx(np.log(sa).mean(), abs=1e-6)
    page = write(study, model, tmp_path / "s").read_text()
    assert "are the geometric mean of" in page and "RotD50" not in page
    columns = pd.read_csv(tmp_path / "s" / "columns.csv").set_index("column")
    assert columns["meaning"]["PGA"].endswith(", geometric mean")


def test_the_ratio_of_rotd50_is_that_of_openquake() -> None:
    periods = (0.01, 0.09, 0.2, 0.58, 1.0, 4.59, 7.0, 10.0)
    theirs = [const.IMC.RotD50.apply_conversion(from_string(f"SA({t})"))[0] for t in periods]
    np.testing.assert_allclose(rotd50_ratio(periods), theirs)
    pga = const.IMC.RotD50.apply_conversion(from_string("PGA"))[0]
    assert rotd50_ratio(0.0) == pytest.approx(pga)


def test_finished_stripes_are_taken_up(
    job: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped in the second of two: the first is not made again, and the study is the same."""
    asked = dataclasses.replace(change(REQUEST, n=2, pool=4, tolerance=0.3), stripes=2)
    whole, _ = make_study(job, asked)
    make, made = suites.make_suite, []

    def stopped(c: Any, source: Any, target: Any, *rest: Any) -> Any:
        if len(made) == 1:
            raise KeyboardInterrupt
        made.append(target.level)
        return make(c, source, target, *rest)

    monkeypatch.setattr(suites, "make_suite", stopped)
    with pytest.raises(KeyboardInterrupt):
        make_study(job, asked, output=tmp_path)

    def rest(c: Any, source: Any, target: Any, *rest: Any) -> Any:
        made.append(target.level)
        return make(c, source, target, *rest)

    monkeypatch.setattr(suites, "make_suite", rest)
    again, _ = make_study(job, asked, output=tmp_path)
    assert made == [s.target.level for s in whole.suites]
    for one, other in zip(whole.suites, again.suites, strict=True):
        np.testing.assert_array_equal(one.ln, other.ln)
        assert one.candidates.keys(one.rows) == other.candidates.keys(other.rows)


def test_options() -> None:
    assert spread("0.1:3:3") == [0.1, 0.548, 3.0] and spread("1,0.2") == [0.2, 1.0]
    assert apart([0.3, 0.49, 1.0], "SA(0.5)") == [0.3, 1.0] and apart([0.3], "PGV") == [0.3]
    assert place("3") == 3 and place("-86.25,12.13") == (-86.25, 12.13)
    assert first_modes("ec8", "0.8,0.5") == (0.5, 0.8) and first_modes("ec8", "0.5") == (0.5, 0.5)
    with pytest.raises(ValueError, match=r"SA\(abc\)"):
        apart([0.3], "SA(abc)")
    for function, text in ((spread, "0.1:3"), (spread, "-1"), (place, "12.5"), (place, "a,b")):
        with pytest.raises(Exception, match="write"):
            function(text)
    with pytest.raises(Exception, match="needs --first-mode"):
        first_modes("ec8", "")
