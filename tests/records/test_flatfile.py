from __future__ import annotations

import h5py
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from gwm_hazard.intensity import canonical, intensity_measures_array
from gwm_hazard.records.completion import complete
from gwm_hazard.records.flatfile import read_observations
from gwm_hazard.records.training_set import TrainingSetWriter
from gwm_hazard.records.usable_band import longest_period_s
from gwm_hazard.records.waveform_source import resample
from tests.records.files import motion

ROWS = pd.DataFrame(
    {
        "event_id": ["a", "a", "b", "c"], "station": ["S1", "S2", "S1", "S3"],
        "mag": [5.0, 5.0, 6.5, np.nan], "hypo_depth": [10.0, 10.0, 8.0, 8.0],
        "rhypo": [30.0, np.nan, 40.0, 10.0], "rrup": [np.nan, np.nan, 35.0, 10.0],
        "repi": [28.0, 40.0, 39.0, 6.0], "vs30": [400.0, -5.0, 300.0, 500.0],
        "highpass_hz": [0.1, 0.5, np.nan, 0.1], "PGA": [0.1, 0.05, 0.2, 0.3],
        "PGV": [5.0, 2.0, 20.0, 1.0], "SA(1)": [0.05, 0.02, 0.3, 0.1],
        "SA(3)": [0.01, 0.004, 0.1, 0.1], "RSD595_gm": [10.0, 12.0, 20.0, 5.0],
    }
)  # fmt: skip


@pytest.fixture
def flat(tmp_path):
    path = tmp_path / "flat.csv.gz"
    ROWS.to_csv(path, index=False)
    return path


def test_flatfile(flat):
    o = read_observations([flat])
    assert len(o) == 3 and o.name == "flat" and not o.has_waveforms
    assert list(o.ims) == ["PGA", "PGV", "SA(1.0)", "SA(3.0)", "RSD595"]
    assert o.table["record_id"].tolist() == ["a/S1", "a/S2", "b/S1"]
    assert o.event.tolist() == [0, 0, 1] and o.station.tolist() == [0, 1, 0]
    assert np.isnan(o.table["vs30"][1])  # physically impossible
    assert_allclose(o.ln(["PGA", "nothing"])[:, 0], np.log([0.1, 0.05, 0.2]))
    assert np.isnan(o.ln(["nothing"])).all()
    assert any("geometric mean" in n for n in o.notes)
    assert any("1 of 4 rows have no magnitude" in n for n in o.notes)
    assert o.files[0]["records"] == 3 and len(o.files[0]["sha256"]) == 64


def test_nothing_is_used_beyond_the_usable_band(flat):
    """0.8 / corner: 8 s of the first record, 1.6 s of the second; the third tells no corner."""
    o = read_observations([flat])
    assert np.isfinite(o.ims["SA(3.0)"]).tolist() == [True, False, True]
    assert np.isfinite(o.ims["SA(1.0)"]).all() and np.isfinite(o.ims["PGV"]).all()
    assert longest_period_s(o.table).tolist() == [8.0, 1.6, np.inf]
    table = pd.DataFrame({"highpass_hz": [0.1], "lowest_usable_hz": [0.2]})
    assert longest_period_s(table).tolist() == [5.0]
    table["lowest_usable_hz"] = 0.1  # what a publisher says beyond 0.8 / corner
    assert longest_period_s(table).tolist() == [8.0]


def test_parquet_is_the_same(flat, tmp_path):
    ROWS.to_parquet(tmp_path / "flat.parquet")
    a, b = read_observations([flat]), read_observations([tmp_path / "flat.parquet"])
    pd.testing.assert_frame_equal(a.ims, b.ims)
    assert b.name == "flat"


def test_gaps_are_filled_where_that_is_safe(flat):
    o = read_observations([flat])
    table, notes = complete(o.table)
    assert_allclose(table["rhypo"], [30.0, np.hypot(40.0, 10.0), 40.0])
    assert_allclose(table["rrup"], [30.0, np.hypot(40.0, 10.0), 35.0])
    assert_allclose(table["rjb"][:2], [28.0, 40.0])
    assert np.isnan(table["vs30"][1]) and np.isnan(o.table["rrup"][0])
    assert any(n.startswith("rrup of 2 records: M up to 5.5") for n in notes)
    # z1.0 of Chiou and Youngs (2014): 41 m at 760 m/s, as they say
    row = o.table.iloc[[0]].assign(vs30=760.0)
    assert complete(row)[0]["z1pt0"].iloc[0] == pytest.approx(41.1, abs=0.5)


