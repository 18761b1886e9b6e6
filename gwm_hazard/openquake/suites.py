"""Suites of accelerograms from a finished calculation: what ``gwm-hazard suite`` does."""

from __future__ import annotations

import copy
import functools
import logging
import time
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from openquake.commonlib.datastore import DataStore

from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.core.units import ALL_CONDITIONS
from gwm_hazard.errors import InputError
from gwm_hazard.files.provenance import software_versions
from gwm_hazard.intensity import canonical, parse_imt
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.models.matched import MatchedModel
from gwm_hazard.models.registry import load_model
from gwm_hazard.openquake import correlation as published_correlation
from gwm_hazard.openquake.curves import has_mean_curve, mean_level
from gwm_hazard.openquake.gsim import model_name, model_of
from gwm_hazard.openquake.model_paths import located
from gwm_hazard.openquake.site_hazard import (
    SiteHazard,
    WaveformBranch,
    site_hazard,
)
from gwm_hazard.suite.build import (
    DrawingBranch,
    Settings,
    check_consistency,
    make_suite,
    make_target,
    stripe_targets,
)
from gwm_hazard.suite.contributions import Contributions
from gwm_hazard.suite.correlation import controlling, measured
from gwm_hazard.suite.parts import Parts
from gwm_hazard.suite.study import Study, Suite
from gwm_hazard.suite.target import Correlation, Target, uniform_hazard

log = logging.getLogger(__name__)

#: Measures of a generalized conditional intensity measure target beside the spectrum.
GCIM = ("PGA", "PGV", "CAV", "RSD595")

#: Annual rates at which the consistency with the hazard curves is shown, and that of stripes
#: reaches to: from 100 to 2,500 years.
CHECKED_RATES = (1e-2, 4e-3, 2e-3, 1e-3, 4e-4)

#: Scenarios and draws that the correlation is measured from.
SCENARIOS, DRAWS = 50, 40

#: Relative difference between OpenQuake's level and that of the suite which the page tells.
LEVEL_DIFFERENCE = 0.02

#: Hazard curves of the page: levels a measure, and the rates they go from and to.
CURVE_LEVELS, CURVE_RATES = 30, (0.9, 1e-5)

Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Request:
    """What is asked for: the site, the hazard, and the settings of the suites.

    Attributes
    ----------
    poe : probability of exceedance in the job's investigation time; None for target "scenario",
        which has no level
    site : id, or (lon, lat), of which the nearest site of the job is taken
    imts : measures of the target; the conditioning one is added
    branches : GWM branches that draw, of one model; by default all, where each tectonic region has
        one
    correlation : "measured", or the name of a published model
    stripes : suites at so many levels; 0 for one at ``poe``
    settings : of the suites
    device : of the model
    shape : a model; all plain and matched branches draw with its waveforms, each matched to the
        spectra of its own GMM
    """

    poe: float | None
    settings: Settings
    imts: tuple[str, ...]
    site: int | tuple[float, float] = 0
    branches: tuple[str, ...] = ()
    correlation: str = "measured"
    stripes: int = 0
    device: str = "auto"
    shape: str = ""
    about: dict[str, Any] = field(default_factory=dict)


