"""The training file: what is written is read, by us and by SeisBench, also after a kill."""

from __future__ import annotations

import json
import multiprocessing
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gwm_hazard.files.seisbench_columns import COLUMNS, from_seisbench, to_seisbench
from gwm_hazard.records import read_records, training_set
from gwm_hazard.records.training_set import TrainingSet, TrainingSetWriter, split_by_event

NPTS = 64


def block(n, first=0):
    rng = np.random.default_rng(first)
    event = [f"{(first + i) // 3:04d}" for i in range(n)]
    table = pd.DataFrame(
        {
            "record_id": [f"r{first + i}" for i in range(n)],
            "event_id": event,
            "split": split_by_event(event),
            "mag": rng.uniform(4, 7, n),
            "rhypo": rng.uniform(10, 100, n),
            "vs30": [400.0] * (n - 1) + [np.nan],
            "network": "NA",
            "station": "007",
            "p_sample": 10,
            "snr": rng.uniform(3, 9, n),
        }
    )
    return rng.normal(size=(n, 3, NPTS)), table


def write(folder, sizes=(5, 7, 11), **keywords):
    first, blocks = 0, []
    with TrainingSetWriter(folder, npts=NPTS, **keywords) as writer:
        for n in sizes:
            blocks.append(block(n, first))
            writer.append(*blocks[-1])
            first += n
    acc = np.concatenate([a for a, _ in blocks]).astype("f4")
    return acc, pd.concat([t for _, t in blocks], ignore_index=True)


@pytest.fixture(params=(4, 256))
def bucket(request, monkeypatch):
    monkeypatch.setattr(training_set, "BUCKET", request.param)


def test_what_is_written_is_read(tmp_path, bucket):
    acc, table = write(tmp_path / "set", attributes={"seed": 3, "source": "test"})
    data = TrainingSet.open(tmp_path / "set")
    assert len(data) == 23 and data.components == ("R", "T", "Z") and data.dt_s == 0.01
    assert data.attributes["seed"] == "3" and "numpy" in json.loads(data.attributes["software"])
    pd.testing.assert_frame_equal(data.table[list(table)], table, check_dtype=False)
    assert data.table["station"].tolist() == ["007"] * 23
    rows = np.random.default_rng(0).integers(0, 23, 40)
    np.testing.assert_array_equal(data.waveforms(rows), acc[rows])
    assert data.waveforms([]).shape == (0, 3, NPTS)
    assert sum(len(data.rows(s)) for s in ("train", "dev", "test")) == 23
    assert [p.name for p in tmp_path.iterdir()] == ["set"]
    with pytest.raises(IndexError, match="23"):
        data.waveforms([23])


def test_seisbench_opens_it(tmp_path, bucket):
    seisbench = pytest.importorskip("seisbench.data")
    acc, table = write(tmp_path / "set")
    data = seisbench.WaveformDataset(tmp_path / "set", component_order="RTZ")
    assert len(data) == 23 and (data.metadata["trace_sampling_rate_hz"] == 100).all()
    assert data.metadata["source_id"].nunique() == table["event_id"].nunique()
    for i in (0, 6, 22):
        waveform, row = data.get_sample(i)
        np.testing.assert_array_equal(waveform, acc[i])
        assert row["source_magnitude"] == pytest.approx(table["mag"][i])
        assert row["trace_p_arrival_sample"] == 10
    assert len(data.train()) == (table["split"] == "train").sum()


def test_our_own_reader_opens_it(tmp_path):
    acc, table = write(tmp_path / "set")
    records = list(read_records(tmp_path / "set"))
    np.testing.assert_array_equal(records[7].acceleration, acc[7])
    assert records[7].components == ("R", "T", "Z")
    assert records[7].metadata["mag"] == pytest.approx(table["mag"][7])


def _shape_in_other_process(data):
    return float(data.waveforms([3, 1]).sum())


def test_it_travels_to_other_processes(tmp_path):
    acc, _ = write(tmp_path / "set")
    data = TrainingSet.open(tmp_path / "set")
    data.waveforms([0])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(data)).waveforms([4]), acc[[4]])
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply(_shape_in_other_process, (data,)) == pytest.approx(
            float(acc[[3, 1]].sum()), rel=1e-6
        )


class Killed(BaseException):
    pass


def test_an_interrupted_run_goes_on(tmp_path, bucket):
    whole, _ = write(tmp_path / "whole", attributes={"seed": 1})
    with (
        pytest.raises(Killed),
        TrainingSetWriter(tmp_path / "set", npts=NPTS, attributes={"seed": 1}) as writer,
    ):
        writer.append(*block(5))
        writer.append(*block(7, 5))
        raise Killed
    assert not (tmp_path / "set").exists()
    with pytest.raises(ValueError, match=r"another seed \(1, now 2\)"):
        TrainingSetWriter(tmp_path / "set", npts=NPTS, attributes={"seed": 2}, resume=True)
    with TrainingSetWriter(
        tmp_path / "set", npts=NPTS, attributes={"seed": 1}, resume=True
    ) as writer:
        assert len(writer) == 12
        assert writer.table["record_id"].tolist() == [f"r{i}" for i in range(12)]
        writer.append(*block(11, 12))
    resumed = TrainingSet.open(tmp_path / "set")
    np.testing.assert_array_equal(resumed.waveforms(np.arange(23)), whole)
    pd.testing.assert_frame_equal(resumed.table, TrainingSet.open(tmp_path / "whole").table)


