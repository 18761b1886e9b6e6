"""CSV, PEER AT2 and OpenSees: what a plain reader of each format gets back."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gwm_hazard import Scenarios
from gwm_hazard.catalogue.export import export_catalogue
from gwm_hazard.catalogue.export.at2 import at2_text
from gwm_hazard.records.readers import at2, text
from gwm_hazard.records.record import Options

SC = Scenarios(mag=[5.0, 7.0], rrup=[20.0, 10.0], vs30=400.0)
UNITS = {"m/s2": 1.0, "cm/s2": 0.01, "g": 9.80665}


@pytest.fixture
def waveforms(toy):
    """Two records of 160 samples and two of 256, of all signs and sizes."""
    wf = toy.generate(SC, n=2, seed=3)
    noise = np.random.default_rng(0).normal(size=(2, 2, 160)) * 10.0 ** np.arange(-3, 1).reshape(
        2, 2, 1
    )
    wf["acceleration"].values[:, :, 1, :160] = noise
    return wf


def records_of(waveforms):
    """(name, (3, npts) float32 in m/s2) of each record."""
    flat = waveforms["acceleration"].values.reshape(4, 3, -1)
    return [(f"rec000{i}", flat[i][:, : (160, 160, 256, 256)[i]]) for i in range(4)]


@pytest.mark.parametrize("unit", [None, *UNITS])
def test_csv(waveforms, tmp_path, unit):
    export_catalogue(waveforms, "csv", tmp_path / "out", unit=unit)
    unit = unit or "m/s2"
    table = pd.read_csv(tmp_path / "out" / "records.csv")
    assert set(table["acceleration_unit"]) == {unit} and set(table["dt_s"]) == {0.01}
    assert table["npts"].tolist() == [160, 160, 256, 256]
    for (name, expected), file in zip(records_of(waveforms), table["file"], strict=True):
        assert name in file
        got = pd.read_csv(tmp_path / "out" / file)
        assert list(got.columns) == ["time (s)", *(f"{c} ({unit})" for c in ("H1", "H2", "V"))]
        np.testing.assert_allclose(got["time (s)"], np.arange(len(got)) * 0.01, atol=1e-12)
        back = got.iloc[:, 1:].to_numpy().T
        if unit == "m/s2":
            assert np.array_equal(back.astype(np.float32), expected)  # nothing is lost
        np.testing.assert_allclose(back * UNITS[unit], expected, rtol=5e-9)


def test_csv_through_the_reader_of_observed_records(waveforms, tmp_path):
    export_catalogue(waveforms, "csv", tmp_path / "out", unit="g")
    files = sorted((tmp_path / "out" / "waveforms").iterdir())
    for source, (_, expected) in zip(
        text.scan(files, Options()), records_of(waveforms), strict=True
    ):
        (record,) = source
        assert record.dt_s == 0.01
        np.testing.assert_allclose(record.acceleration, expected, rtol=6e-8)


def read_at2(path):
    """As engineers' scripts read AT2: NPTS and DT by pattern from line 4, then numbers."""
    lines = Path(path).read_text().splitlines()
    found = re.match(r"NPTS=\s*(\d+),\s*DT=\s*([0-9.]+)\s*SEC", lines[3])
    assert found, lines[3]
    values = np.array(" ".join(lines[4:]).split(), dtype=float)
    return lines, int(found[1]), float(found[2]), values


def test_at2(waveforms, tmp_path):
    export_catalogue(waveforms, "at2", tmp_path / "out")
    table = pd.read_csv(tmp_path / "out" / "records.csv")
    for i, (name, expected) in enumerate(records_of(waveforms)):
        for c, component in enumerate(["H1", "H2", "V"]):
            path = tmp_path / "out" / table[f"file_{component}"][i]
            assert path.name == f"{name}_{component}.AT2"
            lines, npts, dt, values = read_at2(path)
            assert lines[0].startswith("SYNTHETIC")
            assert "PEER NGA STRONG MOTION DATABASE" in lines[0]
            assert lines[1].endswith(f", {component}") and f"M {(5.0, 7.0)[i // 2]:.2f}" in lines[1]
            assert lines[2] == "ACCELERATION TIME SERIES IN UNITS OF G"
            assert npts == expected.shape[1] == len(values) and dt == 0.01
            assert all(len(line.split()) == 5 for line in lines[4:-1])
            # Eight digits are stated; float32 has seven.
            np.testing.assert_allclose(values * 9.80665, expected[c], rtol=6e-8)


def test_at2_through_the_reader_of_observed_records(waveforms, tmp_path):
    export_catalogue(waveforms, "at2", tmp_path / "out")
    for name, expected in records_of(waveforms):
        for component, values in zip(["H1", "H2", "V"], expected, strict=True):
            path = tmp_path / "out" / "waveforms" / f"{name}_{component}.AT2"
            trace, _ = at2.read_at2(path)
            assert (trace.dt_s, trace.vertical) == (0.01, component == "V")
            np.testing.assert_allclose(trace.data, values, rtol=6e-8)


@pytest.mark.parametrize(
    ("dt", "text"), [(0.01, ".0100"), (0.005, ".0050"), (0.00390625, ".00390625"), (1.0, "1.0000")]
)
def test_at2_time_step(tmp_path, dt, text):
    (tmp_path / "a.AT2").write_text(at2_text(np.array([-0.1, 2.0]), dt, "t", "e"))
    lines, npts, back, values = read_at2(tmp_path / "a.AT2")
    assert f"DT= {text:>8s} SEC" in lines[3]
    assert (npts, back, values.tolist()) == (2, dt, [-0.1, 2.0])


class RecordingOps:
    """Takes the calls that OpenSeesPy would get."""

    def __init__(self):
        self.calls = []

    def timeSeries(self, *arguments):
        self.calls.append(arguments)


@pytest.mark.parametrize("unit", [None, *UNITS])
def test_opensees_python(waveforms, tmp_path, unit):
    out = tmp_path / "out"
    export_catalogue(waveforms, "opensees", out, unit=unit)
    spec = importlib.util.spec_from_file_location("gwm_records", out / "gwm_records.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, expected in records_of(waveforms):
        for c, component in enumerate(["H1", "H2", "V"]):
            ops = RecordingOps()
            assert module.time_series(ops, 7, name, component) == (0.01, expected.shape[1])
            (kind, tag, *options), *_ = ops.calls
            assert (kind, tag) == ("Path", 7)
            options = dict(zip(options[::2], options[1::2], strict=True))
            assert options["-dt"] == 0.01 and options["-factor"] == UNITS[unit or "g"]
            # OpenSees: value of the file times the factor.
            values = np.loadtxt(options["-filePath"]) * options["-factor"]
            np.testing.assert_allclose(values, expected[c], rtol=5e-9)


def test_opensees_tcl(waveforms, tmp_path):
    tkinter = pytest.importorskip("tkinter")
    out = tmp_path / "a folder [with] $signs"
    export_catalogue(waveforms, "opensees", out)
    for name, expected in records_of(waveforms):
        tcl = tkinter.Tcl()
        tcl.setvar("script", str(out / "waveforms" / f"{name}.tcl"))
        tcl.eval("source $script")
        assert float(tcl.eval("set record(dt)")) == 0.01
        assert int(tcl.eval("set record(npts)")) == expected.shape[1]
        factor = float(tcl.eval("set record(factor)"))
        for c, component in enumerate(["H1", "H2", "V"]):
            values = np.loadtxt(tcl.eval(f"set record({component})")) * factor
            np.testing.assert_allclose(values, expected[c], rtol=5e-9)
