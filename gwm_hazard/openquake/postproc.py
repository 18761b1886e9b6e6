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
from openquake.commonlib.datastore import DataStore

from gwm_hazard.catalogue.stream import Block, Plan, write_catalogue
from gwm_hazard.core.draws import Draws
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.errors import InputError
from gwm_hazard.openquake import figures
from gwm_hazard.openquake.accounting import THRESHOLD, range_accounting
from gwm_hazard.openquake.component import component_of
from gwm_hazard.openquake.curves import Curves, levels_at
from gwm_hazard.openquake.gsim import conditions_of, model_name, model_of
from gwm_hazard.openquake.rates import Branch, Comparison, branches, rates_of
from gwm_hazard.openquake.ruptures import pairs as pairs_of

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


#: Distances that a catalogue tells beside the conditions of the model.
DISTANCES = ("rrup", "rhypo", "rjb")


@dataclass(frozen=True)
class Controlling:
    """Rupture-site pairs of one site and branch with their share of an exceedance rate.

    Attributes
    ----------
    ctx : (n,) structured array of what OpenQuake has of the pairs
    conditions : {name: (n,)} of the model
    numbers : (n,) OpenQuake's numbers of the ruptures
    share : (n,) of the rate; sums to 1
    iml : the level
    """

    ctx: NDArray[Any]
    conditions: dict[str, NDArray[np.float64]]
    numbers: NDArray[np.int64]
    share: NDArray[np.float64]
    iml: float


