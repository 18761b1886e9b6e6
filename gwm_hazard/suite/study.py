"""What ``gwm-hazard suite`` makes: one suite of motions, or one for each of several return periods.

Plain values: the pages, tables and files are made from them alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.core.card import ModelCard
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.suite.candidates import Candidates
from gwm_hazard.suite.contributions import Contributions
from gwm_hazard.suite.selection import Match, match
from gwm_hazard.suite.target import Target

Array = NDArray[np.float64]


def scaling_power(imt: str) -> float:
    """How a measure follows a factor on the acceleration: factor ** power."""
    if imt.startswith("RSD"):
        return 0.0
    return 2.0 if imt == "IA" else 1.0


@dataclass(frozen=True)
class Suite:
    """Motions chosen for one target.

    Attributes
    ----------
    target : what they are to match
    candidates : the pool that they were chosen from
    conditions : {condition: (n_ruptures,)} that ``candidates.rupture`` points into
    rows : (n,) the chosen candidates
    scale : (n,) factors on the acceleration; 1 unless the user allowed others
    branch : ground-motion branches whose model draws them, see ``motions.branches_of``
    origin : (n_ruptures,) rows of the contributions, as ``conditions``
    """

    target: Target
    candidates: Candidates
    conditions: dict[str, Array]
    rows: NDArray[np.int64]
    scale: Array
    branch: str
    origin: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def ln(self) -> Array:
        """ln of the measures of the motions, scaled, (n, n_imts)."""
        power = np.array([scaling_power(imt) for imt in self.target.imts])
        return self.candidates.ln[self.rows] + np.log(self.scale)[:, None] * power

    @property
    def match(self) -> Match:
        """How well they have the target's distribution."""
        return match(self.ln, self.target)

    @property
    def scenarios(self) -> Scenarios:
        """Conditions of the motions."""
        rupture = self.candidates.rupture[self.rows]
        return Scenarios(**{k: v[rupture] for k, v in self.conditions.items()})

    @property
    def noise(self) -> Noise:
        """Keys of the motions."""
        return self.candidates.noise(self.rows)


@dataclass(frozen=True)
class Study:
    """All suites of a run and what they stand against.

    Attributes
    ----------
    suites : by ascending level; one, or a stripe for each return period
    contributions : ruptures and branches at the site, the rows of ``target.weight``
    card : of the model that draws the motions
    component : horizontal component of the measures
    lon, lat, vs30 : of the site
    investigation_time : years that probabilities of exceedance refer to
    curves : {imt: (levels, annual rates)}, mean hazard curves
    consistency : of several suites, see ``build.check_consistency``; empty for one
    about : calculation, description, options, seconds: provenance as names and values
    """

    suites: tuple[Suite, ...]
    contributions: Contributions
    card: ModelCard
    component: str
    lon: float
    lat: float
    vs30: float
    investigation_time: float
    curves: dict[str, tuple[Array, Array]]
    consistency: pd.DataFrame
    about: dict[str, Any] = field(default_factory=dict)
