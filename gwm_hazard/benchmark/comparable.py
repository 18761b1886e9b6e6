"""Observed and drawn waveforms side by side: one time step, blocks of bounded memory, bins.

What waveforms show is compared on the records that have both, and each misfit stands beside the
same misfit between disjoint halves of the observations: 1 means that a model is as far from the
observations as those are from themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.benchmark.metrics.envelope import moment_misfit, moments
from gwm_hazard.benchmark.section import Skipped
from gwm_hazard.records.waveform_source import resample
from gwm_hazard.statistics.splits import halves_by_event

if TYPE_CHECKING:
    from gwm_hazard.benchmark.data import Comparison

#: Time step of the comparison, s.
DT_S = 0.01

BLOCK = 64

#: Random halves by event.
SPLITS = 20

MAGNITUDES = (-np.inf, 5.0, 6.0, 7.0, np.inf)
DISTANCES_KM = (0.0, 20.0, 50.0, 100.0, np.inf)

NO_WAVEFORMS = "none of the records has its waveform (a flatfile holds measures only)"


class Motion(NamedTuple):
    """Some records: ``acceleration`` (n, n_components, nt) float32 m/s2 at `DT_S`.

    ``place`` (n,) in the sample; ``npts`` (n,); horizontals first, the vertical, where
    ``vertical`` says so, last.
    """

    place: NDArray[np.int64]
    acceleration: NDArray[np.float32]
    npts: NDArray[np.int64]
    n_horizontal: int
    vertical: bool


@dataclass(frozen=True)
class PairedRecords:
    """The records that are compared: observed waveforms of which a model drew one.

    rows : (n,) into the observations, in order
    table, event : of these rows
    """

    data: Comparison
    rows: NDArray[np.int64]

    @property
    def table(self) -> pd.DataFrame:
        """Conditions of the records."""
        return self.data.observations.table.iloc[self.rows].reset_index(drop=True)

    @property
    def event(self) -> NDArray[np.int64]:
        """Event of each record as a number."""
        return self.data.observations.event[self.rows]

    @property
    def distance_km(self) -> NDArray[np.float64]:
        """Distance of each record, see `Comparison.distance_km`."""
        return self.data.distance_km[self.rows]

    def __len__(self) -> int:
        return len(self.rows)

    def place(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where rows of the observations stand in the sample; -1 for those that do not."""
        at = np.searchsorted(self.rows, rows)
        at = np.minimum(at, len(self.rows) - 1)
        return np.where(self.rows[at] == rows, at, -1)

    def motions(self, name: str | None = None) -> Iterator[Motion]:
        """Records in blocks: those observed, or with ``name`` those that a model drew."""
        if name is None:
            yield from self._observed()
            return
        for drawn in self.data.drawn(name):
            place = self.place(drawn.rows)
            wanted = np.flatnonzero(place >= 0)
            for start in range(0, len(wanted), BLOCK):
                part = wanted[start : start + BLOCK]
                npts = _samples(drawn.npts[part], drawn.dt_s)
                acc = np.asarray(drawn.acceleration[part, :, : drawn.npts[part].max()])
                if abs(drawn.dt_s / DT_S - 1.0) > 1e-6:
                    acc = np.stack([resample(a, drawn.dt_s, DT_S) for a in acc])
                yield _motion(place[part], acc, npts)

    def _observed(self) -> Iterator[Motion]:
        obs = self.data.observations
        components, npts, dt_s = obs.components[self.rows], obs.npts[self.rows], obs.dt_s[self.rows]
        for number in (2, 3):
            place = np.flatnonzero(components == number)
            # like lengths together: less padding
            place = place[np.argsort((npts * dt_s)[place], kind="stable")]
            for start in range(0, len(place), BLOCK):
                part = place[start : start + BLOCK]
                acc = obs.waveforms(self.rows[part], DT_S)
                yield _motion(part, acc, _samples(npts[part], dt_s[part]))

    def collect(
        self,
        name: str | None,
        function: Callable[[Motion], NDArray[np.floating]],
        shape: tuple[int, ...],
    ) -> NDArray[np.float32]:
        """``function`` of every record, (n, *shape); NaN for what a model did not draw."""
        out = np.full((len(self), *shape), np.nan, dtype=np.float32)
        for motion in self.motions(name):
            out[motion.place] = function(motion)
        return out


