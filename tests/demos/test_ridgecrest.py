"""The Ridgecrest demo at a small size, with its real rupture and stations."""

from __future__ import annotations

import re
import runpy
import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.openquake.jobs import OpenQuake

DEMO = Path(__file__).parents[2] / "demos" / "ridgecrest"
STATIONS, FIELDS = 20, 6


@pytest.fixture(scope="module")
def oq(tmp_path_factory: pytest.TempPathFactory) -> OpenQuake:
    return OpenQuake(tmp_path_factory.mktemp("oqdata"), Path())


def test_fields_beside_the_records(
    oq: OpenQuake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in DEMO.glob("*.*"):
        shutil.copy(path, tmp_path)
    (tmp_path / "output").mkdir()
    for name in ("stations.csv", "site_model.csv"):
        pd.read_csv(tmp_path / name).head(STATIONS).to_csv(tmp_path / name, index=False)
    ini = tmp_path / "job.ini"
    ini.write_text(ini.read_text().replace("_fields = 100", f"_fields = {FIELDS}"))
    done = oq.run(ini, "--exports", "csv")
    assert done.code == 0, done.text

    compare = runpy.run_path(str(tmp_path / "compare.py"))
    fields = compare["read_fields"]()
    assert {name: len(ln) for name, ln in fields.items()} == dict.fromkeys(
        ("stochastic (GWM)", "BooreEtAl2014"), STATIONS * FIELDS
    )
    compare["main"]()
    assert (tmp_path / "output" / "observed.png").stat().st_size > 20_000
    rows = re.findall(r"^(PGA|PGV|SA\S+) +(\S.*?) +(-?\d\.\d\d)", capsys.readouterr().out, re.M)
    assert len(rows) == 10
    # an earthquake within two between-event standard deviations of an active-crust model, and
    # six fields: its stations cannot be off by a factor of three
    assert all(abs(float(mean)) < 1.1 for _, _, mean in rows)
