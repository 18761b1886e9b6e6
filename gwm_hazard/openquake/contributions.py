"""The ruptures and branches behind the hazard of a site, from a finished calculation."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from openquake.hazardlib import map_array
from openquake.hazardlib.contexts import simple_cmaker
from openquake.hazardlib.imt import from_string

from gwm_hazard.openquake.branch_names import branch_names
from gwm_hazard.openquake.gsim import GenerativeWaveformGMM, conditions_of
from gwm_hazard.openquake.rates import pairs
from gwm_hazard.suite.contributions import Contributions
from gwm_hazard.units import CONDITIONS


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

    ``lacking`` holds, for measures that not all branches give, the names of those without.
    """

    contributions: Contributions
    waveforms: tuple[WaveformBranch, ...]
    site: int
    lon: float
    lat: float
    investigation_time: float
    lacking: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class _Part:
    """A piece of a GWM branch: its first row and the conditions of the model."""

    name: str
    start: int
    conditions: dict[str, NDArray[np.float64]]


def site_hazard(dstore: Any, imts: tuple[str, ...], site: int = 0) -> SiteHazard:
    """All ruptures of a classical or disaggregation calculation that reach a site.

    Branches are lognormal, as in OpenQuake's disaggregation, also one with ``distribution =
    "empirical"``. Of several branches the annual rates are averaged; OpenQuake's mean curve has
    the average of the probabilities in the investigation time, the same for small ones. Two
    arrays (rows, measures) are held at once, rows being ruptures times branches.

    Parameters
    ----------
    dstore : OpenQuake's datastore
    imts : measures to ask the branches for; they need not be those of the job
    site : id of the site

    Raises
    ------
    ValueError
        An event-based calculation, a site that is not there, ruptures that are not stored, a
        spectral period that a branch does not give, another measure that none gives.
    """
    source = dstore.parent if dstore.parent else dstore
    oq = dstore["oqparam"]
    if oq.calculation_mode not in ("classical", "disaggregation"):
        raise ValueError(
            f"calculation_mode = {oq.calculation_mode}: a suite needs a classical or "
            "disaggregation calculation"
        )
    sites = source["sitecol"]
    if site not in sites.sids:
        raise ValueError(f"site = {site}: the calculation has sites 0 to {len(sites) - 1}")
    full_lt = source["full_lt"].init()
    weights = np.asarray(source["weights"][:], dtype=np.float64)
    weights = weights.reshape(len(weights), -1)[:, -1]
    names = branch_names(full_lt.gsim_lt)
    branches = tuple(dict.fromkeys(names.values()))

    rates, means, sigmas, rows, ids, found = [], [], [], [], [], []
    waveforms: dict[GenerativeWaveformGMM, list[_Part]] = {}
    lacking: dict[str, tuple[str, ...]] = {}
    ruptures, start = 0, 0
    for cmaker, pair in pairs(source, site):
        ctx = _possible(cmaker, pair)
        if not len(ctx):
            continue
        share = [weights[np.asarray(r, dtype=np.int64)].sum() for r in cmaker.gsims.values()]
        mean, sigma = _moments(cmaker, ctx, imts, names, np.array(share), lacking)
        occurrence = np.asarray(cmaker.get_occ_rates(ctx), dtype=np.float64)
        found.append(_conditions(ctx))
        for g, (gsim, weight) in enumerate(zip(cmaker.gsims, share, strict=True)):
            if weight == 0:
                continue
            name = names[cmaker.trt, gsim]
            rates.append(weight * occurrence)
            means.append(mean[g])
            sigmas.append(sigma[g])
            rows.append(ruptures + np.arange(len(ctx)))
            ids.append(np.full(len(ctx), branches.index(name)))
            if isinstance(gsim, GenerativeWaveformGMM):
                part = _Part(name, start, conditions_of(gsim, ctx))
                waveforms.setdefault(gsim, []).append(part)
            start += len(ctx)
        ruptures += len(ctx)
    if not rates:
        raise ValueError(f"site {site}: no rupture of the calculation reaches it")
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
        float(sites.lons[site]),
        float(sites.lats[site]),
        float(oq.investigation_time),
        lacking,
    )


def has_mean_curve(dstore: Any) -> bool:
    """Whether the calculation keeps mean hazard curves, or has one realization."""
    return _mean_curves(dstore) is not None


def _mean_curves(dstore: Any) -> Callable[[int], NDArray[np.float64]] | None:
    """A function of the site: its mean curves, (n_imts, n_levels); None where none are kept."""
    source = dstore.parent if dstore.parent else dstore
    statistics = list(dstore["oqparam"].hazard_stats())
    if "hcurves-stats" in source and "mean" in statistics:
        return lambda site: source["hcurves-stats"][site, statistics.index("mean")]
    if "hcurves-rlzs" in source and source["hcurves-rlzs"].shape[1] == 1:
        return lambda site: source["hcurves-rlzs"][site, 0]
    return None


