"""What an engineer looks at first of broadband motions: traces, spectra across the crossover."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from gwm_hazard.catalogue.store import open_catalogue
from gwm_hazard.core.low_frequency import LowFrequency
from gwm_hazard.files.atomic import replacing
from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.intensity.fourier import effective_amplitude
from gwm_hazard.report.style import OBSERVED, colour, grid_of_axes, write_figure

#: Motions that get a picture of their own.
MOST_PICTURES = 6

_periods_s = np.geomspace(0.03, 8.0, 30)
_frequencies_hz = np.geomspace(0.1, 25.0, 60)
#: Of the window of Konno and Ohmachi (1998).
_BANDWIDTH = 40.0


def draw_broadband(
    path: Path,
    catalogue: Path,
    scenario: int,
    n: int,
    motion: LowFrequency,
    fc_hz: float,
    title: str,
) -> None:
    """The low band and draws of a motion: traces, Fourier and response spectra with bands.

    Parameters
    ----------
    path : PNG to write
    catalogue : of :func:`gwm_hazard.catalogue.generated.write_generated`, n records a scenario
    motion : the one that was given
    """
    with open_catalogue(catalogue) as data:
        npts = int(data["npts"].values[scenario * n])
        drawn = data["acceleration"][scenario * n : (scenario + 1) * n, :, :npts].values
        dt_s = float(data.attrs["dt_s"])
        about = ", ".join(
            f"{name} {float(data[name].values[scenario * n]):.4g}"
            for name in ("mag", "rhypo", "vs30")
            if name in data.coords
        )
    figure, axes = grid_of_axes(4, columns=2, width=5.2, height=3.0)
    low = motion.acceleration[0]
    low_t, t = motion.dt_s * np.arange(low.shape[1]), dt_s * np.arange(npts)
    gap = 1.2 * np.abs(drawn[:2]).max()
    for k, row in enumerate(drawn[:2, 0]):
        axes[0].plot(t, row - (k + 1) * gap, color=colour(0), lw=0.6)
    axes[0].plot(low_t, low[0], color=OBSERVED, lw=0.9)
    axes[0].set(title=f"{title}: H1 given (black), two draws", xlabel="time (s)", ylabel="m/s2")
    for k, acc in enumerate(_velocity(drawn[:2, 0], dt_s)):
        axes[1].plot(t, 100 * acc, color=colour(k), lw=0.7, label=f"draw {k + 1}")
    axes[1].plot(
        low_t, 100 * _velocity(low[:1], motion.dt_s)[0], color=OBSERVED, lw=0.9, label="given"
    )
    axes[1].set(title="H1, velocity", xlabel="time (s)", ylabel="cm/s")
    axes[1].legend(fontsize=7.5)
    eas = effective_amplitude(drawn[:, :2], dt_s, _frequencies_hz, _BANDWIDTH)
    _band(axes[2], _frequencies_hz, eas)
    below = _frequencies_hz < 1.25 * fc_hz
    given = effective_amplitude(low[None, :2], motion.dt_s, _frequencies_hz[below], _BANDWIDTH)[0]
    axes[2].loglog(_frequencies_hz[below], given, color=OBSERVED, lw=1.2, label="given")
    axes[2].axvline(fc_hz, color="0.6", ls=":", label=f"crossover {fc_hz:g} Hz")
    axes[2].set(title="effective amplitude spectrum", xlabel="frequency (Hz)", ylabel="g s")
    axes[2].legend(fontsize=7.5)
    imts = [f"SA({p:.4g})" for p in _periods_s]
    _band(axes[3], _periods_s, intensity_measures_array(drawn, dt_s, imts, "RotD50"))
    long = _periods_s > 0.9 / fc_hz
    kept = [imt for imt, is_long in zip(imts, long, strict=True) if is_long]
    single = low[None].astype(np.float32)
    of_low = intensity_measures_array(single, motion.dt_s, kept, "RotD50")[0]
    axes[3].loglog(_periods_s[long], of_low, color=OBSERVED, lw=1.2, label="given")
    axes[3].axvline(1.0 / fc_hz, color="0.6", ls=":")
    axes[3].set(title=f"RotD50 SA, {about}", xlabel="period (s)", ylabel="g")
    axes[3].legend(fontsize=7.5)
    with replacing(path) as temporary:
        write_figure(figure, {"png": temporary})


def _velocity(acc: np.ndarray, dt_s: float) -> np.ndarray:
    return np.asarray(np.cumsum(acc.astype(np.float64), axis=-1) * dt_s)


def _band(ax: Any, x: np.ndarray, values: np.ndarray) -> None:
    """Median and 5 to 95 % of draws (n, x)."""
    low, middle, high = np.percentile(values, [5, 50, 95], axis=0)
    ax.fill_between(x, low, high, color=colour(0), alpha=0.25, lw=0, label="draws, 5 to 95 %")
    ax.loglog(x, middle, color=colour(0), label="median of draws")
