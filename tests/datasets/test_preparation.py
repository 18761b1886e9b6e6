"""The preparation of whole records: what goes in comes out cut, rotated and accounted for."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gwm_hazard.datasets.preparation import Settings, prepare
from gwm_hazard.datasets.preparation.geometry import azimuthal_gap
from gwm_hazard.datasets.preparation.record import prepare_record
from gwm_hazard.datasets.preparation.rotation import to_radial_transverse
from gwm_hazard.datasets.preparation.settings import RejectedRecordError
from gwm_hazard.datasets.preparation.tables import MetadataTable
from gwm_hazard.datasets.preparation.work import CRASHED, Task, find_tasks, run_tasks
from gwm_hazard.records import training_set
from gwm_hazard.records.record import Failure, Record
from gwm_hazard.records.training_set import TrainingSet, split_by_event
from tests.records.agency import shaking, write_dyna

PLAIN = Settings(highpass_hz=0.0, detrend="none", require=("mag",))


def record(name="r0", event="e0", azimuth=40.0, seed=0, **changes):
    """A record 30 km from its event."""
    from obspy.geodetics import kilometers2degrees

    d = kilometers2degrees(30.0)
    a = np.deg2rad(azimuth)
    acc = changes.pop("acc", None)
    metadata = {
        "record_id": name, "source_file": "memory", "event_id": event, "mag": 6.0,
        "hypo_depth": 10.0, "vs30": 400.0, "event_lat": 0.0, "event_lon": 0.0,
        "station_lat": d * np.cos(a), "station_lon": d * np.sin(a), "station": name,
        "event_time": "2020-01-01T00:00:05.5Z", "start_time": "2020-01-01T00:00:00Z",
    } | changes  # fmt: skip
    metadata = {k: v for k, v in metadata.items() if v is not None}
    acc = shaking(seed=seed, p_s=11.0) if acc is None else acc
    return Record(acc, 0.01, ("N", "E", "Z"), 2, metadata)


def reason(code, item, settings=Settings()):  # noqa: B008
    with pytest.raises(RejectedRecordError) as caught:
        prepare_record(item, settings)
    assert caught.value.code == code, str(caught.value)
    return str(caught.value)


# ---- one record


def test_a_record_is_cut_at_p_and_rotated():
    item = record(p_time="2020-01-01T00:00:11Z")
    done = prepare_record(item, PLAIN)
    assert done.acceleration.shape == (3, 4096) and done.acceleration.dtype == np.float32
    expected = item.acceleration[:, 600 : 600 + 4096].copy()
    expected[:2] = to_radial_transverse(expected[:2], (0, 90), done.row["back_azimuth"])
    np.testing.assert_allclose(done.acceleration, expected, atol=1e-7)
    row = done.row
    assert row["back_azimuth"] == pytest.approx(220, abs=0.5) and row["p_sample"] == 500
    assert row["rhypo"] == pytest.approx(np.hypot(30, 10), rel=0.01)
    assert row["p_status"] == "given" and row["start_time"] == "2020-01-01T00:00:06.000000Z"
    assert (row["zeros_start"], row["zeros_end"]) == (0, 0)
    assert "rotated" in row["processing"] and min(row["snr_1"], row["snr_2"]) > 10


@pytest.mark.parametrize("given", [{"p_s": 11.0}, {"p_sample": 1100}, {}])
def test_picks_given_or_found(given):
    done = prepare_record(record(**given), Settings())
    assert done.row["p_status"] == ("given" if given else "aic")
    # energy sets in at the fifth second
    energy = (done.acceleration.astype(float) ** 2).sum(axis=0).cumsum()
    begins = np.argmax(energy > 1e-4 * energy[-1]) * 0.01
    assert begins == pytest.approx(5.0, abs=0.4)


def test_a_short_record_is_filled_with_zeros():
    acc = shaking(p_s=3.0, nt=2000)
    done = prepare_record(record(acc=acc, p_s=3.0, event_time=None), PLAIN)
    assert (done.row["zeros_start"], done.row["zeros_end"]) == (200, 4096 - 2200)
    assert not done.acceleration[:, :200].any() and not done.acceleration[:, 2200:].any()
    assert done.acceleration[:, 230:2100].any(axis=0).all()
    early = reason("late start", record(acc=acc, p_s=0.6, event_time=None))
    assert "0.60 s before the P onset, less than 1" in early


def test_the_sampling_rate_changes_and_the_onset_stays():
    # 200 Hz: the same motion with samples between
    from scipy.signal import resample

    acc = resample(shaking(p_s=11.0), 12000, axis=1)
    item = replace(record(), acceleration=acc, dt_s=0.005)
    fine = prepare_record(item, replace(PLAIN, require=("mag",))).acceleration
    coarse = prepare_record(record(), PLAIN).acceleration
    assert np.corrcoef(fine[0], coarse[0])[0, 1] > 0.995


def test_reasons():
    acc = shaking(p_s=11.0)
    dead = acc.copy()
    dead[2] *= 1e-4
    quiet = shaking(p_s=11.0, noise=0.3)
    for code, item in {
        "metadata": record(vs30=None),
        "event": record(event_id=None, event_time=None),
        "orientation": record(station_lat=None, rhypo=31.0),
        "borehole": record(installation="borehole"),
        "components differ": record(acc=dead),
        "noise": record(acc=quiet, p_s=11.0),
        "peak": record(acc=acc * 981),
        "late start": record(acc=acc[:, 1050:], p_s=0.5, event_time=None),
        "time": record(event_time="2020-01-01T01:00:00.5Z"),
        "short": record(acc=acc[:, :150]),
        "components": replace(record(), components=("N", "E"), acceleration=acc[:2]),
    }.items():
        reason(code, item)
    assert "no vs30 known" in reason("metadata", record(vs30=None))
    assert "mag = 66" in reason("metadata", record(mag=66))
    assert "'strong': not a number" in reason("metadata", record(mag="strong"))
    assert "'yesterday' is no time" in reason("metadata", record(start_time="yesterday"))
    narrow = Settings(ranges={"mag": (6.5, 8)})
    assert "mag = 6: outside 6.5 to 8" in reason("range", record(), narrow)
    assert prepare_record(record(vs30=None), Settings(require=("mag",)))
    assert prepare_record(record(installation="borehole"), Settings(borehole=True))


def test_a_unit_in_g_taken_for_m_s2_is_refused_or_seen():
    """cm/s2 and mg taken for m/s2 are refused; g, a factor of ten, shows in expected_pga."""
    acc = shaking(p_s=11.0)
    reason("peak", record(acc=acc * 100))
    row = prepare_record(record(acc=acc / 9.80665), Settings()).row
    assert row["pga_after"] / row["expected_pga"] < 0.2


def test_other_components():
    two = prepare_record(record(), replace(PLAIN, components="RT"))
    three = prepare_record(record(), PLAIN)
    np.testing.assert_array_equal(two.acceleration, three.acceleration[:2])
    kept = prepare_record(record(station_lat=None, rhypo=31.0), replace(PLAIN, components="12Z"))
    onset = kept.row["p_sample"] - 500
    assert onset == 0 and "rotated" not in kept.row["processing"]


def test_late_starts_may_be_aligned():
    """A record that begins 0.5 s after P: S follows 31.6 / 8.3 s after P."""
    acc = shaking(p_s=11.0, s_minus_p_s=31.6 / 8.3)[:, 1150:]
    item = record(acc=acc, event_time=None)
    with pytest.raises(RejectedRecordError):
        prepare_record(item, Settings())
    done = prepare_record(item, Settings(late_start="align"))
    assert done.row["p_status"] == "from S" and np.isnan(done.row["snr_1"])
    assert done.row["zeros_start"] == pytest.approx(550, abs=25)


# ---- a run


def items(n=12, events=4):
    return [record(f"r{k}", f"e{k % events}", azimuth=360.0 * k / n, seed=k) for k in range(n)]


def tasks(things, size=5):
    for k in range(0, len(things), size):
        yield Task("memory", items=tuple(things[k : k + size]))


def run(things, folder, settings=Settings(), **keywords):  # noqa: B008
    return prepare(tasks(things), folder, settings, **keywords)


@pytest.fixture(autouse=True)
def small_buckets(monkeypatch):
    monkeypatch.setattr(training_set, "BUCKET", 4)


def test_a_run(tmp_path):
    things = items()
    things[3] = record("r3", "e3", vs30=None, azimuth=90.0)
    things.append(Failure("broken", "broken: truncated"))
    things.append(things[0])
    summary = run(things, tmp_path / "set")
    assert summary.kept == 11
    assert summary.rejected == {"metadata": 1, "unreadable": 1, "duplicate": 1}
    data = TrainingSet.open(tmp_path / "set")
    assert data.table["record_id"].tolist() == [f"r{k}" for k in range(12) if k != 3]
    rejected = pd.read_csv(tmp_path / "set" / "rejected.csv")
    assert rejected["reason"].tolist()[:2] == ["no vs30 known", "broken: truncated"]
    assert (data.table["split"] == split_by_event(data.table["event_id"])).all()
    # the station of a rejected record counts for the gap
    by_hand = {
        event: azimuthal_gap([360.0 * k / 12 for k in range(12) if f"e{k % 4}" == event])
        for event in data.table["event_id"]
    }
    expected = data.table["event_id"].map(by_hand)
    np.testing.assert_allclose(data.table["azimuthal_gap"], expected, atol=0.7)
    assert set(data.table["gap_stations"]) == {3}
    assert '"highpass_hz": 0.1' in data.attributes["settings"]
    assert not list(tmp_path.glob("*.partial"))
    expected = prepare_record(things[4], Settings()).acceleration
    np.testing.assert_array_equal(data.waveforms([3])[0], expected)


def test_a_given_azimuthal_gap_is_kept(tmp_path):
    run([record(azimuthal_gap=77.0)], tmp_path / "set")
    assert TrainingSet.open(tmp_path / "set").table["azimuthal_gap"].tolist() == [77.0]


class Killed(BaseException):
    pass


def test_an_interrupted_run_goes_on(tmp_path):
    things = items()
    things[1] = record("r1", "e1", vs30=None)

    def interrupted():
        for number, task in enumerate(tasks(things, 3)):
            if number == 3:
                raise Killed
            yield task

    with pytest.raises(Killed):
        prepare(interrupted(), tmp_path / "set", Settings())
    # as after a kill: what waited for its bucket is lost, the last line is cut
    partial = tmp_path / "set.partial"
    (partial / "part-000001.csv").unlink()
    with (partial / "journal.csv").open("a") as file:
        file.write("memory,r9")
    with pytest.raises(ValueError, match="holds a run with another"):
        run(things, tmp_path / "set", Settings(seed=5), resume=True)
    resumed = run(things, tmp_path / "set", resume=True)
    whole = run(things, tmp_path / "whole")
    assert resumed.kept == whole.kept == 11 and resumed.rejected == whole.rejected
    a, b = TrainingSet.open(tmp_path / "set"), TrainingSet.open(tmp_path / "whole")
    pd.testing.assert_frame_equal(a.table, b.table)
    np.testing.assert_array_equal(a.waveforms(np.arange(11)), b.waveforms(np.arange(11)))
    assert (tmp_path / "set/rejected.csv").read_text() == (
        tmp_path / "whole/rejected.csv"
    ).read_text()


def test_nothing_left_says_why(tmp_path):
    with pytest.raises(
        ValueError, match=r"none of 2 records is left; 2 of them: metadata"
    ) as caught:
        run([record(vs30=None), record("r1", vs30=None)], tmp_path / "set")
    listed = tmp_path / "set.rejected.csv"
    assert str(listed) in str(caught.value) and len(pd.read_csv(listed)) == 2
    with pytest.raises(ValueError, match="hold no records"):
        run([], tmp_path / "none")


def test_files_by_workers_and_without_are_the_same(tmp_path):
    for k in range(5):
        folder = tmp_path / "in" / f"station{k}"
        folder.mkdir(parents=True)
        acc = shaking(seed=k, p_s=12.5, nt=4000)
        write_dyna(folder, acc, STATION_CODE=f"S{k}", STATION_LATITUDE_DEGREE=f"{42.6 + 0.05 * k}")
    (tmp_path / "in/readme.pdf").write_bytes(b"%PDF")
    settings = Settings(travel_time=False)
    tables = []
    for jobs in (0, 2):
        folder = tmp_path / f"set{jobs}"
        summary = prepare(find_tasks([tmp_path / "in"]), folder, settings, jobs=jobs)
        assert summary.kept == 5 and not summary.rejected
        tables.append(TrainingSet.open(folder))
    pd.testing.assert_frame_equal(tables[0].table, tables[1].table)
    rows = np.arange(5)
    np.testing.assert_array_equal(tables[0].waveforms(rows), tables[1].waveforms(rows))


class Crashing:
    """Work that ends its process at one record, as a fault in a library does."""

    def skip(self, source, record_id):
        return False

    def __call__(self, source, item):
        if isinstance(item, Failure):
            return item.reason
        if item.record_id == "r4":
            os._exit(11)
        return item.record_id


def test_a_reader_that_crashes_costs_its_task_only():
    things = [Task(f"t{k}", items=(record(f"r{k}"),)) for k in range(9)]
    found = list(run_tasks(things, Crashing(), jobs=2))
    assert found == [
        *(f"r{k}" for k in range(4)),
        f"t4: {CRASHED}",
        *(f"r{k}" for k in range(5, 9)),
    ]


# ---- metadata tables


def table(path: Path, text: str) -> MetadataTable:
    path.write_text(text)
    return MetadataTable.read(path)


def test_tables_are_joined(tmp_path):
    from gwm_hazard.datasets.preparation.tables import join

    events = table(tmp_path / "e.csv", "event_id,mag,hypo_depth\n0012,6.5,11\n")
    stations = table(
        tmp_path / "s.csv", "network;station;station_vs_30_mps\nXX;007;250\nYY;007;900\n"
    )
    files = table(tmp_path / "f.csv", "file,event_id,mag\nx/a.AT2,0012,6.7\ny/a.AT2,0013,5\n")
    told = {"record_id": "r", "source_file": "/d/x/a.AT2, /d/x/b.AT2", "network": "XX",
            "station": "007", "mag": 1.0, "vs30": 999.0}  # fmt: skip
    for order in ([events, stations, files], [files, events, stations]):
        out = join(told, order)
        assert (out["event_id"], out["mag"], out["hypo_depth"]) == ("0012", 6.7, 11)
        assert out["vs30"] == 250 and out["record_id"] == "r"
    assert join({**told, "source_file": "a.zip::y/a.AT2"}, [files])["event_id"] == "0013"
    assert join({"record_id": "q"}, [events, stations, files]) == {"record_id": "q"}
    by_number = table(tmp_path / "n.csv", "rsn,mag\n0138,7.35\n")
    assert join({"rsn": 138}, [by_number])["mag"] == 7.35


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mag,vs30\n6,400\n", r"no column tells which record .* It has mag, vs30"),
        ("record_id,mag\na,big\n", r":2: mag = 'big' is not a number"),
        ("record_id,mag\na,6\na,7\n", r":3: record_id = a stands there twice"),
        ("record_id,mag\n,6\n", r":2: no record_id"),
    ],
)
def test_mistakes_in_tables(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        table(tmp_path / "t.csv", text)


# ---- real records


@pytest.mark.slow
def test_picks_of_real_records_are_plausible(tmp_path, shared):
    """Apparent P velocities, picked without knowing origin times.

    Wrong are foreshocks within the record, and the edge of a filter that the agency applied.
    """
    import importlib.util

    folder = shared / "data" / "waveforms"
    script = Path(__file__).parents[2] / "validation/data/prepare_shared.py"
    spec = importlib.util.spec_from_file_location("prepare_shared", script)
    adapter = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(adapter)
    settings = Settings(travel_time=False, require=("mag", "rhypo"), min_snr=5.0)
    prepare(adapter.tasks(folder, "observed_3c.h5"), tmp_path / "set", settings)
    data = TrainingSet.open(tmp_path / "set").table
    from obspy import UTCDateTime

    velocities = []
    for _, row in data.dropna(subset=["event_time", "start_time"]).iterrows():
        origin = UTCDateTime(row["event_time"])
        travel = UTCDateTime(row["start_time"]) + 5.0 - origin
        if origin.second + origin.microsecond and row["rhypo"] > 30:
            velocities.append(row["rhypo"] / travel)
    inside = [5.0 < v < 9.0 for v in velocities]
    assert len(inside) > 20 and np.mean(inside) > 0.8
    assert np.median(velocities) == pytest.approx(6.5, abs=0.7)
