"""Components, polarity, orientation, arrivals, and motion that comes to rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.benchmark.comparable import DT_S, Motion, PairedRecords, sample
from gwm_hazard.benchmark.data import Comparison
from gwm_hazard.benchmark.metrics.arrivals import onsets_s
from gwm_hazard.benchmark.metrics.physics import (
    apparent_velocity,
    axial_uniformity,
    component_correlation,
    final_over_peak,
    horizontal_covariance,
    linearity,
    polarity_p,
    positive_peaks,
    principal_azimuth,
)
from gwm_hazard.benchmark.section import Section, Skipped
from gwm_hazard.intensity import rotd
from gwm_hazard.records.usable_band import longest_period_s
from gwm_hazard.report.style import OBSERVED, OBSERVED_POINTS, grid_of_axes, legend_above

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KEY, TITLE = "physics", "Components, arrivals and physical checks"

#: 0 stands for PGA.
PERIODS_S = np.array([0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0, 3.0])
SHOWN_S = np.where(PERIODS_S > 0, PERIODS_S, 0.01)

#: RotD100 / RotD50 of Boore and Kishida (2017, BSSA 107(1): 334-343), linear in ln T between.
PUBLISHED_S, PUBLISHED_RATIO = (0.12, 0.41, 3.14), (1.188, 1.225, 1.241)

#: Final over peak above which a record is counted as not at rest.
REST = 0.1

TEXT = """\
RotD100 over RotD50, and vertical over horizontal (V/H, of SA): the median over the records by \
period, with the range from 16 to 84 % of the observations in grey. A ratio of 1.41 means \
motion on a line, as when one component is a copy of another.

S-P delay: P is picked on all components by Akaike's criterion before 5 % of the energy has \
come, S on the horizontals between P and a quarter of their energy, in records and draws alike \
(the delay of a record without a clear onset is unknown). Distance over delay is near 8 km/s in \
the crust.

Polarity and orientation: both signs should be as likely, and the axis of strongest horizontal \
motion should have no preferred direction against the components, where those are as recorded; \
for radial and transverse components a preference is real, and the observations show which. The \
p-values are those of a binomial test and of Rayleigh's test; below 0.001 counts as a \
preference.

