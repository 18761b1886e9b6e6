"""Small jobs under the other supported releases of OpenQuake, installed from the registry.

Everything else runs under the newest; these take minutes and a network, and skip without one.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.openquake.jobs import GWM, OpenQuake, PlainOpenQuake, Run, toml
from tests.openquake.test_event_order import two_by_two

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]

#: Release and what it needs besides, as it does not say so itself.
RELEASES = {"3.23": ["numpy<2", "pandas<3"], "3.24": ["pandas<3"], "3.25": []}
BRANCHES = {"GWM": toml(**GWM), "Boore": "[BooreEtAl2014]"}


def pip(python: Path, *arguments: str) -> None:
    done = subprocess.run(
        [str(python), "-m", "pip", "install", "--quiet", *arguments], capture_output=True, text=True
    )
    if done.returncode and "No matching distribution" in done.stderr:
        pytest.skip(f"the registry does not give {arguments}: {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module", params=sorted(RELEASES))
def release(request: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A release and the python of an environment with it and this package."""
    version = request.param
    folder = tmp_path_factory.mktemp(f"openquake-{version}")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    here = Path(sysconfig.get_path("purelib"))
    there = next(folder.glob("lib/python*/site-packages"))
    # torch takes most of a gigabyte: that of this environment, with what it needs from pip
    for path in [*here.glob("torch"), *here.glob("torch-*"), *here.glob("torchgen")]:
        (there / path.name).symlink_to(path)
    needed = ["fiona", "hatchling", "pytest", "hypothesis", *RELEASES[version]]
    pip(python, f"openquake.engine~={version}.0", *needed)
    pip(python, "--no-build-isolation", str(ROOT), *RELEASES[version])
    return version, python


@pytest.fixture(scope="module")
def other(
    release: tuple[str, Path], tmp_path_factory: pytest.TempPathFactory, tiny_surface: Path
) -> OpenQuake:
    script = release[1].with_name("oq")
    return PlainOpenQuake(tmp_path_factory.mktemp("other"), tiny_surface, script)


def curves(oq: OpenQuake, run: Run) -> Any:
    import h5py

    with h5py.File(oq.home / f"calc_{run.calc_id}.hdf5") as store:
        return store["hcurves-rlzs"][:]


def test_classical(
    release: tuple[str, Path],
    other: OpenQuake,
    oq: OpenQuake,
    tmp_path: Path,
) -> None:
    done = other.run(other.job(tmp_path / "their", BRANCHES))
    assert done.code == 0, done.text
    assert "not supported" not in done.text
    ours = oq.run(oq.job(tmp_path / "our", BRANCHES))
    np.testing.assert_allclose(curves(other, done), curves(oq, ours), rtol=1e-3, atol=1e-9)


#: Prints how many stored fields are the measures of their waveforms; fails where one is not.
CHECK = """
import sys
from openquake.commonlib import datastore
from tests.openquake.test_event_order import assert_fields_are_their_waveforms
with datastore.read(sys.argv[1]) as dstore:
    print(assert_fields_are_their_waveforms(dstore))
"""


def test_fields_are_those_of_waveforms(
    release: tuple[str, Path], other: OpenQuake, tmp_path: Path
) -> None:
    """All of them, with two regions and two source models, and the catalogue."""
    done = other.run(two_by_two(other, tmp_path))
    assert done.code == 0, done.text
    assert "not supported" not in done.text
    assert "waveforms are not truncated" in done.text
    assert "waveforms for" in done.text  # the work, said beforehand
    store = other.home / f"calc_{done.calc_id}.hdf5"
    checked = subprocess.run(
        [release[1], "-c", CHECK, store], cwd=ROOT, env=other.env, capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stderr
    records = int(checked.stdout.split()[-1])
    assert records > 50
    made = subprocess.run(
        [release[1].with_name("gwm-hazard"), "catalogue", store, "-o", "c.h5", "--store", "keys"],
        cwd=tmp_path,
        env=other.env,
        capture_output=True,
        text=True,
    )
    assert f"{records} records" in made.stdout, made.stderr


def test_demos(release: tuple[str, Path]) -> None:
    """The demos on the release before the newest."""
    version, python = release
    if version != max(RELEASES):
        pytest.skip("one release beside the newest is enough")
    done = subprocess.run(
        [python, "-m", "pytest", "tests/demos", "-m", "slow", "-p", "no:cacheprovider"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout
