"""Fit of the network part of the simulated conditions to those of Palgunadi et al. (2025).

    python validation/highfem_small/conditions.py --data highfem_conditioning.csv.gz

Prints maximum likelihood estimates beside the defaults of
gwm_hazard.datasets.simulation.Simulation.
Records of an event are known by equal magnitude, depth and azimuthal gap.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from scipy import optimize, stats

from gwm_hazard.datasets.simulation import Simulation


def depth_mixture(depth: np.ndarray) -> np.ndarray:
    """Share, median and ln sd of the shallow part; mean and sd of the deep one."""

    def nll(p: np.ndarray) -> float:
        share = 1.0 / (1.0 + np.exp(-p[0]))
        mean, sd = p[3], np.exp(p[4])
        deep = stats.truncnorm(-mean / sd, (100.0 - mean) / sd, loc=mean, scale=sd)
        shallow = stats.lognorm(np.exp(p[2]), scale=np.exp(p[1]))
        return -np.log(share * shallow.pdf(depth) + (1.0 - share) * deep.pdf(depth)).sum()

    start = [0.0, np.log(10.0), np.log(0.4), 50.0, np.log(18.0)]
    p = optimize.minimize(nll, start, method="Nelder-Mead", options={"maxiter": 4000}).x
    return np.array([1.0 / (1.0 + np.exp(-p[0])), *np.exp(p[1:3]), p[3], np.exp(p[4])])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    table = pd.read_csv(parser.parse_args().data)
    events = table.drop_duplicates(["mag", "hypo_depth", "azimuthal_gap"])
    used = Simulation()
    print(f"{len(table)} records of {len(events)} events{'':>14}{'fit':>9}{'used':>9}")

    def line(name: str, fit: float, default: float) -> None:
        print(f"{name:<44}{fit:>9.3g}{default:>9.3g}")

    # Aki (1965), magnitudes rounded to 0.1
    line("b value of events", 1.0 / ((events["mag"] - 3.95).mean() * np.log(10.0)), used.mag_b)
    found = depth_mixture(events["hypo_depth"].clip(lower=0.5).to_numpy())
    for name, fit, default in zip(
        ("shallow share", "its median, km", "its ln sd", "deep mean, km", "its sd, km"),
        found,
        (used.shallow_share, used.shallow_km, used.shallow_sigma_ln, used.deep_km, used.deep_sd_km),
        strict=True,
    ):
        line(name, fit, default)
    repi = np.sqrt(np.maximum(table["rhypo"] ** 2 - table["hypo_depth"] ** 2, 0.01))
    for low, high in ((4.0, 4.5), (4.5, 5.0), (5.0, 5.5), (5.5, 6.0), (6.0, 9.0)):
        here = table["mag"].between(low, high, inclusive="left")
        shape, _, scale = stats.weibull_min.fit(repi[here], floc=0)
        mag = float(table["mag"][here].mean())
        drawn = min(used.distance_km + used.distance_slope_km * (mag - 4.0), used.distance_most_km)
        line(f"epicentral distance, M {mag:.2f}: Weibull shape", shape, used.distance_shape)
        line("  scale, km", scale, drawn)
    ln_vs30 = np.log(table["vs30"])
    line("median Vs30, m/s", float(np.exp(ln_vs30.mean())), used.vs30_median)
    line("its ln sd", float(ln_vs30.std()), used.vs30_sigma_ln)


if __name__ == "__main__":
    main()
