"""CPU time of moments by the surface beside BooreEtAl2014, in one process.

    python validation/openquake/moments_speed.py

Each GMM's mean and standard deviations of ln IM at 100,000 rupture-site pairs, as OpenQuake's
ContextMaker asks for them, alternately; the shortest of several.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from openquake.hazardlib.contexts import ContextMaker, simple_cmaker
from openquake.hazardlib.valid import gsim

IMTS = ("PGA", "SA(0.1)", "SA(0.2)", "SA(0.3)", "SA(0.5)", "SA(1.0)", "SA(2.0)", "SA(3.0)")
GMMS = ("GenerativeWaveformGMM", "BooreEtAl2014")


def pairs(maker: ContextMaker, n: int) -> np.recarray:
    """Pairs all over the range of the model, a row a pair."""
    rng = np.random.default_rng(1)
    rrup = np.exp(rng.uniform(np.log(2.0), np.log(250.0), n))
    columns = {
        "mag": rng.uniform(5.0, 7.8, n),
        "rrup": rrup,
        "rjb": 0.95 * rrup,
        "vs30": rng.uniform(200.0, 1200.0, n),
        "hypo_depth": rng.uniform(2.0, 30.0, n),
        "rake": rng.uniform(-180.0, 180.0, n),
    }
    ctx = maker.new_ctx(n)
    for name in columns.keys() & set(ctx.dtype.names):
        ctx[name] = columns[name]
    return ctx


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--repetitions", type=int, default=9)
    args = parser.parse_args()
    print(f"{args.pairs:,} pairs, CPU seconds")
    print("measures" + "".join(f"{name:>24s}" for name in GMMS) + "   ratio")
    for count in (1, 3, len(IMTS)):
        makers = [simple_cmaker([gsim(f"[{name}]")], IMTS[:count]) for name in GMMS]
        given = [pairs(maker, args.pairs) for maker in makers]
        spent: list[list[float]] = [[], []]
        for _ in range(args.repetitions):
            for maker, ctx, found in zip(makers, given, spent, strict=True):
                start = time.process_time()
                maker.get_mean_stds([ctx], split_by_mag=False)
                found.append(time.process_time() - start)
        ours, theirs = map(min, spent)
        print(f"{count:8d}{ours:24.3f}{theirs:24.3f}{ours / theirs:8.2f}", flush=True)


if __name__ == "__main__":
    main()
