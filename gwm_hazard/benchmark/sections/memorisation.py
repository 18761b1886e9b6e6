"""Whether draws repeat observed records: the nearest record of each draw."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.benchmark.comparable import DT_S, Motion, Sample, aligned, sample
from gwm_hazard.benchmark.data import BenchmarkData
from gwm_hazard.benchmark.metrics.envelope import start_s
from gwm_hazard.benchmark.metrics.memorisation import (
    Nearest,
    copying_z,
    nearest,
    nearest_distance,
)
from gwm_hazard.benchmark.section import Section, Skipped
from gwm_hazard.benchmark.style import OBSERVED, grid_of_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KEY, TITLE = "memorisation", "Memorisation: the nearest record of each draw"

NPTS = 4096
BEFORE_S = 10.0

#: Records, at most, that are searched, and draws that are looked up.
MOST = 1500

#: Correlation above which a draw is called a copy.
COPY = 0.9

TEXT = """\
A generative model should draw new records, not repeat those it was trained on. Every draw is \
looked up among the observed records of this benchmark: candidates by the shape of spectrum and \
envelope, which neither a shift, amplitude nor sign alters, then the largest correlation over \
all lags of the waveforms, all common components together. A copy has 1; different earthquakes \
reach what the black curve shows, which looks up each record among those of other events.

z compares how near draws and held-out records come to their nearest record (Mann and Whitney's \
test, after Meehan et al. 2020): near 0 for both alike, far below 0 for copies, above 0 where \
draws lie farther from records than records from one another.

This finds copies of the records at hand. Records that a model was trained on and that are not \
in this benchmark cannot be found; give its training set as data to look there."""


def section(data: BenchmarkData) -> Section | Skipped:
    """See `TEXT`."""
    if isinstance(chosen := sample(data, KEY, TITLE), Skipped):
        return chosen
    rng = np.random.default_rng(data.seed)
    picked = np.sort(rng.permutation(len(chosen))[:MOST])
    real = _cuts(chosen, None)
    event = chosen.event
    rows: dict[str, dict[str, float]] = {}
    curves: dict[str, tuple[Nearest, Nearest]] = {}
    bases: dict[tuple[int, ...], Nearest] = {}
    for p in data.generative:
        drawn = _cuts(chosen, p.name)
        common = [c for c in range(3) if _has(real, c).any() and _has(drawn, c).any()]
        if not common:
            continue
        # as many components as the draws have, and records that have them
        at = [i for i in picked if all(_has(real, c)[i] for c in common)]
        of = [i for i in at if all(_has(drawn, c)[i] for c in common)]
        if len(of) < data.settings.least or len(np.unique(event[at])) < 2:
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
        curves[p.name] = found, base
        rows[p.name] = {
            "draws": len(of),
            "records searched": len(at),
            "components": len(common),
            "correlation, median": float(np.median(found.correlation)),
            "correlation, largest": float(found.correlation.max()),
            "largest between events": float(base.correlation.max()),
            f"share above {COPY:g}": float((found.correlation > COPY).mean()),
            "z": copying_z(elsewhere, base.distance),
        }
    if not rows:
        return Skipped(KEY, TITLE, "too few draws and records with the same components")
    table = pd.DataFrame(rows).T.rename_axis("model")
    title = "Correlation with the nearest record"
    figure, (ax,) = grid_of_axes(1, columns=1, width=6.5, height=3.2)
    for number, (name, (found, base)) in enumerate(curves.items()):
        label = "records, among other events" if number == 0 else "_"
        _curve(ax, base.correlation, OBSERVED, label)
        _curve(ax, found.correlation, data.colour(name), name)
    ax.axvline(COPY, color="0.5", lw=0.8, ls=":")
    ax.set_xlabel("largest correlation with a record")
    ax.set_ylabel("share of motions at or above")
    ax.set_xlim(0, 1)
    ax.legend(fontsize=8.5, frameon=False)
    return Section(
        KEY, TITLE, TEXT,
        tables={"Nearest records": table},
        figures={title: figure},
        captions={
            title: "Share of draws whose nearest record correlates at least so much; black: "
            "records among those of other events. Right of the dotted line a draw is a copy."
        },
        scores={
            f"copies (correlation above {COPY:g}), share": {
                str(k): float(v) for k, v in table[f"share above {COPY:g}"].items()
            }
        },
        limits=[f"At most {MOST} records are searched, of {len(chosen)}."],
    )  # fmt: skip


def _has(cuts: NDArray[np.floating], component: int) -> NDArray[np.bool_]:
    """Records with a motion of this component; a model without the record has none."""
    return np.asarray(np.nan_to_num(cuts[:, component]).any(axis=-1))


def _cuts(chosen: Sample, name: str | None) -> NDArray[np.float32]:
    def of(motion: Motion) -> NDArray[np.floating]:
        return aligned(motion, start_s(motion.acceleration, DT_S), BEFORE_S, NPTS)

    return np.nan_to_num(chosen.collect(name, of, (3, NPTS)))


def _curve(ax: Axes, values: NDArray[np.float64], colour: str, label: str) -> None:
    x = np.sort(values)
    ax.step(x, 1.0 - np.arange(len(x)) / len(x), where="pre", color=colour, lw=1.5, label=label)
