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
from gwm_hazard.records.training_set import TrainingSet
from gwm_hazard.training.cvae_gan.config import CVAEGANTraining

#: Records measured at once.
_BLOCK = 512
#: Keys of looks at the dev split lie above.
LOOK = 2**62


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
        folders = [f for f in (config.data.folder, config.data.observed) if f]
        self.sets = [TrainingSet.open(f) for f in folders]
        for folder, found in zip(folders, self.sets, strict=True):
            self._check(folder, found)
        self.dt_s = self.sets[0].dt_s
        self.first = np.cumsum([0] + [len(s) for s in self.sets])
        self.ln_sa, self.ln_duration = self._measured(cache)
        usable = np.isfinite(self.ln_sa).all(axis=1) & np.isfinite(self.ln_duration)
        self.distance_km = np.zeros(len(usable))
        if self.form.distance:
            self.distance_km = np.concatenate([_distance(s.table) for s in self.sets])
            usable &= np.isfinite(self.distance_km)
        parts: dict[str, list[NDArray[np.int64]]] = {"train": [], "dev": [], "test": []}
        for number, found in enumerate(self.sets):
            for split, rows in parts.items():
                here = found.rows(split) + self.first[number]
                here = here[usable[here]]
                if split == "train":
                    here = here[: config.data.records or None] if number == 0 else here
                    here = np.tile(here, 1 if number == 0 else config.data.observed_repeat)
                rows.append(here)
        self.train, self.dev, self.test = (np.concatenate(rows) for rows in parts.values())
        if not len(self.train):
            raise InputError(f"{folders[0]}: no usable records in the training split")

    def _check(self, folder: str, found: TrainingSet) -> None:
        sizes = self.sizes
        if len(found.components) < sizes.components:
            raise InputError(
                f"{folder}: {len(found.components)} components; the network is of "
                f"{sizes.components}"
            )
        if found.npts < sizes.samples:
            raise InputError(
                f"{folder}: records of {found.npts} samples; the network is of {sizes.samples}"
            )
        if abs(found.dt_s - self.sets[0].dt_s) > 1e-9:
            raise InputError(
                f"{folder}: {1 / found.dt_s:g} Hz, the first set {1 / self.sets[0].dt_s:g} Hz"
            )

    def acceleration(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Waveforms (n, components, samples), m/s2."""
        shape = (len(rows), self.sizes.components, self.sizes.samples)
        out = np.empty(shape, dtype=np.float32)
        for number, found in enumerate(self.sets):
            here = (rows >= self.first[number]) & (rows < self.first[number + 1])
            waves = found.waveforms(rows[here] - self.first[number])
            out[here] = waves[:, : shape[1], : shape[2]]
        return out

    def _measured(self, cache: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """ln SA and ln D5-95 of all rows, kept in a file."""
        if cache.is_file():
            with np.load(cache, allow_pickle=False) as file:
                return file["ln_sa"], file["ln_duration"]
        total = int(self.first[-1])
        ln_sa = np.empty((total, self.sizes.ordinates))
        ln_duration = np.empty(total)
        component = "H1" if self.sizes.components == 1 else "RotD50"
        for start in range(0, total, _BLOCK):
            rows = np.arange(start, min(start + _BLOCK, total))
            acceleration = self.acceleration(rows)
            ln_sa[rows] = self.form.ln_sa(acceleration, self.dt_s, self.sizes.ordinates)
            found = intensity_measures_array(acceleration, self.dt_s, ["RSD595"], component)
            with np.errstate(divide="ignore", invalid="ignore"):
                ln_duration[rows] = np.log(found[:, 0])
        with replacing(cache) as temporary, temporary.open("wb") as file:
            np.savez(file, ln_sa=ln_sa, ln_duration=ln_duration)
        return ln_sa, ln_duration

    def batch(self, rows: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
        """Normalised waveforms (n, components, samples) and conditions (n, condition)."""
        acceleration = self.acceleration(rows)
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
        table = self.sets[0].table
        for name in names:
            if name not in table:
                raise InputError(f"{config.data.folder}: its table has no column of {name!r}")
        rows = self.train[self.train < self.first[1]]
        columns = {k: table[k].to_numpy(dtype=float)[rows] for k in names}
        known = np.isfinite(np.stack(list(columns.values()))).all(axis=0)
        values = np.concatenate([self.ln_sa, self.ln_duration[:, None]], axis=1)[rows][known]
        return ScenarioSpectra.fit({k: v[known] for k, v in columns.items()}, values)

    def ranges(self, config: CVAEGANTraining) -> dict[str, tuple[float, float]]:
        """Range of each condition over the training records of the first set."""
        table = self.sets[0].table.iloc[self.train[self.train < self.first[1]]]
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
