"""From the hazard of a site to suites: target, candidates, selection, and their consistency."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from gwm_hazard.errors import InputError
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.suite import candidates, consistency
from gwm_hazard.suite.contributions import Contributions
from gwm_hazard.suite.search import Search
from gwm_hazard.suite.selection import select
from gwm_hazard.suite.study import Suite
from gwm_hazard.suite.target import (
    Correlation,
    Target,
    conditional,
    correlation_matrix,
    scenario,
    uniform_hazard,
)

Array = NDArray[np.float64]

TARGETS = ("cs", "gcim", "uhs", "scenario")

#: Shares of the rate of all ruptures, and of the rarest rate that is checked, at which the first
#: and the last of several stripes lie.
FIRST, LAST = 0.9, 0.05

#: Weight of the scatter in the choice for a uniform hazard spectrum, whose mean it is about.
UHS_SIGMA = 0.1


@dataclass(frozen=True)
class DrawingBranch:
    """The branch, or branches of one model, that motions are drawn from.

    Attributes
    ----------
    branch : its name; of branches of one model in several tectonic regions, their names
    model : its waveform model
    rows : (n_ruptures,) its rows in the contributions
    conditions : {condition: (n_ruptures,)} of the model for these rows
    site : id of the site, part of the keys of the noise
    component : horizontal component of all measures, that of the hazard
    """

    branch: str
    model: WaveformModel
    rows: NDArray[np.int64]
    conditions: dict[str, Array]
    site: int = 0
    component: str = "RotD50"


@dataclass(frozen=True)
class Settings:
    """What is asked of a suite.

    Attributes
    ----------
    target : one of ``TARGETS``
    imt : conditioning measure of "cs" and "gcim"
    n : motions
    pool : candidates to choose from
    tolerance : half-width of the band about the conditioning level, ln units
    max_scale : largest factor on a motion, and the inverse of the smallest; 1 for none
    budget : waveforms to draw, at most
    seed : of the draws and the choice
    weights : of ruptures in the target: "occurrence" or "exceedance"
    method : how candidates are sought, see ``candidates.draw``
    """

    target: str = "cs"
    imt: str = ""
    n: int = 20
    pool: int = 800
    tolerance: float = 0.05
    max_scale: float = 1.0
    budget: int = 400_000
    seed: int = 0
    weights: str = "occurrence"
    method: str = "walk"

    def __post_init__(self) -> None:
        if self.target not in TARGETS:
            raise InputError(f"target = {self.target!r}: must be one of {', '.join(TARGETS)}")
        if self.target in ("cs", "gcim") and not self.imt:
            raise InputError(f"target = {self.target}: name the conditioning measure (--imt)")
        if self.n < 2:
            raise InputError(f"n = {self.n}: a suite has at least 2 motions")
        if self.pool < 2 * self.n:
            raise InputError(f"pool = {self.pool}: must be at least twice n = {self.n}")
        if not self.max_scale >= 1:
            raise InputError(f"max_scale = {self.max_scale:g}: must be 1 (no scaling) or more")
        if not 0 < self.tolerance < 1:
            raise InputError(f"tolerance = {self.tolerance:g}: must be between 0 and 1, ln units")


def make_target(
    contributions: Contributions, correlation: Correlation, rate: float, settings: Settings
) -> Target:
    """The target at an annual rate of exceedance; the rate says nothing for "scenario"."""
    if settings.target == "scenario":
        return scenario(contributions, correlation)
    if settings.target == "uhs":
        return uniform_hazard(contributions, rate)
    return conditional(
        contributions, settings.imt, rate, correlation, settings.weights, settings.target
    )


def make_suite(
    contributions: Contributions,
    drawing: DrawingBranch,
    target: Target,
    settings: Settings,
    correlation: Correlation,
    progress: Callable[[float], None] | None = None,
) -> Suite:
    """Draw candidates for a target and choose among them.

    Candidates have the level of the conditioning measure. For a uniform hazard spectrum their
    geometric mean over its periods is that of the spectrum: motions that are as rare as it is,
    without one period that decides.

    Raises
    ------
    candidates.BudgetExceededError
        Too few candidates within the budget.
    """
    given = _given(target)
    columns = [target.imts.index(imt) for imt in given]
    ln_level = float(target.mean[columns].mean()) if given else 0.0
    scaled = settings.max_scale > 1 and bool(given)
    pool = candidates.draw(
        drawing.model,
        _proposal(contributions, drawing, given, ln_level, correlation),
        target.imts,
        Search(
            settings.pool,
            settings.seed,
            drawing.site,
            np.log(settings.max_scale) if scaled else settings.tolerance,
            settings.budget,
            progress,
        ),
        conditioning=given,
        level=float(np.exp(ln_level)),
        component=drawing.component,
        method=settings.method,
    )
    scale = np.ones(len(pool))
    if scaled:
        scale = np.exp(ln_level - pool.ln[:, columns].mean(axis=1))
    all_of_them = np.arange(len(pool))
    whole = Suite(
        target, pool, drawing.conditions, all_of_them, scale, drawing.branch, drawing.rows
    )
    sigma_weight = UHS_SIGMA if target.kind == "uhs" else 1.0
    rows = select(whole.ln, target, settings.n, settings.seed, sigma_weight, pool.family)
    return replace(whole, rows=rows, scale=scale[rows])


def _given(target: Target) -> tuple[str, ...]:
    """Measures whose geometric mean all candidates share."""
    if target.kind == "uhs":
        return tuple(imt for imt in target.imts if imt.startswith("SA(")) or target.imts
    return (target.conditioning,) if target.conditioning else ()


def _proposal(
    contributions: Contributions,
    drawing: DrawingBranch,
    given: tuple[str, ...],
    ln_level: float,
    correlation: Correlation,
) -> candidates.Proposal:
    """Rates of the ruptures, and the distribution of the conditioning measure under the branch.

    Waveforms are not truncated as the calculation is: a level beyond the truncation, which other
    branches reach, is that of rare motions.
    """
    c, rows = contributions, drawing.rows
    rate = c.rate[rows]
    if not given:
        return candidates.Proposal(drawing.conditions, rate, None)
    columns = np.array([c.column(imt) for imt in given])
    mean = c.mean[rows][:, columns].mean(axis=1)
    sigmas = c.sigma[rows][:, columns]
    matrix = correlation_matrix(given, correlation)
    sigma = np.sqrt(np.einsum("ni,ij,nj->n", sigmas, matrix, sigmas)) / len(given)
    density = rate * norm.pdf((ln_level - mean) / sigma) / sigma
    return candidates.Proposal(drawing.conditions, rate, density, mean, sigma)


def stripe_targets(
    contributions: Contributions,
    correlation: Correlation,
    rate: float,
    rarest: float,
    count: int,
    settings: Settings,
) -> tuple[Target, ...]:
    """Targets at levels from where most ruptures exceed to beyond the rarest rate.

    Levels are the geometric means of evenly spaced ln levels and of evenly spaced ln rates; the one
    next to the level of ``rate`` is moved there.

    Parameters
    ----------
    rate : annual rate of exceedance of one of the levels
    rarest : smallest annual rate at which the hazard is to be carried
    count : how many, at least 2

    Raises
    ------
    ValueError
        A target that is not conditional, fewer than 2 stripes.
    """
    if settings.target not in ("cs", "gcim"):
        raise InputError(
            f"stripes of target {settings.target}: suites at several levels of a measure need "
            "target cs or gcim"
        )
    if count < 2:
        raise InputError(f"stripes = {count}: must be at least 2")
    ends = FIRST * contributions.rate.sum(), LAST * rarest
    by_rate = np.array(
        [contributions.level(settings.imt, r) for r in np.geomspace(*ends, num=count)]
    )
    levels = np.sqrt(by_rate * np.geomspace(by_rate[0], by_rate[-1], count))
    asked = contributions.level(settings.imt, rate)
    levels[np.argmin(np.abs(np.log(levels / asked)))] = asked
    rates = contributions.hazard(settings.imt, levels)
    return tuple(make_target(contributions, correlation, float(r), settings) for r in rates)


def check_consistency(
    contributions: Contributions,
    suites: Sequence[Suite],
    imts: Sequence[str],
    rates: Sequence[float],
) -> pd.DataFrame:
    """Rates that the suites imply at the levels that the hazard exceeds with given rates.

    The conditioning measure is left out: all motions of a suite have its level, so that the suites
    carry its rates at the edges between them by construction, and in steps elsewhere.

    Returns
    -------
    DataFrame
        imt, rate (annual, of the hazard), level, suites (annual rate implied by a lognormal fit
        to each suite), counted (by the plain shares of motions above the level), ratio
    """
    imt = suites[0].target.conditioning
    levels = np.array([s.target.level for s in suites])
    at_levels = contributions.hazard(imt, levels)
    ends = np.array([contributions.rate.sum(), 0.0])
    stripe = consistency.stripe_rates(levels, ends, np.sqrt(at_levels[1:] * at_levels[:-1]))
    ln = [s.ln for s in suites]
    rows = []
    for name in (i for i in imts if i != imt):
        column = contributions.column(name)
        at = np.array([contributions.level(name, r) for r in rates])
        smooth = consistency.implied(ln, stripe, column, at, smooth=True)
        counted = consistency.implied(ln, stripe, column, at)
        for rate, level, s, k in zip(rates, at, smooth, counted, strict=True):
            rows.append((name, rate, level, s, k, s / rate))
    columns = ["imt", "rate", "level", "suites", "counted", "ratio"]
    return pd.DataFrame(rows, columns=columns)
