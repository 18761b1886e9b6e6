"""Rates of exceedance summed over ruptures, held against OpenQuake's own curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.errors import GwmHazardError
from gwm_hazard.openquake.component import ln_component_ratio
from gwm_hazard.openquake.curves import Curves, Gid
from gwm_hazard.openquake.gsim import GenerativeWaveformGMM, exceedance_of
from gwm_hazard.openquake.occurrence import Occurrence
from gwm_hazard.openquake.ruptures import Pairs

Array = NDArray[np.float64]

#: Relative difference between a rate summed over ruptures and OpenQuake's that stops a command.
TOLERANCE = 0.03

#: Probabilities in the investigation time between which rates are compared. Those of ruptures that
#: depend on each other are the complement of a single-precision number near 1.
_LEAST, _LEAST_DEPENDENT, _MOST = 1e-10, 1e-5, 1.0 - 1e-4


@dataclass(frozen=True)
class Branch:
    """A branch with ``GenerativeWaveformGMM``.

    Attributes
    ----------
    id : its name
    gsim : the same GSIM in several tectonic regions is one branch
    realizations : numbers of the realizations that use it
    """

    id: str
    gsim: GenerativeWaveformGMM
    realizations: NDArray[np.int64]


def branches(curves: Curves) -> list[Branch]:
    """The GWM branches of a calculation."""
    found: dict[GenerativeWaveformGMM, str] = {}
    for (_, gsim), name in curves.branch_names.items():
        if isinstance(gsim, GenerativeWaveformGMM):
            found.setdefault(gsim, name)
    out = []
    for gsim, name in found.items():
        using = [gid.realizations for gid in curves.gids if gid.gsim == gsim]
        realizations = np.unique(np.concatenate(using)) if using else np.empty(0, np.int64)
        if len(realizations):
            out.append(Branch(name, gsim, realizations))
    return out


def rates_of(
    found: Pairs, gsim: GenerativeWaveformGMM, imts: tuple[str, ...], levels: Array
) -> Array:
    """Annual rate with which each pair exceeds levels, (n, n_imts, n_levels).

    Parameters
    ----------
    found : n pairs
    imts : measures of the job
    levels : (n_imts, n_levels), or by pair (n, n_imts, n_levels), in the job's component; levels
        of 0 are exceeded by nothing here
    """
    with np.errstate(divide="ignore"):
        ln_iml = np.where(levels > 0, np.log(levels), np.inf)
    # OpenQuake's conversion of RotD50 changes the median only (Boore and Kishida 2017).
    ln_iml = ln_iml + ln_component_ratio(found.cmaker, gsim, imts)[:, None]
    poe = exceedance_of(gsim, found.ctx, imts, ln_iml, found.cmaker.truncation_level)
    return found.occurrence.rates(found.ctx, poe)


class Comparison:
    """Rates summed over ruptures beside OpenQuake's own, by gid, site, measure and level.

    Parameters
    ----------
    curves : OpenQuake's
    gids : OpenQuake's numbers of those that are summed
    rows : (n_sites, n_imts, k), rows of the job's levels that are looked at
    sites, imts : ids and names, by default all of the job

    Attributes
    ----------
    levels : (n_sites, n_imts, k)
    ours, theirs : (n_gids, n_sites, n_imts, k) annual rates
    """

    def __init__(
        self,
        curves: Curves,
        gids: tuple[int, ...],
        rows: NDArray[np.int64],
        sites: Sequence[int] | None = None,
        imts: Sequence[str] | None = None,
    ) -> None:
        self.curves = curves
        self.gids = gids
        self.sites = [int(s) for s in (curves.sites.sids if sites is None else sites)]
        self.imts = list(curves.imtls if imts is None else imts)
        at = [list(curves.imtls).index(imt) for imt in self.imts]
        of_sites = curves.rates[[curves.row(s) for s in self.sites]][:, at][..., list(gids)]
        self.theirs = np.moveaxis(np.take_along_axis(of_sites, rows[..., None], axis=2), -1, 0)
        self.ours = np.zeros_like(self.theirs)
        self._occurrence: dict[int, Occurrence] = {}
        self.levels = np.stack([curves.levels[m][rows[:, i]] for i, m in enumerate(at)], axis=1)

    def at(self, pairs: Pairs) -> Array:
        """Levels at the site of each pair, (n, n_imts, k)."""
        return self.levels[np.searchsorted(self.sites, pairs.ctx["sids"])]

    def add(self, pairs: Pairs, gid: int, rates: Array) -> None:
        """Add the rates (n, n_imts, k) of pairs under the GSIM of a gid."""
        row = self.gids.index(gid)
        np.add.at(self.ours[row], np.searchsorted(self.sites, pairs.ctx["sids"]), rates)
        self._occurrence.setdefault(row, pairs.occurrence)

    @property
    def ratio(self) -> Array:
        """Summed over OpenQuake's, (n_gids, n_sites, n_imts, k); NaN where nothing is told."""
        poe = -np.expm1(-self.theirs * self.curves.years)
        least = np.full((len(self.gids), 1, 1, 1), _LEAST)
        for row, occurrence in self._occurrence.items():
            if occurrence.dependent:
                least[row] = _LEAST_DEPENDENT
        told = (poe > least) & (poe < _MOST)
        return np.divide(self.ours, self.theirs, out=np.full_like(self.ours, np.nan), where=told)

    def check(self, where: NDArray[np.bool_] | None = None) -> float:
        """Largest relative difference, everywhere or where ``where`` says.

        Raises
        ------
        RatesDifferError
            A difference above TOLERANCE.
        """
        away = np.nan_to_num(np.abs(self.ratio - 1.0))
        if where is not None:
            away = np.where(where, away, 0.0)
        if not away.size:
            return 0.0
        g, n, m, k = (int(i) for i in np.unravel_index(int(np.argmax(away)), away.shape))
        worst = float(away[g, n, m, k])
        if worst > TOLERANCE:
            raise RatesDifferError(
                self.curves,
                self.curves.gids[self.gids[g]],
                self.sites[n],
                self.imts[m],
                float(self.levels[n, m, k]),
                float(self.ratio[g, n, m, k]),
                self._occurrence.get(g),
            )
        return worst


