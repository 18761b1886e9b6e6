# ruff: noqa: E402
"""What all tests share."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from tests import kernels

# Before numpy, torch and numba are imported: tests run side by side, each on one core; and no two
# processes write one index of compiled kernels.
for _library in ("OPENBLAS", "OMP", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
if _worker := os.environ.get("PYTEST_XDIST_WORKER"):
    os.environ.setdefault("NUMBA_CACHE_DIR", str(kernels.of_worker(_worker)))

import pytest
import torch
from hypothesis import settings

from gwm_hazard.core.noise import Noise
from tests.once import ROOT, once_a_run
from tests.openquake.jobs import OpenQuake, build_tiny_surface
from tests.toy import ToyModel

settings.register_profile("gwm_hazard", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("gwm_hazard")
#: Folders whose tests run whole jobs.
LONG = ("openquake", "demos", "validation")


def pytest_configure(config: pytest.Config) -> None:
    if getattr(config.option, "numprocesses", None) and "NUMBA_CACHE_DIR" not in os.environ:
        kernels.make()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files of long tests first: side by side, the last that run are then short."""
    items.sort(key=lambda item: item.path.parent.name not in LONG)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of observed records and reference code: GWM_SHARED, else beside the repository."""
    folder = Path(os.environ.get("GWM_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"needs the folder {folder}; set GWM_SHARED to the folder of shared data")
    return folder


@pytest.fixture
def toy() -> ToyModel:
    return ToyModel()


@pytest.fixture(scope="session")
def tiny_surface(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return once_a_run(tmp_path_factory, "tiny.h5", build_tiny_surface)


@pytest.fixture(scope="session")
def oq(tmp_path_factory: pytest.TempPathFactory, tiny_surface: Path) -> OpenQuake:
    """``oq`` with a home of its own in each worker."""
    return OpenQuake(tmp_path_factory.mktemp("oqdata"), tiny_surface)


@pytest.fixture
def quick_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of suites, for tests that do not look at them: they take most of the time."""
    monkeypatch.setattr("gwm_hazard.suite.folder.FIGURE_FORMATS", ("png",))
    monkeypatch.setattr("gwm_hazard.report.style.DPI", 50)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Threads that wait for each other on a busy machine take most of the time."""
    Noise(0, 0, 0, 0).normal("", 1)  # numba's threads, once started, overrule torch's number
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def log_as_it_was() -> None:
    """A command sets the level of the package's log: for itself, not for the next test."""
    logger = logging.getLogger("gwm_hazard")
    logger.setLevel(logging.NOTSET)
    logger.handlers.clear()
