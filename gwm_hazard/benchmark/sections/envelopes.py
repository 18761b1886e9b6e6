"""Envelopes in time, and how early the energy comes, by magnitude and distance."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.benchmark.comparable import (
    DT_S,
    Motion,
    PairedRecords,
    add_misfits,
    at_observed,
    limits,
    misfits,
    sample,
)
from gwm_hazard.benchmark.data import Comparison
from gwm_hazard.benchmark.figures import add_curves
from gwm_hazard.benchmark.metrics.envelope import log_envelopes, rise_share, start_s
from gwm_hazard.benchmark.section import Section, Skipped

KEY, TITLE = "envelopes", "Envelopes in time"

TIMES_S = np.arange(-8.0, 40.01, 0.2)

TEXT = """\
The envelope is the moving average of the absolute acceleration over 1.28 s (128 samples at 100 \
Hz). Records are put together at the time at which 5 % of their energy has arrived. In every \
bin of magnitude and distance the figures show the mean and the standard deviation of its \
logarithm over the records: black with a grey band for the observations, coloured with dotted \
lines for the models, one drawn record for each observed one. A model that is right lies on the \
black line, and its dotted lines on the edges of the band.

The table gives the rms difference of the means (ln units, over times and bins) between draws \
for one half of the events and observations of the other half, beside the same difference \
between the two halves of the observations. Their ratio, the multiple, is 1 for a model that is \
as far from the records as those are from themselves; 5 and 95 % are over random halves.

The rise is (t45 - t5) / (t95 - t5) of the build-up of energy (Husid curve): small where the \
energy comes early. Motion turned in time, or with an envelope of the wrong shape, shows here."""


def section(data: Comparison) -> Section | Skipped:
    """See `TEXT`."""
    if isinstance(chosen := sample(data, KEY, TITLE), Skipped):
        return chosen
    observed, n_times = _features(chosen, None), len(TIMES_S)
    drawn = {p.name: _features(chosen, p.name) for p in data.generative}
    there = {name: at_observed(values, observed) for name, values in drawn.items()}
    curves = {name: values[:, : 2 * n_times] for name, values in drawn.items()}
    found = misfits(chosen, observed[:, : 2 * n_times], curves)
    out = Section(KEY, TITLE, TEXT, limits=limits(chosen, found))
    add_curves(
        out, chosen, TIMES_S, observed, there,
        {
            "Envelopes of the horizontals": "horizontal (m/s²)",
            "Envelopes of the vertical": "vertical (m/s²)",
        },
        "the log envelope", x_label="time after 5 % of the energy (s)",
    )  # fmt: skip
    add_misfits(out, "Misfit of envelopes", "envelopes, multiple of real against real", found)
    out.tables["Rise of the energy"] = _rises(observed, drawn)
    out.captions["Rise of the energy"] = (
        "Median and half of the range from 16 to 84 % of (t45 - t5) / (t95 - t5), on the records "
        "that both the observations and the model have."
    )
    return out


def _features(chosen: PairedRecords, name: str | None) -> NDArray[np.float32]:
    """ln envelopes of the horizontals (mean) and the vertical, then both rises."""
    n_times = len(TIMES_S)

    def of(motion: Motion) -> NDArray[np.floating]:
        acc, h = motion.acceleration, motion.n_horizontal
        out = np.full((len(acc), 2 * n_times + 2), np.nan)
        envelopes = log_envelopes(acc, motion.npts, DT_S, TIMES_S, start_s(acc, DT_S))
        rises = rise_share(acc, DT_S)
        out[:, :n_times] = envelopes[:, :h].mean(axis=1)
        out[:, 2 * n_times] = rises[:, :h].mean(axis=1)
        if motion.vertical:
            out[:, n_times : 2 * n_times] = envelopes[:, -1]
            out[:, 2 * n_times + 1] = rises[:, -1]
        return out

    return chosen.collect(name, of, (2 * n_times + 2,))


def _rises(observed: NDArray[np.floating], drawn: dict[str, NDArray[np.float32]]) -> pd.DataFrame:
    rows = {}
    for index, component in ((-2, "horizontal"), (-1, "vertical")):
        for name, values in drawn.items():
            both = np.isfinite(observed[:, index]) & np.isfinite(values[:, index])
            if not both.any():
                continue
            row: dict[str, float] = {"records": int(both.sum())}
            for kind, v in (("observed", observed), ("model", values)):
                low, middle, high = np.percentile(v[both, index], (16, 50, 84))
                row[f"{kind}, median"], row[f"{kind}, spread"] = middle, 0.5 * (high - low)
            rows[f"{name}, {component}"] = row
    return pd.DataFrame(rows).T.rename_axis("model, component")
