"""How few calls of the network a HighFEM model needs, judged as an ensemble.

    python validation/highfem/sampling_quality.py EDM.ckpt AUTOENCODER.ckpt [--records 64]
    python validation/highfem/sampling_quality.py MODEL_FOLDER

Runs of the published settings (Heun, 25 steps, 128 iterations of Griffin-Lim) that differ in their
noise alone differ from each other in what an ensemble tells: that is the spread. A faster setting
is as good, as far as that many records can tell, if its run differs from them no more than they do
from each other. Three distances between two runs of the same scenarios:

- median: rms over measures of the difference of the medians of ln IM;
- sd: rms over measures of the difference of the standard deviations of ln IM;
- Frechet: between Gaussians fitted to ln band amplitudes (octaves, each component), in ln units.

Measures: PGA, PGV, SA at four periods, IA, RSD595 (RotD50 and vertical). Each faster run has
the noise of the first published run. Columns "other": mean distance to the published runs of other
noise, which is what the largest distance among the published runs is held against. Columns "same":
distance to the run of the same noise, which shows the setting's own part, smaller than chance.

Settings: 2M is DPM-Solver++(2M); "gradient 24" is phase retrieval of 24 iterations from the phase
that the modulus implies. CPU seconds a waveform, network and phases together.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from highfem_models import model_of, scenarios, set_threads, varied
from numpy.typing import NDArray
from scipy.linalg import sqrtm

from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.models.highfem import HighFEMModel

IMTS = ("PGA", "PGV", "SA(0.1)", "SA(0.3)", "SA(1.0)", "SA(3.0)", "IA", "RSD595")
COMPONENTS = ("RotD50", "vertical")
#: Lower edges of the octave bands, rows of the spectrogram (0.39 Hz each): 0.8 to 50 Hz.
BANDS = (2, 4, 8, 16, 32, 64, 128)
BATCH = 8

PUBLISHED: dict[str, Any] = {
    "sampler": "heun",
    "steps": 25,
    "precision": "float32",
    "phases": "published",
    "griffin_lim": 128,
}
FAST = {"sampler": "dpmpp_2m", "precision": "bfloat16", "phases": "gradient", "griffin_lim": 24}
SETTINGS: dict[str, dict[str, Any]] = {
    "Heun 25, gradient 24": {"phases": "gradient", "griffin_lim": 24},
    "Heun 25, gradient 24, bfloat16": FAST | {"sampler": "heun", "steps": 25},
    **{
        f"2M {steps}, gradient 24, bfloat16": FAST | {"steps": steps}
        for steps in (20, 16, 12, 10, 8, 7, 6, 5, 4)
    },
}

Run = tuple[NDArray[np.float64], NDArray[np.float64]]  # ln IM (n, measures), ln bands (n, bands)


def drawn(model: HighFEMModel, sc: Scenarios, seed: int) -> tuple[Run, float]:
    """What one record of each scenario tells, and CPU seconds a record."""
    noise = Noise(seed, np.arange(len(sc)), 0, 0)
    before = time.process_time()
    acc = np.concatenate([a for _, a in model.batches(sc, noise, BATCH)])
    seconds = (time.process_time() - before) / len(sc)
    measures = [intensity_measures_array(acc, model.dt_s, IMTS, c) for c in COMPONENTS]
    modulus = model.representation.modulus(model.representation.forward(torch.from_numpy(acc)))
    energy = modulus.square()
    bands = [energy[:, :, a:b].sum(dim=(2, 3)) for a, b in itertools.pairwise(BANDS)]
    ln_bands = 0.5 * torch.log(torch.stack(bands, dim=2)).flatten(1)
    return (np.log(np.hstack(measures)), ln_bands.numpy()), seconds


def distances(a: Run, b: Run) -> NDArray[np.float64]:
    """Median, sd, Frechet."""
    (x, u), (y, v) = a, b
    median = np.median(x, axis=0) - np.median(y, axis=0)
    sd = x.std(axis=0) - y.std(axis=0)
    return np.array([rms(median), rms(sd), frechet(u, v)])


def rms(x: NDArray[np.float64]) -> float:
    return float(np.sqrt((x**2).mean()))


def frechet(u: NDArray[np.float64], v: NDArray[np.float64]) -> float:
    """Distance of the Gaussians with the mean and covariance of two samples (n, features)."""
    a, b = np.cov(u.T), np.cov(v.T)
    shift = u.mean(axis=0) - v.mean(axis=0)
    between = np.trace(a + b - 2.0 * np.real(sqrtm(a @ b)))
    return float(np.sqrt(max(shift @ shift + between, 0.0)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", nargs="+", type=Path, help="two checkpoints, or a model folder")
    parser.add_argument("--records", type=int, default=64)
    parser.add_argument("--published-runs", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--csv", type=Path)
    args = parser.parse_args()
    set_threads(args.threads)
    published = model_of(args.model, **PUBLISHED)
    sc = scenarios(published, args.records)
    runs, seconds = [], []
    for seed in range(1, args.published_runs + 1):
        run, cpu = drawn(published, sc, seed)
        runs.append(run)
        seconds.append(cpu)
    pairs = np.array([distances(a, b) for a, b in itertools.combinations(runs, 2)])
    print(f"{args.records} records a run; {args.threads} thread(s)")
    print(f"standard deviation of ln IM over the records: {runs[0][0].std(axis=0).mean():.2f}")
    names = ("median", "sd", "Frechet")
    head = " ".join(f"{n:>8s}" for n in names)
    print(f"{'':32s} {'':6s} {'other noise':^26s}  {'same noise':^26s}")
    print(f"{'setting':32s} {'calls':>6s} {head}  {head} {'CPU s':>7s} {'times':>6s}  as good")

    def line(name: str, calls: int, values: list[float], cpu: float, verdict: str) -> None:
        cells = [f"{v:8.3f}" if np.isfinite(v) else f"{'':8s}" for v in values]
        print(
            f"{name:32s} {calls:6d} {' '.join(cells[:3])}  {' '.join(cells[3:])} {cpu:7.3f} "
            f"{min(seconds) / cpu:6.1f}  {verdict}",
            flush=True,
        )

    none = [float("nan")] * 3
    base = min(seconds)
    line("published, mean of pairs", published.evaluations, [*pairs.mean(axis=0), *none], base, "")
    line("published, largest of pairs", published.evaluations, [*pairs.max(0), *none], base, "")
    rows, fastest = [], None
    for name, options in SETTINGS.items():
        model = varied(published, **(PUBLISHED | options))
        run, cpu = drawn(model, sc, 1)
        other = np.mean([distances(run, r) for r in runs[1:]], axis=0)
        same = distances(run, runs[0])
        good = bool((other <= pairs.max(axis=0)).all() and (same <= pairs.mean(axis=0)).all())
        line(name, model.evaluations, [*other, *same], cpu, "yes" if good else "no")
        rows.append([name, model.evaluations, *other, *same, cpu, good])
        if good and (fastest is None or cpu < fastest[0]):
            fastest = cpu, name
    print(
        f"as good: 'other' within the largest of pairs and 'same' within their mean\n"
        f"fastest of those: {fastest[1] if fastest else 'none'}"
    )
    if args.csv:
        head_row = ["setting", "calls", *(f"{k}_{n}" for k in ("other", "same") for n in names)]
        with args.csv.open("w", newline="") as file:
            csv.writer(file).writerows([[*head_row, "cpu_s", "as_good"], *rows])


if __name__ == "__main__":
    main()
