"""Goodness of fit: reconstructions of given records, and draws beside the record itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.benchmark.comparable import DT_S, Sample, aligned, bins, sample
from gwm_hazard.benchmark.data import BenchmarkData
from gwm_hazard.benchmark.metrics.envelope import start_s
from gwm_hazard.benchmark.metrics.goodness_of_fit import (
    ANDERSON,
    OLSEN_MAYHEW,
    anderson,
    kristekova,
    olsen_mayhew,
)
from gwm_hazard.benchmark.section import Section, Skipped
from gwm_hazard.benchmark.style import OBSERVED, grid_of_axes

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

TEXT = """\
Scores of one signal beside another. Anderson (2004): ten characteristics in bands from 0.2 to \
20 Hz, 0 to 10; below 4 poor, 4 to 6 fair, 6 to 8 good, above 8 excellent. Olsen and Mayhew \
(2010): eight characteristics, 0 to 100; 45 to 65 fair, 65 to 80 very good, above 80 excellent. \
Both for the first horizontal.

A model that draws for a scenario does not know the record: its draw beside the record is \
scored like another record of a similar earthquake. What can be reached is shown by the two \
horizontals of the same record (the same earthquake and site), what chance gives by a record of \
another event of the same bin of magnitude and distance. Cross correlation is near 0 for all of \
these.

A model that reconstructs or translates a given signal (one with a method `reconstruct`) is \
scored against that signal, also in the time-frequency plane after Kristekova et al. (2009): \
envelope and phase goodness of fit, 0 to 10."""


@runtime_checkable
class Reconstructs(Protocol):
    """A model that gives a signal back, as an autoencoder or a translator does."""

    def reconstruct(self, acceleration: NDArray[np.float32], dt_s: float) -> NDArray[np.float32]:
        """The model's version of given records, (n, n_components, nt) to the same shape, m/s2."""
        ...


def section(data: BenchmarkData) -> Section | Skipped:
    """See `TEXT`."""
    if isinstance(chosen := sample(data, KEY, TITLE), Skipped):
        return chosen
    rng = np.random.default_rng(data.seed)
    cuts = _cuts(chosen, None, np.arange(len(chosen)))
    ready = np.flatnonzero(cuts[:, :2].any(axis=-1).all(axis=-1))
    at = np.sort(rng.permutation(ready)[:MOST])
    if len(at) < data.settings.least:
        return Skipped(KEY, TITLE, f"fewer than {data.settings.least} records with two horizontals")
    real = cuts[at]
    pairs: dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]] = {
        "second horizontal of the record": (real[:, 1], real[:, 0])
    }
    other = _of_other_events(chosen, at, ready, rng)
    pairs["record of another event"] = (cuts[other[other >= 0], 0], real[other >= 0, 0])
    rows: dict[str, dict[str, float]] = {}
    for p in data.generative:
        drawn = _cuts(chosen, p.name, at)
        there = drawn[:, 0].any(axis=-1)
        if there.sum() >= data.settings.least:
            pairs[f"{p.name}, draw"] = (drawn[there, 0], real[there, 0])
        model = data.models[p.name]
        if isinstance(model, Reconstructs):
            back = _reconstructed(model, real)
            pairs[f"{p.name}, reconstruction"] = (back[:, 0], real[:, 0])
            few = slice(MOST_TIME_FREQUENCY)
            rows[p.name] = _time_frequency(back[few], real[few])
    tables: dict[str, dict[str, Any]] = {"Anderson (2004)": {}, "Olsen and Mayhew (2010)": {}}
    for name, (signals, references) in pairs.items():
        if len(signals) == 0:
            continue
        scores = (
            anderson(signals, references, DT_S, lowest_hz=LOWEST_HZ, highest_hz=HIGHEST_HZ),
            olsen_mayhew(signals, references, DT_S, longest_s=1.0 / LOWEST_HZ),
        )
        for table, score in zip(tables.values(), scores, strict=True):
            table[name] = {"records": len(signals), **score.mean().to_dict()}
    frames = {k: pd.DataFrame(v).T.rename_axis("signal") for k, v in tables.items()}
    out = Section(KEY, TITLE, TEXT, tables=dict(frames), limits=_limits(data, rows, len(at)))
    title = "Scores by characteristic"
    out.figures[title] = _figure(data, frames)
    out.captions[title] = (
        "Mean scores over the records. Left: Anderson (2004), the dotted lines at 4, 6 and 8 "
        "divide poor, fair, good and excellent. Right: Olsen and Mayhew (2010), at 45, 65 and 80."
    )
    if rows:
        out.tables["Kristekova et al. (2009)"] = pd.DataFrame(rows).T.rename_axis("model")
        out.captions["Kristekova et al. (2009)"] = "Mean scores of reconstructions, 0 to 10."
    totals = dict(frames["Anderson (2004)"]["score"].astype(float))
    out.scores["goodness of fit of a draw (Anderson), 10 minus score"] = {
        p.name: round(10.0 - float(totals[f"{p.name}, draw"]), 4)
        for p in data.generative
        if f"{p.name}, draw" in pairs
    }
    return out


