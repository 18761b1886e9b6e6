"""Range accounting, against shares that are computed here from OpenQuake's ruptures."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from multiprocessing.dummy import Pool
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from openquake.hazardlib.map_array import compute_hazard_maps
from scipy.stats import truncnorm

from gwm_hazard.openquake import accounting, ruptures
from gwm_hazard.openquake.curves import Curves
from gwm_hazard.openquake.gsim import distribution
from gwm_hazard.openquake.rates import branches
from gwm_hazard.openquake.ruptures import Pairs, pairs
from tests.openquake.jobs import GWM, OpenQuake, Run, toml

#: Magnitudes 5.7 to 6.3 at 22 km, where the tiny surface begins at M 6, and 6.3 to 6.7 at 67 km.
JOB: dict[str, Any] = {
    "min_mag": 5.7,
    "sites": "0 0, 0.05 0",
    "postproc_func": "gwm_hazard.range_accounting",
    "postproc_args": '{"threshold": 0.05}',
}


@pytest.fixture(scope="module")
def finished(oq: OpenQuake, tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("accounting")
    gmms = {"GWM": toml(**GWM), "Boore": "[BooreEtAl2014]"}
    run = oq.run(oq.job(folder, gmms, **JOB))
    assert run.code == 0, run.text
    return folder, run


def table(folder: Path, run: Run) -> pd.DataFrame:
    return pd.read_csv(folder / "output" / f"range_accounting_{run.calc_id}.csv", comment="#")


def test_shares_are_those_of_the_ruptures(oq: OpenQuake, finished: Any) -> None:
    folder, run = finished
    got = table(folder, run)
    assert len(got) == 2 * 3 * 2 and set(got.imt) == {"PGA", "SA(0.5)", "SA(0.7)"}
    assert list(got.columns[8:]) == [f"outside_{c}" for c in ("mag", "rrup", "vs30", "hypo_depth")]
    with oq.datastore(run) as dstore:
        curves = Curves(dstore)
        (branch,) = branches(curves)
        (rlz,) = branch.realizations
        ctx = np.concatenate([p.ctx for p in pairs(curves)]).view(np.recarray)
        for row in got.itertuples():
            here = ctx[ctx["sids"] == row.site_id]
            m = distribution(branch.gsim, here, (row.imt,))
            kept = dstore["hcurves-rlzs"][row.site_id, rlz, list(curves.imtls).index(row.imt)]
            iml = compute_hazard_maps(kept[None], curves.imtls[row.imt], [row.poe])[0, 0]
            assert row.iml == pytest.approx(iml, rel=1e-5)
            z = (np.log(iml) - m.mean[:, 0]) / m.sigma[:, 0]
            rate = here["occurrence_rate"] * truncnorm.sf(z, -3, 3)
            small = here["mag"] < 6.0
            assert 0 < small.sum() < len(here)
            share = rate[small].sum() / rate.sum()
            # Shares are interpolated between the job's levels, which grow by 12 %.
            assert row.outside == pytest.approx(share, abs=1e-3) and 0.001 < share < 0.999
            assert row.outside_mag == row.outside
            assert row.outside_rrup == row.outside_vs30 == row.outside_hypo_depth == 0.0


def test_pairs_made_again_are_those_that_openquake_stored(
    oq: OpenQuake, finished: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with oq.datastore(finished[1]) as dstore:
        curves = Curves(dstore)
        stored = by_number(pairs(curves))
        monkeypatch.setattr(ruptures, "_stored", lambda _: {})
        monkeypatch.setattr(ruptures, "_RUPTURES_AT_ONCE", 1)  # a block for each source
        made = by_number(pairs(curves))  # as in a command
        with Pool(3) as pool:  # with OpenQuake's workers
            monkeypatch.setattr(ruptures.Starmap, "pool", pool, raising=False)
            again = by_number(pairs(curves))
    pd.testing.assert_frame_equal(again, made)
    pd.testing.assert_frame_equal(made, stored, check_dtype=False, rtol=1e-6)


def by_number(found: Iterable[Pairs]) -> pd.DataFrame:
    columns = ("sids", "mag", "rrup", "occurrence_rate")
    tables = [pd.DataFrame({"n": p.numbers} | {c: p.ctx[c] for c in columns}) for p in found]
    return pd.concat(tables).sort_values(["n", "sids"], ignore_index=True)


def test_branch_without_weight_is_accounted_for(
    oq: OpenQuake, finished: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with oq.datastore(finished[1]) as dstore:
        curves = Curves(dstore)
        (expected,) = accounting.shares(curves, branches(curves), [0.10])
        monkeypatch.setattr(curves, "weights", lambda imt: np.array([0.0, 1.0]))
        (got,) = accounting.shares(curves, branches(curves), [0.10])
    np.testing.assert_allclose(got.total, expected.total)
    np.testing.assert_allclose(got.iml, expected.iml)


def test_log_warns_above_the_threshold(finished: Any) -> None:
    _, run = finished
    (line,) = [x for x in run.text.splitlines() if "of the hazard comes from outside" in x]
    assert "WARNING" in line and "above the threshold of 5 %" in line
    assert "with mag outside 6 to 8 Mw" in line


def test_picture_is_there(finished: Any) -> None:
    folder, run = finished
    blob = (folder / "output" / f"range_accounting_{run.calc_id}.png").read_bytes()
    assert blob[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", blob[16:24])
    assert width > 600 and height > 300


def test_of_many_sites_the_ruptures_are_made_again(
    oq: OpenQuake, finished: Any, tmp_path: Path
) -> None:
    """OpenQuake stores ruptures for ``max_sites_disagg`` sites: for more, the sources serve."""
    folder, run = finished
    gmms = {"GWM": toml(**GWM), "Boore": "[BooreEtAl2014]"}
    again = oq.run(oq.job(tmp_path, gmms, **JOB, max_sites_disagg=1))
    assert again.code == 0, again.text
    with oq.datastore(again) as dstore:
        assert "rup" not in dstore or not len(dstore["rup/mag"])
    pd.testing.assert_frame_equal(
        table(tmp_path, again).drop(columns="branch"),
        table(folder, run).drop(columns="branch"),
        rtol=2e-3,
        atol=2e-4,
    )


def test_mistakes(oq: OpenQuake, finished: Any) -> None:
    _, run = finished
    with oq.datastore(run) as dstore, pytest.raises(ValueError, match=r"threshold = 10: must be"):
        accounting.range_accounting(dstore, threshold=10)
