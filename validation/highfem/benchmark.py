"""Speed of HighFEM at full size (101 M + 7 M parameters), network and phase retrieval apart.

    python validation/highfem/benchmark.py [--threads 2] [--batch 8] [--repetitions 3]

Weights are random: the time does not depend on them. Parts of one batch are timed, each the
shortest of --repetitions: a call of the denoiser, the decoder, and the phase retrieval of records
(noise in an envelope). The network of a waveform is its calls and the decoder; --whole draws
complete batches as well, to check the sum. CPU seconds (all threads together) are what to compare
on a machine that others use too; the load average says whether they do.

The published implementation takes, by the clock, 2.7 s of network and 0.3 s of Griffin-Lim a
waveform: measured with it at these sizes, batch 8, on 2 cores that did nothing else. The line
"published" is this package at the published settings.
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
from highfem_models import scenarios, set_threads

from gwm_hazard.core.noise import Noise
from gwm_hazard.models.highfem import HighFEMModel
from gwm_hazard.models.highfem.config import AutoencoderConfig, UNetConfig
from gwm_hazard.models.highfem.denoiser import LatentDiffusion
from gwm_hazard.models.highfem.model import IMAGE
from gwm_hazard.models.weights import Weights

_FAST: dict[str, Any] = {"sampler": "dpmpp_2m", "phases": "gradient", "griffin_lim": 24}
SETTINGS: dict[str, dict[str, Any]] = {
    "published": {},
    "published, bfloat16": {"precision": "bfloat16"},
    "16 steps, gradient": _FAST | {"steps": 16, "precision": "bfloat16"},
    "10 steps, gradient": _FAST | {"steps": 10, "precision": "bfloat16"},
    "8 steps, gradient": _FAST | {"steps": 8, "precision": "bfloat16"},
    "8 steps, float32": _FAST | {"steps": 8},
}

Seconds = tuple[float, float]  # of the CPU, by the clock


def random_weights(unet: UNetConfig, autoencoder: AutoencoderConfig) -> Weights:
    torch.manual_seed(0)
    return Weights.of(LatentDiffusion(unet, autoencoder).state_dict())


def shortest(function: Callable[[], Any], times: int, n: int) -> Seconds:
    """CPU and clock seconds a waveform, each the shortest, after a call that is not timed."""
    function()
    found = []
    for _ in range(times):
        clock, cpu = time.perf_counter(), time.process_time()
        function()
        found.append(((time.process_time() - cpu) / n, (time.perf_counter() - clock) / n))
    return min(f[0] for f in found), min(f[1] for f in found)


def images(model: HighFEMModel, n: int) -> torch.Tensor:
    """Log-spectrograms (n, 3, 128, 128) of noise in an envelope."""
    samples = model.representation.transform.samples(IMAGE)
    t = torch.arange(samples) / 100.0
    noise = torch.from_numpy(Noise(1, np.arange(n), 0, 0).normal("noise", 3 * samples))
    return model.representation.forward(noise.view(n, 3, -1) * t * torch.exp(-t / 5.0)).float()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--only", choices=SETTINGS, action="append")
    parser.add_argument("--whole", action="store_true", help="draw complete batches too")
    args = parser.parse_args()
    set_threads(args.threads)
    n, times = args.batch, args.repetitions
    unet, autoencoder = UNetConfig(), AutoencoderConfig()
    weights = random_weights(unet, autoencoder)
    noise = Noise(1, np.arange(n), 0, 0)
    side = IMAGE // autoencoder.downsampling
    print(
        f"batch {n}, {args.threads} thread(s), torch {torch.__version__}; s a waveform, CPU/clock"
    )
    print(
        f"{'settings':20s} {'calls':>5s} {'a call':>11s} {'decoder':>11s} {'network':>11s} "
        f"{'phases':>11s} {'total':>11s} {'faster':>11s}  load"
    )
    networks: dict[str, tuple[Seconds, Seconds]] = {}
    base: Seconds | None = None
    for name in args.only or SETTINGS:
        model = HighFEMModel(weights, asdict(unet), asdict(autoencoder), **SETTINGS[name])
        with torch.inference_mode():
            if model.precision not in networks:
                network = model.network()
                x, cond = torch.randn(n, unet.in_channels, side, side), torch.zeros(n, 5)
                networks[model.precision] = (
                    shortest(lambda: network.denoise(x, torch.tensor(1.0), cond), times, n),  # noqa: B023
                    shortest(lambda: network.decode(x, cond), times, n),  # noqa: B023
                )
            call, decoder = networks[model.precision]
            image = images(model, n)
            phases = shortest(lambda m=model, i=image: m.records(i, noise), times, n)
        total = [model.evaluations * c + d for c, d in zip(call, decoder, strict=True)]
        whole = [a + b for a, b in zip(total, phases, strict=True)]
        base = base or (whole[0], whole[1])
        faster = [b / w for b, w in zip(base, whole, strict=True)]
        columns = (call, decoder, total, phases, whole)
        cells = " ".join(f"{c[0]:5.3f}/{c[1]:5.3f}" for c in columns)
        print(
            f"{name:20s} {model.evaluations:5d} {cells} {faster[0]:5.1f}/{faster[1]:5.1f}  "
            f"{os.getloadavg()[0]:4.1f}",
            flush=True,
        )
        if args.whole:
            sc = scenarios(model, n)
            with torch.inference_mode():
                drawn = shortest(lambda m=model, s=sc: m.draw(s, noise), 1, n)
            print(f"{'  drawn whole':20s} {'':5s} {'':47s} {drawn[0]:5.3f}/{drawn[1]:5.3f}")


if __name__ == "__main__":
    main()
