"""The risk demo at a small size."""

from __future__ import annotations

import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.openquake.jobs import OpenQuake

DEMOS = Path(__file__).parents[2] / "demos"


@pytest.mark.slow
def test_losses_of_both_branches(tmp_path: Path) -> None:
    for name in ("managua", "event_based", "risk"):
        ignore = shutil.ignore_patterns("output")
        shutil.copytree(DEMOS / name, tmp_path / name, ignore=ignore)
    for name in ("managua", "risk"):
        script = str(tmp_path / name / "prepare.py")
        subprocess.run([sys.executable, script], check=True)
    folder = tmp_path / "risk"
    (folder / "output").mkdir()
    ini = folder / "job.ini"
    ini.write_text(ini.read_text().replace("_path = 1000", "_path = 100"))
    (tmp_path / "home").mkdir()
    done = OpenQuake(tmp_path / "home", Path()).run(ini, "--exports", "csv")
    assert done.code == 0, done.text
    plot = runpy.run_path(str(folder / "plot.py"))
    average = plot["read"]("aggrisk-taxonomy")
    assert len(average) == 6 and (average.loss_ratio > 0).all()
    # the worst event of each class and branch takes no more than all of its value
    curves = plot["read"]("aggcurves-taxonomy")
    assert curves.loss_ratio.between(0, 1).all()
    plot["main"]()
    assert (folder / "output" / "losses.png").stat().st_size > 20_000