def sample(data: Comparison, key: str, title: str) -> PairedRecords | Skipped:
    """The records that can be compared, or why there are none."""
    if not data.generative:
        return Skipped(key, title, "no generative model is compared")
    obs = data.observations
    if not obs.has_waveforms:
        return Skipped(key, title, NO_WAVEFORMS)
    drawn = np.zeros(len(obs), dtype=bool)
    for p in data.generative:
        for block in data.drawn(p.name):
            drawn[block.rows] = True
    rows = np.flatnonzero(drawn & obs.with_waveforms)
    if not len(rows):
        return Skipped(key, title, "no record with a waveform lies in the range of a model")
    return PairedRecords(data, rows)


def _samples(npts: NDArray[np.int64], dt_s: float | NDArray[np.float64]) -> NDArray[np.int64]:
    return np.asarray(np.floor((npts - 1) * (dt_s / DT_S) + 1e-6), dtype=np.int64) + 1


def _motion(place: NDArray[np.int64], acc: NDArray[np.float32], npts: NDArray[np.int64]) -> Motion:
    return Motion(
        place, acc, np.minimum(npts, acc.shape[2]), min(2, acc.shape[1]), acc.shape[1] == 3
    )


def aligned(
    motion: Motion, zero_s: NDArray[np.float64], before_s: float, npts: int
) -> NDArray[np.float32]:
    """Records cut to ``npts`` samples that begin ``before_s`` before a time of each, zero-padded.

    (n, 3, npts): two horizontals and the vertical; zero where a record has none.
    """
    n, components, nt = motion.acceleration.shape
    out = np.zeros((n, 3, npts), dtype=np.float32)
    first = np.round((np.nan_to_num(zero_s) - before_s) / DT_S).astype(int)
    for i, start in enumerate(first):
        low, high = max(start, 0), min(start + npts, nt, int(motion.npts[i]))
        if high > low:
            out[i, :components, low - start : high - start] = motion.acceleration[i, :, low:high]
    return out


# -- bins and misfits ------------------------------------------------------------------------------


class Bins(NamedTuple):
    """Bins of magnitude and distance: ``number`` (n,) of that of each record, -1 in none."""

    number: NDArray[np.int64]
    magnitudes: list[str]
    distances: list[str]

    def __len__(self) -> int:
        return len(self.magnitudes) * len(self.distances)

    def label(self, number: int) -> str:
        """Name of a bin."""
        m, d = divmod(number, len(self.distances))
        return f"{self.magnitudes[m]}, {self.distances[d]}"


def bins(chosen: PairedRecords) -> Bins:
    """Magnitude-distance bins of `MAGNITUDES` and `DISTANCES_KM`."""
    m = np.digitize(chosen.table["mag"].to_numpy(np.float64), MAGNITUDES) - 1
    r = chosen.distance_km
    d = np.digitize(r, DISTANCES_KM) - 1
    index = np.where(np.isfinite(r), m * (len(DISTANCES_KM) - 1) + d, -1)
    return Bins(
        index.astype(np.int64), _labels(MAGNITUDES, "M", ""), _labels(DISTANCES_KM, "", " km")
    )


def _labels(edges: tuple[float, ...], sign: str, unit: str) -> list[str]:
    out = []
    for low, high in pairwise(edges):
        if not np.isfinite(low) or (low == 0 and sign == ""):
            out.append(f"{sign} < {high:g}{unit}".strip())
        elif not np.isfinite(high):
            out.append(f"{sign} > {low:g}{unit}".strip())
        else:
            out.append(f"{sign} {low:g} to {high:g}{unit}".strip())
    return out


