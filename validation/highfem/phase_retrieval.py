"""Phase retrieval of HighFEM: iterations of fast Griffin-Lim against what they buy.

    python validation/highfem/phase_retrieval.py [--model EDM.ckpt AUTOENCODER.ckpt | FOLDER]

For spectrograms of records (drawn by the stochastic model: a record with exactly this modulus
exists) and, given a model, for spectrograms that the network draws (none does):

- spectral convergence |  |STFT| - S  | / | S |, mean over records;
- error of ln PGA and ln SA of a component, mean and standard deviation: against the record
  itself, or for the network's spectrograms against 128 iterations;
- CPU time a waveform (three components), and by the clock.

Initial phases: "published", one fixed random phase; "gradient", integrated from the gradient that
the modulus implies, whose time is counted. float32 unless the row says otherwise; the momentum of
0.99 is as published. Times are the shortest of --repetitions.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from highfem_models import model_of, scenarios, set_threads
from numpy.typing import NDArray

import gwm_hazard as gwm
from gwm_hazard.core.noise import Noise
from gwm_hazard.intensity import rotd
from gwm_hazard.representation.log_spectrogram import LogSpectrogram, published_phase

ITERATIONS = {"published": (16, 32, 64, 128), "gradient": (0, 8, 16, 24, 32, 64)}
PERIODS_S = (0.1, 0.3, 1.0)
REP = LogSpectrogram()


def records(n: int) -> torch.Tensor:
    """Accelerograms (n, 3, 4064) of the stochastic model, cut or filled with zeros."""
    rng = np.random.default_rng(2)
    scenarios = gwm.Scenarios(
        mag=rng.uniform(4.5, 6.5, n),
        rrup=rng.uniform(15.0, 100.0, n),
        vs30=rng.uniform(250.0, 800.0, n),
        hypo_depth=np.full(n, 10.0),
    )
    drawn = gwm.load_model("stochastic", "cpu").generate(scenarios, n=1, seed=1)
    acc = drawn.acceleration.values[:, 0, :, :4064]
    return torch.from_numpy(np.pad(acc, ((0, 0), (0, 0), (0, 4064 - acc.shape[2]))))


def ln_peaks(acc: torch.Tensor) -> NDArray[np.float64]:
    """ln PGA and ln SA of each component, (n, 3, 1 + periods)."""
    flat = acc.double().reshape(-1, 1, 4064).numpy().repeat(2, axis=1)
    flat[:, 1] = 0.0  # RotD100 of one component is its own response
    sa = rotd(flat, 0.01, np.array(PERIODS_S), percentiles=(100,))[:, 0]
    pga = np.abs(flat[:, 0]).max(axis=1, keepdims=True)
    return np.log(np.concatenate((pga, sa), axis=1)).reshape(len(acc), 3, -1)


def convergence(image: torch.Tensor, acc: torch.Tensor) -> float:
    wanted = REP.modulus(image.double()).flatten(2)
    found = REP.modulus(REP.forward(acc)).flatten(2)
    return float(
        (torch.linalg.norm(found - wanted, dim=2) / torch.linalg.norm(wanted, dim=2)).mean()
    )


def timed(function: Callable[[], torch.Tensor], times: int) -> tuple[torch.Tensor, float, float]:
    """What it gives, and the shortest CPU and clock time in s."""
    found = []
    for _ in range(times):
        clock, cpu = time.perf_counter(), time.process_time()
        out = function()
        found.append((time.process_time() - cpu, time.perf_counter() - clock))
    return out, min(f[0] for f in found), min(f[1] for f in found)


def retrieved(image: torch.Tensor, start: str, iterations: int) -> torch.Tensor:
    phase = published_phase() if start == "published" else REP.gradient_phase(image)
    return REP.inverse(image, phase, iterations)


def table(image: torch.Tensor, truth: torch.Tensor | None, repetitions: int) -> None:
    image = image.float()
    wanted = ln_peaks(retrieved(image, "published", 128) if truth is None else truth)
    names = ("PGA", *(f"SA({t:g})" for t in PERIODS_S))
    cells = "  ".join(f"{n:>13s}" for n in names)
    print(f"{'start':>9s} {'iterations':>11s}  convergence  {cells}  CPU ms  clock ms")
    runs = [(start, k, image) for start, its in ITERATIONS.items() for k in its]
    for start, iterations, x in [*runs, ("published", 128, image.double())]:
        acc, cpu, clock = timed(partial(retrieved, x, start, iterations), repetitions)
        error = ln_peaks(acc) - wanted
        cells = "  ".join(
            f"{error[..., i].mean():+6.3f} {error[..., i].std():6.3f}" for i in range(len(names))
        )
        label = f"{iterations} float64" if x.dtype == torch.float64 else str(iterations)
        print(
            f"{start:>9s} {label:>11s}  {convergence(image, acc):11.4f}  {cells}  "
            f"{1e3 * cpu / len(image):6.1f}  {1e3 * clock / len(image):8.1f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", nargs="+", type=Path, metavar="PATH")
    parser.add_argument("--records", type=int, default=16)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    set_threads(args.threads)
    load = os.getloadavg()[0]
    print(f"{args.threads} thread(s), load average {load:.1f}, {args.records} waveforms")
    print("spectrograms of records; errors of ln PGA and ln SA: mean, standard deviation")
    truth = records(args.records)
    table(REP.forward(truth), truth, args.repetitions)
    if args.model:
        print("spectrograms of the network; differences from the published retrieval")
        model = model_of(args.model, sampler="dpmpp_2m", steps=16)
        noise = Noise(1, np.arange(args.records), 0, 0)
        with torch.inference_mode():
            image = model.spectrograms(scenarios(model, args.records), noise)
            table(image, None, args.repetitions)


if __name__ == "__main__":
    main()
