"""``gwm-hazard data prepare``: from the agency's archive to a training file."""

from __future__ import annotations

import io
import tarfile

import numpy as np
import pandas as pd
import pytest

import gwm_hazard.cli
from gwm_hazard.records.training_set import TrainingSet
from tests.records.agency import shaking, write_dyna
from tests.records.files import knet_text

GAL = 3920 / 6182761  # of a count, in knet_text


def knet_files(station, acc, kik=""):
    """The three files of a station, acc (3, nt) north, east, up."""
    names = {"NS": "N-S", "EW": "E-W", "UD": "U-D"}
    codes = {"1": "123", "2": "456"}.get(kik)
    files = {}
    for k, (suffix, direction) in enumerate(names.items()):
        told = codes[k] if codes else direction
        text = knet_text(np.round(acc[k] * 100 / GAL), told, station=station)
        # near the epicentre, so that the peak is credible
        text = text.replace("39.6069", "38.3").replace("140.3213", "142.0")
        files[f"{station}1103111446.{suffix}{kik}"] = text.encode()
    return files


def write_tar(path, files):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr("sys.argv", ["gwm-hazard", *map(str, arguments)])
    code = 0
    try:
        gwm_hazard.cli.main()
    except SystemExit as exc:
        code = exc.code if isinstance(exc.code, int) else 1
        if isinstance(exc.code, str):
            print(exc.code)
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def test_archive_of_nied(tmp_path, monkeypatch, capsys):
    acc = shaking(p_s=20.0, nt=8000, seed=1)
    inner = {**knet_files("MYG001", acc), "MYG0011103111446.ps.gz": b"%!PS"}
    kik = {**knet_files("MYGH01", acc * 0.3, "1"), **knet_files("MYGH01", acc * 0.8, "2")}
    write_tar(tmp_path / "knt.tar.gz", inner)
    outer = {"knt/20110311.tar.gz": (tmp_path / "knt.tar.gz").read_bytes(), **kik}
    (tmp_path / "in").mkdir()
    write_tar(tmp_path / "in" / "all.tar.gz", outer)
    (tmp_path / "sites.csv").write_text("station,vs30\nMYG001,350\nMYGH01,700\n")
    code, text = run(
        monkeypatch, capsys, "data", "prepare", tmp_path / "in", "-o", tmp_path / "set",
        "--metadata", tmp_path / "sites.csv", "--jobs", 0, "--plot", tmp_path / "set.png",
        "--highpass", 0, "--detrend", "none",
    )  # fmt: skip
    assert code == 0, text
    assert "2 of 3 records" in text and "1  borehole: recorded in a borehole" in text
    assert "no event falls into" in text  # of one event
    data = TrainingSet.open(tmp_path / "set")
    table = data.table
    assert sorted(table["vs30"]) == [350, 700] and set(table["mag"]) == {9.0}
    assert set(table["event_id"]) == {"20110311T054600"}  # Japan is 9 hours ahead of UTC
    assert table["source_file"].str.contains("all.tar.gz::").all()
    assert data.components == ("R", "T", "Z") and len(data.waveforms([0, 1])) == 2
    up = data.waveforms([int(table.index[table["vs30"] == 350][0])])[0, 2]
    assert np.abs(up).max() == pytest.approx(np.abs(acc[2]).max(), rel=1e-4)
    rejected = pd.read_csv(tmp_path / "set" / "rejected.csv")
    assert rejected["code"].tolist() == ["borehole"]
    assert (tmp_path / "set.png").read_bytes().startswith(b"\x89PNG")


def test_options_reach_the_file(tmp_path, monkeypatch, capsys):
    (tmp_path / "in").mkdir()
    write_dyna(tmp_path / "in", shaking(p_s=12.5, nt=4000))
    code, text = run(
        monkeypatch, capsys, "data", "prepare", tmp_path / "in", "-o", tmp_path / "set", "-j", 0,
        "--components", "12Z", "--rate", 50, "--length", 20.48, "--before-p", 2, "--highpass", 0.2,
        "--snr-bands", "1-5", "--range", "mag=6:7", "--no-travel-time", "--shares", "0,0,1",
    )  # fmt: skip
    assert code == 0, text
    data = TrainingSet.open(tmp_path / "set")
    assert data.npts == 1024 and data.dt_s == 0.02 and data.components == ("1", "2", "Z")
    assert data.table["p_sample"].tolist() == [100] and len(data.rows("test")) == 1
    assert '"highpass_hz": 0.2' in data.attributes["settings"]
    assert "0.2 Hz; resampled from 100 to 50 Hz" in data.table["processing"][0]
    # again from what was written
    code, text = run(
        monkeypatch, capsys, "data", "prepare", tmp_path / "set", "-o", tmp_path / "again", "-j", 0,
        "--components", "12Z", "--rate", 50, "--length", 20.48, "--before-p", 2, "--highpass", 0,
        "--detrend", "none", "--snr-bands", "1-5", "--no-travel-time", "--shares", "0,0,1",
    )  # fmt: skip
    assert code == 0, text
    again = TrainingSet.open(tmp_path / "again")
    np.testing.assert_allclose(again.waveforms([0]), data.waveforms([0]), atol=1e-6)
    assert again.table["p_status"].tolist() == ["given"]


def test_mistakes(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "in"
    folder.mkdir()
    write_dyna(folder, shaking(p_s=12.5, nt=4000), **{"VS30_M/S": ""})
    (tmp_path / "wrong.csv").write_text("name,vs30\nACC,700\n")
    (tmp_path / "there").mkdir()
    base = ("data", "prepare", folder, "-j", 0, "-o")
    for arguments, message in (
        ((*base, tmp_path / "set"), "no vs30 known"),
        ((*base, tmp_path / "set", "--metadata", tmp_path / "wrong.csv"), "It has name, vs30"),
        ((*base, tmp_path / "there"), "exists already; give another name"),
        ((*base, tmp_path / "set", "--range", "mag=4"), "not of the form mag=4:8"),
        ((*base, tmp_path / "set", "--require", "size"), "'size' is no condition"),
        ((*base, tmp_path / "set", "--picker", "phasenet:none"), "not on this machine"),
        ((*base, tmp_path / "set", "--plot", "x.txt"), "suffix tells the format"),
    ):
        if "--picker" in arguments:
            pytest.importorskip("seisbench")
        code, text = run(monkeypatch, capsys, *arguments)
        assert code != 0 and message in text and "Traceback" not in text, text
    assert not (tmp_path / "set").exists()
    assert len(pd.read_csv(tmp_path / "set.rejected.csv")) == 1


def test_the_group_lists_its_commands(monkeypatch, capsys):
    code, text = run(monkeypatch, capsys, "data", "--help")
    assert code == 0 and "prepare" in text
    code, text = run(monkeypatch, capsys, "data", "nonsense")
    assert code != 0 and "No such command" in text
