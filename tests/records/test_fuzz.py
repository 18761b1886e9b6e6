"""Damaged files of every format: a reason, or a record; never another exception.

Formats that compiled code decodes with known faults (GSE2) are tried in a worker process, in
test_preparation.py.
"""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gwm_hazard.records import read_records
from gwm_hazard.records.formats import detect
from gwm_hazard.records.read import scan
from gwm_hazard.records.record import Failure, Record
from tests.records import corpus as damage
from tests.records.corpus import NUMBERS, corpus

TEXT = ("at2", "knet", "kik", "csv", "dyna", "afad", "cosmos", "csmip")
BINARY = ("mseed", "mseed_steim", "sac", "seisbench")
HDF5 = ("asdf", "hdf5")  # slow, for libhdf5 searches what is left of them

SHARE = st.floats(0, 1)


def mutations():
    return st.one_of(
        st.tuples(st.just("truncated"), SHARE),
        st.tuples(
            st.just("garbled"),
            st.lists(SHARE, min_size=12, max_size=12),
            st.lists(st.integers(0, 255), min_size=12, max_size=12),
        ),
        st.tuples(st.just("wiped"), SHARE, st.sampled_from([1, 8, 80, 800]),
                  st.sampled_from([0, 32, 57, 255])),
        st.tuples(st.just("swapped"), SHARE, st.sampled_from([2, 4, 8])),
        st.tuples(st.just("renumbered"), st.integers(0, 400), st.sampled_from(NUMBERS)),
        st.tuples(st.just("repeated"), SHARE, st.sampled_from([1, 80, 512, 4096])),
    )  # fmt: skip


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return corpus(tmp_path_factory.mktemp("corpus"))


def outcome(folder, content, **keywords):
    """Records and failures of the files in a folder, written anew."""
    for path in folder.iterdir():
        path.unlink()
    for name, data in content.items():
        (folder / name).write_bytes(data)
    paths = [folder] if "metadata.csv" in content else sorted(folder.iterdir())
    failures: list[Failure] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        records = list(read_records(paths, on_failure=failures.append, **keywords))
    return records, failures


def check(records, failures):
    for record in records:
        assert isinstance(record, Record) and np.isfinite(record.acceleration).all()
        assert math.isfinite(record.dt_s) and record.dt_s > 0
    for failure in failures:
        assert len(failure.reason) > 10


@pytest.mark.parametrize("kind", [*TEXT, *BINARY])
def test_damaged_files(files, tmp_path, kind):
    @settings(
        max_examples=40,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def run(data):
        content = dict(files[kind])
        victim = data.draw(st.sampled_from(sorted(content)))
        for name, *arguments in data.draw(st.lists(mutations(), min_size=1, max_size=2)):
            if content[victim]:
                content[victim] = getattr(damage, name)(content[victim], *arguments)
        unit = "m/s2" if kind in ("mseed", "mseed_steim", "sac") else None
        check(*outcome(tmp_path, content, unit=unit))

    run()


@pytest.mark.slow
@pytest.mark.parametrize("kind", HDF5)
@pytest.mark.parametrize("seed", range(12))
def test_damaged_hdf5(files, tmp_path, kind, seed):
    rng = np.random.default_rng(seed)
    ((name, content),) = files[kind].items()
    if seed % 3 == 0:
        content = damage.truncated(content, rng.random())
    else:
        places = rng.random(40) * (0.1 if seed % 3 == 1 else 1.0)
        content = damage.garbled(content, list(places), list(rng.integers(0, 256, 40)))
    check(*outcome(tmp_path, {name: content}))


@pytest.mark.parametrize("kind", [k for k in TEXT if k != "csv"])  # which tells no number
def test_truncated_text_is_never_a_shorter_record(files, tmp_path, kind):
    ((name, content),) = files[kind].items()
    for share in (0.5, 0.8, 0.97):
        records, failures = outcome(tmp_path, {name: damage.truncated(content, share)})
        assert not records and failures, share


@pytest.mark.parametrize("kind", [*TEXT, *BINARY])
def test_undamaged_files_are_read(files, tmp_path, kind):
    unit = "m/s2" if kind in ("mseed", "mseed_steim", "sac") else None
    records, failures = outcome(tmp_path, files[kind], unit=unit)
    assert records and not failures


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("at2", b"NPTS=    700", b"NPTS= 99999999999999"),
        ("dyna", b"NDATA: 700", b"NDATA: 99999999999999"),
        ("afad", b": 700\n", b": 99999999999999\n"),
        ("cosmos", b"     700 acceleration", b"99999999999 acceleration"),
        ("csmip", b"   700 Accelerogram", b"99999999999 Accelerogram"),
        ("knet", b"Duration Time(s)  7", b"Duration Time(s)  99999999999"),
    ],
)
def test_huge_headers_take_no_memory(files, tmp_path, kind, old, new):
    import tracemalloc

    ((name, content),) = files[kind].items()
    assert old in content
    tracemalloc.start()
    records, failures = outcome(tmp_path, {name: content.replace(old, new)})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert not records and failures and peak < 60e6


