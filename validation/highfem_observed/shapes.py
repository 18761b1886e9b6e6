"""The training set of shapes: each observed record six times, with the level of a simulated one.

    python validation/highfem_observed/shapes.py --data SET --output SHAPES

SET is what `records.py` wrote. Started again, it goes on where it stopped.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from gwm_hazard.datasets.shapes import shapes
from gwm_hazard.records.training_set import TrainingSet


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--variants", type=int, default=6)
    parser.add_argument("--seed", type=int, default=4)
    args = parser.parse_args()
    made = shapes(
        TrainingSet.open(args.data), args.output, variants=args.variants, seed=args.seed,
        resume=True, progress=lambda share: print(f"{share:.0%}", flush=True),
    )  # fmt: skip
    print(f"{len(made)} records")


if __name__ == "__main__":
    main()
