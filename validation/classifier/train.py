"""The classifier that ships with the package, classifier-small, from simulated records.

    gwm-hazard data simulate validation/highfem_small/simulation.toml --output data/simulated
    python validation/classifier/train.py --data data/simulated --output build/classifier-small

Prints its accuracy on events that did not train it and, with ``--observed SET``, on observed
records; ``--bundle`` puts it into the package.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

from gwm_hazard.benchmark.classifiers import DEFAULT
from gwm_hazard.models.highfem.classifier import RecordClassifier, load_classifier
from gwm_hazard.training.classifier import train_classifier
from gwm_hazard.training.config import TrainingConfig
from gwm_hazard.training.records import Records
from gwm_hazard.training.run import started

HERE = Path(__file__).parent
TARGET = HERE.parents[1] / "gwm_hazard" / "models" / "shipped"

TEXTS = {
    "name": "classifier-small",
    "summary": "Magnitude and distance from log spectrograms; small, trained on simulated records.",
    "licence": "AGPL-3.0-or-later",
    "limitations": (
        "The classifier has seen no observed record: it knows what tells magnitudes and distances "
        "apart in motions of the stochastic model, so models made from that one (stochastic, "
        "highfem-small) have an advantage, and what no simulation shows (pulses, surface waves, "
        "basins) it may not see.",
        "Log spectrograms are cut below what ambient noise reaches; motions weaker than about "
        "0.003 m/s2 look alike. 40.64 s from 5 s before P are looked at.",
    ),
}


def observed_accuracy(classifier: RecordClassifier, records: Records) -> str:
    rows = [r for part in (records.train, records.dev, records.test) for r in part]
    table = records.table.iloc[rows]
    found = classifier.embed(records.acceleration(rows))
    said, right = classifier.said(found), classifier.right(table)
    n = len(classifier.classes.mag) - 1
    near = (abs(said % n - right % n) <= 1) & (abs(said // n - right // n) <= 1)
    return (
        f"observed: {len(rows)} records of {table['event_id'].nunique()} events: right "
        f"{(said == right).mean():.3f}, magnitude {(said % n == right % n).mean():.3f}, distance "
        f"{(said // n == right // n).mean():.3f}, within one bin of both {near.mean():.3f}"
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
    fabric, records = started(config), Records(data)
    start = time.process_time()
    made = train_classifier(records, data, config.classifier, args.output, fabric, seed=config.seed)
    print(f"CPU time {time.process_time() - start:.0f} s")
    training = (
        f"{len(records.train)} records that the stochastic model simulated "
        "(validation/highfem_small/simulation.toml)"
    )
    made.card = replace(made.card, training_data=training, **TEXTS)
    made.write(args.output)
    held = made.card.held_out
    print(
        f"simulated, events that did not train it: {held['records']} records of {held['events']} "
        f"events: right {held['accuracy']:.3f} (commonest class {held['chance']:.3f})"
    )
    if args.observed:
        print(observed_accuracy(made, Records(replace(data, folder=args.observed))))
    if args.bundle:
        made.write(TARGET / DEFAULT)
        print(f"{TARGET / DEFAULT}: {load_classifier(DEFAULT).card.name}")


if __name__ == "__main__":
    main()
