"""All writers on a disk without room, and killed at any step: run by test_faults.py.

The writers run in children, forked before any thread has begun. A file that no byte is written to
beyond a limit stands for a full disk; a kill is ``os._exit`` at one of the steps that change the
disk: making, naming and removing files and folders, and writing to them.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import resource
import sys
import tempfile
import traceback
from pathlib import Path

# threads that a fork leaves alone, so that kernels are loaded once, before it
os.environ["NUMBA_THREADING_LAYER"] = "workqueue"

import numpy as np
import pandas as pd

from gwm_hazard.catalogue.export import export_catalogue
from gwm_hazard.catalogue.generated import write_generated
from gwm_hazard.cli import main
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.distribution import refine
from gwm_hazard.distribution.build import build_surface
from gwm_hazard.distribution.file import write_surface
from gwm_hazard.files import hdf5_writing
from gwm_hazard.files.parts import keep
from gwm_hazard.models.registry import load_model, save_model
from gwm_hazard.records.measured_table import Request, write_table
from gwm_hazard.records.training_set import TrainingSetWriter
from tests.files.test_foreign import surface
from tests.toy import ToyModel

#: Estimates are kept after each chunk, so that the steps do not hang on the clock.
refine.SAVING_SHARE = float("inf")

SC = Scenarios(mag=[5.0, 6.0], rrup=[20.0, 30.0], vs30=[400.0, 500.0])


def catalogue(folder, store="waveforms"):
    if not (folder / "w.h5").exists() or (folder / "w.h5.parts").exists():
        write_generated(folder / "w.h5", ToyModel(), SC, 40, 1, store=store)


def keys(folder):
    catalogue(folder, "keys")


def surfaces(folder):
    write_surface(surface(), folder / "s.h5", ToyModel().card)


def training_set(folder):
    if (folder / "set").exists():
        return
    with TrainingSetWriter(folder / "set", npts=400, resume=True) as writer:
        rng = np.random.default_rng(0)
        blocks = [rng.normal(size=(20, 3, 400)) for _ in range(4)]
        for number, block in enumerate(blocks):
            if len(writer) >= 20 * (number + 1):
                continue
            names = [f"r{number}-{k}" for k in range(20)]
            rows = pd.DataFrame({"record_id": names, "event_id": names, "split": "train"})
            writer.append(block, rows)


def built(folder):
    if not (folder / "b.h5").exists():
        build_surface(ToyModel(), folder / "b.h5", axes=surface().axes, imts=("PGA",),
                      realizations=16, held_out=12, shape_scenarios=0)  # fmt: skip


def command(folder):
    """As a user sees it: exit code 1 with one line, which is what `main` ends with."""
    scenario = "-s mag=5 -s rrup=20 -s vs30=400 -s hypo_depth=8"
    generate = f"generate --model stochastic -n 20 {scenario} -o g.h5"
    with contextlib.chdir(folder), contextlib.redirect_stdout(None):
        for line, made in ((generate, "g.h5"), ("im g.h5 --imts PGA -o im.csv", "im.csv")):
            if not Path(made).exists() or Path(f"{made}.parts").exists():
                sys.argv = ["gwm-hazard", *line.split()]
                main()


def arrays(folder):
    keep(folder / "a.npz", "plan", x=np.arange(20000.0))


def model(folder):
    save_model(load_model("stochastic", "cpu"), folder / "model")


def tables(folder):
    frame = pd.DataFrame({"record_id": [f"r{k}" for k in range(2000)], "PGA": np.arange(2000.0)})
    for suffix in ("csv", "parquet", "h5"):
        write_table(frame, folder / f"t.{suffix}", Request(("PGA",)))


def exported(folder):
    if not (folder / "w.h5").exists():
        write_generated(folder / "w.h5", ToyModel(), SC, 3, 1)
    for name in ("seisbench", "csv"):
        export_catalogue(folder / "w.h5", name, folder / name, overwrite=True)


WRITERS = (catalogue, keys, surfaces, built, training_set, arrays, model, tables, exported, command)


def child(work, *arguments):
    """What ``work`` raises, or None, in a process of its own; 9 where it was killed."""
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        told = None
        try:
            work(*arguments)
        except BaseException as exc:
            told = (type(exc).__name__, isinstance(exc, OSError | SystemExit), str(exc),
                    traceback.format_exc())  # fmt: skip
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        os.write(write, pickle.dumps(told)[:60000])
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        content = pipe.read()
    _, status = os.waitpid(pid, 0)
    assert not os.WIFSIGNALED(status), f"signal {os.WTERMSIG(status)}"
    code = os.WEXITSTATUS(status)
    return code if code else pickle.loads(content)


def content(folder):
    """Bytes of all finished files; what is left of work is none of them."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not {".parts", ".partial", ".lock"} & {s for p in path.parts for s in Path(p).suffixes}
        and not path.name.startswith(("part-", "plan.json"))
    }


def undisturbed(writer, root):
    folder = root / "undisturbed"
    folder.mkdir()
    assert child(writer, folder) is None
    found = content(folder)
    assert found and not list(folder.rglob("*.tmp"))
    return found


def limited(writer, folder, size):
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    writer(folder)


def without_room(writer, root):
    """Limits below the largest file: one line, no temporary files; with room, the same bytes."""
    expected = undisturbed(writer, root)
    largest = max(map(len, expected.values()))
    for k, share in enumerate((0.02, 0.5, 0.98)):
        folder = root / str(k)
        folder.mkdir()
        told = child(limited, writer, folder, max(1, int(share * largest)))
        assert told is not None and told[1], told
        assert "\n" not in told[2] and "cannot be written" in told[2], told
        assert not list(folder.rglob("*.tmp"))
        assert child(writer, folder) is None
        assert content(folder) == expected
    return 3


STEPS = [(Path, name) for name in ("replace", "rename", "unlink", "rmdir", "mkdir", "write_text",
                                   "write_bytes")] + [(hdf5_writing._Held, "write")]  # fmt: skip


def killed(writer, folder, at, counted=None):
    """Run a writer and die before, within or after its step ``at``."""
    taken = 0

    def counting(original):
        def step(*arguments, **keywords):
            nonlocal taken
            taken += 1
            if taken == at:
                if at % 2:
                    original(*arguments, **keywords)
                os._exit(9)
            return original(*arguments, **keywords)

        return step

    for owner, name in STEPS:
        setattr(owner, name, counting(getattr(owner, name)))
    writer(folder)
    if counted is not None:
        counted.write_text(str(taken))


def killed_at_any_step(writer, root):
    """The last steps, where parts are joined and removed, the first one and random ones."""
    expected = undisturbed(writer, root)
    (root / "count").mkdir()
    assert child(killed, writer, root / "count", 0, root / "taken") is None
    taken = int((root / "taken").read_text())
    rng = np.random.default_rng(taken)
    steps = {taken, taken - 1, taken - 2, 1, *rng.integers(1, taken + 1, 5).tolist()}
    steps = sorted(s for s in steps if 1 <= s <= taken)
    for at in steps:
        folder = root / f"at{at}"
        folder.mkdir()
        assert child(killed, writer, folder, at) == 9
        assert child(writer, folder) is None
        assert content(folder) == expected, f"killed at step {at} of {taken}"
    return len(steps)


if __name__ == "__main__":
    total, what = 0, globals()[sys.argv[1]]  # which a command replaces
    for writer in WRITERS:
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "here").mkdir()
            writer(Path(folder) / "here")
            try:
                total += what(writer, Path(folder))
            except AssertionError:
                print(writer.__name__)
                raise
    print(total)