def binned(
    values: NDArray[np.floating], index: NDArray[np.int64], n_bins: int
) -> NDArray[np.float64]:
    """`moments` of (n, n_points) in every bin, (3, n_bins, n_points)."""
    return np.stack([moments(values[index == b]) for b in range(n_bins)], axis=1)


class Misfit(NamedTuple):
    """Rms difference of bin means and of bin standard deviations, and the same between halves.

    ``records`` that both have; ``low`` and ``high``: 5 and 95 % of ``mean`` over the halves.
    """

    mean: float
    deviation: float
    real_mean: float
    real_deviation: float
    low: float
    high: float
    records: int

    @property
    def ratio(self) -> float:
        """Misfit of the means over that between halves of the observations."""
        return self.mean / self.real_mean


def misfit(
    observed: NDArray[np.floating],
    drawn: NDArray[np.floating],
    bins: Bins,
    event: NDArray[np.int64],
    min_records: int,
    seed: int,
) -> Misfit | None:
    """Compare draws for one half of the events with observations of the other, and those two.

    observed, drawn : (n, n_points), NaN where unknown; points known of one alone are left out, so
    that both are means over the same records. None where too few records have both.
    """
    both = np.isfinite(observed) & np.isfinite(drawn)
    rows = np.flatnonzero(both.any(axis=1) & (bins.number >= 0))
    if len(np.unique(event[rows])) < 2:
        return None
    a = np.where(both, observed, np.nan)[rows]
    b = np.where(both, drawn, np.nan)[rows]
    index = bins.number[rows]
    # a bin of `min_records` records has about half of them in each half
    enough = max(3, min_records // 2)
    found = []
    for first in halves_by_event(event[rows], SPLITS, seed):
        of = [binned(x[half], index[half], len(bins)) for x in (a, b) for half in (first, ~first)]
        real = moment_misfit(of[0], of[1], enough)
        model = [moment_misfit(of[2], of[1], enough), moment_misfit(of[3], of[0], enough)]
        found.append((*np.sqrt(np.mean(np.square(model), axis=0)), *real))
    table = np.array(found)
    if not np.isfinite(table).all(axis=1).any():
        return None
    m, d, rm, rd = np.sqrt(np.nanmean(table**2, axis=0))
    low, high = np.nanpercentile(table[:, 0], (5, 95))
    return Misfit(float(m), float(d), float(rm), float(rd), float(low), float(high), len(rows))


def misfit_table(found: dict[str, Misfit]) -> pd.DataFrame:
    """A row a model, for the page."""
    return pd.DataFrame(
        {
            name: {
                "records": f.records,
                "means: model against real": f.mean,
                "5 %": f.low,
                "95 %": f.high,
                "means: real against real": f.real_mean,
                "multiple": f.ratio,
                "s.d.: model against real": f.deviation,
                "s.d.: real against real": f.real_deviation,
            }
            for name, f in found.items()
        }
    ).T.rename_axis("model")


def limits(chosen: PairedRecords, found: dict[str, Misfit]) -> list[str]:
    """What every comparison of waveforms says of its sample."""
    data = chosen.data
    min_records = data.settings.min_records
    out = [
        f"{int(data.observations.with_waveforms.sum())} observed records have waveforms, "
        f"{len(chosen)} of {len(np.unique(chosen.event))} events are compared (at most "
        f"{data.settings.waveforms} draws of each model).",
        f"Bins with fewer than {min_records} records are hatched; in a half of the records a bin "
        f"counts from {max(3, min_records // 2)} on.",
    ]
    for name in (p.name for p in data.generative):
        if name not in found:
            out.append(f"{name}: too few records in its range for halves by event.")
        if name in data.models and len(data.models[name].card.components) == 1:
            out.append(
                f"{name} draws one component: its standard deviations are of one component, those "
                "observed of the mean of two."
            )
    return out


def at_observed(
    drawn: NDArray[np.floating], observed: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Draws where the observations are known, so that means are over the same records."""
    return np.where(np.isfinite(observed), drawn, np.nan)
