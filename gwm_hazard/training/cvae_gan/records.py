"""From training sets to what the networks take: normalised waveforms and their conditions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from gwm_hazard.core.noise import Noise
from gwm_hazard.errors import InputError
from gwm_hazard.files.atomic import replacing
from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.models.cvae_gan.scenario import ScenarioSpectra
from gwm_hazard.training.cvae_gan.config import CVAEGANTraining
from gwm_hazard.training.mixture import Mixture

#: Records measured at once.
_BLOCK = 512


class SpectralRecords:
    """Records of one or two training sets, their spectra and durations.

    Attributes
    ----------
    train, dev, test : rows, those of the second set after those of the first; training records of
        the second set occur as often as the configuration says
    ln_sa, ln_duration : (rows, ordinates) ln m/s2, (rows,) ln s
    distance_km : (rows,), hypocentral, or the closest one where that is not known
    """

    def __init__(self, config: CVAEGANTraining, cache: Path) -> None:
        self.sizes, self.form = config.network.sizes(), config.network.form()
        sizes = self.sizes
        self.records = Mixture(
            (config.data.folder, config.data.observed), sizes.components, sizes.samples,
            config.data.observed_repeat,
        )  # fmt: skip
        self.dt_s = self.records.dt_s
        self.ln_sa, self.ln_duration = self._measured(cache)
        usable = np.isfinite(self.ln_sa).all(axis=1) & np.isfinite(self.ln_duration)
        self.distance_km = np.zeros(len(usable))
        if self.form.distance:
            self.distance_km = _distance(self.records.table)
            usable &= np.isfinite(self.distance_km)
        self.train, self.dev, self.test = (
            self.records.rows(split, usable, config.data.records)
            for split in ("train", "dev", "test")
        )
        if not len(self.train):
            raise InputError(f"{config.data.folder}: no usable records in the training split")

    def _measured(self, cache: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """ln SA and ln D5-95 of all rows, kept in a file."""
        if cache.is_file():
            with np.load(cache, allow_pickle=False) as file:
                return file["ln_sa"], file["ln_duration"]
        total = len(self.records)
        ln_sa = np.empty((total, self.sizes.ordinates))
        ln_duration = np.empty(total)
        component = "H1" if self.sizes.components == 1 else "RotD50"
        for start in range(0, total, _BLOCK):
            rows = np.arange(start, min(start + _BLOCK, total))
            acceleration = self.records.acceleration(rows)
            ln_sa[rows] = self.form.ln_sa(acceleration, self.dt_s, self.sizes.ordinates)
            found = intensity_measures_array(acceleration, self.dt_s, ["RSD595"], component)
            with np.errstate(divide="ignore", invalid="ignore"):
                ln_duration[rows] = np.log(found[:, 0])
        with replacing(cache) as temporary, temporary.open("wb") as file:
            np.savez(file, ln_sa=ln_sa, ln_duration=ln_duration)
        return ln_sa, ln_duration

    def batch(self, rows: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
        """Normalised waveforms (n, components, samples) and conditions (n, condition)."""
        acceleration = self.records.acceleration(rows)
        scale = self.form.scale(self.ln_sa[rows], acceleration)
        condition = self.form.condition(
            self.ln_sa[rows], self.ln_duration[rows], self.distance_km[rows]
        )
        return torch.from_numpy(acceleration / scale[:, None, None]), torch.from_numpy(condition)

    def scenario(self, config: CVAEGANTraining) -> ScenarioSpectra | None:
        """Spectra and durations of scenarios, of the training records of the first set."""
        names = config.data.conditions
        if not names:
            return None
        table = self.records.sets[0].table
        for name in names:
            if name not in table:
                raise InputError(f"{config.data.folder}: its table has no column of {name!r}")
        rows = self.train[self.train < self.records.first[1]]
        columns = {k: table[k].to_numpy(dtype=float)[rows] for k in names}
        known = np.isfinite(np.stack(list(columns.values()))).all(axis=0)
        values = np.concatenate([self.ln_sa, self.ln_duration[:, None]], axis=1)[rows][known]
        return ScenarioSpectra.fit({k: v[known] for k, v in columns.items()}, values)

    def ranges(self, config: CVAEGANTraining) -> dict[str, tuple[float, float]]:
        """Range of each condition over the training records of the first set."""
        table = self.records.sets[0].table.iloc[self.train[self.train < self.records.first[1]]]
        names = config.data.conditions or ("mag",)
        made = {}
        for name in names:
            values = table[name].to_numpy(dtype=float)
            made[name] = float(np.nanmin(values)), float(np.nanmax(values))
            if not made[name][0] < made[name][1]:
                raise InputError(
                    f"{name} is {made[name][0]:g} in all records: take it out of data.conditions"
                )
        return made


def _distance(table: pd.DataFrame) -> NDArray[np.float64]:
    found = pd.Series(np.nan, index=table.index)
    for name in ("rhypo", "rrup"):
        if name in table:
            found = found.fillna(table[name].astype(float))
    return np.asarray(found, dtype=np.float64)


def normals(noise: Noise, stream: str, size: int) -> torch.Tensor:
    """Standard normals, (n, size)."""
    return torch.from_numpy(noise.normal(stream, size))
