"""From the hazard of a site to suites: target, candidates, selection, and their consistency."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.models.base import WaveformModel
from gwm_hazard.suite import candidates, consistency
from gwm_hazard.suite.contributions import Contributions
from gwm_hazard.suite.selection import select
from gwm_hazard.suite.study import Suite
from gwm_hazard.suite.target import (
    Correlation,
    Target,
    conditional,
    scenario,
    uniform_hazard,
)

Array = NDArray[np.float64]

TARGETS = ("cs", "gcim", "uhs", "scenario")

#: Shares of the rate of all ruptures, and of the rarest rate that is checked, where the first and
#: the last of several stripes lie: what falls outside them is not carried by any suite.
FIRST, LAST = 0.97, 0.05


@dataclass(frozen=True)
class Source:
    """The branch that motions are drawn from.

    Attributes
    ----------
    branch : its name
    model : its waveform model
    rows : (n_ruptures,) its rows in the contributions
    conditions : {condition: (n_ruptures,)} of the model for these rows
    site : id of the site, part of the keys of the noise
    """

    branch: str
    model: WaveformModel
    rows: NDArray[np.int64]
    conditions: dict[str, Array]
    site: int = 0


@dataclass(frozen=True)
class Settings:
    """What is asked of a suite.

    Attributes
    ----------
    target : one of ``TARGETS``
    imt : conditioning measure of "cs" and "gcim"; of "uhs" the one all motions share
    n : motions
    pool : candidates to choose from
    tolerance : half-width of the band about the conditioning level, ln units
    max_scale : largest factor on a motion, and the inverse of the smallest; 1 for none
    budget : waveforms to draw, at most
    seed : of the draws and the choice
    weights : of ruptures in the target: "occurrence" or "exceedance"
    method : how candidates are sought, see ``candidates.draw``
    component : horizontal component of the measures
    """

    target: str = "cs"
    imt: str = ""
    n: int = 20
    pool: int = 600
    tolerance: float = 0.05
    max_scale: float = 1.0
    budget: int = 400_000
    seed: int = 0
    weights: str = "occurrence"
    method: str = "walk"
    component: str = "RotD50"

    def __post_init__(self) -> None:
        if self.target not in TARGETS:
            raise ValueError(f"target = {self.target!r}: must be one of {', '.join(TARGETS)}")
        if self.target != "scenario" and not self.imt:
            raise ValueError(f"target = {self.target}: name the conditioning measure (--imt)")
        if self.n < 2:
            raise ValueError(f"n = {self.n}: a suite has at least 2 motions")
        if self.pool < self.n:
            raise ValueError(f"pool = {self.pool}: must be at least n = {self.n}")
        if not self.max_scale >= 1:
            raise ValueError(f"max_scale = {self.max_scale:g}: must be 1 (no scaling) or more")
        if not 0 < self.tolerance < 1:
            raise ValueError(f"tolerance = {self.tolerance:g}: must be between 0 and 1, ln units")


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
    source: Source,
    target: Target,
    settings: Settings,
    progress: Callable[[float], None] | None = None,
) -> Suite:
    """Draw candidates for a target and choose among them.

    Raises
    ------
    candidates.Budget
        Too few candidates within the budget.
    """
    column = contributions.column(settings.imt) if settings.imt else -1
    level = float(np.exp(target.mean[column])) if target.kind == "uhs" else target.level
    conditioning = "" if target.kind == "scenario" else settings.imt
    pool = candidates.draw(
        source.model,
        _proposal(contributions, source, conditioning, level),
        target.imts,
        settings.pool,
        settings.seed,
        conditioning=conditioning,
        level=level,
        tolerance=max(settings.tolerance, np.log(settings.max_scale)),
        site=source.site,
        budget=settings.budget,
        component=settings.component,
        progress=progress,
        method=settings.method,
    )
    scale = np.ones(len(pool))
    if settings.max_scale > 1 and conditioning:
        scale = np.exp(np.log(level) - pool.ln[:, column])
    whole = Suite(target, pool, source.conditions, np.arange(len(pool)), scale, source.branch)
    rows = select(whole.ln, target, settings.n, settings.seed, group=pool.family)
    return Suite(target, pool, source.conditions, rows, scale[rows], source.branch)


def _proposal(
    contributions: Contributions, source: Source, conditioning: str, level: float
) -> candidates.Proposal:
    # Waveforms are not truncated as the calculation is: a level beyond the branch's truncation,
    # which other branches reach, is that of rare motions.
    c, rows = replace(contributions, truncation=np.inf), source.rows
    if not conditioning:
        return candidates.Proposal(source.conditions, c.rate[rows], None)
    column = c.column(conditioning)
    return candidates.Proposal(
        source.conditions,
        c.rate[rows],
        c.density(conditioning, level)[rows],
        c.mean[rows, column],
        c.sigma[rows, column],
    )


def stripe_targets(
    contributions: Contributions,
    correlation: Correlation,
    rarest: float,
    count: int,
    settings: Settings,
) -> tuple[Target, ...]:
    """Targets at levels from where nearly all ruptures exceed to beyond the rarest rate.

    Parameters
    ----------
    rarest : smallest annual rate at which the hazard is to be carried
    count : how many, at least 2

    Raises
    ------
    ValueError
        A target that is not conditional, fewer than 2 stripes.
    """
    if settings.target not in ("cs", "gcim"):
        raise ValueError(
            f"stripes of target {settings.target}: suites at several levels of a measure need "
            "target cs or gcim"
        )
    if count < 2:
        raise ValueError(f"stripes = {count}: must be at least 2")
    most = FIRST * contributions.rate.sum()
    levels = np.geomspace(
        contributions.level(settings.imt, most),
        contributions.level(settings.imt, LAST * rarest),
        count,
    )
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
    between = contributions.hazard(imt, np.sqrt(levels[1:] * levels[:-1]))
    ends = np.array([contributions.rate.sum(), 0.0])
    stripe = consistency.stripe_rates(levels, ends, between)
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
