"""Catalogues in blocks: bounded, resumed, and the same however they came about."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from gwm_hazard import Noise, Scenarios, open_catalogue
from gwm_hazard.catalogue import stream
from gwm_hazard.catalogue.store import CatalogueWriter
from gwm_hazard.catalogue.stream import Block, Plan, write_catalogue
from gwm_hazard.errors import InputError
from gwm_hazard.intensity import intensity_measures_array
from tests.once import ROOT
from tests.toy import ToyModel

IMTS = ("PGV", "CAV", "SA(0.5)")
N = 50
EVENT = np.repeat(np.arange(N // 5), 5)
SITE = np.tile(np.arange(5), N // 5)
SC = Scenarios(
    mag=np.where(EVENT % 2, 5.5, 6.5),
    rrup=np.float32(np.linspace(7.3, 211.9, N)),
    vs30=np.float32([180.1, 270.2, 400.0, 760.0, 1100.0])[SITE],
)
NOISE = Noise(11, EVENT, SITE, 0)


def plan(store: str = "keys", model: ToyModel | None = None, **changes) -> Plan:
    def block(start: int, stop: int) -> Block:
        rows = slice(start, stop)
        return Block(SC.take(rows), NOISE.take(rows), {"rlz": EVENT[rows] % 3})

    arguments = {"seed": 11, "imts": IMTS, "extra": {"rlz": {"long_name": "realization"}}}
    return Plan(model or ToyModel(), N, block, store=store, **(arguments | changes))


def content(path: Path) -> dict[str, np.ndarray]:
    with h5py.File(path) as file:
        return {name: file[name][()] for name in file}


def assert_same(one: Path, other: Path) -> None:
    a, b = content(one), content(other)
    assert set(a) == set(b)
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


@pytest.mark.parametrize("store", ["keys", "waveforms"])
def test_records_are_those_of_the_plan(toy, tmp_path, store):
    path = write_catalogue(tmp_path / "c.h5", plan(store), block_records=13)
    assert [p.name for p in tmp_path.iterdir()] == ["c.h5"]
    expected = np.zeros((N, 3, 256), np.float32)
    measures = np.empty((N, 3))
    for rows, acc in toy.batches(SC, NOISE):
        expected[rows, :, : acc.shape[2]] = acc
        measures[rows] = intensity_measures_array(acc, toy.dt_s, IMTS)
    with h5py.File(path) as file:
        assert ("acceleration" in file) == (store == "waveforms")
        assert file["event"][:].tolist() == EVENT.tolist()
        assert file["rlz"][:].tolist() == (EVENT % 3).tolist()
        assert file["rrup"][:].tolist() == SC["rrup"].tolist()
        for i, imt in enumerate(IMTS):
            np.testing.assert_allclose(file[imt][:], measures[:, i], rtol=1e-7)
    if store == "waveforms":
        with open_catalogue(path) as data:
            np.testing.assert_array_equal(data["acceleration"].values, expected)


@pytest.mark.parametrize("store", ["keys", "waveforms"])
def test_blocks_do_not_matter(tmp_path, store):
    first = write_catalogue(tmp_path / "a.h5", plan(store), block_records=7)
    second = write_catalogue(tmp_path / "b.h5", plan(store), block_records=1000)
    assert_same(first, second)


def test_a_stopped_run_goes_on(tmp_path, monkeypatch):
    """The blocks that are there are not drawn again, the one that was not finished is."""
    reference = write_catalogue(tmp_path / "all.h5", plan(), block_records=10)
    written = []
    original = stream._write_block

    def stop_at_third(path, *arguments):
        if len(written) == 2:
            path.with_name(path.name + ".tmp").write_bytes(b"half a block")
            raise KeyboardInterrupt
        written.append(path.name)
        original(path, *arguments)

    monkeypatch.setattr(stream, "_write_block", stop_at_third)
    with pytest.raises(KeyboardInterrupt):
        write_catalogue(tmp_path / "c.h5", plan(), block_records=10)
    assert not (tmp_path / "c.h5").exists()
    again = []
    monkeypatch.setattr(
        stream, "_write_block", lambda path, *a: (again.append(path.name), original(path, *a))
    )
    write_catalogue(tmp_path / "c.h5", plan(), block_records=10)
    assert written == ["000000.h5", "000001.h5"]
    assert again == ["000002.h5", "000003.h5", "000004.h5"]
    assert_same(tmp_path / "c.h5", reference)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["all.h5", "c.h5"]


def test_blocks_of_other_settings_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "_join", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_catalogue(tmp_path / "c.h5", plan())
    monkeypatch.undo()
    for changes, name in (
        ({"seed": 12}, "seed"),
        ({"imts": ("PGV",)}, "imts"),
        ({"store": "waveforms"}, "store"),
        ({"model": ToyModel(tau=0.1)}, "model"),
        ({"provenance": {"calculation_id": "3"}}, "calculation_id"),
    ):
        with pytest.raises(
            InputError, match=rf"c\.h5\.parts: .* another {name}.*remove the folder"
        ):
            write_catalogue(tmp_path / "c.h5", plan(**changes))
    write_catalogue(tmp_path / "c.h5", plan())


def test_two_runs_do_not_write_one_catalogue(tmp_path):
    def block(start, stop):
        with pytest.raises(OSError, match="another run is writing it"):
            write_catalogue(tmp_path / "c.h5", plan())
        return plan().block(start, stop)

    inner = plan()
    write_catalogue(tmp_path / "c.h5", Plan(inner.model, N, block, 11, IMTS, "keys", inner.extra))


def test_known_measures_are_not_drawn_again(tmp_path, monkeypatch):
    def block(start, stop):
        rows = slice(start, stop)
        known = {imt: np.arange(start, stop) for imt in IMTS}
        return Block(SC.take(rows), NOISE.take(rows), measures=known)

    monkeypatch.setattr(ToyModel, "draw", lambda *_: pytest.fail("drawn"))
    path = write_catalogue(tmp_path / "c.h5", Plan(ToyModel(), N, block, 11, IMTS, "keys"))
    assert content(path)["PGV"].tolist() == list(range(N))


KILLED = """
import sys, time
from pathlib import Path
from gwm_hazard.catalogue import stream
from tests.catalogue.test_stream import plan