def test_the_closest_distance_of_a_large_rupture_is_not_made_up(flat):
    o = read_observations([flat])
    large = o.table.assign(mag=7.0, rrup=np.nan, rjb=np.nan)
    table, _ = complete(large)
    assert table["rrup"].isna().all() and table["rjb"].isna().all()


def test_no_rupture_is_farther_than_its_hypocentre(flat):
    o = read_observations([flat])
    table, notes = complete(o.table.assign(rrup=[31.0, np.nan, 35.0]))
    assert_allclose(table["rhypo"], [31.0, np.hypot(40.0, 10.0), 40.0])
    assert any(n.startswith("rhypo of 1 records: raised to rrup") for n in notes)


def test_what_is_no_number_is_named(tmp_path):
    ROWS.astype({"vs30": object}).assign(vs30=[400, "soft", 300, 500]).to_csv(
        tmp_path / "f.csv", index=False
    )
    with pytest.raises(ValueError, match=r"vs30 = 'soft' in data row 2: must be a number"):
        read_observations([tmp_path / "f.csv"])


def test_records_are_not_changed_by_what_is_made_of_them(flat):
    o = read_observations([flat])
    few = o.take(np.array([2, 0]))
    assert few.table["record_id"].tolist() == ["b/S1", "a/S1"] and len(o) == 3
    assert few.component_of()[0].tolist() == ["RotD50"] * 4 + ["geometric_mean"]
    with pytest.raises(AttributeError):
        o.notes = []


def test_joined_sets_keep_their_events_apart(flat, tmp_path):
    other = tmp_path / "other.csv"
    ROWS.to_csv(other, index=False)
    o = read_observations([flat, other])
    assert len(o) == 6 and len(np.unique(o.event)) == 4 and len(np.unique(o.station)) == 2
    assert o.table["dataset"].tolist() == ["flat"] * 3 + ["other"] * 3


def packed_folder(tmp_path, dt=(0.01, 0.005)):
    """The layout of integers with a scale: two records of different length and step."""
    folder = tmp_path / "records"
    folder.mkdir()
    first, second = motion(3, 1500, dt[0]), 2.0 * motion(3, 1000, dt[1], seed=1)
    counts = np.zeros((2, 3, 1500), np.int16)
    scale = np.zeros((2, 3))
    for i, acc in enumerate((first, second)):
        scale[i] = np.abs(acc).max(axis=1) / 32767
        counts[i, :, : acc.shape[1]] = np.round(acc / scale[i][:, None])
    with h5py.File(folder / "all.h5", "w") as f:
        f["acceleration"], f["scale"], f["npts"], f["dt"] = counts, scale, [1500, 1000], list(dt)
    meta = ROWS.iloc[:2][["event_id", "station", "mag", "hypo_depth", "rhypo", "repi", "vs30"]]
    meta = meta.assign(file="all.h5", row=[0, 1], processing=["PEER processed", "uncorrected"])
    meta.to_csv(folder / "metadata.csv", index=False)
    return folder, first, second


def test_folder_of_waveforms(tmp_path):
    folder, first, second = packed_folder(tmp_path)
    o = read_observations([folder], ["PGA", "SA(0.3)", "RSD595"])
    assert o.has_waveforms and o.npts.tolist() == [1500, 1000] and o.components.tolist() == [3, 3]
    assert o.dt_s.tolist() == [0.01, 0.005]
    got = o.waveforms([0])[0]
    assert np.abs(got - first).max() < 1e-4 * np.abs(first).max()
    expected = intensity_measures_array(first[None], 0.01, list(o.ims))
    assert_allclose(o.ims.iloc[[0]], expected, rtol=1e-3)
    # the record that came uncorrected is filtered, and its band ends where the filter's does
    filtered = o.waveforms([1])[0]
    assert filtered.shape == (3, 1000) and not np.allclose(filtered, second, atol=1e-3)
    assert o.table["highpass_hz"][1] == 0.1
    assert any("1 records that came uncorrected" in n for n in o.notes)