class RatesDifferError(GwmHazardError):
    """Rates summed over ruptures are not those of OpenQuake's curves."""

    def __init__(
        self,
        curves: Curves,
        gid: Gid,
        site: int,
        imt: str,
        level: float,
        ratio: float,
        occurrence: Occurrence | None,
    ) -> None:
        super().__init__(
            f"calculation {curves.dstore.calc_id}: the rate of {imt} > {level:.4g} at site {site} "
            f"summed over the ruptures of {gid.trt!r} under {type(gid.gsim).__name__} is "
            f"{ratio:.3f} times that of OpenQuake's own curve, so nothing is told of its ruptures; "
            f"likely because {_reason(curves, gid, occurrence)}"
        )


def _reason(curves: Curves, gid: Gid, occurrence: Occurrence | None) -> str:
    """The likely reason of a difference."""
    if occurrence is None:
        return "no rupture of theirs was found in the datastore"
    if occurrence.cluster is not None:
        return "ruptures of a cluster occur together, which is not a sum of rates at this level"
    if occurrence.dependent:
        return "ruptures that exclude each other are not a sum of rates at this level"
    if hasattr(gid.gsim, "weights") or hasattr(gid.gsim, "mixture_model"):
        return "this GSIM is no lognormal distribution, and is taken for one here"
    for name in ("reqv", "delta_rates"):
        if name in curves.oq.inputs:
            return f"the job has {name}_file"
    if getattr(gid.gsim, "estimator", "") == "direct":
        return "draws of its model change with the last digits of conditions, as by bfloat16"
    return "its ruptures occur in a way that is not known here"
