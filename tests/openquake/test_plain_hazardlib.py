"""The GSIM as hazardlib's own tools use one: outside the engine, without a job."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from openquake.hazardlib import const, valid
from openquake.hazardlib.calc.hazard_curve import calc_hazard_curves
from openquake.hazardlib.contexts import ContextMaker, get_mean_stds, simple_cmaker
from openquake.hazardlib.geo import NodalPlane, Point
from openquake.hazardlib.gsim import get_available_gsims
from openquake.hazardlib.gsim.base import OK_METHODS, bad_methods
from openquake.hazardlib.imt import from_string
from openquake.hazardlib.mfd import EvenlyDiscretizedMFD
from openquake.hazardlib.pmf import PMF
from openquake.hazardlib.scalerel import WC1994
from openquake.hazardlib.site import Site, SiteCollection
from openquake.hazardlib.source import PointSource
from openquake.hazardlib.tom import PoissonTOM

from gwm_hazard.openquake.gsim import GenerativeWaveformGMM, distribution, exceedance_of

IMTS = ("PGA", "SA(0.5)", "RSD595")


@pytest.fixture(scope="module")
def gsim(tiny_surface: Path) -> GenerativeWaveformGMM:
    return GenerativeWaveformGMM(surface_file=str(tiny_surface))


def pairs(gsim: Any, n: int = 5) -> Any:
    ctx = simple_cmaker([gsim], IMTS).new_ctx(n)
    ctx["mag"], ctx["vs30"], ctx["hypo_depth"] = 6.5, 400.0, 8.0
    ctx["rrup"] = np.geomspace(5.0, 200.0, n)
    return ctx


def test_get_mean_stds(gsim: Any) -> None:
    """hazardlib's function of that name, which residual tools call."""
    ctx = pairs(gsim)
    moments = distribution(gsim, ctx, IMTS)
    imts = [from_string(i) for i in IMTS]
    got = get_mean_stds(gsim, ctx, imts, truncation_level=3.0)  # (4, M, N)
    for have, want in zip(got, ("mean", "sigma", "tau", "phi"), strict=True):
        np.testing.assert_allclose(have, getattr(moments, want).T, rtol=1e-12)


def test_the_class_obeys_the_rules_of_a_gsim() -> None:
    cls = get_available_gsims()["GenerativeWaveformGMM"]
    assert cls is GenerativeWaveformGMM
    assert bad_methods(vars(cls)) == [] and "compute" in OK_METHODS
    assert const.StdDev.TOTAL in cls.DEFINED_FOR_STANDARD_DEVIATION_TYPES
    annotations = inspect.get_annotations(cls.compute)
    assert annotations["ctx"] is np.recarray
    for p in list(inspect.signature(cls.__init__).parameters.values())[1:]:
        assert isinstance(p.default, str | int | float)  # what a logic tree can carry
    for name in ("SITES_PARAMETERS", "RUPTURE_PARAMETERS", "DISTANCES"):
        assert getattr(cls, f"REQUIRES_{name}")


def test_requirements_of_an_instance_are_all_that_compute_reads(gsim: Any) -> None:
    """As OpenQuake's verification of a GSIM: no other column is touched."""

    class Watched(np.recarray):
        read: ClassVar[set[str]] = set()

        def __getitem__(self, key: Any) -> Any:
            if isinstance(key, str):
                Watched.read.add(key)
            return super().__getitem__(key)

        def __getattribute__(self, name: str) -> Any:
            fields = super().__getattribute__("dtype").names or ()
            if name in fields:
                Watched.read.add(name)
            return super().__getattribute__(name)

    ctx = pairs(gsim).view(Watched)
    out = np.zeros((4, len(IMTS), len(ctx)))
    gsim.compute(ctx, [from_string(i) for i in IMTS], *out)
    required = set(gsim.requires()) | {"mag"}
    assert Watched.read == required
    assert (out[1] > 0).all()


def test_hazard_curve_of_a_point_source(gsim: Any) -> None:
    """``calc_hazard_curves``: no engine, no files; against the sum over its ruptures."""
    source = PointSource(
        "1", "point", const.TRT.ACTIVE_SHALLOW_CRUST, EvenlyDiscretizedMFD(6.3, 0.2, [0.01, 0.005]),
        5.0, WC1994(), 1.0, PoissonTOM(50.0), 0.0, 20.0, Point(0.2, 0.0),
        PMF([(1.0, NodalPlane(0.0, 90.0, 0.0))]), PMF([(1.0, 10.0)]),
    )  # fmt: skip
    sites = SiteCollection([Site(Point(0.0, 0.0), vs30=400.0)])
    levels = {"PGA": np.geomspace(0.02, 1.5, 25)}
    curve = calc_hazard_curves(
        [source], sites, levels, {const.TRT.ACTIVE_SHALLOW_CRUST: gsim}, truncation_level=3.0
    )["PGA"][0]
    params = {"imtls": levels, "truncation_level": 3.0, "investigation_time": 50.0}
    cmaker = ContextMaker(const.TRT.ACTIVE_SHALLOW_CRUST, [gsim], params)
    ctx = cmaker.from_srcs([source], sites).view(np.recarray)
    p = exceedance_of(gsim, ctx, ("PGA",), np.log(levels["PGA"])[None], 3.0)
    rate = ctx["occurrence_rate"] @ p[:, 0]
    np.testing.assert_allclose(curve, -np.expm1(-50.0 * rate), rtol=1e-3, atol=1e-7)
    assert curve[0] > 0.05 and curve[-1] < 1e-3


@pytest.mark.parametrize(
    ("text", "change"),
    [
        ("set_scale_median_scalar.scaling_factor = 2.0", "mean"),
        ("set_scale_total_sigma_scalar.scaling_factor = 1.5", "sigma"),
        ("set_between_epsilon.epsilon_tau = 1.0", "epsilon"),
    ],
)
def test_inside_a_modifiable_gmpe(
    gsim: Any, tiny_surface: Path, monkeypatch: pytest.MonkeyPatch, text: str, change: str
) -> None:
    monkeypatch.chdir(tiny_surface.parent)
    modified = valid.gsim(
        f'[ModifiableGMPE]\n{text}\ngmpe.GenerativeWaveformGMM.surface_file = "tiny.h5"\n'
    )
    got, base = (simple_cmaker([g], IMTS).get_mean_stds([pairs(g)])[:, 0] for g in (modified, gsim))
    mean, sigma = base[0], base[1]
    if change == "mean":
        mean = mean + np.log(2.0)
    elif change == "sigma":
        sigma = 1.5 * sigma
    else:
        mean, sigma = mean + base[2], base[3]
    np.testing.assert_allclose(got[0], mean, rtol=1e-9)
    np.testing.assert_allclose(got[1], sigma, rtol=1e-9)
    assert {"rrup"} <= modified.REQUIRES_DISTANCES
