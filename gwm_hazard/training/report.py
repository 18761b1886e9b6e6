"""The page that a training leaves: losses, residuals on held-out events, samples beside records."""

from __future__ import annotations

import html
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.files.atomic import replacing
from gwm_hazard.models.highfem.model import HighFEMModel
from gwm_hazard.training.figures import plot_samples
from gwm_hazard.training.heldout import drawn_measures, ln_measures, residual_table
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
