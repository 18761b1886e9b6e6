"""Waveforms as an xarray.Dataset in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from gwm_hazard.core.units import ALL_CONDITIONS
from gwm_hazard.files.provenance import attributes

if TYPE_CHECKING:
    from gwm_hazard.core.card import ModelCard
    from gwm_hazard.core.scenario import Scenarios


def waveform_dataset(
    acceleration: NDArray[np.float32],
    npts: NDArray[np.int64],
    card: ModelCard,
    dt_s: float,
    scenarios: Scenarios,
    *,
    seed: int,
) -> xr.Dataset:
    """Wrap drawn waveforms with their conditions, units and provenance.

    Parameters
    ----------
    acceleration : (n_scenarios, n_realizations, n_components, n_samples) float32, m/s2
    npts : (n_scenarios,) int
        True length of each scenario's records; later samples are zero.
    """
    dataset = xr.Dataset(
        {
            "acceleration": (
                ("scenario", "realization", "component", "time"),
                acceleration,
                {"units": "m/s2", "long_name": "ground acceleration"},
            )
        },
        coords={
            "scenario": np.arange(acceleration.shape[0]),
            "realization": np.arange(acceleration.shape[1]),
            "component": list(card.components),
            "time": ("time", np.arange(acceleration.shape[3]) * dt_s, {"units": "s"}),
            "npts": ("scenario", npts, {"long_name": "samples of the record"}),
            **{
                name: (
                    "scenario",
                    scenarios[name],
                    {
                        "units": ALL_CONDITIONS[name].unit,
                        "long_name": ALL_CONDITIONS[name].description,
                    },
                )
                for name in scenarios
            },
        },
        attrs=attributes(card) | {"seed": str(seed), "dt_s": dt_s},
    )
    for name in card.condition_names:
        if (source := scenarios.stands_in(name)) is not None:
            dataset.attrs[f"{name}_taken_from"] = source
    return dataset
