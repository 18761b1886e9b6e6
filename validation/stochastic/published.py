"""What published models say at strike-slip scenarios: amplitudes, durations, vertical, correlation.

Boore et al., Campbell and Bozorgnia, Chiou and Youngs and Abrahamson et al. (all 2014) for RotD50;
Afshari and Stewart (2016) for significant durations; Gulerce and Abrahamson (2011) and Bozorgnia
and Campbell (2016) for V/H; Baker and Jayaram (2008) for the correlation of SA. All are
OpenQuake's. Faults are vertical; basin depths are each model's own for the Vs30.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from openquake.hazardlib.contexts import simple_cmaker
from openquake.hazardlib.cross_correlation import BakerJayaram2008
from openquake.hazardlib.gsim.abrahamson_2014 import AbrahamsonEtAl2014
from openquake.hazardlib.gsim.afshari_stewart_2016 import AfshariStewart2016
from openquake.hazardlib.gsim.base import GMPE
from openquake.hazardlib.gsim.boore_2014 import BooreEtAl2014
from openquake.hazardlib.gsim.bozorgnia_campbell_2016_vh import BozorgniaCampbell2016VH
from openquake.hazardlib.gsim.campbell_bozorgnia_2014 import CampbellBozorgnia2014
from openquake.hazardlib.gsim.chiou_youngs_2014 import ChiouYoungs2014
from openquake.hazardlib.gsim.gulerce_abrahamson_2011 import GulerceAbrahamson2011
from openquake.hazardlib.imt import SA

from gwm_hazard.core.scenario import Scenarios

Array = NDArray[np.float64]

FOUR = (BooreEtAl2014, CampbellBozorgnia2014, ChiouYoungs2014, AbrahamsonEtAl2014)
VH = (partial(GulerceAbrahamson2011, gmpe_name="BooreEtAl2014"), BozorgniaCampbell2016VH)


@dataclass(frozen=True)
class Cells:
    """Scenarios with their Joyner-Boore distance, depth to the top and width of rupture, km."""

    mag: Array
    rjb: Array
    vs30: Array
    depth: Array

    @property
    def width(self) -> Array:
        """Wells and Coppersmith (1994), all mechanisms, within a crust of 18 km."""
        return np.minimum(10.0 ** (-1.01 + 0.32 * self.mag), 18.0)

    @property
    def ztor(self) -> Array:
        """The hypocentre lies at 60 % of the width."""
        return np.maximum(self.depth - 0.6 * self.width, 0.0)

    @property
    def rrup(self) -> Array:
        """Of a vertical fault; at least 1 km, where the model begins."""
        return np.maximum(np.hypot(self.rjb, self.ztor), 1.0)

    def scenarios(self) -> Scenarios:
        """What the model takes of them."""
        return Scenarios(mag=self.mag, rrup=self.rrup, vs30=self.vs30, hypo_depth=self.depth)

    def __len__(self) -> int:
        return len(self.mag)


def cells(
    mag: Sequence[float], rjb: Sequence[float], vs30: Sequence[float], depth: Sequence[float]
) -> Cells:
    """Every combination."""
    every = np.array(list(itertools.product(mag, rjb, vs30, depth)), dtype=np.float64)
    return Cells(*every.T)


def moments(
    model: Callable[[], GMPE], at: Cells, imts: Sequence[str]
) -> tuple[Array, Array, Array, Array]:
    """Mean of ln IM and its total, between- and within-event standard deviation, (n, m) each."""
    maker = simple_cmaker([model()], list(imts))
    ctx = maker.new_ctx(len(at))
    v = at.vs30
    basin = {
        "z1pt0": np.exp(-7.15 / 4 * np.log((v**4 + 571.0**4) / (1360.0**4 + 571.0**4))),
        "z2pt5": np.exp(7.089 - 1.144 * np.log(v)),
    }
    if model is AbrahamsonEtAl2014:
        basin["z1pt0"] = np.exp(-7.67 / 4 * np.log((v**4 + 610.0**4) / (1360.0**4 + 610.0**4)))
    values = {
        "mag": at.mag, "rake": 0.0, "dip": 90.0, "ztor": at.ztor, "width": at.width,
        "hypo_depth": at.depth, "rjb": at.rjb, "rrup": at.rrup, "rx": at.rjb, "ry0": 0.0,
        "vs30": v, "vs30measured": 1, **basin,
    }  # fmt: skip
    for name in ctx.dtype.names:
        if name in values:
            ctx[name] = values[name]
    found = maker.get_mean_stds([ctx])[:, 0]
    mean, sigma, tau, phi = (a.T for a in found)
    return mean, sigma, tau, phi


def four(at: Cells, imts: Sequence[str]) -> Array:
    """Mean of ln IM of the four, (4, n, m)."""
    return np.stack([moments(m, at, imts)[0] for m in FOUR])


def durations(at: Cells, imts: Sequence[str] = ("RSD575", "RSD595")) -> Array:
    """Mean of ln duration after Afshari and Stewart (2016), (n, m)."""
    return moments(AfshariStewart2016, at, imts)[0]


def bozorgnia_campbell(at: Cells, imts: Sequence[str]) -> Array:
    """ln V/H after Bozorgnia and Campbell (2016), (n, m)."""
    return moments(BozorgniaCampbell2016VH, at, imts)[0]


def vertical_ratios(at: Cells, imts: Sequence[str]) -> Array:
    """ln V/H of the two models, (2, n, m)."""
    return np.stack([moments(m, at, imts)[0] for m in VH])


def correlation(periods: Sequence[float]) -> Array:
    """Correlation of ln SA after Baker and Jayaram (2008), (m, m)."""
    model = BakerJayaram2008()
    imts = [SA(p) for p in periods]
    return np.array([[model.get_correlation(a, b) for b in imts] for a in imts])


__all__ = ["FOUR", "VH", "Cells", "cells", "correlation", "durations", "four"]
