"""The ruptures and branches behind the hazard of a site, from a finished calculation."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from openquake.hazardlib import map_array
from openquake.hazardlib.contexts import simple_cmaker

from gwm_hazard.openquake.gsim import GenerativeWaveformGMM, conditions_of
from gwm_hazard.openquake.rates import pairs
from gwm_hazard.suite.contributions import Contributions
from gwm_hazard.units import CONDITIONS

#: Share of the rate of exceedance that ruptures may be left out for.
NEGLIGIBLE = 1e-6


@dataclass(frozen=True)
class WaveformBranch:
    """A GWM branch: rows of the contributions, and the conditions of its model there."""

    name: str
    gsim: GenerativeWaveformGMM
    rows: NDArray[np.int64]
    conditions: dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class SiteHazard:
    """Contributions at a site, and the GWM branches among them."""

    contributions: Contributions
    waveforms: tuple[WaveformBranch, ...]
    site: int
    lon: float
    lat: float
    investigation_time: float


def site_hazard(dstore: Any, imts: tuple[str, ...], site: int = 0) -> SiteHazard:
    """All ruptures of a classical or disaggregation calculation that reach a site.

    Parameters
    ----------
    dstore : OpenQuake's datastore
    imts : measures to ask the branches for; they need not be those of the job
    site : id of the site

    Raises
    ------
    ValueError
        An event-based calculation, a site that is not there, ruptures that are not stored, a
        measure that a branch does not give.
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
    names = {b.gsim: b.id for b in full_lt.gsim_lt.branches}
    branches = tuple(dict.fromkeys(names.values()))

    rates, means, sigmas, rows, ids, found = [], [], [], [], [], []
    waveforms: dict[str, list[tuple[Any, int, dict[str, NDArray[np.float64]]]]] = {}
    ruptures, start = 0, 0
    for cmaker, group in pairs(source):
        ctx = group[group["sids"] == site].view(np.recarray)
        if not len(ctx):
            continue
        mean, sigma = _moments(cmaker, ctx, imts)
        occurrence = np.asarray(cmaker.get_occ_rates(ctx), dtype=np.float64)
        found.append(ctx)
        for g, (gsim, realizations) in enumerate(cmaker.gsims.items()):
            weight = weights[np.asarray(realizations, dtype=np.int64)].sum()
            if weight == 0:
                continue
            name = names.get(gsim, str(gsim).strip())
            rates.append(weight * occurrence)
            means.append(mean[g])
            sigmas.append(sigma[g])
            rows.append(ruptures + np.arange(len(ctx)))
            ids.append(np.full(len(ctx), branches.index(name)))
            if isinstance(gsim, GenerativeWaveformGMM):
                part = (gsim, start, conditions_of(gsim, ctx))
                waveforms.setdefault(name, []).append(part)
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
        tuple(_branch(name, parts) for name, parts in waveforms.items()),
        site,
        float(sites.lons[site]),
        float(sites.lats[site]),
        float(oq.investigation_time),
    )


def mean_level(dstore: Any, imt: str, poe: float, site: int = 0) -> float:
    """The level of a measure on OpenQuake's own mean hazard curve, in OpenQuake's unit.

    Raises
    ------
    ValueError
        A measure without a curve, or a poe that the curve does not reach.
    """
    source = dstore.parent if dstore.parent else dstore
    oq = dstore["oqparam"]
    if imt not in oq.imtls:
        raise ValueError(f"imt = {imt!r}: the job has curves of {', '.join(oq.imtls)}")
    key = "hcurves-stats" if "hcurves-stats" in source else "hcurves-rlzs"
    curve = source[key][site, 0, list(oq.imtls).index(imt)]
    if not curve[-1] < poe < curve[0]:
        raise ValueError(
            f"poe = {poe:g}: the curve of {imt} goes from {curve[0]:.3g} to {curve[-1]:.3g} in "
            f"{oq.investigation_time:g} years; take a poe inside it or more levels in the job"
        )
    return float(map_array.compute_hazard_maps(curve[None, :], oq.imtls[imt], [poe])[0, 0])


def _moments(
    cmaker: Any, ctx: np.recarray, imts: tuple[str, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and total sigma of ln IM by GSIM, (n_gsims, n_ruptures, n_imts)."""
    asked = simple_cmaker(list(cmaker.gsims), imts, truncation_level=cmaker.truncation_level)
    try:
        moments = asked.get_mean_stds([ctx])  # (4, G, M, U)
    except (KeyError, ValueError, NotImplementedError) as exc:
        raise ValueError(
            f"a branch of {', '.join(str(g).splitlines()[0] for g in cmaker.gsims)} does not give "
            f"all of {', '.join(imts)} ({exc}): leave the measure out (--imts, --periods)"
        ) from exc
    return moments[0].transpose(0, 2, 1), moments[1].transpose(0, 2, 1)


def _table(found: list[np.recarray]) -> dict[str, NDArray[np.float64]]:
    """The conditions of all ruptures that every group has."""
    common = set.intersection(*(set(ctx.dtype.names or ()) for ctx in found))
    return {
        name: np.concatenate([np.asarray(ctx[name], dtype=np.float64) for ctx in found])
        for name in CONDITIONS
        if name in common
    }


def _branch(
    name: str, parts: list[tuple[Any, int, dict[str, NDArray[np.float64]]]]
) -> WaveformBranch:
    """A GWM branch whose ruptures came in several groups."""
    gsim = parts[0][0]
    rows = [start + np.arange(len(next(iter(c.values())))) for _, start, c in parts]
    conditions = {k: np.concatenate([c[k] for _, _, c in parts]) for k in parts[0][2]}
    return WaveformBranch(name, gsim, np.concatenate(rows), conditions)
