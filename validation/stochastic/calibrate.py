"""Calibrate the stochastic model's parameters on observed intensity measures.

    python validation/stochastic/calibrate.py --data ../shared/data/flatfiles

Maximum a posteriori fit by Gauss-Newton: the published values are the centre of a normal prior
on each free parameter, the data are bin means (data set, magnitude, distance) of the residuals
ln(observed) - ln(median of the model) of PGA, PGV, SA and RSD595. Events are split 70/30; the
residuals of the held-out events are printed and used for nothing. Boore et al. (2014) enters
with its medians on the grid of compare_boore2014.py, as the summary of the 15,000 records of
NGA-West2 of which the flatfile here holds 1,000: agreement with it is therefore by fit. The
median of the model comes
from draws without its event and record terms, so that only the phases are random.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from compare_boore2014 import boore_2014, grid

from gwm_hazard.models.stochastic import StochasticModel, StochasticParameters
from gwm_hazard.noise import Noise
from gwm_hazard.scenario import Scenarios
from gwm_hazard.surface.ensemble import draw_ln_measures

IMTS = ["PGA", "PGV", "SA(0.1)", "SA(0.2)", "SA(0.3)", "SA(0.5)", "SA(1.0)", "SA(2.0)", "SA(3.0)"]
IMTS += ["RSD595"]
FILES = ("ridgecrest_2019_rotd50", "newzealand_rotd50", "ngaw2_1000_rotd50")
#: free parameter -> standard deviation of the prior about the published value
PRIOR = {
    "ln_stress_bar": 0.7,
    "stress_slope_below": 0.3,
    "stress_slope_above": 0.3,
    "stress_depth_slope": 0.03,
    "fa_intercept": 0.3,
    "fa_slope": 0.06,
    "epsilon_intercept": 0.3,
    "epsilon_slope": 0.06,
    "h_slope": 0.03,
    "b1": 0.15,
    "b2": 0.15,
    "ln_q0": 0.5,
    "eta": 0.15,
    "kappa_s": 0.004,
    "ln_duration_factor": 0.4,
}
#: centre of the prior: Atkinson and Silva (2000), Raoof et al. (1999), Boore (2003), Yenier and
#: Atkinson (2014, 2015), Boore and Thompson (2014)
PUBLISHED = StochasticParameters(
    stress_bar=100.0,
    stress_slope_below=0.229,
    stress_slope_above=0.0,
    stress_depth_slope=0.03,
    fa_intercept=2.181,
    fa_slope=-0.496,
    epsilon_intercept=0.605,
    epsilon_slope=-0.255,
    h_slope=0.235,
    b1=-1.0,
    b2=-0.5,
    r1_km=50.0,
    q0=180.0,
    eta=0.45,
    kappa_s=0.035,
    duration_factor=1.0,
)
#: standard error that a median of Boore et al. (2014) counts with, ln units
GMM_ERROR = 0.12
MAG_BINS = np.array([4.0, 4.5, 5.0, 5.5, 6.0, 6.5, 7.0, 8.01])
DISTANCE_BINS = np.array([1.0, 15.0, 30.0, 50.0, 80.0, 130.0, 200.0, 300.0])


def read(folder: Path, per_bin: int, seed: int = 1) -> pd.DataFrame:
    """Stratified rows of the flatfiles within the range of the model; empty where unusable."""
    tables = []
    for name in FILES:
        table = pd.read_csv(folder / f"{name}.csv.gz", dtype={"event_id": str}, low_memory=False)
        table = table.rename(columns={f"SA({t:g})": f"SA({t:.1f})" for t in (1, 2, 3)}).copy()
        table["source"] = name.split("_")[0]
        if "RSD595_gm" in table:
            table = table.rename(columns={"RSD595_gm": "RSD595"})
        corner = table.get("highpass_hz", table.get("lowest_usable_freq_hz"))
        for imt in IMTS:
            if imt not in table:
                table[imt] = np.nan
            elif imt.startswith("SA"):
                table.loc[float(imt[3:-1]) > 0.8 / corner, imt] = np.nan
        tables.append(
            table[["source", "event_id", "mag", "hypo_depth", "rrup", "rhypo", "vs30", *IMTS]]
        )
    rows = pd.concat(tables).dropna(subset=["mag", "hypo_depth", "rrup", "rhypo", "vs30", "PGA"])
    # Small distant records are seen only where they are strong: leave them out.
    rows = rows[
        rows.mag.between(4, 8)
        & rows.rrup.between(1, 300)
        & rows.vs30.between(150, 1500)
        & rows.hypo_depth.between(0, 40)
        & ((rows.mag >= 5) | (rows.rrup <= 150))
    ].copy()
    rows["rhypo"] = np.maximum(rows.rhypo, rows.rrup)
    rows["bin"] = (
        rows.source
        + pd.cut(rows.mag, MAG_BINS, right=False).astype(str)
        + pd.cut(rows.rrup, DISTANCE_BINS, right=False).astype(str)
    )
    events = np.sort(rows.event_id.unique())
    held = np.random.default_rng(seed).permutation(len(events)) < 0.3 * len(events)
    rows["held_out"] = rows.event_id.isin(events[held])
    shuffled = rows.sample(frac=1.0, random_state=seed)
    return shuffled.groupby(["bin", "held_out"]).head(per_bin).reset_index(drop=True)


def free_values(p: StochasticParameters) -> np.ndarray:
    """The free parameters as the vector that the fit moves."""
    return np.array(
        [np.log(getattr(p, n[3:])) if n.startswith("ln_") else getattr(p, n) for n in PRIOR]
    )


def parameters(vector: np.ndarray) -> StochasticParameters:
    values = {}
    for (name, _), x in zip(PRIOR.items(), vector, strict=True):
        plain = name.removeprefix("ln_")
        values[plain] = float(np.exp(x)) if name.startswith("ln_") else float(x)
    return StochasticParameters(
        **(
            PUBLISHED.__dict__
            | values
            | {"stress_sigma_ln": 0.0, "tau_factor": 0.0, "phi_factor": 0.0}
            | {"duration_tau": 0.0, "duration_phi": 0.0}
        )
    )


def residuals(vector: np.ndarray, rows: pd.DataFrame, draws: int) -> np.ndarray:
    """ln(observed) - ln(median of the model), (n_rows, n_imts); NaN where not observed."""
    model = StochasticModel(**parameters(vector).__dict__)
    sc = Scenarios(
        **{k: rows[k].to_numpy() for k in ("mag", "rrup", "rhypo", "vs30", "hypo_depth")}
    )
    n = len(rows)
    noise = Noise(7, np.repeat(np.arange(n), draws), 0, np.tile(np.arange(draws), n))
    ln = draw_ln_measures(model, sc.repeat(draws), noise, IMTS)
    with np.errstate(divide="ignore"):
        return np.log(rows[IMTS].to_numpy()) - ln.reshape(n, draws, -1).mean(axis=1)


def misfit(vector: np.ndarray, rows: pd.DataFrame, draws: int) -> tuple[np.ndarray, np.ndarray]:
    """Bin means of the residuals and those to Boore et al. (2014), with standard errors."""
    mean, error = bin_means(residuals(vector, rows, draws), rows)
    sc, rjb = grid()
    model = StochasticModel(**parameters(vector).__dict__)
    spectral = IMTS[:-1]
    n = len(sc)
    noise = Noise(7, np.repeat(np.arange(n), 4 * draws), 0, np.tile(np.arange(4 * draws), n))
    ln = draw_ln_measures(model, sc.repeat(4 * draws), noise, spectral)
    gmm = boore_2014(sc, rjb, spectral)[0] - ln.reshape(n, 4 * draws, -1).mean(axis=1)
    return np.append(mean, gmm.ravel()), np.append(error, np.full(gmm.size, GMM_ERROR))


def bin_means(res: np.ndarray, rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Mean residual by bin, flattened over measures, and its standard error."""
    frame = pd.DataFrame(res, columns=IMTS).assign(
        bin=rows["bin"].to_numpy(), event=rows.event_id.to_numpy()
    )
    by_event = frame.groupby(["bin", "event"]).mean()
    mean = by_event.groupby("bin").mean().to_numpy()
    # One event's mean scatters by tau and the residual terms of its few records.
    events = by_event.groupby("bin").count().to_numpy()
    error = np.sqrt(0.45**2 / np.maximum(events, 1) + 0.1**2)
    return mean.ravel(), error.ravel()


