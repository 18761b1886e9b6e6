"""Every stored field is the measure of the waveform with its own key, whatever the realizations.

OpenQuake fills the fields of a rupture GSIM by GSIM and labels them realization by realization:
with several realizations to a GSIM the two orders differ.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gwm_hazard import open_catalogue
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.models.registry import load_model
from gwm_hazard.openquake import event_catalogue as calculation
from tests.openquake.jobs import BRANCH, GWM, LOGIC_TREE, POINT, SOURCES, OpenQuake, Run, toml

SHALLOW, SLAB = "Active Shallow Crust", "Subduction IntraSlab"
IMTS = ("PGA", "SA(0.5)")
SITES = "0 0, 0.3 0.1, 0.1 0.5"
BRANCHES = {
    SHALLOW: (toml(**GWM), toml(**GWM, out_of_range="error"), "[BooreEtAl2014]"),
    SLAB: (toml(**GWM), "[BooreEtAl2014]"),
}


def two_by_two(oq: OpenQuake, folder: Path, branches: Any = None, **more: Any) -> Path:
    """Two source models, each with two tectonic regions, three and two branches: 12 paths."""
    ini = oq.job(
        folder,
        **dict.fromkeys(("poes", "intensity_measure_types_and_levels")),
        calculation_mode="event_based",
        sites=SITES,
        ses_seed=5,
        ses_per_logic_tree_path=6,
        intensity_measure_types=", ".join(IMTS),
        ground_motion_fields="true",
        **more,
    )
    for k, lon in enumerate((0.2, -0.4)):
        groups = [
            SOURCES.format(
                points=POINT.format(name=f"{kind[0]}{k}", lon=lon, mag=6.1, rates="0.02 0.01 0.01")
            ).replace(SHALLOW, kind)
            for kind in (SHALLOW, SLAB)
        ]
        inner = groups[1][groups[1].index("<sourceGroup") : groups[1].index("</sourceModel>")]
        both = groups[0].replace("</sourceModel>", inner + "</sourceModel>")
        (folder / f"sources{k}.xml").write_text(both)
    sources = "".join(
        BRANCH.format(name=f"s{k}", text=f"sources{k}.xml", weight=0.5) for k in (0, 1)
    )
    (folder / "ssm.xml").write_text(LOGIC_TREE.format(kind="sourceModel", branches=sources))
    sets = ""
    for i, (region, texts) in enumerate((branches or BRANCHES).items()):
        inside = "".join(
            BRANCH.format(name=f"{i}{k}", text=text, weight=weight)
            for k, (text, weight) in enumerate(zip(texts, weights(len(texts)), strict=True))
        )
        tree = LOGIC_TREE.format(
            kind=f'gmpeModel" applyToTectonicRegionType="{region}', branches=inside
        ).replace('"bs1"', f'"bs{i}"')
        sets += tree[tree.index("<logicTreeBranchSet") : tree.index("</logicTree>")]
    (folder / "gmm.xml").write_text(
        '<?xml version="1.0" encoding="UTF-8"?><nrml xmlns="http://openquake.org/xmlns/nrml/0.5">'
        f'<logicTree logicTreeID="lt">{sets}</logicTree></nrml>'
    )
    return ini


def weights(n: int) -> list[float]:
    """Weights that OpenQuake finds to sum to one."""
    return [*[round(1 / n, 4)] * (n - 1), 1 - (n - 1) * round(1 / n, 4)]


def fields_of(dstore: Any) -> pd.DataFrame:
    """gmf_data with the GSIM of each row, as the realization's path through the tree says."""
    table = dstore.read_df("gmf_data")
    table = table.rename(columns={f"gmv_{m}": imt for m, imt in enumerate(IMTS)})  # in 3.23
    events = dstore["events"][:]
    ruptures = pd.DataFrame(
        {name: dstore["ruptures"][name] for name in ("id", "trt_smr", "mag")}
    ).set_index("id")
    tree = dstore["full_lt"].init()
    paths = [rlz.gsim_rlz.value for rlz in tree.get_realizations()]
    table["rlz"] = events["rlz_id"][table.eid]
    table["rup"] = events["rup_id"][table.eid]
    region = ruptures.trt_smr[table.rup].to_numpy() // 2**24
    table["gsim"] = [
        str(paths[r][t]).replace("\n", " ") for r, t in zip(table.rlz, region, strict=True)
    ]
    table["mag"] = ruptures.mag[table.rup].to_numpy()
    return table


