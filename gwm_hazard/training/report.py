"""The page that a training leaves: losses, residuals on held-out events, samples beside records."""

from __future__ import annotations

import html
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.files.atomic import replacing
from gwm_hazard.models.highfem.model import HighFEMModel
from gwm_hazard.training.heldout import (
    drawn_measures,
    drawn_waveforms,
    ln_measures,
    residual_table,
)
from gwm_hazard.training.records import Records

#: Held-out records in the residuals, and draws of each.
RECORDS, DRAWS = 48, 8
#: Records that are drawn as waveforms.
SHOWN = 4


def held_out(model: HighFEMModel, records: Records, rows: NDArray[np.int64]) -> pd.DataFrame:
    """Residuals of a model at some records: :func:`residual_table`."""
    table = records.table.iloc[rows]
    observed = ln_measures(records.acceleration(rows), records.set.dt_s)
    drawn = drawn_measures(model, table, DRAWS, npts=records.samples)
    return residual_table(observed, drawn.mean(axis=1), table["event_id"].to_numpy().astype(str))


def spread(rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """At most so many rows, evenly spread over all."""
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(int))]


def write_report(
    model: HighFEMModel, records: Records, residuals: pd.DataFrame, folder: Path
) -> Path:
    """``report.html`` with ``samples.png`` and, where it is, ``curves.png``; returns its path."""
    rows = spread(records.test if len(records.test) else records.dev, SHOWN)
    pictures = []
    if len(rows):
        plot_samples(model, records, rows, folder / "samples.png")
        pictures.append("samples.png")
    pictures += [name for name in ("curves.png",) if (folder / name).is_file()]
    card = model.card
    ranges = "".join(
        f"<li>{r.name}: {r.low:.4g} to {r.high:.4g} {html.escape(r.unit)}</li>"
        for r in card.conditions
    )
    page = (
        "<!doctype html><meta charset='utf-8'>"
        f"<title>{html.escape(card.name)}</title>"
        "<style>body{font:15px sans-serif;max-width:70em;margin:2em auto}img{max-width:100%}"
        "td,th{padding:.2em .8em;text-align:right}</style>"
        f"<h1>{html.escape(card.name)}</h1><p>{html.escape(card.summary)}</p><ul>{ranges}</ul>"
        "<h2>Held-out events</h2><p>log10(observed / median of draws): mean, its standard error "
        "by event, standard deviation.</p>"
        + residuals.to_html(float_format="{:.3f}".format)
        + "".join(f"<p><img src='{name}' alt='{name}'></p>" for name in pictures)
    )
    with replacing(folder / "report.html") as temporary:
        temporary.write_text(page, encoding="utf-8")
    return folder / "report.html"


def plot_samples(
    model: HighFEMModel, records: Records, rows: NDArray[np.int64], output: Path
) -> None:
    """Records and one draw for the conditions of each, radial component, and their spectra."""
    from matplotlib.figure import Figure

    table = records.table.iloc[rows]
    drawn = drawn_waveforms(model, table, records.samples)
    true = records.acceleration(rows)
    time_s = np.arange(records.samples) * records.set.dt_s

    figure = Figure(figsize=(12, 1.9 * len(rows) + 0.6), layout="constrained")
    axes = figure.subplots(len(rows), 3, squeeze=False, width_ratios=[2, 2, 1])
    frequency = np.fft.rfftfreq(records.samples, records.set.dt_s)
    bands = np.geomspace(0.2, 40.0, 40)
    for row, (_, conditions_of) in zip(range(len(rows)), table.iterrows(), strict=True):
        top = 1.05 * max(np.abs(true[row, 0]).max(), np.abs(drawn[row, 0]).max())
        for axis, record, color in ((axes[row][0], true, "0.2"), (axes[row][1], drawn, "C0")):
            axis.plot(time_s, record[row, 0], lw=0.5, color=color)
            axis.set(ylim=(-top, top), xlim=(0, time_s[-1]))
            axis.spines[["top", "right"]].set_visible(False)
        text = f"M {conditions_of['mag']:.1f}, {conditions_of['rhypo']:.0f} km"
        if "vs30" in conditions_of:
            text += f", Vs30 {conditions_of['vs30']:.0f}"
        axes[row][0].set_ylabel("m/s²")
        axes[row][0].text(0.99, 0.95, text, transform=axes[row][0].transAxes, ha="right", va="top")
        for record, color in ((true, "0.2"), (drawn, "C0")):
            power = np.abs(np.fft.rfft(record[row, :2])).mean(axis=0) * records.set.dt_s
            place = np.digitize(frequency, bands)
            smooth = [power[place == k].mean() for k in range(1, len(bands))]
            axes[row][2].loglog(np.sqrt(bands[1:] * bands[:-1]), smooth, color=color)
    axes[0][0].set_title("held-out record, radial")
    axes[0][1].set_title("draw for the same conditions")
    axes[0][2].set_title("Fourier amplitude, m/s")
    for axis, label in zip(axes[-1], ("time, s", "time, s", "frequency, Hz"), strict=True):
        axis.set_xlabel(label)
    figure.savefig(output, dpi=120)
