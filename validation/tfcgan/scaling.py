"""TFCGAN beside statistics of draws from the published package.

    python validation/tfcgan/scaling.py MODEL_FOLDER REFERENCE.csv [--draws 200] [--output OUT.csv]

MODEL_FOLDER is what ``gwm-hazard models import tfcgan`` writes. REFERENCE.csv has a row for each
scenario and method of phase retrieval: phase_method, M, R_km, Vs30, n, and lnmean_X and lnsd_X
of X = PGA, PGV, PSA0.1, PSA0.3, PSA1.0, PSA3.0 (m/s2, m/s) of the one component. The measures are
made here as they were made there (see ``measures``), by scipy alone.

Prints, for each method and measure, the difference of mean ln and the ratio of the standard
deviations: on average over the scenarios, and standardised by the sampling error of both sides,
which leaves a root mean square of 1 where the two draw from the same distribution. Then the
difference between the methods, and, where the reference has columns bssa14_lnmean_X, the
difference from Boore et al. (2014) by magnitude.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import integrate, signal

from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.models.registry import load_model
from gwm_hazard.models.tfcgan import TFCGANModel

DT_S = 0.01
PERIODS_S = (0.1, 0.3, 1.0, 3.0)
NAMES = ("PGA", "PGV", *(f"PSA{t}" for t in PERIODS_S))
SEED = 20230101


def measures(acc: NDArray[np.floating]) -> NDArray[np.float64]:
    """ln of NAMES, (n, 6), of records (n, nt) in m/s2.

    PGA: largest sample. PGV: 10 s of zeros on both sides, Butterworth high-pass at 0.1 Hz, order
    4, forward and backward, trapezoid. PSA: exact for piecewise-linear input, 4 s of zeros after.
    """
    acc = acc.astype(np.float64)
    high_pass = signal.butter(4, 0.1, "highpass", fs=1.0 / DT_S, output="sos")
    filtered = signal.sosfiltfilt(high_pass, np.pad(acc, ((0, 0), (1000, 1000))))
    velocity = integrate.cumulative_trapezoid(filtered, dx=DT_S)
    out = [np.abs(acc).max(axis=1), np.abs(velocity).max(axis=1)]
    padded = np.pad(acc, ((0, 0), (0, 400)))
    for period in PERIODS_S:
        w = 2.0 * np.pi / period
        # u'' + 2 z w u' + w^2 u = -a; a first-order hold makes the recursion exact
        system = ([-1.0], [1.0, 2.0 * 0.05 * w, w * w])
        numerator, denominator, _ = signal.cont2discrete(system, DT_S, method="foh")
        u = signal.lfilter(numerator.ravel(), denominator, padded)
        out.append(w * w * np.abs(u).max(axis=1))
    return np.log(np.stack(out, axis=1))


def model_of(folder: Path, method: str) -> TFCGANModel:
    """The model with the phase retrieval of a name such as GLA30 or ADMM20."""
    loaded = load_model(folder, "cpu")
    assert isinstance(loaded, TFCGANModel) and loaded.weights is not None
    name = "admm" if method.startswith("ADMM") else "griffin_lim"
    iterations = int(method.removeprefix("ADMM").removeprefix("GLA"))
    return TFCGANModel(weights=loaded.weights, phase_retrieval=name, iterations=iterations)


def rows(folder: Path, reference: pd.DataFrame, draws: int) -> Iterator[dict[str, Any]]:
    """One row a row of the reference: standardised differences and our own moments."""
    models = {m: model_of(folder, m) for m in reference["phase_method"].unique()}
    for i, (_, row) in enumerate(reference.iterrows()):
        model = models[row["phase_method"]]
        sc = Scenarios(mag=[row["M"]], rhypo=[row["R_km"]], vs30=[row["Vs30"]])
        ln = np.empty((draws, len(NAMES)))
        for part, acc in model.batches(sc.repeat(draws), Noise(SEED, i, 0, np.arange(draws))):
            ln[part] = measures(acc[:, 0])
        found = {name: row[name] for name in ("phase_method", "M", "R_km", "Vs30")}
        for k, name in enumerate(NAMES):
            mean, sd = ln[:, k].mean(), ln[:, k].std(ddof=1)
            there, spread, n = row[f"lnmean_{name}"], row[f"lnsd_{name}"], row["n"]
            # standard error of ln sd from the sample kurtosis, which is not that of a normal
            kurtosis = ((ln[:, k] - mean) ** 4).mean() / sd**4
            share = 1.0 / n + 1.0 / draws
            found |= {
                f"mean_{name}": mean,
                f"sd_{name}": sd,
                f"d_mean_{name}": mean - there,
                f"z_mean_{name}": (mean - there) / np.sqrt(spread**2 / n + sd**2 / draws),
                f"ln_sd_{name}": np.log(sd / spread),
                f"z_sd_{name}": np.log(sd / spread) / np.sqrt(share * (kurtosis - 1.0) / 4.0),
            }
        yield found


def summary(table: pd.DataFrame, reference: pd.DataFrame) -> None:
    """Print what the module's docstring says."""
    for method, part in table.groupby("phase_method", sort=False):
        print(f"\n{method}: {len(part)} scenarios, ours - published")
        print("measure  mean ln: average  std. error  z: rms  largest  sd ratio  z: rms  largest")
        for name in NAMES:
            d, z, s = part[f"d_mean_{name}"], part[f"z_mean_{name}"], part[f"z_sd_{name}"]
            error = np.sqrt((d / z).pow(2).sum()) / len(part)
            print(
                f"{name:8s} {d.mean():16.4f} {error:11.4f} {np.sqrt((z**2).mean()):7.2f} "
                f"{z.abs().max():8.2f} {np.exp(part[f'ln_sd_{name}'].mean()):9.3f} "
                f"{np.sqrt((s**2).mean()):7.2f} {s.abs().max():8.2f}"
            )
    if {"GLA30", "ADMM20"} <= set(table["phase_method"]):
        at = ["M", "R_km", "Vs30"]
        one, other = (
            table[table["phase_method"] == m].set_index(at)[[f"mean_{n}" for n in NAMES]]
            for m in ("ADMM20", "GLA30")
        )
        print("\nmean ln of our draws, ADMM20 - GLA30")
        for name, value in (one - other).mean().items():
            print(f"{str(name).removeprefix('mean_'):8s} {value:7.3f}")
    if "bssa14_lnmean_PGA" in reference:
        # The rows of the table are those of the reference, in order.
        residual = pd.DataFrame(
            {n: table[f"mean_{n}"] - reference[f"bssa14_lnmean_{n}"] for n in NAMES}
        )
        print("\nmean ln of our draws - Boore et al. (2014), by phase retrieval and magnitude")
        print(residual.groupby([table["phase_method"], table["M"]]).mean().round(2).to_string())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("reference", type=Path)
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--output", type=Path, help="table of all scenarios, CSV")
    arguments = parser.parse_args()
    reference = pd.read_csv(arguments.reference)
    table = pd.DataFrame(rows(arguments.model, reference, arguments.draws))
    if arguments.output:
        table.to_csv(arguments.output, index=False, float_format="%.4f")
    summary(table, reference)


if __name__ == "__main__":
    main()
