"""docs/own_model.md: its files are those of the example package, and what it says works."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.openquake.jobs import OpenQuake

DOCS = Path(__file__).resolve().parents[2] / "docs"
EXAMPLE = DOCS / "example_model"
PAGE = (DOCS / "own_model.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^\$ (.*)$", PAGE, flags=re.MULTILINE)
BRANCH = next(t for t in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL) if "Waveform" in t)


def test_the_page_quotes_the_files() -> None:
    quoted = dict(re.findall(r"^`(\S+\.\w+)`\n\n```\w+\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE))
    files = {str(p.relative_to(EXAMPLE)) for p in EXAMPLE.rglob("*.*") if p.is_file()}
    assert {f for f in files if not f.endswith(".pyc")} == set(quoted)
    for name, text in quoted.items():
        assert (EXAMPLE / name).read_text(encoding="utf-8") == text, name


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, installed into a folder of its own, from no index."""
    pytest.importorskip("hatchling", reason="building the example needs hatchling")
    target = tmp_path_factory.mktemp("site")
    options = "--no-index --no-deps --no-build-isolation --disable-pip-version-check --quiet"
    command = [sys.executable, "-m", "pip", "install", *options.split(), "--target", str(target)]
    done = subprocess.run([*command, str(EXAMPLE)], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stdout + done.stderr
    return target


@pytest.fixture
def folder(site: Path, tmp_path: Path) -> Path:
    (tmp_path / "regions.csv").write_bytes((EXAMPLE / "regions.csv").read_bytes())
    return tmp_path


#: Commands one after the other in one process: each alone would import torch again.
COMMAND_LINE = """
import json, sys
from gwm_hazard.cli import cli
for arguments in json.loads(sys.argv[1]):
    cli(arguments, standalone_mode=False)
"""


def python(code: str, site: Path, cwd: Path, *arguments: str) -> str:
    """Output of Python code in a process that sees the installed example."""
    env = {**os.environ, "PYTHONPATH": str(site), "GWM_HAZARD_MODELS": str(cwd / "models")}
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_commands_and_python_of_the_page(site: Path, folder: Path) -> None:
    """All but installing (the fixture) and building a surface (below); peaks as published."""
    code = next(t for t in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "gwm.load" in t)
    lines = [shlex.split(command) for command in COMMANDS]
    quick = [line[1:] for line in lines if line[0] == "gwm-hazard" and line[1] != "surface"]
    output = python(COMMAND_LINE + code, site, folder, json.dumps(quick))
    assert "windowed_noise 1.0      Windowed noise with the PGA" in output
    assert "repi           1.5 to 100 km" in output
    assert output.count("one draw of peak") == 2  # the family and the imported region
    table = pd.read_csv(folder / "noise.csv")
    for mag, rows in table.groupby("mag"):
        lg = np.log10(rows["PGA"])
        median = -1.845 + 0.363 * float(mag) - np.log10(np.hypot(20.0, 5.0))  # type: ignore[arg-type]
        assert lg.mean() == pytest.approx(median, abs=4 * 0.19 / 10)
        assert lg.std() == pytest.approx(0.19, rel=4 / np.sqrt(200))
    assert table["RSD595"].between(2.0, 30.0).all()


def test_coefficients_are_those_of_openquake() -> None:
    from openquake.hazardlib.gsim.sabetta_pugliese_1996 import SabettaPugliese1996
    from openquake.hazardlib.imt import PGA

    sys.path.insert(0, str(EXAMPLE))
    try:
        import windowed_noise as example
    finally:
        sys.path.remove(str(EXAMPLE))
    published = SabettaPugliese1996.COEFFS[PGA()]
    ours = {"a": example.A, "b": example.B, "c": -1.0, "h": example.H_KM, "sigma": example.SIGMA}
    assert {name: published[name] for name in ours} == ours


@pytest.mark.slow
def test_a_job_with_the_branch_of_the_page(oq: OpenQuake, site: Path, tmp_path: Path) -> None:
    """Surface by the page's command, then a classical job."""
    branches = {"own": BRANCH, "Boore": "[BooreEtAl2014]"}
    imtls = '{"PGA": logscale(0.005, 3.0, 60)}'
    ini = oq.job(tmp_path, branches, min_mag=5.5, intensity_measure_types_and_levels=imtls)
    (command,) = (c for c in COMMANDS if "surface build" in c)
    few = ["--imts", "PGA", "--draws", "80"]
    python(COMMAND_LINE, site, tmp_path, json.dumps([[*shlex.split(command)[1:], *few]]))
    here = OpenQuake(oq.home, oq.surface)
    here.env["PYTHONPATH"] = str(site)
    done = here.run(ini)
    assert done.code == 0, done.text
    with oq.datastore(done) as dstore:
        own, boore = dstore["hcurves-rlzs"][0, :, 0]
    levels = np.geomspace(0.005, 3.0, 60)
    own_g, boore_g = (np.interp(-0.1, -curve, levels) for curve in (own, boore))
    assert 0.3 < own_g / boore_g < 3.0