def make_study(
    dstore: DataStore,
    request: Request,
    progress: Progress | None = None,
    output: Path | None = None,
) -> tuple[Study, WaveformModel]:
    """Targets and suites for a site of a classical or disaggregation calculation, and their model.

    Parameters
    ----------
    output : folder in which finished suites are kept, and taken up again by the next run, until
        :func:`gwm_hazard.suite.parts.remove`; None keeps none

    Raises
    ------
    ValueError
        A site, branch, measure or poe that the calculation does not have; too few candidates.
    """
    started = time.perf_counter()
    settings = request.settings
    tell = progress or (lambda what, share: None)
    oq = dstore["oqparam"]
    rate = _rate(request, oq.investigation_time)
    site = _site(dstore, request.site)
    settings = replace(settings, imt=canonical(settings.imt) if settings.imt else "")
    request = replace(request, settings=settings)
    imts = _measures(request.imts, settings.imt)
    tell("hazard", 0.0)
    asked = tuple(sorted({*CHECKED_RATES, rate})) if request.stripes else (rate,)
    if rate <= 0:  # all ruptures as they occur
        asked = CHECKED_RATES
    hazard = site_hazard(
        dstore, imts, site, imt=settings.imt, annual_rates=asked, shape=request.shape
    )
    c = hazard.contributions
    drawing = _drawing_branch(hazard, request)
    log.info("suites of %s: measures in %s", drawing.branch, drawing.component)
    remarks = [
        f"{imt}: not given by {', '.join(without)}; the other branches stand in for it, rupture by "
        "rupture"
        for imt, without in hazard.lacking.items()
    ]
    remarks += _level_remarks(dstore, request, c, rate, site)
    correlation, told = _correlation(request, drawing, c, rate, imts)
    tell("hazard", 1.0)
    targets: tuple[Target, ...]
    if request.stripes:
        rarest = min(min(CHECKED_RATES), rate)
        targets = stripe_targets(c, correlation, rate, rarest, request.stripes, settings)
    else:
        targets = (make_target(c, correlation, rate, settings),)
    parts = Parts(output, c, drawing, correlation, settings) if output is not None else None
    suites: list[Suite] = []
    for i, target in enumerate(targets):
        what = f"suite {i + 1} of {len(targets)}" if len(targets) > 1 else "candidates"
        tell(what, 0.0)
        suite = parts.find(i, target) if parts else None
        if suite is None:
            now = functools.partial(tell, what)
            suite = make_suite(c, drawing, target, settings, correlation, now)
            if parts:
                parts.keep(i, suite)
        suites.append(suite)
        tell(what, 1.0)
    table = pd.DataFrame()
    if request.stripes:
        rates = [r for r in CHECKED_RATES if r < 0.8 * c.rate.sum()]
        table = check_consistency(c, suites, imts, rates)
    for remark in remarks:
        log.warning(remark)
    study = Study(
        tuple(suites),
        c,
        drawing.model.card,
        drawing.component,
        hazard.lon,
        hazard.lat,
        float(dstore["sitecol"].filtered([site]).vs30[0]),
        float(oq.investigation_time),
        _curves(c),
        table,
        {
            "calculation_id": int(dstore.calc_id),
            "calculation": oq.description,
            "checksum": str(dstore["/"].attrs.get("checksum32", "")),
            "site": site,
            "poe": request.poe,
            "branch": drawing.branch,
            "branches": list(c.branches),
            "settings": asdict(settings),
            "correlation": told,
            "stripes": request.stripes,
            "remarks": remarks,
            "seconds": time.perf_counter() - started,
            "draws": int(sum(s.candidates.draws for s in suites)),
            "software": software_versions(),
            **request.about,
        },
    )
    return study, drawing.model


def _rate(request: Request, years: float) -> float:
    """Annual rate of exceedance of the level; 0 where there is none."""
    if request.settings.target == "scenario":
        return 0.0
    if request.poe is None or not 0 < request.poe < 1:
        raise InputError(f"poe = {request.poe}: must be between 0 and 1")
    return float(-np.log1p(-request.poe) / years)


def _level_remarks(
    dstore: DataStore, request: Request, c: Contributions, rate: float, site: int
) -> list[str]:
    """What there is to say of the conditioning level; refuses a poe outside OpenQuake's curve."""
    settings = request.settings
    if settings.target not in ("cs", "gcim"):
        if not settings.imt:
            return []
        return [f"target {settings.target} is not conditional: {settings.imt} is a measure of many"]
    assert request.poe is not None
    if settings.imt not in dstore["oqparam"].imtls or not has_mean_curve(dstore):
        return [
            f"the calculation has no mean hazard curve of {settings.imt}: its level is that of the "
            "sum over ruptures, with nothing to hold it against"
        ]
    theirs = mean_level(dstore, settings.imt, request.poe, site)
    ours = c.level(settings.imt, rate)
    if abs(ours / theirs - 1.0) <= LEVEL_DIFFERENCE:
        return []
    return [
        f"OpenQuake's mean curve has {settings.imt} = {theirs:.4g} at this poe, the sum over "
        f"ruptures {ours:.4g}: the job's levels are too coarse, or the mean of probabilities over "
        "its branches is not that of rates (use_rates = true in the job)"
    ]


