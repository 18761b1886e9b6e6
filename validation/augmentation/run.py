"""Do generated records help a network that estimates magnitudes? Held-out events, error bars.

    python validation/augmentation/run.py --data WORK/data [--model NAME]

WORK is that of `validation/cvae_gan_small/train.sh`; training and test events are those of its
split.csv. As in SeismoGen (Wang et al. 2021) and StyleGAN-EQ (Xu and Chen 2024), records that a
model draws are added to few observed ones: half of each batch. A small convolutional network is
given the two horizontals at 25 Hz, each record over its peak, and ln of the peak, and estimates
the magnitude; distance and site are not told. Every training has as many steps; horizontals are
turned at random. Printed are the error on the records of test events (rms, mean and standard
deviation over seeds, which choose the observed records and the first weights) and by how much
generated records change it (mean over seeds, and its standard error).

A model that was itself trained on observed records of training events, as cvae-gan-small
was, brings more than the N records into the training: what it gains where N is small is not of the
generation alone.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.signal import resample_poly
from torch import nn

from gwm_hazard.core.conditioning import conditioning_of
from gwm_hazard.core.noise import Noise
from gwm_hazard.datasets.simulation import Simulation
from gwm_hazard.errors import ModelError
from gwm_hazard.models.devices import keep_one_thread
from gwm_hazard.models.registry import load_model
from gwm_hazard.records.training_set import TrainingSet

SPLIT = Path(__file__).parents[1] / "cvae_gan_small" / "split.csv"
SETS = ("observed_3c", "observed_3c_b", "observed_2h", "observed_2h_b")
MODELS = ("stochastic", "cvae-gan-small")
RATE_HZ, SAMPLES = 25, 1024
STEPS, BATCH, RATE = 300, 32, 2e-3
#: Evenly over magnitude and the logarithms of distance and Vs30.
CONDITIONS = Simulation(
    even_share=1.0, seed=11, mag=(4.0, 8.0), rhypo=(5.0, 200.0), vs30=(180.0, 1000.0),
    hypo_depth=(3.0, 30.0),
)  # fmt: skip


class Records:
    """Horizontals over their peak (n, 2, samples), what goes with them, and magnitudes."""

    def __init__(self, acceleration: NDArray[np.float32], rate_hz: float, mag: NDArray) -> None:
        waves = resample_poly(acceleration[:, :2], RATE_HZ, round(rate_hz), axis=2)[..., :SAMPLES]
        waves = np.pad(waves, ((0, 0), (0, 0), (0, SAMPLES - waves.shape[2])))
        peak = np.abs(waves).max(axis=(1, 2))
        self.waves = torch.from_numpy(waves / peak[:, None, None]).float()
        self.ln_peak = torch.from_numpy(np.log(peak)).float()
        self.mag = torch.tensor(mag, dtype=torch.float32)

    def take(self, rows: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Of some rows: waves, ln peaks, magnitudes."""
        return self.waves[rows], self.ln_peak[rows], self.mag[rows]


