"""What a model says of the observed records: moments of ln IM, and one realization of each."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.core.noise import Noise
from gwm_hazard.errors import InputError


@dataclass(frozen=True)
class Prediction:
    """Distribution and draws of ln IM at the records, RotD50 in OpenQuake's units.

    Attributes
    ----------
    name : what the page calls it
    kind : "gwm", a generative waveform model, or "gmm", a ground-motion model
    imts : measures; the columns of what follows
    mean, tau, phi : (n, n_imts) of ln IM; NaN where the model gives none, or a record is outside.
        A model without a split has all of its sigma in ``phi`` and NaN in ``tau``
    draw : (n, n_imts) ln IM of one realization a record. A generative model: one drawn waveform,
        sites of an event sharing its between-event term. A GMM: sampled from mean, tau and phi
    outside : (n,) records outside the range of the model, or without a condition that it takes
    notes : where moments come from, what was converted, filled in and left out
    card : the card of a generative model; the class, its component and range of a GMM
    """

    name: str
    kind: str
    imts: tuple[str, ...]
    mean: NDArray[np.float64]
    tau: NDArray[np.float64]
    phi: NDArray[np.float64]
    draw: NDArray[np.float64]
    outside: NDArray[np.bool_]
    notes: list[str] = field(default_factory=list)
    card: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for values in (self.mean, self.tau, self.phi, self.draw):
            values[self.outside] = np.nan

    @property
    def sigma(self) -> NDArray[np.float64]:
        """Total standard deviation, (n, n_imts)."""
        return np.hypot(np.nan_to_num(self.tau, nan=0.0), self.phi)

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Records that the model can be held against, (n,)."""
        return ~self.outside

    def column(self, imt: str) -> int:
        """Column of a measure; ValueError where the model does not give it."""
        if imt not in self.imts:
            raise InputError(f"{self.name} gives no {imt}: it gives {', '.join(self.imts)}")
        return self.imts.index(imt)

    def gives(self, imt: str) -> bool:
        """Whether the model gives a measure at any record."""
        return imt in self.imts and bool(np.isfinite(self.mean[:, self.imts.index(imt)]).any())


def noise_of_records(table: pd.DataFrame, seed: int) -> Noise:
    """The noise key of each record: (seed, event, station, 0).

    Hashes of the names, so that a record keeps its draw whatever others are there. A second record
    of a station and event (a co-located instrument) has a key of its own.
    """
    station = table["station_id"].astype(str)
    twice = table.assign(station=station).duplicated(["event_id", "station"]).to_numpy()
    instrument = np.where(twice, station + "/" + table["record_id"].astype(str), station)
    event = [_hash(e, 8) for e in table["event_id"].astype(str)]
    site = [_hash(s, 4) % (2**32 - 2) for s in instrument]
    return Noise(seed, np.array(event, np.uint64), np.array(site, np.uint32), 0)


def _hash(text: str, size: int) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=size).digest(), "big")


def sample(
    mean: NDArray[np.float64],
    tau: NDArray[np.float64],
    phi: NDArray[np.float64],
    noise: Noise,
    imts: Sequence[str],
    correlation: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """One realization of ln IM a record from its moments, (n, n_imts).

    correlation : (n_imts, n_imts) between measures, of both terms; independent where None. NaN in
        ``tau`` stands for a model without a split: all of its variability is within events.
    """
    n = len(imts)
    root = np.eye(n) if correlation is None else np.linalg.cholesky(correlation)
    event, record = (
        np.hstack(
            [noise.normal(f"gmm {level} {imt}", 1, per_event=level == "event") for imt in imts]
        ).astype(np.float64)
        @ root.T
        for level in ("event", "record")
    )
    return mean + np.nan_to_num(tau, nan=0.0) * event + phi * record