def report(title: str, res: np.ndarray, rows: pd.DataFrame) -> None:
    print(
        f"\n{title}: {len(rows)} records, {rows.event_id.nunique()} events; "
        "ln(observed/model), mean of bins / s.d. of records"
    )
    frame = pd.DataFrame(res, columns=IMTS).assign(
        source=rows.source.to_numpy(), bin=rows["bin"].to_numpy()
    )
    for source, part in frame.groupby("source"):
        mean = part.groupby("bin")[IMTS].mean().mean()
        print(
            f"  {source:11s}" + "".join(f" {i}: {mean[i]:+.2f}/{part[i].std():.2f}" for i in IMTS)
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the flatfiles")
    parser.add_argument("--per-bin", type=int, default=10, help="records of a bin (default 10)")
    parser.add_argument("--draws", type=int, default=4, help="waveforms a record (default 4)")
    parser.add_argument("--iterations", type=int, default=4)
    parser.add_argument(
        "--from-shipped",
        action="store_true",
        help="start at the shipped values (one step shows "
        "whether they are the optimum), not at the published ones",
    )
    args = parser.parse_args()

    rows = read(args.data, args.per_bin)
    train, test = rows[~rows.held_out].reset_index(drop=True), rows[rows.held_out]
    test = test.reset_index(drop=True)
    centre = free_values(PUBLISHED)
    width = np.array(list(PRIOR.values()))
    x = free_values(StochasticParameters() if args.from_shipped else PUBLISHED)
    report("starting parameters, fitted events", residuals(x, train, args.draws), train)
    for iteration in range(args.iterations):
        base, error = misfit(x, train, args.draws)
        use = np.isfinite(base)
        jacobian = np.empty((use.sum(), len(x)))
        for j in range(len(x)):
            step = 0.3 * width[j]
            moved, _ = misfit(x + step * (np.arange(len(x)) == j), train, args.draws)
            jacobian[:, j] = (moved - base)[use] / step
        # Huber weights: a bin far off (one odd event) counts less.
        scaled = base[use] / error[use]
        weight = np.sqrt(np.minimum(1.0, 1.5 / np.maximum(np.abs(scaled), 1e-9))) / error[use]
        left = np.vstack([jacobian * weight[:, None], np.diag(1.0 / width)])
        right = np.concatenate([-base[use] * weight, (centre - x) / width])
        step = np.linalg.lstsq(left, right, rcond=None)[0]
        x = x + np.clip(step, -1.5 * width, 1.5 * width)
        print(
            f"iteration {iteration + 1}: rms of scaled bin means {np.sqrt((scaled**2).mean()):.3f}",
            flush=True,
        )
        for name, value in zip(PRIOR, x, strict=True):
            plain = np.exp(value) if name.startswith("ln_") else value
            print(f"    {name.removeprefix('ln_')}={plain:.4g}", flush=True)
    report("calibrated, fitted events", residuals(x, train, args.draws), train)
    report("calibrated, held-out events", residuals(x, test, args.draws), test)


if __name__ == "__main__":
    main()
