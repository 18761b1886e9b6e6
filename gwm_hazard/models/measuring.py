"""From draws to their measures and the logarithms of these: the one loop over batches.

A measure without a logarithm (0, or one that is not a number) is missing, NaN, or refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.core.draws import Draws
from gwm_hazard.errors import InputError
from gwm_hazard.models.base import WaveformModel

#: What is done to the waveforms of some rows before they are measured.
Change = Callable[[NDArray[np.int64], NDArray[np.float32]], NDArray[np.float32]]


def measured(
    model: WaveformModel,
    draws: Draws,
    imts: Sequence[str],
    component: str = "RotD50",
    *,
    batch_size: int | None = None,
    change: Change | None = None,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float64]]]:
    """Draw and measure by batches: rows, waveforms (m/s2), measures (n_rows, n_imts)."""
    from gwm_hazard.intensity import intensity_measures_array

    for rows, acceleration in model.batches(draws.scenarios, draws.model_noise, batch_size):
        if change is not None:
            acceleration = change(rows, acceleration)
        yield (
            rows,
            acceleration,
            intensity_measures_array(acceleration, model.dt_s, list(imts), component),
        )


def ln_of(measures: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithm of measures, NaN where there is none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ln = np.log(measures)
    return np.where(np.isfinite(ln), ln, np.nan)


def ln_measures(
    model: WaveformModel,
    draws: Draws,
    imts: Sequence[str],
    component: str = "RotD50",
    *,
    on_zero: Literal["refuse", "missing"] = "refuse",
    batch_size: int | None = None,
    change: Change | None = None,
) -> NDArray[np.float64]:
    """ln IM of one drawn waveform for each row, (n, n_imts), in OpenQuake's units.

    Raises
    ------
    ValueError
        With ``on_zero = "refuse"``, a measure that has no logarithm.
    """
    out = np.empty((len(draws), len(imts)))
    for rows, _, values in measured(
        model, draws, imts, component, batch_size=batch_size, change=change
    ):
        out[rows] = ln = ln_of(values)
        if on_zero == "refuse" and np.isnan(ln).any():
            row, column = np.argwhere(np.isnan(ln))[0]
            at = draws.scenarios.take(rows[row : row + 1])
            raise InputError(
                f"model {model.card.name!r} drew a waveform with {imts[column]} = "
                f"{values[row, column]:g} at {', '.join(f'{k} = {at[k][0]:g}' for k in at)}: it "
                "has no logarithm"
            )
    return out
