"""``gwm-hazard im`` on files of every format: the tables, the messages, the exit codes."""

from __future__ import annotations

import os
import shutil
import sys

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from click.testing import CliRunner

import gwm_hazard as gwm
from gwm_hazard import cli
from gwm_hazard.intensity import COMPONENTS, MEASURES, intensity_measures_array
from tests.records.files import (
    G,
    at2_text,
    knet_text,
    motion,
    stream,
    write_at2_record,
    write_seisbench,
)

IMTS = ["PGA", "PGV", "SA(0.3)", "SA(1.0)", "IA", "RSD595"]


def call(*arguments):
    return CliRunner().invoke(cli.cli, ["im", *map(str, arguments)])


def run(*arguments):
    done = call(*arguments)
    assert done.exit_code == 0, done.output
    return done


def message(capsys, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["gwm-hazard", "im", *map(str, arguments)])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    code = caught.value.code
    assert code not in (0, None)
    return code if isinstance(code, str) else capsys.readouterr().err


@pytest.fixture
def at2(tmp_path):
    return write_at2_record(tmp_path, "RSN7_EVENT_STA", motion(), 0.01)


def test_one_motion_in_every_format_has_the_same_measures(tmp_path):
    acc = motion()
    files = {"at2": write_at2_record(tmp_path, "RSN7_EVENT_STA", acc, 0.01)}
    rows = np.column_stack([np.arange(acc.shape[1]) * 0.01, acc.T / G])
    np.savetxt(
        tmp_path / "a.csv", rows, delimiter=",", header="t,NS [g],EW [g],UP [g]", comments=""
    )
    files["csv"] = [tmp_path / "a.csv"]
    stream(acc[[1, 0, 2]]).write(str(tmp_path / "a.mseed"), format="MSEED", encoding="FLOAT64")
    files["mseed"] = [tmp_path / "a.mseed"]
    files["sac"] = []
    for trace in stream(acc[[1, 0, 2]]):
        files["sac"].append(tmp_path / f"{trace.id}.sac")
        trace.write(str(files["sac"][-1]), format="SAC")
    files["knet"] = []
    for suffix, trace in zip(("N-S", "E-W", "U-D"), acc, strict=True):
        files["knet"].append(tmp_path / f"AKT013.{suffix}")
        text = knet_text(np.round(trace * 1e6), suffix, scale="1(gal)/10000")
        files["knet"][-1].write_text(text)
    files["seisbench"] = [write_seisbench(tmp_path / "set", [acc[[2, 0, 1]]])]
    wave = xr.Dataset(
        {"acceleration": (("record", "component", "time"), acc[None])}, attrs={"dt_s": 0.01}
    )
    wave.to_netcdf(tmp_path / "w.h5", engine="h5netcdf")
    files["hdf5"] = [tmp_path / "w.h5"]
    expected = intensity_measures_array(acc[None], 0.01, IMTS)[0]
    for name, paths in files.items():
        out = tmp_path / f"{name}_im.csv"
        run(*paths, "--imts", ",".join(IMTS), "--unit", "m/s2", "-o", out)
        table = pd.read_csv(out)
        assert len(table) == 1, name
        np.testing.assert_allclose(table.loc[0, IMTS].astype(float), expected, rtol=2e-5)
    # and all of them in one call, in the order of the files
    every = [p for paths in files.values() for p in paths]
    run(*every, "--imts", "PGA", "--unit", "m/s2", "-o", tmp_path / "all.csv")
    table = pd.read_csv(tmp_path / "all.csv")
    assert len(table) == len(files)
    np.testing.assert_allclose(table["PGA"], expected[0], rtol=2e-5)


def test_tables_of_every_suffix_hold_the_same(tmp_path, at2):
    columns = [f"{i}_{c}" for c in ("RotD50", "vertical", "VH") for i in ("PGA", "SA(1.0)")]
    arguments = [*at2, "--imts", "PGA,SA(1.0)", "--component", "RotD50,vertical,V/H"]
    for suffix in ("csv", "parquet", "h5", "hdf5"):
        run(*arguments, "-o", tmp_path / f"o.{suffix}")
    flat = pd.read_csv(tmp_path / "o.csv")
    arrow = pd.read_parquet(tmp_path / "o.parquet")
    np.testing.assert_allclose(flat[columns], arrow[columns], rtol=1e-12)
    for suffix in ("h5", "hdf5"):
        with xr.open_dataset(tmp_path / f"o.{suffix}", engine="h5netcdf") as data:
            assert data.sizes == {"record": 1} and list(data.data_vars) == columns
            for c in columns:
                np.testing.assert_array_equal(data[c], arrow[c])
            assert data["record_id"].item() == arrow["record_id"].item() == "RSN7_EVENT_STA"
            units = [data[c].attrs["units"] for c in columns]
            assert units == ["g", "g", "g", "g", "-", "-"]
            assert data["SA(1.0)_RotD50"].attrs["damping"] == 0.05
            assert "gwm_hazard" in data.attrs["software"]
    import pyarrow.parquet as pq

    schema = pq.read_schema(tmp_path / "o.parquet")
    assert schema.field("PGA_RotD50").metadata[b"units"] == b"g"
    assert b"gwm_hazard" in schema.metadata[b"software"]
    assert flat["software"].item().startswith("gwm_hazard ")
    np.testing.assert_allclose(flat["PGA_VH"], flat["PGA_vertical"] / flat["PGA_RotD50"])


