"""Held-out events: residuals of highfem-small beside other models.

    python validation/highfem_small/evaluate.py --data OBSERVED [--simulated SET] [--model NAME...]

OBSERVED is the folder of sets that an `observed.py` wrote: test events, 10 to 150 km. Generative
models are given the distance that their card says. Residuals are log10 of the observed RotD50 over
the median of the model; waveforms of models are cut to the length of the records. "sd" is that of
the residuals; "sigma" the standard deviation that the model itself states (root mean square over
records). Ground-motion models come with the component conversion and the
range of gwm_hazard.openquake.gmm.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from gwm_hazard.models.registry import load_model
from gwm_hazard.openquake.gmm import moments
from gwm_hazard.records.completion import complete
from gwm_hazard.records.training_set import TrainingSet
from gwm_hazard.training.heldout import IMTS, drawn_measures, ln_measures, residual_table

Moments = tuple[np.ndarray, np.ndarray]

#: Their intensity measures were among those that the stochastic model was calibrated on, and
#: highfem-small learned from that model: these events are not new to it in every sense.
CALIBRATED = Path(__file__).with_name("calibrated_events.txt")
GMMS = ("BooreEtAl2014", "Kanno2006Shallow")
SAMPLES = 127 * 32  # as highfem-small draws


def observed(
    folders: list[Path], split: str, low_km: float, high_km: float
) -> tuple[pd.DataFrame, np.ndarray]:
    """Table of the records of a split of training sets, and their ln IM."""
    tables, values = [], []
    for folder in folders:
        found = TrainingSet.open(folder)
        rows = found.rows(split)
        table = found.table.iloc[rows]
        if not len(rows):
            continue
        near = table["rhypo"].between(low_km, high_km).to_numpy()
        near = near & table[["mag", "vs30", "hypo_depth"]].notna().all(axis=1).to_numpy()
        tables.append(table[near])
        values.append(ln_measures(found.waveforms(rows[near])[:, :, :SAMPLES], found.dt_s))
    return pd.concat(tables, ignore_index=True), np.concatenate(values)


def generative(name: str, table: pd.DataFrame, n: int) -> Moments:
    """Median and standard deviation of ln IM by draws, (records, n_imts)."""
    model = load_model(name)
    drawn = drawn_measures(model, table, n, npts=SAMPLES)
    return drawn.mean(axis=1), drawn.std(axis=1, ddof=1)


def predicted(names: list[str], table: pd.DataFrame, n: int) -> dict[str, Moments]:
    """Median and standard deviation of ln IM of each model, (records, n_imts) each."""
    full, _ = complete(table)
    made = {Path(name).name: generative(name, table, n) for name in names}
    for name in GMMS:
        found = moments(name, full, list(IMTS))
        made[name] = found.mean, found.sigma
    return made


def show(
    title: str, table: pd.DataFrame, values: np.ndarray, made: dict[str, Moments], keep: np.ndarray
) -> None:
    table, values = table[keep], values[keep]
    events = table["event_id"].to_numpy().astype(str)
    print(
        f"\n{title}: {len(table)} records of {len(set(events))} events, M "
        f"{table['mag'].min():.1f} to {table['mag'].max():.1f}, {table['rhypo'].min():.0f} to "
        f"{table['rhypo'].max():.0f} km"
    )
    print(f"{'':<20}" + "".join(f"{t:>23}" for t in IMTS))
    print(f"{'log10 units':<20}" + f"{'bias +- se    sd sigma':>23}" * len(IMTS))
    for name, (median, sd) in made.items():
        rows = residual_table(values, median[keep], events)
        known = np.isfinite(sd[keep])
        mean = np.where(known, sd[keep] ** 2, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        cells = [
            f"{'-':>23}"
            if not row["records"]
            else f"{row['bias']:>+11.3f} {row['bias_se']:.2f} {row['sd']:.2f} {s:>5.2f}"
            for (_, row), s in zip(rows.iterrows(), np.sqrt(mean) / np.log(10.0), strict=True)
        ]
        print(f"{name[:13]:<14}{int(rows['records'].max()):>4}  " + "".join(cells), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of training sets")
    parser.add_argument("--simulated", type=Path, help="simulated training set: its test events")
    parser.add_argument("--model", nargs="*", default=["highfem-small"])
    parser.add_argument("--draws", type=int, default=24)
    parser.add_argument("--records", type=int, default=120, help="simulated ones")
    parser.add_argument("--split", default="test", choices=("train", "dev", "test"))
    parser.add_argument("--range", nargs=2, type=float, default=(10.0, 150.0), metavar="KM")
    args = parser.parse_args()
    names = [*args.model, "stochastic"]
    if args.data:
        folders = sorted(f for f in args.data.iterdir() if f.is_dir())
        table, values = observed(folders, args.split, *args.range)
        made = predicted(names, table, args.draws)
        show("Observed", table, values, made, np.ones(len(table), dtype=bool))
        used = CALIBRATED.read_text(encoding="utf-8").splitlines()
        new = ~table["event_id"].astype(str).isin(used).to_numpy()
        show("Of events new to the stochastic model too", table, values, made, new)
    if args.simulated:
        table, values = observed([args.simulated], args.split, *args.range)
        table, values = table.head(args.records), values[: args.records]
        made = predicted(names, table, args.draws)
        show("Simulated", table, values, made, np.ones(len(table), dtype=bool))


if __name__ == "__main__":
    main()
