"""``gwm-hazard suite`` on a small job: a suite from end to end, and what users get wrong."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from click.testing import CliRunner

from gwm_hazard.cli.suite import apart, first_modes, place, spread
from gwm_hazard.cli.suite import suite as command
from gwm_hazard.openquake.suites import Request, make_study
from gwm_hazard.suite.build import Settings
from tests.openquake.conftest import GWM, OpenQuake, toml

SETTINGS = Settings(imt="SA(0.5)", n=4, pool=12, tolerance=0.2, method="walk")
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


def test_a_suite_from_the_command(job: Any, tmp_path: Path) -> None:
    """GCIM: durations of the GWM alone, spectra of both branches; rules of a code; files."""
    result = CliRunner().invoke(
        command,
        [job.filename, "--poe", "0.1", "--target", "gcim", "--imt", "SA(0.5)", "-n", "4",
         "--pool", "12", "--tolerance", "0.2", "--method", "walk", "--periods", "0.3,0.49,1",
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
    first = make_study(job, REQUEST).suites[0]
    monkeypatch.setattr("gwm_hazard.models.base.CPU_BATCH_BYTES", 6 * 2**20)
    again = make_study(job, REQUEST).suites[0]
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
        (dataclasses.replace(REQUEST, branch="TFCGAN"), "branch = 'TFCGAN': the GWM branches are"),
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
    done = subprocess.run(
        [str(Path(sys.executable).parent / "gwm-hazard"), "suite", str(tmp_path / "job.ini"),
         "--poe", "0.1", "--imt", "SA(0.5)", "-o", str(tmp_path / "s")],
        env=oq.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode != 0 and "Traceback" not in done.stdout
    last = done.stdout.strip().splitlines()[-1]
    assert last.startswith("gwm-hazard: OpenQuake refuses the job") and "job.ini" in last


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
