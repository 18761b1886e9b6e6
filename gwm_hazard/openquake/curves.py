"""OpenQuake's own hazard in a finished calculation: rates by source group and GSIM, and curves.

OpenQuake keeps, also where it keeps no curve of a realization, the rates of exceedance from each
"gid": the sources of one tectonic region and source model under one GSIM. A realization's curve is
the sum of its gids. So curves of any realization are at hand, however many there are, and what is
summed over ruptures can be held against OpenQuake's number, gid by gid.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from openquake.calculators.getters import map_getters
from openquake.commonlib.datastore import DataStore
from openquake.hazardlib import map_array
from openquake.hazardlib.contexts import read_cmakers

from gwm_hazard.errors import InputError
from gwm_hazard.openquake.datastore import branch_names, hazard_of

Array = NDArray[np.float64]

#: Bits that OpenQuake keeps beside the number of a realization: the tectonic region.
_REALIZATION = 2**24

#: OpenQuake's floor of a probability in its interpolation (map_array.EPSILON).
_FLOOR = 1e-30


@dataclass(frozen=True)
class Gid:
    """One GSIM with the sources of one tectonic region and source model.

    Attributes
    ----------
    number : OpenQuake's
    gsim : the GSIM
    trt : tectonic region
    realizations : numbers of those that it is part of, each once
    """

    number: int
    gsim: Any
    trt: str
    realizations: NDArray[np.int64]


class Curves:
    """Rates and curves of a classical calculation.

    Parameters
    ----------
    dstore : OpenQuake's datastore of the calculation, or of a disaggregation that follows it

    Raises
    ------
    ValueError
        A calculation without rates, or one whose curves are not the sum of its sources'.
    """

    def __init__(self, dstore: DataStore) -> None:
        self.dstore = dstore = hazard_of(dstore)
        self.oq = dstore["oqparam"]
        self._refuse()
        self.imtls = self.oq.imtls
        self.years = float(self.oq.investigation_time)
        self.full_lt = dstore["full_lt"].init()
        wget = self.full_lt.gsim_lt.wget  # now: OpenQuake resets it with the next reading
        self._weights = {imt: np.asarray(wget(None, imt), dtype=np.float64) for imt in self.imtls}
        #: Whether the logic tree has weights by measure.
        self.weights_differ = bool(wget.weights.shape[1] > 1)
        self.cmakers = read_cmakers(dstore, self.full_lt).to_array()
        self.sites = dstore["sitecol"]

    def _refuse(self) -> None:
        name = f"calculation {self.dstore.calc_id}"
        if "_rates" not in self.dstore:
            raise InputError(
                f"{name} ({self.oq.calculation_mode}) holds no rates of exceedance: run a "
                "classical job, or one that starts from its sources"
            )
        if "amplification" in self.oq.inputs:
            raise InputError(
                f"{name}: amplification_csv changes curves after the ruptures are summed, and the "
                "hazard is no longer a sum over them; take it out and give the vs30 of the sites"
            )
        if getattr(self.oq, "site_labels", None):
            raise InputError(
                f"{name}: site_labels give each group of sites a ground-motion logic tree of its "
                "own, which is not supported; run a job for each"
            )

    @cached_property
    def branch_names(self) -> dict[tuple[str, Any], str]:
        """Name of each branch as the user gave it, by tectonic region and GSIM."""
        return branch_names(self.full_lt.gsim_lt)

    @cached_property
    def gids(self) -> tuple[Gid, ...]:
        """All gids, by number."""
        found: dict[int, Gid] = {}
        for cmaker in self.cmakers:
            for number, (gsim, rlzs) in zip(cmaker.gid, cmaker.gsims.items(), strict=True):
                numbers = np.unique(np.asarray(rlzs, dtype=np.int64) % _REALIZATION)
                found.setdefault(int(number), Gid(int(number), gsim, cmaker.trt, numbers))
        return tuple(found[n] for n in sorted(found))

    @cached_property
    def n_realizations(self) -> int:
        """Number of realizations of the logic tree."""
        return int(self.full_lt.get_num_paths())

    @cached_property
    def membership(self) -> Array:
        """1 where a realization has a gid, (n_gids, n_realizations)."""
        out = np.zeros((len(self.gids), self.n_realizations))
        for row, gid in enumerate(self.gids):
            out[row, gid.realizations] = 1.0
        return out

    def weights(self, imt: str) -> Array:
        """Weights of the realizations for a measure, (n_realizations,)."""
        return self._weights[imt]

    @cached_property
    def rates(self) -> Array:
        """Annual rates of exceedance, (n_sites, n_imts, n_levels, n_gids)."""
        out = np.zeros(
            (len(self.sites), len(self.imtls), self.levels.shape[1], len(self.gids)),
            dtype=np.float64,
        )
        rows = {int(sid): row for row, sid in enumerate(self.sites.sids)}
        for getter in map_getters(self.dstore, self.full_lt):
            array = getter.init()
            for sid, index in getter.sid2idx.items():
                out[rows[int(sid)]] = array[index].reshape(out.shape[1:])
        return out / self.years

    @cached_property
    def levels(self) -> Array:
        """Levels of the job, (n_imts, n_levels)."""
        return np.array([self.imtls[imt] for imt in self.imtls], dtype=np.float64)

    def target(self, poe: float) -> float:
        """Annual rate of a probability of exceedance in the investigation time."""
        return float(-np.log1p(-poe) / self.years)

    def of_realizations(self, site: int, realizations: NDArray[np.int64]) -> Array:
        """Annual rates of realizations at a site, (n_realizations, n_imts, n_levels)."""
        member = self.membership[:, realizations]
        return np.moveaxis(self.rates[self.row(site)] @ member, -1, 0)

    def alike(
        self, site: int, realizations: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Realizations with different curves at a site, and which of them each one is like.

        Thousands of realizations often have a few dozen curves: most differ in sources that do
        not reach the site.
        """
        reaching = self.rates[self.row(site)].any(axis=(0, 1))
        member = self.membership[reaching][:, realizations] > 0
        words = np.ascontiguousarray(np.packbits(member, axis=0).T)
        if not words.size:
            return realizations[:1], np.zeros(len(realizations), np.int64)
        keys = words.view(np.dtype((np.void, words.shape[1]))).ravel()
        _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        return realizations[first], inverse.ravel()

    def mean_poes(self, site: int, realizations: NDArray[np.int64], imt: str) -> Array:
        """Mean curve of realizations with their weights, in probabilities, (n_levels,).

        As OpenQuake has it: of probabilities, or of rates with ``use_rates = true``. Weights that
        are all 0 (branches that are there to be compared) count as equal.
        """
        m = list(self.imtls).index(imt)
        weights = self.weights(imt)[realizations]
        weights = weights / weights.sum() if weights.any() else np.ones_like(weights) / len(weights)
        different, like = self.alike(site, realizations)
        weights = np.bincount(like, weights, len(different)).astype(np.float64)
        rates = self.of_realizations(site, different)[:, m] * self.years
        if self.oq.use_rates:
            return -np.expm1(-(weights @ rates))
        return weights @ -np.expm1(-rates)

    def level(self, site: int, realizations: NDArray[np.int64], imt: str, poe: float) -> float:
        """Level of the mean curve of realizations at a probability; 0 where it is not reached."""
        m = list(self.imtls).index(imt)
        curve = self.mean_poes(site, realizations, imt)
        return float(levels_at(curve, self.levels[m], np.array([poe]))[0][0])

    def row(self, site: int) -> int:
        """Row of a site by its id."""
        found = np.flatnonzero(self.sites.sids == site)
        if not len(found):
            raise InputError(f"site = {site}: the calculation has sites {_range(self.sites.sids)}")
        return int(found[0])


