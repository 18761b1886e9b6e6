"""Candidates by a walk in the noise space beside those by plain sampling.

    python validation/suite/candidates.py

The demo's site (managua), the band of 5 % about SA(0.5) at 2 % in 50 years. Prints how many draws
and seconds each method takes, then both pools side by side: ruptures, and mean and standard
deviation of ln IM, with their difference in standard errors. Motions of one family share noise, so
a pool counts as many independent motions as its correlations leave: n^2 over their sum. Then
levels that are ever rarer, where plain sampling would need the draws that are given for it, from
the share of the proposals in the band that the branch's own distribution predicts.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

sys.path.insert(0, str(Path(__file__).parents[1] / "openquake"))
from jobs import run, write_job

from gwm_hazard.core.noise import MixedNoise
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.models.registry import load_model
from gwm_hazard.openquake import datastore
from gwm_hazard.openquake.correlation import published
from gwm_hazard.openquake.site_hazard import site_hazard
from gwm_hazard.suite.candidates import CAPPED, Candidates, Proposal, draw
from gwm_hazard.suite.contributions import Contributions
from gwm_hazard.suite.search import Search, correlations
from gwm_hazard.suite.target import Target, conditional

REFERENCE = "SA(0.5)"
PERIODS = (0.1, 0.12, 0.15, 0.2, 0.24, 0.3, 0.4, 0.5, 0.6, 0.75, 1.0, 1.2, 1.5, 2.0, 2.5, 3.0)
IMTS = tuple(f"SA({t})" for t in PERIODS)
TOLERANCE = 0.05
BRANCHES = {
    "GWM": '[GenerativeWaveformGMM]\nmodel = "stochastic"',
    "Boore": "[BooreEtAl2014]",
    "Kanno": "[Kanno2006Shallow]",
}


@dataclass(frozen=True)
class Problem:
    """The branch of the demo that draws, and what its hazard is made of."""

    contributions: Contributions
    model: WaveformModel
    rows: NDArray[np.int64]
    conditions: dict[str, NDArray[np.float64]]
    years: float

    def target(self, poe: float) -> Target:
        """Conditional spectrum at a probability of exceedance."""
        rate = -np.log1p(-poe) / self.years
        return conditional(self.contributions, REFERENCE, rate, published("BakerJayaram2008"))

    def proposal(self, level: float) -> Proposal:
        """Ruptures of the branch for a level."""
        c, column = self.contributions, self.contributions.column(REFERENCE)
        return Proposal(
            self.conditions,
            c.rate[self.rows],
            c.density(REFERENCE, level)[self.rows],
            c.mean[self.rows, column],
            c.sigma[self.rows, column],
        )


def problem(path: Path | None) -> Problem:
    """The demo's classical job, run anew or read from its calc_N.hdf5."""
    with tempfile.TemporaryDirectory() as home:
        if path is None:
            ini = write_job(Path(home) / "job", BRANCHES)
            path = run(ini, Path(home) / "oqdata").datastore
        with datastore.read(path) as dstore:
            hazard = site_hazard(dstore, IMTS)
            years = float(dstore["oqparam"].investigation_time)
    branch = hazard.waveforms[0]
    model = load_model(branch.gsim.model)
    return Problem(hazard.contributions, model, branch.rows, branch.conditions, years)


def drawn(p: Problem, level: float, method: str, pool: int, seed: int) -> tuple[Candidates, float]:
    """Candidates, and the seconds they took."""
    start = time.perf_counter()
    found = draw(
        p.model,
        p.proposal(level),
        IMTS,
        Search(pool, seed, tolerance=TOLERANCE, budget=10**6),
        conditioning=REFERENCE,
        level=level,
        method=method,
    )
    return found, time.perf_counter() - start


def independent(pool: Candidates) -> float:
    """As many independent motions know as much of a mean."""
    if not isinstance(pool.source, MixedNoise):
        return float(len(pool))
    return len(pool) ** 2 / float(abs(correlations(pool.source)).sum())


