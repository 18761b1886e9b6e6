"""Confidence intervals by bootstrap over events: records of one earthquake are not independent."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Of confidence intervals.
LEVEL = 0.95


class EventBootstrap:
    """Resamples whole events with replacement (Efron and Tibshirani 1993, chapter 8).

    Statistics that are functions of sums over records need the sums of each event once; a
    resample is then a product with the numbers of times that each event was drawn.

    Parameters
    ----------
    event : (n,) int, event of each record, numbered from 0
    resamples : number of resamples
    seed : of the resampling
    """

    def __init__(self, event: NDArray[np.int64], resamples: int = 500, seed: int = 0) -> None:
        self.event = np.asarray(event)
        self.events = int(self.event.max()) + 1 if self.event.size else 0
        rng = np.random.default_rng(seed)
        self.times = rng.multinomial(
            self.events, np.full(self.events, 1.0 / max(self.events, 1)), size=resamples
        ).astype(np.float64)

    def sums(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sums over the records of each resample: (n, ...) -> (resamples, ...); NaN counts 0."""
        flat = np.nan_to_num(np.asarray(values, dtype=np.float64), nan=0.0)
        columns = flat.reshape(len(flat), -1)
        by_event = np.zeros((self.events, columns.shape[1]))
        np.add.at(by_event, self.event, columns)
        return (self.times @ by_event).reshape(len(self.times), *flat.shape[1:])

    def means(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Means over the finite values of each resample, (resamples, ...)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.sums(values) / self.sums(np.isfinite(values).astype(np.float64))

    def standard_deviations(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Standard deviations over the finite values of each resample, (resamples, ...)."""
        centred = values - np.nanmean(values, axis=0)
        mean = self.means(centred)
        return np.sqrt(np.maximum(self.means(centred**2) - mean**2, 0.0))


def interval(
    resampled: NDArray[np.float64], level: float = LEVEL
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Percentile interval of resampled statistics along the first axis: (low, high)."""
    tail = 50.0 * (1.0 - level)
    with np.errstate(invalid="ignore"):
        empty = np.isfinite(resampled).sum(axis=0) == 0
        safe = np.where(empty, 0.0, resampled)
        low, high = np.nanpercentile(safe, [tail, 100.0 - tail], axis=0)
    return np.where(empty, np.nan, low), np.where(empty, np.nan, high)
