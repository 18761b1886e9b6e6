"""Catalogues of drawn scenarios: what ``gwm-hazard generate`` writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from gwm_hazard.catalogue.stream import Block, Plan, write_catalogue
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.errors import InputError
from gwm_hazard.models.base import Rows, WaveformModel


def write_generated(
    path: str | Path,
    model: WaveformModel,
    scenarios: Scenarios,
    n: int = 1,
    seed: int = 0,
    *,
    store: str = "waveforms",
    imts: tuple[str, ...] = (),
    labels: Mapping[str, Sequence[str]] | None = None,
    beside: Mapping[str, Rows] | None = None,
    progress: Callable[[float], None] | None = None,
) -> Path:
    """Write ``n`` realizations of each scenario, the waveforms of ``model.generate``, in a stream.

    Parameters
    ----------
    path : file to write, see :func:`gwm_hazard.catalogue.stream.write_catalogue`
    scenarios : m rows, the conditions named on the card; record ``i * n + k`` is realization k of
        scenario i, and ``event`` is i
    store : "waveforms" or "keys"
    imts : measures of each record
    labels : further coordinates: a text a scenario, by name
    beside : what the model takes beside conditions, a row a scenario (``low_frequency`` ...)

    Raises
    ------
    InputError
        n below 1, a missing condition, or a scenario outside the ranges on the card.
    """
    if n < 1:
        raise InputError(f"n = {n}: give at least 1 realization")
    model.card.check(scenarios)
    Noise(seed, 0, 0, 0)  # refuses a seed before anything is written
    texts = {name: np.asarray(values, dtype=object) for name, values in (labels or {}).items()}

    def block(start: int, stop: int) -> Block:
        records = np.arange(start, stop)
        noise = Noise(seed, records // n, 0, records % n)
        rows = records // n
        return Block(
            scenarios.take(rows),
            noise,
            {name: values[rows] for name, values in texts.items()},
            beside={name: values.take(rows) for name, values in (beside or {}).items()},
        )

    taken = {
        f"{name}_taken_from": source
        for name in model.card.condition_names
        if (source := scenarios.stands_in(name)) is not None
    }
    extra: dict[str, dict[str, str]] = {name: {} for name in texts}
    plan = Plan(model, len(scenarios) * n, block, seed, imts, store, extra, taken)
    return write_catalogue(path, plan, progress=progress)
