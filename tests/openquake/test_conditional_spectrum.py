"""Targets and hazard of a calculation against OpenQuake's own conditional spectrum and curves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from openquake.hazardlib.gsim_lt import GsimLogicTree

from gwm_hazard.openquake.correlation import published
from gwm_hazard.openquake.curves import mean_level
from gwm_hazard.openquake.datastore import branch_names
from gwm_hazard.openquake.site_hazard import site_hazard
from gwm_hazard.suite.target import conditional
from tests.openquake.jobs import GWM, LOGIC_TREE, POINT, SOURCES, OpenQuake, toml

PERIODS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
IMTS = tuple(f"SA({t})" for t in PERIODS)
POES = (0.10, 0.02)

#: OpenQuake divides the weights of the ruptures by the poe, which its curve has between two levels:
#: they do not sum to 1 unless levels are dense.
DENSE = "{" + ", ".join(f'"{imt}": logscale(0.001, 8.0, 400)' for imt in IMTS) + "}"

SPECTRUM = {
    "intensity_measure_types_and_levels": DENSE,
    "postproc_func": "conditional_spectrum.main",
    "cross_correlation": "BakerJayaram2008",
    "imt_ref": "SA(0.5)",
    "poes": " ".join(map(str, POES)),
}


TWO = pytest.param(("Boore", "Kanno"), marks=pytest.mark.slow, id="two")


@pytest.fixture(scope="module", params=[pytest.param(("Boore",), id="one"), TWO])
def spectrum(request: Any, oq: OpenQuake, tmp_path_factory: pytest.TempPathFactory) -> Any:
    gmms = {"Boore": "[BooreEtAl2014]", "Kanno": "[Kanno2006Shallow]"}
    folder = tmp_path_factory.mktemp("spectrum")
    run = oq.run(oq.job(folder, {k: gmms[k] for k in request.param}, **SPECTRUM))
    assert run.code == 0, run.text
    with oq.datastore(run) as dstore:
        yield dstore


def test_target_is_the_conditional_spectrum_of_openquake(spectrum: Any) -> None:
    """Mean and sigma at all periods, for one GMM and for the mixture of two: equal to 1 %."""
    stored = spectrum["cs-stats"]
    values = np.asarray(stored.array if hasattr(stored, "array") else stored[:])
    mean, sigma = values[0, :, 0, :, 0], values[0, :, 0, :, 1]  # (poe, period)
    contributions = site_hazard(spectrum, IMTS).contributions
    for p, poe in enumerate(POES):
        level = mean_level(spectrum, "SA(0.5)", poe)
        rate = -np.log1p(-poe) / 50.0
        assert contributions.level("SA(0.5)", rate) == pytest.approx(level, rel=2e-3)
        got = conditional(
            contributions, "SA(0.5)", rate, published("BakerJayaram2008"), "exceedance"
        )
        np.testing.assert_allclose(np.exp(got.mean), mean[p], rtol=0.01)
        others = [i for i, imt in enumerate(IMTS) if imt != "SA(0.5)"]
        np.testing.assert_allclose(got.sigma[others], sigma[p, others], rtol=0.01)
        assert got.sigma[IMTS.index("SA(0.5)")] < 1e-6


REGIONS = ("Active Shallow Crust", "Stable Shallow Crust")


def two_regions(oq: OpenQuake, folder: Path, **more: Any) -> Path:
    """A job with a source in each of two tectonic regions, and branches for each."""
    job = oq.job(folder, sites="0 0, 0.3 0.1", individual_rlzs="false", **more)
    groups = [
        SOURCES.format(points=POINT.format(name=f"p{i}", lon=lon, mag=6.1, rates="0.01 0.004"))
        .split("<sourceGroup")[1]
        .split("</sourceGroup>")[0]
        .replace(REGIONS[0], region)
        for i, (region, lon) in enumerate(zip(REGIONS, (0.2, -0.5), strict=True))
    ]
    head, tail = SOURCES.split("<sourceGroup")[0], "</sourceModel></nrml>"
    body = "".join(f"<sourceGroup{g}</sourceGroup>" for g in groups)
    (folder / "sources.xml").write_text(head + body + tail)
    sets = {
        REGIONS[0]: {"GWM": (toml(**GWM), 0.5), "Boore": ("[BooreEtAl2014]", 0.5)},
        REGIONS[1]: {"GWM": (toml(**GWM), 0.2), "Other": ("[Kanno2006Shallow]", 0.8)},
    }
    text = ""
    for i, (region, branches) in enumerate(sets.items()):
        text += (
            f'<logicTreeBranchSet branchSetID="s{i}" uncertaintyType="gmpeModel" '
            f'applyToTectonicRegionType="{region}">'
        )
        for name, (gsim, weight) in branches.items():
            text += (
                f'<logicTreeBranch branchID="{name}"><uncertaintyModel>{gsim}</uncertaintyModel>'
                f"<uncertaintyWeight>{weight}</uncertaintyWeight></logicTreeBranch>"
            )
        text += "</logicTreeBranchSet>"
    tree = LOGIC_TREE.split("<logicTreeBranchSet")[0] + text + "</logicTree></nrml>"
    (folder / "gmm.xml").write_text(tree)
    return job


@pytest.fixture(scope="module")
def regions(oq: OpenQuake, tmp_path_factory: pytest.TempPathFactory) -> Any:
    job = two_regions(oq, tmp_path_factory.mktemp("regions"))
    run = oq.run(job)
    assert run.code == 0, run.text
    with oq.datastore(run) as dstore:
        yield dstore, job.parent / "gmm.xml"


def curves_agree(dstore: Any, site: int, rtol: float) -> None:
    """Rates of the branches make OpenQuake's curves, and so do mean rates at small probabilities.

    OpenQuake's mean is that of the probabilities of the realizations, a branch of each region.
    """
    imtls = dstore["oqparam"].imtls
    c = site_hazard(dstore, tuple(imtls), site).contributions
    stored = dstore["hcurves-stats"][site, 0]
    near = np.isin(c.rupture, c.rupture[c.branch == 1])  # rows of the first region
    parts = {  # weight, rows of each branch by region
        REGIONS[0]: [(0.5, near & (c.branch == 0)), (0.5, c.branch == 1)],
        REGIONS[1]: [(0.2, ~near & (c.branch == 0)), (0.8, c.branch == 2)],
    }
    for m, imt in enumerate(imtls):
        inside = (stored[m] > 1e-5) & (stored[m] < 0.99)
        assert inside.sum() > 20
        levels = imtls[imt][inside]
        rates = np.array([c.exceedance(imt, float(x)) for x in levels])
        poe = np.zeros(len(levels))
        for v, first in parts[REGIONS[0]]:
            for w, second in parts[REGIONS[1]]:
                rate = rates[:, first].sum(axis=1) / v + rates[:, second].sum(axis=1) / w
                poe -= v * w * np.expm1(-50.0 * rate)
        np.testing.assert_allclose(poe, stored[m][inside], rtol=rtol)
        np.testing.assert_allclose(c.hazard(imt, levels), rates.sum(axis=1))
        small = stored[m][inside] < 0.02
        mean = -np.expm1(-50.0 * c.hazard(imt, levels[small]))
        np.testing.assert_allclose(mean, stored[m][inside][small], rtol=0.01)


def test_hazard_of_the_contributions_is_the_mean_curve(regions: Any) -> None:
    """Two regions, a GWM and two GMMs, truncation at 3 sigma, both sites."""
    for site in (0, 1):
        curves_agree(regions[0], site, 1e-4)


def test_branches_have_the_names_of_the_logic_tree(regions: Any) -> None:
    hazard = site_hazard(regions[0], ("PGA", "SA(0.5)"))
    c = hazard.contributions
    assert c.branches == ("GWM", "Boore", "Other")
    (branch,) = hazard.waveforms  # the same model in both regions is one branch
    assert branch.name == "GWM"
    np.testing.assert_array_equal(branch.rows, np.flatnonzero(c.branch == 0))
    for name, values in branch.conditions.items():
        if name in c.ruptures:
            np.testing.assert_allclose(values, c.ruptures[name][c.rupture[branch.rows]])
    # weights of the regions: half of all ruptures of one, a fifth of those of the other
    of_one = c.rate[c.branch == 1].sum()
    of_other = c.rate[c.branch == 2].sum()
    assert c.rate[branch.rows].sum() == pytest.approx(of_one + of_other / 4.0)


def test_mistakes(regions: Any) -> None:
    dstore, _ = regions
    with pytest.raises(ValueError, match=r"'SA\(12\.0\)': branch '(GWM|Boore)' \(.*\) does not"):
        site_hazard(dstore, ("PGA", "SA(12.0)"))
    with pytest.raises(ValueError, match=r"'MMI': branch 'GWM'.* does not give it; leave it out"):
        site_hazard(dstore, ("PGA", "MMI"))


def test_branches_stand_in_for_one_that_lacks_a_measure(regions: Any) -> None:
    """Durations are the GWM's in every branch of its region, rupture by rupture."""
    dstore, _ = regions
    hazard = site_hazard(dstore, ("PGA", "RSD595"))
    assert hazard.lacking == {"RSD595": ("Boore", "Other")}
    c = hazard.contributions
    column = c.column("RSD595")
    own = np.flatnonzero(c.branch == 0)
    for moments in (c.mean, c.sigma):
        by_rupture = dict(zip(c.rupture[own].tolist(), moments[own, column], strict=True))
        np.testing.assert_allclose(
            moments[:, column], [by_rupture[r] for r in c.rupture.tolist()], rtol=1e-6
        )