def test_a_kill_between_samples_and_table_loses_that_bucket_only(tmp_path, monkeypatch):
    monkeypatch.setattr(training_set, "BUCKET", 4)
    with pytest.raises(Killed), TrainingSetWriter(tmp_path / "set", npts=NPTS) as writer:
        writer.append(*block(4))
        writer.append(*block(4, 4))
        raise Killed
    (tmp_path / "set.partial" / "part-000001.csv").unlink()
    with TrainingSetWriter(tmp_path / "set", npts=NPTS, resume=True) as writer:
        assert len(writer) == 4
        writer.append(*block(4, 4))
    data = TrainingSet.open(tmp_path / "set")
    np.testing.assert_array_equal(data.waveforms([5]), block(4, 4)[0][[1]].astype("f4"))


def test_without_resume_an_interrupted_run_is_forgotten(tmp_path):
    with pytest.raises(Killed), TrainingSetWriter(tmp_path / "set", npts=NPTS) as writer:
        writer.append(*block(4))
        raise Killed
    with TrainingSetWriter(tmp_path / "set", npts=NPTS) as writer:
        assert len(writer) == 0
        writer.append(*block(2))
    assert len(TrainingSet.open(tmp_path / "set")) == 2


def test_mistakes_of_the_caller(tmp_path):
    acc, table = block(4)
    with TrainingSetWriter(tmp_path / "set", npts=NPTS) as writer:
        with pytest.raises(OSError, match="another run is writing it"):
            TrainingSetWriter(tmp_path / "set", npts=NPTS)
        for wrong, message in (
            ((acc[:3], table), r"must be \(4, 3, 64\)"),
            ((acc * np.nan, table), "NaN"),
            ((acc, table.drop(columns="event_id")), "event_id"),
            ((acc, table.assign(split="validation")), "validation"),
        ):
            with pytest.raises(ValueError, match=message):
                writer.append(*wrong)
        writer.append(acc, table)
    with pytest.raises(ValueError, match="exists"):
        TrainingSetWriter(tmp_path / "set")
    with pytest.raises(ValueError, match="no records"), TrainingSetWriter(tmp_path / "none"):
        pass


def test_damaged_files_are_named(tmp_path):
    with pytest.raises(OSError, match="not there"):
        TrainingSet.open(tmp_path)
    write(tmp_path / "set")
    table = tmp_path / "set" / "metadata.csv"
    text = table.read_text()
    table.write_text("".join(text.splitlines(keepends=True)[:-1]))
    with pytest.raises(ValueError, match=r"22 rows, but .* 23"):
        _ = TrainingSet.open(tmp_path / "set").table
    waveforms = tmp_path / "set" / "waveforms.hdf5"
    waveforms.write_bytes(waveforms.read_bytes()[:1000])
    with pytest.raises(ValueError, match="not a readable"):
        TrainingSet.open(tmp_path / "set")


def test_names_go_there_and_back():
    names = [*COLUMNS, "snr", "rsn"]
    theirs = to_seisbench(names)
    assert len(set(theirs.values())) == len(names)
    assert list(from_seisbench(theirs.values()).values()) == names
    assert theirs["mag"] == "source_magnitude" and theirs["snr"] == "trace_snr"
    assert from_seisbench(["station_vs30_m_s"]) == {"station_vs30_m_s": "vs30"}


def test_splits_are_by_event_and_stay():
    events = np.repeat(np.arange(20000), 2)
    split = split_by_event(events, (0.7, 0.2, 0.1), seed=4)
    assert (split[::2] == split[1::2]).all()
    # binomial: the standard error is 0.0032 at most
    for name, share in (("train", 0.7), ("dev", 0.2), ("test", 0.1)):
        assert np.mean(split == name) == pytest.approx(share, abs=0.013)
    order = np.random.default_rng(1).permutation(events[:3000])
    np.testing.assert_array_equal(split_by_event(order, (0.7, 0.2, 0.1), 4), split[order * 2])
    assert (split_by_event(events, seed=5) != split_by_event(events, seed=6)).any()
    assert set(split_by_event(events, (0, 0, 1))) == {"test"}
    with pytest.raises(ValueError, match="add up to 1"):
        split_by_event(events, (0.8, 0.1, 0.2))


def test_the_example_in_the_docs(tmp_path):
    write(tmp_path / "set")
    page = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    code = page.split("```python\n")[1].split("```")[0]
    names: dict[str, object] = {}
    exec(code.replace("FOLDER", str(tmp_path / "set")), names)
    assert names["acc"].shape == (8, 3, NPTS) and names["mag"].shape == (8,)
