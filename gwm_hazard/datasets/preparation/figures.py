"""A training file on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from gwm_hazard.files.atomic import replacing
from gwm_hazard.records.training_set import SPLITS, TrainingSet
from gwm_hazard.report.style import OKABE_ITO

_PAPER = {"fc": "w", "ec": "none", "pad": 1, "alpha": 0.8}

SHOWN = 10  # records drawn, evenly spread over distance

_COLOUR = dict(zip(SPLITS, (OKABE_ITO[1], OKABE_ITO[2], OKABE_ITO[0]), strict=True))


def draw(folder: str | Path, path: str | Path) -> None:
    """Draw magnitude against distance, splits, reasons of rejections, and records with their picks.

    path : its suffix tells the format, png, pdf or svg
    """
    data, path = TrainingSet.open(folder), Path(path)
    rejected = pd.read_csv(Path(folder) / "rejected.csv")
    figure = Figure(figsize=(13, 9.2), layout="constrained")
    parts: Any = figure.subfigures(1, 2, width_ratios=(1, 1.15))
    left, right = parts
    conditions, splits, reasons = left.subplots(3, 1, height_ratios=(2.6, 1, 1.7))
    _conditions(conditions, data.table)
    _splits(splits, data.table)
    _reasons(reasons, rejected, len(data))
    _records(right, data)
    figure.suptitle(
        f"{Path(folder).name}: {len(data):,} records of {data.table['event_id'].nunique():,} "
        f"events, {len(rejected):,} left out"
    )
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=130, format=path.suffix.lstrip("."))


def _conditions(axes: Any, table: pd.DataFrame) -> None:
    for split in SPLITS:
        part = table[table["split"] == split]
        if {"rhypo", "mag"} <= set(table) and len(part):
            axes.scatter(
                part["rhypo"], part["mag"], s=14, alpha=0.7, lw=0, color=_COLOUR[split], label=split
            )
    axes.set(xscale="log", xlabel="hypocentral distance, km", ylabel="magnitude")
    axes.grid(alpha=0.3)
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}")
    axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)


def _splits(axes: Any, table: pd.DataFrame) -> None:
    counts = [(table["split"] == s).sum() for s in SPLITS]
    events = [table.loc[table["split"] == s, "event_id"].nunique() for s in SPLITS]
    bars = axes.barh(SPLITS, counts, color=[_COLOUR[s] for s in SPLITS])
    labels = [f"{n:,} of {e:,} events" for n, e in zip(counts, events, strict=True)]
    axes.bar_label(bars, labels, padding=4)
    axes.set_xlim(0, 1.5 * max(counts))
    axes.invert_yaxis()
    axes.set_xlabel("records")


def _reasons(axes: Any, rejected: pd.DataFrame, kept: int) -> None:
    counts = rejected["code"].value_counts()
    counts = pd.concat([pd.Series({"kept": kept}), counts])
    bars = axes.barh(counts.index, counts.to_numpy(), color=["0.35"] + ["0.7"] * (len(counts) - 1))
    axes.bar_label(bars, padding=4)
    axes.set_xlim(0, 1.15 * counts.max())
    axes.invert_yaxis()
    axes.set_xlabel("records")


def _records(figure: Any, data: TrainingSet) -> None:
    table = data.table
    order = table["rhypo"].argsort().to_numpy() if "rhypo" in table else np.arange(len(data))
    rows = order[np.unique(np.linspace(0, len(data) - 1, SHOWN).round().astype(int))]
    axes = figure.subplots(len(rows), 1, sharex=True, squeeze=False)[:, 0]
    time = np.arange(data.npts) * data.dt_s - float(table["p_sample"].iloc[0]) * data.dt_s
    for ax, row, acc in zip(axes, rows, data.waveforms(rows), strict=True):
        peak = float(np.abs(acc).max())
        for k, trace in enumerate(acc):
            ax.plot(time, trace / peak - 1.3 * k, lw=0.5, color=OKABE_ITO[k % len(OKABE_ITO)])
        ax.axvline(0, color="0.3", lw=0.8)
        record = table.iloc[row]
        told = [
            f"M {record['mag']:.1f}" if "mag" in record else "",
            f"{record['rhypo']:.0f} km" if "rhypo" in record else "",
            f"peak {peak:.2g} m/s²",
            f"P: {record['p_status']}",
        ]
        ax.set_ylim(-1.3 * acc.shape[0] + 0.3, 1.7)
        ax.set_yticks([-1.3 * k for k in range(acc.shape[0])], list(data.components))
        ax.text(0.995, 0.97, ", ".join(filter(None, told)), transform=ax.transAxes, ha="right",
                va="top", fontsize=8, bbox=_PAPER)  # fmt: skip
        ax.spines[["top", "right"]].set_visible(False)
    axes[-1].set_xlim(time[0], time[-1])
    axes[-1].set_xlabel("time after P, s")