def drawn_again(dstore: Any, table: pd.DataFrame) -> np.ndarray:
    """Measures by keys and conditions; distances by the surfaces of the stored ruptures."""
    from openquake.commonlib.calc import get_proxies

    holder = dstore if "rupgeoms" in dstore.hdf5 else dstore.parent
    sites = dstore["sitecol"]
    rrup, depth = np.empty(len(table)), np.empty(len(table))
    for proxy in get_proxies(holder.filename, dstore["ruptures"][:]):
        rupture = proxy.to_ebr(SHALLOW).rupture
        rows = np.flatnonzero(table.rup == proxy["id"])
        rrup[rows] = rupture.surface.get_min_distance(sites)[table.sid.to_numpy()[rows]]
        depth[rows] = rupture.hypocenter.depth
    model = load_model("stochastic", "cpu")
    scenarios = Scenarios(mag=table.mag.to_numpy(), rrup=rrup, vs30=400.0, hypo_depth=depth)
    noise = Noise(5, table.eid.to_numpy(), table.sid.to_numpy(), 0)
    out = np.empty((len(table), len(IMTS)))
    for rows, acceleration in model.batches(scenarios, noise):
        out[rows] = intensity_measures_array(acceleration, model.dt_s, IMTS)
    return out


def assert_fields_are_their_waveforms(dstore: Any) -> int:
    table = fields_of(dstore)
    ours = table[table.gsim.str.contains("GenerativeWaveformGMM")].reset_index()
    np.testing.assert_allclose(ours[list(IMTS)], drawn_again(dstore, ours), rtol=2e-5)
    assert ours.groupby("gsim").size().min() > 4
    return len(ours)


@pytest.fixture(scope="module")
def all_paths(oq: OpenQuake, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return oq.run(two_by_two(oq, tmp_path_factory.mktemp("all_paths")))


@pytest.mark.parametrize("samples", [0, 7])
def test_fields_and_keys_belong_together(
    oq: OpenQuake, all_paths: Run, tmp_path: Path, samples: int
) -> None:
    run = all_paths
    if samples:
        run = oq.run(two_by_two(oq, tmp_path, number_of_logic_tree_samples=samples))
    assert run.code == 0, run.text
    with oq.datastore(run) as dstore:
        n = assert_fields_are_their_waveforms(dstore)
        by_gsim = dstore["full_lt"].init().get_rlzs_by_gsim_dic()
        assert len(by_gsim) == 4  # else this would not be a test of what it is for
        assert max(len(r) for gsims in by_gsim.values() for r in gsims.values()) > 1
        made = calculation.Calculation(dstore)
        assert len(made) == n
        assert made.check() > calculation.CHECKED


def test_other_branches_are_openquakes(oq: OpenQuake, all_paths: Run, tmp_path: Path) -> None:
    """Bit for bit those of the job whose generative branches are lognormal: OpenQuake's own."""
    lognormal = {
        region: [t + '\nfields = "lognormal"' if "Generative" in t else t for t in texts]
        for region, texts in BRANCHES.items()
    }
    found = []
    for run in (all_paths, oq.run(two_by_two(oq, tmp_path, lognormal))):
        assert run.code == 0, run.text
        with oq.datastore(run) as dstore:
            table = fields_of(dstore)
        table = table[table.gsim == "[BooreEtAl2014]"].sort_values(["eid", "sid"])
        found.append(table.reset_index(drop=True))
    assert len(found[0]) > 100
    pd.testing.assert_frame_equal(*found, check_exact=True)


@pytest.mark.slow
def test_fields_of_a_chain(oq: OpenQuake, tmp_path: Path) -> None:
    """Ruptures first, their fields in a job of its own, the catalogue of that one."""
    ini = two_by_two(oq, tmp_path)
    text = ini.read_text()
    ini.write_text(text.replace("ground_motion_fields = true", "ground_motion_fields = false"))
    first = oq.run(ini)
    assert first.code == 0, first.text
    ini.write_text(text)
    second = oq.run(ini, "--hc", first.calc_id)
    assert second.code == 0, second.text
    with oq.datastore(second) as dstore:
        assert "rupgeoms" not in dstore.hdf5
        n = assert_fields_are_their_waveforms(dstore)
        assert len(calculation.Calculation(dstore)) == n
    done = oq.gwm_hazard("catalogue", second.calc_id, "-o", "c.h5", "--store", "keys", cwd=tmp_path)
    assert done.code == 0, done.text
    with open_catalogue(tmp_path / "c.h5") as data:
        assert data.sizes["record"] == n
