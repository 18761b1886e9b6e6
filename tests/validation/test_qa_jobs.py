"""OpenQuake's classical test jobs with the branch: rates of ruptures are those of the curves."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOL = ROOT / "validation" / "openquake" / "qa_jobs.py"
TABLE = TOOL.with_suffix(".csv")


def table(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return {row["job"]: row for row in csv.DictReader(stream)}


def run(home: Path, *names: str) -> dict[str, dict[str, str]]:
    """Outcome of jobs, with a database of their own."""
    (home / "oq.cfg").write_text(f"[dbserver]\nfile = {home / 'db.sqlite3'}\n")
    env = os.environ | {"OQ_DATADIR": str(home), "OQ_CONFIG_FILE": str(home / "oq.cfg")}
    out = home / "out.csv"
    words = [sys.executable, TOOL, "--output", out, "--limit", "600", *names]
    done = subprocess.run(
        list(map(str, words)), env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return table(out)


def agree(found: dict[str, dict[str, str]]) -> None:
    kept = table(TABLE)
    for job, row in found.items():
        if job in kept:  # releases of OpenQuake have jobs of their own
            assert row["outcome"].split(":")[0] == kept[job]["outcome"].split(":")[0], row
        if row["outcome"] == "compared":
            assert 0.99 < float(row["low"]) <= float(row["high"]) < 1.01, row


def test_the_table_holds_what_is_claimed() -> None:
    rows = list(table(TABLE).values())
    compared = [r for r in rows if r["outcome"] == "compared"]
    assert len(compared) > 140
    assert all(0.99 < float(r["low"]) <= float(r["high"]) < 1.01 for r in compared)
    assert not any(r["outcome"].startswith("over") for r in rows)


def test_jobs_whose_ruptures_depend_on_each_other(tmp_path: Path) -> None:
    """Exclusive sources (Japan), a cluster, clusters of exclusive ruptures (New Madrid)."""
    found = run(tmp_path, "classical/case_27/", "classical/case_35/", "classical/case_80/")
    assert len(found) == 3 and {r["outcome"] for r in found.values()} == {"compared"}
    agree(found)


@pytest.mark.slow
def test_all_jobs(tmp_path: Path) -> None:
    found = run(tmp_path)
    assert len(found.keys() & table(TABLE).keys()) > 150
    agree(found)
