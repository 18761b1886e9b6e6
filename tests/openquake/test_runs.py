"""Stock ``oq engine --run`` on a small fault: results, re-runs, waveforms, and bad input."""

import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from openquake.commonlib import datastore
from openquake.hazardlib import valid
from openquake.hazardlib.contexts import simple_cmaker
from scipy.stats import truncnorm

from gwm_hazard import Noise, Scenarios, load_model, open_catalogue
from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.openquake import gsim as gsim_module
from gwm_hazard.openquake.gsim import GenerativeWaveformGMM
from gwm_hazard.openquake.postproc import controlling, exceedance
from gwm_hazard.surface.build import build_surface
from gwm_hazard.surface.ensemble import Ensemble, estimate
from gwm_hazard.surface.surface import Axis, Surface

OQ = Path(sys.executable).with_name("oq")
IMTS = ("PGA", "PGV", "SA(0.1)", "SA(1.0)")

SOURCE = """<?xml version="1.0" encoding="utf-8"?>
<nrml xmlns="http://openquake.org/xmlns/nrml/0.5" xmlns:gml="http://www.opengis.net/gml">
<sourceModel name="one fault">
<sourceGroup tectonicRegion="Active Shallow Crust">
<simpleFaultSource id="1" name="fault" tectonicRegion="Active Shallow Crust">
<simpleFaultGeometry>
<gml:LineString><gml:posList>0.0 -0.2 0.0 0.2</gml:posList></gml:LineString>
<dip>90.0</dip><upperSeismoDepth>2.0</upperSeismoDepth><lowerSeismoDepth>14.0</lowerSeismoDepth>
</simpleFaultGeometry>
<magScaleRel>WC1994</magScaleRel><ruptAspectRatio>1.5</ruptAspectRatio>
<incrementalMFD binWidth="0.5" minMag="6.25"><occurRates>0.01 0.004</occurRates></incrementalMFD>
<rake>0.0</rake>
</simpleFaultSource>
</sourceGroup>
</sourceModel>
</nrml>
"""
SOURCE_TREE = """<?xml version="1.0" encoding="utf-8"?>
<nrml xmlns="http://openquake.org/xmlns/nrml/0.5"><logicTree logicTreeID="s">
<logicTreeBranchSet branchSetID="b" uncertaintyType="sourceModel">
<logicTreeBranch branchID="s"><uncertaintyModel>source.xml</uncertaintyModel>
<uncertaintyWeight>1.0</uncertaintyWeight></logicTreeBranch>
</logicTreeBranchSet></logicTree></nrml>
"""
JOB = """
[general]
description = one fault
calculation_mode = disaggregation
random_seed = 5
[geometry]
sites = 0.15 0.0
[site_params]
reference_vs30_value = 400.0
[erf]
rupture_mesh_spacing = 4.0
width_of_mfd_bin = 0.5
[calculation]
source_model_logic_tree_file = source_tree.xml
gsim_logic_tree_file = gmm_tree.xml
investigation_time = 50.0
truncation_level = 3.0
maximum_distance = 200.0
intensity_measure_types_and_levels = {
  "PGA": logscale(0.01, 2.0, 20), "SA(0.5)": logscale(0.01, 2.0, 20)}
[disaggregation]
poes_disagg = 0.1
disagg_outputs = Mag_Dist
num_rlzs_disagg = 0
mag_bin_width = 0.5
distance_bin_width = 20.0
coordinate_bin_width = 1.0
num_epsilon_bins = 1
[output]
individual_rlzs = true
poes = 0.1
export_dir = output
postproc_func = gwm_hazard.waveforms
postproc_args = {"imt": "SA(0.5)", "waveforms": 6}
"""
BOORE = "[BooreEtAl2014]"


def gwm(**parameters: str) -> str:
    lines = {"surface_file": "tiny.h5"} | parameters
    return "[GenerativeWaveformGMM]\n" + "\n".join(f'{k} = "{v}"' for k, v in lines.items())


