"""Range accounting: how much of the hazard comes from outside a model's range of validity.

In a job.ini::

    postproc_func = gwm_hazard.range_accounting
    postproc_args = {"threshold": 0.1}

For every site, GWM branch, measure and poe of the job: the share of the rate with which the
hazard level of a realization with the branch is exceeded that comes from rupture-site pairs of
the branch where a condition is outside the model's range, by condition and in total (a pair may be
outside in several). A realization may hold the branch in one tectonic region of many: the share is
that of the realization's whole hazard. Over realizations it is averaged by their weights. These
pairs were computed at the bound, so a share says how much of a number rests on extrapolation,
not how wrong it is. ``gwm_hazard.waveforms`` does it too.
"""

import csv
import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gwm_hazard.core.units import CONDITIONS
from gwm_hazard.errors import InputError
from gwm_hazard.files.atomic import replacing
from gwm_hazard.files.provenance import software_versions
from gwm_hazard.openquake.conditions import outside_of
from gwm_hazard.openquake.curves import Curves, levels_at
from gwm_hazard.openquake.rates import Branch, Comparison, branches, rates_of
from gwm_hazard.openquake.ruptures import pairs as pairs_of

log = logging.getLogger(__name__)

Array = NDArray[np.float64]

#: Share of the hazard from outside the range above which the log warns.
THRESHOLD = 0.1


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


def range_accounting(dstore: Any, threshold: float = THRESHOLD, plots: bool = True) -> None:
    """Account for the ranges of all GWM branches; log, table and picture into ``export_dir``.

    Parameters
    ----------
    dstore : OpenQuake's datastore
    threshold : share above which the log has a warning, 0 to 1
    plots : draw the picture too

    Raises
    ------
    ValueError
        A threshold that is no share, a job without ``poes`` or without curves by branch.
    """
    if not 0.0 <= threshold <= 1.0:
        raise InputError(f"postproc_args: threshold = {threshold}: must be from 0 to 1")
    source = dstore.parent if dstore.parent else dstore
    oq = dstore["oqparam"]
    if oq.calculation_mode == "disaggregation" and "disagg-rlzs" not in dstore:
        return  # called for the classical half of the job: once is enough
    if not oq.poes:
        raise InputError("range accounting needs hazard levels: give poes in the job.ini")
    curves = Curves(source)
    used = branches(curves)
    if not used:
        log.warning("no branch with GenerativeWaveformGMM: no ranges to account for")
        return
    found = shares(curves, used, list(oq.poes))
    folder = Path(oq.export_dir)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"range_accounting_{dstore.calc_id}.csv"
    write_table(path, source, found, list(oq.poes))
    log.warning("wrote %s", path)
    for one in found:
        _report(one, list(oq.imtls), list(oq.poes), threshold)
    if plots:
        path = path.with_suffix(".png")
        with replacing(path) as temporary:
            figure(found, list(oq.imtls), list(oq.poes), oq.description).savefig(
                temporary, dpi=130, format="png"
            )
        log.warning("wrote %s", path)


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
    names = {b.id: b.gsim.sources.asked for b in found}
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
            masks = list(outside_of(branch.gsim.sources, pairs.ctx).values())
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
        rates = curves.of_realizations(int(site), realizations)
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
    names = branch.gsim.sources.asked
    n_sites, n_imts, _ = rows.shape
    iml = np.full((n_sites, n_imts, len(poes)), np.nan)
    mean = np.full((*iml.shape, len(names) + 1), np.nan)
    member = curves.membership[list(outside)][:, branch.realizations]
    for n, site in enumerate(curves.sites.sids):
        rates = curves.of_realizations(int(site), branch.realizations)
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
            for p in range(len(poes)):
                reached = level[:, p] > 0
                if weights[reached].sum() > 0:
                    w = weights[reached] / weights[reached].sum()
                    iml[n, m, p] = w @ level[reached, p]
                    mean[n, m, p] = w @ share[reached, p]
    return Shares(branch, names, iml, mean[..., -1], mean[..., :-1])


