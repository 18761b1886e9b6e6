"""The event-based demo at a small size: fields beside classical curves."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy.stats import poisson

DEMOS = Path(__file__).parents[2] / "demos"


@pytest.fixture(scope="module")
def compare() -> ModuleType:
    spec = importlib.util.spec_from_file_location("compare", DEMOS / "event_based" / "compare.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["compare"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def test_interval_of_a_count(compare: ModuleType) -> None:
    """Tails of 2.5 % on either side, by the definition of the interval."""
    counts = np.array([1, 4, 40, 400])
    low, high = compare.interval(counts)
    np.testing.assert_allclose(poisson.sf(counts - 1, low), 0.025)
    np.testing.assert_allclose(poisson.cdf(counts, high), 0.025)
    assert compare.interval(np.array([0]))[0] == 0.0


def test_level_and_counts(compare: ModuleType) -> None:
    levels = np.array([0.1, 0.2, 0.4, 0.8])
    curve = compare.Curve("b", "PGA", levels, levels**-2.0, np.array([0.2, 0.1, 0.5]), 10.0)
    assert curve.level(0.09) == pytest.approx(0.3)  # a power law is a line in logarithms
    assert curve.counts(np.array([0.05, 0.2, 0.6])).tolist() == [3, 1, 0]


@pytest.mark.slow
def test_demo(tmp_path: Path) -> None:
    """1/50 of the years: the classical rates lie within what the counts allow."""
    for name in ("managua", "event_based"):
        ignored = shutil.ignore_patterns("output", "source_model.xml")
        shutil.copytree(DEMOS / name, tmp_path / "demos" / name, ignore=ignored)
    job = tmp_path / "demos" / "event_based" / "job.ini"
    text, changes = re.subn(r"(ses_per_logic_tree_path) = 4000", r"\1 = 400", job.read_text())
    assert changes == 1
    job.write_text(text)
    (tmp_path / "oq.cfg").write_text(f"[dbserver]\nfile = {tmp_path / 'db.sqlite3'}\n")
    env = os.environ | {
        "OQ_DATADIR": str(tmp_path),
        "OQ_CONFIG_FILE": str(tmp_path / "oq.cfg"),
        "OQ_DISTRIBUTE": "no",
    }
    for script in ("managua/prepare.py", "event_based/compare.py"):
        done = subprocess.run(
            [sys.executable, tmp_path / "demos" / script],
            env=env,
            text=True,
            capture_output=True,
        )
        assert done.returncode == 0, done.stderr
    output = tmp_path / "demos" / "event_based" / "output"
    assert (output / "comparison.png").stat().st_size > 50_000
    report = (output / "comparison.txt").read_text()
    assert report in done.stdout
    assert report.startswith("exceedances in 20,000 years")
    rows = [line for line in report.splitlines() if re.match(r"(stochastic \(GWM\)|Boore)", line)]
    z = np.array([float(r.split()[-1]) for r in rows if "interval" not in r])
    assert len(z) == 2 * 4 * 5
    assert abs(z).max() < 4.0 and (abs(z) < 2.0).mean() > 0.8
