"""Whether draws repeat records: the nearest record of each draw, observed or of the training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.benchmark.comparable import DT_S, Motion, PairedRecords, aligned, sample
from gwm_hazard.benchmark.data import Comparison
from gwm_hazard.benchmark.metrics.envelope import start_s
from gwm_hazard.benchmark.metrics.memorisation import (
    Nearest,
    copying_z,
    nearest,
    nearest_distance,
)
from gwm_hazard.benchmark.section import Section, Skipped
from gwm_hazard.records.waveform_source import resample
from gwm_hazard.report.style import OBSERVED, grid_of_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from gwm_hazard.records.training_set import TrainingSet

KEY, TITLE = "memorisation", "Memorisation: the nearest record of each draw"

NPTS = 4096
BEFORE_S = 10.0

#: Observed records, at most, that are searched, and motions that are looked up.
MOST = 1500

#: Training records, at most, that are searched.
MOST_TRAINING = 50_000

#: Correlation above which a draw is called a copy.
COPY = 0.9

TEXT = """\
A generative model should draw new records, not repeat those it was trained on. Every draw is \
looked up among records: candidates by the shape of spectrum and envelope, which neither a shift, \
amplitude nor sign alters, then the largest correlation over all lags of the waveforms, all common \
components together. A copy has 1; what different earthquakes reach stands beside it.

