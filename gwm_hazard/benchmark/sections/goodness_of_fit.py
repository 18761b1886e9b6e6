"""Goodness of fit: reconstructions of given records, and draws beside the record itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.benchmark.comparable import DT_S, PairedRecords, aligned, bins, sample
from gwm_hazard.benchmark.data import Comparison
from gwm_hazard.benchmark.metrics.arrivals import onsets_s
from gwm_hazard.benchmark.metrics.envelope import start_s
from gwm_hazard.benchmark.metrics.goodness_of_fit import (
    ANDERSON,
    OLSEN_MAYHEW,
    anderson,
    kristekova,
    olsen_mayhew,
)
from gwm_hazard.benchmark.section import Section, Skipped
from gwm_hazard.errors import InputError
from gwm_hazard.models.abilities import Reconstructs, Represents
from gwm_hazard.report.style import OBSERVED, grid_of_axes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KEY, TITLE = "goodness_of_fit", "Goodness of fit of single records"

#: Records whose scores are taken.
MOST = 60

#: Of these, records that are looked at in the time-frequency plane.
MOST_TIME_FREQUENCY = 15

NPTS = 4096
BEFORE_S = 10.0

#: Band of the scores: what filters of most records leave, Hz.
LOWEST_HZ = 0.2
HIGHEST_HZ = 20.0

#: Marks in the figure of what is not a draw.
MARKERS = {"reconstruction": "s", "representation alone": "D"}

#: P onset of the records that are given to a model to reconstruct, s.
P_AT_S = 5.0

TEXT = """\
Scores of one signal beside another, first horizontal. Anderson (2004): ten characteristics in \
bands from 0.2 to 20 Hz, 0 to 10; below 4 poor, 4 to 6 fair, 6 to 8 good, above 8 excellent. Olsen \
and Mayhew (2010): ten characteristics, among them ratios of inelastic to elastic displacement, 0 \
to 100; 45 to 65 fair, 65 to 80 very good, above 80 excellent. Kristekova et al. (2009): envelope \
and phase in the time-frequency plane, 0 to 10.

