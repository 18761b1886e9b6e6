"""Hostile or damaged files: surfaces, cards, catalogues, training sets, tables and archives.

Damage is drawn: bits turned over, ends cut off, pieces moved or emptied. What cannot be drawn is
written: links and storage in other files, claims beyond what is stored, values that mean nothing,
names that lead elsewhere. Each is read in a child, which must come to its end.
"""

from __future__ import annotations

import gzip
import io
import json
import resource
import shutil
import tarfile
import time
import zipfile

import h5py
import numba
import numpy as np
import pandas as pd

from gwm_hazard.catalogue.generated import write_generated
from gwm_hazard.catalogue.store import open_catalogue
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.distribution.file import read_surface, write_surface
from gwm_hazard.errors import GwmHazardError
from gwm_hazard.files.foreign import table
from gwm_hazard.models.devices import keep_one_thread
from gwm_hazard.models.registry import load_model, save_model, verify_model
from gwm_hazard.records import read_records
from gwm_hazard.records.archives import expand
from gwm_hazard.records.training_set import TrainingSet, TrainingSetWriter
from tests.files.crashes import child
from tests.files.test_foreign import numbers, surface
from tests.toy import ToyModel

#: What a file beside holds, and no file of ours.
SECRET = 0.123456789
MOST_BYTES, MOST_SECONDS = 1 << 30, 20

SC = Scenarios(mag=[5.0, 6.0], rrup=[20.0, 30.0], vs30=[400.0, 500.0])


class Surfaces:
    file = "s.h5"

    def write(self, folder):
        write_surface(surface(), folder / self.file, ToyModel().card)

    def read(self, folder):
        return numbers(read_surface(folder / self.file))


class Catalogues:
    file = "w.h5"

    def write(self, folder):
        write_generated(folder / self.file, ToyModel(), SC, 3, 1)

    def read(self, folder):
        with open_catalogue(folder / self.file) as data:
            names = ("acceleration", "mag", "rrup", "vs30", "event", "npts")
            found = [data[n].values for n in names]
            found.append(np.array([float(data.attrs["dt_s"]), int(data.attrs["seed"])]))
        records = list(read_records(folder / self.file))
        return [*found, *(r.acceleration for r in records)]


class TrainingSets:
    file = "set/waveforms.hdf5"

    def write(self, folder):
        waves = np.random.default_rng(0).normal(size=(20, 3, 400)).astype(np.float32)
        with TrainingSetWriter(folder / "set", npts=400) as writer:
            rows = {"record_id": [f"r{k}" for k in range(20)], "event_id": "a", "split": "train"}
            writer.append(waves, pd.DataFrame(rows))

    def read(self, folder):
        held = TrainingSet.open(folder / "set")
        return [held.waveforms(held.rows("train")), np.array([held.dt_s, held.npts])]


class Cards:
    """Text that people write: refused, or a model whose draws are those of some ground."""

    file = "model/card.json"

    def write(self, folder):
        save_model(load_model("stochastic", "cpu"), folder / "model")

    def read(self, folder):
        verify_model(folder / "model")
        return None


class Tables:
    file = "t.parquet"

    def write(self, folder):
        held = {"a": np.arange(500.0), "b": [f"x{k}" for k in range(500)], "c": np.arange(500)}
        pd.DataFrame(held).to_parquet(folder / self.file, write_page_checksum=True)

    def read(self, folder):
        found = table(folder / self.file)
        if found.empty:
            raise GwmHazardError("nothing in it")
        return [found[c].to_numpy() for c in found]


class Archives:
    file = "a.zip"

    def write(self, folder):
        with zipfile.ZipFile(folder / self.file, "w", zipfile.ZIP_DEFLATED) as archive:
            for k in range(4):
                archive.writestr(f"in/{k}.txt", "\n".join(str(i * k) for i in range(300)))

    def read(self, folder):
        expand(folder / self.file, folder / "deep/out")
        found = sorted(p for p in (folder / "deep").rglob("*") if p.is_file())
        if not found:
            raise GwmHazardError("nothing in it")
        return [np.frombuffer(p.read_bytes(), np.uint8) for p in found]


KINDS = (Surfaces(), Catalogues(), TrainingSets(), Cards(), Tables(), Archives())


def damaged(content, rng):
    """Bytes with one to forty faults of a drawn kind."""
    data, size = bytearray(content), len(content)
    kind = rng.integers(0, 5)
    if kind == 0:
        return bytes(data[: rng.integers(0, size)])
    for _ in range(int(rng.integers(1, 40)) if kind == 1 else 1 + int(rng.integers(0, 2))):
        at, n = int(rng.integers(0, size)), int(rng.integers(1, 200))
        if kind <= 2:
            data[at] ^= 1 << rng.integers(0, 8)
        elif kind == 3:
            data[at : at + n] = bytes(len(data[at : at + n]))
        else:
            other = int(rng.integers(0, size))
            data[at : at + n] = data[other : other + n]
    return bytes(data)


def _anew(file, name, **how):
    del file[name]
    file.create_dataset(name, **how)