z compares how near draws and other records come to their nearest record (Mann and Whitney's \
test, after Meehan et al. 2020): near 0 for both alike, far below 0 (-3) for copies, above 0 where \
draws lie farther from records than records from one another."""

OBSERVED_TEXT = """\
Nearest records: every draw among the observed records of this benchmark, beside each observed \
record among those of other events. This finds copies of the records at hand only."""

TRAINING_TEXT = """\
Nearest training records: every draw among the records that trained the model, beside records \
that did not train it (the dev and test splits of the training set) among the same. The held-out \
records have the conditions of the training set, the draws those of this benchmark, so z also \
holds how far these differ; a share of copies does not."""

NO_TRAINING_TEXT = """\
Records that a model was trained on and that are not in this benchmark were not searched; \
--training-set MODEL=FOLDER does."""


def section(data: Comparison) -> Section | Skipped:
    """See `TEXT`."""
    out = Section(KEY, TITLE, TEXT)
    chosen = sample(data, KEY, TITLE)
    if isinstance(chosen, PairedRecords):
        _among_observed(chosen, out)
    if data.training_sets:
        _among_training(data, out)
    else:
        out.text += "\n\n" + NO_TRAINING_TEXT
    if out.tables:
        return out
    if isinstance(chosen, Skipped):
        return chosen
    return Skipped(KEY, TITLE, "too few draws and records with the same components")


def _among_observed(chosen: PairedRecords, out: Section) -> None:
    """Draws looked up among the observed records of the benchmark."""
    data, event = chosen.data, chosen.event
    rng = np.random.default_rng(data.seed)
    picked = np.sort(rng.permutation(len(chosen))[:MOST])
    real = _cuts(chosen, None)
    rows: dict[str, dict[str, float]] = {}
    curves: dict[str, Nearest] = {}
    bases: dict[tuple[int, ...], Nearest] = {}
    for p in data.generative:
        drawn = _cuts(chosen, p.name)
        common = [c for c in range(3) if _has(real, c).any() and _has(drawn, c).any()]
        if not common:
            continue
        # as many components as the draws have, and records that have them
        at = [i for i in picked if all(_has(real, c)[i] for c in common)]
        of = [i for i in at if all(_has(drawn, c)[i] for c in common)]
        if len(of) < data.settings.min_records or len(np.unique(event[at])) < 2:
            continue
        references, cut = real[np.ix_(at, common)], drawn[np.ix_(of, common)]
        key = tuple(common)
        if key not in bases:
            same_event = event[at][:, None] == event[at]
            bases[key] = nearest(references, references, DT_S, excluded=same_event)
        base = bases[key]
        found = nearest(cut, references, DT_S)
        # distances as between records: to other events only
        same_event = event[of][:, None] == event[at]
        elsewhere = nearest_distance(cut, references, DT_S, excluded=same_event)
        curves[p.name] = found
        rows[p.name] = {
            "draws": len(of),
            "records searched": len(at),
            "components": len(common),
            "z": copying_z(elsewhere, base.distance),
            **_summary(found),
            "largest between events": float(base.correlation.max()),
        }
    if not rows:
        return
    out.text += "\n\n" + OBSERVED_TEXT
    _tell(
        out, data, rows, "Nearest records", "Correlation with the nearest record", curves,
        {"records, among other events": next(iter(bases.values()))}, "copies of records here",
        "black: records among those of other events",
    )  # fmt: skip
    if len(chosen) > MOST:
        out.limits.append(f"At most {MOST} observed records are searched, of {len(chosen)}.")


def _among_training(data: Comparison, out: Section) -> None:
    """Draws looked up among the records that trained their model."""
    rows: dict[str, dict[str, float]] = {}
    curves: dict[str, Nearest] = {}
    bases: dict[str, Nearest] = {}
    for name, held in data.training_sets.items():
        cuts = _drawn(data, name)
        common = [c for c in range(len(held.components)) if _has(cuts, c).any()]
        cuts = cuts[[i for i in range(len(cuts)) if all(_has(cuts, c)[i] for c in common)]]
        references = _Training(held, _picked(held.rows("train"), MOST_TRAINING, data.seed), common)
        if not common or min(len(cuts), len(references)) < data.settings.min_records:
            out.limits.append(f"{name}: too few draws or training records to look up.")
            continue
        others, kind, same_event = _not_drawn(held, references, common, data)
        # all in one search: reading the training records is most of the work
        excluded = np.zeros((len(cuts) + len(others), len(references)), dtype=bool)
        excluded[len(cuts) :] = same_event
        both = nearest(np.concatenate([cuts[:, common], others]), references, DT_S, excluded)
        found, base = both.take(slice(len(cuts))), both.take(slice(len(cuts), None))
        curves[name], bases[f"{name}: {kind}"] = found, base
        rows[name] = {
            "draws": len(cuts),
            "training records": len(references),
            "components": len(common),
            "z": copying_z(found.distance, base.distance),
            **_summary(found),
            "records beside": len(others),
            "largest beside": float(base.correlation.max()),
            f"share above {COPY:g} beside": float((base.correlation > COPY).mean()),
        }
        if len(references) < len(held.rows("train")):
            out.limits.append(
                f"{name}: {len(references)} of its {len(held.rows('train'))} training records are "
                "searched, chosen at random."
            )
    if rows:
        out.text += "\n\n" + TRAINING_TEXT
        _tell(
            out, data, rows, "Nearest training records",
            "Correlation with the nearest training record", curves, bases,
            "copies of training records", "dashed: records that did not train it",
        )  # fmt: skip


def _not_drawn(
    held: TrainingSet, references: _Training, common: list[int], data: Comparison
) -> tuple[NDArray[np.float32], str, NDArray[np.bool_] | bool]:
    """Records to look up beside the draws, what they are, and what each is not compared with.

    Held-out records, else training records among those of other events.
    """
    rows = _picked(np.concatenate([held.rows("dev"), held.rows("test")]), MOST, data.seed)
    if len(rows) >= data.settings.min_records:
        return _Training(held, rows, common)[:], "held-out records", False
    event = held.table["event_id"].to_numpy().astype(str)
    rows = _picked(references.rows, MOST, data.seed)
    same_event = event[rows][:, None] == event[references.rows]
    return _Training(held, rows, common)[:], "training records, among other events", same_event


class _Training:
    """Records of a training set cut as the draws are, read when asked for."""

    def __init__(self, held: TrainingSet, rows: NDArray[np.int64], components: list[int]) -> None:
        self.held, self.rows, self.components = held, rows, components

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self.rows), len(self.components), NPTS

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: slice | NDArray[np.int64]) -> NDArray[np.float32]:
        acc = self.held.waveforms(self.rows[rows])
        if len(acc) and abs(self.held.dt_s / DT_S - 1.0) > 1e-6:
            acc = np.stack([resample(a, self.held.dt_s, DT_S) for a in acc])
        n, components, nt = acc.shape
        motion = Motion(np.arange(n), acc, np.full(n, nt), min(2, components), components == 3)
        return _cut(motion)[:, self.components]


