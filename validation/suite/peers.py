"""A suite of ours beside those of a package that selects records: same target, same number.

    pip install --target PEERS "djura[record-selection]"
    PYTHONPATH=PEERS python validation/suite/peers.py --flatfile ngaw2_1000_rotd50.csv.gz

djura (Shahnazaryan, Ozsarac and O'Reilly 2025, COMPDYN) selects records by the generalized
conditional intensity measure approach; among its authors is that of EzGM, of which the package
index holds no version any more. Its own database (100 MB) is fetched from outside the index, so a
flatfile stands in for it: RotD50 in g, columns ``SA(T)``. Both ways of selecting choose from both
pools, so that the database and the algorithm can be told apart:

- records, scaled to the level by up to ``--max-scale``;
- motions drawn for the ruptures that control the level, not scaled.

The target is the demo's (managua), SA(0.5) at 2 % in 50 years, over 0.1 to 3 s. Errors are those
of median and sigma (n - 1) over the periods but the conditioning one. Seconds: of the pool (drawing
it; records are there), and of the selection alone, the second time it is done in a process.
"Alike" counts motions beyond the first of a family (see ``suite.candidates``), which djura knows
nothing of.
"""

from __future__ import annotations

import argparse
import copy
import importlib.util
import os
import pickle
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from candidates import IMTS, PERIODS, REFERENCE, drawn, problem
from numpy.typing import NDArray

from gwm_hazard.suite.selection import match, select
from gwm_hazard.suite.target import Target

Array = NDArray[np.float64]

#: Passes and replicates of djura's search; its defaults are 1 and 1.
GREEDY_LOOPS, REPLICATES = 10, 10


@dataclass(frozen=True)
class Pool:
    """What is selected from.

    Attributes
    ----------
    name : for the table
    ln : (n, n_imts) ln SA, g, unscaled
    group : (n,) one motion of a group at most
    max_scale : largest factor
    seconds : that it took to draw
    """

    name: str
    ln: Array
    group: NDArray[np.int64]
    max_scale: float
    seconds: float


def records(path: Path, max_scale: float) -> Pool:
    """The rows of a flatfile that have all periods."""
    table = pd.read_csv(path)
    missing = [imt for imt in IMTS if flat(imt) not in table]
    if missing:
        raise ValueError(f"{path}: no column {', '.join(missing)}")
    spectra = table[[flat(imt) for imt in IMTS]].to_numpy(float)
    usable = (spectra > 0).all(axis=1)
    return Pool(
        f"{usable.sum()} records", np.log(spectra[usable]), np.arange(usable.sum()), max_scale, 0.0
    )


def flat(imt: str) -> str:
    """The name of a measure in a flatfile: SA(1) for SA(1.0)."""
    return f"SA({float(imt[3:-1]):g})"


def ours(pool: Pool, target: Target, n: int, seed: int) -> tuple[NDArray[np.int64], Array, float]:
    """Rows chosen by this package, their factors, and the seconds that choosing took."""
    away = np.log(target.level) - pool.ln[:, IMTS.index(REFERENCE)]
    rows = np.arange(len(pool.ln))
    scale = np.ones(len(rows))
    if pool.max_scale > 1:
        rows = np.flatnonzero(np.abs(away) <= np.log(pool.max_scale))
        scale = np.exp(away)
    scaled = pool.ln[rows] + np.log(scale[rows])[:, None]
    for _ in range(2):  # the first compiles
        start = time.perf_counter()
        chosen = rows[select(scaled, target, n, seed, group=pool.group[rows])]
        seconds = time.perf_counter() - start
    return chosen, scale[chosen], seconds


def djura(pool: Pool, target: Target, n: int, seed: int) -> tuple[NDArray[np.int64], Array, float]:
    """As :func:`ours`, by djura; in a process of its own, which reads one database."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "database.pickle"
        path.write_bytes(pickle.dumps(database(pool)))
        with ProcessPoolExecutor(1, get_context("spawn")) as worker:
            args = (str(path), question(target, n, seed, pool.max_scale), target_of(target))
            return worker.submit(chosen_by_djura, *args).result()


def chosen_by_djura(
    path: str, data: dict[str, Any], target: dict[str, Any]
) -> tuple[NDArray[np.int64], Array, float]:
    """What :func:`djura` asks its process for."""
    os.environ["DJURA_METADATA_PATH"] = path
    from djura.record_selection import GCIM

    for _ in range(2):  # the first compiles
        selection = GCIM(copy.deepcopy(data), conditional=True)
        start = time.perf_counter()
        best = selection.select(output_create=target)["selected_scaled_best"]
        seconds = time.perf_counter() - start
    return np.asarray(best["rsn"], dtype=np.int64), np.asarray(best["sf"], dtype=float), seconds


def database(pool: Pool) -> dict[str, Any]:
    """A pool in djura's layout; what does not enter the selection is left blank."""
    n = len(pool.ln)
    spectra = np.exp(pool.ln)
    blank = {
        name: np.zeros(n)
        for name in ("mechanism", "magnitude", "Vs30", "Rjb", "Rrup", "duration", "dt", "EQ_year")
    }
    names = np.array([""] * n, dtype=object)
    return {
        "RSN": np.arange(n),
        "EQID": pool.group,
        "Periods_SA": np.array(PERIODS),
        **{f"SA_{c}": spectra for c in ("1", "2", "vert", "RotD50", "RotD100")},
        **blank,
        **{name: names for name in ("Filename_1", "Filename_2", "EQ_name", "Station_name")},
        "lowest_usable_freq": np.zeros(n),
        "damping": 0.05,
    }