A model that draws for a scenario does not know the record: its draw beside the record is \
scored like another record of a similar earthquake. What can be reached is shown by the two \
horizontals of the same record (the same earthquake and site), what chance gives by a record of \
another event of the same bin of magnitude and distance. Cross correlation and phase tell nothing \
of these."""

RECONSTRUCTION_TEXT = """\
Reconstruction: a model that can (one with a method `reconstruct`) is given the record itself and \
gives it back. Of a latent diffusion model this is the log spectrogram encoded, decoded, and its \
phases retrieved: what draws would lose even if every latent were right. Representation alone \
leaves the network out: what the spectrogram and the retrieval of phases lose. Phases are not kept \
by such a representation, not even the sign, so phase and cross correlation near chance are no \
fault; envelopes and spectra are to be compared."""


#: Signals and the references that they are scored against, each (n, NPTS).
_Pair = tuple[NDArray[np.float32], NDArray[np.float32]]


def section(data: Comparison) -> Section | Skipped:
    """See `TEXT`."""
    if isinstance(chosen := sample(data, KEY, TITLE), Skipped):
        return chosen
    rng = np.random.default_rng(data.seed)
    cuts = _cuts(chosen, None, np.arange(len(chosen)))
    ready = np.flatnonzero(cuts[:, :2].any(axis=-1).all(axis=-1))
    at = np.sort(rng.permutation(ready)[:MOST])
    if len(at) < data.settings.min_records:
        few = f"fewer than {data.settings.min_records} records with two horizontals"
        return Skipped(KEY, TITLE, few)
    real = cuts[at]
    pairs: dict[str, _Pair] = {"second horizontal of the record": (real[:, 1], real[:, 0])}
    other = _of_other_events(chosen, at, ready, rng)
    if (other >= 0).any():
        pairs["record of another event"] = (cuts[other[other >= 0], 0], real[other >= 0, 0])
    out = Section(KEY, TITLE, TEXT)
    out.limits.append(f"{len(at)} records, drawn at random from those with two horizontals.")
    given = _with_onset(chosen, ready)
    for p in data.generative:
        drawn = _cuts(chosen, p.name, at)
        there = drawn[:, 0].any(axis=-1)
        if there.sum() >= data.settings.min_records:
            pairs[f"{p.name}, draw"] = (drawn[there, 0], real[there, 0])
        pairs |= _reconstructions(data, p.name, given, out)
    frames = _tables(pairs)
    out.tables |= frames
    title = "Scores by characteristic"
    out.figures[title] = _figure(data, frames)
    out.captions[title] = (
        "Mean scores over the records. Left: Anderson (2004), the dotted lines at 4, 6 and 8 "
        "divide poor, fair, good and excellent. Right: Olsen and Mayhew (2010), at 45, 65 and 80."
    )
    out.captions["Kristekova et al. (2009)"] = (
        f"Mean scores, 0 to 10, 0.2 to 20 Hz; at most {MOST_TIME_FREQUENCY} records of each."
    )
    totals = dict(frames["Anderson (2004)"]["score"].astype(float))
    out.scores["goodness of fit of a draw (Anderson), 10 minus score"] = {
        p.name: round(10.0 - float(totals[f"{p.name}, draw"]), 4)
        for p in data.generative
        if f"{p.name}, draw" in pairs
    }
    return out


def _tables(pairs: dict[str, _Pair]) -> dict[str, pd.DataFrame]:
    """Scores of all pairs, a table a scale."""
    tables: dict[str, dict[str, Any]] = {
        "Anderson (2004)": {},
        "Olsen and Mayhew (2010)": {},
        "Kristekova et al. (2009)": {},
    }
    for name, (signals, references) in pairs.items():
        scores = (
            anderson(signals, references, DT_S, lowest_hz=LOWEST_HZ, highest_hz=HIGHEST_HZ),
            olsen_mayhew(signals, references, DT_S, longest_s=1.0 / LOWEST_HZ),
            _time_frequency(signals, references),
        )
        for table, score in zip(tables.values(), scores, strict=True):
            table[name] = {"records": len(score), **score.mean().to_dict()}
    return {k: pd.DataFrame(v).T.rename_axis("signal") for k, v in tables.items()}


def _reconstructions(
    data: Comparison, name: str, given: NDArray[np.float32], out: Section
) -> dict[str, _Pair]:
    """Records given to a model and what it gives back."""
    model = data.models[name]
    if not isinstance(model, Reconstructs):
        out.limits.append(f"{name} cannot reconstruct a given record.")
        return {}
    if len(given) < data.settings.min_records:
        out.limits.append(
            f"{name} reconstructs nothing: fewer than {data.settings.min_records} records with "
            "three components and a clear P onset."
        )
        return {}
    if RECONSTRUCTION_TEXT not in out.text:
        out.text += "\n\n" + RECONSTRUCTION_TEXT
    found = {f"{name}, reconstruction": _given_back(model.reconstruct, given)}
    if isinstance(model, Represents):
        found[f"{name}, representation alone"] = _given_back(model.represent, given)
    return found


def _given_back(
    function: Callable[[NDArray[np.float32], float], NDArray[np.float32]],
    given: NDArray[np.float32],
) -> _Pair:
    back = np.asarray(function(given, DT_S))
    if back.shape != given.shape:
        raise InputError(
            f"reconstruct gave shape {back.shape} of records {given.shape}: they must agree"
        )
    return back[:, 0], given[:, 0]


def _cuts(chosen: PairedRecords, name: str | None, at: NDArray[np.int64]) -> NDArray[np.float32]:
    """Records at places of the sample, (n, 3, NPTS); zero where there is none."""
    out = np.zeros((len(at), 3, NPTS), dtype=np.float32)
    for motion in chosen.motions(name):
        place, mine = np.searchsorted(at, motion.place), np.isin(motion.place, at)
        cut = aligned(motion, start_s(motion.acceleration, DT_S), BEFORE_S, NPTS)
        out[place[mine]] = cut[mine]
    return out


def _of_other_events(
    chosen: PairedRecords, at: NDArray[np.int64], ready: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """For each record one of another event in the same bin, -1 where there is none."""
    number, event = bins(chosen).number, chosen.event
    out = np.full(len(at), -1)
    for i, k in enumerate(at):
        others = ready[(number[ready] == number[k]) & (event[ready] != event[k])]
        if len(others):
            out[i] = rng.choice(others)
    return out


def _with_onset(chosen: PairedRecords, at: NDArray[np.int64]) -> NDArray[np.float32]:
    """At most `MOST` records of three components with P, which is clear, at 5 s, (n, 3, NPTS)."""
    found = []
    for motion in chosen.motions():
        if motion.vertical:
            p = onsets_s(motion.acceleration, motion.npts, DT_S, motion.n_horizontal)[:, 0]
            use = np.isfinite(p) & np.isin(motion.place, at)
            found.append(aligned(motion, p, P_AT_S, NPTS)[use])
    return np.concatenate(found)[:MOST] if found else np.empty((0, 3, NPTS), np.float32)


def _time_frequency(signals: NDArray[np.float32], references: NDArray[np.float32]) -> pd.DataFrame:
    """Scores of at most `MOST_TIME_FREQUENCY` pairs, a row each."""
    few = slice(MOST_TIME_FREQUENCY)
    envelope, phase = kristekova(
        signals[few], references[few], DT_S, fmin_hz=LOWEST_HZ, fmax_hz=HIGHEST_HZ
    )
    return pd.DataFrame({"envelope": envelope, "phase": phase})


def _figure(data: Comparison, frames: dict[str, pd.DataFrame]) -> Figure:
    figure, axes = grid_of_axes(2, columns=2, width=4.6, height=3.6)
    for ax, (title, frame), names, lines in zip(
        axes, frames.items(), (ANDERSON, OLSEN_MAYHEW), ((4, 6, 8), (45, 65, 80)), strict=False
    ):
        y = np.arange(len(names))[::-1]
        for line in lines:
            ax.axvline(line, color="0.6", lw=0.7, ls=":")
        for place, (signal, row) in enumerate(frame.iterrows()):
            name = str(signal).rsplit(", ", 1)[0]
            known = [p.name for p in data.predictions]
            colour = data.colour(name) if name in known else (OBSERVED, "0.5")[place % 2]
            marker = MARKERS.get(str(signal).rsplit(", ", 1)[-1], "o")
            ax.plot(row[list(names)], y, marker, color=colour, ms=5, label=str(signal))
        ax.set_yticks(y, names, fontsize=8)
        ax.set_title(title)
        ax.set_xlim(0, 10 if title.startswith("Anderson") else 100)
        ax.set_xlabel("score")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    return figure