def _picked(rows: NDArray[np.int64], most: int, seed: int) -> NDArray[np.int64]:
    return np.sort(np.random.default_rng(seed).permutation(rows)[:most])


def _summary(found: Nearest) -> dict[str, float]:
    return {
        "correlation, median": float(np.median(found.correlation)),
        "correlation, largest": float(found.correlation.max()),
        f"share above {COPY:g}": float((found.correlation > COPY).mean()),
    }


def _tell(
    out: Section, data: Comparison, rows: dict[str, dict[str, float]], table_title: str,
    figure_title: str, curves: Mapping[str, Nearest], bases: Mapping[str, Nearest], score: str,
    beside: str,
) -> None:  # fmt: skip
    """Put a table, a figure and a score into the section."""
    table = pd.DataFrame(rows).T.rename_axis("model")
    out.tables[table_title] = table
    out.figures[figure_title] = _figure(data, curves, bases)
    out.captions[figure_title] = (
        f"Share of draws whose nearest record correlates at least so much; {beside}. Right of the "
        "dotted line a draw is a copy."
    )
    out.scores[f"{score} (correlation above {COPY:g}), share"] = {
        str(k): float(v) for k, v in table[f"share above {COPY:g}"].items()
    }


def _figure(
    data: Comparison, curves: Mapping[str, Nearest], bases: Mapping[str, Nearest]
) -> Figure:
    figure, (ax,) = grid_of_axes(1, columns=1, width=6.5, height=3.2)
    for label, base in bases.items():
        name = label.partition(":")[0]
        known = name in curves
        colour, line = (data.colour(name), "--") if known else (OBSERVED, "-")
        _curve(ax, base, colour, label, line)
    for name, found in curves.items():
        _curve(ax, found, data.colour(name), name, "-")
    ax.axvline(COPY, color="0.5", lw=0.8, ls=":")
    ax.set_xlabel("largest correlation with a record")
    ax.set_ylabel("share of motions at or above")
    ax.set_xlim(0, 1)
    ax.legend(fontsize=8.5, frameon=False)
    return figure


def _has(cuts: NDArray[np.floating], component: int) -> NDArray[np.bool_]:
    """Records with a motion of this component; a model without the record has none."""
    return np.asarray(np.nan_to_num(cuts[:, component]).any(axis=-1))


def _drawn(data: Comparison, name: str) -> NDArray[np.float32]:
    """The draws of a model, at most `MOST`, (n, 3, NPTS)."""
    blocks = [block.rows for block in data.drawn(name)]
    if not blocks:
        return np.empty((0, 3, NPTS), dtype=np.float32)
    return _cuts(PairedRecords(data, _picked(np.concatenate(blocks), MOST, data.seed)), name)


def _cuts(chosen: PairedRecords, name: str | None) -> NDArray[np.float32]:
    return np.nan_to_num(chosen.collect(name, _cut, (3, NPTS)))


def _cut(motion: Motion) -> NDArray[np.float32]:
    return aligned(motion, start_s(motion.acceleration, DT_S), BEFORE_S, NPTS)


def _curve(ax: Axes, found: Nearest, colour: str, label: str, line: str) -> None:
    x = np.sort(found.correlation)
    share = 1.0 - np.arange(len(x)) / len(x)
    ax.step(x, share, line, where="pre", color=colour, lw=1.5, label=label)
