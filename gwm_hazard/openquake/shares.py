"""Shares of a finished calculation's hazard from outside the range of validity of a model."""

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.openquake.curves import Curves, levels_at
from gwm_hazard.openquake.rates import Branch, Comparison, rates_of
from gwm_hazard.openquake.ruptures import pairs as pairs_of

log = logging.getLogger(__name__)

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Shares:
    """Shares of the hazard of a branch.

    Attributes
    ----------
    branch : the branch
    names : conditions that OpenQuake gives the model
    iml : (n_sites, n_imts, n_poes), mean over the branch's realizations by their weights
    total : (n_sites, n_imts, n_poes) from pairs outside in any condition; NaN where no curve
        reaches the poe
    by_condition : (n_sites, n_imts, n_poes, n_conditions)
    """

    branch: Branch
    names: tuple[str, ...]
    iml: NDArray[np.float64]
    total: NDArray[np.float64]
    by_condition: NDArray[np.float64]


def shares(curves: Curves, found: list[Branch], poes: list[float]) -> list[Shares]:
    """Shares of the exceedance rate from outside the range, by site, measure and poe.

    The level is that of each realization with the branch, where the branch's own ruptures may be
    a part of those that reach it; shares and levels are averaged with the weights of the
    realizations whose curve reaches the poe.

    Raises
    ------
    RatesDifferError
        The rates of the ruptures do not sum to OpenQuake's own.
    """
    rows = _rows(curves, found, poes)
    imts = tuple(curves.imtls)
    gids = tuple(g.number for g in curves.gids for b in found if g.gsim == b.gsim)
    comparison = Comparison(curves, gids, rows)
    names = {b.id: b.gsim.conditioning.asked for b in found}
    outside = [
        np.zeros((*rows.shape, len(names[b.id]) + 1))
        for g in gids
        for b in found
        if curves.gids[g].gsim == b.gsim
    ]
    for pairs in pairs_of(curves, gsims=[b.gsim for b in found]):
        site = np.searchsorted(curves.sites.sids, pairs.ctx["sids"])
        for branch in found:
            gid = pairs.gid(branch.gsim)
            if gid is None:
                continue
            rate = rates_of(pairs, branch.gsim, imts, comparison.at(pairs))
            comparison.add(pairs, gid, rate)
            masks = list(branch.gsim.conditioning.outside(pairs.ctx).values())
            masks.append(np.any(masks, axis=0))
            for j, mask in enumerate(masks):
                if mask.any():
                    np.add.at(outside[gids.index(gid)][..., j], site[mask], rate[mask])
    log.info(
        "summed rates within %.3g %% of OpenQuake's own, %d comparisons",
        100.0 * comparison.check(),
        np.isfinite(comparison.ratio).sum(),
    )
    by_branch = {
        b.id: {g: o for g, o in zip(gids, outside, strict=True) if curves.gids[g].gsim == b.gsim}
        for b in found
    }
    return [_averaged(curves, b, poes, rows, by_branch[b.id]) for b in found]


def _rows(curves: Curves, found: list[Branch], poes: list[float]) -> NDArray[np.int64]:
    """Rows (n_sites, n_imts, k) of the job's levels beside those of the realizations at the poes.

    Ascending, the last ones repeated where there are fewer.
    """
    realizations = np.unique(np.concatenate([b.realizations for b in found]))
    chosen: list[list[NDArray[np.int64]]] = []
    for site in curves.sites.sids:
        mine = []
        rates = curves.of_realizations(int(site), curves.alike(int(site), realizations)[0])
        for m in range(rates.shape[1]):
            _, below, _ = levels_at(_poes(curves, rates[:, m]), curves.levels[m], np.array(poes))
            mine.append(np.unique([below, np.minimum(below + 1, rates.shape[2] - 1)]))
        chosen.append(mine)
    longest = max(len(r) for mine in chosen for r in mine)
    return np.array([[np.pad(r, (0, longest - len(r)), "edge") for r in mine] for mine in chosen])


def _poes(curves: Curves, rates: Array) -> Array:
    return -np.expm1(-rates * curves.years)


def _averaged(
    curves: Curves,
    branch: Branch,
    poes: list[float],
    rows: NDArray[np.int64],
    outside: dict[int, Array],
) -> Shares:
    """Average over the realizations of a branch; ``outside`` (n_sites, n_imts, k, c) by gid."""
    names = branch.gsim.conditioning.asked
    n_sites, n_imts, _ = rows.shape
    iml = np.full((n_sites, n_imts, len(poes)), np.nan)
    mean = np.full((*iml.shape, len(names) + 1), np.nan)
    for n, site in enumerate(curves.sites.sids):
        different, like = curves.alike(int(site), branch.realizations)
        member = curves.membership[list(outside)][:, different]
        rates = curves.of_realizations(int(site), different)
        for m, imt in enumerate(curves.imtls):
            level, below, way = levels_at(
                _poes(curves, rates[:, m]), curves.levels[m], np.array(poes)
            )
            parts = np.stack([o[n, m] for o in outside.values()])  # (gids, k, c)
            of_rlz = np.tensordot(member, parts, axes=(0, 0))  # (realizations, k, c)
            share = np.zeros((*below.shape, len(names) + 1))
            for step, portion in ((0, 1.0 - way), (1, way)):
                at = np.minimum(below + step, rates.shape[2] - 1)
                column = np.searchsorted(rows[n, m], at)
                part = np.take_along_axis(of_rlz, column[..., None], axis=1)
                whole = np.take_along_axis(rates[:, m], at, axis=1)[..., None]
                ratio = np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
                share = share + portion[..., None] * ratio
            weights = curves.weights(imt)[branch.realizations]
            if not weights.any():  # a branch that is there to be compared
                weights = np.ones_like(weights)
            weights = np.bincount(like, weights, len(different)).astype(np.float64)
            for p in range(len(poes)):
                reached = level[:, p] > 0
                if weights[reached].sum() > 0:
                    w = weights[reached] / weights[reached].sum()
                    iml[n, m, p] = w @ level[reached, p]
                    mean[n, m, p] = w @ share[reached, p]
    return Shares(branch, names, iml, mean[..., -1], mean[..., :-1])
