"""After a classical or disaggregation calculation: the waveforms behind the hazard, and figures.

In a job.ini::

    postproc_func = gwm_hazard.waveforms
    postproc_args = {"imt": "SA(0.5)", "waveforms": 50}

Every branch with ``GenerativeWaveformGMM`` gets ``waveforms`` accelerograms for each site and
each of the job's ``poes``. Their scenarios are ruptures of the calculation, drawn in proportion
to their share of the rate at which ``imt`` exceeds the branch's own hazard level: the exact
disaggregation, without bins. The motions themselves are drawn given the scenario and are not
selected for exceeding the level. Range accounting, OpenQuake's tables and figures come with it.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from openquake.calculators.export import export

from gwm_hazard.catalogue.store import CatalogueWriter
from gwm_hazard.intensity import intensity_measures_array, parse_imt
from gwm_hazard.models.registry import load_model
from gwm_hazard.noise import Noise
from gwm_hazard.openquake import figures
from gwm_hazard.openquake.accounting import THRESHOLD, range_accounting
from gwm_hazard.openquake.gsim import GenerativeWaveformGMM, conditions_of
from gwm_hazard.openquake.rates import Branch, branches, hazard_levels, pairs, rates_of
from gwm_hazard.scenario import Scenarios

log = logging.getLogger(__name__)

#: Measures that every catalogue holds beside those of the job.
STANDARD_MEASURES = ("PGA", "PGV", "IA", "CAV", "RSD595", "RSD575", "RSD2080")

_EXTRA = {
    "branch": {"long_name": "logic-tree branch of the GMM"},
    "poe": {"long_name": "probability of exceedance in the investigation time", "units": "1"},
    "imt": {"long_name": "measure whose hazard the scenario was drawn from"},
    "iml": {"long_name": "hazard level of the branch", "units": "unit of imt"},
    "share": {"long_name": "share of the scenario in the exceedance rate", "units": "1"},
    "rup_id": {"long_name": "rupture of the calculation"},
}


@dataclass(frozen=True)
class Controlling:
    """Rupture-site pairs of one site and branch with their share of an exceedance rate."""

    ctx: np.recarray
    share: NDArray[np.float64]
    iml: float


def waveforms(
    dstore: Any,
    imt: str = "",
    waveforms: int = 50,
    seed: int | None = None,
    plots: bool = True,
    threshold: float = THRESHOLD,
) -> None:
    """Write waveforms, OpenQuake's tables and figures of a calculation into ``export_dir``.

    Parameters
    ----------
    dstore : OpenQuake's datastore
    imt : measure whose hazard picks the scenarios; by default the first of the job
    waveforms : accelerograms for each site, branch and poe; 0 for none
    seed : seed of the draws; by default the job's ``random_seed``
    plots : draw the figures too
    threshold : share of the hazard from outside a model's range above which the log warns

    Raises
    ------
    ValueError
        A measure that the job does not have, or a calculation without stored ruptures.
    """
    oq = dstore["oqparam"]
    if oq.calculation_mode == "disaggregation" and "disagg-rlzs" not in dstore:
        return  # called for the classical half of the job: once is enough
    folder = Path(oq.export_dir)
    folder.mkdir(parents=True, exist_ok=True)
    name = (
        "waveforms.h5"
        if oq.calculation_mode == "disaggregation"
        else f"waveforms_{dstore.calc_id}.h5"
    )
    if waveforms > 0:
        imt = imt or next(iter(oq.imtls))
        if imt not in oq.imtls:
            raise ValueError(
                f"postproc_args: imt = {imt!r} is not in intensity_measure_types_and_levels: "
                f"take one of {', '.join(oq.imtls)}"
            )
        write_catalogue(
            dstore, folder / name, imt, waveforms, oq.random_seed if seed is None else seed
        )
    if oq.poes:
        range_accounting(dstore, threshold, plots)
    export_tables(dstore)
    if plots:
        for path in figures.draw_all(dstore, folder, folder / name if waveforms else None):
            log.warning("wrote %s", path)


def export_tables(dstore: Any) -> None:
    """OpenQuake's own CSV exports, into ``export_dir``.

    ``oq engine --run`` ignores the ``exports`` of a job.ini unless it is given ``--exports``.
    """
    wanted = {"realizations": True, "hcurves": "hcurves-rlzs" in dstore}
    wanted["uhs"] = wanted["hcurves"] and dstore["oqparam"].uniform_hazard_spectra
    wanted |= {key: key in dstore for key in ("disagg-rlzs", "disagg-stats")}
    for key, there in wanted.items():
        if there:
            export((key, "csv"), dstore)


def write_catalogue(dstore: Any, path: Path, imt: str, n: int, seed: int) -> None:
    """Draw ``n`` accelerograms for each site, GWM branch and poe, in a stream."""
    oq = dstore["oqparam"]
    jobs = list(_sampled(dstore, imt, n, seed))
    if not jobs:
        log.warning("no branch with GenerativeWaveformGMM: no waveforms are drawn")
        return
    measures = tuple(dict.fromkeys([*oq.imtls, *STANDARD_MEASURES]))
    model = load_model(jobs[0][0].model, jobs[0][0].device)
    longest = max(int(model.npts(sc).max()) for _, sc, _, _ in jobs)
    provenance = {
        "calculation_id": str(dstore.calc_id),
        "calculation": oq.description,
        "investigation_time_years": str(oq.investigation_time),
        "checksum": str(dstore["/"].attrs.get("checksum32", "")),
    }
    units = {m: parse_imt(m).measure.unit for m in measures}
    done, total = 0, sum(len(sc) for _, sc, _, _ in jobs)
    with CatalogueWriter(path, model, longest, seed, units, _EXTRA, provenance) as writer:
        for gsim, scenarios, noise, extra in jobs:
            if gsim.model != jobs[0][0].model:
                raise ValueError(
                    f"branches with different models ({jobs[0][0].model!r}, {gsim.model!r}): "
                    "run them in separate jobs to get their waveforms"
                )
            for rows, acceleration in model.batches(scenarios, noise):
                values = intensity_measures_array(acceleration, model.dt_s, list(measures))
                writer.append(
                    acceleration,
                    scenarios.take(rows),
                    noise.take(rows),
                    {m: values[:, i] for i, m in enumerate(measures)},
                    {k: v[rows] for k, v in extra.items()},
                )
                done += len(rows)
                log.info("waveforms: %d of %d", done, total)
    log.warning("wrote %s: %d accelerograms", path, total)


def _sampled(
    dstore: Any, imt: str, n: int, seed: int
) -> Iterator[tuple[GenerativeWaveformGMM, Scenarios, Noise, dict[str, NDArray[Any]]]]:
    """Scenarios and keys for each site, GWM branch and poe."""
    oq = dstore["oqparam"]
    event = 0
    for branch in branches(dstore):
        gsim = branch.gsim
        if len(branch.realizations) > 1:
            log.warning(
                "%d realizations use branch %s: levels and shares are those of the first",
                len(branch.realizations),
                branch.id,
            )
        for site in dstore["sitecol"].sids:
            for poe in oq.poes:
                control = controlling(dstore, branch, int(site), imt, poe)
                # A seeded draw of its own, apart from the noise of the waveforms.
                rng = np.random.default_rng([seed, event, int(site)])
                pick = np.sort(rng.choice(len(control.share), n, p=control.share))
                ctx = control.ctx[pick].view(np.recarray)
                columns = conditions_of(gsim, ctx)
                for name in ("rrup", "rhypo", "rjb"):
                    if name in (ctx.dtype.names or ()) and name not in columns:
                        columns[name] = np.asarray(ctx[name], dtype=np.float64)
                noise = Noise(seed, np.arange(event, event + n), int(site), 0)
                event += n
                yield (
                    gsim,
                    Scenarios(**columns),
                    noise,
                    {
                        "branch": np.full(n, branch.id, dtype=object),
                        "poe": np.full(n, poe),
                        "imt": np.full(n, imt, dtype=object),
                        "iml": np.full(n, control.iml),
                        "share": control.share[pick],
                        "rup_id": np.asarray(ctx["rup_id"], dtype=np.int64),
                    },
                )


def controlling(dstore: Any, branch: Branch, site: int, imt: str, poe: float) -> Controlling:
    """Share of each rupture in the rate at which ``imt`` exceeds the branch's level for ``poe``.

    Ruptures of tectonic regions to which the GSIM does not apply are left out. Of several
    realizations (source models) with the branch, the first counts.

    Raises
    ------
    ValueError
        Ruptures and sources not stored, or no hazard at ``poe``.
    """
    oq = dstore["oqparam"]
    parent = dstore.parent if dstore.parent else dstore
    rlz = branch.realizations[0]
    levels = hazard_levels(parent, rlz, [poe])[:, [list(oq.imtls).index(imt)]]
    iml = float(levels[site, 0, 0])
    if iml <= 0:
        raise ValueError(
            f"no hazard level of {imt} at poe {poe} in {oq.investigation_time:g} years for site "
            f"{site}: the curve does not reach it; take a larger poe or lower levels"
        )
    parts, rates = [], []
    for cmaker, group in pairs(parent):
        if rlz not in cmaker.gsims.get(branch.gsim, ()):
            continue
        ctx = group[group["sids"] == site]
        if len(ctx):
            parts.append(ctx)
            rates.append(rates_of(cmaker, branch.gsim, ctx, (imt,), levels)[:, 0, 0])
    found = np.concatenate(parts).view(np.recarray)
    rate = np.concatenate(rates)
    return Controlling(found, rate / rate.sum(), iml)
