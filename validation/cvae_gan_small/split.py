"""The split of the observed records by earthquake, fixed once: writes split.csv beside it.

    python validation/cvae_gan_small/split.py --metadata metadata.csv

Names of one earthquake differ between sources, so events whose epicentres lie within 0.25 degrees
and whose magnitudes are within 0.35 of each other, step by step, are one group: too much is put
together rather than too little. A group falls by a hash of the name of its first event: 60 %
train, 10 % dev, 30 % test. Further events of the same seed move none, and nothing was fitted
before this file.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from gwm_hazard.records.training_set import split_by_event

FILE = Path(__file__).with_name("split.csv")
SHARES, SEED = (0.6, 0.1, 0.3), 17
DEGREES, MAGNITUDES = 0.25, 0.35


def groups(events: pd.DataFrame) -> np.ndarray:
    """Number of the group of each event, by single linkage."""
    place = events[["event_lat", "event_lon"]].to_numpy(dtype=float)
    mag = events["mag"].to_numpy(dtype=float)
    group = np.arange(len(events))
    for i in range(len(events)):
        near = np.abs(place - place[i]).max(axis=1) <= DEGREES
        for j in np.flatnonzero(near & (np.abs(mag - mag[i]) <= MAGNITUDES)):
            group[group == group[j]] = group[i]
    return group


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--metadata", type=Path, required=True)
    args = parser.parse_args()
    table = pd.read_csv(args.metadata, dtype={"event_id": str, "station": str})
    found = table.groupby("event_id").agg(
        mag=("mag", "first"), event_lat=("event_lat", "first"), event_lon=("event_lon", "first"),
        records=("event_id", "size"),
    )  # fmt: skip
    found = found.sort_index().reset_index()
    number = groups(found)
    names = found["event_id"].to_numpy().astype(str)
    found["group"] = [min(names[number == n].tolist()) for n in number]
    found["split"] = split_by_event(found["group"].to_numpy().astype(str), SHARES, SEED)
    found[["event_id", "group", "split"]].to_csv(FILE, index=False)
    for split, part in found.groupby("split"):
        print(f"{split:<6}{part['records'].sum():>6} records of {part['group'].nunique():>4} "
              f"earthquakes")  # fmt: skip


if __name__ == "__main__":
    main()
