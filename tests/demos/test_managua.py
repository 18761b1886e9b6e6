"""The Managua demo with TFCGAN as a fourth branch."""

from __future__ import annotations

import configparser
import runpy
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import truncnorm

from gwm_hazard.core.distance import effective_distance_km
from gwm_hazard.distribution.build import build_surface
from gwm_hazard.distribution.find import cached_file
from gwm_hazard.distribution.surface import Axis
from gwm_hazard.models.card_file import CARD_FILE
from gwm_hazard.models.registry import import_model
from gwm_hazard.openquake import hooks
from tests.openquake.jobs import OpenQuake

assert hooks  # finds the model beside the job when the datastore is read

DEMO = Path(__file__).parents[2] / "demos" / "managua"
#: Coarse: the job is tested here. All of its earthquakes are above M 6.5.
AXES = (
    Axis("mag", (5.5, 6.5), "linear", "linear"),
    Axis("rhypo", (5.0, 15.0, 40.0, 120.0), "log"),
    Axis("vs30", (350.0, 450.0), "log", "linear"),
)


def parameters(name: str) -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(DEMO / name)
    return {k: v for section in parser.sections() for k, v in parser.items(section)}


def branches(name: str) -> dict[str, tuple[str, float]]:
    namespace = "{http://openquake.org/xmlns/nrml/0.5}"
    return {
        str(b.get("branchID")): (str(b[0].text).strip(), float(str(b[1].text)))
        for b in ET.parse(DEMO / name).iter(f"{namespace}logicTreeBranch")
    }


@pytest.mark.parametrize(
    ("job", "branch", "model", "weight"),
    [("job_tfcgan.ini", "TFCGAN", "tfcgan", 0.0),
     ("job_observed.ini", "Observed", "highfem-observed", 0.25)],
)  # fmt: skip
def test_jobs_are_the_same_but_for_the_branch(
    job: str, branch: str, model: str, weight: float
) -> None:
    main, other = parameters("job.ini"), parameters(job)
    own = {"description", "calculation_mode", "gsim_logic_tree_file", "export_dir", "postproc_args"}
    disaggregation = main.keys() - other.keys()
    assert not other.keys() - main.keys()
    assert all("disagg" in k or "bin" in k for k in disaggregation)
    assert {k: v for k, v in main.items() if k not in own | disaggregation} == {
        k: v for k, v in other.items() if k not in own
    }
    four = branches(other["gsim_logic_tree_file"])
    text, of_branch = four.pop(branch)
    three = branches(main["gsim_logic_tree_file"])
    assert {k: t for k, (t, _) in four.items()} == {k: t for k, (t, _) in three.items()}
    assert f'model = "{model}"' in text and of_branch == weight
    assert sum(w for _, w in four.values()) + weight == pytest.approx(1.0)


def test_the_model_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the job.ini, or among the installed ones; what ``make demo`` goes by."""
    shutil.copy(DEMO / "prepare.py", tmp_path)
    monkeypatch.setenv("GWM_HAZARD_MODELS", str(tmp_path / "models"))
    has_tfcgan = runpy.run_path(str(tmp_path / "prepare.py"))["has_tfcgan"]
    assert not has_tfcgan()
    for folder in (tmp_path / "tfcgan", tmp_path / "models" / "tfcgan"):
        folder.mkdir(parents=True)
        (folder / CARD_FILE).touch()
        assert has_tfcgan()
        (folder / CARD_FILE).unlink()
        assert not has_tfcgan()


@pytest.fixture(scope="module")
def finished(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    root = tmp_path_factory.mktemp("managua")
    ignore = shutil.ignore_patterns("output", "source_model.xml")
    shutil.copytree(DEMO, root / "demo", ignore=ignore)
    subprocess.run([sys.executable, str(root / "demo" / "prepare.py")], check=True)
    saved = shared / "reference" / "tfcgan" / "saved_model"
    model = import_model("tfcgan", [saved], root / "demo" / "tfcgan")
    (root / "home").mkdir()
    oq = OpenQuake(root / "home", Path())
    with pytest.MonkeyPatch.context() as patch:
        # For the job and for this process, which reads the GSIMs from its datastore.
        patch.setenv("GWM_HAZARD_CACHE", oq.env["GWM_HAZARD_CACHE"])
        path = cached_file(model)
        path.parent.mkdir(parents=True)
        options = {"realizations": 24, "held_out": 2, "shape_scenarios": 0}
        surface = build_surface(model, path, axes=AXES, **options)
        run = oq("engine", "--run", root / "demo" / "job_tfcgan.ini")
        assert run.code == 0, run.text
        with oq.datastore(run) as dstore:
            yield dstore, surface, root / "demo" / "output" / "tfcgan", run


@pytest.mark.slow
def test_four_branches(finished: Any) -> None:
    """The fourth is that of its surface and the ruptures, and the mean is that of the others."""
    from openquake.hazardlib.contexts import read_ctx_by_grp

    dstore, surface, _, _ = finished
    imtls = dstore["oqparam"].imtls
    curves = dstore["hcurves-rlzs"][0]
    names = [r.gsim_rlz.value[0] for r in dstore["full_lt"].init().get_realizations()]
    assert [type(n).__name__ for n in names] == [
        *("GenerativeWaveformGMM", "BooreEtAl2014", "Kanno2006Shallow", "GenerativeWaveformGMM")
    ]
    mean = np.tensordot([0.34, 0.33, 0.33], curves[:3], axes=(0, 0))
    np.testing.assert_allclose(dstore["hcurves-stats"][0, 0], mean, rtol=1e-5, atol=1e-7)
    ctx = np.concatenate(list(read_ctx_by_grp(dstore).values()))
    assert ctx["mag"].min() > 6.5
    at = {
        "mag": np.full(len(ctx), 6.5),
        "rhypo": np.clip(effective_distance_km(ctx["mag"], ctx["rrup"]), 5.0, 120.0),
        "vs30": ctx["vs30"],
    }
    moments = surface(at, tuple(imtls))
    assert (moments.tau == 0).all()
    for i, levels in enumerate(imtls.values()):
        z = (np.log(levels) - moments.mean[:, i, None]) / moments.sigma[:, i, None]
        rate = (ctx["occurrence_rate"][:, None] * truncnorm.sf(z, -3, 3)).sum(axis=0)
        np.testing.assert_allclose(curves[3, i], -np.expm1(-50.0 * rate), rtol=2e-3, atol=1e-6)


@pytest.mark.slow
def test_range_and_pictures(finished: Any) -> None:
    """All of the hazard comes from above TFCGAN's magnitudes, none from outside the other's."""
    _, _, output, run = finished
    (path,) = output.glob("range_accounting_*.csv")
    rows = pd.read_csv(path, comment="#")
    of = {name: part for name, part in rows.groupby("branch")}
    assert len(of) == 2 and all(len(part) == 11 * 2 for part in of.values())
    stochastic, tfcgan = (of[k] for k in sorted(of))
    assert (stochastic.outside == 0).all()
    assert (tfcgan.outside == 1).all() and (tfcgan.outside_mag == 1).all()
    assert (tfcgan.outside_rhypo < 0.01).all() and (tfcgan.outside_vs30 == 0).all()
    assert "'tfcgan'): at most 100.0 % of the hazard comes from outside" in run.text
    for name in ("hazard_curves", "uniform_hazard_spectra", "range_accounting"):
        (picture,) = output.glob(f"{name}_*.png")
        assert picture.stat().st_size > 30_000
