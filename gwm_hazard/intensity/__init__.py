"""Intensity measures of acceleration records: response spectra, durations, peaks."""

from gwm_hazard.intensity.components import COMPONENTS, gmroti_rotation
from gwm_hazard.intensity.duration import (
    arias_intensity,
    cumulative_absolute_velocity,
    husid_measures,
    significant_duration,
)
from gwm_hazard.intensity.fiv3 import filtered_incremental_velocity
from gwm_hazard.intensity.fourier import effective_amplitude, fourier_amplitude, konno_ohmachi
from gwm_hazard.intensity.jma import jma_intensity
from gwm_hazard.intensity.level import level_durations
from gwm_hazard.intensity.measures import intensity_measures, intensity_measures_array
from gwm_hazard.intensity.motion import (
    peak_acceleration,
    peak_displacement,
    peak_velocity,
    velocity_and_displacement,
)
from gwm_hazard.intensity.oscillator import rotd
from gwm_hazard.intensity.table import MEASURES, Measure, canonical, parse_imt

__all__ = [
    "COMPONENTS",
    "MEASURES",
    "Measure",
    "arias_intensity",
    "canonical",
    "cumulative_absolute_velocity",
    "effective_amplitude",
    "filtered_incremental_velocity",
    "fourier_amplitude",
    "gmroti_rotation",
    "husid_measures",
    "intensity_measures",
    "intensity_measures_array",
    "jma_intensity",
    "konno_ohmachi",
    "level_durations",
    "parse_imt",
    "peak_acceleration",
    "peak_displacement",
    "peak_velocity",
    "rotd",
    "significant_duration",
    "velocity_and_displacement",
]
