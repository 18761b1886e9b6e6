"""The wheel, and the two files through which OpenQuake finds the package."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import gwm_hazard

ROOT = Path(__file__).resolve().parents[1]
HOOKS = "gwm_hazard.openquake.hooks"

BLOCKED = """
import sys, warnings

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "gwm_hazard":
            raise ImportError("no module named gwm_hazard, says the test")

sys.meta_path.insert(0, Block())
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import openquake.hazardlib.gsim
    from openquake.hazardlib import valid
    import openquake.hazardlib.gsim.gwm_hazard_gsim
assert repr(valid.gsim("BooreEtAl2014")) == "[BooreEtAl2014]"
from openquake.hazardlib.gsim.base import registry
assert "GenerativeWaveformGMM" not in registry
print([str(w.message) for w in caught if "GenerativeWaveformGMM" in str(w.message)])
"""


def python(code: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | env,
        timeout=120,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling", reason="building the wheel needs hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", str(ROOT), "--no-deps", "-w", str(folder)]
    done = subprocess.run(
        [*command, "--no-build-isolation", "--disable-pip-version-check"],
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("*.whl")
    return path


def test_wheel_holds_package_shim_and_tables(wheel: Path) -> None:
    assert wheel.name == f"gwm_hazard-{gwm_hazard.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        shim = archive.read("openquake/hazardlib/gsim/gwm_hazard_gsim.py")
        assert shim == (ROOT / "gsim_plugins/gwm_hazard_gsim.py").read_bytes()
        assert archive.read("gwm_hazard.pth") == (ROOT / "gsim_plugins/gwm_hazard.pth").read_bytes()
    for path in (ROOT / "gwm_hazard").rglob("*"):
        if path.suffix in (".py", ".csv"):
            assert path.relative_to(ROOT).as_posix() in names
    assert "gwm_hazard/core/tables/bayless_abrahamson.csv" in names
    # Nothing in OpenQuake's folders but the shim, nothing that a build left behind.
    ours = {n for n in names if n.startswith("openquake/")}
    assert ours == {"openquake/hazardlib/gsim/gwm_hazard_gsim.py"}
    waste = (".pyc", ".nbc", ".nbi", ".tmp", ".npz", ".lock")
    assert sorted(n for n in names if n.endswith(waste) and "/tables/" not in n) == []
    assert not [n for n in names if n.split("/")[0] in ("tests", "demos", "validation")]


@pytest.mark.parametrize("model", ["stochastic", "wgan-small", "highfem-observed"])
def test_bundled_surface_is_in_the_wheel_and_fits_the_model(wheel: Path, model: str) -> None:
    from gwm_hazard.distribution.find import bundled_surface
    from gwm_hazard.models.registry import load_model

    name = f"gwm_hazard/distribution/bundled/{model}.h5"
    with zipfile.ZipFile(wheel) as archive:
        assert name in archive.namelist()
    assert bundled_surface(load_model(model, "cpu")) is not None


def test_wheel_runs_from_another_folder(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import gwm_hazard; "
        "print(gwm_hazard.__file__, gwm_hazard.load_model('stochastic', 'cpu').card.name)"
    )
    done = python(code)
    assert done.returncode == 0, done.stderr
    path, name = done.stdout.split()
    assert Path(path).is_relative_to(tmp_path) and name == "stochastic"


def test_openquake_goes_on_without_the_package() -> None:
    done = python(BLOCKED, OQ_IMPORT_PATH="")
    assert done.returncode == 0, done.stderr
    assert "GenerativeWaveformGMM is not available" in done.stdout
    assert "says the test" in done.stdout


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", HOOKS),
        ("mine.plugin", f"mine.plugin:{HOOKS}"),
        (f"{HOOKS}:mine.plugin", f"{HOOKS}:mine.plugin"),
    ],
)
def test_pth_adds_the_hooks_once_and_keeps_those_of_others(before: str, after: str) -> None:
    line = (ROOT / "gsim_plugins/gwm_hazard.pth").read_text()
    assert len(line.strip().splitlines()) == 1 and line.startswith("import os;")
    code = f"import os; exec({line!r}); exec({line!r}); print(os.environ['OQ_IMPORT_PATH'])"
    assert python(code, OQ_IMPORT_PATH=before).stdout.strip() == after


def test_interpreter_start_imports_nothing_heavy() -> None:
    done = python("import sys; print(*sys.modules)")
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert loaded & {"gwm_hazard", "openquake", "numpy", "torch", "numba"} <= {"openquake"}


def test_hooks_offer_the_postprocessor_and_load_nothing_more() -> None:
    code = (
        "import sys, openquake.calculators.postproc as p; "
        "import openquake.calculators.base; "
        f"import {HOOKS}; "
        "print(callable(p.gwm_hazard.waveforms), 'gwm_hazard.openquake.figures' in sys.modules)"
    )
    done = python(code)
    assert done.stdout.split() == ["True", "False"], done.stderr
