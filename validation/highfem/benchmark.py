"""Speed of HighFEM at full size (101 M + 7 M parameters), network and phase retrieval apart.

    python validation/highfem/benchmark.py [--threads 2] [--batch 8] [--only fast]

Weights are random: the time does not depend on them. Each line draws one batch as a calculation
would, and gives seconds a waveform by the clock and of the CPU (all threads together); CPU seconds
are what to compare on a machine that others use too, and the load average says whether they do.

The published code takes 2.7 s of network and 0.3 s of Griffin-Lim a waveform, by the clock, on 2
cores at batch 8.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from gwm_hazard.models.highfem import HighFEMModel
from gwm_hazard.models.highfem.config import AutoencoderConfig, UNetConfig
from gwm_hazard.models.highfem.denoiser import LatentDiffusion
from gwm_hazard.models.weights import Weights
from gwm_hazard.noise import Noise
from gwm_hazard.scenario import Scenarios

SETTINGS: dict[str, dict[str, Any]] = {
    "published": {},
    "published bfloat16": {"precision": "bfloat16"},
    "16 calls": {
        "sampler": "dpmpp_2m",
        "steps": 16,
        "griffin_lim": 128,
        "precision": "bfloat16",
    },
    "fast float32": {"sampler": "dpmpp_2m", "steps": 8, "griffin_lim": 64},
    "fast": {"sampler": "dpmpp_2m", "steps": 8, "griffin_lim": 64, "precision": "bfloat16"},
}


def random_weights(unet: UNetConfig, autoencoder: AutoencoderConfig) -> Weights:
    torch.manual_seed(0)
    return Weights.of(LatentDiffusion(unet, autoencoder).state_dict())


def timed(function: Callable[[], torch.Tensor], n: int) -> tuple[float, float, torch.Tensor]:
    """Seconds a waveform by the clock and of the CPU, and what the function gives."""
    clock, cpu = time.perf_counter(), time.process_time()
    out = function()
    return (time.perf_counter() - clock) / n, (time.process_time() - cpu) / n, out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--only", choices=SETTINGS, action="append")
    args = parser.parse_args()
    Noise(0, 0, 0, 0).normal("", 1)  # numba's threads, once started, overrule torch's number
    torch.set_num_threads(args.threads)
    n = args.batch
    unet, autoencoder = UNetConfig(), AutoencoderConfig()
    weights = random_weights(unet, autoencoder)
    conditions = Scenarios(
        mag=np.full(n, 5.0),
        rhypo=np.full(n, 60.0),
        vs30=np.full(n, 400.0),
        hypo_depth=np.full(n, 15.0),
        azimuthal_gap=np.full(n, 90.0),
    )
    noise = Noise(1, np.arange(n), 0, 0)
    print(f"batch {n}, {args.threads} thread(s), torch {torch.__version__}")
    both = f"{'clock s':>7s} {'CPU s':>7s} "
    print(f"{'':27s} {'network':>15s} {'phases':>15s} {'total':>15s} {'times':>7s}")
    print(f"{'settings':20s} {'calls':>6s} {3 * both}{'faster':>7s}  load")
    base = None
    for name in args.only or SETTINGS:
        model = HighFEMModel(weights, asdict(unet), asdict(autoencoder), **SETTINGS[name])
        with torch.inference_mode():
            network = model.network()  # loading is not drawing
            x = torch.zeros(n, unet.in_channels, 32, 32)
            network.denoise(x, torch.tensor(1.0), torch.zeros(n, 5))  # kernels are chosen
            clock, cpu, image = timed(lambda m=model: m.spectrograms(conditions, noise), n)
            # Random weights draw spectrograms beyond any record: bring them where records are.
            image = image.clamp(-1.0, 1.0)
            gl_clock, gl_cpu, _ = timed(lambda m=model, i=image: m.records(i, noise), n)
        base = base or cpu + gl_cpu
        print(
            f"{name:20s} {model.evaluations:6d} {clock:7.3f} {cpu:7.3f} {gl_clock:7.3f} "
            f"{gl_cpu:7.3f} {clock + gl_clock:7.3f} {cpu + gl_cpu:7.3f} "
            f"{base / (cpu + gl_cpu):7.1f} {os.getloadavg()[0]:5.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
