"""Time that the benchmark takes: 5,000 records by three generative models and two GMMs.

    python validation/benchmark/speed.py --data FLATFILE

Without surfaces, so that every record is drawn ``--draws`` times and once more: three variants of
the stochastic model in model folders of their own. Prints wall and CPU time by step.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
import time
from pathlib import Path

from gwm_hazard.benchmark.data import Settings
from gwm_hazard.benchmark.run import run
from gwm_hazard.models.registry import save_model
from gwm_hazard.models.stochastic import StochasticModel

STRESS_BAR = (220.0, 260.0, 340.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--records", type=int, default=5000)
    parser.add_argument("--draws", type=int, default=Settings().draws)
    args = parser.parse_args()
    marks: list[tuple[str, float, float]] = []

    def progress(what: str, share: float) -> None:
        if not marks or marks[-1][0] != what:
            marks.append((what, time.perf_counter(), time.process_time()))

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = []
        for stress in STRESS_BAR:
            models.append(
                str(save_model(StochasticModel(stress_bar=stress), folder / f"{stress:g}"))
            )
        run(
            models, [args.data], folder / "out", records=args.records, progress=progress,
            settings=Settings(draws=args.draws),
        )  # fmt: skip
        marks.append(("end", time.perf_counter(), time.process_time()))
    print(
        f"{args.records} records, {len(STRESS_BAR)} models of {args.draws} draws a record, 2 GMMs"
    )
    print("                                wall, s   CPU, s")
    for (what, wall, cpu), (_, wall_end, cpu_end) in itertools.pairwise(marks):
        print(f"  {what:28s} {wall_end - wall:8.1f} {cpu_end - cpu:8.1f}")
    print(f"  {'all':28s} {marks[-1][1] - marks[0][1]:8.1f} {marks[-1][2] - marks[0][2]:8.1f}")


if __name__ == "__main__":
    main()