At rest: final over peak velocity and displacement, integrated from the acceleration as it is. \
Records are filtered, so theirs is no target; a physical model ends with little velocity."""


def section(data: Comparison) -> Section | Skipped:
    """See `TEXT`."""
    if isinstance(chosen := sample(data, KEY, TITLE), Skipped):
        return chosen
    found: dict[str | None, _Features] = {None: _features(chosen, None)}
    found |= {p.name: _features(chosen, p.name) for p in data.generative}
    distance = chosen.distance_km
    usable = longest_period_s(chosen.table)[:, None] >= PERIODS_S
    table = pd.DataFrame(
        {name or "observed": _summary(f, distance) for name, f in found.items()}
    ).rename_axis("quantity")
    out = Section(KEY, TITLE, TEXT, tables={"Checks": table})
    out.captions["Checks"] = "Medians over the records unless the name says otherwise."
    figure, axes = grid_of_axes(3, columns=3, width=3.6, height=3.2)
    differences: dict[str, dict[str, float]] = {}
    for ax, (label, key) in zip(
        axes[:2], (("RotD100 / RotD50", "rotd"), ("V/H", "vertical")), strict=True
    ):
        values = {name: np.where(usable, f[key], np.nan) for name, f in found.items()}
        differences[label] = _panel(ax, data, values, label)
    ratio = np.interp(np.log(SHOWN_S), np.log(PUBLISHED_S), PUBLISHED_RATIO)
    axes[0].plot(SHOWN_S, ratio, "k:", lw=1.2, label="Boore and Kishida (2017)")
    _delays(axes[2], data, found, distance)
    legend_above(figure, axes[0], columns=5)
    title = "Ratios of components by period, and S-P delay by distance"
    out.figures[title] = figure
    out.captions[title] = (
        "Left: RotD100 over RotD50. Middle: vertical over RotD50. Right: S-P delay; the line is "
        "8 km/s. Observations in black and grey, models in colour; the leftmost period is PGA."
    )
    for label, difference in differences.items():
        if difference:
            out.scores[f"{label}, rms ln difference of medians"] = difference
    counts = {name or "observed": int(f["known"].sum()) for name, f in found.items()}
    out.limits = [
        "Records: " + ", ".join(f"{name} {n}" for name, n in counts.items()) + ".",
        "Onsets clear in: "
        + ", ".join(
            f"{name or 'observed'} {int(np.isfinite(f['delay']).sum())}"
            for name, f in found.items()
        )
        + ".",
    ]
    return out


_Features = dict[str, NDArray[np.float64]]


def _features(chosen: PairedRecords, name: str | None) -> _Features:
    n = len(PERIODS_S)

    def of(motion: Motion) -> NDArray[np.floating]:
        acc, count = motion.acceleration, len(motion.rows)
        out = np.full((count, 2 * n + 14), np.nan)
        rest = final_over_peak(acc, motion.npts, DT_S)
        out[:, 2 * n : 2 * n + 2] = rest.max(axis=1)
        positive = positive_peaks(acc)
        out[:, 2 * n + 2 : 2 * n + 2 + motion.n_horizontal] = positive[:, : motion.n_horizontal]
        onset = onsets_s(acc, motion.npts, DT_S, motion.n_horizontal)
        out[:, 2 * n + 5] = onset[:, 1] - onset[:, 0]
        out[:, 2 * n + 9] = 1.0
        if motion.n_horizontal == 2:
            covariance = horizontal_covariance(acc)
            out[:, 2 * n + 6] = component_correlation(covariance)
            out[:, 2 * n + 7] = linearity(covariance)
            out[:, 2 * n + 8] = principal_azimuth(covariance)
            sa = rotd(acc[:, :2], DT_S, PERIODS_S, (50, 100))
            with np.errstate(divide="ignore", invalid="ignore"):
                out[:, :n] = np.log(sa[:, 1] / sa[:, 0])
                if motion.vertical:
                    up = np.stack([acc[:, 2], np.zeros_like(acc[:, 2])], axis=1)
                    vertical = rotd(up, DT_S, PERIODS_S, (100,))[:, 0]
                    out[:, n : 2 * n] = np.log(vertical / sa[:, 0])
        if motion.vertical:
            out[:, 2 * n + 4] = positive[:, -1]
        out[~np.isfinite(out)] = np.nan
        return out

    values = chosen.collect(name, of, (2 * n + 14,)).astype(np.float64)
    return {
        "rotd": values[:, :n],
        "vertical": values[:, n : 2 * n],
        "rest": values[:, 2 * n : 2 * n + 2],
        "positive": values[:, 2 * n + 2 : 2 * n + 5],
        "delay": values[:, 2 * n + 5],
        "correlation": values[:, 2 * n + 6],
        "linearity": values[:, 2 * n + 7],
        "azimuth": values[:, 2 * n + 8],
        "known": np.isfinite(values[:, 2 * n + 9]).astype(np.float64),
    }


def _summary(f: _Features, distance: NDArray[np.float64]) -> dict[str, float]:
    velocity, spread = apparent_velocity(distance, f["delay"])
    resultant, p = axial_uniformity(f["azimuth"])
    out = {
        "distance over S-P delay (km/s)": velocity,
        "its spread (ln units)": spread,
        "|correlation| of the horizontals": _median(np.abs(f["correlation"])),
        "linearity of the horizontals": _median(f["linearity"]),
        "preferred axis, resultant length": resultant,
        "preferred axis, p": p,
    }
    for index, component in enumerate(("H1", "H2", "V")):
        known = f["positive"][np.isfinite(f["positive"][:, index]), index].astype(bool)
        out[f"positive peaks of {component}, share"] = float(known.mean()) if len(known) else np.nan
        out[f"positive peaks of {component}, p"] = (
            float(polarity_p(known[:, None])[0]) if len(known) else np.nan
        )
    for index, kind in enumerate(("velocity", "displacement")):
        rest = f["rest"][:, index]
        rest = rest[np.isfinite(rest)]
        out[f"final over peak {kind}"] = _median(rest)
        share = float((rest > REST).mean()) if len(rest) else np.nan
        out[f"final {kind} above {REST:g} of its peak, share"] = share
    return out


def _median(x: NDArray[np.floating]) -> float:
    return float(np.nanmedian(x)) if np.isfinite(x).any() else np.nan


def _panel(
    ax: Axes, data: Comparison, values: dict[str | None, NDArray[np.floating]], label: str
) -> dict[str, float]:
    """Draw medians by period; the rms difference of ln medians from the observations'."""
    x = SHOWN_S
    min_records = data.settings.min_records
    real = values[None]
    enough = np.isfinite(real).sum(axis=0) >= min_records
    out: dict[str, float] = {}
    if enough.any():
        low, _, high = np.exp(np.nanpercentile(real[:, enough], (16, 50, 84), axis=0))
        ax.fill_between(x[enough], low, high, color="0.85", lw=0, label="observed, 16 to 84 %")
        middle = np.exp(np.nanmedian(real[:, enough], axis=0))
        ax.plot(x[enough], middle, "o-", color=OBSERVED, lw=1.5, ms=3.5, label="observed")
    for name, drawn in values.items():
        if name is None:
            continue
        both = np.isfinite(real) & np.isfinite(drawn)
        enough = both.sum(axis=0) >= min_records
        if not enough.any():
            continue
        a = np.nanmedian(np.where(both, drawn, np.nan)[:, enough], axis=0)
        b = np.nanmedian(np.where(both, real, np.nan)[:, enough], axis=0)
        out[name] = round(float(np.sqrt(np.mean((a - b) ** 2))), 4)
        ax.plot(x[enough], np.exp(a), "o-", color=data.colour(name), lw=1.5, ms=3.5, label=name)
    ax.set_xscale("log")
    ax.set_xlabel("period (s)")
    ax.set_ylabel(label)
    return out


def _delays(
    ax: Axes,
    data: Comparison,
    found: dict[str | None, _Features],
    distance: NDArray[np.float64],
) -> None:
    for name, f in found.items():
        colour = OBSERVED_POINTS if name is None else data.colour(name)
        ax.plot(distance, f["delay"], ".", ms=3, color=colour, alpha=0.6, rasterized=True,
                zorder=2 if name is None else 3)  # fmt: skip
    known = distance[np.isfinite(found[None]["delay"])]
    reach = float(np.max(known, initial=50.0))
    ax.plot([0, reach], [0, reach / 8.0], color=OBSERVED, lw=0.8)
    ax.set_xlabel("distance (km)")
    ax.set_ylabel("S-P delay (s)")
    ax.set_xlim(0, reach * 1.02)
    ax.set_ylim(0, reach / 8.0 * 1.5)