def test_what_fails_is_listed_and_the_rest_is_written(tmp_path, at2):
    torn = tmp_path / "RSN8_EVENT_STA000.AT2"
    torn.write_text(at2[0].read_text()[:3000])
    noise = tmp_path / "note.txt"
    noise.write_text("nothing of interest\n")
    out = tmp_path / "o.csv"
    done = call(torn, *at2, noise, "--imts", "PGA", "-o", out)
    assert done.exit_code == 1
    assert list(pd.read_csv(out)["record_id"]) == ["RSN7_EVENT_STA"]
    assert "2 of 3 records not measured" in done.stderr
    assert "NPTS" in done.stderr and "note.txt" in done.stderr
    assert "Traceback" not in done.output


def test_nothing_is_written_when_nothing_is_measured(tmp_path, capsys, monkeypatch):
    acc = motion()[:1].astype(np.float32)
    stream(acc, channels="E").write(str(tmp_path / "a.mseed"), format="MSEED")
    out = tmp_path / "out" / "o.csv"
    for arguments, words in (
        (["-o", out], ("--unit",)),
        (["--unit", "g", "-o", out], ("HNE only", "RotD50", "--component H1")),
        (["--unit", "g", "-o", out.with_suffix(".xls")], (".xls", ".parquet")),
        (["--unit", "g", "-o", out, "--plot", tmp_path / "a.doc"], ("a.doc", ".png")),
        (["--unit", "furlong", "-o", out], ("furlong", "m/s2")),
        (["--unit", "g", "--highpass", "70", "--component", "H1", "-o", out], ("70 Hz", "50 Hz")),
        (["--unit", "g", "--damping", "-1", "-o", out], ("damping",)),
        (["--format", "at2", "-o", out], ("NPTS",)),
    ):
        text = message(capsys, monkeypatch, tmp_path / "a.mseed", *arguments)
        assert [w for w in words if w not in text] == [], text
        assert len(text.strip().splitlines()) == 1
    assert not list(tmp_path.glob("out/*"))


def test_files_of_this_package_keep_their_keys_and_conditions(tmp_path, monkeypatch):
    from gwm_hazard.records.readers import hdf5

    path = tmp_path / "w.h5"
    scenarios = gwm.Scenarios(mag=6.0, rrup=[10.0, 40.0], vs30=400.0, hypo_depth=8.0)
    drawn = gwm.load_model("stochastic", device="cpu").generate(scenarios, n=3, seed=7)
    drawn.to_netcdf(path, engine="h5netcdf")
    tables = []
    for block in (hdf5._BLOCK_BYTES, 1, 300_000):
        monkeypatch.setattr(hdf5, "_BLOCK_BYTES", block)
        run(path, "--imts", ",".join(IMTS), "-o", tmp_path / "o.csv", "--overwrite")
        tables.append(pd.read_csv(tmp_path / "o.csv"))
        pd.testing.assert_frame_equal(tables[0], tables[-1], check_exact=True)
    table = tables[0]
    assert list(zip(table["scenario"], table["realization"], strict=True)) == [
        (s, k) for s in range(2) for k in range(3)
    ]
    assert table["record_id"][4] == "w.h5#scenario=1,realization=1"
    np.testing.assert_array_equal(table["rrup"], [10.0] * 3 + [40.0] * 3)
    np.testing.assert_array_equal(table["mag"], 6.0)
    expected = gwm.intensity_measures(drawn, IMTS)
    for imt in IMTS:
        np.testing.assert_allclose(table[imt], expected[imt].values.ravel(), rtol=1e-12)


