"""Rates shared out among ruptures, against what OpenQuake's calculator makes of the same group."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from openquake import qa_tests_data
from openquake.baselib.general import DictArray
from openquake.hazardlib import nrml
from openquake.hazardlib.calc.filters import IntegrationDistance
from openquake.hazardlib.contexts import ContextMaker, RmapMaker, concat
from openquake.hazardlib.gsim import get_available_gsims
from openquake.hazardlib.site import SiteCollection
from openquake.hazardlib.sourceconverter import SourceConverter
from openquake.hazardlib.tom import NegativeBinomialTOM

from gwm_hazard.openquake.occurrence import Occurrence

QA = Path(qa_tests_data.__file__).parent / "classical"
YEARS = 50.0

POINT = """<pointSource id="a:{n}" name="a"><pointGeometry><gml:Point><gml:pos>{x} 0.1</gml:pos>
</gml:Point><upperSeismoDepth>0</upperSeismoDepth><lowerSeismoDepth>20</lowerSeismoDepth>
</pointGeometry><magScaleRel>WC1994</magScaleRel><ruptAspectRatio>1.5</ruptAspectRatio>
<truncGutenbergRichterMFD aValue="{a}" bValue="1.0" minMag="5.0" maxMag="7.0"/>
<nodalPlaneDist><nodalPlane probability="1" strike="0" dip="90" rake="0"/></nodalPlaneDist>
<hypoDepthDist><hypoDepth probability="1" depth="8"/></hypoDepthDist></pointSource>"""

MODEL = """<?xml version="1.0" encoding="utf-8"?>
<nrml xmlns:gml="http://www.opengis.net/gml" xmlns="http://openquake.org/xmlns/nrml/0.5">
<sourceModel name="m"><sourceGroup name="g" tectonicRegion="Active Shallow Crust"{how}>{points}
</sourceGroup></sourceModel></nrml>"""


def points(tmp_path: Path, how: str, a: float = 3.0) -> Any:
    """A group of three point sources of different rates."""
    places = [POINT.format(n=n, x=0.1 + 0.05 * n, a=a + 0.4 * n) for n in range(3)]
    path = tmp_path / "m.xml"
    path.write_text(MODEL.format(how=how, points="".join(places)))
    return read(path)


def counted(source: Any) -> None:
    """What the engine does until 3.25; from then on a source counts for itself."""
    if not isinstance(getattr(type(source), "num_ruptures", None), property):
        source.num_ruptures = source.count_ruptures()


def read(path: Path) -> Any:
    converter = SourceConverter(YEARS, 5.0, width_of_mfd_bin=0.2, area_source_discretization=10.0)
    (group,) = nrml.to_python(str(path), converter).src_groups
    offset = 0
    for n, source in enumerate(group):
        source.id, source.grp_id, source.offset, source.nctxs = n, 0, offset, 1
        counted(source)
        source.weight = 1.0
    return group


def both(group: Any, lon: float, lat: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """OpenQuake's rates of a group, those of its ruptures summed, and to first order; (levels,)."""
    array = np.zeros(2, [("sids", "u4"), ("lon", float), ("lat", float), ("depth", float),
                         ("vs30", float), ("vs30measured", bool)])  # fmt: skip
    array["sids"], array["lon"], array["lat"] = [0, 1], [lon, lon + 0.2], lat
    array["vs30"] = 400.0
    sites = SiteCollection.__new__(SiteCollection)
    sites.array, sites.complete = array, sites
    gsim = get_available_gsims()["BooreEtAl2014"]()
    levels = np.geomspace(0.01, 1.0, 8)
    maker = ContextMaker(
        "Active Shallow Crust",
        {gsim: [0]},
        {
            "imtls": DictArray({"PGA": levels.tolist()}),
            "investigation_time": YEARS,
            "truncation_level": 3.0,
            "maximum_distance": IntegrationDistance.new("300"),
        },
    )
    maker.task_no = 0
    theirs = RmapMaker(maker, sites, group).make()["rmap"].array[:, :, 0] / YEARS

    occurrence = Occurrence.of(group, YEARS)
    contexts = []
    for n, source in enumerate(group):
        found = list(
            maker.get_ctx_iter(source, sites)
            if hasattr(maker, "get_ctx_iter")
            else maker.get_ctxs(source, sites)
        )
        for ctx in found:
            ctx["src_id"] = n
            ctx["rup_id"] -= source.offset
        contexts += found
    ctx = concat(contexts).view(np.recarray)
    ctx = ctx[np.argsort(ctx["mag"], kind="stable")].view(np.recarray)
    poe = np.concatenate([p[:, :, 0] for p, *_ in maker.gen_poes(ctx)])
    ours, first = np.zeros_like(theirs), np.zeros_like(theirs)
    np.add.at(ours, ctx["sids"], occurrence.rates(ctx, poe))
    np.add.at(first, ctx["sids"], occurrence.mean_rates(ctx)[:, None] * poe)
    return theirs, ours, first


