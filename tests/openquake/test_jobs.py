"""Jobs run by ``oq engine --run``: results, workers, restarts and refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gwm_hazard.distribution.file import read_surface
from gwm_hazard.openquake.gsim import GenerativeWaveformGMM, surface_of
from tests.openquake.jobs import GWM, OpenQuake, PlainOpenQuake, Run, toml

BRANCHES = {"GWM": toml(**GWM), "Boore": "[BooreEtAl2014]"}


@pytest.fixture(scope="module")
def classical(oq: OpenQuake, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Run]:
    """job.ini of a finished classical calculation; its surface file is gone afterwards."""
    ini = oq.job(tmp_path_factory.mktemp("classical"), BRANCHES)
    done = oq.run(ini)
    assert done.code == 0, done.text
    (ini.parent / "tiny.h5").rename(ini.parent / "moved_away.h5")
    return ini, done


def curves(oq: OpenQuake, run: Run) -> Any:
    with oq.datastore(run) as dstore:
        return dstore["hcurves-rlzs"][:]  # (N, R, M, L)


def test_branches_have_hazard_of_the_same_order(oq: OpenQuake, classical: Any) -> None:
    gwm, boore = curves(oq, classical[1])[0]
    for curve in (gwm, boore):
        assert (np.diff(curve, axis=-1) <= 1e-12).all()
        # 0.042 earthquakes a year: the lowest level is exceeded by most of them.
        assert (curve[:, 0] > 0.5).all() and (curve[:, 0] < 1 - np.exp(-50 * 0.042) + 1e-6).all()
    assert not np.allclose(gwm, boore, rtol=0.01)
    levels = np.geomspace(0.005, 3.0, 60)
    gwm_g, boore_g = (np.interp(-0.1, -curve[0], levels) for curve in (gwm, boore))
    assert 0.3 < gwm_g / boore_g < 3.0


def test_hazard_curve_is_the_sum_over_the_stored_ruptures(
    oq: OpenQuake, classical: Any, tiny_surface: Path
) -> None:
    """The whole path through the engine against five lines of scipy."""
    from openquake.hazardlib.contexts import read_ctx_by_grp
    from scipy.stats import truncnorm

    with oq.datastore(classical[1]) as dstore:
        ctx = np.concatenate(list(read_ctx_by_grp(dstore).values()))
        imtls = dict(dstore["oqparam"].imtls)
    surface = read_surface(tiny_surface)
    m = surface({k: ctx[k] for k in ("mag", "rrup", "vs30", "hypo_depth")}, tuple(imtls))
    for i, levels in enumerate(imtls.values()):
        z = (np.log(levels) - m.mean[:, i, None]) / m.sigma[:, i, None]
        rate = (ctx["occurrence_rate"][:, None] * truncnorm.sf(z, -3, 3)).sum(axis=0)
        got = curves(oq, classical[1])[0, 0, i]
        np.testing.assert_allclose(got, -np.expm1(-50.0 * rate), rtol=2e-4, atol=1e-7)


def test_datastore_rebuilds_the_gsim_without_the_file(
    oq: OpenQuake, classical: Any, tiny_surface: Path
) -> None:
    ini, run = classical
    assert not (ini.parent / "tiny.h5").exists()
    with oq.datastore(run) as dstore:
        gsims = [b.gsim for b in dstore["full_lt"].init().gsim_lt.branches]
    (gsim,) = [g for g in gsims if isinstance(g, GenerativeWaveformGMM)]
    np.testing.assert_array_equal(surface_of(gsim).mean, read_surface(tiny_surface).mean)


@pytest.mark.slow  # of fields, test_fields.py has two workers
def test_results_do_not_depend_on_the_workers(
    oq: OpenQuake, classical: Any, tmp_path: Path
) -> None:
    run = oq.run(oq.job(tmp_path, BRANCHES), distribute="processpool")
    assert run.code == 0, run.text
    assert "Sent 2 classical" in run.text  # to processes: it is what this test is for
    np.testing.assert_array_equal(curves(oq, run), curves(oq, classical[1]))


def test_run_again_from_a_finished_calculation(oq: OpenQuake, classical: Any) -> None:
    ini, first = classical
    # The job goes on from the datastore, with a table of its own.
    ini.write_text(ini.read_text().replace("poes = 0.10 0.02", "poes = 0.05"))
    (ini.parent / "moved_away.h5").rename(ini.parent / "tiny.h5")
    try:
        run = oq.run(ini, "--hc", first.calc_id)
        assert run.code == 0, run.text
        with oq.datastore(run) as dstore:
            source = dstore if "hcurves-rlzs" in dstore else dstore.parent
            np.testing.assert_array_equal(source["hcurves-rlzs"][:], curves(oq, first))
            assert dstore["oqparam"].poes == [0.05]
    finally:
        (ini.parent / "tiny.h5").rename(ini.parent / "moved_away.h5")


def test_show_and_export_afterwards(oq: OpenQuake, classical: Any, tmp_path: Path) -> None:
    _, run = classical
    shown = oq("show", "oqparam", run.calc_id)
    assert shown.code == 0 and "classical" in shown.text
    done = oq("export", "hcurves", run.calc_id, "-d", tmp_path)
    assert done.code == 0, done.text
    (path,) = tmp_path.glob("hazard_curve-rlz-000-PGA_*.csv")
    table = pd.read_csv(path, skiprows=1)
    np.testing.assert_allclose(
        table.filter(like="poe-").to_numpy()[0], curves(oq, run)[0, 0, 0], rtol=1e-4
    )


def test_gsim_is_listed(tmp_path: Path) -> None:
    listed = PlainOpenQuake(tmp_path, Path())("info", "gsims")
    assert listed.code == 0 and "GenerativeWaveformGMM" in listed.text


# Refusals: exit code, one clear last line, nothing left behind


def refused(oq: OpenQuake, ini: Path) -> str:
    run = oq.run(ini)
    assert run.code != 0, run.text
    left = [p.name for p in ini.parent.rglob("*") if p.suffix == ".tmp" or "waveforms" in p.name]
    assert left == []
    return run.last


def test_unknown_model_stops_the_job(oq: OpenQuake, tmp_path: Path) -> None:
    line = refused(oq, oq.job(tmp_path, {"GWM": toml(model="nonesuch")}))
    assert "model = 'nonesuch'" in line and "stochastic" in line and "gmm.xml" in line


def test_measure_outside_the_surface_stops_the_job(oq: OpenQuake, tmp_path: Path) -> None:
    levels = '{"PGA": [0.1, 0.2], "SA(10.0)": [0.01, 0.02]}'
    line = refused(oq, oq.job(tmp_path, intensity_measure_types_and_levels=levels))
    assert "SA(10.0) is not in the surface" in line and "SA from 0.1 to 1 s" in line
    assert 'estimator = "direct"' in line


def test_rupture_out_of_range_stops_the_job_where_asked_to(oq: OpenQuake, tmp_path: Path) -> None:
    branches = {"GWM": toml(**GWM, out_of_range="error")}
    line = refused(oq, oq.job(tmp_path, branches, min_mag=5.1))
    assert "mag = 5." in line and "6 to 8 Mw" in line and 'out_of_range = "clip"' in line


def test_rupture_out_of_range_is_clipped_with_one_warning(oq: OpenQuake, tmp_path: Path) -> None:
    run = oq.run(oq.job(tmp_path, min_mag=5.1))
    assert run.code == 0, run.text
    warnings = [line for line in run.text.splitlines() if "clipped to the bound" in line]
    assert len([w for w in warnings if "mag = 5." in w]) == 1
    assert "6 to 8 Mw" in warnings[0]


def test_negative_vs30_in_a_site_model(oq: OpenQuake, tmp_path: Path) -> None:
    (tmp_path / "sites.csv").write_text("lon,lat,vs30\n0.0,0.0,-3.0\n")
    nothing = dict.fromkeys(("sites", "reference_vs30_type", "reference_vs30_value"))
    line = refused(oq, oq.job(tmp_path, **nothing, site_model_file="sites.csv"))
    assert line == "ValueError: float -3.0 < 0"  # OpenQuake's own reader, before any GSIM


def test_job_without_vs30(oq: OpenQuake, tmp_path: Path) -> None:
    run = oq.run(oq.job(tmp_path, reference_vs30_value=None))
    assert run.code != 0
    # OpenQuake's own message, which from 3.26 on ends with the lines of the branch
    assert "vs30" in "".join(run.text.splitlines()[-3:])
