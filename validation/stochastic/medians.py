"""Means of ln IM of the stochastic model at scenarios by a few draws each.

Draws come in antithetic pairs: the second has the event and record terms of the first with the
other sign, so that the mean has their linear effect taken out exactly.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.core.draws import Draws
from gwm_hazard.core.noise import MixedNoise, Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.models.measuring import ln_of, measured

Array = NDArray[np.float64]


def drawn(
    model: WaveformModel,
    scenarios: Scenarios,
    imts: Sequence[str],
    *,
    pairs: int,
    seed: int,
    others: Sequence[str] = (),
    paired: bool = True,
) -> Array:
    """ln IM of RotD50 and of other components, (1 + n_others, n, draws, m).

    Scenario i has the noise of event i: draws of scenarios are independent.
    """
    n, draws = len(scenarios), 2 * pairs
    event = np.repeat(np.arange(n), draws)
    key = np.tile(np.arange(draws) // 2 if paired else np.arange(draws), n)
    sign = np.tile([1.0, -1.0 if paired else 1.0], n * pairs)
    noise = MixedNoise((Noise(seed, event, 0, key),), sign[:, None])
    out = np.empty((1 + len(others), n * draws, len(imts)))
    names = list(imts)
    for rows, waves, values in measured(model, Draws(scenarios.repeat(draws), noise), names):
        out[0, rows] = ln_of(values)
        for k, component in enumerate(others, start=1):
            out[k, rows] = ln_of(intensity_measures_array(waves, model.dt_s, names, component))
    return out.reshape(len(out), n, draws, len(imts))
