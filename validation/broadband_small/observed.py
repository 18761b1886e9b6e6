"""The observed records that broadband-small is trained and evaluated on, split by earthquake.

    python validation/broadband_small/observed.py --data FOLDER --output SET

FOLDER holds metadata.csv, observed_2h_fill.csv and the four files of waveforms. The split is that
of validation/cvae_gan_small/split.csv. Nothing is picked: a window of 40.96 s begins 12 s before
5 % of the energy of the *low band* (1 Hz) has come, or at the start of the record. Records of two
horizontals have a vertical of zeros.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from gwm_hazard.models.broadband.splice import low_spectrum
from gwm_hazard.records.processing import correct
from gwm_hazard.records.record import Record
from gwm_hazard.records.training_set import TrainingSetWriter
from gwm_hazard.records.waveform_source import TraceSource, open_traces, resample

SPLIT = Path(__file__).parents[1] / "cvae_gan_small" / "split.csv"
DT_S, NPTS = 0.01, 4096
HIGHPASS_HZ = 0.1
#: Before 5 % of the energy of the low band, at 1 Hz.
BEFORE_S, SHARE = 12.0, 0.05
#: Coarser records lack the highest frequencies; shorter ones hold too little of the motion.
COARSEST_S, SHORTEST_S = 0.0101, 12.0
KEPT = (
    "record_id", "event_id", "mag", "hypo_depth", "rhypo", "rrup", "vs30", "repi", "rake", "source",
)  # fmt: skip


def table_of(folder: Path) -> pd.DataFrame:
    """Rows with what is missing filled in, and the split of each event."""
    text = {"station": str, "event_id": str, "network": str}
    table = pd.read_csv(folder / "metadata.csv", dtype=text).set_index("record_id")
    fill = pd.read_csv(folder / "observed_2h_fill.csv", dtype=text).set_index("record_id")
    order = table.index
    table = table.combine_first(fill[[c for c in fill if c in table]]).loc[order].reset_index()
    split = pd.read_csv(SPLIT, dtype=str).set_index("event_id")["split"]
    table["split"] = table["event_id"].map(split)
    return table


def corrected(source: TraceSource, row: int) -> np.ndarray:
    """A record (3, nt) at 100 Hz, m/s2, without offset and drift; zeros for what it has not."""
    (acc,) = source.read(np.array([row]))
    dt_s = float(source.dt_s[row])
    names = ("1", "2", "Z")[: len(acc)]
    made = correct(Record(acc, dt_s, names, 2, {"record_id": ""}), "linear", HIGHPASS_HZ)
    pad = (made.acceleration.shape[1] - acc.shape[1]) // 2
    acc = made.acceleration[:, pad : pad + acc.shape[1]].astype(np.float32)
    return np.pad(resample(acc, dt_s, DT_S), ((0, 3 - len(acc)), (0, 0)))


def window(acc: np.ndarray) -> np.ndarray:
    """(3, NPTS): placed by the low band alone."""
    low = np.fft.irfft(low_spectrum(acc, DT_S, acc.shape[1], DT_S, 1.0))[:, : acc.shape[1]]
    energy = (low**2).sum(axis=0).cumsum()
    begin = np.searchsorted(energy, SHARE * energy[-1]) - round(BEFORE_S / DT_S)
    cut = acc[:, max(0, begin) :][:, :NPTS]
    return np.pad(cut, ((0, 0), (0, NPTS - cut.shape[1]))).astype(np.float32)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    table = table_of(args.data)
    source, _ = open_traces(args.data, table)
    known = table[["mag", "rhypo", "split"]].notna().all(axis=1).to_numpy()
    fine = (source.dt_s <= COARSEST_S) & (source.npts * source.dt_s >= SHORTEST_S)
    print(f"{len(table)} records; {(~known).sum()} without magnitude, distance or split, "
          f"{(known & ~fine).sum()} too coarse or too short")  # fmt: skip
    notes = {"split": "validation/cvae_gan_small/split.csv"}
    with TrainingSetWriter(args.output, ("1", "2", "Z"), DT_S, NPTS, notes) as writer:
        for row in np.flatnonzero(known & fine):
            acc = corrected(source, row)
            writer.append(window(acc)[None], table.loc[[row], [*KEPT, "split"]])
        made = writer.table
        for name, part in made.groupby("split"):
            print(f"{name:<6}{len(part):>5} records of {part['event_id'].nunique():>4} events")


if __name__ == "__main__":
    main()