def test_waveforms_at_one_step(tmp_path):
    folder, first, _ = packed_folder(tmp_path)
    o = read_observations([folder])
    with pytest.raises(ValueError, match="different time steps"):
        o.waveforms([0, 1])
    both = o.waveforms([1, 0], dt_s=0.01)
    assert both.shape == (2, 3, 1500)
    assert np.abs(both[1] - first).max() < 1e-4 * np.abs(first).max()
    assert (both[0, :, 500:] == 0).all() and np.abs(both[0, :, :500]).max() > 0


def test_resampling_keeps_a_band_limited_motion():
    t = np.arange(2000) * 0.005
    acc = (np.sin(2 * np.pi * 3.0 * t) * np.hanning(2000))[None].astype(np.float32)
    down = resample(acc, 0.005, 0.01)
    assert np.abs(down[0] - acc[0, ::2]).max() < 0.01
    up = resample(acc, 0.005, 0.004)
    assert up.shape[1] == 2500
    expected = np.interp(np.arange(2500) * 0.004, t, acc[0])
    assert np.abs(up[0] - expected).max() < 0.02


def test_training_set(tmp_path):
    acc = np.stack([motion(3, 400, seed=s) for s in range(4)]).astype(np.float32)
    table = pd.DataFrame(
        {
            "record_id": list("wxyz"), "event_id": ["e1", "e1", "e2", "e2"],
            "split": ["train"] * 4, "mag": [5.0, 5.0, 6.0, 6.0], "rhypo": [20.0, 30.0, 40.0, 50.0],
            "hypo_depth": 10.0, "vs30": 400.0, "station_code": ["A", "B", "A", "B"],
        }
    )  # fmt: skip
    with TrainingSetWriter(tmp_path / "set", npts=400) as writer:
        writer.append(acc, table)
    o = read_observations([tmp_path / "set"], ["PGA", "PGV"])
    assert len(o) == 4 and o.has_waveforms and np.unique(o.dt_s).tolist() == [0.01]
    assert_allclose(o.waveforms([2, 0]), acc[[2, 0]])
    assert_allclose(o.ims["PGA"], intensity_measures_array(acc, 0.01, ["PGA"])[:, 0], rtol=1e-6)


def test_mistakes_are_named(tmp_path, flat):
    with pytest.raises(OSError, match=r"nowhere\.csv: not there"):
        read_observations([tmp_path / "nowhere.csv"])
    with pytest.raises(ValueError, match="no data"):
        read_observations([])
    with pytest.raises(ValueError, match="holds none of SA"):
        read_observations([flat], ["SA(7.7)"])
    with pytest.raises(ValueError, match="unknown intensity measure 'SAA"):
        read_observations([flat], ["SAA(1)"])
    ROWS.drop(columns="mag").to_csv(tmp_path / "no.csv", index=False)
    with pytest.raises(ValueError, match="has no column 'mag'"):
        read_observations([tmp_path / "no.csv"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"holds no metadata\.csv"):
        read_observations([tmp_path / "empty"])
    ROWS.assign(mag=np.nan).to_csv(tmp_path / "unknown.csv", index=False)
    with pytest.raises(ValueError, match="no record with a magnitude"):
        read_observations([tmp_path / "unknown.csv"])


def test_canonical_names():
    assert [canonical(i) for i in ("SA(1)", "SA(0.30)", "PGA", "RSD595")] == [
        *("SA(1.0)", "SA(0.3)", "PGA", "RSD595")
    ]


def test_flatfile_of_new_zealand(shared):
    path = shared / "data" / "flatfiles" / "newzealand_rotd50.csv.gz"
    o = read_observations([path])
    assert (len(o), len(np.unique(o.event))) == (2319, 135)
    assert o.ims["PGA"].notna().sum() == 2319 and o.ims["PGA"].median() == pytest.approx(
        0.01, rel=1
    )


def test_unknown_stations_and_events_are_shared_by_nobody(tmp_path):
    table = ROWS.iloc[:3].assign(station=["S1", None, None], event_id=["a", None, "a"])
    table = table.assign(network=["N", "N", None])
    table.to_csv(tmp_path / "gaps.csv", index=False)
    o = read_observations([tmp_path / "gaps.csv"])
    assert o.table["station_id"][0] == "N.S1"
    assert len(np.unique(o.station)) == 3 and len(np.unique(o.event)) == 2
    assert len(o.table["record_id"].unique()) == 3
    assert "2 records do not tell their station: each has one of its own." in o.notes
