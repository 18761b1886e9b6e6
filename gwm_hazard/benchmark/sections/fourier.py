"""Fourier amplitude spectra by magnitude and distance."""

from __future__ import annotations

import numpy as np
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
from gwm_hazard.benchmark.section import Section, Skipped
from gwm_hazard.intensity import effective_amplitude
from gwm_hazard.records.usable_band import longest_period_s

KEY, TITLE = "fourier", "Fourier amplitude spectra"

FREQUENCIES_HZ = np.geomspace(0.1, 30.0, 45)

#: Konno and Ohmachi's b of the shown spectra.
SMOOTHING = 40.0

#: Highest frequency used: share of the corner of a low-pass filter, and of Nyquist as recorded.
LOWPASS_SHARE, NYQUIST_SHARE = 0.8, 0.8

_TINY = 1e-30

TEXT = """\
Effective amplitude spectra of the two horizontals (root of their mean power, which does not \
depend on the orientation of the sensor) and amplitude spectra of the vertical, smoothed by \
Konno and Ohmachi's window of b = 40. The figures show mean and standard deviation of the \
logarithm over the records of a bin of magnitude and distance: observations in black with a \
grey band, models in colour with dotted lines. The corner frequency should fall with magnitude, \
high frequencies with distance.

Each observed record counts in its usable band only: above the lowest usable frequency, below \
0.8 of a low-pass corner and of its Nyquist frequency. Draws count where the observation does.

The table reads as that of the envelopes: rms differences in ln units between draws for one \
half of the events and observations of the other, beside those between the halves of the \
observations."""


def section(data: Comparison) -> Section | Skipped:
    """See `TEXT`."""
    if isinstance(chosen := sample(data, KEY, TITLE), Skipped):
        return chosen
    usable = _usable(chosen)
    n = len(FREQUENCIES_HZ)
    observed = np.where(np.tile(usable, 2), _spectra(chosen, None), np.nan)
    drawn = {p.name: at_observed(_spectra(chosen, p.name), observed) for p in data.generative}
    where = bins(chosen)
    found: dict[str, Misfit] = {}
    for name, values in drawn.items():
        compared = misfit(
            observed, values, where, chosen.event, data.settings.min_records, data.seed
        )
        if compared is not None:
            found[name] = compared
    out = Section(KEY, TITLE, TEXT, limits=limits(chosen, found))
    for part, (title, y_label) in enumerate(
        (
            ("Spectra of the horizontals", "EAS (g s)"),
            ("Spectra of the vertical", "vertical (g s)"),
        )
    ):
        columns = slice(part * n, (part + 1) * n)
        if np.isfinite(observed[:, columns]).any():
            out.figures[title] = binned_curves(
                data, FREQUENCIES_HZ, observed[:, columns],
                {k: v[:, columns] for k, v in drawn.items()}, where,
                x_label="frequency (Hz)", y_label=y_label, log_x=True,
            )  # fmt: skip
            out.captions[title] = (
                "Mean and standard deviation of log Fourier amplitudes by magnitude and distance; "
                "the observations in black and grey, models in colour; hatched: few records."
            )
    if found:
        out.tables["Misfit of spectra"] = misfit_table(found)
        out.captions["Misfit of spectra"] = "Rms differences in ln units, horizontals and vertical."
        out.scores["Fourier spectra, multiple of real against real"] = {
            k: round(f.ratio, 4) for k, f in found.items()
        }
    return out


def _usable(chosen: PairedRecords) -> NDArray[np.bool_]:
    """Frequencies that count of each record, (n, n_frequencies)."""
    table = chosen.table
    low = 1.0 / longest_period_s(table)
    high = NYQUIST_SHARE * 0.5 / chosen.data.observations.dt_s[chosen.rows]
    if "lowpass_hz" in table:
        corner = table["lowpass_hz"].to_numpy(np.float64)
        high = np.fmin(high, np.where(corner > 0, LOWPASS_SHARE * corner, np.inf))
    return (low[:, None] <= FREQUENCIES_HZ) & (high[:, None] >= FREQUENCIES_HZ)


def _spectra(chosen: PairedRecords, name: str | None) -> NDArray[np.float32]:
    """ln amplitudes of horizontals and vertical, (n, 2 n_frequencies)."""
    n = len(FREQUENCIES_HZ)

    def of(motion: Motion) -> NDArray[np.floating]:
        out = np.full((len(motion.place), 2 * n), np.nan)
        parts = [(0, motion.acceleration[:, : motion.n_horizontal])]
        if motion.vertical:
            parts.append((n, motion.acceleration[:, -1:]))
        for first, acc in parts:
            eas = effective_amplitude(acc, DT_S, FREQUENCIES_HZ, SMOOTHING)
            out[:, first : first + n] = np.log(np.maximum(eas, _TINY))
        return out

    return chosen.collect(name, of, (2 * n,))
