"""Held-out events: measures and shapes of highfem-observed beside other models.

    python validation/highfem_observed/evaluate.py --data SET [--model NAME...] [--split dev]

SET is what `records.py` wrote: records of test events, that nothing was fitted to, of known
distance to the rupture. Residuals are log10 of the
observed RotD50 over the median of the model, at periods within the record's band; "sd" is that of
the residuals, "sigma" the standard deviation that the model states (root mean square), "LLH" the
average sample log-likelihood (Scherbaum et al. 2009; smaller is better). Moments are those of a
model's surface where there is one, else of --draws. Then shapes: how often a
discriminant tells draws from records by when energy comes in six bands and how peaked it is, all
with the level removed (balanced accuracy over cross-validation by event; 0.5: it cannot), with the
standard deviation over five draws.
"""

from __future__ import annotations

import argparse
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from gwm_hazard.core.conditioning import conditioning_of
from gwm_hazard.distribution.find import find_surface
from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.models.highfem.level import GRID_HZ
from gwm_hazard.models.measuring import ln_of
from gwm_hazard.models.registry import load_model
from gwm_hazard.openquake.gmm import moments, period_correlation
from gwm_hazard.records.completion import complete
from gwm_hazard.records.training_set import TrainingSet
from gwm_hazard.representation.level import at_level
from gwm_hazard.statistics.likelihood import llh
from gwm_hazard.statistics.two_samples import discriminant_accuracy
from gwm_hazard.training.heldout import drawn_measures, drawn_waveforms, residual_table
from gwm_hazard.training.level import placed

IMTS = ("PGA", "PGV", "SA(0.1)", "SA(0.3)", "SA(1.0)", "SA(3.0)", "RSD595")
PERIOD_S = np.array([0.0, 0.0, 0.1, 0.3, 1.0, 3.0, 0.0])
GMMS = ("BooreEtAl2014", "Kanno2006Shallow")
#: Bands in which the arrival of energy is looked at, Hz, and the shares of energy.
EDGES_HZ = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
SHARES = (0.05, 0.25, 0.5, 0.75, 0.95)
#: Window of shapes, from 5 % of the energy: before and after, s.
WINDOW_S = (4.0, 16.0)
REPEATS = 5
#: Draws for correlations between periods, and the periods.
CORRELATED = 600
SPECTRAL = ("SA(0.05)", "SA(0.1)", "SA(0.2)", "SA(0.5)", "SA(1.0)", "SA(2.0)", "SA(5.0)")


def shape_features(motion: np.ndarray, dt_s: float) -> np.ndarray:
    """(n, features) of motions (n, 3, nt): one horizontal, its level removed."""
    made = []
    for one in motion[:, :2].astype(float):
        energy = (one**2).sum(axis=0).cumsum()
        start = np.searchsorted(energy, 0.05 * energy[-1]) - round(WINDOW_S[0] / dt_s)
        samples = round(sum(WINDOW_S) / dt_s)
        padded = np.pad(one[0], (samples, samples))
        cut = padded[start + samples : start + 2 * samples]
        flat = at_level(cut, dt_s, np.zeros(len(GRID_HZ)), GRID_HZ)
        spectrum, frequency = np.fft.rfft(flat), np.fft.rfftfreq(samples, dt_s)
        found = []
        for low, high in pairwise(EDGES_HZ):
            band = np.fft.irfft(spectrum * ((frequency >= low) & (frequency < high)), samples)
            arrived = (band**2).cumsum()
            times = np.searchsorted(arrived, np.array(SHARES) * arrived[-1]) * dt_s
            found += [*times, np.log((band**4).mean() / (band**2).mean() ** 2)]
        made.append(found)
    return np.array(made)


def told_apart(model: WaveformModel, table: pd.DataFrame, seen: np.ndarray, first: np.ndarray,
               last: np.ndarray, dt_s: float) -> tuple[float, float]:  # fmt: skip
    """Accuracy of the discriminant, and its standard deviation over draws."""
    events, found = table["event_id"].to_numpy().astype(str), []
    for repeat in range(REPEATS):
        drawn = drawn_waveforms(model, table, 8192, seed=repeat)
        for one, a, b in zip(drawn, first, last, strict=True):  # as long as the record is
            onset = np.searchsorted((one[:2] ** 2).sum(axis=0).cumsum(),
                                    0.05 * (one[:2] ** 2).sum())  # fmt: skip
            one[:, : max(0, onset + a - 4096)] = 0.0
            one[:, max(0, onset + b - 4096) :] = 0.0
        features = shape_features(drawn, dt_s)
        found.append(discriminant_accuracy(seen, features, events, events, seed=repeat))
    return float(np.mean(found)), float(np.std(found))


