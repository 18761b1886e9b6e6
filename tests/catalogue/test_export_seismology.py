"""SeisBench, miniSEED and ASDF, read back by their own libraries where they are installed."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pandas as pd
import pytest

from gwm_hazard import Scenarios
from gwm_hazard.catalogue.export import export_catalogue, records

SC = Scenarios(mag=[5.0, 7.0], rrup=[20.0, 10.0], vs30=[400.0, 700.0])
NPTS = [160, 160, 160, 256, 256, 256]


@pytest.fixture
def waveforms(toy):
    wf = toy.generate(SC, n=3, seed=3)
    pga = np.arange(6.0).reshape(2, 3)
    return wf.assign({"SA(0.3)": (("scenario", "realization"), pga, {"units": "g"})})


@pytest.fixture
def expected(waveforms):
    flat = waveforms["acceleration"].values.reshape(6, 3, -1)
    return [flat[i][:, :n] for i, n in enumerate(NPTS)]


@pytest.fixture(params=[2 * 3 * 256 * 4, 2**25])
def seisbench_folder(waveforms, tmp_path, monkeypatch, request):
    monkeypatch.setattr(records, "BLOCK_BYTES", request.param)
    export_catalogue(waveforms, "seisbench", tmp_path / "out")
    return tmp_path / "out"


def test_seisbench_layout(seisbench_folder, expected):
    """As the SeisBench documentation describes it: trace_name is bucket$index,:size,:size."""
    meta = pd.read_csv(seisbench_folder / "metadata.csv")
    assert meta["trace_sampling_rate_hz"].tolist() == [100.0] * 6
    assert set(meta["trace_component_order"]) == {"12Z"}
    assert meta["source_magnitude"].tolist() == [5.0] * 3 + [7.0] * 3
    assert set(meta["source_magnitude_type"]) == {"Mw"} and set(meta["trace_unit"]) == {"m/s2"}
    assert meta["path_rrup_distance_km"].tolist() == [20.0] * 3 + [10.0] * 3
    assert meta["station_vs_30_mps"].tolist() == [400.0] * 3 + [700.0] * 3
    assert meta["trace_sa_0.3_g"].tolist() == list(range(6))
    assert meta["source_id"].tolist() == [0, 0, 0, 1, 1, 1]
    with h5py.File(seisbench_folder / "waveforms.hdf5") as file:
        assert file["data_format/dimension_order"][()] == b"CW"
        assert file["data_format/component_order"][()] == b"12Z"
        assert file["data_format/sampling_rate"][()] == 100.0
        assert json.loads(file.attrs["model_card"])["name"] == "toy"
        for name, record in zip(meta["trace_name"], expected, strict=True):
            bucket, location = name.split("$")
            index, *sizes = location.split(",")
            window = tuple(slice(int(s[1:])) for s in sizes)
            got = file["data"][bucket][int(index)][window]
            assert got.dtype == np.float32 and np.array_equal(got, record)


def test_seisbench_reads_it(seisbench_folder, expected):
    data = pytest.importorskip("seisbench.data")
    dataset = data.WaveformDataset(seisbench_folder, component_order="12Z")
    assert len(dataset) == 6
    for i, record in enumerate(expected):
        waveform, metadata = dataset.get_sample(i)
        assert np.array_equal(waveform, record)
        assert metadata["trace_sampling_rate_hz"] == 100.0
    assert dataset.filter(dataset.metadata["source_magnitude"] > 6, inplace=False).metadata[
        "trace_name_original"
    ].tolist() == ["rec0003", "rec0004", "rec0005"]


def test_miniseed(waveforms, expected, tmp_path):
    obspy = pytest.importorskip("obspy")
    export_catalogue(waveforms, "miniseed", tmp_path / "out", records="1:6")
    table = pd.read_csv(tmp_path / "out" / "records.csv")
    assert set(table["acceleration_unit"]) == {"m/s2"}
    assert table["station"].tolist() == ["A0001", "A0002", "A0003", "A0004", "A0005"]
    for row in table.itertuples():
        stream = obspy.read(tmp_path / "out" / row.file)
        ids = [f"{row.network}.{row.station}..{c}" for c in row.channels.split()]
        assert [trace.id for trace in stream] == ids
        for trace, values in zip(stream, expected[row.record], strict=True):
            assert trace.stats.mseed.encoding == "FLOAT32"
            assert trace.stats.delta == pytest.approx(row.dt_s, rel=1e-7)
            assert trace.stats.npts == row.npts
            assert np.array_equal(trace.data, values)
    together = obspy.read(str(tmp_path / "out" / "waveforms" / "*.mseed"))
    assert len({trace.id for trace in together}) == 15  # no two traces merge


def test_asdf(waveforms, expected, tmp_path):
    pyasdf = pytest.importorskip("pyasdf")
    export_catalogue(waveforms, "asdf", tmp_path / "out")
    table = pd.read_csv(tmp_path / "out" / "records.csv")
    with pyasdf.ASDFDataSet(str(tmp_path / "out" / "waveforms.h5"), mode="r", mpi=False) as file:
        assert len(file.waveforms.list()) == 6
        for row in table.itertuples():
            stream = file.waveforms[f"{row.network}.{row.station}"].synthetic
            for trace, values in zip(stream, expected[row.record], strict=True):
                assert np.array_equal(trace.data, values) and trace.stats.delta == 0.01
            about = file.auxiliary_data.Records[row.station].parameters
            assert (about["mag"], about["record"], about["name"]) == (row.mag, row.record, row.name)
            assert about["acceleration_unit"] == "m/s2"
        stored = file.auxiliary_data.Provenance.model.data[:].tobytes()
        assert json.loads(stored)["model"] == "toy"


@pytest.mark.parametrize(("name", "package"), [("miniseed", "obspy"), ("asdf", "pyasdf")])
def test_a_missing_library_is_named(waveforms, tmp_path, monkeypatch, name, package):
    import sys

    monkeypatch.setitem(sys.modules, package, None)  # as if it were not installed
    with pytest.raises(ImportError, match=f"pip install {package}"):
        export_catalogue(waveforms, name, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
