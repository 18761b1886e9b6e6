"""The waveforms behind the hazard, against OpenQuake's own disaggregation and the model itself."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from openquake.baselib import __version__ as oq_version
from scipy.stats import truncnorm

from gwm_hazard.catalogue import stream
from gwm_hazard.catalogue.store import open_catalogue
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.models.registry import load_model
from gwm_hazard.openquake import postproc
from gwm_hazard.openquake.curves import Curves
from gwm_hazard.openquake.gsim import GenerativeWaveformGMM, distribution
from gwm_hazard.openquake.rates import Branch, branches
from tests.openquake.jobs import GWM, OpenQuake, Run, toml

#: Over the classical job: one branch, so that OpenQuake's level is that of the branch.
DISAGGREGATION: dict[str, Any] = {
    "calculation_mode": "disaggregation",
    "poes_disagg": "0.10 0.02",
    "disagg_outputs": "Mag_Dist Mag",
    "mag_bin_width": 0.2,
    "distance_bin_width": 20.0,
    "coordinate_bin_width": 0.5,
    "num_epsilon_bins": 3,
    "uniform_hazard_spectra": "true",
    "postproc_func": "gwm_hazard.waveforms",
    "postproc_args": '{"imt": "SA(0.5)", "waveforms": 5}',
}


@dataclass
class Finished:
    folder: Path
    run: Run
    dstore: Any
    branch: Branch
    curves: Curves

    def controlling(self, imt: str, poe: float) -> postproc.Controlling:
        (found,) = postproc.controlling(self.curves, self.branch, 0, imt, [poe])
        assert found is not None
        return found


@pytest.fixture(scope="module")
def finished(oq: OpenQuake, tmp_path_factory: pytest.TempPathFactory) -> Any:
    ini = oq.job(tmp_path_factory.mktemp("disaggregation"), **DISAGGREGATION)
    run = oq.run(ini)
    assert run.code == 0, run.text
    with oq.datastore(run) as dstore:
        curves = Curves(dstore.parent if dstore.parent else dstore)
        (branch,) = branches(curves)
        yield Finished(ini.parent / "output", run, dstore, branch, curves)


@pytest.fixture
def catalogue(finished: Finished) -> Any:
    with open_catalogue(finished.folder / "waveforms.h5") as data:
        yield data


# Which scenarios


@pytest.mark.parametrize("poe", [0.10, 0.02])
def test_shares_agree_with_openquakes_disaggregation(finished: Finished, poe: float) -> None:
    dstore = finished.dstore
    control = finished.controlling("SA(0.5)", poe)
    assert control.share.sum() == pytest.approx(1.0, abs=1e-12) and (control.share >= 0).all()
    mags, distances = dstore["disagg-bins/Mag"][:], dstore["disagg-bins/Dist"][:]
    got, _, _ = np.histogram2d(
        control.ctx["mag"], control.ctx["rrup"], [mags, distances], weights=control.share
    )
    m = list(dstore["oqparam"].imtls).index("SA(0.5)")
    p = list(dstore["oqparam"].poes_disagg).index(poe)
    # Bins add as rates, not as probabilities.
    rate = -np.log1p(-dstore["disagg-rlzs/Mag_Dist"][0, :, :, m, p, 0].astype(float))
    expected = rate / rate.sum()
    assert (expected > 0.02).sum() >= 5
    np.testing.assert_allclose(got, expected, atol=1e-3)
    np.testing.assert_allclose(got[expected > 0.01], expected[expected > 0.01], rtol=5e-3)


@pytest.mark.parametrize("poe", [0.10, 0.02])
def test_level_and_rate_are_those_of_the_hazard_curve(finished: Finished, poe: float) -> None:
    control = finished.controlling("SA(0.5)", poe)
    oq = finished.dstore["oqparam"]
    curve = finished.dstore["hcurves-rlzs"][0, 0, list(oq.imtls).index("SA(0.5)")]
    used = curve > 0
    levels = np.log(np.array(oq.imtls["SA(0.5)"])[used])
    log_poe = np.interp(np.log(control.iml), levels, np.log(curve[used]))
    assert np.exp(log_poe) == pytest.approx(poe, rel=1e-4)
    m = distribution(finished.branch.gsim, control.ctx, ("SA(0.5)",))
    z = (np.log(control.iml) - m.mean[:, 0]) / m.sigma[:, 0]
    rate = (control.ctx["occurrence_rate"] * truncnorm.sf(z, -3, 3)).sum()
    # The curve is interpolated between levels that grow by 12 %.
    assert -np.expm1(-50.0 * rate) == pytest.approx(poe, rel=0.02)


def test_scenarios_are_ruptures_of_the_calculation_with_their_shares(
    finished: Finished, catalogue: xr.Dataset
) -> None:
    for poe in (0.10, 0.02):
        control = finished.controlling("SA(0.5)", poe)
        held = {
            (int(number), round(float(r["rrup"]), 3)): (share, float(r["mag"]))
            for number, r, share in zip(control.numbers, control.ctx, control.share, strict=True)
        }
        rows = catalogue.isel(record=np.flatnonzero(catalogue.poe.values == poe))
        assert rows.sizes["record"] == 5
        np.testing.assert_allclose(rows.iml.values, control.iml)
        for i in range(5):
            row = rows.isel(record=i)
            share, mag = held[int(row.rup_id), round(float(row.rrup), 3)]
            assert float(row.share) == pytest.approx(share) and float(row.mag) == mag


def test_draws_of_scenarios_follow_the_shares(finished: Finished) -> None:
    n = 20_000
    drawn = postproc._sampled(
        finished.dstore, finished.curves, [finished.branch], "SA(0.5)", n, seed=1
    )
    for job in drawn:
        control = finished.controlling("SA(0.5)", float(job.columns["poe"][0]))
        mean = control.share @ control.ctx["mag"]
        s_d = np.sqrt(control.share @ (control.ctx["mag"] - mean) ** 2)
        assert abs(job.draws.scenarios["mag"].mean() - mean) < 4 * s_d / np.sqrt(n)


# The catalogue


def test_catalogue_holds_keys_conditions_and_origin(
    finished: Finished, catalogue: xr.Dataset
) -> None:
    assert dict(catalogue.sizes)["record"] == 10
    needed = {"event", "site", "realization", "npts", "branch", "poe", "imt", "iml", "share"}
    needed |= {"mag", "rrup", "vs30", "hypo_depth", "rup_id"}
    assert needed <= set(catalogue.coords)
    assert sorted(set(catalogue.poe.values)) == [0.02, 0.10]
    assert set(catalogue["imt"].values) == {"SA(0.5)"}
    assert sorted(catalogue.event.values.tolist()) == list(range(10))
    np.testing.assert_allclose(catalogue.vs30.values, 400.0)
    assert catalogue.attrs["model"] == "stochastic" and catalogue.attrs["seed"] == "23"
    assert catalogue.attrs["calculation_id"] == str(finished.run.calc_id)
    assert catalogue.attrs["calculation"] == "two point sources"
    assert json.loads(catalogue.attrs["software"])["openquake.engine"] == oq_version
    assert set(catalogue.branch.values) == {"GWM"}


def test_a_record_is_drawn_again_from_its_key(catalogue: xr.Dataset) -> None:
    model = load_model("stochastic", "cpu")
    for i in (0, 7, 9):  # one at a time: other batches than those of the file
        row = catalogue.isel(record=[i])
        noise = Noise(
            int(catalogue.attrs["seed"]),
            row.event.values,
            row.site.values,
            row.realization.values,
        )
        scenario = Scenarios(**{k: row[k].values for k in model.card.condition_names})
        ((_, again),) = model.batches(scenario, noise)
        npts = int(row.npts[0])
        assert again.shape[2] == npts
        stored = row.acceleration.values
        peak = np.abs(stored).max()
        np.testing.assert_allclose(stored[:, :, :npts], again, atol=2e-6 * peak, rtol=0)
        assert not stored[:, :, npts:].any()


def test_stored_measures_are_those_of_the_stored_waveforms(catalogue: xr.Dataset) -> None:
    names = [str(v) for v in catalogue.data_vars if v != "acceleration"]
    assert {"PGA", "PGV", "IA", "CAV", "RSD595", "SA(0.5)", "SA(0.7)"} <= set(names)
    for i in (0, 9):
        row = catalogue.isel(record=i)
        acceleration = row.acceleration.values[None, :, : int(row.npts)]
        values = intensity_measures_array(acceleration, catalogue.attrs["dt_s"], names)[0]
        np.testing.assert_allclose([float(row[v]) for v in names], values, rtol=1e-5)


# Files


def test_files_of_the_job_are_there(finished: Finished) -> None:
    names = {p.name for p in finished.folder.iterdir()}
    calc = finished.run.calc_id
    for wanted in (
        "waveforms.h5",
        f"realizations_{calc}.csv",
        f"hazard_curve-mean-PGA_{calc}.csv",
        f"hazard_curve-mean-SA(0.5)_{calc}.csv",
        f"hazard_uhs-mean_{calc}.csv",
        f"Mag_Dist-0_{calc}.csv",
        f"range_accounting_{calc}.csv",
        f"range_accounting_{calc}.png",
    ):
        assert wanted in names, sorted(names)
    assert not [n for n in names if n.endswith(".tmp")]


@pytest.mark.parametrize(
    "name", ["hazard_curves", "uniform_hazard_spectra", "disaggregation", "waveforms"]
)
def test_picture_is_a_png_with_content(finished: Finished, name: str) -> None:
    if name == "uniform_hazard_spectra":
        # Drawn for jobs with at least three spectral measures: PGA and two periods here.
        assert len(finished.dstore["oqparam"].imtls) == 3
    path = finished.folder / f"{name}.png"
    blob = path.read_bytes()
    assert blob[:8] == b"\x89PNG\r\n\x1a\n" and blob[-8:-4] == b"IEND"
    width, height = struct.unpack(">II", blob[16:24])
    assert width > 400 and height > 300 and len(blob) > 15_000
    from matplotlib.image import imread

    pixels = imread(path)[..., :3]
    ink = (pixels.min(axis=2) < 0.9).mean()
    assert 0.01 < ink < 0.9


# Mistakes


def test_measure_that_the_job_does_not_have(finished: Finished) -> None:
    with pytest.raises(ValueError, match=r"imt = 'SA\(9\.0\)' is not in .*PGA, SA\(0\.5\)"):
        postproc.waveforms(finished.dstore, imt="SA(9.0)", waveforms=2)


def test_poe_that_the_curve_does_not_reach(finished: Finished) -> None:
    with pytest.raises(ValueError, match=r"no hazard level of PGA at poe 0\.99.* site 0: .*poe"):
        finished.controlling("PGA", 0.99)


def test_an_exception_leaves_the_former_catalogue_and_no_part(
    finished: Finished, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "waveforms.h5"
    path.write_bytes(b"former")

    def fail(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("no more memory")

    monkeypatch.setattr(stream, "intensity_measures_array", fail)
    with pytest.raises(RuntimeError, match="no more memory"):
        postproc.write_catalogues(finished.dstore, path, "PGA", 2, 1)
    assert [p.name for p in tmp_path.iterdir()] == ["waveforms.h5"]
    assert path.read_bytes() == b"former"


def test_other_seed_other_motions_same_seed_same_motions(
    finished: Finished, tmp_path: Path
) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        postproc.write_catalogues(finished.dstore, tmp_path / name, "PGA", 2, seed)
    a, b, c = (open_catalogue(tmp_path / n).load() for n in "abc")
    np.testing.assert_array_equal(a.acceleration, b.acceleration)
    assert not np.array_equal(a.PGA, c.PGA)


@pytest.mark.slow
def test_classical_job_of_two_branches_draws_for_the_gwm_branch_only(
    oq: OpenQuake, tmp_path: Path
) -> None:
    options = {k: v for k, v in DISAGGREGATION.items() if k.startswith("postproc")}
    gmms = {"GWM": toml(**GWM), "Boore": "[BooreEtAl2014]"}
    run = oq.run(oq.job(tmp_path, gmms, **options), distribute="processpool")
    assert run.code == 0, run.text
    (path,) = (tmp_path / "output").glob("waveforms_*.h5")
    with open_catalogue(path) as data, oq.datastore(run) as dstore:
        assert data.sizes["record"] == 10
        (name,) = set(data.branch.values)
        curves = Curves(dstore)
        (branch,) = branches(curves)
        assert branch.id == name and isinstance(branch.gsim, GenerativeWaveformGMM)
        (control,) = postproc.controlling(curves, branch, 0, "SA(0.5)", [0.10])
        assert control is not None
        assert float(data.iml[0]) == pytest.approx(control.iml)
