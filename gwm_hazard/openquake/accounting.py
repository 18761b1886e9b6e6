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
from pathlib import Path

import numpy as np
from openquake.commonlib.datastore import DataStore

from gwm_hazard.core.units import ALL_CONDITIONS
from gwm_hazard.errors import InputError
from gwm_hazard.files.atomic import replacing
from gwm_hazard.files.provenance import software_versions
from gwm_hazard.openquake.curves import Curves
from gwm_hazard.openquake.figures import range_shares
from gwm_hazard.openquake.rates import branches
from gwm_hazard.openquake.shares import Shares, shares

log = logging.getLogger(__name__)

#: Share of the hazard from outside the range above which the log warns.
THRESHOLD = 0.1


def range_accounting(dstore: DataStore, threshold: float = THRESHOLD, plots: bool = True) -> None:
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
    oq = dstore["oqparam"]
    if oq.calculation_mode == "disaggregation" and "disagg-rlzs" not in dstore:
        return  # called for the classical half of the job: once is enough
    if not oq.poes:
        raise InputError("range accounting needs hazard levels: give poes in the job.ini")
    curves = Curves(dstore)
    used = branches(curves)
    if not used:
        log.warning("no branch with GenerativeWaveformGMM: no ranges to account for")
        return
    found = shares(curves, used, list(oq.poes))
    folder = Path(oq.export_dir)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"range_accounting_{dstore.calc_id}.csv"
    write_table(path, curves, found, list(oq.poes))
    log.info("wrote %s", path)
    for one in found:
        _report(one, list(oq.imtls), list(oq.poes), threshold)
    if plots:
        path = path.with_suffix(".png")
        with replacing(path) as temporary:
            range_shares(found, list(oq.imtls), list(oq.poes), oq.description).savefig(
                temporary, dpi=130, format="png"
            )
        log.info("wrote %s", path)


def write_table(path: Path, curves: Curves, found: list[Shares], poes: list[float]) -> None:
    """One row for each branch, site, measure and poe; the first line says where it is from."""
    oq, sites = curves.oq, curves.sites
    conditions = list(dict.fromkeys(n for s in found for n in s.names))
    header = ["branch", "site_id", "lon", "lat", "imt", "poe", "iml", "outside"]
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as stream:
        about = {
            "calculation": curves.dstore.calc_id,
            "investigation_time_years": oq.investigation_time,
            "ranges": {s.branch.id: s.branch.gsim.conditioning.ranges for s in found},
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
        f"{100 * v:.1f} % with {name} outside {low:g} to {high:g} {ALL_CONDITIONS[name].unit}"
        for v, name in parts
        if v > 0
        for low, high in [s.branch.gsim.conditioning.ranges[name]]
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
