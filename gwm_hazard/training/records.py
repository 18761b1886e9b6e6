"""From a training set to what networks take: images, standardised conditions, latents."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

from gwm_hazard.core.conditioning import distance_km
from gwm_hazard.core.noise import Noise
from gwm_hazard.errors import InputError
from gwm_hazard.models.highfem.autoencoder import Autoencoder
from gwm_hazard.models.highfem.baseline import IMAGE
from gwm_hazard.models.highfem.card import Condition
from gwm_hazard.models.highfem.model import standardised
from gwm_hazard.records.training_set import TrainingSet
from gwm_hazard.representation.log_spectrogram import LogSpectrogram
from gwm_hazard.training.config import Data

#: Records encoded at once.
_ENCODED = 64


class Records:
    """The usable records of a training set: those with all conditions.

    Attributes
    ----------
    set : TrainingSet
    table : conditions and splits, a row a record of the set; ``rhypo`` is the effective distance
        where the configuration asks for it and the rupture distance is known
    train, dev, test : rows of the set
    missing : records left out for a condition that is not known
    """

    def __init__(self, data: Data) -> None:
        self.set = TrainingSet.open(data.folder)
        self.representation = LogSpectrogram(clip=data.clip, ln_top=data.ln_top)
        self.samples = self.representation.transform.samples(IMAGE)
        if len(self.set.components) != 3 or abs(self.set.dt_s - 0.01) > 1e-9:
            raise InputError(
                f"{data.folder}: {len(self.set.components)} components at "
                f"{1 / self.set.dt_s:g} Hz; expected three at 100 Hz"
            )
        if self.set.npts < self.samples:
            raise InputError(
                f"{data.folder}: records of {self.set.npts} samples; need {self.samples}"
            )
        absent = [name for name in data.conditions if name not in self.set.table]
        if absent:
            raise InputError(f"{data.folder}: its table has no column of {absent[0]!r}")
        self.table = self.set.table.assign(rhypo=distance_km(self.set.table, data.distance))
        known = self.table[list(data.conditions)].notna().all(axis=1).to_numpy()
        self.missing = int((~known).sum())
        self.train, self.dev, self.test = (
            rows[known[rows]] for rows in map(self.set.rows, ("train", "dev", "test"))
        )
        if data.records:
            self.train = self.train[: data.records]

    def acceleration(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Waveforms (n, 3, 4064), m/s2."""
        return self.set.waveforms(rows)[:, :, : self.samples]

    def images(self, rows: NDArray[np.int64]) -> torch.Tensor:
        """Log-spectrograms (n, 3, 128, 128), float32."""
        acceleration = torch.from_numpy(self.acceleration(rows))
        return self.representation.forward(acceleration, torch.float32)

    def conditions(self, data: Data) -> dict[str, Condition]:
        """How each condition enters: moments and range over the training split."""
        made = {}
        for name in data.conditions:
            values = self.table[name].to_numpy(dtype=float)[self.train]
            log = name in data.log
            if log and not values.min() > 0:
                raise InputError(f"{name} = {values.min():g}: no logarithm; take it out of log")
            entering = np.log(values) if log else values
            sd = float(entering.std()) or 1.0
            low, high = float(values.min()), float(values.max())
            if not low < high:
                raise InputError(f"{name} is {low:g} in all records: take it out of conditions")
            made[name] = Condition(float(entering.mean()), sd, low, high, log)
        return made


class Images:
    """Batches of the autoencoder: image, and noise for the latent."""

    def __init__(self, records: Records, latent: tuple[int, int, int]) -> None:
        self.records, self.latent = records, latent
        self.train, self.dev = records.train, records.dev

    def batch(self, rows: NDArray[np.int64], noise: Noise) -> tuple[torch.Tensor, ...]:
        """(n, 3, 128, 128) and (n, channels, h, w)."""
        return _last(self.records.images(rows)), _last(_normal(noise, "posterior", self.latent))


class Latents:
    """Batches of the baseline and the denoiser: latent, conditions, noise level, noise.

    A second source, where there is one, gives a share of each training batch.
    """

    def __init__(
        self,
        latents: NDArray[np.float16],
        records: Records,
        conditions: dict[str, Condition],
        replay: Latents | None = None,
        share: float = 0.0,
    ) -> None:
        self.latents, self.replay, self.share = latents, replay, share
        columns = {name: records.table[name].to_numpy(dtype=float) for name in conditions}
        self.conditions = standardised(columns, conditions)
        self.train, self.dev = records.train, records.dev

    def batch(self, rows: NDArray[np.int64], noise: Noise) -> tuple[torch.Tensor, ...]:
        """(n, channels, h, w), (n, conditions), (n,) standard normal, the shape of the first."""
        latent, cond = self.take(rows)
        # step keys of looks at the dev split lie above: those take no replayed records
        if self.replay is not None and len(noise) and noise.event[0] < 2**61:
            swapped = round(self.share * len(rows))
            step = int(noise.event[0])
            key = np.random.Generator(np.random.Philox(key=[noise.seed, step]))
            chosen = key.choice(self.replay.train, swapped)
            latent[:swapped], cond[:swapped] = self.replay.take(chosen)
        level = torch.from_numpy(noise.normal("sigma", 1)[:, 0])
        return _last(latent), cond, level, _last(_normal(noise, "noise", latent.shape[1:]))

    def take(self, rows: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
        """Latents (n, channels, h, w) and standardised conditions (n, conditions) of rows."""
        latent = torch.from_numpy(np.asarray(self.latents[rows], dtype=np.float32))
        return latent, torch.from_numpy(self.conditions[rows])


@torch.inference_mode()
def encode(
    autoencoder: Autoencoder,
    records: Records,
    path: Path,
    fabric: Fabric,
    progress: Callable[[float], None] | None = None,
) -> NDArray[np.float16]:
    """Mean latents of all usable records, (records of the set, channels, h, w), in a .npy file.

    Rows of other records stay 0. The first process writes; a file that is there already is opened.
    """
    if fabric.global_rank == 0 and not path.is_file():
        rows = np.sort(np.concatenate([records.train, records.dev]))
        encoder = autoencoder.to(fabric.device).encoder.eval()
        partial = path.with_name(path.name + ".tmp")
        out = None
        for start in range(0, len(rows), _ENCODED):
            part = rows[start : start + _ENCODED]
            with fabric.autocast():
                mean = encoder(_last(records.images(part)).to(fabric.device)).chunk(2, dim=1)[0]
            if out is None:
                shape = (len(records.set), *mean.shape[1:])
                out = open_memmap(partial, "w+", dtype=np.float16, shape=shape)
            out[part] = mean.float().cpu().numpy()
            if progress is not None:
                progress((start + len(part)) / len(rows))
        assert out is not None
        out.flush()
        partial.replace(path)
    fabric.barrier()
    return np.load(path, mmap_mode="r")


def _normal(noise: Noise, stream: str, shape: tuple[int, ...]) -> torch.Tensor:
    return torch.from_numpy(noise.normal(stream, int(np.prod(shape)))).view(-1, *shape)


def _last(image: torch.Tensor) -> torch.Tensor:
    return image.contiguous(memory_format=torch.channels_last)
