"""The GSIM on its surface beside direct ensembles: 50 random scenarios, 1,000 draws each.

    python validation/surface/check_direct.py

The draws are plain, independent waveforms: other random numbers than those the surface was made
from, without moment matching. A mean or sigma agrees when it differs from the ensemble's by no
more than 3 standard errors of the ensemble plus the error that the surface stores (largest
interpolation error and sampling error, root of the sum of squares). About 0.3 % of exact values
would fail 3 standard errors by chance.
"""

from __future__ import annotations

import argparse

import numpy as np
from openquake.hazardlib.contexts import simple_cmaker

from gwm_hazard.core.draws import Draws
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.models.measuring import ln_measures
from gwm_hazard.models.registry import load_model
from gwm_hazard.openquake.gsim import GenerativeWaveformGMM, surface_of

IMTS = ["PGA", "PGV", "SA(0.1)", "SA(0.3)", "SA(1.0)", "SA(3.0)", "IA", "CAV", "RSD575", "RSD595"]


def random_scenarios(n: int, seed: int) -> Scenarios:
    """Scenarios over the whole range of the model, uniform in ln distance and ln Vs30."""
    u = np.random.default_rng(seed).random((4, n))
    return Scenarios(
        mag=4.0 + 4.0 * u[0],
        rrup=np.exp(np.log(1.0) + np.log(300.0) * u[1]),
        vs30=np.exp(np.log(150.0) + np.log(10.0) * u[2]),
        hypo_depth=100.0 * u[3] ** 2,
    )


def from_gsim(sc: Scenarios) -> tuple[np.ndarray, np.ndarray]:
    """Mean and total sigma of ln IM by OpenQuake's ContextMaker, (n, n_imts) each."""
    maker = simple_cmaker([GenerativeWaveformGMM()], IMTS)
    ctx = maker.new_ctx(len(sc))
    for name in sc:
        ctx[name] = sc[name]
    mean, sigma, _, _ = maker.get_mean_stds([ctx])[:, 0]
    return mean.T, sigma.T


def compare(scenarios: int, draws: int, seed: int) -> dict[str, np.ndarray]:
    """Differences and tolerances of mean and sigma, (n_scenarios, n_imts) each."""
    sc = random_scenarios(scenarios, seed)
    mean, sigma = from_gsim(sc)
    noise = Noise(seed, np.tile(np.arange(draws), scenarios), 0, 0)
    ln = ln_measures(load_model("stochastic"), Draws(sc.repeat(draws), noise), IMTS)
    ln = ln.reshape(scenarios, draws, -1)
    direct_mean, direct_sigma = ln.mean(axis=1), ln.std(axis=1, ddof=1)
    centred = ln - direct_mean[:, None]
    fourth = (centred**4).mean(axis=1)
    se_mean = direct_sigma / np.sqrt(draws)
    # Standard error of a standard deviation, without assuming normality.
    se_sigma = np.sqrt((fourth - direct_sigma**4) / draws) / (2.0 * direct_sigma)
    surface = surface_of(GenerativeWaveformGMM())
    at = [surface.imts.index(i) for i in IMTS]
    error = {
        k: np.hypot(surface.errors[f"largest_{k}"], surface.errors[f"sampling_{k}"])[at]
        for k in ("mean", "sigma")
    }
    return {
        "mean": np.abs(mean - direct_mean),
        "mean_allowed": 3.0 * se_mean + error["mean"],
        "sigma": np.abs(sigma - direct_sigma),
        "sigma_allowed": 3.0 * se_sigma + error["sigma"] * direct_sigma,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--scenarios", type=int, default=50)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=2024)
    args = parser.parse_args()
    found = compare(args.scenarios, args.draws, args.seed)
    print(f"{args.scenarios} scenarios x {args.draws} draws: |GSIM - direct| in ln units")
    print("IMT        mean: rms   largest  outside   sigma: rms   largest  outside")
    for j, imt in enumerate(IMTS):
        cells = []
        for k in ("mean", "sigma"):
            difference, allowed = found[k][:, j], found[f"{k}_allowed"][:, j]
            cells.append(
                f"{np.sqrt((difference**2).mean()):10.4f}{difference.max():10.4f}"
                f"{int((difference > allowed).sum()):6d}/{len(difference)}"
            )
        print(f"{imt:9s}{cells[0]}   {cells[1]}")
    for k in ("mean", "sigma"):
        inside = found[k] <= found[f"{k}_allowed"]
        print(f"{k}: {inside.sum()} of {inside.size} within 3 standard errors plus stored error")


if __name__ == "__main__":
    main()
