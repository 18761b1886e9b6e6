"""Calibration of the stochastic model on flatfiles of observed intensity measures."""

from gwm_hazard.calibration.result import Calibration, Settings
from gwm_hazard.calibration.run import calibrate, model_residuals
from gwm_hazard.calibration.selection import Selection, read_flatfiles, split, thin
from gwm_hazard.records.flatfile import ComponentRule
from gwm_hazard.records.observations import Observations

__all__ = [
    "Calibration",
    "ComponentRule",
    "Observations",
    "Selection",
    "Settings",
    "calibrate",
    "model_residuals",
    "read_flatfiles",
    "split",
    "thin",
]
