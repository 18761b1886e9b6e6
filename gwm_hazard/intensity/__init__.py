"""Intensity measures of acceleration records: response spectra, durations, peaks."""

from gwm_hazard.intensity.duration import (
    arias_intensity,
    cumulative_absolute_velocity,
    husid_measures,
    significant_duration,
)
from gwm_hazard.intensity.measures import (
    MEASURES,
    Measure,
    intensity_measures,
    intensity_measures_array,
    parse_imt,
)
from gwm_hazard.intensity.motion import (
    peak_acceleration,
    peak_displacement,
    peak_velocity,
    velocity_and_displacement,
)
from gwm_hazard.intensity.oscillator import rotd

__all__ = [
    "MEASURES",
    "Measure",
    "arias_intensity",
    "cumulative_absolute_velocity",
    "husid_measures",
    "intensity_measures",
    "intensity_measures_array",
    "parse_imt",
    "peak_acceleration",
    "peak_displacement",
    "peak_velocity",
    "rotd",
    "significant_duration",
    "velocity_and_displacement",
]
