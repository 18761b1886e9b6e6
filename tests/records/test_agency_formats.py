"""Agencies' formats: what was written is what is read, in m/s2; damage is named."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest

from gwm_hazard.records import read_records
from gwm_hazard.records.formats import detect
from tests.records.agency import (
    afad_text,
    cosmos_channel,
    csmip_channel,
    shaking,
    write_asdf,
    write_dyna,
)
from tests.records.volumes import EVENT, LAYOUTS, csmip_film, csmip_v2, rows


def one(paths, **keywords):
    (record,) = read_records(paths, **keywords)
    return record


def refused(paths, **keywords):
    failures = []
    assert list(read_records(paths, on_failure=failures.append, **keywords)) == []
    return failures[0].reason


# ---- DYNA: ESM, ITACA, TADAS


def test_dyna(tmp_path):
    acc = shaking(nt=2500)
    paths = write_dyna(tmp_path, acc)
    assert detect(paths[0]) == "dyna"
    record = one(paths)
    assert record.components == ("HNN", "HNE", "HNZ") and record.dt_s == 0.01
    np.testing.assert_allclose(record.acceleration, acc[[1, 0, 2]], atol=6e-9)
    told = record.metadata
    assert (told["mag"], told["mag_type"], told["hypo_depth"], told["vs30"]) == (
        6.5,
        "Mw",
        9.2,
        696,
    )
    assert told["event_time"] == "2016-10-30T06:40:18.000000Z"
    assert told["start_time"] == "2016-10-30T06:40:09.500000Z"
    assert told["network"] == "IT" and told["event_id"] == "EMSC-20161030_0000029"


def test_dyna_mixed_units(tmp_path):
    acc = shaking(nt=1200)
    paths = write_dyna(tmp_path, acc)
    text = paths[0].read_text().replace("UNITS: cm/s^2", "UNITS: m/s^2").splitlines()
    body = [f"{float(v) / 100:.8f}" for v in text[64:]]
    paths[0].write_text("\n".join(text[:64] + body) + "\n")
    np.testing.assert_allclose(one(paths).acceleration, acc[[1, 0, 2]], atol=2e-8)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"UNITS": "counts"}, "'counts' is not one of acceleration"),
        ({"UNITS": ""}, "tells no UNITS"),
        ({"DATA_TYPE": "VELOCITY"}, "give the files of acceleration"),
        ({"DATA_TYPE": "ACCELERATION RESPONSE SPECTRA"}, "give the files of acceleration"),
        ({"SAMPLING_INTERVAL_S": "0"}, "must be > 0"),
        ({"SAMPLING_INTERVAL_S": "nan"}, "is no number"),
        ({"npts": 10**15}, "lines follow"),
        ({"EVENT_DEPTH_KM": "deep"}, "EVENT_DEPTH_KM = 'deep' is no number"),
    ],
)
def test_dyna_refused(tmp_path, changes, message):
    reason = refused(write_dyna(tmp_path, shaking(nt=600), **changes))
    assert message in reason and str(tmp_path) in reason


# ---- AFAD


def test_afad(tmp_path):
    acc = shaking(nt=2500)
    path = tmp_path / "20170720223109_4804.txt"
    path.write_text(afad_text(acc), encoding="latin-1")
    assert detect(path) == "afad"
    record = one(path)
    assert record.components == ("N-S", "E-W", "U-D") and record.has_vertical
    np.testing.assert_allclose(record.acceleration, acc, atol=6e-9)
    told = record.metadata
    assert (told["mag"], told["event_lat"], told["station_lon"]) == (6.5, 36.9198, 27.44)
    assert told["start_time"] == "2017-07-20T22:31:01.500000Z"


def test_afad_peaks_of_another_unit_are_noticed(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(afad_text(shaking(nt=900)), encoding="latin-1")
    head, _, body = path.read_text("latin-1").partition("U-D\n")
    rows = [[float(x) / 980.665 for x in row.split()] for row in body.splitlines()]
    text = "\n".join("".join(f"{v:13.8f}" for v in row) for row in rows)
    path.write_text(f"{head}U-D\n{text}\n", encoding="latin-1")
    assert "another unit" in refused(path)


# ---- COSMOS


@pytest.mark.parametrize("unit", [2, 4, 10])
@pytest.mark.parametrize("together", [True, False])
def test_cosmos(tmp_path, unit, together):
    acc = shaking(nt=1003)
    texts = [cosmos_channel(a, d, unit=unit) for a, d in zip(acc, (90, 360, 400), strict=True)]
    if together:
        paths = [tmp_path / "a.v1"]
        paths[0].write_text("".join(texts))
    else:
        paths = [tmp_path / f"a{k}.v1c" for k in range(3)]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text)
    assert detect(paths[0]) == "cosmos"
    record = one(paths)
    assert record.components == ("090", "000", "UP") and record.n_horizontal == 2
    atol = 6e-5 * {2: 9.81, 4: 0.01, 10: 0.01}[unit]
    np.testing.assert_allclose(record.acceleration, acc, atol=atol)
    told = record.metadata
    assert (told["network"], told["station"], told["vs30"]) == ("NP", "1737", 400)
    assert (told["mag"], told["mag_type"], told["hypo_depth"]) == (6.02, "Mw", 11.1)
    assert told["start_time"] == "2014-08-24T10:20:38.500000Z"


def test_cosmos_down_is_turned_up(tmp_path):
    acc = shaking(n=1, nt=500)[0]
    path = tmp_path / "a.v1"
    path.write_text(cosmos_channel(acc, 401))
    np.testing.assert_allclose(one(path).acceleration[0], -acc, atol=1e-6)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"unit": 50, "stage": 0}, "microvolts a count"),
        ({"unit": 4, "stated": 2}, "unit 4 in the header, 2 with the samples"),
        ({"npts": 10**9}, "numbers are announced"),
        ({"dt": 0.0}, "must be > 0"),
    ],
)
def test_cosmos_refused(tmp_path, keywords, message):
    path = tmp_path / "a.v1"
    path.write_text(cosmos_channel(shaking(n=1, nt=500)[0], 90, **keywords))
    assert message in refused(path)


# ---- CSMIP


@pytest.mark.parametrize("unit", ["g", "cm/sec2"])
def test_csmip(tmp_path, unit):
    acc = shaking(nt=1003)
    if unit == "cm/sec2":
        acc *= 0.05  # F9.6 holds no more
    text = "".join(
        csmip_channel(a, d, unit=unit)
        for a, d in zip(acc, (" 90 Deg", "360 Deg", "Up"), strict=True)
    )
    path = tmp_path / "CICLC.v1"
    path.write_text(text)
    assert detect(path) == "csmip"
    record = one(path)
    assert record.components == ("090", "000", "UP")
    np.testing.assert_allclose(record.acceleration, acc, atol=6e-6)
    assert record.metadata["station_lon"] == -117.598 and record.metadata["network"] == "CI"
    assert record.metadata["start_time"] == "2019-07-06T03:16:08.000000Z"
    path.write_text(text.replace(" 90 Deg", "", 1))
    assert "no direction" in refused(path)
    path.write_text(text.replace("units of " + unit, "units of volts"))
    assert "'volts' is not one of acceleration" in refused(path)


# ---- the fixed columns of agencies, each by its own description


@pytest.mark.parametrize("layout", LAYOUTS)
def test_fixed_columns(tmp_path, layout):
    writer, error = LAYOUTS[layout]
    acc = shaking(nt=2400)
    paths = [tmp_path / name for name in writer(acc, 0.01)]
    for path, text in writer(acc, 0.01).items():
        (tmp_path / path).write_text(text)
    assert {detect(path) for path in paths} == {layout.split()[0]}
    record = one(paths)
    # 360 degrees or north before 90 or east, or in the order of the file
    order = [0, 1, 2] if record.components[0] == "090" else [1, 0, 2]
    assert record.has_vertical and record.n_horizontal == 2
    np.testing.assert_allclose(record.acceleration, acc[order], atol=error, rtol=2e-4)
    assert record.dt_s == pytest.approx(0.01, rel=1e-6)
    for name, value in EVENT.items():
        assert record.metadata.get(name, value) == pytest.approx(value), name
    names = {"event_lat", "event_lon", "mag", "hypo_depth", "event_time"}
    told = names & set(record.metadata)
    assert told == names - {"usc": {"hypo_depth"}, "usgs": names}.get(layout, set())
    if "event_time" in told:
        assert record.metadata["event_time"].startswith("1994-01-17T12:30")
    assert layout != "usgs" or record.metadata["highpass_hz"] == 0.25
    if "pga_to_header" in record.metadata:
        assert record.metadata["pga_to_header"] == pytest.approx(1, abs=0.005)
    # damage: the last quarter of the samples is missing, of the first third, acceleration, of USGS
    text = paths[0].read_text()
    paths[0].write_text(text[: len(text) // 4 * (1 if layout == "usgs" else 3)])
    with pytest.raises(ValueError, match=paths[0].name):
        one(paths)


def test_film_at_uneven_times_is_made_even(tmp_path):
    rng = np.random.default_rng(3)
    times = np.round(np.cumsum(rng.uniform(0.002, 0.012, 3000)), 3)
    values = np.sin(2 * np.pi * times)
    text = csmip_film(shaking(nt=3000), 0.01)["LA116TH.RAW"]
    head = text[: text.index("\n", text.index("RMS ACCEL")) + 1]
    body = np.column_stack([times, values]).ravel()
    lines = rows(np.zeros(100), "%5d", 16) + rows(np.zeros(50), "%10.3f", 8)
    path = tmp_path / "a.RAW"
    path.write_text(head + "\n".join(lines + rows(body, "%7.3f", 10)) + "\n")
    record = one(path)
    t = times[0] + np.arange(record.acceleration.shape[1]) * record.dt_s
    expected = np.sin(2 * np.pi * t) * 0.980665  # g/10
    np.testing.assert_allclose(record.acceleration[0], expected, atol=2e-3)


def test_csmip_spectra_are_named(tmp_path):
    path = tmp_path / "a.V3"
    path.write_text("Response and Fourier amplitude spectra (86 periods)\n"
                    + csmip_v2(shaking(nt=600), 0.01)["LA116TH.V2"])  # fmt: skip
    assert "response spectra" in refused(path) and "volume 2" in refused(path)


def test_cosmos_counts_by_the_real_header(tmp_path):
    acc = shaking(n=1, nt=900)[0]
    bit, sensitivity = 2.384188, 1.2553  # microvolts a count, V/g
    counts = np.round(acc / 9.80665 * sensitivity / (bit * 1e-6)) + 5000
    text = cosmos_channel(counts, 90, unit=50, stage=0)
    lines = text.splitlines()
    at = next(i for i, line in enumerate(lines) if "Real-header" in line) + 1
    for number, value in ((22, bit), (42, sensitivity), (47, 1.0)):
        row, column = divmod(number - 1, 5)
        line = lines[at + row]
        lines[at + row] = line[: 15 * column] + f"{value:15.6f}" + line[15 * (column + 1) :]
    path = tmp_path / "a.V0c"
    path.write_text("\n".join(lines) + "\n")
    record = one(path)
    assert record.raw
    np.testing.assert_allclose(
        record.acceleration[0] - record.acceleration[0].mean(), acc - acc.mean(), atol=2e-5
    )


# ---- ASDF


@pytest.mark.parametrize(
    ("keywords", "scale"),
    [
        ({"level": "raw counts", "counts_per_m_s2": 213473.0}, 1.0),
        ({"level": "uncorrected physical units"}, 0.01),
        ({"unit": "cm/s^2"}, 0.01),
        ({"unit": "m/s^2"}, 1.0),
    ],
)
def test_asdf_of_gmprocess(tmp_path, keywords, scale):
    acc = shaking(nt=2000)
    path = write_asdf(tmp_path / "workspace.h5", acc, **keywords)
    assert detect(path) == "asdf"
    record = one(path)
    assert record.components == ("HNN", "HNE", "HNZ")
    np.testing.assert_allclose(record.acceleration, acc[[1, 0, 2]] * scale, atol=3e-6)
    told = record.metadata
    assert (told["mag"], told["hypo_depth"], told["event_id"]) == (6.02, 11.12, "nc72282711")
    assert (told["azimuth_1"], told["azimuth_2"], told["station_lat"]) == (0.0, 90.0, 38.2)
    assert told["start_time"] == "2014-08-24T10:20:38.000000Z"


def test_asdf_without_a_unit_is_refused(tmp_path):
    path = write_asdf(tmp_path / "a.h5", shaking(nt=900))
    assert "tells no unit" in refused(path)
    np.testing.assert_allclose(
        one(path, unit="gal").acceleration[0, 100:], shaking(nt=900)[1, 100:] / 100
    )


def test_asdf_of_this_package(tmp_path):
    pyasdf = pytest.importorskip("pyasdf")
    from tests.records.files import stream

    acc = shaking(nt=900)
    path = tmp_path / "waveforms.h5"
    with pyasdf.ASDFDataSet(str(path), compression=None, mpi=False) as file:
        file.add_waveforms(stream(acc * 100, channels="RTZ"), tag="synthetic")
        parameters = {"acceleration_unit": "cm/s2", "mag": 6.5, "rhypo": 20.0}
        file.add_auxiliary_data(
            np.empty(0), data_type="Records", path="TEST", parameters=parameters
        )
    record = one(path)
    np.testing.assert_allclose(record.acceleration, acc)
    assert record.metadata["mag"] == 6.5 and record.components == ("HNR", "HNT", "HNZ")


def test_real_files_of_gmprocess():
    """Peaks in the gmprocess 1.2.2 wheel: of a header, and of traces that gmprocess processed."""
    folder = os.environ.get("GWM_HAZARD_GMPROCESS")
    if not folder:
        pytest.skip("GWM_HAZARD_GMPROCESS (the unpacked gmprocess 1.2.2 wheel) is not set")
    data = Path(folder) / "gmprocess" / "data"
    record = one(data / "demo/ci38457511/raw/CICLC.v1")
    peaks = np.abs(record.acceleration).max(axis=1) / 9.80665
    np.testing.assert_allclose(peaks[:2], [0.344, 0.511], atol=5e-4)
    workspace = data / "asdf/nc72282711/workspace.h5"
    records = [r for r in read_records(workspace) if len(r.components) == 3]
    assert len(records) == 6
    with h5py.File(workspace) as file:
        for record in records:
            station = file[f"Waveforms/NP.{record.metadata['station']}"]
            for name, trace in zip(record.components, record.acceleration, strict=True):
                (key,) = (k for k in station if f".{name}__" in k and k.endswith("default"))
                peak = np.abs(trace - trace.mean()).max() * 100
                assert peak == pytest.approx(np.abs(station[key][()]).max(), rel=0.02)
