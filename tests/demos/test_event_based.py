"""The event-based demo: fields beside classical curves."""

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
from numpy.typing import ArrayLike
from scipy.stats import chi2, poisson

DEMOS = Path(__file__).parents[2] / "demos"
#: A right product fails once in a thousand: of two branches and four measures.
LEAST_P = 1e-3 / 8


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


def p_value(counted: ArrayLike, expected: ArrayLike) -> float:
    """Of exceedances of rising levels, by the deviance of the counts between successive levels.

    Exceedances of a level hold those of the next; the counts between levels are independent
    Poisson numbers.
    """
    n, e = (-np.diff(np.append(x, 0.0)) for x in (counted, expected))
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(n > 0, n * np.log(n / e), 0.0) - (n - e)
    return float(chi2.sf(2.0 * terms.sum(), len(n)))


def test_p_value() -> None:
    """Uniform where rates are right; a rate that is 15 % off is seen."""
    expected = 200_000 / np.array([100, 475, 975, 2475, 4975])
    bands = -np.diff(np.append(expected, 0.0))
    rng = np.random.default_rng(1)

    def of(factor: float) -> np.ndarray:
        drawn = rng.poisson(factor * bands, (4000, 5))
        return np.array([p_value(np.cumsum(x[::-1])[::-1], expected) for x in drawn])

    right = of(1.0)
    for level in (0.01, 0.1, 0.5):
        assert abs((right < level).mean() - level) < 4.0 * np.sqrt(level * (1 - level) / 4000)
    assert (of(1.15) < LEAST_P).mean() > 0.95 and (of(0.85) < LEAST_P).mean() > 0.95


@pytest.mark.slow
def test_demo(tmp_path: Path) -> None:
    """The classical rates are those of 200,000 years of fields.

    Measures of one event are correlated, so the least of the p-values is held to a level that is
    divided by their number (Bonferroni), whatever the correlation.
    """
    for name in ("managua", "event_based"):
        ignored = shutil.ignore_patterns("output", "source_model.xml")
        shutil.copytree(DEMOS / name, tmp_path / "demos" / name, ignore=ignored)
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
    assert report.startswith("exceedances in 200,000 years")
    rows = [line for line in report.splitlines() if re.match(r"(stochastic \(GWM\)|Boore)", line)]
    table = [r.split()[-6:] for r in rows if "interval" not in r]
    expected, counted = (np.array([float(r[k]) for r in table]).reshape(8, 5) for k in (0, 1))
    found = [p_value(n, e) for n, e in zip(counted, expected, strict=True)]
    assert min(found) > LEAST_P, report
