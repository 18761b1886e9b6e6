"""A study and its folder, made once for the tests of files and of the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from gwm_hazard.models.registry import load_model
from gwm_hazard.suite.output import write
from gwm_hazard.suite.study import Study
from tests.once import once_a_run
from tests.suite.made_up import make_checks, make_study


@pytest.fixture(scope="session")
def study() -> Study:
    """Two suites of six motions, scaled to their levels."""
    return make_study(load_model("stochastic", "cpu"), rates=(4e-3, 1e-3), scale=True)


@pytest.fixture(scope="session")
def folder(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    def make(folder: Path) -> None:
        model, notes, out = load_model("stochastic", "cpu"), ["See to it."], folder / "new"
        page = write(study, model, out, ("csv", "at2"), lambda *_: make_checks(), code_notes=notes)
        assert page == out / "index.html"

    return once_a_run(tmp_path_factory, "suite", make) / "new"
