"""Wall time of a classical job with the GWM branch beside the same job with BooreEtAl2014.

    python validation/openquake/classical_speed.py

Two jobs with the demo's sources: the demo's one site, and a grid of sites with over 100,000
rupture-site pairs. Each is run by stock ``oq engine --run`` from start to end, process start-up
included, alternately with the one and with the other GMM as the only branch. On a machine with
other work the CPU time is the steadier measure.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
from jobs import Run, run, write_job

BRANCHES = {
    "GenerativeWaveformGMM": '[GenerativeWaveformGMM]\nmodel = "stochastic"',
    "BooreEtAl2014": "[BooreEtAl2014]",
}


def grid(n: int) -> str:
    """n x n sites, 0.05 degrees apart, around the demo's site."""
    step = 0.05 * (np.arange(n) - (n - 1) / 2)
    return ", ".join(f"{-86.25 + x:.4f} {12.13 + y:.4f}" for x in step for y in step)


def pairs(found: Run) -> int:
    """Rupture-site pairs that the calculation evaluated."""
    from openquake.commonlib import datastore

    with datastore.read(str(found.datastore)) as dstore:
        return int(dstore.read_df("source_data")["nctxs"].sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--sites", type=int, default=15, help="sites along a side of the grid")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for label, changed in (("demo", {}), ("grid", {"sites": grid(args.sites)})):
            runs: dict[str, list[Run]] = {name: [] for name in BRANCHES}
            for i in range(args.repetitions):
                for name, text in BRANCHES.items():
                    ini = write_job(folder / f"{label}_{name}_{i}", {"b": text}, **changed)
                    runs[name].append(run(ini, folder / "oqdata"))
            print(f"{label}: {pairs(runs['GenerativeWaveformGMM'][0]):,} rupture-site pairs")
            best = {}
            for name, found in runs.items():
                best[name] = min(r.wall_s for r in found), min(r.cpu_s for r in found)
                walls = ", ".join(f"{r.wall_s:.1f}" for r in found)
                print(f"  {name:22s} wall {walls} s; least CPU time {best[name][1]:.1f} s")
            ours, theirs = best.values()
            print(
                f"  ratio of the shortest: wall {ours[0] / theirs[0]:.2f}, "
                f"CPU {ours[1] / theirs[1]:.2f}"
            )


if __name__ == "__main__":
    main()