def test_huge_sac_header(files, tmp_path):
    content = bytearray(files["sac"]["a.sac"])
    content[4 * 79 : 4 * 80] = (2**31 - 1).to_bytes(4, "little")  # NPTS
    records, failures = outcome(tmp_path, {"a.sac": bytes(content)}, unit="m/s2")
    assert not records and failures


def test_long_lines_and_deep_headers(tmp_path):
    for content in (
        b"x" * 3_000_000,
        b"EVENT_NAME: \n" * 200_000,
        b"1 " * 2_000_000,
        b"\n" * 10**6,
    ):
        records, failures = outcome(tmp_path, {"a.txt": content})
        assert not records and len(failures) == 1


@pytest.mark.parametrize("order", ["<", ">"])
def test_both_byte_orders_are_the_same_record(tmp_path, order):
    from tests.records.files import motion, stream

    acc = motion(n=3, nt=400).astype("f4")
    part = stream(acc)
    part.write(str(tmp_path / "a.mseed"), format="MSEED", byteorder=order)
    for k, trace in enumerate(part):
        trace.write(str(tmp_path / f"a{k}.sac"), format="SAC", byteorder=order)
    for paths in ([tmp_path / "a.mseed"], [tmp_path / f"a{k}.sac" for k in range(3)]):
        (record,) = read_records(paths, unit="m/s2")
        np.testing.assert_array_equal(record.acceleration, acc[[1, 0, 2]])


def test_samples_of_the_wrong_byte_order_do_not_pass_the_preparation(tmp_path):
    from gwm_hazard.datasets.preparation import Settings
    from gwm_hazard.datasets.preparation.record import prepare_record
    from gwm_hazard.datasets.preparation.settings import RejectedRecordError
    from tests.records.agency import shaking
    from tests.records.files import stream

    part = stream(shaking(p_s=11.0).astype("f4"))
    paths = []
    for k, trace in enumerate(part):
        paths.append(tmp_path / f"a{k}.sac")
        trace.write(str(paths[-1]), format="SAC")
        content = paths[-1].read_bytes()
        paths[-1].write_bytes(content[:632] + damage.swapped(content[632:], 0.0, 4))
    known = {"mag": 6.0, "rhypo": 31.6, "hypo_depth": 10.0, "event_id": "e", "vs30": 400.0}
    failures: list[Failure] = []
    for record in read_records(paths, unit="m/s2", on_failure=failures.append):
        whole = Record(
            record.acceleration, record.dt_s, record.components, 2, {**record.metadata, **known}
        )
        with pytest.raises(RejectedRecordError):
            prepare_record(whole, Settings(components="12Z"))
        failures.append(Failure("", "rejected"))
    assert failures


@pytest.mark.parametrize("kind", ["mseed", "sac"])
def test_samples_without_a_unit_are_refused(files, tmp_path, kind):
    records, failures = outcome(tmp_path, files[kind])
    assert not records and "tell no unit" in failures[0].reason


@settings(max_examples=150, deadline=None, database=None)
@given(st.binary(max_size=600))
def test_any_bytes(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "any.bin"
    path.write_bytes(content)
    found = scan(path)
    assert len(found) == 1
    if isinstance(found[0], Failure):
        assert "any.bin" in found[0].reason
    else:
        assert detect(path)
        check(*_split(list(found[0])))


def _split(items):
    records = [i for i in items if isinstance(i, Record)]
    return records, [i for i in items if isinstance(i, Failure)]
