"""From a training set to the images that StyleGAN-EQ learns."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from gwm_hazard.errors import InputError
from gwm_hazard.records.training_set import TrainingSet
from gwm_hazard.representation.linear_spectrogram import at_50_hz, images
from gwm_hazard.training.stylegan_eq.config import Data

#: Records that are read at once to find those that move, and grey levels of published images.
_BLOCK, _LEVELS = 512, 255


class ImageRecords:
    """Components of the records of a training set, each by itself.

    Attributes
    ----------
    set : TrainingSet
    train, dev, test : places, (row of the set) * components + component; splits are by event
    """

    def __init__(self, data: Data) -> None:
        self.set = TrainingSet.open(data.folder)
        if not 1 <= data.components <= len(self.set.components):
            raise InputError(
                f"{data.folder}: components = {data.components}: the records have "
                f"{len(self.set.components)}"
            )
        self.components = data.components
        moving = self._moving()
        self.train, self.dev, self.test = (
            self._places(split, moving, most)
            for split, most in (("train", data.records), ("dev", 0), ("test", 0))
        )
        if not len(self.train):
            raise InputError(f"{data.folder}: no records that move in the training split")

    def _moving(self) -> NDArray[np.bool_]:
        """Which components are not 0 throughout, (records, components)."""
        found = [
            self.set.waveforms(rows)[:, : self.components].any(axis=2)
            for rows in np.array_split(np.arange(len(self.set)), len(self.set) // _BLOCK + 1)
        ]
        return np.concatenate(found)

    def _places(self, split: str, moving: NDArray[np.bool_], most: int) -> NDArray[np.int64]:
        rows = self.set.rows(split)[: most or None]
        every = rows[:, None] * self.components + np.arange(self.components)
        return every[moving[rows]]

    def rows(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of the set."""
        return places // self.components

    def records(self, places: NDArray[np.int64]) -> NDArray[np.float64]:
        """Each over its peak, (n, 8000) at 50 Hz."""
        waves = self.set.waveforms(self.rows(places))
        made = at_50_hz(waves[np.arange(len(places)), places % self.components], 1 / self.set.dt_s)
        return made / np.abs(made).max(axis=1, keepdims=True)

    def batch(self, places: NDArray[np.int64]) -> tuple[torch.Tensor]:
        """Images (n, 1, 128, 128) from -1 to 1, in the steps of the published ones."""
        image = np.floor(images(self.records(places)) * _LEVELS) / _LEVELS
        return (torch.from_numpy(2.0 * image - 1.0).float()[:, None],)
