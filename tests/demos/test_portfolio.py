"""The portfolio demo at a small size."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[2] / "demos" / "portfolio"


@pytest.mark.slow
def test_demo(tmp_path: Path) -> None:
    demo = tmp_path / "portfolio"
    shutil.copytree(DEMO, demo, ignore=shutil.ignore_patterns("output", "exposure.*"))
    job = demo / "job.ini"
    text, changes = re.subn(r"(number_of_ground_motion_fields) = \d+", r"\1 = 12", job.read_text())
    assert changes == 1
    job.write_text(text)
    (tmp_path / "oq.cfg").write_text(f"[dbserver]\nfile = {tmp_path / 'db.sqlite3'}\n")
    env = os.environ | {
        "OQ_DATADIR": str(tmp_path),
        "OQ_CONFIG_FILE": str(tmp_path / "oq.cfg"),
        "OQ_DISTRIBUTE": "no",
    }

    def run(*command: object) -> str:
        done = subprocess.run(
            [str(c) for c in command], env=env, text=True, capture_output=True, cwd=tmp_path
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    run(sys.executable, demo / "prepare.py", 8)
    log = run(Path(sys.executable).with_name("oq"), "engine", "--run", job, "--exports", "csv")
    assert "spatial correlation of model 'stochastic': JB2009" in log
    assert 'independent between sites, as spatial_correlation = "none" says' in log
    report = run(sys.executable, demo / "compare.py").splitlines()
    assert len(report) == 1 + 4 + 1 + 8
    rows = [[float(x) for x in re.findall(r"\d+\.\d", line)[-6:]] for line in report[1:5]]
    for mean, spread, _, low, _, high in rows:
        assert 0.0 < low < mean < high < 8.0
        assert 0.0 < spread < 4.0
    for name in ("losses.png", "fields.png"):
        assert (demo / "output" / name).stat().st_size > 10_000