def mean_level(dstore: Any, imt: str, poe: float, site: int = 0) -> float:
    """The level of a measure on OpenQuake's own mean hazard curve, in OpenQuake's unit.

    Raises
    ------
    ValueError
        A measure without a curve, or a poe that the curve does not reach.
    """
    oq = dstore["oqparam"]
    if imt not in oq.imtls:
        raise ValueError(f"imt = {imt!r}: the job has curves of {', '.join(oq.imtls)}")
    curves = _mean_curves(dstore)
    if curves is None:
        raise ValueError("the calculation has no mean hazard curves: set mean = true in the job")
    curve = curves(site)[list(oq.imtls).index(imt)]
    if not curve[-1] < poe < curve[0]:
        raise ValueError(
            f"poe = {poe:g}: the curve of {imt} goes from {curve[0]:.3g} to {curve[-1]:.3g} in "
            f"{oq.investigation_time:g} years; take a poe inside it or more levels in the job"
        )
    return float(map_array.compute_hazard_maps(curve[None, :], oq.imtls[imt], [poe])[0, 0])


def _possible(cmaker: Any, ctx: np.recarray) -> np.recarray:
    """The ruptures that occur at all, by magnitude: the order in which OpenQuake gives moments."""
    if not len(ctx):
        return ctx
    occurring = ctx[np.asarray(cmaker.get_occ_rates(ctx)) > 0]
    return occurring[np.argsort(occurring["mag"], kind="stable")].view(np.recarray)


def _moments(
    cmaker: Any,
    ctx: np.recarray,
    imts: tuple[str, ...],
    names: dict[tuple[str, Any], str],
    weights: NDArray[np.float64],
    lacking: dict[str, tuple[str, ...]],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and total sigma of ln IM by GSIM, (n_gsims, n_ruptures, n_imts).

    Where a GSIM lacks a measure other than SA, the mixture of those that give it stands in,
    rupture by rupture (Bradley 2010: each measure has models of its own); ``lacking`` is told.
    """
    options = {
        "truncation_level": cmaker.truncation_level,
        "horiz_comp_to_geom_mean": cmaker.horiz_comp,
    }
    gsims = list(cmaker.gsims)
    gives = np.array([[_gives(g, imt, ctx[:1], options) for imt in imts] for g in gsims])
    for m, imt in enumerate(imts):
        without = [g for g, there in zip(gsims, gives[:, m], strict=True) if not there]
        if not without:
            continue
        if imt.startswith("SA(") or not weights[gives[:, m]].sum() > 0:
            gsim = without[0]
            raise ValueError(
                f"imt = {imt!r}: branch {names[cmaker.trt, gsim]!r} ({type(gsim).__name__}) does "
                "not give it; leave it out (--imts, --periods, --first-mode), or take the branch "
                "out of the logic tree"
            )
        told = (*lacking.get(imt, ()), *(names[cmaker.trt, g] for g in without))
        lacking[imt] = tuple(dict.fromkeys(told))
    mean = np.full((len(gsims), len(ctx), len(imts)), np.nan)
    sigma = np.full_like(mean, np.nan)
    for g, gsim in enumerate(gsims):
        mine = [imt for imt, there in zip(imts, gives[g], strict=True) if there]
        asked = simple_cmaker([gsim], mine, **options)
        moments = asked.get_mean_stds([ctx])[:2, 0]  # (2, M, U)
        mean[g][:, gives[g]], sigma[g][:, gives[g]] = moments.transpose(0, 2, 1)
    for column in np.flatnonzero(~gives.all(axis=0)):
        there = gives[:, column]
        share = weights[there] / weights[there].sum()
        average = share @ mean[there, :, column]
        variance = share @ (sigma[there, :, column] ** 2 + (mean[there, :, column] - average) ** 2)
        mean[~there, :, column], sigma[~there, :, column] = average, np.sqrt(variance)
    return mean, sigma


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
    names = [name for name in CONDITIONS if name in (ctx.dtype.names or ())]
    return {name: np.asarray(ctx[name], dtype=np.float64) for name in names}


def _table(found: list[dict[str, NDArray[np.float64]]]) -> dict[str, NDArray[np.float64]]:
    """The conditions of all ruptures that every group has."""
    common = set.intersection(*(set(part) for part in found))
    return {
        name: np.concatenate([part[name] for part in found])
        for name in CONDITIONS
        if name in common
    }


def _branch(gsim: GenerativeWaveformGMM, parts: list[_Part]) -> WaveformBranch:
    """A GWM branch whose ruptures came in several pieces, maybe of several tectonic regions."""
    names = dict.fromkeys(part.name for part in parts)
    rows = [p.start + np.arange(len(next(iter(p.conditions.values())))) for p in parts]
    conditions = {k: np.concatenate([p.conditions[k] for p in parts]) for k in parts[0].conditions}
    return WaveformBranch(", ".join(names), gsim, np.concatenate(rows), conditions)
