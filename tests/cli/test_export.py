"""``gwm-hazard export``: every format of the help, messages of one line."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pandas as pd
import pytest
import xarray as xr
from click.testing import CliRunner

from gwm_hazard import cli
from gwm_hazard.catalogue.export import FORMATS

NEEDS = {"asdf": "pyasdf", "miniseed": "obspy"}


@pytest.fixture(scope="module")
def waveforms(tmp_path_factory):
    path = tmp_path_factory.mktemp("cli") / "waveforms.h5"
    scenario = ["-s", "mag=5,6", "-s", "rhypo=30", "-s", "vs30=400", "-s", "hypo_depth=8"]
    run("generate", *scenario, "-n", 2, "--seed", 7, "--device", "cpu", "-o", path)
    return path


def run(*arguments: object) -> str:
    done = CliRunner().invoke(cli.cli, [str(a) for a in arguments])
    assert done.exit_code == 0, done.output
    return done.output


def fails(capsys, monkeypatch, *arguments: object) -> str:
    monkeypatch.setattr(sys, "argv", ["gwm-hazard", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    code = caught.value.code
    message = code if isinstance(code, str) else capsys.readouterr().err
    assert code != 0 and "Traceback" not in message
    return message


def test_help_lists_the_formats() -> None:
    text = run("export", "--help")
    for name, known in FORMATS.items():
        assert f"  {name:10s} {known.summary}" in text
    assert "export" in run("--help")


def test_help_loads_no_format() -> None:
    """The list of formats costs no import of what they need."""
    import subprocess

    code = "import sys, gwm_hazard.cli.export as e; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "gwm_hazard.cli.export" in loaded
    assert not {"xarray", "torch", "obspy", "pandas", "h5py"} & set(loaded)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format(waveforms: Path, tmp_path: Path, name: str) -> None:
    if name in NEEDS and importlib.util.find_spec(NEEDS[name]) is None:
        pytest.skip(f"{NEEDS[name]} is not installed")
    more: list[object] = []
    if name == "openquake":
        (tmp_path / "sites.csv").write_text("site_id,lon,lat\n0,10,45\n")
        more = ["--sites", tmp_path / "sites.csv", "--imts", "PGA, SA(0.3)"]
    out = tmp_path / "out"
    text = run("export", waveforms, "-f", name, "--where", "mag > 5.5", "-o", out, *more)
    assert f"{out}: 2 records" in text and "README.txt" in text
    table = "metadata.csv" if name == "seisbench" else "records.csv"
    assert len(pd.read_csv(out / table)) == 2
    assert "mag > 5.5" in (out / "provenance.json").read_text()
    # As the README is the first thing a user opens, the files it names are there.
    named = [w for w in (out / "README.txt").read_text().split() if w.endswith((".csv", ".hdf5"))]
    for file in {w for w in named if "/" not in w}:
        assert (out / file).is_file(), file


def test_filters_and_unit(waveforms: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run("export", waveforms, "-f", "csv", "--records", "1:4", "--max", 2, "--unit", "g", "-o", out)
    table = pd.read_csv(out / "records.csv")
    assert table["record"].tolist() == [1, 2] and set(table["acceleration_unit"]) == {"g"}
    with xr.open_dataset(waveforms, engine="h5netcdf") as data:
        expected = data["acceleration"].values[1, 0, 10] / 9.80665
    assert pd.read_csv(out / table["file"][0])["H1 (g)"][10] == pytest.approx(expected, rel=1e-7)
    run("export", waveforms, "-f", "csv", "--records", "0", "-o", out, "--overwrite")
    assert len(pd.read_csv(out / "records.csv")) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-f", "sac"], "unknown format 'sac': known are asdf, at2"),
        (["-f", "at2", "--unit", "m/s2"], "unit = 'm/s2': format at2 has g"),
        (["-f", "csv", "--where", "depth > 3"], "'depth' is not defined; columns are record"),
        (["-f", "csv", "--max", "0"], "max = 0"),
        (["-f", "openquake"], "give sites, a CSV file with site_id, lon, lat"),
        (["-f", "csv"], "exists: give another output, or overwrite"),
    ],
)
def test_messages(waveforms, tmp_path, capsys, monkeypatch, arguments, message) -> None:
    out = tmp_path / "out"
    if message.startswith("exists"):
        out.mkdir()
        (out / "x").touch()
    said = fails(capsys, monkeypatch, "export", waveforms, *arguments, "-o", out)
    assert message in said and len(said.strip().splitlines()) == 1, said


def test_a_missing_library(waveforms, tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "obspy", None)
    said = fails(capsys, monkeypatch, "export", waveforms, "-f", "miniseed", "-o", tmp_path / "out")
    assert "pip install obspy" in said
