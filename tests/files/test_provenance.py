from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from importlib.metadata import version

import pytest

import gwm_hazard
from gwm_hazard.files.atomic import replacing
from gwm_hazard.files.provenance import attributes, software_versions
from tests.once import ROOT


def python(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_package_is_light():
    code = "import sys, gwm_hazard; print(*(m.split('.')[0] for m in sys.modules))"
    loaded = set(python(code).split())
    assert "gwm_hazard" in loaded
    assert not loaded & {"torch", "openquake", "numba", "xarray", "h5py", "scipy", "pandas"}


def test_modules_outside_their_world_load_neither_torch_nor_openquake():
    """Only models/ and training import torch (lazily), only gwm_hazard.openquake openquake."""
    code = """
import sys
import gwm_hazard
import gwm_hazard.models.dataset, gwm_hazard.catalogue.store, gwm_hazard.intensity
import gwm_hazard.core.noise, gwm_hazard.files.provenance, gwm_hazard.distribution.estimate
import gwm_hazard.distribution.surface
from gwm_hazard.models import base, registry
registry.families()
gwm_hazard.files.provenance.software_versions()
print(sorted({"torch", "openquake"} & set(sys.modules)))
"""
    assert python(code) == "[]"


def test_public_names_resolve():
    for name in gwm_hazard.__all__:
        assert getattr(gwm_hazard, name) is not None
    assert set(gwm_hazard.__all__) <= set(dir(gwm_hazard))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        gwm_hazard.nothing  # noqa: B018


def test_software_versions():
    found = software_versions()
    assert found["gwm_hazard"] == gwm_hazard.__version__
    assert found["python"] == platform.python_version()
    assert found["numpy"] == version("numpy")


def test_attributes_hold_the_card(toy):
    attrs = attributes(toy.card)
    assert (attrs["model"], attrs["model_version"], attrs["licence"]) == ("toy", "1.2.3", "CC0-1.0")
    card = json.loads(attrs["model_card"])
    assert card["conditions"] == {"mag": [4, 8], "rrup": [1, 300], "vs30": [150, 1500]}
    assert card["parameters"]["tau"] == 0.4
    assert json.loads(attrs["software"]) == software_versions()
    assert all(isinstance(v, str) for v in attrs.values())


def test_replacing_renames_on_success(tmp_path):
    path = tmp_path / "new" / "file.txt"
    with replacing(path) as temporary:
        assert temporary.parent == path.parent
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"]


def test_replacing_keeps_the_old_file_on_failure(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(KeyboardInterrupt), replacing(path) as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["file.txt"]