def question(target: Target, n: int, seed: int, max_scale: float) -> dict[str, Any]:
    """djura's input. GMM and rupture have to be there; the target is given, so they do nothing."""
    return {
        "gmms": [{"SA": {"names": ["BooreEtAl2014"], "weights": [1.0]}}],
        "ruptures": [{"mag": 6.5, "rjb": 15.0, "vs30": 400.0, "weight": 1.0}],
        "imi": [f"SA({t}s)" for t, imt in zip(PERIODS, IMTS, strict=True) if imt != REFERENCE],
        "im-star": {"type": f"SA({float(REFERENCE[3:-1])}s)", "value": target.level},
        "num-components": 2,
        "component-definition": "RotD50",
        "num_records": n,
        "seed": seed,
        "max_scaling_factor": max_scale,
        "greedy-loops": GREEDY_LOOPS,
        "nreplicate": REPLICATES,
    }


def target_of(target: Target) -> dict[str, Any]:
    """The target as djura's ``create`` would return it, without the conditioning period."""
    rest = np.array([i for i, imt in enumerate(IMTS) if imt != REFERENCE])
    sigma = target.sigma[rest]
    correlation = target.covariance[np.ix_(rest, rest)] / np.outer(sigma, sigma)
    period = float(REFERENCE[3:-1])
    return {
        "im-star": {"type": "SA", "value": target.level, "period": period},
        "num_components": 2,
        "component_definition": "RotD50",
        "target": {
            "mu_lnIMi": {"SA": target.mean[rest]},
            "sigma_lnIMi": {"SA": sigma},
            "IMi": {"SA": np.array(PERIODS)[rest]},
            "combined_correlations": correlation,
            "im_idxs": {"SA": np.arange(len(rest))},
        },
    }


def line(pool: Pool, who: str, target: Target, rows: Any, scale: Array, seconds: float) -> None:
    """One row of the table."""
    rest = [i for i, imt in enumerate(IMTS) if imt != REFERENCE]
    found = match(pool.ln[rows] + np.log(scale)[:, None], target)
    mean, sigma = (100.0 * np.abs(x[rest]) for x in (found.mean_error, found.sigma_error))
    pairs = len(rows) - len(np.unique(pool.group[rows]))
    print(
        f"{pool.name:>16}{who:>12}{mean.max():>9.1f}{np.sqrt((mean**2).mean()):>7.1f}"
        f"{sigma.max():>9.1f}{np.sqrt((sigma**2).mean()):>7.1f}{scale.min():>9.2f}"
        f"{scale.max():>7.2f}{pairs:>8}{pool.seconds:>9.1f}{seconds:>9.3f}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flatfile", type=Path, required=True)
    parser.add_argument("--calculation", type=Path, help="calc_N.hdf5 of the demo; run by default")
    parser.add_argument("-n", type=int, default=20)
    parser.add_argument("--pool", type=int, default=400)
    parser.add_argument("--max-scale", type=float, default=3.0, help="of records; djura's default")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    here = importlib.util.find_spec("djura") is not None
    if not here:
        print('djura is not installed (pip install "djura[record-selection]"): left out')
    p = problem(args.calculation)
    target = p.target(0.02)
    found, seconds = drawn(p, target.level, "walk", args.pool, args.seed)
    motions = Pool(f"{len(found)} motions", found.ln, found.family, 1.0, seconds)
    pools = [records(args.flatfile, args.max_scale), motions]
    near = np.abs(np.log(target.level) - pools[0].ln[:, IMTS.index(REFERENCE)])
    print(
        f"{REFERENCE} = {target.level:.3f} g; {(near <= np.log(args.max_scale)).sum()} records "
        f"reach it with factors up to {args.max_scale:g}\n"
    )
    print(f"{'':>28}{'median, %':>16}{'sigma, %':>16}{'scale':>16}{'alike':>8}{'seconds':>18}")
    print(
        f"{'pool':>16}{'selection':>12}{'largest':>9}{'rms':>7}{'largest':>9}{'rms':>7}"
        f"{'least':>9}{'most':>7}{'':>8}{'pool':>9}{'select':>9}"
    )
    for pool in pools:
        for who, way in (("this", ours), *((("djura", djura),) if here else ())):
            line(pool, who, target, *way(pool, target, args.n, args.seed))
    return 0


if __name__ == "__main__":
    sys.exit(main())
