"""Each format: what was written is what is read, and damage is named."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gwm_hazard.records import read_records, scan
from gwm_hazard.records.formats import detect
from gwm_hazard.records.readers.at2 import read_at2
from gwm_hazard.records.traces import Trace, assemble, is_horizontal, is_vertical, unit_factor
from tests.records.files import (
    G,
    at2_text,
    knet_text,
    motion,
    stream,
    write_at2_record,
    write_seisbench,
)


def one(paths, *args, **keywords):
    (record,) = read_records(paths, *args, **keywords)
    return record


# ---- AT2


@pytest.mark.parametrize(
    "names",
    [("000", "090", "-UP"), ("021", "111", "-V"), ("N", "E", "Z"), ("_H1", "_H2", "_V")],
)
def test_at2_record_of_three_files(tmp_path, names):
    acc = motion()
    separated = tuple(n if len(n) > 1 else f"-{n}" for n in names)
    paths = write_at2_record(tmp_path, "RSN138_TABAS_BOS", acc, 0.02, separated)
    record = one(paths)
    assert detect(paths[0]) == "at2"
    assert record.n_horizontal == 2 and record.components[2] == names[2].lstrip("-_")
    np.testing.assert_allclose(record.acceleration, acc, rtol=1e-6, atol=1e-7)
    assert record.dt_s == 0.02
    assert record.metadata["record_id"] == "RSN138_TABAS_BOS" and record.metadata["rsn"] == 138
    assert record.metadata["event_name"] == "Tabas, Iran"
    assert record.metadata["station_name"] == "Boshrooyeh"


def test_order_of_the_files_does_not_matter(tmp_path):
    paths = write_at2_record(tmp_path, "TAF", motion(), 0.01, ("021", "111", "-UP"))
    first = one(paths)
    for order in itertools.permutations(paths):
        record = one(order)
        assert record.metadata == first.metadata and record.components == first.components
        np.testing.assert_array_equal(record.acceleration, first.acceleration)


def test_at2_records_are_kept_apart_and_in_order(tmp_path):
    a = write_at2_record(tmp_path, "RSN2_X_STA", motion(seed=1), 0.01)
    b = write_at2_record(tmp_path, "RSN1_X_STA", motion(seed=2), 0.01)
    mixed = [a[0], b[2], a[2], b[0], b[1], a[1]]
    assert [r.record_id for r in read_records(mixed)] == ["RSN2_X_STA", "RSN1_X_STA"]
    one_missing = one(a[:2])
    assert one_missing.n_horizontal == 2 and not one_missing.has_vertical


@given(
    st.lists(st.floats(-9, 9).map(lambda x: float(f"{x:.7E}")), min_size=2, max_size=40),
    st.sampled_from([0.0025, 0.005, 0.01, 0.02]),
    st.sampled_from(["west2", "old"]),
)
def test_at2_gives_back_any_samples(tmp_path_factory, values, dt, header):
    path = tmp_path_factory.mktemp("at2") / "TAF021.AT2"
    path.write_text(at2_text(values, dt, "021", header))
    trace, _ = read_at2(path)
    np.testing.assert_allclose(trace.data, np.array(values) * G, rtol=1e-12)
    assert trace.dt_s == dt and not trace.vertical


def test_at2_numbers_without_blanks_and_fortran_exponents(tmp_path):
    path = tmp_path / "A-UP.AT2"
    head = at2_text([1.0] * 4, 0.01, "UP").splitlines()[:4]
    path.write_text("\n".join([*head, "-.1234567E-01-.2345678E-01 0.1D-02 -1.5D+00"]))
    trace, _ = read_at2(path)
    np.testing.assert_allclose(trace.data / G, [-0.01234567, -0.02345678, 0.001, -1.5])
    assert trace.vertical


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.replace("UNITS OF G", "UNITS OF CM/SEC"), (":3", "CM/SEC", "m/s2")),
        (lambda t: t.replace("UNITS OF G", ""), ("--unit",)),
        (lambda t: t.replace("ACCELERATION", "VELOCITY"), ("velocity", "AT2")),
        (lambda t: "\n".join(t.splitlines()[:-3]), (":4", "NPTS = 1500", "damaged")),
        (lambda t: t.replace("\n ", "\n x", 7).replace("\n x", "\n ", 6), ("A000.AT2:", "'x'")),
        (lambda t: t.replace("NPTS=", "N"), ("NPTS",)),
        (lambda t: t.replace("DT= 0.01", "DT= 0.00"), ("time step",)),
    ],
)
def test_damaged_at2_is_named_with_its_line(tmp_path, change, words):
    path = tmp_path / "A000.AT2"
    path.write_text(change(at2_text(motion(1)[0] / G, 0.01)))
    with pytest.raises(ValueError) as caught:
        one(path, "at2")
    message = str(caught.value).replace(str(tmp_path), "")  # which has words of its own
    assert [w for w in ("A000.AT2", *words) if w not in message] == []


# ---- text


@given(
    st.integers(1, 3),
    st.sampled_from([",", ";", "\t", " "]),
    st.sampled_from([0.005, 0.01, 1 / 128]),
    st.booleans(),
    st.sampled_from(["g", "cm/s2", "m/s2"]),
    st.integers(0, 1000),
)
def test_text_gives_back_any_table(tmp_path_factory, n, separator, dt, header, unit, seed):
    acc = motion(n, 60, dt, seed)
    path = tmp_path_factory.mktemp("csv") / "r.csv"
    names = ["H1", "H2", "UP"][:n]
    lines = ["# a comment"]
    if header:
        lines.append(separator.join(["time", *(f"{x}[{unit}]" for x in names)]))
    rows = np.column_stack([np.arange(60) * dt, acc.T / unit_factor(unit)])
    lines += [separator.join(f"{v:.12g}" for v in row) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    assert detect(path) == "csv"
    if n > 1 and not header:  # a guess would be silent
        with pytest.raises(ValueError, match="--columns time,H1,H2,V"):
            one(path, unit=unit)
    columns = ("time", *names) if n > 1 and not header else ()
    record = one(path, unit=None if header else unit, columns=columns)
    np.testing.assert_allclose(record.acceleration, acc, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(record.dt_s, dt, rtol=1e-8)
    assert record.n_horizontal == min(n, 2) and record.has_vertical == (n == 3)


def test_text_of_a_vertical_first_and_decimal_commas(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("UD (gal);NS (gal)\n" + "1,5;2,5\n-1,5;0,5\n1,0;1,0\n")
    record = one(path, dt_s=0.01)
    assert record.components == ("NS", "UD") and record.n_horizontal == 1
    np.testing.assert_allclose(record.acceleration * 100, [[2.5, 0.5, 1.0], [1.5, -1.5, 1.0]])


@pytest.mark.parametrize(
    ("text", "keywords", "words"),
    [
        ("t,a [g]\n0,1\n0.1,x\n0.2,2\n", {}, ("x.csv:3", "'x'")),
        ("t,a [g]\n0,1\n0.1\n0.2,2\n", {}, ("x.csv:3", "1 values", "2 columns")),
        ("t,a [g]\n0,1\n0.1,2\n0.3,2\n0.4,1\n", {}, ("x.csv:4", "evenly")),
        ("t,a\n0,1\n0.1,2\n", {}, ("--unit",)),
        ("t,a [cm/s]\n0,1\n0.1,2\n", {}, ("cm/s", "acceleration")),
        ("a [g]\n1\n2\n", {}, ("--dt",)),
        ("t,a [g]\n0,1\n0.1,2\n", {"dt_s": 0.2}, ("0.1 s", "0.2")),
        ("t,a,b,c,d\n0,1,1,1,1\n0.1,2,2,2,2\n", {}, ("4 columns",)),
        ("t,a [g]\n0,1\n0.1,nan\n0.2,1\n", {}, ("NaN", "0.1 s")),
        ("t,a [g],b [g]\n0,1,0\n0.1,2,0\n0.2,1,0\n", {}, ("b is constant",)),
    ],
)
def test_damaged_text_is_named_with_its_line(tmp_path, text, keywords, words):
    path = tmp_path / "x.csv"
    path.write_text(text)
    with pytest.raises(ValueError) as caught:
        one(path, "csv", **keywords)
    message = str(caught.value).replace(str(tmp_path), "")
    assert [w for w in ("x.csv", *words) if w not in message] == []


# ---- what obspy reads


@pytest.mark.parametrize("channels", ["ENZ", "12Z", "ZRT"])
def test_miniseed_and_sac_through_obspy(tmp_path, channels):
    acc = motion().astype(np.float32)
    made = stream(acc, channels=channels)
    made.write(str(tmp_path / "a.mseed"), format="MSEED")
    paths = []
    for trace in made:
        paths.append(tmp_path / f"{trace.stats.channel}.sac")
        trace.write(str(paths[-1]), format="SAC")
    order = {"ENZ": (1, 0, 2), "12Z": (0, 1, 2), "ZRT": (1, 2, 0)}[channels]
    for record in (one(tmp_path / "a.mseed", unit="cm/s2"), one(paths, unit="gal")):
        np.testing.assert_allclose(record.acceleration, acc[list(order)] * 0.01, rtol=1e-6)
        assert record.components == tuple("HN" + channels[i] for i in order)
        assert record.dt_s == pytest.approx(0.01)
        assert record.record_id == "XX.TEST.00.HN.20190706T031953"


def test_stations_and_triggers_of_one_file_are_records_of_their_own(tmp_path):
    acc = motion().astype(np.float32)
    made = stream(acc) + stream(2 * acc, station="OTHR") + stream(3 * acc, start=3600.0)
    made += stream(4 * acc, band="BN")
    made.write(str(tmp_path / "a.mseed"), format="MSEED")
    records = list(read_records(tmp_path / "a.mseed", unit="m/s2"))
    got = {r.record_id: round(float(r.acceleration[2, 700] / acc[2, 700])) for r in records}
    assert got == {
        "XX.TEST.00.HN.20190706T031953": 1,
        "XX.OTHR.00.HN.20190706T031953": 2,
        "XX.TEST.00.HN.20190706T041953": 3,
        "XX.TEST.00.BN.20190706T031953": 4,
    }


def test_different_starts_are_cut_to_the_common_window(tmp_path):
    acc = motion().astype(np.float32)
    made = stream(acc)
    made[0].trim(made[0].stats.starttime + 0.5)
    made[2].trim(endtime=made[2].stats.endtime - 1.0)
    made.write(str(tmp_path / "a.mseed"), format="MSEED")
    record = one(tmp_path / "a.mseed", unit="m/s2")
    np.testing.assert_allclose(record.acceleration, acc[[1, 0, 2], 50:1400], rtol=1e-6)
    assert "1350 samples" in record.metadata["processing"]
    assert str(record.metadata["start_time"]).startswith("2019-07-06T03:19:53.5")


def test_a_gap_is_refused_by_name_and_joined_segments_are_not(tmp_path):
    acc = motion().astype(np.float32)
    whole = stream(acc)
    cut = whole.slice(endtime=whole[0].stats.starttime + 5) + whole.slice(
        whole[0].stats.starttime + 5.01
    )
    cut.write(str(tmp_path / "joined.mseed"), format="MSEED")
    np.testing.assert_allclose(
        one(tmp_path / "joined.mseed", unit="m/s2").acceleration, acc[[1, 0, 2]], rtol=1e-6
    )
    gap = whole.slice(endtime=whole[0].stats.starttime + 5) + whole.slice(
        whole[0].stats.starttime + 7
    )
    gap.write(str(tmp_path / "gap.mseed"), format="MSEED")
    with pytest.raises(ValueError, match=r"gap.mseed.*HNE has a gap.* of 1.99 s"):
        one(tmp_path / "gap.mseed", unit="m/s2")
    failures = []
    assert list(read_records(tmp_path / "gap.mseed", unit="m/s2", on_failure=failures.append)) == []
    assert len(failures) == 1


@pytest.mark.parametrize(
    ("channels", "keywords", "words"),
    [
        ("ENZ", {}, ("MSEED", "--unit", "--inventory")),
        ("ENZ", {"unit": "cm/s"}, ("cm/s", "m/s2")),
        ("ABC", {"unit": "g"}, ("HNA", "orientation")),
        ("NE1", {"unit": "g"}, ("3 of them horizontal",)),
    ],
)
def test_what_a_stream_does_not_tell_is_asked_for(tmp_path, channels, keywords, words):
    path = tmp_path / "a.mseed"
    stream(motion().astype(np.float32), channels=channels).write(str(path), format="MSEED")
    with pytest.raises(ValueError) as caught:
        one(path, **keywords)
    message = str(caught.value).replace(str(tmp_path), "")
    assert [w for w in ("a.mseed", *words) if w not in message] == []


def test_counts_with_an_inventory(tmp_path):
    from obspy.core.inventory import Channel, Inventory, Network, Station
    from obspy.core.inventory.response import InstrumentSensitivity, Response

    def inventory(unit):
        channels = []
        for code in ("HNE", "HNN", "HNZ"):
            channel = Channel(code, "00", 35.0, -117.0, 0.0, 0.0)
            sensitivity = InstrumentSensitivity(4e5, 1.0, unit, "COUNTS")
            channel.response = Response(instrument_sensitivity=sensitivity)
            channels.append(channel)
        station = Station("TEST", 35.0, -117.0, 0.0, channels=channels)
        made = Inventory([Network("XX", [station])], source="test")
        path = tmp_path / "station.xml"
        made.write(str(path), format="STATIONXML")
        return path

    acc = motion()
    counts = np.round(acc * 4e5).astype(np.int32)
    stream(counts).write(str(tmp_path / "c.mseed"), format="MSEED")
    record = one(tmp_path / "c.mseed", inventory=inventory("M/S**2"))
    np.testing.assert_allclose(record.acceleration, acc[[1, 0, 2]], atol=2e-6)
    with pytest.raises(ValueError, match="not acceleration"):
        one(tmp_path / "c.mseed", inventory=inventory("M/S"))


def test_knet_in_physical_units(tmp_path):
    counts = np.round(motion(nt=3000) * 1e5).astype(int)
    for suffix, direction, trace in zip(
        ("NS", "EW", "UD"), ("N-S", "E-W", "U-D"), counts, strict=True
    ):
        (tmp_path / f"AKT0131103111446.{suffix}").write_text(knet_text(trace, direction))
    record = one(sorted(tmp_path.iterdir()))
    np.testing.assert_allclose(record.acceleration, counts * 0.01 * 3920 / 6182761, rtol=1e-12)
    assert record.components == ("NS", "EW", "UD")
    told = record.metadata
    assert (told["mag"], told["hypo_depth"], told["station"]) == (9.0, 24.0, "AKT013")
    # Japanese time, and 15 s that the recorder adds to the time of the record
    assert str(told["event_time"]).startswith("2011-03-11T05:46:00")
    assert str(told["start_time"]).startswith("2011-03-11T05:46:36")


def test_kiknet_borehole_and_surface_are_two_records(tmp_path):
    counts = np.round(motion(6, nt=800) * 1e5).astype(int)
    for k, trace in enumerate(counts, 1):
        (tmp_path / f"IWTH261103111446.{k}").write_text(knet_text(trace, str(k), station="IWTH26"))
    records = list(read_records(sorted(tmp_path.iterdir())))
    assert [r.components for r in records] == [("NS1", "EW1", "UD1"), ("NS2", "EW2", "UD2")]
    assert len({r.record_id for r in records}) == 2


def test_knet_file_of_obspy_has_the_maximum_that_its_header_says():
    obspy_io = pytest.importorskip("obspy.io.nied")
    from pathlib import Path

    path = Path(obspy_io.__file__).parent / "tests" / "data" / "test.knet"
    if not path.exists():
        pytest.skip("obspy is installed without its test data")
    record = one(path)
    acc = record.acceleration[0]
    assert np.abs(acc - acc.mean()).max() * 100 == pytest.approx(4.383, abs=0.02)


# ---- SeisBench


@pytest.mark.parametrize("buckets", [False, True])
@pytest.mark.parametrize("order", ["ZNE", "ENZ", "12Z"])
def test_seisbench(tmp_path, buckets, order):
    acc = [motion(nt=900, seed=1), motion(nt=700, seed=2)]
    place = {"ZNE": (2, 0, 1), "ENZ": (1, 0, 2), "12Z": (0, 1, 2)}[order]
    folder = write_seisbench(
        tmp_path / "set", [a[list(place)] for a in acc], order=order, buckets=buckets
    )
    for given_path in (folder, folder / "metadata.csv", folder / "waveforms.hdf5"):
        records = list(read_records(given_path))
        for record, expected in zip(records, acc, strict=True):
            np.testing.assert_array_equal(record.acceleration, expected)
            assert record.n_horizontal == 2 and record.dt_s == 0.01
            assert record.metadata["rhypo"] == 40.0 and record.metadata["hypo_depth"] == 12.5
        assert [r.metadata["mag"] for r in records] == [6.0, 6.1]


def test_seisbench_names_the_row_of_a_bad_trace(tmp_path):
    acc = [motion(seed=s) for s in range(3)]
    acc[1][0, 5] = np.nan
    folder = write_seisbench(tmp_path / "set", acc)
    failures = []
    records = list(read_records(folder, on_failure=failures.append))
    assert [r.record_id for r in records] == ["trace0", "trace2"]
    assert "metadata.csv:3" in str(failures[0]) and "NaN" in str(failures[0])


@pytest.mark.parametrize("unit", ["counts", "mps", ""])
def test_seisbench_of_no_acceleration_is_refused_unless_told(tmp_path, unit):
    folder = write_seisbench(tmp_path / "set", [motion()], unit=unit)
    with pytest.raises(ValueError, match="--unit"):
        one(folder)
    np.testing.assert_allclose(one(folder, unit="g").acceleration[0], motion()[1] * G)


# ---- all


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"\x00\x01\x02" * 50, "obspy reads"),
        (b"Dear all,\nno record.\n", "--format"),
    ],
)
def test_what_is_no_record_is_named(tmp_path, content, words):
    path = tmp_path / "odd.bin"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=words) as caught:
        list(read_records(path))
    assert "odd.bin" in str(caught.value)


def test_a_pickle_is_never_loaded(tmp_path):
    """obspy would load it to see whether it is one, which runs what it says."""
    proof = tmp_path / "ran"
    mark, target = b"obspy.core.stream", str(proof).encode()
    text = b"V" + mark + b"\n0cos\nmkdir\n(V" + target + b"\ntR."
    size = len(target).to_bytes(4, "little")
    binary = b"\x80\x02X\x11\0\0\0" + mark + b"0cos\nmkdir\n(X" + size + target + b"tR."
    for name, content in (("text", text), ("binary", binary)):
        path = tmp_path / name
        path.write_bytes(content)
        for format in (None, "obspy"):
            with pytest.raises(ValueError, match=name):
                list(read_records(path, format))
            assert not proof.exists()


def test_velocity_beside_the_acceleration_is_told_and_left(tmp_path):
    paths = write_at2_record(tmp_path, "RSN5_E_S", motion(), 0.01)
    velocity = tmp_path / "RSN5_E_S000.VT2"
    velocity.write_text(paths[0].read_text().replace("ACCELERATION", "VELOCITY"))
    failures = []
    records = list(read_records([*paths, velocity], on_failure=failures.append))
    assert len(records) == 1 and len(failures) == 1 and "velocity" in failures[0].reason


def test_horizontals_not_at_a_right_angle_are_noted(tmp_path):
    for second, noted in (("090", False), ("271", False), ("045", True)):
        names = ("000", second, "-UP")
        paths = write_at2_record(tmp_path, f"RSN{second}_E_S", motion(), 0.01, names)
        assert ("right angle" in str(one(paths).metadata.get("processing", ""))) == noted


def test_wrong_format_name():
    with pytest.raises(ValueError, match="at2"):
        scan("x", "at3")


def test_components_that_are_no_record():
    trace = np.sin(np.arange(10.0))
    for names, words in (
        (("N", "E", "R"), "3 of them horizontal"),
        (("Z", "UP"), "one vertical"),
        ((), "0 components"),
    ):
        with pytest.raises(ValueError, match=words):
            assemble([Trace(n, is_vertical(n), trace, 0.01) for n in names], {})
    with pytest.raises(ValueError, match="time steps"):
        assemble([Trace("N", False, trace, 0.01), Trace("E", False, trace, 0.02)], {})
    with pytest.raises(ValueError, match="share"):
        assemble([Trace("N", False, trace, 0.01), Trace("E", False, trace, 0.01, 5.0)], {})


def test_names_of_components():
    vertical = ("UP", "-UP", "DWN", "VER", "V", "Z", "UD", "U-D", "UD2", "HNZ", "BHZ", "acc z")
    horizontal = ("000", "090", "N64E", "N-S", "EW1", "HNE", "HN1", "H1", "acc_x", "R", "T")
    assert [n for n in vertical if not is_vertical(n) or is_horizontal(n)] == []
    assert [n for n in horizontal if is_vertical(n) or not is_horizontal(n)] == []


@pytest.mark.parametrize(
    ("unit", "factor"),
    [("m/s/s", 1), ("M/S**2", 1), ("m/s²", 1), ("cm/sec2", 0.01), ("Gal", 0.01), ("gals", 0.01),
     ("g", G), ("G", G), ("mps2", 1), ("nm/s^2", 1e-9), ("cm/s/s", 0.01), ("m s-2", 1)],
)  # fmt: skip
def test_spellings_of_units(unit, factor):
    assert unit_factor(unit) == pytest.approx(factor)
