"""Envelopes in time, and how early the energy comes, by magnitude and distance."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.benchmark.comparable import (
    DT_S,
    Misfit,
    Motion,
    PairedRecords,
    at_observed,
    bins,
    limits,
    misfit,
    misfit_table,
    sample,
)
from gwm_hazard.benchmark.data import Comparison
from gwm_hazard.benchmark.figures import binned_curves
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
    observed, names = _features(chosen, None), [p.name for p in data.generative]
    drawn = {name: _features(chosen, name) for name in names}
    where = bins(chosen)
    event, min_records = chosen.event, data.settings.min_records
    n_times = len(TIMES_S)
    found: dict[str, Misfit] = {}
    for name in names:
        compared = misfit(
            observed[:, : 2 * n_times], drawn[name][:, : 2 * n_times], where, event, min_records,
            data.seed,
        )  # fmt: skip
        if compared is not None:
            found[name] = compared
    out = Section(KEY, TITLE, TEXT)
    for part, (title, y_label) in enumerate(
        (
            ("Envelopes of the horizontals", "horizontal (m/s²)"),
            ("Envelopes of the vertical", "vertical (m/s²)"),
        )
    ):
        columns = slice(part * n_times, (part + 1) * n_times)
        if not np.isfinite(observed[:, columns]).any():
            continue
        out.figures[title] = binned_curves(
            data, TIMES_S, observed[:, columns],
            {k: at_observed(v[:, columns], observed[:, columns]) for k, v in drawn.items()}, where,
            x_label="time after 5 % of the energy (s)", y_label=y_label,
        )  # fmt: skip
        out.captions[title] = (
            "Mean and standard deviation of the log envelope by magnitude and distance; the "
            "observations in black and grey, models in colour; hatched: few records."
        )
    if found:
        out.tables["Misfit of envelopes"] = misfit_table(found)
        out.captions["Misfit of envelopes"] = (
            "Rms differences in ln units, horizontals and vertical."
        )
        out.scores["envelopes, multiple of real against real"] = {
            k: round(f.ratio, 4) for k, f in found.items()
        }
    out.tables["Rise of the energy"] = _rises(observed, drawn)
    out.captions["Rise of the energy"] = (
        "Median and half of the range from 16 to 84 % of (t45 - t5) / (t95 - t5), on the records "
        "that both the observations and the model have."
    )
    out.limits = limits(chosen, found)
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
    for place, component in ((-2, "horizontal"), (-1, "vertical")):
        for name, values in drawn.items():
            both = np.isfinite(observed[:, place]) & np.isfinite(values[:, place])
            if not both.any():
                continue
            row: dict[str, float] = {"records": int(both.sum())}
            for kind, v in (("observed", observed), ("model", values)):
                low, middle, high = np.percentile(v[both, place], (16, 50, 84))
                row[f"{kind}, median"], row[f"{kind}, spread"] = middle, 0.5 * (high - low)
            rows[f"{name}, {component}"] = row
    return pd.DataFrame(rows).T.rename_axis("model, component")
