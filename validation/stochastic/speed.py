"""Time of a draw of the stochastic model, beside that of another checkout of the package.

    python -m validation.stochastic.speed --other FOLDER

Each in a process of its own, in turn, on one thread: least CPU time of a record of three
components, and the ratio of the two.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

#: Magnitude, distance, km, and records at once.
CASES = ((5.0, 20.0, 64), (6.5, 50.0, 64), (7.5, 100.0, 32))


def once(repetitions: int = 8) -> list[float]:
    """Least CPU time of a record, ms, in each case."""
    import torch

    from gwm_hazard.core.noise import Noise
    from gwm_hazard.core.scenario import Scenarios
    from gwm_hazard.models.registry import load_model

    torch.set_num_threads(1)
    model = load_model("stochastic", "cpu")
    out = []
    for mag, rrup, n in CASES:
        scenarios = Scenarios(mag=mag, rrup=rrup, vs30=400.0, hypo_depth=8.0).repeat(n)
        noise = Noise(1, np.arange(n), 0, 0)
        spent = []
        for _ in range(repetitions):
            start = time.process_time()
            model.draw(scenarios, noise)
            spent.append(time.process_time() - start)
        out.append(min(spent) / n * 1e3)
    return out


def of(folder: Path) -> list[float]:
    """The same of a checkout."""
    code = "import json, runpy, sys; print(json.dumps(runpy.run_path(sys.argv[1])['once']()))"
    done = subprocess.run(
        [sys.executable, "-c", code, __file__],
        env=os.environ | {"PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return list(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--other", type=Path, required=True, help="folder of another checkout")
    parser.add_argument("--repetitions", type=int, default=3)
    args = parser.parse_args()
    here = Path(__file__).parents[2]
    pairs = [(of(here), of(args.other)) for _ in range(args.repetitions)]
    ours, theirs = np.array(pairs).min(axis=0)
    for (mag, rrup, _), a, b in zip(CASES, ours, theirs, strict=True):
        print(f"M {mag:g}, {rrup:g} km: {a:.3f} ms a record, the other {b:.3f}: {b / a:.2f} times "
              "as fast")  # fmt: skip
    print(f"mean {np.exp(np.log(theirs / ours).mean()):.2f}")


if __name__ == "__main__":
    main()