def _measures(asked: tuple[str, ...], conditioning: str) -> tuple[str, ...]:
    """Measures of the target, each once: spectra by period, then the others."""
    imts = dict.fromkeys(canonical(i) for i in [*asked, *([conditioning] if conditioning else [])])
    spectral = [i for i in imts if i.startswith("SA(")]
    rest = [i for i in imts if not i.startswith("SA(")]
    return (*sorted(spectral, key=lambda i: parse_imt(i).period), *rest)


def _site(dstore: DataStore, asked: int | tuple[float, float]) -> int:
    """Id of a site, or of the one nearest to (lon, lat)."""
    sites = dstore["sitecol"]
    if not isinstance(asked, tuple):
        return int(asked)
    from openquake.hazardlib.geo.geodetic import geodetic_distance

    lon, lat = asked
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise InputError(f"site = {lon:g},{lat:g}: write LON,LAT in degrees")
    away = geodetic_distance(lon, lat, sites.lons, sites.lats)
    nearest = int(np.argmin(away))
    if away[nearest] > 1.0:
        raise InputError(
            f"site = {lon:g},{lat:g}: the nearest site of the job, {sites.lons[nearest]:g},"
            f"{sites.lats[nearest]:g} (id {sites.sids[nearest]}), is {away[nearest]:.1f} km away; "
            "run the job for this site"
        )
    return int(sites.sids[nearest])


def _drawing_branch(hazard: SiteHazard, request: Request) -> DrawingBranch:
    """The branches that draw: those asked for, or the one of each tectonic region.

    Each rupture is drawn for under the branch of its own region.
    """
    found = _by_name(hazard)
    if request.shape:
        return _matched_branches(hazard, request, found)
    if not found:
        raise InputError(
            "the calculation has no branch with GenerativeWaveformGMM: add one to its ground-"
            "motion logic tree; a small weight does, or let the others draw (--shape stochastic)"
        )
    for name in request.branches:
        if name not in found:
            raise InputError(f"branch = {name!r}: the GWM branches are {', '.join(found)}")
    if not request.branches:
        for region, names in _by_region(hazard, found).items():
            if len(names) > 1:
                raise InputError(
                    f"several GWM branches in region {region}, {', '.join(names)}: name the one "
                    "that draws (--branch; once for each region)"
                )
    chosen = [found[name] for name in dict.fromkeys(request.branches or found)]
    models = {model_name(branch.gsim): branch.name for branch in chosen}
    if len(models) > 1:
        told = ", ".join(f"{Path(model).name} ({name})" for model, name in models.items())
        raise InputError(
            f"the GWM branches have different models, {told}, and a suite is drawn by one: name "
            "the branches of one (--branch); the target stays that of all"
        )
    rows = np.concatenate([branch.rows for branch in chosen])
    order = np.argsort(rows, kind="stable")
    conditions = {
        name: np.concatenate([branch.conditions[name] for branch in chosen])[order]
        for name in chosen[0].conditions
    }
    gsim = copy.copy(chosen[0].gsim)
    gsim.device = request.device
    model = model_of(gsim)
    name = ", ".join(branch.name for branch in chosen)
    return DrawingBranch(name, model, rows[order], conditions, hazard.site, hazard.component)


