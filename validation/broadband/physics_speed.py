"""How long low frequencies of a layered earth take, and broadband motions on them.

    python validation/broadband/physics_speed.py [--pairs 1000] [--workers 2]

Events of M 5.5 to 7.5 at random distances, ten sites an event, random mechanisms; the library of
Green's functions first, where it is not kept yet, then low frequencies alone, then whole draws.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.models.devices import keep_one_thread
from gwm_hazard.models.layered import LayeredModel

LAYERS = Path(__file__).parents[2] / "demos" / "broadband" / "layered.toml"
SITES, DEPTHS = 10, 17


def green_functions(row: int) -> bool:
    """A depth of the library; whether it was not kept yet."""
    library = loaded().source.library
    missing = not (library.folder / f"{row:04d}.npz").exists()
    library.row(row)
    return missing


def low(event: int, sites: int) -> int:
    """Low frequencies at the sites of an event; how many."""
    model, at, noise = pairs(event, sites)
    from gwm_hazard.simulations.geometry import random_ruptures

    made = random_ruptures(at, noise, model.source.seismogenic_km)
    columns = {k: made[k] for k in (*model.source.columns, "vs30")}
    return len(model.source(Scenarios(**columns), noise))


def whole(event: int, sites: int) -> int:
    """Broadband motions at the sites of an event; how many."""
    model, at, noise = pairs(event, sites)
    return sum(len(acc) for _, acc in model.batches(at, noise))


def pairs(event: int, sites: int) -> tuple[LayeredModel, Scenarios, Noise]:
    """The model, scenarios and noise of an event."""
    rng = np.random.default_rng(event)
    at = Scenarios(
        mag=np.full(sites, rng.uniform(5.5, 7.5)),
        rrup=np.exp(rng.uniform(np.log(5.0), np.log(100.0), sites)),
        vs30=rng.uniform(250.0, 900.0, sites),
    )
    return loaded(), at, Noise(1, event, np.arange(sites), 0)


def loaded() -> LayeredModel:
    """One instance a process."""
    if not _held:
        keep_one_thread()
        _held.append(LayeredModel("broadband-small", LAYERS, "random"))
    return _held[0]


_held: list[LayeredModel] = []


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    events = args.pairs // SITES
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(args.workers, spawn) as pool:
        start = time.perf_counter()
        missing = sum(pool.map(green_functions, range(DEPTHS)))
        took = time.perf_counter() - start
        print(f"library: {missing} of {DEPTHS} depths computed in {took:.0f} s")
        for name, work in (("low frequencies", low), ("broadband motions", whole)):
            list(pool.map(work, range(args.workers), [1] * args.workers))  # kernels, networks
            start = time.perf_counter()
            done = sum(pool.map(work, range(events), [SITES] * events))
            took = time.perf_counter() - start
            print(
                f"{done} {name}, {args.workers} processes: {took:.0f} s, {took / done:.3f} s each"
            )


if __name__ == "__main__":
    main()
