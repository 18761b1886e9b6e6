"""Peak memory of catalogues of waveforms and of keys, written and exported, as they grow.

    python validation/catalogue/memory.py [--sizes 500,5000,50000]

Each row runs in a process of its own. The model is noise in short records, so that 50,000 of them
take minutes: what is seen is what the writers hold.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SAMPLES = 512
IMTS = ("PGA", "SA(0.3)", "SA(1.0)")


def one(records: int, store: str) -> None:
    """Write one catalogue as `gwm-hazard generate` does, then read it, and print its row."""
    import numpy as np

    from gwm_hazard.catalogue.generated import write_generated
    from gwm_hazard.catalogue.stream import Block, Plan, write_catalogue
    from gwm_hazard.core.noise import Noise
    from gwm_hazard.core.scenario import Scenarios
    from gwm_hazard.records import read_records
    from gwm_hazard.testing import RandomModel

    model = RandomModel(samples=SAMPLES)
    scenarios = Scenarios(mag=np.full(5, 6.0), rrup=np.linspace(10, 50, 5))

    def block(start: int, stop: int) -> Block:
        rows = np.arange(start, stop)
        return Block(scenarios.take(rows % 5), Noise(1, rows // 5, rows % 5, 0))

    start = time.perf_counter()
    peaks = []
    with tempfile.TemporaryDirectory() as folder:
        path = write_generated(Path(folder) / "g.h5", model, scenarios, records // 5, store=store)
        peaks.append(_peak())
        write_catalogue(Path(folder) / "c.h5", Plan(model, records, block, 1, IMTS, store))
        peaks.append(_peak())
        if store == "waveforms":  # keys of this double, which no card names, are not drawn again
            for _ in read_records(path):
                pass
            peaks.append(_peak())
    seconds = time.perf_counter() - start
    columns = "".join(f"{p:12.0f}" for p in peaks).ljust(36)
    print(f"{store:9s} {records:8d}{columns}{seconds:10.1f}", flush=True)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="500,5000,50000")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        one(int(args.one[0]), args.one[1])
        return
    print("peak MB of the process after each step, one after the other", flush=True)
    print("store      records    generate   catalogue  read again   time, s", flush=True)
    for store in ("waveforms", "keys"):
        for size in args.sizes.split(","):
            command = [sys.executable, __file__, "--one", size, store]
            subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