def waveforms(
    dstore: DataStore,
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
    drawn: list[Path] = []
    if waveforms > 0:
        imt = imt or next(iter(oq.imtls))
        if imt not in oq.imtls:
            raise InputError(
                f"postproc_args: imt = {imt!r} is not in intensity_measure_types_and_levels: "
                f"take one of {', '.join(oq.imtls)}"
            )
        drawn = write_catalogues(
            dstore, folder / name, imt, waveforms, oq.random_seed if seed is None else seed
        )
    if oq.poes:
        range_accounting(dstore, threshold, plots)
    export_tables(dstore)
    if plots:
        for path in figures.draw_all(dstore, folder, drawn):
            log.info("wrote %s", path)


def export_tables(dstore: DataStore) -> None:
    """OpenQuake's own CSV exports, into ``export_dir``.

    ``oq engine --run`` ignores the ``exports`` of a job.ini unless it is given ``--exports``.
    """
    wanted = {"realizations": True, "hcurves": "hcurves-rlzs" in dstore}
    wanted["uhs"] = wanted["hcurves"] and dstore["oqparam"].uniform_hazard_spectra
    wanted |= {key: key in dstore for key in ("disagg-rlzs", "disagg-stats")}
    for key, there in wanted.items():
        if there:
            export((key, "csv"), dstore)


def write_catalogues(dstore: DataStore, path: Path, imt: str, n: int, seed: int) -> list[Path]:
    """Draw ``n`` accelerograms for each site, GWM branch and poe, in a stream.

    A catalogue holds the waveforms of one model: of several models each gets a file, with the
    name of the model added to ``path``.
    """
    curves = Curves(dstore)
    found = branches(curves)
    if not found:
        log.warning("no branch with GenerativeWaveformGMM: no waveforms are drawn")
        return []
    sampled = list(_sampled(dstore, curves, found, imt, n, seed))
    by_model: dict[str, list[_Sampled]] = {}
    for job in sampled:
        by_model.setdefault(model_name(job.branch.gsim), []).append(job)
    written = []
    for model, jobs in by_model.items():
        file = path
        if len(by_model) > 1:
            file = path.with_name(f"{path.stem}_{Path(model).name}{path.suffix}")
        if jobs:
            _write_catalogue(dstore, file, jobs, seed)
            written.append(file)
    return written


@dataclass(frozen=True)
class _Sampled:
    """Draws for a site, GWM branch and poe, with the columns of a catalogue."""

    branch: Branch
    draws: Draws
    columns: dict[str, NDArray[Any]]


def _write_catalogue(dstore: DataStore, path: Path, jobs: list[_Sampled], seed: int) -> None:
    oq = dstore["oqparam"]
    # OpenQuake does not have every distance in every branch.
    names = [k for k in jobs[0].draws.scenarios if all(k in j.draws.scenarios for j in jobs)]
    draws = Draws.concat(
        [Draws(Scenarios(**{k: j.draws.scenarios[k] for k in names}), j.draws.noise) for j in jobs]
    )
    columns = {k: np.concatenate([job.columns[k] for job in jobs]) for k in _EXTRA}

    def block(start: int, stop: int) -> Block:
        part = draws.take(slice(start, stop))
        return Block(
            part.scenarios, part.model_noise, {k: v[start:stop] for k, v in columns.items()}
        )

    provenance = {
        "calculation_id": str(dstore.calc_id),
        "calculation": oq.description,
        "investigation_time_years": str(oq.investigation_time),
        "checksum": str(dstore["/"].attrs.get("checksum32", "")),
        "component": component_of(oq),
    }
    plan = Plan(
        model_of(jobs[0].branch.gsim),
        len(draws),
        block,
        seed,
        tuple(dict.fromkeys([*oq.imtls, *STANDARD_MEASURES])),
        extra=_EXTRA,
        provenance=provenance,
        component=component_of(oq),
    )
    # A calculation that runs again has another number: parts of a killed one are of no use.
    write_catalogue(
        path,
        plan,
        resume=False,
        progress=lambda share: log.info(
            "waveforms: %d of %d", round(share * len(draws)), len(draws)
        ),
    )
    log.info("wrote %s: %d accelerograms", path, len(draws))


def _sampled(
    dstore: DataStore, curves: Curves, found: list[Branch], imt: str, n: int, seed: int
) -> Iterator[_Sampled]:
    """Scenarios and keys for each site, GWM branch and poe."""
    oq = dstore["oqparam"]
    event = 0
    for branch in found:
        for site in curves.sites.sids:
            controls = controlling(curves, branch, int(site), imt, list(oq.poes))
            for poe, control in zip(oq.poes, controls, strict=True):
                if control is None:
                    log.warning(
                        "branch %s, site %d: no rupture of it exceeds the level of %s at poe %g; "
                        "no waveforms are drawn there", branch.id, site, imt, poe
                    )  # fmt: skip
                    event += n
                    continue
                # A seeded draw of its own, apart from the noise of the waveforms.
                rng = np.random.default_rng([seed, event, int(site)])
                pick = np.sort(rng.choice(len(control.share), n, p=control.share))
                ctx = control.ctx[pick]
                columns = {name: values[pick] for name, values in control.conditions.items()}
                for name in DISTANCES:
                    if name in (ctx.dtype.names or ()) and name not in columns:
                        values = np.asarray(ctx[name], dtype=np.float64)
                        if np.isfinite(values).all():  # OpenQuake leaves some columns empty
                            columns[name] = values
                noise = Noise(seed, np.arange(event, event + n), int(site), 0)
                event += n
                yield _Sampled(
                    branch,
                    Draws(Scenarios(**columns), noise),
                    {
                        "branch": np.full(n, branch.id, dtype=object),
                        "poe": np.full(n, poe),
                        "imt": np.full(n, imt, dtype=object),
                        "iml": np.full(n, control.iml),
                        "share": control.share[pick],
                        "rup_id": control.numbers[pick],
                    },
                )


def controlling(
    curves: Curves, branch: Branch, site: int, imt: str, poes: list[float]
) -> list[Controlling | None]:
    """Share of each rupture in the rate at which ``imt`` exceeds the branch's level, by poe.

    The level is that of the mean curve of the realizations with the branch; a rupture counts with
    the weights of those that hold it under this branch. Ruptures of tectonic regions to which the
    GSIM does not apply are left out. None where no rupture of the branch exceeds the level.

    Raises
    ------
    ValueError
        Ruptures and sources not stored, or no hazard at a poe.
    RatesDifferError
        The rates of the ruptures do not sum to OpenQuake's own.
    """
    m = list(curves.imtls).index(imt)
    curve = curves.mean_poes(site, branch.realizations, imt)
    levels, below, _ = levels_at(curve, curves.levels[m], np.array(poes))
    for poe, level in zip(poes, levels, strict=True):
        if level <= 0:
            raise InputError(
                f"no hazard level of {imt} at poe {poe} in {curves.years:g} years for site {site}: "
                "the curve does not reach it; take a larger poe or lower levels"
            )
    weights = curves.weights(imt)
    if not weights[branch.realizations].any():  # a branch that is there to be compared
        weights = np.ones_like(weights)
    mine = {g.number: weights[g.realizations].sum() for g in curves.gids if g.gsim == branch.gsim}
    comparison = Comparison(curves, tuple(mine), below[None, None], [site], [imt])
    asked = np.concatenate([levels, comparison.levels[0, 0]])[None]
    parts, rates = [], []
    for pairs in pairs_of(curves, site, [branch.gsim]):
        gid = pairs.gid(branch.gsim)
        if gid is None or not len(pairs):
            continue
        rate = rates_of(pairs, branch.gsim, (imt,), asked)
        comparison.add(pairs, gid, rate[..., len(poes) :])
        parts.append(pairs)
        rates.append(mine[gid] * rate[:, 0, : len(poes)])
    comparison.check()
    if not parts:
        return [None] * len(poes)
    found = [conditions_of(branch.gsim, pairs.ctx) for pairs in parts]
    conditions = {k: np.concatenate([c[k] for c in found]) for k in found[0]}
    ctx, numbers = _common([p.ctx for p in parts]), np.concatenate([p.numbers for p in parts])
    return [
        Controlling(ctx, conditions, numbers, rate / rate.sum(), float(level))
        if rate.sum() > 0
        else None
        for rate, level in zip(np.concatenate(rates).T, levels, strict=True)
    ]


def _common(parts: list[np.recarray]) -> NDArray[Any]:
    """Contexts of several groups, with the columns that all of them have."""
    first = parts[0].dtype
    names = [
        name
        for name in first.names or ()
        if name != "probs_occur" and all(name in (p.dtype.names or ()) for p in parts)
    ]
    out = np.empty(sum(map(len, parts)), dtype=[(name, first[name]) for name in names])
    for name in names:
        out[name] = np.concatenate([p[name] for p in parts])
    return out
