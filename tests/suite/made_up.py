"""A study at a made-up site, small enough to be made within a test."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from gwm_hazard.models.base import WaveformModel
from gwm_hazard.suite.candidates import Proposal, draw
from gwm_hazard.suite.contributions import Contributions
from gwm_hazard.suite.search import Search
from gwm_hazard.suite.study import Study, Suite
from gwm_hazard.suite.target import conditional, scenario, uniform_hazard

IMTS = ("SA(0.2)", "SA(0.5)", "SA(1.0)", "PGV", "RSD595")
RUPTURES = {
    "mag": np.array([5.6, 6.2, 6.8, 7.2]),
    "rrup": np.array([12.0, 18.0, 30.0, 45.0]),
    "vs30": np.full(4, 400.0),
    "hypo_depth": np.array([8.0, 10.0, 12.0, 15.0]),
}
RATES = np.array([0.02, 0.008, 0.003, 0.001])
BRANCH = "of the model"


def contributions() -> Contributions:
    """Two branches; the second is the model's. Medians near those of the stochastic model."""
    rng = np.random.default_rng(5)
    median = np.array(
        [
            [0.25, 0.15, 0.06, 9.0, 8.0],
            [0.30, 0.20, 0.11, 15.0, 12.0],
            [0.28, 0.22, 0.14, 20.0, 18.0],
            [0.25, 0.20, 0.15, 22.0, 25.0],
        ]
    )
    mean = np.log(np.concatenate([0.9 * median, median])) + rng.normal(0.0, 0.03, (8, 5))
    sigma = np.tile([0.6, 0.6, 0.65, 0.55, 0.35], (8, 1)) + rng.uniform(0, 0.05, (8, 5))
    return Contributions(
        IMTS,
        np.concatenate([0.4 * RATES, 0.6 * RATES]),
        mean,
        sigma,
        3.0,
        np.tile(np.arange(4), 2),
        np.repeat([0, 1], 4),
        RUPTURES,
        ("another", BRANCH),
    )


def correlation(a: str, b: str) -> float:
    if a == b:
        return 1.0
    if "RSD595" in (a, b):
        return -0.3
    if "PGV" in (a, b):
        return 0.7
    return float(np.exp(-0.4 * abs(np.log(float(a[3:-1]) / float(b[3:-1])))))


def make_study(
    model: WaveformModel,
    kind: str = "gcim",
    rates: tuple[float, ...] = (2e-3,),
    n: int = 6,
    scale: bool = False,
) -> Study:
    """Suites of a few draws of the ruptures, whatever their level."""
    c = contributions()
    rows = np.flatnonzero(c.branch == 1)
    suites = []
    for rate in rates:
        if kind == "uhs":
            target = uniform_hazard(c, rate)
        elif kind == "scenario":
            target = scenario(c, correlation)
        else:
            target = conditional(c, "SA(0.5)", rate, correlation, kind=kind)
        density = c.density("SA(0.5)", target.level)[rows] if target.conditioning else None
        pool = draw(
            model,
            Proposal(RUPTURES, c.rate[rows], density),
            IMTS,
            Search(n + 2, 3),
        )
        chosen = np.arange(n) + 1
        factor = np.ones(n)
        if scale:
            factor = np.exp(np.log(target.level) - pool.ln[chosen, IMTS.index("SA(0.5)")])
        suites.append(Suite(target, pool, RUPTURES, chosen, factor, BRANCH, rows))
    table = pd.DataFrame()
    if len(suites) > 1:
        at = np.array([4e-3, 1e-3])
        table = pd.DataFrame(
            [(imt, rate, c.level(imt, rate), 1.1 * rate, rate, 1.1) for imt in IMTS for rate in at],
            columns=["imt", "rate", "level", "suites", "counted", "ratio"],
        )
    curves = {}
    for imt in IMTS:
        levels = np.geomspace(c.level(imt, 0.02), c.level(imt, 1e-4), 20)
        curves[imt] = (levels, c.hazard(imt, levels))
    about = {
        "calculation": "Made up & <small>",
        "command": "gwm-hazard suite 1 -o out",
        "correlation": "made up",
        "settings": {"n": n, "method": "direct"},
        "remarks": ["One remark."],
        "seconds": 1.25,
    }
    return Study(
        tuple(suites), c, model.card, "RotD50", -86.25, 12.13, 400.0, 50.0, curves, table, about
    )


def make_checks() -> list[SimpleNamespace]:
    failed = {"clause": "16.2.2", "what": "motions", "required": "at least 11", "found": "6"}
    met = {"clause": "16.2.3.2", "what": "mean spectrum", "required": "90 %", "found": "93 %"}
    return [
        SimpleNamespace(**failed, passed=False, remedy="more motions (`-n`)."),
        SimpleNamespace(**met, passed=True, remedy="no need of this"),
    ]