def write_table(path: Path, dstore: Any, found: list[Shares], poes: list[float]) -> None:
    """One row for each branch, site, measure and poe; the first line says where it is from."""
    oq = dstore["oqparam"]
    sites = dstore["sitecol"]
    conditions = list(dict.fromkeys(n for s in found for n in s.names))
    header = ["branch", "site_id", "lon", "lat", "imt", "poe", "iml", "outside"]
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        about = {
            "calculation": dstore.calc_id,
            "investigation_time_years": oq.investigation_time,
            "ranges": {s.branch.id: s.branch.gsim.sources.ranges for s in found},
            "software": software_versions(),
        }
        stream.write(f"# shares of the exceedance rate; {json.dumps(about)}\n")
        writer = csv.writer(stream)
        writer.writerow([*header, *(f"outside_{c}" for c in conditions)])
        for s in found:
            for n, m, p in np.ndindex(s.total.shape):
                parts = dict(zip(s.names, s.by_condition[n, m, p], strict=True))
                writer.writerow(
                    [
                        s.branch.id,
                        n,
                        f"{sites.lons[n]:.5f}",
                        f"{sites.lats[n]:.5f}",
                        list(oq.imtls)[m],
                        poes[p],
                        f"{s.iml[n, m, p]:.6g}",
                        f"{s.total[n, m, p]:.6f}",
                        *(f"{parts[c]:.6f}" if c in parts else "" for c in conditions),
                    ]
                )


def _report(s: Shares, imts: list[str], poes: list[float], threshold: float) -> None:
    if not np.isfinite(s.total).any():
        log.warning("range of branch %s: no hazard curve reaches the poes", s.branch.id)
        return
    n, m, p = np.unravel_index(np.nanargmax(s.total), s.total.shape)
    worst = float(s.total[n, m, p])
    parts = sorted(zip(s.by_condition[n, m, p], s.names, strict=True), reverse=True)
    causes = ", ".join(
        f"{100 * v:.1f} % with {name} outside {low:g} to {high:g} {CONDITIONS[name].unit}"
        for v, name in parts
        if v > 0
        for low, high in [s.branch.gsim.sources.ranges[name]]
    )
    message = (
        f"range of branch {s.branch.id} (model {s.branch.gsim.card.name!r}): at most "
        f"{100 * worst:.1f} % of the hazard comes from outside, {imts[m]} at poe {poes[p]:g}, "
        f"site {n}" + (f": {causes}" if causes else "")
    )
    if worst > threshold:
        over = int((s.total > threshold).sum())
        log.warning(
            "%s. %d of %d hazard levels are above the threshold of %g %%: the model does not "
            "cover the sources of this job",
            message,
            over,
            np.isfinite(s.total).sum(),
            100 * threshold,
        )
    else:
        log.info(message)


def figure(found: list[Shares], imts: list[str], poes: list[float], description: str) -> Figure:
    """Shares by condition, the site with the largest one; a row a branch, a column a poe."""
    size = (max(4.6 * len(poes) + 2.2, 8.4), 3.2 * len(found) + 1.0)
    picture = Figure(figsize=size, layout="constrained")
    axes = picture.subplots(len(found), len(poes), squeeze=False, sharey=True)
    colours = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
    x = np.arange(len(imts))
    for row, s in enumerate(found):
        for p, poe in enumerate(poes):
            ax = axes[row, p]
            totals = np.nan_to_num(s.total[:, :, p])
            site = int(np.argmax(totals.max(axis=1)))
            width = 0.8 / (len(s.names) + 1)
            ax.bar(x - 0.4 + width / 2, 100 * totals[site], width, color="0.25", label="any")
            for j, name in enumerate(s.names):
                low, high = s.branch.gsim.sources.ranges[name]
                ax.bar(
                    x - 0.4 + (j + 1.5) * width,
                    100 * np.nan_to_num(s.by_condition[site, :, p, j]),
                    width,
                    color=colours[j % len(colours)],
                    label=f"{name} ({low:g} to {high:g} {CONDITIONS[name].unit})",
                )
            ax.set_xticks(x, imts, rotation=60, fontsize=8)
            ax.set_ylim(0.0, max(1.0, 110 * max(np.nan_to_num(t.total).max() for t in found)))
            if not totals[site].any():  # an empty panel would look like a failure
                ax.text(0.5, 0.45, "0 % for all measures", transform=ax.transAxes, ha="center")
            model = f"{s.branch.gsim.card.name} ({s.branch.id})"
            ax.set_title(f"{model}, poe {poe:g}, site {site}", fontsize=10)
            ax.grid(axis="y", color="0.9", lw=0.6)
            ax.set_axisbelow(True)
        axes[row, 0].set_ylabel("share of the exceedance rate (%)")
        beside = {"loc": "center left", "bbox_to_anchor": (1.01, 0.5), "frameon": False}
        axes[row, -1].legend(**beside, fontsize=8, title="outside the range", title_fontsize=8)
    picture.suptitle(
        f"Hazard from outside the model's range of validity. {description}", fontsize=11
    )
    return picture
