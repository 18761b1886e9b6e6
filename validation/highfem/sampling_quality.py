"""How good a sampler of HighFEM is against how often it calls the network.

    python validation/highfem/sampling_quality.py EDM.ckpt AUTOENCODER.ckpt [--records 24]

Each sampler turns the same keyed noise into log-spectrograms. Two questions:

- record by record: how far is a record from the one of a 100-step Heun run (199 evaluations)?
  rms of ln |STFT| over all pixels above the clip by 5 ln units, and rms of ln band amplitude;
- as an ensemble: how far are median and standard deviation of ln band amplitude from those of
  the 25-step Heun run? Beside it the distance of two 25-step Heun runs of different noise: a
  difference below that cannot be seen with that number of records.

2M is DPM-Solver++(2M), down to a last noise level of 0.03 unless the line says otherwise.

Band amplitude: root of the energy of the spectrogram in an octave band, for each component. All
distances in ln units. Prints a table; with --csv PATH writes it too.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import math
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch

from gwm_hazard.models.highfem import sampling
from gwm_hazard.models.highfem.importer import import_model
from gwm_hazard.models.highfem.model import HighFEMModel, standardised
from gwm_hazard.noise import Noise
from gwm_hazard.scenario import Scenarios

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


def scenarios(records: int) -> Scenarios:
    """Spread over the middle of the training database."""
    rng = np.random.default_rng(1)
    return Scenarios(
        mag=rng.uniform(4.2, 6.5, records),
        rhypo=rng.uniform(30.0, 180.0, records),
        vs30=rng.uniform(200.0, 800.0, records),
        hypo_depth=rng.uniform(5.0, 80.0, records),
        azimuthal_gap=rng.uniform(50.0, 250.0, records),
    )


def run(
    models: dict[str, HighFEMModel],
    sampler: str,
    steps: int,
    rho: float,
    last: float,
    precision: str,
    seed: int,
    conditions: Scenarios,
) -> torch.Tensor:
    """ln modulus (n, 3, 128, 128) of each scenario's record."""
    model = models[precision]
    sigmas = sampling.karras_sigmas(steps, rho, last)
    cond = torch.from_numpy(standardised(conditions))
    noise = Noise(seed, np.arange(len(conditions)), 0, 0)
    channels = model.autoencoder.latent_channels
    out = []
    for start in range(0, len(conditions), BATCH):
        rows = slice(start, start + BATCH)
        z = torch.from_numpy(noise.take(rows).normal("latent", channels * 32 * 32))
        z = z.view(-1, channels, 32, 32).double() * float(sigmas[0])
        denoiser = partial(model.network().denoise, cond=cond[rows])
        latent = SAMPLERS[sampler](denoiser, z, sigmas)
        dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
        image = model.network().autoencoder.decode(latent.to(dtype)).float()
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
    parser.add_argument("checkpoints", nargs=2, type=Path, metavar="CKPT")
    parser.add_argument("--records", type=int, default=24)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--csv", type=Path)
    args = parser.parse_args()
    Noise(0, 0, 0, 0).normal("", 1)  # numba's threads, once started, overrule torch's number
    torch.set_num_threads(args.threads)

    models = {p: import_model(args.checkpoints, precision=p) for p in ("float32", "bfloat16")}
    conditions = scenarios(args.records)
    with torch.inference_mode():
        found, seconds = {}, {}
        for name, *how in RUNS:
            before = time.process_time()
            found[name] = run(models, *how, 1, conditions)
            seconds[name] = (time.process_time() - before) / args.records
        other = band_amplitude(run(models, *RUNS[1][1:], 2, conditions))
    truth, published = found["Heun 100"], band_amplitude(found["Heun 25 (published)"])
    floor = math.log(models["float32"].representation.clip) + ABOVE_CLIP
    seen = truth > floor
    print(
        f"{args.records} records, {float(seen.float().mean()):.0%} of the pixels counted; "
        f"CPU s with {args.threads} thread(s)"
    )
    print(
        f"standard deviation of ln amplitude over the records: {float(published.std(0).mean()):.2f}"
    )
    print(f"two 25-step runs of different noise: median of ln amplitude differs by "
          f"{rms(other.median(0).values - published.median(0).values):.3f}, standard deviation by "
          f"{rms(other.std(0) - published.std(0)):.3f}")  # fmt: skip
    header = ("sampler", "evaluations", "pixels", "bands", "median", "sd", "cpu_s_record")
    print(f"{'':30s} {'':6s} {'from Heun 100':>15s} {'from Heun 25':>15s}")
    print(f"{'sampler':30s} {'calls':>6s} {'pixels':>7s} {'bands':>7s} {'median':>7s} {'sd':>7s} "
          f"{'CPU s':>7s}")  # fmt: skip
    rows = []
    for name, sampler, steps, *_ in RUNS:
        bands = band_amplitude(found[name])
        row = (
            name,
            steps if sampler == "dpmpp_2m" else 2 * steps - 1,
            rms((found[name] - truth)[seen]),
            rms(bands - band_amplitude(truth)),
            rms(bands.median(0).values - published.median(0).values),
            rms(bands.std(0) - published.std(0)),
            seconds[name],
        )
        rows.append(row)
        print(f"{row[0]:30s} {row[1]:6d} " + " ".join(f"{v:7.3f}" for v in row[2:]), flush=True)
    if args.csv:
        with args.csv.open("w", newline="") as file:
            csv.writer(file).writerows([header, *rows])


if __name__ == "__main__":
    main()
