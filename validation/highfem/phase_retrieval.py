"""Phase retrieval of HighFEM: iterations of fast Griffin-Lim against what they buy.

    python validation/highfem/phase_retrieval.py [--checkpoints EDM.ckpt AUTOENCODER.ckpt]

For spectrograms of records (drawn by the stochastic model: a record with exactly this modulus
exists) and, given checkpoints, for spectrograms that the network draws (none does):

- spectral convergence |  |STFT| - S  | / | S |, mean over records;
- error of ln PGA and ln SA of a component, mean and standard deviation: against the record
  itself, or for the network's spectrograms against 128 iterations;
- CPU time a waveform (three components), and by the clock.

float32 unless the row says otherwise; the initial phase and the momentum 0.99 are as published.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

import gwm_hazard as gwm
from gwm_hazard.intensity import rotd
from gwm_hazard.models.highfem.importer import import_model
from gwm_hazard.noise import Noise
from gwm_hazard.representation.log_spectrogram import LogSpectrogram, published_phase

ITERATIONS = (8, 16, 24, 32, 48, 64, 96, 128)
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


def table(image: torch.Tensor, truth: torch.Tensor | None) -> None:
    image = image.float()
    reference = REP.inverse(image, published_phase(), 128) if truth is None else truth
    wanted = ln_peaks(reference)
    names = ("PGA", *(f"SA({t:g})" for t in PERIODS_S))
    print(
        "iterations  convergence  " + "  ".join(f"{n:>13s}" for n in names) + "  CPU ms  clock ms"
    )
    runs = [(k, image) for k in ITERATIONS] + [(128, image.double())]
    for iterations, start in runs:
        clock, cpu = time.perf_counter(), time.process_time()
        acc = REP.inverse(start, published_phase(), iterations)
        clock, cpu = time.perf_counter() - clock, time.process_time() - cpu
        error = ln_peaks(acc) - wanted
        cells = "  ".join(
            f"{error[..., i].mean():+6.3f} {error[..., i].std():6.3f}" for i in range(len(names))
        )
        label = f"{iterations} float64" if start.dtype == torch.float64 else str(iterations)
        print(
            f"{label:>11s}  {convergence(image, acc):11.4f}  {cells}  "
            f"{1e3 * cpu / len(image):6.1f}  {1e3 * clock / len(image):8.1f}",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoints", nargs=2, type=Path, metavar="CKPT")
    parser.add_argument("--records", type=int, default=16)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    Noise(0, 0, 0, 0).normal("", 1)  # numba's threads, once started, overrule torch's number
    torch.set_num_threads(args.threads)
    load = os.getloadavg()[0]
    print(f"{args.threads} thread(s), load average {load:.1f}, {args.records} waveforms")
    print("spectrograms of records; errors of ln PGA and ln SA: mean, standard deviation")
    truth = records(args.records)
    table(REP.forward(truth), truth)
    if args.checkpoints:
        print("spectrograms of the network; errors against 128 iterations")
        model = import_model(args.checkpoints, sampler="dpmpp_2m", steps="8")
        middle = {
            r.name: np.full(args.records, (r.low + r.high) / 2) for r in model.card.conditions
        }
        with torch.inference_mode():
            noise = Noise(1, np.arange(args.records), 0, 0)
            image = model.spectrograms(gwm.Scenarios(**middle), noise)
            table(image, None)


if __name__ == "__main__":
    main()