class Estimator(nn.Module):
    """Magnitudes (n,) of records."""

    def __init__(self) -> None:
        super().__init__()
        sizes = ((2, 16, 9, 4), (16, 32, 9, 4), (32, 32, 9, 4), (32, 64, 5, 2))
        parts = [[nn.Conv1d(i, o, k, s, k // 2), nn.ReLU()] for i, o, k, s in sizes]
        self.waves = nn.Sequential(*(layer for part in parts for layer in part))
        self.rest = nn.Sequential(nn.Dropout(0.2), nn.Linear(129, 32), nn.ReLU(), nn.Linear(32, 1))

    def forward(self, waves: torch.Tensor, ln_peak: torch.Tensor) -> torch.Tensor:
        """(n, 2, samples), (n,) -> (n,)."""
        x = self.waves(waves)
        both = torch.cat([x.mean(dim=2), x.amax(dim=2), ln_peak[:, None] / 3.0], dim=1)
        return 6.0 + self.rest(both)[:, 0]


def observed(folder: Path) -> tuple[Records, NDArray[np.str_]]:
    """All records, and the split that each is in."""
    split = pd.read_csv(SPLIT, dtype=str).set_index("event_id")["split"]
    waves, tables = [], []
    for name in SETS:
        found = TrainingSet.open(folder / name)
        waves.append(found.waveforms(np.arange(len(found)))[:, :2])
        tables.append(found.table[["event_id", "mag"]])
    table = pd.concat(tables, ignore_index=True)
    part = split.loc[table["event_id"].astype(str)].to_numpy(dtype=str)
    print(f"observed: {(part == 'train').sum()} records of training events, "
          f"{(part == 'test').sum()} of test events")  # fmt: skip
    return Records(np.concatenate(waves), 1.0 / found.dt_s, table["mag"].to_numpy()), part


def generated(name: str, n: int) -> Records:
    """Draws of a model."""
    model = load_model(name, "cpu")
    table = CONDITIONS.conditions(np.arange(n), np.zeros(n, dtype=np.int64))
    given = conditioning_of(model.card)
    scenarios = given.clipped(given.of_records(table, stand_in=True))
    waves = np.zeros((n, 2, int(model.npts(scenarios).max())), dtype=np.float32)
    for rows, drawn in model.batches(scenarios, Noise(11, np.arange(n), 0, 0)):
        waves[rows, :, : drawn.shape[2]] = drawn[:, :2]
    return Records(waves, model.card.sampling_rate_hz, table["mag"].to_numpy())


def turned(waves: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Horizontals seen from other azimuths."""
    angle = torch.from_numpy(rng.uniform(0.0, 2.0 * math.pi, len(waves))).float()[:, None]
    a, b = waves[:, 0], waves[:, 1]
    return torch.stack(
        [a * angle.cos() - b * angle.sin(), a * angle.sin() + b * angle.cos()], dim=1
    )


def trained(few: Records, rows: NDArray[np.int64], more: Records | None, seed: int) -> Estimator:
    """An estimator of some observed records, and of generated ones where they are given."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = Estimator()
    optimizer = torch.optim.AdamW(network.parameters(), RATE, weight_decay=1e-2)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        share = BATCH if more is None else BATCH // 2
        parts = [few.take(rng.choice(rows, share))]
        if more is not None:
            parts.append(more.take(rng.integers(0, len(more.mag), BATCH - share)))
        waves, ln_peak, mag = (torch.cat(p) for p in zip(*parts, strict=True))
        loss = (network(turned(waves, rng), ln_peak) - mag).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        falling.step()
    return network.eval()


@torch.no_grad()
def error(network: Estimator, records: Records, rows: NDArray[np.int64]) -> float:
    """Rms of the magnitudes."""
    waves, ln_peak, mag = records.take(rows)
    return float((network(waves, ln_peak) - mag).square().mean().sqrt())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", action="append", help="Whose records are added; repeat.")
    parser.add_argument("--sizes", type=int, nargs="+", default=[50, 200, 0], help="0: all")
    parser.add_argument("--generated", type=int, default=250)
    parser.add_argument("--seeds", type=int, default=5)
    args = parser.parse_args()
    keep_one_thread()
    records, part = observed(args.data)
    training, test = np.flatnonzero(part == "train"), np.flatnonzero(part == "test")
    off = float((records.mag[test] - records.mag[training].mean()).square().mean().sqrt())
    print(f"rms of the mean magnitude of training records: {off:.3f}")
    added: dict[str, Records | None] = {"none": None}
    for name in args.model or MODELS:
        try:
            added[name] = generated(name, args.generated)
        except ModelError as exc:
            print(f"left out: {exc}")
    print(f"{'observed':>8} {'added':<18}{'rms':>7}{'sd':>6}{'change':>9}{'se':>7}")
    for size in args.sizes:
        without = np.zeros(args.seeds)
        for name, more in added.items():
            found = np.zeros(args.seeds)
            for seed in range(args.seeds):
                rng = np.random.default_rng(1000 + seed)
                rows = rng.permutation(training)[: size or None]
                found[seed] = error(trained(records, rows, more, seed), records, test)
            row = (
                f"{size or len(training):>8} {name:<18}{found.mean():7.3f}{found.std(ddof=1):6.3f}"
            )
            if more is None:
                without = found
            else:
                change = found - without
                se = change.std(ddof=1) / math.sqrt(args.seeds)
                row += f"{change.mean():+9.3f}{se:7.3f}"
            print(row, flush=True)


if __name__ == "__main__":
    main()
