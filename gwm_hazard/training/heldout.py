"""How a model does on records that it was not fitted to: residuals by intensity measure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.core.conditioning import conditioning_of
from gwm_hazard.core.draws import Draws
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.models import measuring
from gwm_hazard.models.base import WaveformModel

IMTS = ("PGA", "PGV", "SA(0.1)", "SA(0.3)", "SA(1.0)", "RSD595")


def drawn_measures(
    model: WaveformModel,
    table: pd.DataFrame,
    n: int,
    seed: int = 0,
    imts: Sequence[str] = IMTS,
    npts: int | None = None,
) -> NDArray[np.float64]:
    """ln IM (RotD50) of ``n`` draws for each row of a table, (rows, n, n_imts).

    Rows outside the model's ranges are moved to the nearest bound. With ``npts``, waveforms are
    cut to so many samples, as the records are.
    """
    rows = np.repeat(np.arange(len(table)), n)
    noise = Noise(seed, rows, 0, np.tile(np.arange(n), len(table)))
    draws = Draws(_scenarios(model, table.iloc[rows], noise), noise)
    ln = measuring.ln_measures(
        model,
        draws,
        imts,
        on_zero="missing",
        change=lambda _, acceleration: acceleration[:, :, :npts],
    )
    return ln.reshape(len(table), n, len(imts))


def drawn_waveforms(
    model: WaveformModel, table: pd.DataFrame, samples: int, seed: int = 0
) -> NDArray[np.float32]:
    """One draw for the conditions of each row of a table, (rows, 3, samples), m/s2.

    Rows outside the model's ranges are moved to the nearest bound.
    """
    drawn = np.zeros((len(table), 3, samples), dtype=np.float32)
    noise = Noise(seed, np.arange(len(table)), 0, 0)
    for part, acceleration in model.batches(_scenarios(model, table, noise), noise):
        cut = acceleration[:, :, :samples]
        drawn[part, :, : cut.shape[2]] = cut
    return drawn


def _scenarios(model: WaveformModel, table: pd.DataFrame, noise: Noise) -> Scenarios:
    given = conditioning_of(model.card)
    return given.clipped(given.of_records(table, given.drawn(noise), stand_in=True))


def ln_measures(
    acceleration: NDArray[np.float32], dt_s: float, imts: Sequence[str] = IMTS
) -> NDArray[np.float64]:
    """ln IM (RotD50) of records (n, 3, nt) m/s2: (n, n_imts); NaN where it is none."""
    return measuring.ln_of(intensity_measures_array(acceleration, dt_s, list(imts)))


def residual_table(
    observed: NDArray[np.float64],
    median: NDArray[np.float64],
    event: NDArray[np.str_],
    imts: Sequence[str] = IMTS,
) -> pd.DataFrame:
    """Residuals log10(observed / median) in numbers, a row a measure.

    Parameters
    ----------
    observed, median : ndarray, shape (n, n_imts)
        ln IM.
    event : ndarray, shape (n,)

    Returns
    -------
    DataFrame
        ``records``; ``bias`` (mean residual), its standard error ``bias_se`` with records of an
        event taken together (a mean of n records in events of n_i has variance
        sum_i (sum of centred residuals)^2 / n^2), and ``sd``, all in log10 units.
    """
    rows = []
    for k, imt in enumerate(imts):
        residual = (observed[:, k] - median[:, k]) / np.log(10.0)
        good = np.isfinite(residual)
        if not good.any():
            rows.append({"imt": imt, "records": 0, "bias": np.nan, "bias_se": np.nan, "sd": np.nan})
            continue
        centred = residual[good] - residual[good].mean()
        sums = pd.Series(centred).groupby(np.asarray(event)[good]).sum()
        rows.append(
            {
                "imt": imt,
                "records": int(good.sum()),
                "bias": residual[good].mean(),
                "bias_se": float(np.sqrt((sums**2).sum())) / max(1, good.sum()),
                "sd": residual[good].std(ddof=1) if good.sum() > 1 else np.nan,
            }
        )
    return pd.DataFrame(rows).set_index("imt")
