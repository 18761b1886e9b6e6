"""The observed records that cvae-gan-small is trained and evaluated on, by the split of split.csv.

    python validation/cvae_gan_small/observed.py --three SET... --two SET... --output DIR

Takes sets that `validation/data/prepare_shared.py` wrote. DIR/three holds the records of three
components, each in its split: the training takes its train and dev parts. DIR/two holds the records
of two horizontals of test earthquakes: with the test part of the former, targets that the training
never saw.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from gwm_hazard.records.training_set import TrainingSet, TrainingSetWriter

SPLIT = Path(__file__).with_name("split.csv")


def write(folders: Sequence[Path], splits: Sequence[str], output: Path) -> None:
    """Records of some splits of several sets, as one."""
    sets = [TrainingSet.open(folder) for folder in folders]
    of_event = pd.read_csv(SPLIT, dtype=str).set_index("event_id")["split"]
    first = sets[0]
    notes = {"split": "validation/cvae_gan_small/split.csv"}
    with TrainingSetWriter(output, first.components, first.dt_s, first.npts, notes) as writer:
        for each in sets:
            split = of_event.loc[each.table["event_id"].astype(str)].to_numpy()
            rows = np.flatnonzero(np.isin(split, splits))
            table = each.table.iloc[rows].drop(columns=["split", "npts"], errors="ignore")
            writer.append(each.waveforms(rows), table.assign(split=split[rows]))
    table = TrainingSet.open(output).table
    for name, part in table.groupby("split"):
        print(f"{output.name:<6}{name:<6}{len(part):>5} records of {part['event_id'].nunique():>4} "
              "events")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--three", type=Path, nargs="+", required=True)
    parser.add_argument("--two", type=Path, nargs="+", required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    write(args.three, ("train", "dev", "test"), args.output / "three")
    write(args.two, ("test",), args.output / "two")


if __name__ == "__main__":
    main()
