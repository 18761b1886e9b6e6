"""The classifier that ships with the package, classifier-small, from simulated records.

    gwm-hazard data simulate validation/highfem_small/simulation.toml --output data/simulated
    python validation/classifier/train.py --data data/simulated --output build/classifier-small

Prints its accuracy on events that did not train it and, with ``--observed SET`` (as
``validation/highfem_small/train.sh`` prepares one), on observed records, which its card then tells;
``--bundle`` puts it into the package. About 8 minutes of CPU time.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from gwm_hazard.models.highfem.classifier import RecordClassifier, load_classifier
from gwm_hazard.training.classifier import train_classifier
from gwm_hazard.training.config import TrainingConfig
from gwm_hazard.training.records import Records
from gwm_hazard.training.run import started

HERE = Path(__file__).parent
TARGET = HERE.parents[1] / "gwm_hazard" / "models" / "shipped" / "classifier-small"

TEXTS = {
    "name": "classifier-small",
    "summary": "Magnitude and distance from log spectrograms; small, trained on simulated records.",
    "licence": "AGPL-3.0-or-later",
}
LIMITATIONS = (
    "The classifier has seen no observed record: it knows what tells magnitudes and distances "
    "apart in motions of the stochastic model, so models made from that one (stochastic, "
    "highfem-small) have an advantage, and what no simulation shows (pulses, surface waves, "
    "basins) it may not see.",
    "Log spectrograms are cut below what ambient noise reaches: motions weaker than about 0.003 "
    "m/s2 look alike. 40.64 s from 5 s before P are looked at; zeros behind a record count as "
    "silence.",
)


def observed_accuracy(classifier: RecordClassifier, records: Records) -> str:
    """What it makes of observed records, as a sentence of the card."""
    rows = np.concatenate([records.train, records.dev, records.test])
    table = records.table.iloc[rows]
    found = classifier.embed(records.acceleration(rows))
    said, right = classifier.said(found), classifier.right(table)
    n = len(classifier.classes.mag) - 1
    off = said % n - right % n
    near = (abs(off) <= 1) & (abs(said // n - right // n) <= 1)
    return (
        f"On {len(rows)} observed records of {table['event_id'].nunique()} events (M "
        f"{table['mag'].min():.1f} to {table['mag'].max():.1f}) it is right in "
        f"{(said == right).mean():.0%} of cases (the commonest class: "
        f"{np.bincount(right).max() / len(rows):.0%}), within one bin of both magnitude and "
        f"distance in {near.mean():.0%}; on average {abs(off.mean()):.1f} bins of magnitude "
        f"{'below' if off.mean() < 0 else 'above'} the right one: observed motions are not those "
        "that it was trained on."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, help="training set of simulated records")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--observed", help="training set of observed records, for its accuracy")
    parser.add_argument("--bundle", action="store_true", help="put it into the package")
    args = parser.parse_args()

    config = TrainingConfig.read(HERE / "classifier.toml")
    data = replace(config.data, folder=args.data)
    fabric, records = started(config.machine), Records(data)
    start = time.process_time()
    made = train_classifier(records, data, config.classifier, args.output, fabric, seed=config.seed)
    print(f"CPU time {time.process_time() - start:.0f} s")
    training = (
        f"{len(records.train)} records that the stochastic model simulated "
        "(validation/highfem_small/simulation.toml)"
    )
    limitations = list(LIMITATIONS)
    if args.observed:
        seen = Records(replace(data, folder=args.observed))
        limitations.insert(1, observed_accuracy(made, seen))
        print(limitations[1])
    made.card = replace(made.card, training_data=training, limitations=limitations, **TEXTS)
    made.write(args.output)
    held = made.card.held_out
    print(
        f"simulated, events that did not train it: {held['records']} records of {held['events']} "
        f"events: right {held['accuracy']:.3f} (commonest class {held['chance']:.3f})"
    )
    if args.bundle:
        made.write(TARGET)
        print(f"{TARGET}: {load_classifier(TARGET).card.name}")


if __name__ == "__main__":
    main()
