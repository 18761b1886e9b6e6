"""The observed records that highfem-small is tuned and evaluated on, split by event once for all.

    python validation/highfem_small/observed.py --three PREPARED_3C --two PREPARED_2H --output DIR

Takes sets that `validation/data/prepare_shared.py` wrote (observed_3c.h5 and observed_2h.h5) and
keeps records within the ranges of the model with known magnitude, distance, depth and Vs30. Events
are split by a hash of their name (seed 5): 70 % train, 15 % dev, 15 % test. DIR/tuning holds the
three-component records; DIR/test_2h the records of two horizontals, of events that are not in the
train or dev split of the former. Nothing is tuned on test events.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from gwm_hazard.records.training_set import TrainingSet, TrainingSetWriter, split_by_event

#: The seed was chosen for the numbers of events in the splits, before anything was fitted.
SHARES, SEED = (0.7, 0.15, 0.15), 5
RANGES = {"mag": (4.0, 8.0), "rhypo": (3.0, 200.0), "vs30": (150.0, 1500.0), "hypo_depth": (0, 100)}


def usable(table: pd.DataFrame) -> pd.Series:
    good = pd.Series(True, index=table.index)
    for name, (low, high) in RANGES.items():
        good &= table[name].between(low, high)
    return good


def write(source: TrainingSet, rows: np.ndarray, split: np.ndarray, folder: Path) -> None:
    notes = {"source": source.attributes.get("preparation", ""), "split": f"by event, {SHARES}"}
    with TrainingSetWriter(folder, source.components, source.dt_s, source.npts, notes) as writer:
        table = source.table.iloc[rows].drop(columns=["split", "npts"], errors="ignore")
        writer.append(source.waveforms(rows), table.assign(split=split))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--three", type=Path, required=True)
    parser.add_argument("--two", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()

    three = TrainingSet.open(args.three)
    rows = np.flatnonzero(usable(three.table))
    events = three.table["event_id"].to_numpy().astype(str)[rows]
    split = split_by_event(events, SHARES, SEED)
    write(three, rows, split, args.output / "tuning")
    for name in ("train", "dev", "test"):
        here = split == name
        print(f"{name:<6} {here.sum():>4} records of {len(set(events[here])):>3} events")
    if args.two:
        two = TrainingSet.open(args.two)
        rows = np.flatnonzero(usable(two.table))
        # the hash decides the same for an event that is in both sets
        names = two.table["event_id"].to_numpy().astype(str)[rows]
        held = ~np.isin(names, events[split != "test"])
        write(two, rows[held], np.full(held.sum(), "test"), args.output / "test_2h")
        print(f"2h     {held.sum():>4} records of {len(set(names[held])):>3} further test events")


if __name__ == "__main__":
    main()
