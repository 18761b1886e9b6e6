"""What a model has learned: P-S delay, corner frequency by magnitude, amplification by Vs30.

    python validation/highfem_small/physics.py [--model highfem-small] [--draws 32] [--plot FILE]

Each is measured in the same way on draws of the model and of the stochastic one.

- S onset: when the ensemble mean of the squared horizontals (0.5 s average) first reaches 10 % of
  its largest value; less that of P, 5 s.
- Corner frequency: sqrt(int V^2 df / int D^2 df) / 2 pi of the ensemble's Fourier spectra of
  velocity and displacement, 0.15 to 25 Hz (Andrews 1986, in Earthquake Source Mechanics, AGU).
- Amplification: slope of ln SA with ln Vs30.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd

from gwm_hazard.core.distance import rupture_distance_km
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.models.registry import load_model
from gwm_hazard.training.heldout import ln_measures

DISTANCES = np.array([20.0, 40.0, 70.0, 100.0, 140.0])
MAGNITUDES = np.array([4.25, 5.0, 5.75, 6.5, 7.25])
VS30 = np.array([180.0, 270.0, 400.0, 600.0, 900.0, 1350.0])
PERIODS = ("SA(0.1)", "SA(0.3)", "SA(1.0)", "SA(3.0)")
SAMPLES = 127 * 32


def draws(name: str, n: int, **conditions: float | np.ndarray) -> np.ndarray:
    """(scenarios, n, 3, samples) m/s2."""
    columns = {k: np.atleast_1d(np.asarray(v, dtype=float)) for k, v in conditions.items()}
    size = max(len(v) for v in columns.values())
    table = pd.DataFrame({k: np.broadcast_to(v, size) for k, v in columns.items()})
    table["rrup"] = rupture_distance_km(table["mag"], table["rhypo"])
    model = load_model(name)
    wanted = {*model.card.condition_names, "rhypo"}
    scenarios = Scenarios(**{str(k): table[k].to_numpy() for k in table if k in wanted}).repeat(n)
    noise = Noise(11, 0, 0, np.tile(np.arange(n), size))  # the same for all: smooth curves
    out = np.empty((size * n, 3, SAMPLES), dtype=np.float32)
    for rows, acceleration in model.batches(scenarios, noise):
        out[rows] = acceleration[:, :, :SAMPLES]
    return out.reshape(size, n, 3, SAMPLES)


def s_onset_s(acceleration: np.ndarray) -> np.ndarray:
    power = (acceleration[:, :, :2] ** 2).mean(axis=(1, 2))
    smooth = np.stack([np.convolve(p, np.ones(50) / 50, mode="same") for p in power])
    return np.argmax(smooth > 0.1 * smooth.max(axis=1, keepdims=True), axis=1) * 0.01 - 5.0


def corner_hz(acceleration: np.ndarray) -> np.ndarray:
    frequency = np.fft.rfftfreq(SAMPLES, 0.01)
    band = (frequency > 0.15) & (frequency < 25.0)
    power = (np.abs(np.fft.rfft(acceleration[:, :, :2])) ** 2).mean(axis=(1, 2))[:, band]
    omega = 2.0 * np.pi * frequency[band]
    return np.sqrt((power / omega**2).sum(axis=1) / (power / omega**4).sum(axis=1)) / (2 * np.pi)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="highfem-small")
    parser.add_argument("--draws", type=int, default=32)
    parser.add_argument("--plot")
    args = parser.parse_args()
    names = (args.model, "stochastic")
    found: dict[str, dict[str, np.ndarray]] = {}
    for name in names:
        by_distance = draws(name, args.draws, mag=6.0, rhypo=DISTANCES, vs30=400.0, hypo_depth=10.0)
        by_mag = draws(name, args.draws, mag=MAGNITUDES, rhypo=50.0, vs30=400.0, hypo_depth=10.0)
        by_vs30 = draws(name, args.draws, mag=5.5, rhypo=60.0, vs30=VS30, hypo_depth=10.0)
        sa = ln_measures(by_vs30.reshape(-1, 3, SAMPLES), 0.01, PERIODS)
        found[name] = {
            "delay": s_onset_s(by_distance),
            "corner": corner_hz(by_mag),
            "sa": sa.reshape(len(VS30), args.draws, -1).mean(axis=1),
        }
    row = "{:<26}" + "{:>9}" * 6
    print(row.format("P-S delay, s, at km", *[f"{d:g}" for d in DISTANCES], "s/km"))
    for name in names:
        delay = found[name]["delay"]
        slope = np.polyfit(DISTANCES, delay, 1)[0]
        print(row.format("  " + name[-22:], *[f"{v:.2f}" for v in delay], f"{slope:.4f}"))
    print(row.format("corner, Hz, at M", *[f"{m:g}" for m in MAGNITUDES], "log10/M"))
    for name in names:
        corner = found[name]["corner"]
        slope = np.polyfit(MAGNITUDES, np.log10(corner), 1)[0]
        print(row.format("  " + name[-22:], *[f"{v:.2f}" for v in corner], f"{slope:.3f}"))
    print(row.format("d ln SA / d ln Vs30 at s", *[p[3:-1] for p in PERIODS], "", ""))
    for name in names:
        slopes = np.polyfit(np.log(VS30), found[name]["sa"], 1)[0]
        print(row.format("  " + name[-22:], *[f"{v:+.3f}" for v in slopes], "", ""))
    if args.plot:
        plot(found, args.plot)


def plot(found: dict[str, dict[str, np.ndarray]], path: str) -> None:
    from matplotlib.figure import Figure
    from matplotlib.ticker import FixedLocator, NullLocator

    figure = Figure(figsize=(12, 3.6), layout="constrained")
    axes = figure.subplots(1, 3)
    for (name, values), style in zip(found.items(), ("o-", "s--"), strict=True):
        label = name.rstrip("/").split("/")[-1]
        axes[0].plot(DISTANCES, values["delay"], style, label=label)
        axes[1].semilogy(MAGNITUDES, values["corner"], style)
        for k, period in enumerate(PERIODS):
            relative = np.exp(values["sa"][:, k] - values["sa"][:, k].mean())
            axes[2].plot(
                VS30, relative, style, color=f"C{k}", ms=4, label=period if style == "o-" else None
            )
    axes[0].set(xlabel="hypocentral distance, km", ylabel="S onset after P, s")
    axes[1].set(xlabel="magnitude", ylabel="corner frequency, Hz")
    axes[2].set(xlabel="Vs30, m/s", ylabel="SA over its mean", xscale="log", yscale="log")
    for axis, ticks in (
        (axes[1].yaxis, (0.3, 0.5, 1.0, 2.0)),
        (axes[2].xaxis, (200, 400, 800)),
        (axes[2].yaxis, (0.5, 1.0, 2.0, 4.0)),
    ):
        axis.set_major_locator(FixedLocator(ticks))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_locator(NullLocator())
    axes[0].legend(frameon=False)
    axes[2].legend(frameon=False)
    figure.savefig(path, dpi=130)


if __name__ == "__main__":
    main()
