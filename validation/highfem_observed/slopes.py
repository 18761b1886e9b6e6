"""How far the level's medians may follow the records: events of the training left out in turn.

    python validation/highfem_observed/slopes.py --data SET

Prints, for constants and slopes of some prior standard deviations, the root mean square of ln
smoothed amplitudes (0.35 to 15 Hz) about medians fitted without their events, events weighted by
the root of their records; the mean of four divisions in five. No test event is looked at.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from gwm_hazard.records.training_set import TrainingSet
from gwm_hazard.training.level import Sample, corrections, observed, placed, prior_of, simulated

BAND = slice(4, 17)
CONSTANTS = (0.001, 0.2, 0.4)
SLOPES = ((0.001,) * 4, (0.05,) * 4, (0.15, 0.05, 0.1, 0.05), (0.15, 0.15, 0.25, 0.15), (0.3,) * 4)


def left_out(sample: Sample, off: np.ndarray, prior_sd: tuple[float, ...]) -> float:
    """Root mean square of residuals of events that medians were fitted without."""
    rng = np.random.default_rng(0)
    event, total, count = sample.event, 0.0, 0.0
    weight = 1.0 / np.sqrt(np.bincount(event))[event]
    for _ in range(4):
        fold = rng.permutation(event.max() + 1)[event] % 5
        for k in range(5):
            kept, left = fold != k, fold == k
            part = Sample(sample.x[kept], sample.level[kept], event[kept])
            change = corrections(part, off[kept], prior_sd=prior_sd)
            residual = (off[left] - sample.x[left] @ change)[:, BAND]
            total += np.nansum(weight[left][:, None] * residual**2)
            count += (weight[left][:, None] * np.isfinite(residual)).sum()
    return float(np.sqrt(total / count))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--prior", type=int, default=4000, help="simulated records")
    args = parser.parse_args()
    held = TrainingSet.open(args.data)
    rows = np.sort(np.concatenate([held.rows("train"), held.rows("dev")]))
    sample, prior = observed(held, placed(held, rows)), prior_of(simulated(args.prior, 6))
    off = sample.mean - sample.x @ prior.mean
    for constant in CONSTANTS:
        for slopes in SLOPES:
            rms = left_out(sample, off, (constant, *slopes))
            print(f"constant {constant:<6g} slopes {slopes!s:<28} rms {rms:.3f}", flush=True)


if __name__ == "__main__":
    main()