def hdf5_forgeries(name):
    """Changes of an HDF5 file whose array ``name`` matters."""

    def outside_link(file, beside):
        del file[name]
        file[name] = h5py.ExternalLink(str(beside), "/secret")

    def outside_storage(file, beside):
        shape = file[name].shape
        size = 4 * int(np.prod(shape))
        _anew(file, name, shape=shape, dtype="f4", external=[(str(beside), 0, size)])

    def outside_pieces(file, beside):
        shape = file[name].shape
        layout = h5py.VirtualLayout(shape, "f4")
        layout[:] = h5py.VirtualSource(str(beside), "secret", shape)
        del file[name]
        file.create_virtual_dataset(name, layout)

    def claims(file, beside):
        _anew(file, name, shape=(1 << 40,) + file[name].shape[1:], dtype="f4", chunks=True)

    def one_chunk(file, beside):
        shape = (1, 1, 1 << 29)
        _anew(file, name, shape=shape, dtype="f4", chunks=shape, compression="gzip")
        packed = gzip.zlib.compress(bytes(1 << 24), 9)
        file[name].id.write_direct_chunk((0, 0, 0), packed * 8)

    def other_type(file, beside):
        _anew(file, name, data=np.array(["a", "b"], dtype=object))

    def circle(file, beside):
        file["round"] = file["/"]
        file.create_group("deep")["round"] = file["/"]

    def many_attributes(file, beside):
        file.attrs["format_version"] = np.arange(5)
        file.attrs["npts"] = "-3"

    return (outside_link, outside_storage, outside_pieces, claims, one_chunk, other_type, circle,
            many_attributes)  # fmt: skip


def card_forgeries(rng):
    """Values that no card has, one a call."""
    values = (None, True, [], {}, "48", 1e308, -1e18, 10**400, float("nan"), [[1]], {"a": {}})
    while True:
        yield values[rng.integers(0, len(values))]


def forge_card(path, rng):
    card = json.loads(path.read_text())
    held = card if rng.integers(0, 2) else card["parameters"]
    key = list(held)[rng.integers(0, len(held))]
    held[key] = next(card_forgeries(rng))
    path.write_text(json.dumps(card))


def forge_table(path, rng):
    kind = rng.integers(0, 4)
    if kind == 0:
        path.write_bytes(b"PAR1" + rng.bytes(300) + b"PAR1")
    elif kind == 1:
        path.write_text("a,b\n" + "1" * 100000 + ',"\n' * 1000)
    elif kind == 2:
        pd.DataFrame({"a": np.zeros(20_000_000)}).to_parquet(path, compression="zstd")
        content = bytearray(path.read_bytes())
        content[-200:-100] = rng.bytes(100)
        path.write_bytes(content)
    else:
        path.write_bytes(gzip.compress(b"0\n" * (1 << 22)))


def forge_archive(path, rng):
    kind = rng.integers(0, 6)
    if kind == 0:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("../../outside.txt", "x")
    elif kind == 1:
        with tarfile.open(path, "w") as archive:
            for name, link in (("a", "/etc/passwd"), ("b", "../../secret.h5")):
                info = tarfile.TarInfo(name)
                info.type, info.linkname = (tarfile.SYMTYPE, tarfile.LNKTYPE)[name == "b"], link
                archive.addfile(info)
    elif kind == 2:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("zeros", bytes(200 << 20))
    elif kind == 3:
        inner = b"x"
        for _ in range(8):
            held = io.BytesIO()
            with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
                archive.writestr("inner.zip", inner)
            inner = held.getvalue()
        path.write_bytes(inner)
    elif kind == 4:
        path.write_bytes(gzip.compress(bytes(150 << 20)))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("/etc/outside", "x")
            archive.writestr("a\x00b", "x")


ARRAYS = {"s.h5": "mean", "w.h5": "acceleration", "set/waveforms.hdf5": "data/bucket0"}


def make(kind, folder, seed):
    """The file of ``kind`` in ``folder``, damaged or forged: a third of them forged."""
    rng = np.random.default_rng(seed)
    path = folder / kind.file
    beside = folder / "secret.h5"
    with h5py.File(beside, "w") as file:
        file["secret"] = np.full((1000, 1000), SECRET, dtype="f4")
    if seed % 3:
        path.write_bytes(damaged(path.read_bytes(), rng))
    elif kind.file in ARRAYS:
        changes = hdf5_forgeries(ARRAYS[kind.file])
        with h5py.File(path, "a") as file:
            changes[seed // 3 % len(changes)](file, beside)
    else:
        {"model/card.json": forge_card, "t.parquet": forge_table, "a.zip": forge_archive}[
            kind.file
        ](path, rng)


def read(kind, folder, expected):
    """Refuse, or find the numbers that were written: done in a child."""
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    refused = None
    try:
        found = kind.read(folder)
    except (GwmHazardError, OSError) as exc:
        refused = str(exc)
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        used = resource.getrusage(who)
        assert used.ru_maxrss - before < MOST_BYTES >> 10, f"{used.ru_maxrss - before} kB"
        assert used.ru_utime + used.ru_stime < MOST_SECONDS + start
    if refused is not None:
        assert refused.strip() and "Traceback" not in refused
        (folder / "refused").write_text(refused)
        return
    if found is not None:
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def run(seeds, folder):
    """(files, refused); AssertionError names what was read otherwise."""
    numba.config.THREADING_LAYER = "workqueue"  # threads that a fork leaves alone
    keep_one_thread()
    done = refused = 0
    for kind in KINDS:
        whole = folder / f"whole-{kind.file.partition('/')[0]}"
        whole.mkdir()
        kind.write(whole)
        expected = kind.read(whole)
        for seed in seeds:
            here = folder / f"{whole.name}-{seed}"
            shutil.copytree(whole, here, ignore=shutil.ignore_patterns("deep"))
            make(kind, here, seed)
            began = time.monotonic()
            told = child(read, kind, here, expected)
            assert told is None, f"{kind.file}, seed {seed}: {told[-1] if told else told}"
            assert not list(folder.parent.glob("outside*"))
            assert time.monotonic() - began < 3 * MOST_SECONDS
            done += 1
            refused += (here / "refused").exists()
            shutil.rmtree(here)
    return done, refused


if __name__ == "__main__":
    import sys
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as name:
        print(*run(range(*map(int, sys.argv[1:])), Path(name)))
