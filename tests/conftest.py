"""What all tests share."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
import torch
from hypothesis import settings

from tests.toy import ToyModel

ROOT = Path(__file__).resolve().parents[1]

# Reproducible on a busy machine of any size.
torch.set_num_threads(2)
settings.register_profile("gwm_hazard", deadline=None, derandomize=True, max_examples=40)
settings.load_profile("gwm_hazard")


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


@pytest.fixture(autouse=True)
def log_as_it_was() -> None:
    """A command sets the level of the package's log: for itself, not for the next test."""
    logger = logging.getLogger("gwm_hazard")
    logger.setLevel(logging.NOTSET)
    logger.handlers.clear()
