"""The ruptures and branches behind the hazard of a site, from a finished calculation."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from openquake.commonlib.datastore import DataStore
from openquake.hazardlib.contexts import simple_cmaker
from openquake.hazardlib.imt import from_string
from scipy.special import ndtr

from gwm_hazard.core.units import ALL_CONDITIONS
from gwm_hazard.errors import InputError
from gwm_hazard.openquake.component import component_of
from gwm_hazard.openquake.curves import Curves
from gwm_hazard.openquake.gsim import GenerativeWaveformGMM, conditions_of
from gwm_hazard.openquake.rates import Comparison, rates_of
from gwm_hazard.openquake.ruptures import Pairs
from gwm_hazard.openquake.ruptures import pairs as pairs_of
from gwm_hazard.openquake.stand_ins import stand_in
from gwm_hazard.suite.contributions import Contributions

#: Annual rates near which the rates of the ruptures are held against OpenQuake's mean curve: those
#: of 475, 2,475 and 10,000 years.
CHECKED_RATES = (1 / 475, 1 / 2475, 1e-4)

#: Share in the mean hazard from which a tectonic region and GSIM is held against OpenQuake's.
SIGNIFICANT = 0.01


@dataclass(frozen=True)
class WaveformBranch:
    """A GWM branch: rows of the contributions, and the conditions of its model there.

    The same GSIM in several tectonic regions is one, of all their ruptures.
    """

    name: str
    gsim: GenerativeWaveformGMM
    rows: NDArray[np.int64]
    conditions: dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class SiteHazard:
    """Contributions at a site, and the GWM branches among them.

    ``lacking`` holds, for measures that not all branches give, the names of those without;
    ``component`` is the horizontal component of the measures; ``names`` are those of all branches
    by tectonic region and GSIM.
    """

    contributions: Contributions
    waveforms: tuple[WaveformBranch, ...]
    site: int
    lon: float
    lat: float
    investigation_time: float
    lacking: dict[str, tuple[str, ...]]
    component: str
    names: dict[tuple[str, Any], str]


@dataclass(frozen=True)
class _Part:
    """A piece of a GWM branch: its first row and the conditions of the model."""

    name: str
    start: int
    conditions: dict[str, NDArray[np.float64]]


def site_hazard(
    dstore: DataStore,
    imts: tuple[str, ...],
    site: int = 0,
    *,
    imt: str = "",
    annual_rates: Sequence[float] = CHECKED_RATES,
    shape: str = "",
) -> SiteHazard:
    """All ruptures of a classical or disaggregation calculation that reach a site.

    Branches are lognormal, as in OpenQuake's disaggregation, also one with ``distribution =
    "empirical"``. Of several branches the annual rates are averaged; OpenQuake's mean curve has
    the average of the probabilities in the investigation time, the same for small ones. Two
    arrays (rows, measures) are held at once, rows being ruptures times branches.

    A rupture counts with its annual rate. One that has none (probabilities of occurrence, a
    cluster, ruptures that exclude each other) gets the rate that is right at one level: where the
    hazard of ``imt`` has the mean of ``annual_rates``. Away from it sums over ruptures are
    approximate; those of ``imt`` are held against OpenQuake's at each of ``annual_rates``.

    Parameters
    ----------
    dstore : OpenQuake's datastore
    imts : measures to ask the branches for; they need not be those of the job
    site : id of the site
    imt : measure of the job that a suite is conditioned on; without one, all that the job has of
        ``imts`` are held against OpenQuake's, and the first sets the level
    annual_rates : of exceedance, that suites are made for
    shape : a model whose waveforms, matched to their spectra, draw for the plain branches too

    Raises
    ------
    ValueError
        An event-based calculation, a site that is not there, ruptures that are not stored, weights
        by measure, a spectral period that a branch does not give, another measure that none gives.
    RatesDifferError
        Rates of the ruptures that do not sum to OpenQuake's own, for a measure of the job.
    """
    oq = dstore["oqparam"]
    if oq.calculation_mode not in ("classical", "disaggregation"):
        raise InputError(
            f"calculation_mode = {oq.calculation_mode}: a suite needs a classical or "
            "disaggregation calculation"
        )
    curves = Curves(dstore)
    row = curves.row(site)
    if curves.weights_differ:
        raise InputError(
            f"calculation {curves.dstore.calc_id}: its logic tree has weights by measure, and a "
            "rupture would have another rate for each; give each branch one weight"
        )
    weights = curves.weights(next(iter(curves.imtls)))
    names = curves.branch_names
    branches = tuple(dict.fromkeys(names.values()))
    asked = _Asked(imts, names)
    held = [i for i in ([imt] if imt in imts else imts) if i in curves.imtls]
    checked = _comparison(curves, site, held, weights, annual_rates)
    reference = _reference(curves, site, held[0], imts, annual_rates) if held else None

    rates, means, sigmas, rows, ids, found = [], [], [], [], [], []
    waveforms: dict[GenerativeWaveformGMM, list[_Part]] = {}
    ruptures, start = 0, 0
    for pairs in pairs_of(curves, site):
        pairs = _possible(pairs)
        if not len(pairs):
            continue
        ctx = pairs.ctx
        share = [weights[np.asarray(r, dtype=np.int64)].sum() for r in pairs.cmaker.gsims.values()]
        mean, sigma = asked.moments(pairs.cmaker, ctx, np.array(share))
        found.append(_conditions(ctx))
        for g, (gsim, weight) in enumerate(zip(pairs.cmaker.gsims, share, strict=True)):
            if weight == 0:
                continue
            name = names[pairs.cmaker.trt, gsim]
            occurrence = _occurrence(pairs, imts, mean[g], sigma[g], reference)
            rates.append(weight * occurrence)
            means.append(mean[g])
            sigmas.append(sigma[g])
            rows.append(ruptures + np.arange(len(ctx)))
            ids.append(np.full(len(ctx), branches.index(name)))
            gid = pairs.gid(gsim)
            if checked is not None and gid is not None:
                exceeding = _exceeding(checked, pairs, gsim, imts, mean[g], sigma[g], occurrence)
                checked.add(pairs, gid, exceeding)
            drawing = stand_in(gsim, shape, ctx.dtype.names or ()) if shape else gsim
            if isinstance(drawing, GenerativeWaveformGMM):
                part = _Part(name, start, conditions_of(drawing, ctx))
                waveforms.setdefault(drawing, []).append(part)
            start += len(ctx)
        ruptures += len(ctx)
    if not rates:
        raise InputError(f"site {site}: no rupture of the calculation reaches it")
    if checked is not None:
        checked.check(_significant(curves, checked, weights))
    contributions = Contributions(
        imts,
        np.concatenate(rates),
        np.concatenate(means),
        np.concatenate(sigmas),
        float(oq.truncation_level),
        np.concatenate(rows),
        np.concatenate(ids),
        _table(found),
        branches,
    )
    return SiteHazard(
        contributions,
        tuple(_branch(gsim, parts) for gsim, parts in waveforms.items()),
        site,
        float(curves.sites.lons[row]),
        float(curves.sites.lats[row]),
        float(oq.investigation_time),
        asked.lacking,
        component_of(oq),
        names,
    )


def _reference(
    curves: Curves, site: int, imt: str, imts: tuple[str, ...], annual_rates: Sequence[float]
) -> tuple[int, float] | None:
    """Column among ``imts`` and level of ``imt`` at which rates of dependent ruptures are right.

    None where the hazard does not reach it.
    """
    rate = float(np.exp(np.mean(np.log(annual_rates))))
    everything = np.arange(curves.n_realizations)
    level = curves.level(site, everything, imt, -np.expm1(-rate * curves.years))
    return (imts.index(imt), level) if level > 0 else None


def _occurrence(
    pairs: Pairs,
    imts: tuple[str, ...],
    mean: NDArray[np.float64],
    sigma: NDArray[np.float64],
    reference: tuple[int, float] | None,
) -> NDArray[np.float64]:
    """Annual rates of the ruptures, right at the reference level, (n,)."""
    if pairs.occurrence.adds_up(pairs.ctx) or reference is None:
        return pairs.occurrence.mean_rates(pairs.ctx)
    column, level = reference
    poe = _truncated_exceedance(
        (np.log(level) - mean[:, column]) / sigma[:, column], pairs.cmaker.truncation_level
    )
    exact = pairs.occurrence.rates(pairs.ctx, poe)
    return np.divide(exact, poe, out=pairs.occurrence.mean_rates(pairs.ctx), where=poe > 1e-9)


def _truncated_exceedance(z: NDArray[np.float64], truncation: float) -> NDArray[np.float64]:
    """P(epsilon > z) of a normal cut at ``truncation`` on both sides."""
    below = ndtr(-truncation)
    return np.clip((ndtr(-z) - below) / (1.0 - 2.0 * below), 0.0, 1.0)


def _comparison(
    curves: Curves,
    site: int,
    held: Sequence[str],
    weights: NDArray[np.float64],
    annual_rates: Sequence[float],
) -> Comparison | None:
    """What the rates of the ruptures are held against: the job's levels nearest to some rates.

    ``held`` are measures of the job; None without any.
    """
    if not held:
        return None
    shares = curves.membership @ weights
    gids = tuple(g.number for g in curves.gids if shares[g.number] > 0)
    rows = []
    for imt in held:
        mean = curves.rates[curves.row(site), list(curves.imtls).index(imt)] @ shares
        with np.errstate(divide="ignore"):
            away = np.abs(np.log(np.maximum(mean, 1e-30))[:, None] - np.log(annual_rates))
        rows.append(np.argmin(away, axis=0))
    return Comparison(curves, gids, np.array(rows)[None], [site], held)


def _exceeding(
    checked: Comparison,
    pairs: Pairs,
    gsim: Any,
    imts: tuple[str, ...],
    mean: NDArray[np.float64],
    sigma: NDArray[np.float64],
    occurrence: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Annual rates of exceedance of the checked levels, (n, n_checked, k).

    Of a lognormal with these moments; where the distribution is another, of that: what is checked
    is how often the ruptures occur.
    """
    levels = checked.levels[0]
    if isinstance(gsim, GenerativeWaveformGMM) and gsim.distribution == "empirical":
        return rates_of(pairs, gsim, tuple(checked.imts), levels)
    columns = [imts.index(imt) for imt in checked.imts]
    with np.errstate(divide="ignore"):
        z = (np.log(levels) - mean[:, columns, None]) / sigma[:, columns, None]
    return occurrence[:, None, None] * _truncated_exceedance(z, pairs.cmaker.truncation_level)


