"""Hostile and damaged files of every kind that is read from others: refused, or the same numbers.

Refused is one of the package's errors or the system's, at once; nothing is read elsewhere.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
import zipfile

import h5py
import numpy as np
import pandas as pd
import pytest

from gwm_hazard.catalogue.generated import write_generated
from gwm_hazard.catalogue.store import open_catalogue
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.distribution.file import read_surface, write_surface
from gwm_hazard.distribution.surface import FIELDS, Axis, Surface, fingerprint
from gwm_hazard.errors import GwmHazardError, InputError, ModelError, SurfaceError
from gwm_hazard.files import temporary
from gwm_hazard.files.foreign import check_hdf5, inside, table
from gwm_hazard.files.temporary import TemporaryFolder
from gwm_hazard.models.registry import load_model, save_model, verify_model
from gwm_hazard.records import read_records
from gwm_hazard.records.archives import expand
from gwm_hazard.records.training_set import TrainingSet
from tests.records.files import write_seisbench
from tests.toy import ToyModel

REFUSED = (GwmHazardError, OSError)


def surface(shape=True):
    rng = np.random.default_rng(0)
    axes = (
        Axis("mag", (4.0, 5.0, 6.0, 8.0)),
        Axis("rrup", (1.0, 10.0, 40.0, 300.0), "log"),
        Axis("vs30", (150.0, 400.0, 1500.0), "log", "linear"),
    )
    size = (4, 4, 3, 2)
    fields = {
        "mean": rng.normal(-3, 1, size), "tau": rng.uniform(0.3, 0.5, size),
        "phi": rng.uniform(0.4, 0.7, size), "skewness": rng.normal(0, 0.1, size),
        "kurtosis": rng.normal(0, 0.1, size),
    }  # fmt: skip
    fields = {k: v.astype(np.float32) for k, v in fields.items() if shape or k in FIELDS[:3]}
    card = ToyModel().card
    errors = {"sampling_mean": np.array([0.01, 0.02])}
    return Surface(axes, ("PGA", "SA(1.0)"), errors=errors, model=fingerprint(card), **fields)


@pytest.fixture
def path(tmp_path):
    return write_surface(surface(), tmp_path / "s.h5", ToyModel().card)


def numbers(read):
    return [getattr(read, f) for f in FIELDS] + [np.array(a.values) for a in read.axes]


def replaced(file, name, **how):
    """A variable made anew under the same name and dimensions."""
    old = file[name]
    scales = [old.dims[i][0] for i in range(old.ndim)]
    shape, values = old.shape, old[()]
    del file[name]
    new = file.create_dataset(name, **({"shape": shape, "dtype": "f4"} | how))
    for i, scale in enumerate(scales):
        new.dims[i].attach_scale(scale)
    return new, values


def external_link(file, beside):
    del file["mean"]
    file["mean"] = h5py.ExternalLink(str(beside), "/secret")


def soft_link(file, beside):
    del file["tau"]
    file["tau"] = h5py.SoftLink("/phi")


def external_storage(file, beside):
    replaced(file, "mean", external=[(str(beside), 0, 4 * 96)])


def virtual(file, beside):
    layout = h5py.VirtualLayout(file["mean"].shape, "f4")
    layout[:] = h5py.VirtualSource(str(beside), "secret", file["mean"].shape)
    del file["mean"]
    file.create_virtual_dataset("mean", layout)


def nested(file, beside):
    file.create_group("deep/er")["x"] = h5py.ExternalLink(str(beside), "/")


@pytest.mark.parametrize("change", [external_link, soft_link, external_storage, virtual, nested])
def test_nothing_is_read_elsewhere(path, tmp_path, change):
    beside = tmp_path / "secret.h5"
    with h5py.File(beside, "w") as file:
        file["secret"] = np.full((4, 4, 3, 2), 0.5, dtype="f4")
    with h5py.File(path, "a") as file:
        change(file, beside)
    with pytest.raises(SurfaceError, match="refused"):
        read_surface(path)
    # every other reader of HDF5 from others
    with pytest.raises(GwmHazardError, match="refused"):
        open_catalogue(path)
    with pytest.raises(GwmHazardError, match="refused"):
        next(read_records(path, "hdf5"))
    folder = write_seisbench(tmp_path / "set", [np.ones((3, 50))])
    shutil.copy(path, folder / "waveforms.hdf5")
    with pytest.raises(GwmHazardError, match="refused"):
        TrainingSet.open(folder)
    with pytest.raises(GwmHazardError, match="refused"):
        next(read_records(folder))


VALUES = {"mean": (np.nan, np.inf, 1e30, -1e30), "tau": (-0.1, np.nan, 50.0), "phi": (-1e-3, 1e9),
          "skewness": (50.0, np.nan), "kurtosis": (-5.0, 1e6)}  # fmt: skip


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, vs in VALUES.items() for v in vs])
def test_values_that_no_surface_has(path, name, value):
    with h5py.File(path, "a") as file:
        file[name][2, 1, 0, 1] = value
    with pytest.raises(SurfaceError, match=rf"{name} = .* at node \(2, 1, 0, 1\)"):
        read_surface(path)


def test_a_kurtosis_below_its_bound(path):
    with h5py.File(path, "a") as file:
        file["skewness"][0, 0, 0, 0], file["kurtosis"][0, 0, 0, 0] = 5.0, 0.0
    with pytest.raises(SurfaceError, match="kurtosis"):
        read_surface(path)


@pytest.mark.parametrize("name", ["mean", "tau", "mag", "rrup", "error_sampling_mean"])
def test_a_small_change_is_noticed(path, name):
    with h5py.File(path, "a") as file:
        file[name][(0,) * file[name].ndim] *= 1 + 1e-6 if name in ("mag", "rrup") else 1.01
    if name.startswith("error"):
        read_surface(path)
        return
    with pytest.raises(SurfaceError, match="damaged"):
        read_surface(path)


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("format_version", np.arange(5)), ("format_version", "two"), ("format_version", 99),
        ("model_card", "null"), ("model_card", "[1]"), ("model_card", "{}"), ("model_card", "{"),
        ("fingerprint", None), ("build", "7"), ("format", np.arange(3)),
    ],
)  # fmt: skip
def test_attributes_of_another_kind(path, attribute, value):
    with h5py.File(path, "a") as file:
        if value is None:
            del file.attrs[attribute]
        else:
            file.attrs[attribute] = value
    with pytest.raises(SurfaceError):
        read_surface(path)


def test_absurd_shapes_take_no_memory(path, tmp_path):
    with h5py.File(path, "a") as file:
        for name in FIELDS:
            del file[name]
            file.create_dataset(name, (1 << 14, 1 << 14, 3, 2), "f4", chunks=(64, 64, 1, 1))
    assert path.stat().st_size < 100_000
    script = (
        "import re, sys\n"
        "from gwm_hazard.distribution.file import read_surface\n"
        "try:\n    read_surface(sys.argv[1])\n"
        "except ValueError as exc:\n    print(exc)\n"
        "print(int(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]) // 1000)\n"
    )
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True)
    assert "are stored" in done.stdout and int(done.stdout.split()[-1]) < 1000, done
    assert time.monotonic() - start < 60


def flipped(content, rng, n):
    damaged = bytearray(content)
    for at in rng.integers(0, len(damaged), n):
        damaged[at] ^= 1 << rng.integers(0, 8)
    return bytes(damaged)


@pytest.mark.parametrize("seed", range(8))
def test_damaged_surfaces(path, seed):
    """Ten a seed: bits turned over, or the end cut off."""
    rng = np.random.default_rng(seed)
    whole, content = numbers(read_surface(path)), path.read_bytes()
    for k in range(10):
        cut = content[: rng.integers(1, len(content))] if k == 9 else content
        path.write_bytes(flipped(cut, rng, 1 + 3 * k))
        try:
            found = numbers(read_surface(path))
        except REFUSED:
            continue
        for ours, theirs in zip(found, whole, strict=True):
            np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("seed", range(4))
def test_damaged_catalogues_and_training_sets(tmp_path, seed):
    """Ten of each a seed: refused, when opened or when read, or arrays of the right shape."""
    rng = np.random.default_rng(seed)
    path = tmp_path / "w.h5"
    sc = Scenarios(mag=[5.0, 6.0], rrup=[20.0, 30.0], vs30=[400.0, 500.0])
    write_generated(path, ToyModel(), sc, 3, 1)
    content = path.read_bytes()
    folder = write_seisbench(tmp_path / "set", [np.ones((3, 60)), np.ones((3, 60))])
    waves = (folder / "waveforms.hdf5").read_bytes()
    for k in range(10):
        path.write_bytes(flipped(content, rng, 2 + 5 * k))
        try:
            with open_catalogue(path) as data:
                assert data["acceleration"].values.ndim == 3
        except (*REFUSED, RuntimeError):
            pass
        (folder / "waveforms.hdf5").write_bytes(flipped(waves, rng, 2 + 5 * k))
        failures = []
        for record in read_records(folder, on_failure=failures.append):
            assert np.isfinite(record.acceleration).all()


CARD = {
    "conditions": [{"mag": "48"}, {"mag": [4]}, {"mag": ["4", "8"]}, {"mag": [4, None]}, [1], "mag",
                   {"mag": [8, 4]}, {"mag": [True, 8]}],
    "name": [7, None, ["a"]], "citation": ["one", [1], None], "parameters": [None, [], "x"],
    "family": [None, 3, "nonesuch"], "format": [None, 9],
}  # fmt: skip


@pytest.mark.parametrize(("key", "value"), [(k, v) for k, vs in CARD.items() for v in vs])
def test_cards_by_hand(tmp_path, key, value):
    folder = save_model(load_model("stochastic", "cpu"), tmp_path / "m")
    card = json.loads((folder / "card.json").read_text())
    card[key] = value
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match=r"card\.json"):
        load_model(folder, "cpu")


PARAMETERS = [("clip", None), ("clip", 1e18), ("clip", 0.0), ("clip", "small"), ("ln_top", 1e9),
              ("ln_top", -50.0), ("steps", 2.5), ("steps", [25]), ("highpass_hz", [0.1]),
              ("sampler", 3), ("unet", {}), ("autoencoder", None),
              ("griffin_lim", True)]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), PARAMETERS)
def test_parameters_by_hand(tmp_path, name, value):
    from gwm_hazard.models.registry import shipped

    source = shipped()["highfem-small"]
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "model.safetensors").symlink_to(source / "model.safetensors")
    card = json.loads((source / "card.json").read_text())
    card["parameters"][name] = value
    (folder / "card.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match=r"card\.json"):
        load_model(folder, "cpu")


def test_verify_bounds_a_draw(monkeypatch):
    def huge(self, scenarios, noise, **beside):
        shape = (len(scenarios), len(self.card.components), int(self.npts(scenarios)[0]))
        yield np.arange(len(scenarios)), np.full(shape, 6e16, dtype=np.float32)

    monkeypatch.setattr("gwm_hazard.models.base.WaveformModel.batches", huge)
    with pytest.raises(ModelError, match=r"6e\+16 m/s2"):
        verify_model("stochastic")


def test_weights_that_are_a_pipe(tmp_path):
    from gwm_hazard.models.registry import shipped

    source = shipped()["highfem-small"]
    (tmp_path / "card.json").write_text((source / "card.json").read_text())
    os.mkfifo(tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match="not a regular file"):
        load_model(tmp_path, "cpu")


def test_pipes_everywhere(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for read in (table, check_hdf5, read_surface, open_catalogue, lambda p: list(read_records(p))):
        with pytest.raises(REFUSED, match="pipe"):
            read(pipe)


def test_tables(tmp_path):
    good = pd.DataFrame({"a": [1.0, 2.0]})
    good.to_csv(tmp_path / "a.csv", index=False)
    good.to_parquet(tmp_path / "a.parquet")
    for name in ("a.csv", "a.parquet"):
        pd.testing.assert_frame_equal(table(tmp_path / name), good)
    bomb = tmp_path / "b.csv.gz"
    with gzip.open(bomb, "wb", compresslevel=9) as file:
        for _ in range(100):
            file.write(b"0\n" * (1 << 20))
    start = time.monotonic()
    with pytest.raises(InputError, match="unpacks"):
        table(bomb)
    assert time.monotonic() - start < 20
    rng = np.random.default_rng(0)
    content = (tmp_path / "a.parquet").read_bytes()
    for k in range(20):
        (tmp_path / "c.parquet").write_bytes(flipped(content, rng, 1 + k))
        (tmp_path / "c.csv").write_bytes(rng.bytes(500))
        for name in ("c.parquet", "c.csv"):
            with contextlib.suppress(*REFUSED):
                assert isinstance(table(tmp_path / name), pd.DataFrame)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x"])
def test_names_in_tables_stay_inside(tmp_path, name):
    with pytest.raises(InputError, match="leads out"):
        inside(tmp_path, name)
    assert inside(tmp_path, "a/b.h5") == tmp_path / "a/b.h5"


def test_archives_too_large_are_refused_before_they_are_unpacked(tmp_path):
    zeros = tmp_path / "zeros"
    with zeros.open("wb") as file:
        file.truncate(2_400_000_000)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("small.txt", "x")
        # the size that a hostile archive would claim, without a minute of packing
        info = zipfile.ZipInfo("large.txt")
        archive.writestr(info, "x")
        archive.getinfo("large.txt").file_size = 2_400_000_000
    start = time.monotonic()
    with pytest.raises(InputError, match="unpacks to"):
        expand(tmp_path / "a.zip", tmp_path / "out")
    assert time.monotonic() - start < 5
    assert sum(p.stat().st_size for p in (tmp_path / "out").iterdir()) < 100
    with tarfile.open(tmp_path / "b.tar.gz", "w:gz", compresslevel=1) as archive:
        info = tarfile.TarInfo("x.txt")
        info.size = 300_000_000
        archive.addfile(info, io.BytesIO(bytes(info.size)))
    with pytest.raises(InputError, match="200 times"):
        expand(tmp_path / "b.tar.gz", tmp_path / "out2")
    assert sum(p.stat().st_size for p in (tmp_path / "out2").iterdir()) < 300_000_000


def test_folders_of_killed_runs_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(temporary.tempfile, "tempdir", str(tmp_path))
    script = (
        "import os, sys\n"
        "from gwm_hazard.files.temporary import TemporaryFolder\n"
        "folder = TemporaryFolder()\n"
        "(folder.path / 'left').write_text('x')\n"
        "os._exit(9)\n"
    )
    env = os.environ | {"TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", script], env=env)
    (left,) = (p for p in tmp_path.iterdir() if p.is_dir())
    mine = TemporaryFolder()
    assert not left.exists() and mine.path.exists()
    other = TemporaryFolder()  # does not take the living one away
    assert mine.path.exists() and other.path != mine.path
    mine.remove(), other.remove(), mine.remove()
    assert list(tmp_path.iterdir()) == []