original = stream._write_block
def slow(path, *arguments):
    time.sleep(0.05)
    original(path, *arguments)
    print("block", flush=True)
stream._write_block = slow
stream.write_catalogue(Path(sys.argv[1]), plan("waveforms"), block_records=1)
"""


def test_killed_at_any_moment_nothing_is_lost_or_doubled(tmp_path):
    reference = write_catalogue(tmp_path / "all.h5", plan("waveforms"), block_records=1)
    target = tmp_path / "c.h5"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", KILLED, str(target)]
    done = 0
    for blocks, delay in ((3, 0.0), (5, 0.03)):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        for _ in range(blocks):
            assert process.stdout.readline() == "block\n"
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        assert not target.exists()
        parts = sorted(p.name for p in tmp_path.glob("c.h5.parts/*.h5"))
        done += blocks
        assert done <= len(parts) <= done + 2
        done = len(parts)
    write_catalogue(target, plan("waveforms"), block_records=1)
    assert_same(target, reference)


def test_a_writer_that_fails_at_the_start_leaves_nothing(toy, tmp_path):
    with pytest.raises(ValueError, match="store = 'tape'"):
        CatalogueWriter(tmp_path / "c.h5", toy, 8, 1, {}, store="tape")
    with pytest.raises(TypeError):
        CatalogueWriter(tmp_path / "c.h5", toy, 8, 1, {}, provenance={"x": object()})
    assert list(tmp_path.iterdir()) == []


def test_plan_is_recorded_as_text(tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "_join", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_catalogue(tmp_path / "c.h5", plan())
    record = json.loads((tmp_path / "c.h5.parts/plan.json").read_text())
    assert record["seed"] == "11" and record["records"] == str(N)
