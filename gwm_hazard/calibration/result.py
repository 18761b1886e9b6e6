"""What a calibration is asked for, and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.calibration.fit import Fit, Problem
from gwm_hazard.calibration.free import Free
from gwm_hazard.calibration.selection import Selection
from gwm_hazard.calibration.variability import ModelSpread
from gwm_hazard.models.stochastic import StochasticParameters
from gwm_hazard.records.flatfile import ComponentRule
from gwm_hazard.records.observations import Observations

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Settings:
    """How a calibration is made; the defaults suit a region with tens of events.

    ``draws`` waveforms a record give its mean; ``max_records`` bounds the cost of the fit, and of
    the held-out comparison.
    """

    imts: tuple[str, ...] | None = None
    free: tuple[str, ...] | None = None
    prior: str = "published"
    site_terms: bool = False
    held_out: float = 0.3
    max_records: int = 1200
    draws: int = 2
    seed: int = 1
    iterations: int = 8
    selection: Selection = field(default_factory=Selection)
    components: tuple[ComponentRule, ...] = ()


@dataclass(frozen=True)
class Residuals:
    """ln observed - mean of ln IM of a model, (n, m), and its simulation variance, (m,)."""

    observations: Observations
    values: Array
    simulation_variance: Array
    spread: ModelSpread


@dataclass(frozen=True)
class Calibration:
    """What a calibration found."""

    parameters: StochasticParameters
    problem: Problem
    fit: Fit
    fitted: Residuals
    held_out: Residuals | None
    parameter_table: pd.DataFrame
    summary: pd.DataFrame
    bins: pd.DataFrame
    variability: pd.DataFrame
    settings: Settings

    @property
    def free(self) -> tuple[Free, ...]:
        """The free parameters."""
        return self.problem.free
