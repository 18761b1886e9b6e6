"""Conditioned noise of a linear model beside OpenQuake's own conditioned moments.

OpenQuake asks for the annotation of ``compute`` itself: none are postponed here.
"""

from typing import Any, ClassVar
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
from openquake.hazardlib import const, imt
from openquake.hazardlib.calc import conditioned_gmfs
from openquake.hazardlib.contexts import simple_cmaker
from openquake.hazardlib.correlation import JB2009CorrelationModel
from openquake.hazardlib.cross_correlation import BakerJayaram2008, GodaAtkinson2009
from openquake.hazardlib.geo import Point
from openquake.hazardlib.gsim.base import GMPE
from openquake.hazardlib.site import SiteCollection
from openquake.hazardlib.source.rupture import build_planar

from gwm_hazard.openquake import releases
from tests.models.test_conditional import RESIDUALS, SITES_KM, STATIONS_KM, fields, latitude
from tests.toy import ToyModel

TOY = ToyModel()


class Linear(GMPE):
    """Mean 0, and the standard deviations of the toy model."""

    DEFINED_FOR_TECTONIC_REGION_TYPE = const.TRT.ACTIVE_SHALLOW_CRUST
    DEFINED_FOR_INTENSITY_MEASURE_TYPES: ClassVar[set[Any]] = {imt.PGA, imt.SA}
    DEFINED_FOR_INTENSITY_MEASURE_COMPONENT = const.IMC.RotD50
    DEFINED_FOR_STANDARD_DEVIATION_TYPES: ClassVar[set[Any]] = {
        const.StdDev.TOTAL, const.StdDev.INTER_EVENT, const.StdDev.INTRA_EVENT,
    }  # fmt: skip
    REQUIRES_SITES_PARAMETERS: ClassVar[set[str]] = set()
    REQUIRES_RUPTURE_PARAMETERS: ClassVar[set[str]] = {"mag"}
    REQUIRES_DISTANCES: ClassVar[set[str]] = {"rrup"}

    def compute(self, ctx: np.recarray, imts, mean, sig, tau, phi):  # type: ignore[no-untyped-def]
        tau[:], phi[:], sig[:] = TOY.tau, TOY.phi, np.hypot(TOY.tau, TOY.phi)


def collection(km: Any) -> SiteCollection:
    sites = SiteCollection.from_points(
        np.full(len(km), 10.0), latitude(km), sitemodel=Mock(reference_vs30_value=500.0)
    )
    return sites


@pytest.mark.skipif(not releases.CONDITIONS, reason="conditioned in another way by this OpenQuake")
def test_a_linear_model_agrees_with_openquake(monkeypatch: Any) -> None:
    monkeypatch.setenv("OQ_DISTRIBUTE", "no")
    rupture = build_planar(Point(10.0, 39.8, 8.0), 6.5, 0.0)
    maker = simple_cmaker([Linear()], ["SA(1.0)"])
    observed = pd.DataFrame({"SA(1.0)_mean": np.exp(RESIDUALS), "SA(1.0)_std": 0.0})
    mean, sigma, *_ = conditioned_gmfs.get_mean_covs(
        rupture, maker, collection(STATIONS_KM), observed, ["SA(1.0)"], collection(SITES_KM),
        [imt.SA(1.0)], JB2009CorrelationModel(False), GodaAtkinson2009(), BakerJayaram2008(),
    )  # fmt: skip
    # PGV of the toy model, which is correlated as SA(1.0) is.
    found = fields(TOY, 0.0, 3000)
    total = float(np.hypot(TOY.tau, TOY.phi))
    assert found.mean(axis=0) == pytest.approx(mean[0, 0, :, 0], abs=0.05 * total)
    wanted = np.sqrt(np.diag(sigma[0, 0]))
    assert found.std(axis=0)[1:] == pytest.approx(wanted[1:], rel=0.05)
