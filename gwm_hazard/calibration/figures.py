"""Figures of a calibration: residuals, spectra, variability."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.calibration.report import BINS, bins
from gwm_hazard.files.atomic import replacing
from gwm_hazard.report.style import OKABE_ITO

if TYPE_CHECKING:
    from gwm_hazard.calibration.result import Calibration, Residuals

_SHOWN = ("PGA", "SA(0.3)", "SA(1.0)", "RSD595")
_LABELS = {"mag": "magnitude", "rrup": "rupture distance (km)", "vs30": "Vs30 (m/s)"}
_MAG_CELLS = ((4.0, 5.0), (5.0, 6.0), (6.0, 7.0), (7.0, 8.01))
_KM_CELLS = ((0.0, 30.0), (30.0, 80.0), (80.0, 300.0))


def draw_figures(c: Calibration, folder: Path) -> None:
    """Write residuals.png, spectra.png and variability.png."""
    for name, figure in (
        ("residuals", _residuals(c)),
        ("spectra", _spectra(c)),
        ("variability", _variability(c)),
    ):
        with replacing(folder / f"{name}.png") as temporary:
            figure.savefig(temporary, dpi=130, format="png")


def _figure(width: float, height: float) -> Any:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _residuals(c: Calibration) -> Any:
    """Residuals of the calibrated model against the conditions, means of bins over records."""
    imts = [i for i in _SHOWN if i in c.fitted.observations.imts] or list(
        c.fitted.observations.imts[:4]
    )
    sets: list[tuple[str, Residuals, str]] = [("fitted", c.fitted, OKABE_ITO[1])]
    if c.held_out:
        sets.append(("held out", c.held_out, OKABE_ITO[0]))
    figure = _figure(12.0, 2.5 * len(imts) + 0.6)
    axes = figure.subplots(len(imts), len(BINS), squeeze=False, sharey="row", sharex="col")
    for label, r, colour in sets:
        table = bins(r.observations, r.values)
        for row, imt in enumerate(imts):
            column = r.values[:, r.observations.imts.index(imt)]
            for ax, name in zip(axes[row], BINS, strict=True):
                x = r.observations.table[name].to_numpy()
                ax.plot(x, column, ".", ms=2, color=colour, alpha=0.25, rasterized=True)
                part = table[(table["condition"] == name) & (table["imt"] == imt)]
                middle = np.sqrt(part["low"] * part["high"])
                error = 1.96 * part["mean_error"].fillna(0.0)
                # White below: the means must be seen in the cloud.
                ax.errorbar(middle, part["mean"], error, fmt="o", color="white", ms=7, lw=4)
                ax.errorbar(middle, part["mean"], error, fmt="o", color=colour, ms=5, lw=1.8,
                            capsize=2.5, label=label, zorder=4)  # fmt: skip
    for row, imt in enumerate(imts):
        axes[row][0].set_ylabel(f"{imt}: ln(observed / model)")
        for ax, name in zip(axes[row], BINS, strict=True):
            ax.axhline(0.0, color="black", lw=0.8)
            ax.set_ylim(-2.2, 2.2)
            ax.grid(color="0.9", lw=0.6)
            if name != "mag":
                ticks = (1, 3, 10, 30, 100, 300) if name == "rrup" else (200, 300, 500, 1000)
                ax.set_xscale("log")
                ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
                ax.set_xticks([], minor=True)
    for ax, name in zip(axes[-1], BINS, strict=True):
        ax.set_xlabel(_LABELS[name])
    axes[0][0].legend(frameon=False, fontsize=8.5, loc="upper right")
    figure.suptitle("Residuals of the calibrated model; means of bins with 95 % intervals")
    return figure


def _spectra(c: Calibration) -> Any:
    """Observed against model spectra: medians over the same records, by magnitude and distance."""
    parts = [(c.fitted, "fitted")] + ([(c.held_out, "held out")] if c.held_out else [])
    imts = c.fitted.observations.imts
    at = [j for j, i in enumerate(imts) if i.startswith("SA(")]
    periods = np.array([float(imts[j][3:-1]) for j in at])
    ln = np.concatenate([r.observations.ln()[:, at] for r, _ in parts])
    model = np.concatenate([(r.observations.ln() - r.values)[:, at] for r, _ in parts])
    table = pd.concat([r.observations.table for r, _ in parts])
    mag, rrup = table["mag"].to_numpy(), table["rrup"].to_numpy()
    figure = _figure(12.0, 4.2)
    axes = figure.subplots(1, len(_MAG_CELLS), sharey=True)
    for ax, (low, high) in zip(axes, _MAG_CELLS, strict=True):
        for colour, (near, far) in zip(OKABE_ITO[:3], _KM_CELLS, strict=True):
            use = (mag >= low) & (mag < high) & (rrup >= near) & (rrup < far)
            if use.sum() < 5 or not at:
                continue
            seen, drawn = _cell(ln[use]), _cell(np.where(np.isnan(ln[use]), np.nan, model[use]))
            ax.loglog(periods, seen, "o", color=colour, ms=4.5,
                      label=f"{near:g} to {far:g} km: {use.sum()}")  # fmt: skip
            ax.loglog(periods, drawn, "-", color=colour, lw=1.6)
        ax.set(xlabel="period (s)", title=f"M {low:g} to {min(high, 8.0):g}")
        ax.xaxis.set_major_formatter("{x:g}")
        ax.grid(color="0.9", lw=0.6)
        if ax.get_legend_handles_labels()[0]:
            ax.legend(frameon=False, fontsize=8)
    axes[0].set_ylabel("SA (g)")
    figure.suptitle("Observed medians (dots) and the calibrated model (lines), same records")
    return figure


def _cell(ln: NDArray[np.float64]) -> NDArray[np.float64]:
    """Median by column where 5 or more values are known."""
    out = np.full(ln.shape[1], np.nan)
    for j, column in enumerate(ln.T):
        known = column[np.isfinite(column)]
        if len(known) >= 5:
            out[j] = np.exp(np.median(known))
    return out


def _variability(c: Calibration) -> Any:
    """Observed tau and phi by measure beside the model's, before and after scaling."""
    v = c.variability
    figure = _figure(11.0, 4.2)
    axes = figure.subplots(1, 2, sharey=True)
    x = np.arange(len(v))
    for ax, name in zip(axes, ("tau", "phi"), strict=True):
        centre = v[name].to_numpy()
        low = np.maximum(centre - v[f"{name}_low"].fillna(v[name]).to_numpy(), 0.0)
        high = np.maximum(v[f"{name}_high"].fillna(v[name]).to_numpy() - centre, 0.0)
        ax.errorbar(x, centre, [low, high], fmt="o", color="black", capsize=3,
                    label="observed, fitted events (95 %)")  # fmt: skip
        ax.plot(x, v[f"{name}_before"], "--", color=OKABE_ITO[2], label="model at the start")
        ax.plot(x, v[f"{name}_model"], "-", color=OKABE_ITO[1], lw=2, label="calibrated model")
        ax.set_xticks(x, v["imt"], rotation=60)
        ax.set_title({"tau": "between events, tau", "phi": "within events, phi"}[name])
        ax.grid(color="0.9", lw=0.6)
    axes[0].set_ylim(bottom=0.0)
    axes[0].set_ylabel("standard deviation, ln units")
    axes[0].legend(frameon=False)
    return figure
