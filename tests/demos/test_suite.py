"""Suites for the Managua demo: what ``gwm-hazard suite`` promises, measured."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gwm_hazard.openquake import hooks
from tests.openquake.jobs import OpenQuake

assert hooks  # makes the GSIM known to the process that reads the datastore

DEMO = Path(__file__).parents[2] / "demos" / "managua"
GWM_HAZARD = Path(sys.executable).parent / "gwm-hazard"


@pytest.fixture(scope="module")
def calculation(tmp_path_factory: pytest.TempPathFactory) -> tuple[OpenQuake, Path]:
    """The demo's job, run; its datastore."""
    root = tmp_path_factory.mktemp("managua")
    ignore = shutil.ignore_patterns("output", "source_model.xml")
    shutil.copytree(DEMO, root / "demo", ignore=ignore)
    subprocess.run([sys.executable, str(root / "demo" / "prepare.py")], check=True)
    (root / "home").mkdir()
    oq = OpenQuake(root / "home", Path())
    ini = root / "demo" / "job.ini"
    ini.write_text(ini.read_text().replace("postproc_func = gwm_hazard.waveforms", ""))
    run = oq("engine", "--run", ini)
    assert run.code == 0, run.text
    return oq, max(root.glob("home/calc_*.hdf5"), key=os.path.getmtime)


def suite(calculation: tuple[OpenQuake, Path], folder: Path, *options: object) -> str:
    oq, path = calculation
    done = subprocess.run(
        [str(GWM_HAZARD), "suite", str(path), *map(str, options), "-o", str(folder)],
        env=oq.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=1500,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.slow
def test_twenty_motions_have_the_conditional_spectrum(
    calculation: tuple[OpenQuake, Path], tmp_path: Path
) -> None:
    """Median within 10 %, sigma within 20 % of the target's from 0.1 to 3 s, unscaled."""
    suite(calculation, tmp_path / "s", "--poe", 0.02, "--target", "cs", "--imt", "SA(0.5)",
          "-n", 20, "--site", "-86.25,12.13")  # fmt: skip
    target = pd.read_csv(tmp_path / "s" / "target.csv", comment="#")
    period = target["period_s"]
    assert period.min() == pytest.approx(0.1) and period.max() == pytest.approx(3.0)
    assert np.abs(target["median_error"]).max() < 0.10
    assert np.abs(target.loc[period != 0.5, "sigma_error"]).max() < 0.20
    motions = pd.read_csv(tmp_path / "s" / "motions.csv", comment="#")
    assert len(motions) == 20 and (motions["scale"] == 1).all()
    level = target.loc[period == 0.5, "target_median"].item()
    assert np.abs(np.log(motions["SA(0.5)"] / level)).max() <= 0.05


@pytest.mark.slow
def test_ten_suites_carry_the_hazard(calculation: tuple[OpenQuake, Path], tmp_path: Path) -> None:
    """Implied rates within 20 % of the curves at four periods, 1e-2 to 4e-4 a year."""
    suite(calculation, tmp_path / "s", "--poe", 0.02, "--imt", "SA(0.5)", "--stripes", 10,
          "--periods", "0.1,0.2,0.3,1,2,3")  # fmt: skip
    rates = pd.read_csv(tmp_path / "s" / "consistency.csv", comment="#")
    others = rates[rates["imt"].isin(["SA(0.2)", "SA(0.3)", "SA(1.0)", "SA(2.0)"])]
    assert others["imt"].nunique() == 4
    assert others["rate"].max() == pytest.approx(1e-2)
    assert others["rate"].min() == pytest.approx(4e-4)
    assert others["ratio"].between(0.8, 1.2).all(), others.to_string()
    years = pd.read_csv(tmp_path / "s" / "target.csv", comment="#")["return_period_years"]
    assert np.abs(years.unique() / 2475.0 - 1.0).min() < 1e-3, "the suite of the poe is among them"
    assert json.loads((tmp_path / "s" / "results.json").read_text())