def agree(
    group: Any,
    lon: float = 0.2,
    lat: float = 0.0,
    *,
    dependent: bool = True,
) -> None:
    assert Occurrence.of(group, YEARS).dependent == dependent
    theirs, ours, first = both(group, lon, lat)
    told = theirs * YEARS > 1e-5  # OpenQuake's probabilities are of single precision
    assert told.sum() >= 8
    np.testing.assert_allclose(ours[told], theirs[told], rtol=5e-3)
    # To first order, where few occurrences exceed: of a cluster one of its ruptures at most.
    rare = told & (theirs < min(0.02 / YEARS, 0.1 * theirs.max()))
    assert rare.any()
    np.testing.assert_allclose(first[rare], theirs[rare], rtol=0.05)


def test_independent(tmp_path: Path) -> None:
    agree(points(tmp_path, ""), dependent=False)


def test_mutually_exclusive_sources(tmp_path: Path) -> None:
    how = ' src_interdep="mutex" rup_interdep="indep" srcs_weights="0.6 0.3 0.1"'
    agree(points(tmp_path, how))
    group = points(tmp_path, how)
    group.grp_probability = 0.4
    agree(group)


def test_cluster_of_mutually_exclusive_ruptures() -> None:
    """New Madrid: OpenQuake's own case 80."""
    path = next((QA / "case_80").rglob("newmad2014_500_cluster.xml"))
    groups = nrml.to_python(str(path), SourceConverter(YEARS, 5.0, width_of_mfd_bin=0.1)).src_groups
    group = groups[0]
    for n, source in enumerate(group):
        source.id, source.grp_id, source.offset, source.nctxs = n, 0, 0, 1
        counted(source)
        source.weight = 1.0
    agree(group, -90.0, 36.0)


def test_cluster(tmp_path: Path) -> None:
    """All sources occur together: OpenQuake's own case 35."""
    group = read(QA / "case_35" / "source_model.xml")
    agree(group, 0.0, 0.0)


def test_negative_binomial(tmp_path: Path) -> None:
    # Few enough that the ten occurrences which OpenQuake counts are all there are.
    group = points(tmp_path, "", 1.5)
    for source in group:
        source.temporal_occurrence_model = NegativeBinomialTOM(YEARS, mu=0.02, alpha=0.5)
    agree(group, dependent=False)


def test_rates_are_shared_out_whole() -> None:
    """A rupture that cannot exceed gets nothing; the others get what OpenQuake has, and no more."""
    occurrence = Occurrence(YEARS, YEARS, source_weights={0: 0.7, 1: 0.3})
    ctx = np.zeros(3, [("sids", int), ("src_id", int), ("rup_id", int), ("occurrence_rate", float)])
    ctx["src_id"], ctx["occurrence_rate"] = [0, 0, 1], 0.01
    poe = np.array([[0.5], [0.0], [0.5]])
    found = occurrence.rates(ctx.view(np.recarray), poe)[:, 0]
    exceeds = -np.expm1(-0.01 * YEARS * 0.5)
    assert found.sum() == pytest.approx(-np.log1p(-exceeds) / YEARS)
    np.testing.assert_allclose(found, found.sum() * np.array([0.7, 0.0, 0.3]))


def test_probabilities_of_occurrence() -> None:
    """0, 1 or 2 occurrences: the probability that one of them exceeds, in closed form."""
    occurrence = Occurrence(YEARS, YEARS)
    ctx = np.zeros(1, [("sids", int), ("occurrence_rate", float), ("probs_occur", object)])
    ctx["occurrence_rate"] = np.nan
    ctx["probs_occur"][0] = np.array([0.7, 0.2, 0.1])
    ctx = ctx.view(np.recarray)
    exceeds = 0.2 * 0.4 + 0.1 * (1.0 - 0.6**2)
    found = occurrence.rates(ctx, np.array([[0.4]]))
    assert found[0, 0] == pytest.approx(-np.log1p(-exceeds) / YEARS)
    assert occurrence.mean_rates(ctx)[0] == pytest.approx(0.4 / YEARS)


def test_a_sure_rupture() -> None:
    with mock.patch.object(Occurrence, "dependent", False):
        found = Occurrence(YEARS, 0.0).rates(np.zeros(1).view(np.recarray), np.array([[0.3]]))
    assert found[0, 0] == pytest.approx(-np.log(0.7) / YEARS)
