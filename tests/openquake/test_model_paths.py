"""``model = "path"`` in a branch: found from the job's folder, wherever ``oq`` is started."""

from __future__ import annotations

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openquake.commonlib import oqvalidation, readinput
from openquake.hazardlib import gsim_lt, valid

from gwm_hazard.models.registry import load_model, save_model
from gwm_hazard.openquake import hooks, model_paths
from gwm_hazard.openquake.gsim import GenerativeWaveformGMM
from tests.openquake.jobs import OpenQuake, toml

assert hooks  # a job imports it through OQ_IMPORT_PATH


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny_surface: Path) -> Path:
    """job/models/mine: a model folder; job/tree/tiny.h5: its surface."""
    root = tmp_path_factory.mktemp("paths")
    save_model(load_model("stochastic", "cpu"), root / "job" / "models" / "mine")
    (root / "job" / "tree").mkdir()
    shutil.copy(tiny_surface, root / "job" / "tree" / "tiny.h5")
    shutil.copy(tiny_surface, root / "job" / "tiny.h5")
    return root


def mine(model: object) -> str:
    return toml(model=model, surface_file="tiny.h5")


def test_relative_to_the_logic_tree(folder: Path) -> None:
    gsim = valid.gsim(mine("models/mine"), str(folder / "job"))
    assert gsim.model == str(folder / "job" / "models" / "mine")
    assert 'model = "models/mine"' in str(gsim)


def test_absolute_path(folder: Path) -> None:
    """OpenQuake alone would leave the last name of it."""
    gsim = valid.gsim(mine(folder / "job" / "models" / "mine"), str(folder / "job" / "tree"))
    assert gsim.model == str(folder / "job" / "models" / "mine")
    assert 'model = "../models/mine"' in str(gsim)
    assert valid.gsim(str(gsim), str(folder / "job" / "tree")) == gsim


def test_relative_to_the_job_before_the_logic_tree(folder: Path) -> None:
    tree = folder / "job" / "tree"
    with model_paths.looking_in(str(folder / "job")):
        gsim = valid.gsim(mine("models/mine"), str(tree))
        assert gsim.model == str(folder / "job" / "models" / "mine")
        save_model(load_model("stochastic", "cpu"), tree / "models" / "mine")
        assert valid.gsim(mine("models/mine"), str(tree)) == gsim
        shutil.rmtree(tree / "models")
    assert valid.gsim(str(gsim), str(tree)).model == gsim.model  # as a datastore has it


def test_through_a_link(folder: Path, tmp_path: Path) -> None:
    """`..` goes up from the folder itself, as the file system has it."""
    (tmp_path / "link").symlink_to(folder / "job" / "tree")
    model = folder / "job" / "models" / "mine"
    gsim = valid.gsim(mine(model), str(tmp_path / "link"))
    assert valid.gsim(str(gsim), str(tmp_path / "link")).model == str(model)


def test_plain_python_and_names(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder / "job")
    monkeypatch.setenv("GWM_HAZARD_MODELS", str(folder / "job" / "models"))
    gsim = GenerativeWaveformGMM(model="models/mine", surface_file="tiny.h5")
    assert gsim.model == str(folder / "job" / "models" / "mine")
    named = valid.gsim(mine("mine"), str(folder / "job"))
    assert named.model == gsim.model and 'model = "mine"' in str(named)
    assert valid.gsim("[GenerativeWaveformGMM]").model == "stochastic"
    moved = pickle.loads(pickle.dumps(gsim))
    monkeypatch.chdir("/")
    assert load_model(moved.model).card == moved.card


def test_missing_folder_says_where_it_was_looked_for(folder: Path, tmp_path: Path) -> None:
    with (
        model_paths.looking_in(str(tmp_path)),
        pytest.raises(ValueError, match="model = 'models/yours'") as caught,
    ):
        valid.gsim(mine("models/yours"), str(folder / "job"))
    for part in (tmp_path, folder / "job"):
        assert str(part / "models" / "yours") in str(caught.value)
    assert "card.json" in str(caught.value) and "stochastic" in str(caught.value)


def test_within_another_gsim(folder: Path) -> None:
    text = (
        "[ModifiableGMPE]\nset_total_std_as_tau_plus_delta.tau = 0.2\n"
        "set_total_std_as_tau_plus_delta.delta = 0.1\n"
        '[ModifiableGMPE.gmpe.GenerativeWaveformGMM]\nmodel = "models/mine"\nestimator = "direct"'
    )
    gsim = valid.gsim(text, str(folder / "job"))
    assert gsim.gmpe.model == str(folder / "job" / "models" / "mine")


def test_other_gsims_are_made_as_ever() -> None:
    original = valid.gsim.__wrapped__
    text = "[AbrahamsonEtAl2014]\nregion = 'JPN'"
    assert valid.gsim(text) == original(text) and str(valid.gsim(text)) == str(original(text))