def test_corrections_are_applied_and_written_down(tmp_path):
    acc = motion()
    path = tmp_path / "a.csv"
    np.savetxt(path, acc.T + 0.5, header="", comments="")
    arguments = [
        path,
        "--unit",
        "m/s2",
        "--dt",
        "0.01",
        "--imts",
        "PGA",
        "-o",
        tmp_path / "o.csv",
        "--overwrite",
    ]
    arguments += ["--columns", "H1,H2,V"]
    assert "1 with an offset that --baseline mean" in run(*arguments).stderr
    run(*arguments, "--baseline", "mean")
    table = pd.read_csv(tmp_path / "o.csv")
    expected = intensity_measures_array(acc[None], 0.01, ["PGA"])[0, 0]
    assert table["PGA"].item() == pytest.approx(expected, rel=1e-9)
    assert table["processing"].item() == "baseline: mean removed"
    run(*arguments, "--highpass", "0.5")
    table = pd.read_csv(tmp_path / "o.csv")
    assert "high-pass 0.5 Hz" in table["processing"].item()
    assert table["npts"].item() == acc.shape[1] + 2 * 600


def test_a_folder_and_an_archive_hold_the_same_records(tmp_path):
    folder = tmp_path / "event"
    (folder / "deeper").mkdir(parents=True)
    write_at2_record(folder, "RSN7_EVENT_STA", motion(), 0.01)
    (folder / "event.json").write_text('{"id": "us1000"}')
    (folder / "deeper" / "stations.xml").write_text('<?xml version="1.0"?><FDSNStationXML/>')
    (folder / "deeper" / "damaged.AT2").write_text("PEER\nx\ny\nNPTS= 9, DT= .01 SEC\n1 2\n")
    shutil.make_archive(str(tmp_path / "event"), "zip", folder)
    tables = []
    for given in (folder, tmp_path / "event.zip"):
        done = call(given, "--imts", "PGA", "-o", tmp_path / f"{given.name}.csv", "--unit", "g")
        assert done.exit_code == 1  # for the damaged one alone
        assert "1 of 2 records not measured" in done.stderr
        assert "no records: event.json, stations.xml" in done.stderr
        tables.append(pd.read_csv(tmp_path / f"{given.name}.csv"))
    names = [c for c in tables[0] if c != "source_file"]
    pd.testing.assert_frame_equal(tables[0][names], tables[1][names])
    assert f"{tmp_path / 'event.zip'}::RSN7" in tables[1]["source_file"].item()


def test_what_is_no_file_is_refused_at_once(tmp_path, capsys, monkeypatch):
    os.mkfifo(tmp_path / "pipe.AT2")
    text = message(capsys, monkeypatch, tmp_path / "pipe.AT2", "-o", tmp_path / "o.csv")
    assert "neither a file nor a folder" in text


def test_an_output_is_not_overwritten_unasked(tmp_path, at2, capsys, monkeypatch):
    out = tmp_path / "o.csv"
    out.write_text("mine")
    text = message(capsys, monkeypatch, *at2, "-o", out)
    assert "--overwrite" in text and out.read_text() == "mine"
    run(*at2, "-o", out, "--overwrite")
    assert out.read_text() != "mine"


def test_components_and_columns_are_the_way_out(tmp_path):
    acc = motion()
    for name, trace in zip(("a100", "a200", "a300"), acc, strict=True):
        (tmp_path / f"X_{name}.AT2").write_text(at2_text(trace / G, 0.01, name))
    files = sorted(tmp_path.glob("*.AT2"))
    arguments = [*files, "--imts", "PGA", "--component", "vertical"]
    assert call(*arguments, "-o", tmp_path / "o.csv").exit_code == 1
    run(*arguments, "-o", tmp_path / "o.csv", "--components", "100=N,200=E,300=Z")
    pga = np.abs(acc[2]).max() / G
    assert pd.read_csv(tmp_path / "o.csv")["PGA"].item() == pytest.approx(pga, rel=0.01)
    path = tmp_path / "r.txt"
    np.savetxt(path, acc[[2, 0, 1]].T)
    arguments = [path, "--imts", "PGA", "--component", "vertical", "--unit", "m/s2", "--dt", "0.01"]
    run(*arguments, "--columns", "UP,N,E", "-o", tmp_path / "t.csv")
    assert pd.read_csv(tmp_path / "t.csv")["PGA"].item() == pytest.approx(pga, rel=0.01)


def test_pictures(tmp_path, at2):
    for kind, magic in (("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")):
        picture = tmp_path / f"p.{kind}"
        run(*at2, "--imts", "PGA", "-o", tmp_path / f"{kind}.csv", "--plot", picture)
        assert picture.read_bytes().startswith(magic)


def test_list_prints_the_table_of_measures():
    text = run("--list").output
    for entry in MEASURES:
        assert f"{entry.imt} [{entry.unit}]" in text and entry.source in text
    assert [c for c in COMPONENTS if f"\n{c}\n" not in text] == []
