"""Noise of an ensemble: draws shared between events and sites, matched in their moments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.core.noise import Noise
from gwm_hazard.errors import InputError

#: Numbers a draw that are matched, at most, as a share of the events: nearer to 1 the matching
#: would bend the numbers too far from independent normals.
MATCHED_SHARE = 0.7


#: Sites that share an event of the ensemble: the least that separates tau from phi.
SITES_PER_EVENT = 2


@dataclass
class Ensemble:
    """Common random numbers for all scenarios: ``realizations`` draws in events of two sites.

    Short streams of noise (event and record terms) are moment-matched over the ensemble: their
    sample means are exactly 0 and their sample covariance, between events and between the two
    sites of an event, exactly the identity (second-order moment matching; Glasserman 2004,
    *Monte Carlo Methods in Financial Engineering*, section 4.5). For a model whose ln IM is
    close to linear in such terms this takes most of the sampling error out of mean, tau and
    phi. Long streams (waveform noise) stay plain.
    """

    realizations: int
    seed: int
    _matched: dict[tuple[str, int, bool], NDArray[np.float32] | None] = field(default_factory=dict)
    _basis: list[NDArray[np.float64]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.realizations < 4 or self.realizations % SITES_PER_EVENT:
            raise InputError(
                f"realizations = {self.realizations}: must be an even number, at least 4"
            )
        self.events = self.realizations // SITES_PER_EVENT
        self.noise = Noise(
            self.seed,
            np.repeat(np.arange(self.events), SITES_PER_EVENT),
            np.tile(np.arange(SITES_PER_EVENT), self.events),
            0,
        )

    def matched(self, stream: str, size: int, per_event: bool) -> NDArray[np.float32] | None:
        """The stream over the whole ensemble, (realizations, size), or None if left plain."""
        key = (stream, size, per_event)
        if key not in self._matched:
            self._matched[key] = self._match(stream, size, per_event)
        return self._matched[key]

    def _match(self, stream: str, size: int, per_event: bool) -> NDArray[np.float32] | None:
        width = size if per_event else size * SITES_PER_EVENT
        used = sum(b.shape[1] for b in self._basis)
        if used + width > MATCHED_SHARE * self.events:
            return None
        raw = self.noise.normal(stream, size, per_event=per_event).astype(np.float64)
        rows = raw[::SITES_PER_EVENT] if per_event else raw.reshape(self.events, width)
        rows = rows - rows.mean(axis=0)
        for basis in self._basis:  # uncorrelated with the streams that came before
            rows = rows - basis @ (basis.T @ rows) / self.events
        # Symmetric whitening moves the numbers least.
        values, vectors = np.linalg.eigh(rows.T @ rows / self.events)
        rows = rows @ (vectors / np.sqrt(values)) @ vectors.T
        self._basis.append(rows)
        full = np.repeat(rows, SITES_PER_EVENT, axis=0) if per_event else rows.reshape(-1, size)
        return full.astype(np.float32)

    def tile(self, scenarios: int) -> _EnsembleNoise:
        """The whole ensemble for each of ``scenarios`` scenarios in succession."""
        return self.of_rows(np.tile(np.arange(self.realizations), scenarios))

    def of_rows(self, rows: NDArray[np.int64]) -> _EnsembleNoise:
        """Some rows of the ensemble."""
        base = self.noise.take(rows)
        return _EnsembleNoise(base.seed, base.event, base.site, base.realization, self, rows)


@dataclass(frozen=True)
class _EnsembleNoise(Noise):
    """Rows of an ensemble, with the interface of :class:`Noise`."""

    ensemble: Ensemble
    rows: NDArray[np.int64]

    def take(self, rows: Any) -> _EnsembleNoise:
        return self.ensemble.of_rows(self.rows[rows])

    def normal(self, stream: str, size: int, *, per_event: bool = False) -> NDArray[np.float32]:
        matched = self.ensemble.matched(stream, size, per_event)
        if matched is None:
            return super().normal(stream, size, per_event=per_event)
        return matched[self.rows]
