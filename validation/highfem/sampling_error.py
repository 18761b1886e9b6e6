"""How far a faster sampler of HighFEM takes each single record from the exact flow.

    python validation/highfem/sampling_error.py EDM.ckpt AUTOENCODER.ckpt [--records 24]
    python validation/highfem/sampling_error.py MODEL_FOLDER

Each sampler turns the same keyed noise into log-spectrograms. The distance of a record from the one
of a 100-step Heun run (199 calls of the network): rms of ln |STFT| over all pixels above the clip
by 5 ln units, and rms of ln band amplitude, the root of the energy of the spectrogram in an octave
band, for each component. In ln units. What it means for an ensemble: sampling_quality.py.

2M is DPM-Solver++(2M), down to a last noise level of 0.03 unless the line says otherwise.
"""

from __future__ import annotations

import argparse
import itertools
import math
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from highfem_models import model_of, scenarios, set_threads

from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.models.highfem import HighFEMModel, sampling
from gwm_hazard.models.highfem.model import IMAGE, standardised

#: Lower edges of the octave bands, rows of the spectrogram (0.39 Hz each): 0.8 to 50 Hz.
BANDS = (2, 4, 8, 16, 32, 64, 128)
#: ln units above the smallest modulus that the representation tells apart.
ABOVE_CLIP = 5.0
BATCH = 4

#: name, sampler, steps, exponent and last level of the schedule, precision
RUNS = (
    ("Heun 100", "heun", 100, 7.0, 0.002, "float32"),
    ("Heun 25 (published)", "heun", 25, 7.0, 0.002, "float32"),
    ("Heun 25, rho 5", "heun", 25, 5.0, 0.002, "float32"),
    ("Heun 25, bfloat16", "heun", 25, 7.0, 0.002, "bfloat16"),
    ("Heun 13", "heun", 13, 7.0, 0.002, "float32"),
    ("Heun 8", "heun", 8, 7.0, 0.002, "float32"),
    ("Heun 8, last level 0.03", "heun", 8, 7.0, 0.03, "float32"),
    ("Heun 5", "heun", 5, 7.0, 0.002, "float32"),
    ("2M 25, last level 0.002", "dpmpp_2m", 25, 7.0, 0.002, "float32"),
    ("2M 8, last level 0.002", "dpmpp_2m", 8, 7.0, 0.002, "float32"),
    ("2M 20", "dpmpp_2m", 20, 7.0, 0.03, "float32"),
    ("2M 16", "dpmpp_2m", 16, 7.0, 0.03, "float32"),
    ("2M 16, bfloat16", "dpmpp_2m", 16, 7.0, 0.03, "bfloat16"),
    ("2M 12", "dpmpp_2m", 12, 7.0, 0.03, "float32"),
    ("2M 10", "dpmpp_2m", 10, 7.0, 0.03, "float32"),
    ("2M 8", "dpmpp_2m", 8, 7.0, 0.03, "float32"),
    ("2M 8, bfloat16", "dpmpp_2m", 8, 7.0, 0.03, "bfloat16"),
    ("2M 6", "dpmpp_2m", 6, 7.0, 0.03, "float32"),
)
SAMPLERS = {"heun": sampling.heun, "dpmpp_2m": sampling.dpmpp_2m}


def run(
    model: HighFEMModel,
    sampler: str,
    steps: int,
    rho: float,
    last: float,
    conditions: Scenarios,
) -> torch.Tensor:
    """ln modulus (n, 3, 128, 128) of each scenario's record."""
    sigmas = sampling.karras_sigmas(steps, rho, last)
    cond = torch.from_numpy(standardised(conditions, model.conditions))
    noise = Noise(1, np.arange(len(conditions)), 0, 0)
    channels, side = model.autoencoder.latent_channels, IMAGE // model.autoencoder.downsampling
    out = []
    for start in range(0, len(conditions), BATCH):
        rows = slice(start, start + BATCH)
        z = torch.from_numpy(noise.take(rows).normal("latent", channels * side * side))
        z = z.view(-1, channels, side, side).double() * float(sigmas[0])
        denoiser = partial(model.network().denoise, cond=cond[rows])
        latent = SAMPLERS[sampler](denoiser, z, sigmas)
        image = model.network().decode(latent.float(), cond[rows])
        out.append(model.representation.modulus(image).log())
    return torch.cat(out)


def band_amplitude(ln_modulus: torch.Tensor) -> torch.Tensor:
    """ln of the root of the energy in each band, (n, 3 x bands)."""
    energy = torch.exp(2.0 * ln_modulus.double())
    bands = [energy[:, :, a:b].sum(dim=(2, 3)) for a, b in itertools.pairwise(BANDS)]
    return 0.5 * torch.log(torch.stack(bands, dim=2)).flatten(1)


def rms(x: torch.Tensor) -> float:
    return float(x.square().mean().sqrt())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="+", type=Path, help="two checkpoints, or a model folder")
    parser.add_argument("--records", type=int, default=24)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    set_threads(args.threads)
    models = {p: model_of(args.model, precision=p) for p in ("float32", "bfloat16")}
    conditions = scenarios(models["float32"], args.records)
    floor = math.log(models["float32"].representation.clip) + ABOVE_CLIP
    truth: torch.Tensor | None = None
    for name, sampler, steps, rho, last, precision in RUNS:
        before = time.process_time()
        with torch.inference_mode():
            found = run(models[precision], sampler, steps, rho, last, conditions)
        seconds = (time.process_time() - before) / args.records
        if truth is None:
            truth, seen = found, found > floor
            print(
                f"{args.records} records, {float(seen.float().mean()):.0%} of the pixels counted; "
                f"CPU s a record with {args.threads} thread(s)\n"
                f"{'sampler':30s} {'calls':>6s} {'pixels':>7s} {'bands':>7s} {'CPU s':>7s}"
            )
        calls = steps if sampler == "dpmpp_2m" else 2 * steps - 1
        pixels = rms((found - truth)[seen])
        bands = rms(band_amplitude(found) - band_amplitude(truth))
        print(f"{name:30s} {calls:6d} {pixels:7.3f} {bands:7.3f} {seconds:7.3f}", flush=True)


if __name__ == "__main__":
    main()
