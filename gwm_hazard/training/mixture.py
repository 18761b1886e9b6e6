"""Training sets that are read as one: simulated records, and observed ones among them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.errors import InputError
from gwm_hazard.records.training_set import TrainingSet


class Mixture:
    """Records of one or two training sets; rows of the second follow those of the first.

    Parameters
    ----------
    folders : of the sets; an empty second one is left out
    components, samples : what the network takes: the first so many of each set
    repeat : how often training records of the second set occur

    Attributes
    ----------
    sets : as they lie on the disk
    first : row of the first record of each set, and the number of all
    dt_s : time step, s

    Raises
    ------
    InputError
        Sets with fewer components or samples, or of two sampling rates.
    """

    def __init__(
        self, folders: Sequence[str], components: int, samples: int, repeat: int = 1
    ) -> None:
        self.components, self.samples, self.repeat = components, samples, repeat
        names = [f for f in folders if f]
        self.sets = [TrainingSet.open(f) for f in names]
        self.dt_s = self.sets[0].dt_s
        self.first = np.cumsum([0] + [len(s) for s in self.sets])
        for folder, found in zip(names, self.sets, strict=True):
            if len(found.components) < components:
                raise InputError(
                    f"{folder}: {len(found.components)} components; the network is of {components}"
                )
            if found.npts < samples:
                raise InputError(
                    f"{folder}: records of {found.npts} samples; the network is of {samples}"
                )
            if abs(found.dt_s - self.dt_s) > 1e-9:
                raise InputError(
                    f"{folder}: {1 / found.dt_s:g} Hz, the first set {1 / self.dt_s:g} Hz"
                )

    def __len__(self) -> int:
        return int(self.first[-1])

    @property
    def table(self) -> pd.DataFrame:
        """A row a record, under our names."""
        return pd.concat([s.table for s in self.sets], ignore_index=True)

    def rows(self, split: str, usable: NDArray[np.bool_], most: int = 0) -> NDArray[np.int64]:
        """The usable ones of a split; of the first set's training records ``most``, 0 for all."""
        found = []
        for number, each in enumerate(self.sets):
            here = each.rows(split) + self.first[number]
            here = here[usable[here]]
            if split == "train":
                here = np.tile(here, self.repeat) if number else here[: most or None]
            found.append(here)
        return np.concatenate(found)

    def acceleration(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Waveforms (n, components, samples), m/s2."""
        out = np.empty((len(rows), self.components, self.samples), dtype=np.float32)
        for number, found in enumerate(self.sets):
            here = (rows >= self.first[number]) & (rows < self.first[number + 1])
            waves = found.waveforms(rows[here] - self.first[number])
            out[here] = waves[:, : self.components, : self.samples]
        return out


def magnitudes(
    table: pd.DataFrame, rows: NDArray[np.int64]
) -> dict[str, tuple[float, float]] | None:
    """Range on the card of a model of shapes: of the magnitudes that it has seen."""
    values = table["mag"].to_numpy(dtype=float)[rows] if "mag" in table else np.array([np.nan])
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return {"mag": (low, high)} if low < high else None