def test_mistakes_of_places_and_levels(regions: Any) -> None:
    dstore, _ = regions
    with pytest.raises(ValueError, match="site = 7: the calculation has sites 0 to 1"):
        site_hazard(dstore, ("PGA",), 7)
    with pytest.raises(ValueError, match=r"poe = 0\.9999: the curve of PGA goes from"):
        mean_level(dstore, "PGA", 0.9999)
    with pytest.raises(ValueError, match=r"'SA\(9\.0\)': the job has curves of PGA"):
        mean_level(dstore, "SA(9.0)", 0.1)


@pytest.mark.slow
def test_of_many_sites_the_ruptures_are_made_again(oq: OpenQuake, tmp_path: Path) -> None:
    """OpenQuake stores no ruptures above ``max_sites_disagg``: the sources serve."""
    run = oq.run(two_regions(oq, tmp_path, max_sites_disagg=1))
    assert run.code == 0, run.text
    with oq.datastore(run) as dstore:
        assert "rup" not in dstore or not len(dstore["rup/mag"])
        curves_agree(dstore, 1, 2e-3)


def test_without_the_logic_tree_file_branches_are_called_by_their_model(regions: Any) -> None:
    """Where it is another one by now, its names are taken for the branches that are the same."""
    dstore, path = regions
    tree = path.read_text()
    other = tree.replace("[BooreEtAl2014]", "[BooreEtAl2014LowQ]")
    models = ("stochastic", "BooreEtAl2014", "Kanno2006Shallow")
    try:
        for text, expected in ((other, ("GWM", models[1], "Other")), ("", models), (None, models)):
            path.unlink()
            if text is not None:
                path.write_text(text)
            assert site_hazard(dstore, ("PGA",)).contributions.branches == expected
    finally:
        path.write_text(tree)


def test_names_of_the_user_are_told_apart(tmp_path: Path) -> None:
    """The same id for other GSIMs in two regions."""
    path = tmp_path / "gmm.xml"
    sets = "".join(
        f'<logicTreeBranchSet branchSetID="s{i}" uncertaintyType="gmpeModel" '
        f'applyToTectonicRegionType="{region}"><logicTreeBranch branchID="b1"><uncertaintyModel>'
        f"{gsim}</uncertaintyModel><uncertaintyWeight>1</uncertaintyWeight></logicTreeBranch>"
        "</logicTreeBranchSet>"
        for i, (region, gsim) in enumerate(
            zip(REGIONS, ("BooreEtAl2014", "[Kanno2006Shallow]"), strict=True)
        )
    )
    head = LOGIC_TREE.split("<logicTreeBranchSet")[0]
    path.write_text(f"{head}{sets}</logicTree></nrml>")
    names = branch_names(GsimLogicTree(str(path), list(REGIONS)))
    assert [*names.values()] == [f"b1 ({region})" for region in REGIONS]
    assert [region for region, _ in names] == list(REGIONS)