def gmm_tree(*gsims: str) -> str:
    branches = "".join(
        f'<logicTreeBranch branchID="g{i}"><uncertaintyModel>{g}</uncertaintyModel>'
        f"<uncertaintyWeight>{1 / len(gsims)}</uncertaintyWeight></logicTreeBranch>"
        for i, g in enumerate(gsims)
    )
    return (
        '<?xml version="1.0" encoding="utf-8"?>'
        '<nrml xmlns="http://openquake.org/xmlns/nrml/0.5"><logicTree logicTreeID="g">'
        '<logicTreeBranchSet branchSetID="g" uncertaintyType="gmpeModel" '
        f'applyToTectonicRegionType="Active Shallow Crust">{branches}</logicTreeBranchSet>'
        "</logicTree></nrml>"
    )


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A coarse surface of the stochastic model: PGA, PGV, SA at 0.1 and 1 s."""
    axes = (
        Axis("mag", (6.0, 6.6, 7.2)),
        Axis("rrup", (5.0, 20.0, 80.0), "log"),
        Axis("vs30", (300.0, 500.0), "log", "linear"),
        Axis("hypo_depth", (0.0, 20.0), "linear", "linear"),
    )
    path = tmp_path_factory.mktemp("surface") / "tiny.h5"
    build_surface(
        load_model("stochastic", "cpu"), path, axes=axes, imts=IMTS, realizations=12, held_out=4
    )
    return path


def folder(path: Path, tiny: Path, *gsims: str, job: str = JOB) -> Path:
    path.mkdir(exist_ok=True)
    (path / "tiny.h5").write_bytes(tiny.read_bytes())
    (path / "source.xml").write_text(SOURCE)
    (path / "source_tree.xml").write_text(SOURCE_TREE)
    (path / "gmm_tree.xml").write_text(gmm_tree(*gsims))
    (path / "job.ini").write_text(job)
    return path


def oq(path: Path, *words: str, distribute: str = "no") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"OQ_DATADIR": str(path), "OQ_DISTRIBUTE": distribute}
    return subprocess.run(
        [str(OQ), *words],
        cwd=path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def last_calculation(path: Path) -> Path:
    return max(path.rglob("calc_*.hdf5"), key=lambda p: int(p.stem.split("_")[1]))


@pytest.fixture(scope="session")
def finished(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished disaggregation with a GWM branch beside Boore et al. (2014)."""
    path = folder(tmp_path_factory.mktemp("job"), tiny, gwm(), BOORE)
    done = oq(path, "engine", "--run", "job.ini")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return path


def curves(path: Path) -> np.ndarray:
    with h5py.File(last_calculation(path)) as f:
        return f["hcurves-rlzs"][:]


def test_two_workers_give_the_same_curves(finished: Path, tiny: Path, tmp_path: Path) -> None:
    path = folder(tmp_path / "two", tiny, gwm(), BOORE)
    done = oq(path, "engine", "--run", "job.ini", distribute="processpool")
    assert done.returncode == 0, done.stderr[-3000:]
    assert np.array_equal(curves(path), curves(finished))
    with (
        open_catalogue(path / "output/waveforms.h5") as a,
        open_catalogue(finished / "output/waveforms.h5") as b,
    ):
        assert np.array_equal(a.acceleration.values, b.acceleration.values)


def test_the_output_folder_is_complete(finished: Path) -> None:
    names = {p.name for p in (finished / "output").iterdir()}
    assert {"waveforms.h5", "hazard_curves.png", "disaggregation.png", "waveforms.png"} <= names
    assert any(n.startswith("hazard_curve-rlz-001") for n in names)
    assert any(n.startswith("Mag_Dist") for n in names)
    assert not [n for n in names if n.endswith(".tmp")]
    for picture in (finished / "output").glob("*.png"):
        assert picture.read_bytes()[:4] == b"\x89PNG"
        assert picture.stat().st_size > 20_000


