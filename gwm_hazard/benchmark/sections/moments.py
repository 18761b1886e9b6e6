"""Moments of the samples: what the publications of unconditional generators report."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import ks_2samp

from gwm_hazard.benchmark.comparable import Motion, sample
from gwm_hazard.benchmark.data import Comparison
from gwm_hazard.benchmark.section import Section, Skipped
from gwm_hazard.statistics.sample_moments import NAMES, sample_moments

KEY, TITLE = "moments", "Moments of the samples"

TABLE = "Moments of the samples"

TEXT = """\
Minimum, maximum, mean, standard deviation and skewness of the samples of each component, one \
drawn record for each observed one, cut to the length of both. Each component of a record is \
divided by its largest absolute value first, so that shapes are compared and not levels: in that \
form generators without a level report themselves (Onsa 2024, on a WGAN-GP of the ITACA records). \
The distance is that of Kolmogorov and Smirnov between observed and drawn records, 0 for equal \
distributions; a model that draws right is near the value that chance gives."""


def section(data: Comparison) -> Section | Skipped:
    """See `TEXT`."""
    if isinstance(chosen := sample(data, KEY, TITLE), Skipped):
        return chosen
    observed = chosen.collect(None, _moments, (2, len(NAMES)))
    rows = {}
    for predicted in data.generative:
        drawn = chosen.collect(predicted.name, _moments, (2, len(NAMES)))
        for index, component in enumerate(("horizontal", "vertical")):
            both = np.isfinite(observed[:, index]).all(axis=1)
            both &= np.isfinite(drawn[:, index]).all(axis=1)
            if both.any():
                rows[f"{predicted.name}, {component}"] = _row(
                    observed[both, index], drawn[both, index]
                )
    out = Section(KEY, TITLE, TEXT)
    out.tables[TABLE] = pd.DataFrame(rows).T.rename_axis("model, component")
    out.captions[TABLE] = (
        "Means over records, of samples over the record's peak, and the Kolmogorov-Smirnov "
        "distance, with the one that 5 % of samples of one distribution exceed."
    )
    return out


def _row(observed: NDArray[np.floating], drawn: NDArray[np.floating]) -> dict[str, float]:
    row: dict[str, float] = {"records": len(observed)}
    for k, name in enumerate(NAMES):
        row[f"{name}, observed"] = float(observed[:, k].mean())
        row[f"{name}, model"] = float(drawn[:, k].mean())
        row[f"{name}, distance"] = float(ks_2samp(observed[:, k], drawn[:, k]).statistic)
    row["distance by chance"] = 1.358 * float(np.sqrt(2.0 / len(observed)))
    return row


def _moments(motion: Motion) -> NDArray[np.floating]:
    """Mean of the horizontals, and vertical, (n, 2, 5)."""
    out = np.full((len(motion.rows), 2, len(NAMES)), np.nan)
    for place, (acc, npts) in enumerate(zip(motion.acceleration, motion.npts, strict=True)):
        cut = acc[:, :npts]
        peak = np.abs(cut).max(axis=1, keepdims=True)
        if not (peak > 0).all():
            continue
        found = sample_moments(cut / peak)
        out[place, 0] = found[: motion.n_horizontal].mean(axis=0)
        if motion.vertical:
            out[place, 1] = found[-1]
    return out
