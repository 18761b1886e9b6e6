"""From draws to the logarithms of their measures: the one loop over batches."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.errors import InputError
from gwm_hazard.models.base import WaveformModel


def draw_ln_measures(
    model: WaveformModel,
    scenarios: Scenarios,
    noise: Noise,
    imts: list[str],
    component: str = "RotD50",
    batch_size: int | None = None,
) -> NDArray[np.float64]:
    """ln IM of one drawn waveform for each row, (n, n_imts), in OpenQuake's units."""
    from gwm_hazard.intensity import intensity_measures_array

    out = np.empty((len(scenarios), len(imts)))
    for rows, acceleration in model.batches(scenarios, noise, batch_size):
        measures = intensity_measures_array(acceleration, model.dt_s, imts, component)
        with np.errstate(divide="ignore"):
            out[rows] = np.log(measures)
    if not np.isfinite(out).all():
        row, column = np.argwhere(~np.isfinite(out))[0]
        conditions = ", ".join(f"{k} = {scenarios[k][row]:g}" for k in scenarios)
        raise InputError(
            f"model {model.card.name!r} drew a waveform with {imts[column]} = "
            f"{np.exp(out[row, column]):g} at {conditions}: it has no logarithm"
        )
    return out