def test_a_record_is_drawn_again_from_its_key(finished: Path) -> None:
    with open_catalogue(finished / "output/waveforms.h5") as data:
        record = data.isel(record=3).load()
    model = load_model(record.attrs["model"], "cpu")
    names = (*model.card.condition_names, "rhypo")
    sc = Scenarios(**{n: float(record[n]) for n in names if n in record})
    noise = Noise(
        int(record.attrs["seed"]),
        int(record["event"]),
        int(record["site"]),
        int(record["realization"]),
    )
    [(_, drawn)] = model.batches(sc, noise)
    stored = record["acceleration"].values[:, : int(record["npts"])]
    assert np.allclose(drawn[0], stored, atol=1e-5 * np.abs(stored).max())
    got = intensity_measures_array(stored[None], model.dt_s, ["PGA", "SA(0.5)", "RSD595"])[0]
    assert got == pytest.approx([float(record[i]) for i in ("PGA", "SA(0.5)", "RSD595")])


def test_shares_agree_with_openquakes_disaggregation(
    tiny: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With one branch the level is that of OpenQuake's disaggregation."""
    path = folder(tmp_path_factory.mktemp("one"), tiny, gwm())
    assert oq(path, "engine", "--run", "job.ini").returncode == 0
    with datastore.read(str(last_calculation(path))) as dstore:
        [branch] = dstore["full_lt"].init().gsim_lt.branches
        control = controlling(dstore, branch.gsim, 0, "SA(0.5)", 0.1)
        edges = dstore["disagg-bins/Mag"][:]
        theirs = dstore["disagg-rlzs/Mag_Dist"][0, :, :, 1, 0, 0]
    rate = -np.log1p(-theirs).sum(axis=1)
    ours = np.histogram(control.ctx["mag"], edges, weights=control.share)[0]
    assert ours == pytest.approx(rate / rate.sum(), abs=0.01)


def test_rerun_show_and_export(finished: Path) -> None:
    """The datastore builds the GSIM again, without the surface file beside it."""
    before = curves(finished)
    (finished / "tiny.h5").rename(finished / "moved.h5")
    calculation = last_calculation(finished).stem.split("_")[1]
    try:
        shown = oq(finished, "show", "branches", calculation)
        assert shown.returncode == 0
        assert "GenerativeWaveformGMM" in shown.stdout
        (finished / "again").mkdir()
        exported = oq(finished, "export", "hcurves", calculation, "-d", str(finished / "again"))
        assert exported.returncode == 0
        assert list((finished / "again").glob("hazard_curve-rlz-000-PGA*.csv"))
    finally:
        (finished / "moved.h5").rename(finished / "tiny.h5")
    again = oq(finished, "engine", "--run", "job.ini", "--hc", calculation)
    assert again.returncode == 0, again.stderr[-2000:]
    with h5py.File(finished / f"calc_{calculation}.hdf5") as f:
        assert np.array_equal(f["hcurves-rlzs"][:], before)


@pytest.mark.parametrize(
    ("branch", "job", "message"),
    [
        (gwm(model="nosuch"), JOB, "unknown model 'nosuch': known are stochastic"),
        (gwm(estimator="guess"), JOB, "estimator = 'guess': must be one of surface, direct"),
        (gwm(surface_file="absent.h5"), JOB, "absent.h5: no such file"),
        (gwm(surface_file="source.xml"), JOB, "source.xml: not a readable HDF5 file"),
        (gwm(), JOB.replace("SA(0.5)", "IA"), "IA is not in the surface"),
        (gwm(), JOB.replace("SA(0.5)", "SA(5.0)"), "SA(5.0) is not in the surface"),
        (gwm(), JOB.replace("reference_vs30_value = 400.0", ""), "vs30"),
        (gwm(), JOB.replace("= 400.0", "= -3.0"), "vs30"),
        (
            gwm(out_of_range="error"),
            JOB.replace("= 400.0", "= 900.0"),
            "is outside the range of model 'stochastic', 300 to 500 m/s",
        ),
    ],
)
def test_bad_input_ends_in_one_clear_message(
    tiny: Path, tmp_path: Path, branch: str, job: str, message: str
) -> None:
    path = folder(tmp_path / "bad", tiny, branch, job=job)
    done = oq(path, "engine", "--run", "job.ini")
    text = done.stdout + done.stderr
    assert done.returncode != 0
    assert message in text.strip().splitlines()[-1] or message in text
    assert not list(path.rglob("waveforms.h5*"))


def test_gsim_in_plain_hazardlib(tiny: Path) -> None:
    gsim = valid.gsim(gwm(), str(tiny.parent))
    surface = Surface.load(tiny)
    maker = simple_cmaker([gsim], list(IMTS))
    ctx = maker.new_ctx(3)
    conditions = {
        "mag": np.array([6.1, 6.5, 7.0]),
        "rrup": np.array([6.0, 30.0, 70.0]),
        "vs30": np.array([320.0, 400.0, 480.0]),
        "hypo_depth": np.array([3.0, 8.0, 15.0]),
    }
    for name, values in conditions.items():
        ctx[name] = values
    mean, sigma, tau, phi = maker.get_mean_stds([ctx])[:, 0]
    moments = surface(conditions, IMTS)
    assert np.allclose(mean, moments.mean.T)
    assert np.allclose(tau, moments.tau.T)
    assert np.allclose(sigma**2, tau**2 + phi**2)
    assert gsim == valid.gsim(gwm(), str(tiny.parent))
    assert gsim.requires() == ("hypo_depth", "mag", "rrup", "vs30")


def test_direct_is_the_ensemble_whatever_the_order() -> None:
    gsim = GenerativeWaveformGMM(estimator="direct", realizations=12, seed=3, device="cpu")
    maker = simple_cmaker([gsim], ["PGA", "SA(1.0)"])
    ctx = maker.new_ctx(4)
    sc = Scenarios(mag=[5.0, 6.0, 5.0, 6.5], rrup=[20, 40, 20, 90], vs30=400.0, hypo_depth=10.0)
    for name in sc:
        ctx[name] = sc[name]
    together = maker.get_mean_stds([ctx])[:, 0]
    truth = estimate(load_model("stochastic", "cpu"), sc, ["PGA", "SA(1.0)"], Ensemble(12, 3))
    assert np.allclose(together[0], truth.mean.T, atol=1e-5)
    assert np.allclose(together[1], truth.sigma.T, atol=1e-4)
    moments = gsim_module.distribution(gsim, ctx[::-1][:2], ("PGA",))
    assert np.allclose(moments.mean[:, 0], together[0, 0, ::-1][:2], atol=1e-5)


def test_clip_moves_to_the_bound_and_warns_once(
    tiny: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gsim = valid.gsim(gwm(), str(tiny.parent))
    maker = simple_cmaker([gsim], ["PGA"])
    ctx = maker.new_ctx(2)
    for name, value in {"mag": 6.5, "vs30": 400.0, "hypo_depth": 5.0}.items():
        ctx[name] = value
    ctx["rrup"] = [80.0, 150.0]
    gsim_module._warned.clear()
    first = maker.get_mean_stds([ctx])[0, 0, 0]
    maker.get_mean_stds([ctx])
    assert first[0] == first[1]
    [warning] = [r.getMessage() for r in caplog.records if "clipped" in r.getMessage()]
    assert "rrup = 150 km" in warning
    assert "5 to 80 km" in warning


def test_exceedance_is_that_of_a_truncated_normal() -> None:
    z = np.linspace(-4, 4, 33)
    assert exceedance(z, 3.0) == pytest.approx(truncnorm.sf(z, -3, 3), abs=1e-12)
