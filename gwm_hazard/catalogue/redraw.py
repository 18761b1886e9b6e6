"""Waveforms of a catalogue of keys: drawn again from seed, keys and conditions when they are read.

Bit for bit those that were drawn first, on the same kind of device with the same software; the
first record that is drawn is measured and compared with the file, so that a model that changed
under the same version is found.
"""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core import indexing

from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.core.spatial.noise import SpatialNoise
from gwm_hazard.core.units import ALL_CONDITIONS
from gwm_hazard.errors import CatalogueError, ModelError
from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.models.devices import available
from gwm_hazard.models.registry import model_from_card

KEYS = ("event", "site", "realization")
#: Where the site of a record is, of which its noise is a function where it is correlated in space.
PLACE = ("lon", "lat")

#: Largest relative difference between a stored measure and that of the waveform drawn again:
#: wide enough for another device, far narrower than any change of a model.
TOLERANCE = 1e-3


def drawn_acceleration(dataset: xr.Dataset, path: Path, device: str | None) -> xr.Variable:
    """``acceleration (record, component, time)`` float32 m/s2, drawn when it is indexed."""
    array = indexing.LazilyIndexedArray(DrawnArray(dataset, path, device))
    return xr.Variable(
        ("record", "component", "time"),
        array,
        {"units": "m/s2", "long_name": "ground acceleration, drawn from its key"},
    )


class DrawnArray(BackendArray):
    """The array behind ``acceleration``: (records, components, samples), float32."""

    def __init__(self, dataset: xr.Dataset, path: Path, device: str | None) -> None:
        self._path = path
        self._device = device
        self._attrs = dict(dataset.attrs)
        self._columns = {
            name: dataset[name].variable
            for name in (*KEYS, *PLACE, *ALL_CONDITIONS)
            if name in dataset.coords
        }
        self._measures = {str(name): dataset[name].variable for name in dataset.data_vars}
        self.shape = tuple(dataset.sizes.get(d, 0) for d in ("record", "component", "time"))
        self.dtype = np.dtype(np.float32)
        self._checked = False

    @cached_property
    def _model(self) -> WaveformModel:
        card = json.loads(self._attrs["model_card"])
        wanted = self._device or available(self._attrs.get("device", "cpu"))
        try:
            model = model_from_card(card, wanted)
        except ModelError as exc:
            raise CatalogueError(f"{self._path}: its waveforms cannot be drawn: {exc}") from exc
        found = json.loads(json.dumps(model.card.to_dict()))
        different = sorted(k for k in card | found if card.get(k) != found.get(k))
        if different:
            name = "version" if "version" in different else different[0]
            raise CatalogueError(
                f"{self._path}: made with model {card['name']!r} of {name} {card.get(name)!r}, "
                f"installed is {found.get(name)!r}: other waveforms would be drawn; install "
                f"gwm_hazard {self._software('gwm_hazard')}, or make the catalogue again"
            )
        return model

    def _software(self, name: str) -> str:
        return str(json.loads(self._attrs.get("software", "{}")).get(name, "as then"))

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(
            key, self.shape, indexing.IndexingSupport.OUTER, self._draw
        )

    def _draw(self, key: tuple[Any, ...]) -> NDArray[np.float32]:
        record, component, time = key
        one = isinstance(record, int | np.integer)
        wanted = np.atleast_1d(np.arange(self.shape[0])[record])
        index = slice(int(wanted[0]), int(wanted[0]) + 1) if one else wanted
        columns = {name: v[index].values for name, v in self._columns.items()}
        noise = Noise(int(self._attrs["seed"]), *(columns.pop(name) for name in KEYS))
        lon, lat = (columns.pop(name, np.nan) for name in PLACE)
        correlation = str(self._attrs.get("spatial_correlation", "none"))
        if correlation != "none":
            coherency = str(self._attrs.get("coherency", "none"))
            of_model = self._model.spatial_correlation(correlation, coherency)
            noise = SpatialNoise.of(noise, lon, lat, of_model)
        scenarios = Scenarios(**{k: v.astype(np.float64) for k, v in columns.items()})
        sample = np.zeros((1, *self.shape[1:]), dtype=np.float32)[:, component][..., time]
        out = np.zeros((len(wanted), *sample.shape[1:]), dtype=np.float32)
        for rows, drawn in self._model.batches(scenarios, noise):
            if not self._checked:
                self._check(int(wanted[rows[0]]), drawn[:1])
            padded = np.zeros((len(rows), *self.shape[1:]), dtype=np.float32)
            padded[:, :, : drawn.shape[2]] = drawn
            out[rows] = padded[:, component][..., time]
        return out[0] if one else out

    def _check(self, record: int, drawn: NDArray[np.float32]) -> None:
        """Compare the measures of one record with the file's."""
        names = list(self._measures)
        # All measures of a file are of one component; files of before say nothing of another.
        component = self._measures[names[0]].attrs.get("component", "RotD50") if names else "RotD50"
        measured = intensity_measures_array(drawn, self._model.dt_s, names, component)[0]
        stored = np.array([float(self._measures[name][record].values) for name in names])
        wrong = ~np.isclose(measured, stored, rtol=TOLERANCE, atol=0.0, equal_nan=True)
        if wrong.any():
            i = int(np.argmax(wrong))
            raise CatalogueError(
                f"{self._path}: record {record} drawn again has {names[i]} {measured[i]:.6g}, the "
                f"file says {stored[i]:.6g}: the model {self._model.card.name!r} has changed under "
                "the same version; make the catalogue again"
            )
        self._checked = True