def predicted(model: WaveformModel, table: pd.DataFrame, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of ln IM: of the model's surface, or of n draws without one."""
    surface = find_surface(model)
    if surface is None:
        drawn = drawn_measures(model, table, n, imts=IMTS)
        return drawn.mean(axis=1), drawn.std(axis=1, ddof=1)
    given = conditioning_of(model.card, within=surface.ranges)
    found = surface(given.clipped(given.of_records(table, stand_in=True)), IMTS)
    return found.mean, found.sigma


def correlation_error(model: WaveformModel) -> float:
    """Largest difference of correlations of ln SA, 0.05 to 5 s, from Baker and Jayaram (2008)."""
    at = pd.DataFrame({"mag": [6.5], "rrup": 30.0, "rhypo": 30.0, "vs30": 400.0,
                       "hypo_depth": 10.0})  # fmt: skip
    drawn = drawn_measures(model, at, CORRELATED, seed=9, imts=SPECTRAL)[0]
    return float(np.abs(np.corrcoef(drawn.T) - period_correlation(SPECTRAL)).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", nargs="*", default=["highfem-observed", "highfem-small"])
    parser.add_argument("--split", default="test", choices=("train", "dev", "test"))
    parser.add_argument("--draws", type=int, default=24)
    parser.add_argument("--no-shapes", action="store_true")
    parser.add_argument("--records", type=int, default=0, help="so many at most, evenly spread")
    args = parser.parse_args()
    held = TrainingSet.open(args.data)
    rows = placed(held, held.rows(args.split))
    if args.records:
        rows = rows[:: max(1, len(rows) // args.records)]
    table = held.table.iloc[rows].reset_index(drop=True)
    records = held.waveforms(rows)
    values = ln_of(intensity_measures_array(records, held.dt_s, list(IMTS)))
    low = table["highpass_hz"].fillna(0.0).clip(lower=0.1).to_numpy()
    values[PERIOD_S[None] > 1.0 / (1.25 * low[:, None])] = np.nan
    events = table["event_id"].to_numpy().astype(str)
    print(f"{len(table)} records of {len(set(events))} events ({args.split}), "
          f"M {table['mag'].min():.1f} to {table['mag'].max():.1f}")  # fmt: skip
    names = [*args.model, "stochastic"]
    made = {}
    for name in names:
        made[Path(name).name] = predicted(load_model(name), table, args.draws)
    full, _ = complete(table)
    for name in GMMS:
        given = moments(name, full, list(IMTS))
        made[name] = given.mean, given.sigma
    # all models are held against the records that all of them know
    known = np.all([np.isfinite(m) | ~np.isfinite(m).any(axis=0) for m, _ in made.values()], axis=0)
    values[~known] = np.nan
    print(f"{'':<18}" + "".join(f"{t:>29}" for t in IMTS))
    print(f"{'log10 units':<18}" + f"{'bias +- se   sd sigma  LLH':>29}" * len(IMTS))
    for name, (median, sigma) in made.items():
        found = residual_table(values, median, events, IMTS)
        score = llh(values, median, sigma)
        cells = []
        for k, (_, row) in enumerate(found.iterrows()):
            there = np.isfinite(values[:, k] + sigma[:, k])
            stated = np.sqrt((sigma[there, k] ** 2).mean()) / np.log(10.0) if there.any() else 0.0
            cells.append(
                f"{row['bias']:>+12.3f} {row['bias_se']:.2f} {row['sd']:.2f} {stated:.2f} "
                f"{score[k]:>5.2f}" if row["records"] else f"{'-':>29}"
            )  # fmt: skip
        print(f"{name[:17]:<18}" + "".join(cells), flush=True)
    if args.no_shapes:
        return
    long = (table["last"] - 4096 >= WINDOW_S[1] / held.dt_s) & (
        4096 - table["first"] >= 1.0 / held.dt_s
    )
    part = table[long.to_numpy()].reset_index(drop=True)
    seen = shape_features(records[long.to_numpy()], held.dt_s)
    print(f"\nShapes told from those of {len(part)} records, balanced accuracy")
    for name in names:
        mean, sd = told_apart(load_model(name), part, seen, part["first"].to_numpy(),
                              part["last"].to_numpy(), held.dt_s)  # fmt: skip
        print(f"  {Path(name).name:<18}{mean:.3f} +- {sd:.3f}", flush=True)
    print(f"\nCorrelations of SA, {CORRELATED} draws: largest difference from Baker and Jayaram")
    for name in names:
        print(f"  {Path(name).name:<18}{correlation_error(load_model(name)):.3f}", flush=True)


if __name__ == "__main__":
    main()