def plain_draws(p: Problem, level: float, pool: int) -> float:
    """Draws that plain sampling would take, from the branch's own distribution."""
    proposal = p.proposal(level)
    assert proposal.density is not None and proposal.mean is not None
    above = (np.log(level) + np.array([[-TOLERANCE], [TOLERANCE]]) - proposal.mean) / proposal.sigma
    inside = ndtr(-above[0]) - ndtr(-above[1])
    q = proposal.probability
    weight = np.divide(proposal.rate, q, out=np.zeros_like(q), where=q > 0)
    order = np.argsort(weight)
    mass = np.cumsum(proposal.density[order])
    bound = weight[order][np.searchsorted(mass, (1 - CAPPED) * mass[-1])]
    return pool / float((q * inside * np.minimum(weight / bound, 1.0)).sum())


def summary(method: str, pool: Candidates, seconds: float) -> None:
    families = np.bincount(pool.family)
    print(
        f"{method:>8}{len(pool):>7}{pool.draws:>9}{pool.draws / len(pool):>12.1f}{seconds:>9.1f}"
        f"{len(families):>10}{families.max():>9}{independent(pool):>13.0f}"
    )


def compared(p: Problem, pools: dict[str, Candidates]) -> None:
    """Both pools side by side."""
    n = {k: independent(v) for k, v in pools.items()}
    columns = {
        "mag": {k: p.conditions["mag"][v.rupture] for k, v in pools.items()},
        "ln rrup": {k: np.log(p.conditions["rrup"][v.rupture]) for k, v in pools.items()},
        **{imt: {k: v.ln[:, i] for k, v in pools.items()} for i, imt in enumerate(IMTS)},
    }
    print(f"\n{'':>10}{'mean':>18}{'':>10}{'standard deviation':>22}")
    print(f"{'':>10}{'direct':>9}{'walk':>9}{'z':>7}{'direct':>14}{'walk':>9}{'z':>7}")
    largest = 0.0
    for name, x in columns.items():
        mean = {k: v.mean() for k, v in x.items()}
        sd = {k: v.std(ddof=1) for k, v in x.items()}
        kurtosis = {k: ((v - v.mean()) ** 4).mean() / v.var() ** 2 for k, v in x.items()}
        error = np.sqrt(sum(sd[k] ** 2 / n[k] for k in x))
        # standard error of a standard deviation, from the fourth moment
        spread = np.sqrt(sum(sd[k] ** 2 * (kurtosis[k] - 1) / (4 * n[k]) for k in x))
        z = (mean["walk"] - mean["direct"]) / error
        z_sd = (sd["walk"] - sd["direct"]) / spread
        largest = max(largest, abs(z), abs(z_sd))
        print(
            f"{name:>10}{mean['direct']:>9.3f}{mean['walk']:>9.3f}{z:>7.1f}"
            f"{sd['direct']:>14.3f}{sd['walk']:>9.3f}{z_sd:>7.1f}"
        )
    print(f"largest difference: {largest:.1f} standard errors")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calculation", type=Path, help="calc_N.hdf5 of the demo; run by default")
    parser.add_argument("--pool", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    p = problem(args.calculation)
    drawn(p, p.target(0.02).level, "walk", 1, 0)  # compile
    level = p.target(0.02).level
    print(f"{REFERENCE} = {level:.3f} g, 2 % in 50 years; band of {TOLERANCE:g} in ln\n")
    print(
        f"{'method':>8}{'pool':>7}{'draws':>9}{'each':>12}{'s':>9}{'families':>10}{'largest':>9}"
        f"{'independent':>13}"
    )
    pools = {}
    for method in ("direct", "walk"):
        pools[method], seconds = drawn(p, level, method, args.pool, args.seed)
        summary(method, pools[method], seconds)
    compared(p, pools)
    print("\nby level, walk:")
    print(f"{'poe':>8}{'level, g':>10}{'draws':>9}{'s':>9}{'families':>10}{'plain draws':>13}")
    for poe in (0.5, 0.1, 0.02, 0.01, 0.005):
        level = p.target(poe).level
        pool, seconds = drawn(p, level, "walk", args.pool, args.seed)
        print(
            f"{poe:>8g}{level:>10.3f}{pool.draws:>9}{seconds:>9.1f}{len(set(pool.family)):>10}"
            f"{plain_draws(p, level, args.pool):>13.0f}"
        )


if __name__ == "__main__":
    main()
