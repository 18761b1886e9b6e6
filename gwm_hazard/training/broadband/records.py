"""From records to pairs: a low band, strictly limited, and what was above it."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import ndtr

from gwm_hazard.core.conditioning import distance_km
from gwm_hazard.core.noise import Noise
from gwm_hazard.errors import InputError
from gwm_hazard.models.broadband.forms import condition_of
from gwm_hazard.models.broadband.level import grid_hz, low_grid_hz
from gwm_hazard.models.broadband.model import GUARD, peak
from gwm_hazard.models.broadband.splice import high_mask, low_mask
from gwm_hazard.records.training_set import TrainingSet
from gwm_hazard.representation.level import ln_amplitude

Array = NDArray[np.float64]

#: Of a site whose Vs30 is not known.
USUAL_VS30 = 400.0
#: Records measured at once.
_BLOCK = 64


class PairedRecords:
    """Records of one training set as pairs of low and high band.

    Nothing of a record but its low band enters the input: its window is where it is in the set,
    shifted by chance, its scale that of the low band.

    Attributes
    ----------
    train, dev, test : rows with a magnitude and a distance
    mag, distance_km, vs30 : (rows,), NaN where not known
    """

    def __init__(
        self, folder: str, crossovers_hz: tuple[float, ...], shift_s: float = 0.0, records: int = 0
    ) -> None:
        self.set = TrainingSet.open(folder)
        if len(self.set.components) != 3:
            raise InputError(f"{folder}: {len(self.set.components)} components; expected three")
        self.crossovers_hz, self.dt_s = crossovers_hz, self.set.dt_s
        if not max(crossovers_hz) <= 0.05 / self.dt_s:
            raise InputError(
                f"{folder}: {1 / self.dt_s:g} Hz is too coarse for a crossover of "
                f"{max(crossovers_hz):g} Hz"
            )
        self.shift = round(shift_s / self.dt_s)
        table = self.set.table
        self.mag = table["mag"].to_numpy(dtype=float)
        self.distance_km = distance_km(table, "effective")
        self.vs30 = table["vs30"].to_numpy(dtype=float)
        self.event = table["event_id"].to_numpy(dtype=str)
        usable = np.isfinite(self.mag + self.distance_km)
        rows = {s: self.set.rows(s) for s in ("train", "dev", "test")}
        self.train, self.dev, self.test = (r[usable[r]] for r in rows.values())
        if records:
            self.train = self.train[:records]
        if not len(self.train):
            raise InputError(f"{folder}: no usable records in the training split")

    def bands(self, motion: Array, fc_hz: Array) -> tuple[Array, Array]:
        """Low and high band of motions (n, 3, nt), each at its crossover."""
        nt = motion.shape[2]
        spectrum = np.fft.rfft(motion, 2 * nt)
        frequency = np.fft.rfftfreq(2 * nt, self.dt_s)
        low = np.stack([low_mask(frequency, fc) for fc in fc_hz])[:, None]
        high = np.stack([high_mask(frequency, fc) for fc in fc_hz])[:, None]
        made = (np.fft.irfft(spectrum * mask, 2 * nt)[..., :nt] for mask in (low, high))
        return tuple(made)  # type: ignore[return-value]

    def batch(self, rows: NDArray[np.int64], noise: Noise) -> tuple[torch.Tensor, ...]:
        """Low band over its peak and high band over the same (n, 3, nt), condition, components.

        A record is turned about the vertical and shifted in time by chance; the last tensor (n, 3)
        is 0 for a component that it does not have.
        """
        u = ndtr(noise.normal("pairs", 3).astype(np.float64))
        fc_hz = np.array(self.crossovers_hz)[(u[:, 0] * len(self.crossovers_hz)).astype(int)]
        motion = turned(self.set.waveforms(rows).astype(np.float64), 2 * np.pi * u[:, 1])
        motion = shifted(motion, np.round((2 * u[:, 2] - 1) * self.shift).astype(int))
        there = np.abs(motion).max(axis=2) > 0
        low, high = self.bands(motion, fc_hz)
        scale = np.maximum(peak(low), 1e-12)
        guard = noise.normal("guard", low[0].size).reshape(low.shape)
        seen = low / scale[:, None, None] + GUARD * guard * there[:, :, None]
        vs30 = np.where(np.isfinite(self.vs30[rows]), self.vs30[rows], USUAL_VS30)
        condition = condition_of(self.mag[rows], self.distance_km[rows], vs30, scale, fc_hz)
        made = (seen, high / scale[:, None, None], there)
        first, second, third = (torch.from_numpy(a.astype(np.float32)) for a in made)
        return first, second, condition, third

    def levels(self, rows: NDArray[np.int64], fc_hz: float) -> tuple[Array, Array]:
        """ln amplitudes of low band (n, 3, 3) and of the record on the level's grid (n, 3, ...)."""
        low_all, level_all = [], []
        for start in range(0, len(rows), _BLOCK):
            motion = self.set.waveforms(rows[start : start + _BLOCK]).astype(np.float64)
            low, _ = self.bands(motion, np.full(len(motion), fc_hz))
            low_all.append(ln_amplitude(low, self.dt_s, low_grid_hz(fc_hz)))
            level_all.append(ln_amplitude(motion, self.dt_s, grid_hz(fc_hz)))
        return np.concatenate(low_all), np.concatenate(level_all)


class FlowPairs:
    """Pairs, with the share of the way and the noise of a flow."""

    def __init__(self, pairs: PairedRecords, channels: int) -> None:
        self.pairs, self.channels = pairs, channels
        self.train, self.dev = pairs.train, pairs.dev

    def batch(self, rows: NDArray[np.int64], noise: Noise) -> tuple[torch.Tensor, ...]:
        """Those of :meth:`PairedRecords.batch`, share (n,), noise (n, tokens, channels)."""
        from gwm_hazard.models.broadband.envelope import tokens

        low, high, condition, there = self.pairs.batch(rows, noise)
        length = tokens(low.shape[2])
        share = torch.from_numpy(ndtr(noise.normal("share", 1)[:, 0]).astype(np.float32))
        start = torch.from_numpy(noise.normal("start", length * self.channels))
        return low, high, condition, there, share, start.view(-1, length, self.channels)


def turned(motion: Array, angle: Array) -> Array:
    """Motions (n, 3, nt) about the vertical by angles (n,), rad."""
    c, s = np.cos(angle)[:, None], np.sin(angle)[:, None]
    first, second = motion[:, 0], motion[:, 1]
    return np.stack([c * first + s * second, c * second - s * first, motion[:, 2]], axis=1)


def shifted(motion: Array, samples: NDArray[np.int64]) -> Array:
    """Motions (n, 3, nt) later by samples (n,), zeros where nothing is known."""
    out = np.zeros_like(motion)
    nt = motion.shape[2]
    for i, by in enumerate(samples):
        if by >= 0:
            out[i, :, by:] = motion[i, :, : nt - by]
        else:
            out[i, :, :by] = motion[i, :, -by:]
    return out