def has_mean_curve(dstore: DataStore) -> bool:
    """Whether the calculation keeps mean hazard curves, or has one realization."""
    return _mean_curves(dstore) is not None


def _mean_curves(dstore: DataStore) -> Callable[[int], Array] | None:
    """A function of the site: its mean curves, (n_imts, n_levels); None where none are kept."""
    source = hazard_of(dstore)
    statistics = list(dstore["oqparam"].hazard_stats())
    if "hcurves-stats" in source and "mean" in statistics:
        return lambda site: source["hcurves-stats"][site, statistics.index("mean")]
    if "hcurves-rlzs" in source and source["hcurves-rlzs"].shape[1] == 1:
        return lambda site: source["hcurves-rlzs"][site, 0]
    return None


def mean_level(dstore: DataStore, imt: str, poe: float, site: int = 0) -> float:
    """The level of a measure on OpenQuake's own mean hazard curve, in OpenQuake's unit.

    Raises
    ------
    ValueError
        A measure without a curve, or a poe that the curve does not reach.
    """
    oq = dstore["oqparam"]
    if imt not in oq.imtls:
        raise InputError(f"imt = {imt!r}: the job has curves of {', '.join(oq.imtls)}")
    curves = _mean_curves(dstore)
    if curves is None:
        raise InputError("the calculation has no mean hazard curves: set mean = true in the job")
    curve = curves(site)[list(oq.imtls).index(imt)]
    if not curve[-1] < poe < curve[0]:
        raise InputError(
            f"poe = {poe:g}: the curve of {imt} goes from {curve[0]:.3g} to {curve[-1]:.3g} in "
            f"{oq.investigation_time:g} years; take a poe inside it or more levels in the job"
        )
    return float(map_array.compute_hazard_maps(curve[None, :], oq.imtls[imt], [poe])[0, 0])


def levels_at(poes: Array, imls: Array, at: Array) -> tuple[Array, NDArray[np.int64], Array]:
    """Levels of curves at probabilities, interpolated as OpenQuake's hazard maps.

    Parameters
    ----------
    poes : (..., n_levels) curves
    imls : (n_levels,) ascending
    at : (n_poes,)

    Returns
    -------
    levels (..., n_poes), 0 where a curve does not reach a probability; the row of the level below
    each; and the share of the way to the level above, in ln of the probability, both (..., n_poes).
    """
    ln = np.log(np.maximum(poes, _FLOOR))[..., None, :]
    target = np.log(np.asarray(at, dtype=np.float64))[:, None]
    last = len(imls) - 1
    below = np.clip((ln >= target).sum(axis=-1) - 1, 0, max(last - 1, 0))
    low = np.take_along_axis(np.broadcast_to(ln, (*below.shape, last + 1)), below[..., None], -1)
    high_at = np.minimum(below + 1, last)
    high = np.take_along_axis(np.broadcast_to(ln, (*below.shape, last + 1)), high_at[..., None], -1)
    step = low[..., 0] - high[..., 0]
    share = np.divide(low[..., 0] - target[:, 0], step, out=np.zeros_like(step), where=step > 0)
    share = np.clip(share, 0.0, 1.0)
    x = np.log(np.asarray(imls, dtype=np.float64))
    found = np.exp(x[below] + share * (x[high_at] - x[below]))
    return np.where(ln[..., 0] >= target[:, 0], found, 0.0), below, share


def _range(sids: NDArray[Any]) -> str:
    return f"{sids.min()} to {sids.max()}"
