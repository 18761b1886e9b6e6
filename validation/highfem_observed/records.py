"""The observed records that highfem-observed is trained and evaluated on, split by earthquake.

    python validation/highfem_observed/records.py --data FOLDER --output SET

FOLDER holds metadata.csv, observed_2h_fill.csv and the four files of waveforms. The split is that
of validation/cvae_gan_small/split.csv, fixed before any model was fitted. A window of 81.92 s has
5 % of the energy of the horizontals at its middle; columns `first` and `last` are where the record
begins and ends in it. Records of two horizontals have a vertical of zeros.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from gwm_hazard.records.training_set import TrainingSetWriter
from gwm_hazard.records.waveform_source import open_traces

sys.path.insert(0, str(Path(__file__).parents[1] / "broadband_small"))
from observed import COARSEST_S, DT_S, KEPT, SHORTEST_S, SPLIT, corrected, table_of

NPTS = 8192
RANGES = {"mag": (4.0, 8.0), "rhypo": (3.0, 200.0), "vs30": (150.0, 1500.0), "hypo_depth": (0, 100)}
MORE = ("rjb", "highpass_hz", "lowpass_hz")


def placed(acc: np.ndarray) -> tuple[np.ndarray, int, int]:
    """A record (3, nt) in its window (3, NPTS), and where it begins and ends there."""
    energy = (acc[:2] ** 2).sum(axis=0).cumsum()
    begin = NPTS // 2 - int(np.searchsorted(energy, 0.05 * energy[-1]))
    first, last = max(0, begin), min(NPTS, begin + acc.shape[1])
    out = np.zeros((3, NPTS), dtype=np.float32)
    out[:, first:last] = acc[:, first - begin : last - begin]
    return out, first, last


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    table = table_of(args.data)
    source, _ = open_traces(args.data, table)
    usable = table["split"].notna().to_numpy()
    for name, (low, high) in RANGES.items():
        usable = usable & table[name].between(low, high).to_numpy()
    fine = (source.dt_s <= COARSEST_S) & (source.npts * source.dt_s >= SHORTEST_S)
    print(f"{len(table)} records; {(~usable).sum()} without a split or outside the model's ranges, "
          f"{(usable & ~fine).sum()} too coarse or too short")  # fmt: skip
    notes = {"split": SPLIT.parent.name + "/" + SPLIT.name}
    with TrainingSetWriter(args.output, ("1", "2", "Z"), DT_S, NPTS, notes) as writer:
        for row in np.flatnonzero(usable & fine):
            acc, first, last = placed(corrected(source, row))
            told = table.loc[[row], [*KEPT, *MORE, "split"]]
            writer.append(acc[None], told.assign(first=first, last=last))
        made = writer.table
        for name, part in made.groupby("split"):
            print(f"{name:<6}{len(part):>5} records of {part['event_id'].nunique():>4} events")


if __name__ == "__main__":
    main()