def _matched_branches(
    hazard: SiteHazard, request: Request, found: dict[str, WaveformBranch]
) -> DrawingBranch:
    """All branches, or those asked for, each with the spectra of its own GMM."""
    for name in request.branches:
        if name not in found:
            raise InputError(
                f"branch = {name!r}: those that draw with shape {request.shape!r} are "
                f"{', '.join(found)}"
            )
    if not found:
        raise InputError(
            f"shape = {request.shape!r}: no branch of the calculation is a published GMM"
        )
    chosen = [found[name] for name in dict.fromkeys(request.branches or found)]
    gmms = list(dict.fromkeys(branch.gsim._matched.gmm for branch in chosen))
    fixed = next(filter(None, (branch.gsim._matched.fixed for branch in chosen)), "")
    shape = located(request.shape)
    model = MatchedModel(gmms, shape, fixed=fixed)
    model.shape = load_model(shape, request.device)
    rows = np.concatenate([branch.rows for branch in chosen])
    order = np.argsort(rows, kind="stable")
    conditions = {}
    for name in model.card.condition_names:
        # what a branch's own GMM does not ask for is not looked at: any possible value will do
        spare = float(np.clip(0.0, ALL_CONDITIONS[name].low, ALL_CONDITIONS[name].high))
        parts = [
            np.full(len(branch.rows), gmms.index(branch.gsim._matched.gmm), dtype=np.float64)
            if name == "gmm"
            else branch.conditions.get(name, np.full(len(branch.rows), spare))
            for branch in chosen
        ]
        conditions[name] = np.concatenate(parts)[order]
    name = ", ".join(branch.name for branch in chosen)
    return DrawingBranch(name, model, rows[order], conditions, hazard.site, hazard.component)


def _by_name(hazard: SiteHazard) -> dict[str, WaveformBranch]:
    """GWM branches by their names: one GSIM has a name in each tectonic region."""
    c, found = hazard.contributions, {}
    for branch in hazard.waveforms:
        names = c.branch[branch.rows]
        for number in np.unique(names):
            mine = names == number
            conditions = {k: v[mine] for k, v in branch.conditions.items()}
            name = c.branches[number]
            found[name] = replace(branch, name=name, rows=branch.rows[mine], conditions=conditions)
    return found


def _by_region(hazard: SiteHazard, names: Collection[str]) -> dict[str, list[str]]:
    """Names of the branches by the tectonic region that they are for."""
    regions: dict[str, list[str]] = {}
    for (region, _), name in hazard.names.items():
        if name in names:
            regions.setdefault(region, []).append(name)
    return regions


def _correlation(
    request: Request, drawing: DrawingBranch, c: Contributions, rate: float, imts: tuple[str, ...]
) -> tuple[Correlation, str]:
    """The correlation, and what the page says of it."""
    if request.correlation != "measured":
        return published_correlation.published(request.correlation), request.correlation
    share, which = c.rate[drawing.rows], "by their rates"
    if request.settings.target in ("cs", "gcim"):
        which = "that control the level" + (" at the poe" if request.stripes else "")
        level = c.level(request.settings.imt, rate)
        share = c.density(request.settings.imt, level)[drawing.rows]
    elif request.settings.target == "uhs":
        share, which = uniform_hazard(c, rate).weight[drawing.rows], "that control the spectrum"
    rows = controlling(share, SCENARIOS)
    scenarios = Scenarios(**{k: v[rows] for k, v in drawing.conditions.items()})
    found = measured(
        drawing.model,
        scenarios,
        imts,
        DRAWS,
        request.settings.seed,
        component=drawing.component,
    )
    return found, (
        f"measured from {SCENARIOS * DRAWS} draws of branch {drawing.branch} for "
        f"{SCENARIOS} ruptures {which}"
    )


def _curves(c: Contributions) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Mean hazard curves of all measures."""
    total = c.rate.sum()
    out = {}
    for imt in c.imts:
        ends = [c.level(imt, CURVE_RATES[0] * total), c.level(imt, min(CURVE_RATES[1], total / 10))]
        levels = np.geomspace(ends[0], ends[1], CURVE_LEVELS)
        out[imt] = (levels, c.hazard(imt, levels))
    return out