def _limits(data: BenchmarkData, rows: dict[str, dict[str, float]], n: int) -> list[str]:
    without = [p.name for p in data.generative if p.name not in rows]
    out = [f"{n} records, drawn at random from those with two horizontals."]
    if without:
        out.append(
            f"No time-frequency scores (Kristekova et al. 2009) of {', '.join(without)}: these "
            "need a model that reconstructs a given signal."
        )
    return out


def _cuts(chosen: Sample, name: str | None, at: NDArray[np.int64]) -> NDArray[np.float32]:
    """Records at places of the sample, (n, 3, NPTS); zero where there is none."""
    out = np.zeros((len(at), 3, NPTS), dtype=np.float32)
    for motion in chosen.motions(name):
        place, mine = np.searchsorted(at, motion.place), np.isin(motion.place, at)
        cut = aligned(motion, start_s(motion.acceleration, DT_S), BEFORE_S, NPTS)
        out[place[mine]] = cut[mine]
    return out


def _of_other_events(
    chosen: Sample, at: NDArray[np.int64], ready: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.int64]:
    """For each record one of another event in the same bin, -1 where there is none."""
    number, event = bins(chosen).number, chosen.event
    out = np.full(len(at), -1)
    for i, k in enumerate(at):
        others = ready[(number[ready] == number[k]) & (event[ready] != event[k])]
        if len(others):
            out[i] = rng.choice(others)
    return out


def _reconstructed(model: Reconstructs, real: NDArray[np.float32]) -> NDArray[np.float32]:
    back = np.asarray(model.reconstruct(real, DT_S))
    if back.shape != real.shape:
        raise ValueError(f"reconstruct gave shape {back.shape} of records {real.shape}: they must "
                         "agree")  # fmt: skip
    return back


def _time_frequency(back: NDArray[np.float32], real: NDArray[np.float32]) -> dict[str, float]:
    scores = []
    for signal, reference in zip(back, real, strict=True):
        there = reference.any(axis=-1)
        envelope, phase = kristekova(
            signal[there], reference[there], DT_S, fmin_hz=LOWEST_HZ, fmax_hz=HIGHEST_HZ
        )
        scores.append((envelope.mean(), phase.mean()))
    envelope, phase = np.mean(scores, axis=0)
    return {"records": len(real), "envelope": float(envelope), "phase": float(phase)}


def _figure(data: BenchmarkData, frames: dict[str, pd.DataFrame]) -> Figure:
    figure, axes = grid_of_axes(2, columns=2, width=4.6, height=3.6)
    for ax, (title, frame), names, lines in zip(
        axes, frames.items(), (ANDERSON, OLSEN_MAYHEW), ((4, 6, 8), (45, 65, 80)), strict=True
    ):
        y = np.arange(len(names))[::-1]
        for line in lines:
            ax.axvline(line, color="0.6", lw=0.7, ls=":")
        for place, (signal, row) in enumerate(frame.iterrows()):
            name = str(signal).rsplit(", ", 1)[0]
            known = [p.name for p in data.predictions]
            colour = data.colour(name) if name in known else (OBSERVED, "0.5")[place % 2]
            marker = "s" if str(signal).endswith("reconstruction") else "o"
            ax.plot(row[list(names)], y, marker, color=colour, ms=5, label=str(signal))
        ax.set_yticks(y, names, fontsize=8)
        ax.set_title(title)
        ax.set_xlim(0, 10 if title.startswith("Anderson") else 100)
        ax.set_xlabel("score")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False, fontsize=8)
    return figure
