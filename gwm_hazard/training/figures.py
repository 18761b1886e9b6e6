"""Pictures that a training leaves: losses by step, samples beside records."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gwm_hazard.models.highfem.model import HighFEMModel
from gwm_hazard.training.heldout import drawn_waveforms
from gwm_hazard.training.records import Records


def plot_curves(files: Mapping[str, Path], output: Path) -> None:
    """A picture of the curves of several fits: {title: CSV}."""
    figure = Figure(figsize=(4.2 * len(files), 3.4), layout="constrained")
    axes = figure.subplots(1, len(files), squeeze=False)[0]
    for axis, (title, path) in zip(axes, files.items(), strict=True):
        table = pd.read_csv(path)
        train = table[table["split"] == "train"]
        dev = table[table["split"] == "dev"]
        smooth = train["loss"].ewm(span=max(2, len(train) // 50)).mean()
        axis.plot(train["step"], smooth, color="0.5", label="training, smoothed")
        axis.plot(dev["step"], dev["loss"], "o-", ms=3, label="dev, averaged weights")
        low, high = smooth.iloc[len(smooth) // 50 :].min(), smooth.iloc[len(smooth) // 50 :].max()
        margin = 0.05 * (high - low) + 1e-6
        axis.set(title=title, xlabel="step", ylabel="loss", ylim=(low - 4 * margin, high + margin))
        axis.legend(frameon=False)
    figure.savefig(output, dpi=130)


def plot_samples(
    model: HighFEMModel, records: Records, rows: NDArray[np.int64], output: Path
) -> None:
    """Records and one draw for the conditions of each, radial component, and their spectra."""
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
