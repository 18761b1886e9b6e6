"""Training sets of shapes: observed records that carry the level of simulated ones.

Level and shape are learned apart: from a few hundred records a network can learn how energy is
spread over time and frequency, while their amplitudes, chosen by whoever kept them, would pull its
medians. So each observed record is brought to the smoothed Fourier amplitudes of a simulated one
of the same magnitude, distance, site and depth (its donor), and whatever tells its level is that of
the simulation. What a record does not have (its vertical, its beginning, its end, frequencies that
a filter removed) is the donor's too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.core.conditioning import distance_km
from gwm_hazard.core.distance import rupture_distance_km
from gwm_hazard.core.noise import Noise
from gwm_hazard.datasets.simulation import Simulation, drawn
from gwm_hazard.models.highfem.level import GRID_HZ
from gwm_hazard.models.registry import load_model
from gwm_hazard.records.training_set import TrainingSet, TrainingSetWriter
from gwm_hazard.representation.level import at_level, ln_amplitude

Array = NDArray[np.float64]

#: Ends of a record fade into its donor over so long, s.
FADE_S = 0.5
#: Band of a record that does not tell its filters, Hz; a band ends over a third of an octave.
USUAL_BAND_HZ = (0.1, 25.0)
_CHUNK = 64


def shapes(
    observed: TrainingSet,
    folder: str | Path,
    *,
    variants: int = 6,
    seed: int = 0,
    resume: bool = False,
    progress: Callable[[float], None] | None = None,
) -> TrainingSet:
    """Write a training set of the records of the train and dev splits, each ``variants`` times.

    A variant has a donor, a level and an angle of the horizontals of its own, keyed by (seed,
    record, variant).

    Parameters
    ----------
    observed : TrainingSet
        Three components; columns ``first`` and ``last`` (samples between which a record is known),
        ``highpass_hz`` and ``lowpass_hz`` are taken where there are. A component of zeros is not
        known.
    folder : path
        To write; must not exist, unless ``resume``.
    """
    model = load_model("stochastic")
    simulation = replace(Simulation(), npts=4096)
    table = observed.table
    rows = np.sort(np.concatenate([observed.rows(s) for s in ("train", "dev")]))
    conditions = scenario_table(simulation, table)
    events = np.unique(table["event_id"].astype(str), return_inverse=True)[1]
    wanted = [(int(r), v) for v in range(variants) for r in rows]
    notes = {"observed": observed.attributes.get("split", ""), "variants": variants, "seed": seed}
    writer = TrainingSetWriter(folder, npts=simulation.npts, attributes=notes, resume=resume)
    with writer:
        for start in range(len(writer), len(wanted), _CHUNK):
            row, variant = (np.array(c) for c in zip(*wanted[start : start + _CHUNK], strict=True))
            noise = Noise(seed, events[row], row, variant)
            told = conditions.iloc[row].reset_index(drop=True)
            donors = drawn(simulation, model, told, noise).astype(np.float64)
            angle = np.random.Generator(np.random.Philox(key=[seed, start])).uniform(
                0.0, 2.0 * np.pi, len(row)
            )
            made = np.stack([
                completed(w.astype(np.float64), d, a, model.dt_s, *span(table.iloc[r], w.shape[1]))
                for w, d, a, r in zip(observed.waveforms(row), donors, angle, row, strict=True)
            ])  # fmt: skip
            told["event_id"] = table["event_id"].to_numpy()[row]
            names = table["record_id"].to_numpy()[row]
            told["record_id"] = [f"{r}_{v}" for r, v in zip(names, variant, strict=True)]
            told["split"] = table["split"].to_numpy()[row]
            writer.append(made.astype(np.float32), told)
            if progress is not None:
                progress((start + len(row)) / len(wanted))
    return TrainingSet.open(folder)


def scenario_table(simulation: Simulation, table: pd.DataFrame) -> pd.DataFrame:
    """Conditions of records as :class:`Simulation` has them, within its ranges."""
    ranges = {k: getattr(simulation, k) for k in ("mag", "rhypo", "vs30", "hypo_depth")}
    rhypo = distance_km(table, "effective")
    values = {k: rhypo if k == "rhypo" else table[k].to_numpy(dtype=float) for k in ranges}
    found = pd.DataFrame({k: np.clip(v, *ranges[k]) for k, v in values.items()})
    return found.assign(rrup=rupture_distance_km(found["mag"], found["rhypo"], 1.0))


def span(row: pd.Series, npts: int) -> tuple[int, int, float, float]:
    """First and last sample of a record that are known, and its band, Hz: what none tells is usual.

    All records have gone through a high-pass at the low end of the usual band.
    """
    low, high = (
        row[k] if k in row and np.isfinite(row[k]) else usual
        for k, usual in zip(("highpass_hz", "lowpass_hz"), USUAL_BAND_HZ, strict=True)
    )
    return (
        int(row.get("first", 0)),
        int(row.get("last", npts)),
        max(float(low), USUAL_BAND_HZ[0]),
        float(high),
    )


def completed(
    record: Array, donor: Array, angle: float, dt_s: float, first: int, last: int,
    low_hz: float, high_hz: float,
) -> Array:  # fmt: skip
    """A record with the level of its donor, which also gives what the record does not have.

    Parameters
    ----------
    record, donor : (3, nt), (3, npts), m/s2
    angle : by which the horizontals are turned, rad
    first, last : samples of the record that are known
    low_hz, high_hz : its band

    Returns
    -------
    (3, npts); 5 % of the energy of the horizontals has come when it has in the donor
    """
    npts = donor.shape[1]
    part = record[:, first:last].copy()
    c, s = np.cos(angle), np.sin(angle)
    part[:2] = c * part[0] + s * part[1], c * part[1] - s * part[0]
    there = np.abs(part).max(axis=1) > 0
    begin = onset(donor) - onset(part)
    fade = max(1, round(FADE_S / dt_s))
    ramp = np.clip((np.arange(part.shape[1]) + 0.5) / fade, 0.0, 1.0)
    share = 0.5 - 0.5 * np.cos(np.pi * np.minimum(ramp, ramp[::-1]))
    placed, weight = np.zeros((3, npts)), np.zeros(npts)
    to = slice(max(0, begin), min(npts, begin + part.shape[1]))
    of = slice(to.start - begin, to.stop - begin)
    placed[:, to], weight[to] = (part * share)[:, of], share[of]
    level = ln_amplitude(donor, dt_s, GRID_HZ)
    placed[there] = at_level(placed[there], dt_s, level[there], GRID_HZ)
    joined = weight * placed + (1.0 - weight) * donor
    joined = _banded(joined, donor, dt_s, low_hz, high_hz)
    joined[~there] = donor[~there]
    return at_level(joined, dt_s, level, GRID_HZ)


def onset(motion: Array) -> int:
    """Sample at which 5 % of the energy of the horizontals has come."""
    energy = (motion[:2] ** 2).sum(axis=0).cumsum()
    return int(np.searchsorted(energy, 0.05 * energy[-1]))


def _banded(motion: Array, donor: Array, dt_s: float, low_hz: float, high_hz: float) -> Array:
    """The motion within a band, the donor outside. Powers add: phases have nothing in common."""
    nt = motion.shape[1]
    ln_f = np.log(np.maximum(np.fft.rfftfreq(2 * nt, dt_s), 1e-6))
    width = np.log(2.0) / 3.0

    def rise(x: Array) -> Array:
        return 0.5 - 0.5 * np.cos(np.pi * np.clip(x / width, 0.0, 1.0))

    keep = np.sqrt(rise(ln_f - np.log(low_hz)) * rise(np.log(high_hz) - ln_f))
    spectrum = keep * np.fft.rfft(motion, 2 * nt)
    spectrum += np.sqrt(1.0 - keep**2) * np.fft.rfft(donor, 2 * nt)
    return np.asarray(np.fft.irfft(spectrum, 2 * nt)[:, :nt])
