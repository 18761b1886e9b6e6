"""A picture of records of test events beside draws of highfem-observed, and their spectra.

    python validation/highfem_observed/picture.py --data SET --output docs/highfem_observed.png

Records are spread over magnitude; of each the first horizontal, and three draws of its conditions.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from gwm_hazard.core.conditioning import conditioning_of
from gwm_hazard.datasets.shapes import onset
from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.models.registry import load_model
from gwm_hazard.records.training_set import TrainingSet
from gwm_hazard.training.level import placed

PERIODS_S = np.geomspace(0.05, 5.0, 30)
DRAWS, SHOWN, ROWS = 40, 2, 4
BEFORE_S, AFTER_S = 6.0, 26.0


def spread(table: pd.DataFrame) -> np.ndarray:
    """Rows of ROWS events, evenly over magnitude: of each the record of middle distance."""
    events = table.groupby("event_id")["mag"].first().sort_values()
    chosen = events.index[np.linspace(2, len(events) - 1, ROWS).astype(int)]
    found = []
    for event in chosen:
        part = table[table["event_id"] == event].sort_values("rhypo")
        found.append(part.index[len(part) // 2])
    return np.array(found)


def window(record: np.ndarray, dt_s: float) -> np.ndarray:
    """The first horizontal, from before to after 5 % of the energy, m/s2."""
    before, samples = round(BEFORE_S / dt_s), round((BEFORE_S + AFTER_S) / dt_s)
    padded = np.pad(record[0], (before, samples))
    start = onset(record.astype(float))
    return padded[start : start + samples]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    held = TrainingSet.open(args.data)
    rows = placed(held, held.rows("test"))
    table = held.table.iloc[rows].reset_index(drop=True)
    chosen = spread(table)
    model = load_model("highfem-observed")
    given = conditioning_of(model.card)
    part = table.iloc[chosen].reset_index(drop=True)
    scenarios = given.clipped(given.of_records(part, stand_in=True))
    drawn = model.generate(scenarios, DRAWS, seed=2).acceleration.values
    imts = [f"SA({t:.6g})" for t in PERIODS_S]
    time = np.arange(round((BEFORE_S + AFTER_S) * 100)) / 100 - BEFORE_S
    fig, axes = plt.subplots(
        ROWS, SHOWN + 2, figsize=(12, 2.0 * ROWS), width_ratios=[1.3] * (SHOWN + 1) + [1],
        layout="constrained",
    )  # fmt: skip
    for i, (line, row) in enumerate(zip(axes, chosen, strict=True)):
        record = held.waveforms(rows[[row]])[0]
        shown = [window(record, 0.01)] + [window(d, 0.01) for d in drawn[i, :SHOWN]]
        top = 1.05 * max(np.abs(s).max() for s in shown)
        for k, (ax, motion) in enumerate(zip(line, shown, strict=False)):
            ax.plot(time, motion, lw=0.5, color="black" if k == 0 else "tab:red")
            ax.set(ylim=(-top, top), xlim=(time[0], time[-1]))
            ax.spines[["top", "right"]].set_visible(False)
            if k:
                ax.set_yticklabels([])
            if i == ROWS - 1:
                ax.set_xlabel("s")
        about = part.iloc[i]
        line[0].set_title(
            f"M {about['mag']:.1f}, {about['rhypo']:.0f} km, Vs30 {about['vs30']:.0f} m/s",
            fontsize=9, loc="left",
        )  # fmt: skip
        line[0].set_ylabel("m/s2")
        seen = intensity_measures_array(record[None], held.dt_s, imts)[0]
        ln = np.log(intensity_measures_array(drawn[i], model.dt_s, imts))
        mean, sd = ln.mean(axis=0), ln.std(axis=0, ddof=1)
        ax = line[-1]
        ax.fill_between(PERIODS_S, np.exp(mean - sd), np.exp(mean + sd), color="tab:red", alpha=0.2)
        ax.loglog(PERIODS_S, np.exp(mean), color="tab:red", lw=1, label="draws, median, +-1 sd")
        ax.loglog(PERIODS_S, seen, color="black", lw=1, label="record")
        ax.yaxis.set_label_position("right")
        ax.yaxis.tick_right()
        ax.set_ylabel("SA, g")
    axes[0, 1].set_title("draws of the same conditions", fontsize=9, loc="left")
    axes[0, -1].legend(fontsize=7, frameon=False)
    axes[-1, -1].set_xlabel("period, s")
    fig.savefig(args.output, dpi=110)


if __name__ == "__main__":
    main()