def test_unknown_release_is_left_alone(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    def other(value: Any, basedir: str, more: int) -> None: ...

    monkeypatch.setattr(valid, "gsim", other)
    model_paths.install()
    assert valid.gsim is other
    assert "gsim(value basedir more)" in caplog.text


def test_what_is_wrapped_is_wrapped_once() -> None:
    places = (
        (valid, "gsim"),
        (gsim_lt.GsimLogicTree, "__fromh5__"),
        (readinput, "get_gsim_lt"),
        (oqvalidation.OqParam, "check_gsim_lt"),
    )
    before = [getattr(*place) for place in places]
    model_paths.install()
    assert [getattr(*place) for place in places] == before
    assert not any(hasattr(f.__wrapped__, "__wrapped__") for f in before)


def test_wrapped_whoever_opens_the_datastore() -> None:
    """In a process that has seen nothing of ours but what reads a calculation."""
    code = (
        "from openquake.hazardlib.gsim_lt import GsimLogicTree; "
        "from gwm_hazard.openquake.datastore import logic_trees; "
        "logic_trees({'full_lt': {}}); GsimLogicTree.__fromh5__.__wrapped__"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def job(oq: OpenQuake, root: Path, model: str, tree: str = "gmm.xml", **more: Any) -> Path:
    """A job with the model folder beside it, and its logic tree where ``tree`` says."""
    ini = oq.job(root, {"GWM": mine(model), "Boore": "[BooreEtAl2014]"}, **more)
    save_model(load_model("stochastic", "cpu"), root / "models" / "mine")
    if tree != "gmm.xml":
        (root / tree).parent.mkdir()
        (root / "gmm.xml").rename(root / tree)
        (root / "tiny.h5").rename((root / tree).with_name("tiny.h5"))
        ini.write_text(ini.read_text().replace("gmm.xml", tree))
    return ini


def test_job_from_another_folder(oq: OpenQuake, tmp_path: Path) -> None:
    """Logic tree in a folder of its own; the export builds the GSIMs again, from elsewhere."""
    ini = job(oq, tmp_path / "job", "models/mine", "tree/gmm.xml")
    (tmp_path / "elsewhere").mkdir()
    done = oq("engine", "--run", os.path.relpath(ini, oq.home), cwd=oq.home)
    assert done.code == 0, done.text
    exported = oq(
        *("export", "fullreport", done.calc_id, "-e", "rst", "-d", "."),
        cwd=tmp_path / "elsewhere",
    )
    assert exported.code == 0, exported.text
    (report,) = (tmp_path / "elsewhere").glob("*.rst")
    assert "GenerativeWaveformGMM" in report.read_text()
    with oq.datastore(done) as dstore:
        gsims = dstore["full_lt"].gsim_lt.values["Active Shallow Crust"]
    assert gsims[0].model == str(tmp_path / "job" / "models" / "mine")
    assert 'model = "../models/mine"' in str(gsims[0])


def test_error_of_a_job(oq: OpenQuake, tmp_path: Path) -> None:
    ini = job(oq, tmp_path / "job", "models/yours")
    done = oq("engine", "--run", ini, cwd=oq.home)
    assert done.code != 0
    assert str(tmp_path / "job" / "models" / "yours") in done.last


@pytest.mark.slow
@pytest.mark.parametrize("distribute", ["no", "processpool"])
@pytest.mark.parametrize("estimator", ["surface", "direct"])
def test_all_modes(oq: OpenQuake, tmp_path: Path, distribute: str, estimator: str) -> None:
    """Classical, then disaggregation on it, and event-based: the same as by the family's name."""
    curves = {}
    for model in ("models/mine", "stochastic"):
        branch = (
            mine(model)
            if estimator == "surface"
            else toml(model=model, estimator="direct", realizations=4, device="cpu")
        )
        here = tmp_path / model.replace("/", "_")
        more: dict[str, Any] = {"maximum_distance": 60.0, "concurrent_tasks": 4}
        ini = job(oq, here, "models/mine", **more)
        tree = (here / "gmm.xml").read_text()
        (here / "gmm.xml").write_text(tree.replace(mine("models/mine"), branch))
        done = oq("engine", "--run", ini, distribute=distribute, cwd=oq.home)
        assert done.code == 0, done.text
        with oq.datastore(done) as dstore:
            curves[model, "classical"] = dstore["hcurves-rlzs"][:]
        text = ini.read_text().replace("= classical", "= disaggregation")
        bins = "poes_disagg = 0.10 0.02\nmag_bin_width = 0.5\ndistance_bin_width = 20\n"
        bins += "coordinate_bin_width = 1.0\nnum_epsilon_bins = 1\ndisagg_outputs = Mag\n"
        ini.write_text(text + bins)
        after = oq("engine", "--run", ini, "--hc", done.calc_id, distribute=distribute)
        assert after.code == 0, after.text
        more |= {"calculation_mode": "event_based", "ses_per_logic_tree_path": 5}
        more |= {"intensity_measure_types_and_levels": None, "investigation_time": 20}
        more |= {"intensity_measure_types": "PGA, SA(0.5)", "poes": None}
        ini = job(oq, here, "models/mine", **more)
        (here / "gmm.xml").write_text(tree.replace(mine("models/mine"), branch))
        done = oq("engine", "--run", ini, distribute=distribute, cwd=oq.home)
        assert done.code == 0, done.text
        with oq.datastore(done) as dstore:
            curves[model, "events"] = np.sort(dstore["gmf_data/PGA"][:])
    for kind in ("classical", "events"):
        np.testing.assert_array_equal(curves["models/mine", kind], curves["stochastic", kind])
        assert curves["stochastic", kind].max() > 0
