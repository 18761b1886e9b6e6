"""How a model does on records that it was not fitted to: residuals by intensity measure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.core.draws import Draws
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import DISTANCE_FALLBACK, Scenarios
from gwm_hazard.errors import InputError
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
    columns = {}
    for r in model.card.conditions:
        values = _column(table, r.name)
        columns[r.name] = np.clip(values, r.low, r.high)
    if "rhypo" in table:  # sets the arrival of S in models that are driven by rrup
        columns.setdefault("rhypo", table["rhypo"].to_numpy(dtype=float))
    scenarios = Scenarios(**columns).repeat(n)
    rows = np.arange(len(table))
    noise = Noise(seed, np.repeat(rows, n), 0, np.tile(np.arange(n), len(rows)))
    ln = measuring.ln_measures(
        model,
        Draws(scenarios, noise),
        imts,
        on_zero="missing",
        change=lambda _, acceleration: acceleration[:, :, :npts],
    )
    return ln.reshape(len(table), n, len(imts))


def drawn_waveforms(model: WaveformModel, table: pd.DataFrame, samples: int) -> NDArray[np.float32]:
    """One draw for the conditions of each row of a table, (rows, 3, samples), m/s2.

    Rows outside the model's ranges are moved to the nearest bound.
    """
    conditions = {
        r.name: np.clip(_column(table, r.name), r.low, r.high) for r in model.card.conditions
    }
    drawn = np.zeros((len(table), 3, samples), dtype=np.float32)
    noise = Noise(0, np.arange(len(table)), 0, 0)
    for part, acceleration in model.batches(Scenarios(**conditions), noise):
        cut = acceleration[:, :, :samples]
        drawn[part, :, : cut.shape[2]] = cut
    return drawn


def _column(table: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """Values of a condition; one distance stands in where the other is not known."""
    other = DISTANCE_FALLBACK.get(name, name)
    if name not in table and other not in table:
        raise InputError(f"the records do not tell {name!r}, which the model takes")
    values = table[name if name in table else other].to_numpy(dtype=float)
    if other in table:
        values = np.where(np.isfinite(values), values, table[other].to_numpy(dtype=float))
    return values


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
