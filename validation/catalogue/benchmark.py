"""Draw, measure and write catalogues of keys of growing size: time, memory and bytes a record.

    python validation/catalogue/benchmark.py [--sizes 1000,10000,100000] [--threads 2]

Each size runs in a process of its own, so that the peak memory is its own. Where others use the
machine, the CPU time (of all threads) tells what the wall time would be. Records are those of
events with 10 sites: magnitudes 4.5 to 7.5 in steps of 0.1, 5 to 200 km, Vs30 200 to 800 m/s.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

IMTS = ("PGA", "PGV", "SA(0.1)", "SA(0.3)", "SA(0.5)", "SA(1.0)", "SA(3.0)")
SITES = 10


def one(records: int, store: str) -> None:
    """Write one catalogue and print its row of the table."""
    import numpy as np

    from gwm_hazard import Noise, Scenarios, load_model
    from gwm_hazard.catalogue.stream import Block, Plan, write_catalogue

    rng = np.random.default_rng(1)
    events = -(-records // SITES)
    event, site = np.divmod(np.arange(records), SITES)
    columns = {
        "mag": rng.integers(45, 76, events)[event] / 10.0,
        "rrup": np.exp(rng.uniform(np.log(5.0), np.log(200.0), records)),
        "vs30": rng.uniform(200.0, 800.0, SITES)[site],
        "hypo_depth": rng.uniform(5.0, 15.0, events)[event],
    }
    scenarios = Scenarios(**{k: np.float32(v) for k, v in columns.items()})
    noise = Noise(1, event, site, 0)
    model = load_model("stochastic", "cpu")

    def block(start: int, stop: int) -> Block:
        rows = slice(start, stop)
        return Block(scenarios.take(rows), noise.take(rows))

    with tempfile.TemporaryDirectory() as folder:
        warm = Plan(model, SITES, block, 1, IMTS, store)
        write_catalogue(Path(folder) / "warm.h5", warm)  # compiles the kernels
        start, cpu = time.perf_counter(), time.process_time()
        path = write_catalogue(Path(folder) / "c.h5", Plan(model, records, block, 1, IMTS, store))
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        size = path.stat().st_size
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
    print(
        f"{store:9s} {records:8d} {seconds:9.1f} {cpu:8.1f} {records / seconds:10.0f} {peak:9.0f} "
        f"{size / records:13.1f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--store", default="keys", choices=["keys", "waveforms"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        one(args.one, args.store)
        return
    threads = str(args.threads)
    environment = os.environ | {"OMP_NUM_THREADS": threads, "NUMBA_NUM_THREADS": threads}
    print(f"three components, {', '.join(IMTS)} (RotD50); {threads} threads of CPU")
    print("store      records   time, s   CPU, s  records/s   peak MB  bytes/record")
    for size in args.sizes.split(","):
        subprocess.run(
            [sys.executable, __file__, "--one", size, "--store", args.store],
            env=environment,
            check=True,
        )


if __name__ == "__main__":
    main()
