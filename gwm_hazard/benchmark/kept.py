"""Waveforms that the benchmark kept, beside the records they stand for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.benchmark.predictions import noise_of_records
from gwm_hazard.records.observations import Observations


class KeptWaveforms(NamedTuple):
    """Waveforms drawn for some records: one each.

    rows : (n,) into the observations
    acceleration : (n, n_components, nt) float32 m/s2, horizontals first, zero after ``npts``
    npts : (n,) samples of each
    dt_s : time step, s
    """

    rows: NDArray[np.int64]
    acceleration: NDArray[np.float32]
    npts: NDArray[np.int64]
    dt_s: float


def kept_rows(observations: Observations, rows: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Of ``rows``, those whose drawn waveforms are kept: with observed waveforms first, then by a
    hash of the event and station, so that more records move few of the others."""
    order = noise_of_records(observations.table, 0)
    first = observations.with_waveforms[rows]
    rank = (order.event ^ (order.site.astype(np.uint64) << np.uint64(16)))[rows]
    chosen = np.lexsort((rank, ~first))[:most]
    return np.sort(rows[chosen])


def stored(work: Path, name: str, dt_s: float) -> Iterator[KeptWaveforms]:
    """The waveforms that :func:`predict` kept of a model, chunk by chunk, read lazily."""
    for path in sorted((work / "draws" / name).glob("chunk-*.npz")):
        with np.load(path) as held:
            rows, npts = held["kept"], held["npts"]
        if len(rows):
            waves = np.load(path.with_suffix(".npy"), mmap_mode="r")
            yield KeptWaveforms(rows, np.asarray(waves), npts, dt_s)
