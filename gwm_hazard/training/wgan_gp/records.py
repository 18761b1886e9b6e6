"""From a training set to what the networks of the WGAN-GP family take."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import resample_poly

from gwm_hazard.core.conditioning import distance_km
from gwm_hazard.errors import InputError
from gwm_hazard.models.wgan_gp.scaling import Scaling, Span
from gwm_hazard.models.wgan_gp.sizes import ConditionalSizes
from gwm_hazard.records.training_set import TrainingSet
from gwm_hazard.training.mixture import Mixture
from gwm_hazard.training.wgan_gp.config import WGANGPTraining

#: Records that are read at once to find their peaks.
_BLOCK = 512


class ScaledRecords:
    """The usable records of a training set: with all conditions, and motion on all components.

    Attributes
    ----------
    train, dev, test : rows; splits are by event
    scaling : spans of conditions and peaks, of the training records; published networks take those
        of all records, which lets what is held out into the model
    """

    def __init__(self, config: WGANGPTraining) -> None:
        self.sizes = config.sizes()
        self.conditional = isinstance(self.sizes, ConditionalSizes)
        data = config.data
        first = TrainingSet.open(data.folder)
        rate = data.sampling_rate_hz or getattr(self.sizes, "sampling_rate_hz", 1.0 / first.dt_s)
        self.every = round(1.0 / (first.dt_s * rate)) or 1
        if abs(rate * self.every * first.dt_s - 1.0) > 1e-6:
            raise InputError(
                f"{data.folder}: {1 / first.dt_s:g} Hz; expected {rate:g} Hz, or a multiple of it"
            )
        self.set = Mixture(
            (data.folder, data.observed), 3, self.sizes.samples * self.every, data.observed_repeat
        )
        self.dt_s = self.every * first.dt_s
        table = self.set.table
        names = config.data.conditions if self.conditional else ()
        for name in names:
            if name not in table:
                raise InputError(f"{data.folder}: its table has no column of {name!r}")
        if "rhypo" in names:
            table = table.assign(rhypo=distance_km(table, config.data.distance))
        self.columns = {name: table[name].to_numpy(dtype=float) for name in names}
        self.peaks = self._peaks()
        usable: NDArray[np.bool_] = np.asarray((self.peaks > 0).all(axis=1))
        for values in self.columns.values():
            usable &= np.isfinite(values)
        self.train, self.dev, self.test = (
            self.set.rows(split, usable, data.records) for split in ("train", "dev", "test")
        )
        if not len(self.train):
            raise InputError(f"{data.folder}: no usable records in the training split")
        self.scaling = self._scaling(config)

    def _peaks(self) -> NDArray[np.float64]:
        """Largest absolute value of each component within the network's samples, m/s2."""
        out = np.empty((len(self.set), 3))
        for start in range(0, len(self.set), _BLOCK):
            rows = np.arange(start, min(start + _BLOCK, len(self.set)))
            out[rows] = np.abs(self.acceleration(rows)).max(axis=2)
        return out

    def _scaling(self, config: WGANGPTraining) -> Scaling:
        if not self.conditional:
            return Scaling({}, None)
        spans = {}
        for name, values in self.columns.items():
            low, high = float(values[self.train].min()), float(values[self.train].max())
            if not low < high:
                raise InputError(f"{name} is {low:g} in all records: take it out of conditions")
            spans[name] = Span(low, high, name in config.data.log)
        logs = np.log10(self.peaks[self.train])
        return Scaling(spans, (float(logs.min()), float(logs.max())))

    def acceleration(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Waveforms (n, 3, samples), m/s2, at the rate of the network."""
        waves = self.set.acceleration(rows)
        if self.every == 1:
            return waves
        return np.asarray(resample_poly(waves, 1, self.every, axis=2), dtype=np.float32)

    def batch(self, rows: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Scaled waveforms (n, 3, samples), log-peaks (n, 3 or 0), conditions (n, conditions)."""
        wave, peaks = self.scaling.normalised(self.acceleration(rows).astype(np.float64))
        if self.conditional:
            condition = self.scaling.condition({k: v[rows] for k, v in self.columns.items()})
        else:
            condition = np.ones((len(rows), 1))
        peaks = np.empty((len(rows), 0)) if peaks is None else peaks
        made = (torch.from_numpy(a).float() for a in (wave, peaks, condition))
        return tuple(made)  # type: ignore[return-value]