def _significant(
    curves: Curves, checked: Comparison, weights: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Where a gid has a share in the mean hazard that counts, (n_gids, 1, n_imts, k)."""
    share = (curves.membership @ weights)[list(checked.gids)][:, None, None, None]
    part = share * checked.theirs
    return part > SIGNIFICANT * part.sum(axis=0)


def _possible(pairs: Pairs) -> Pairs:
    """The ruptures that occur at all, by magnitude: the order in which OpenQuake gives moments."""
    if not len(pairs):
        return pairs
    order = np.flatnonzero(pairs.occurrence.mean_rates(pairs.ctx) > 0)
    order = order[np.argsort(pairs.ctx["mag"][order], kind="stable")]
    ctx = pairs.ctx[order].view(np.recarray)
    return replace(pairs, ctx=ctx, numbers=pairs.numbers[order])


class _Asked:
    """Moments of the measures that a suite asks of the GSIMs of a calculation.

    ``lacking`` holds, for measures that not all give, the names of the branches without.
    """

    def __init__(self, imts: tuple[str, ...], names: dict[tuple[str, Any], str]) -> None:
        self.imts = imts
        self.names = names
        self.lacking: dict[str, tuple[str, ...]] = {}
        self._gives: dict[tuple[str, Any], NDArray[np.bool_]] = {}
        self._makers: dict[tuple[str, Any], Any] = {}

    def moments(
        self, cmaker: Any, ctx: np.recarray, weights: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and total sigma of ln IM by GSIM, (n_gsims, n_ruptures, n_imts).

        Where a GSIM lacks a measure other than SA, the mixture of those that give it stands in,
        rupture by rupture (Bradley 2010: each measure has models of its own).
        """
        options = {
            "truncation_level": cmaker.truncation_level,
            "horiz_comp_to_geom_mean": cmaker.horiz_comp,
        }
        gsims = list(cmaker.gsims)
        for gsim in gsims:
            key = (cmaker.trt, gsim)
            if key not in self._gives:
                mine = [imt for imt in self.imts if _gives(gsim, imt, ctx[:1], options)]
                self._gives[key] = np.array([imt in mine for imt in self.imts])
                self._makers[key] = simple_cmaker([gsim], mine, **options) if mine else None
        gives = np.array([self._gives[cmaker.trt, g] for g in gsims])
        self._tell(cmaker.trt, gsims, gives, weights)
        mean = np.full((len(gsims), len(ctx), len(self.imts)), np.nan)
        sigma = np.full_like(mean, np.nan)
        for g, gsim in enumerate(gsims):
            if gives[g].any() and weights[g] > 0:
                found = self._makers[cmaker.trt, gsim].get_mean_stds([ctx])[:2, 0]  # (2, M, U)
                mean[g][:, gives[g]], sigma[g][:, gives[g]] = found.transpose(0, 2, 1)
        for column in np.flatnonzero(~gives.all(axis=0)):
            there = gives[:, column] & (weights > 0)
            share = weights[there] / weights[there].sum()
            average = share @ mean[there, :, column]
            spread = sigma[there, :, column] ** 2 + (mean[there, :, column] - average) ** 2
            mean[~there, :, column], sigma[~there, :, column] = average, np.sqrt(share @ spread)
        return mean, sigma

    def _tell(
        self,
        trt: str,
        gsims: list[Any],
        gives: NDArray[np.bool_],
        weights: NDArray[np.float64],
    ) -> None:
        """Note what is lacking, refuse what has no substitute."""
        for m, imt in enumerate(self.imts):
            without = [
                g
                for g, there, weight in zip(gsims, gives[:, m], weights, strict=True)
                if not there and weight > 0
            ]
            if not without:
                continue
            if imt.startswith("SA(") or not weights[gives[:, m]].sum() > 0:
                gsim = without[0]
                raise InputError(
                    f"imt = {imt!r}: branch {self.names[trt, gsim]!r} ({type(gsim).__name__}) "
                    "does not give it; leave it out (--imts, --periods, --first-mode), or take "
                    "the branch out of the logic tree"
                )
            told = (*self.lacking.get(imt, ()), *(self.names[trt, g] for g in without))
            self.lacking[imt] = tuple(dict.fromkeys(told))


def _gives(gsim: Any, imt: str, ctx: NDArray[Any], options: dict[str, Any]) -> bool:
    """Whether a GSIM gives a measure at this rupture."""
    kinds = {kind.__name__ for kind in gsim.DEFINED_FOR_INTENSITY_MEASURE_TYPES}
    try:
        if kinds and from_string(imt).string.split("(")[0] not in kinds:
            return False
        simple_cmaker([gsim], [imt], **options).get_mean_stds([ctx])
    except (KeyError, ValueError, NotImplementedError):
        return False
    return True


def _conditions(ctx: np.recarray) -> dict[str, NDArray[np.float64]]:
    """The conditions that the ruptures have."""
    names = [name for name in ALL_CONDITIONS if name in (ctx.dtype.names or ())]
    return {name: np.asarray(ctx[name], dtype=np.float64) for name in names}


def _table(found: list[dict[str, NDArray[np.float64]]]) -> dict[str, NDArray[np.float64]]:
    """The conditions of all ruptures that every group has."""
    common = set.intersection(*(set(part) for part in found))
    return {
        name: np.concatenate([part[name] for part in found])
        for name in ALL_CONDITIONS
        if name in common
    }


def _branch(gsim: GenerativeWaveformGMM, parts: list[_Part]) -> WaveformBranch:
    """A GWM branch whose ruptures came in several pieces, maybe of several tectonic regions."""
    names = dict.fromkeys(part.name for part in parts)
    rows = [p.start + np.arange(len(next(iter(p.conditions.values())))) for p in parts]
    conditions = {k: np.concatenate([p.conditions[k] for p in parts]) for k in parts[0].conditions}
    return WaveformBranch(", ".join(names), gsim, np.concatenate(rows), conditions)
