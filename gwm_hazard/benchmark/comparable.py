"""Observed and drawn waveforms side by side: one time step, blocks of bounded memory, bins.

What waveforms show is compared on the records that have both, and each misfit stands beside the
same misfit between disjoint halves of the observations: 1 means that a model is as far from the
observations as those are from themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.benchmark.metrics.envelope import moment_misfit, moments
from gwm_hazard.benchmark.metrics.splits import halves_by_event
from gwm_hazard.benchmark.section import Skipped
from gwm_hazard.benchmark.traces import resample

if TYPE_CHECKING:
    from gwm_hazard.benchmark.data import BenchmarkData

#: Time step of the comparison, s.
DT_S = 0.01

BLOCK = 64

#: Random halves by event.
SPLITS = 20

MAGNITUDES = (-np.inf, 5.0, 6.0, 7.0, np.inf)
DISTANCES_KM = (0.0, 20.0, 50.0, 100.0, np.inf)

#: Distances in the order in which they are taken where they are known.
DISTANCE_COLUMNS = ("rrup", "rhypo", "rjb", "repi")

NO_WAVEFORMS = "none of the records has its waveform (a flatfile holds measures only)"


class Motion(NamedTuple):
    """Some records: ``acceleration`` (n, n_components, nt) float32 m/s2 at `DT_S`.

    ``rows`` (n,) into the observations; ``npts`` (n,); horizontals first, the vertical, where
    ``vertical`` says so, last.
    """

    rows: NDArray[np.int64]
    acceleration: NDArray[np.float32]
    npts: NDArray[np.int64]
    n_horizontal: int
    vertical: bool


def motions(data: BenchmarkData, name: str | None = None) -> Iterator[Motion]:
    """Records in blocks: those observed, or with ``name`` those that a model drew."""
    if name is None:
        yield from _observed(data)
        return
    for drawn in data.drawn(name):
        for start in range(0, len(drawn.rows), BLOCK):
            part = slice(start, start + BLOCK)
            npts = _samples(drawn.npts[part], drawn.dt_s)
            acc = np.asarray(drawn.acceleration[part, :, : drawn.npts[part].max()])
            if abs(drawn.dt_s / DT_S - 1.0) > 1e-6:
                acc = np.stack([resample(a, drawn.dt_s, DT_S) for a in acc])
            yield _motion(drawn.rows[part], acc, npts)


def _observed(data: BenchmarkData) -> Iterator[Motion]:
    obs = data.observations
    for components in (2, 3):
        rows = np.flatnonzero(obs.components == components)
        # like lengths together: less padding
        rows = rows[np.argsort(obs.npts[rows] * obs.dt_s[rows], kind="stable")]
        for start in range(0, len(rows), BLOCK):
            part = rows[start : start + BLOCK]
            acc = obs.waveforms(part, DT_S)
            yield _motion(part, acc, _samples(obs.npts[part], obs.dt_s[part]))


def _samples(npts: NDArray[np.int64], dt_s: float | NDArray[np.float64]) -> NDArray[np.int64]:
    return np.asarray(np.floor((npts - 1) * (dt_s / DT_S) + 1e-6), dtype=np.int64) + 1


def _motion(rows: NDArray[np.int64], acc: NDArray[np.float32], npts: NDArray[np.int64]) -> Motion:
    return Motion(
        rows, acc, np.minimum(npts, acc.shape[2]), min(2, acc.shape[1]), acc.shape[1] == 3
    )


def collect(
    data: BenchmarkData,
    name: str | None,
    function: Callable[[Motion], NDArray[np.floating]],
    shape: tuple[int, ...],
) -> NDArray[np.float32]:
    """``function`` of every record, (n_records, *shape); NaN for records without a waveform."""
    out = np.full((len(data.observations), *shape), np.nan, dtype=np.float32)
    for motion in motions(data, name):
        out[motion.rows] = function(motion)
    return out


def without_waveforms(data: BenchmarkData, key: str, title: str) -> Skipped | None:
    """Why waveforms cannot be compared; None where they can."""
    if not data.generative:
        return Skipped(key, title, "no generative model is compared")
    if not data.observations.has_waveforms:
        return Skipped(key, title, NO_WAVEFORMS)
    if not any((data.observations.with_waveforms & p.inside).any() for p in data.generative):
        return Skipped(key, title, "no record with a waveform lies in the range of a model")
    return None


def aligned(
    motion: Motion, zero_s: NDArray[np.float64], before_s: float, npts: int
) -> NDArray[np.float32]:
    """Records cut to ``npts`` samples that begin ``before_s`` before a time of each, zero-padded.

    (n, 3, npts): two horizontals and the vertical; zero where a record has none.
    """
    n, components, nt = motion.acceleration.shape
    out = np.zeros((n, 3, npts), dtype=np.float32)
    place = [0, 1, 2][:components] if components != 2 else [0, 1]
    first = np.round((np.nan_to_num(zero_s) - before_s) / DT_S).astype(int)
    for i, start in enumerate(first):
        low, high = max(start, 0), min(start + npts, nt, int(motion.npts[i]))
        if high > low:
            out[i, place, low - start : high - start] = motion.acceleration[i, :, low:high]
    return out


# -- bins and misfits ------------------------------------------------------------------------------


class Bins(NamedTuple):
    """Bins of magnitude and distance: ``index`` (n,) of each record, -1 in none."""

    index: NDArray[np.int64]
    magnitudes: list[str]
    distances: list[str]

    def __len__(self) -> int:
        return len(self.magnitudes) * len(self.distances)

    def label(self, index: int) -> str:
        """Name of a bin."""
        m, d = divmod(index, len(self.distances))
        return f"{self.magnitudes[m]}, {self.distances[d]}"


def distance_km(table: pd.DataFrame) -> NDArray[np.float64]:
    """The first known of `DISTANCE_COLUMNS`, (n,)."""
    out = np.full(len(table), np.nan)
    for column in DISTANCE_COLUMNS:
        if column in table:
            out = np.where(np.isfinite(out), out, table[column].to_numpy(np.float64))
    return out


def bins(table: pd.DataFrame) -> Bins:
    """Magnitude-distance bins of `MAGNITUDES` and `DISTANCES_KM`."""
    m = np.digitize(table["mag"].to_numpy(np.float64), MAGNITUDES) - 1
    r = distance_km(table)
    d = np.digitize(r, DISTANCES_KM) - 1
    index = np.where(np.isfinite(r), m * (len(DISTANCES_KM) - 1) + d, -1)
    return Bins(
        index.astype(np.int64), _labels(MAGNITUDES, "M", ""), _labels(DISTANCES_KM, "", " km")
    )


def _labels(edges: tuple[float, ...], sign: str, unit: str) -> list[str]:
    out = []
    for low, high in zip(edges[:-1], edges[1:], strict=True):
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
    where: Bins,
    event: NDArray[np.int64],
    least: int,
    seed: int,
) -> Misfit | None:
    """Compare draws for one half of the events with observations of the other, and those two.

    observed, drawn : (n, n_points), NaN where unknown; points known of one alone are left out, so
    that both are means over the same records. None where too few records have both.
    """
    both = np.isfinite(observed) & np.isfinite(drawn)
    rows = np.flatnonzero(both.any(axis=1) & (where.index >= 0))
    if len(np.unique(event[rows])) < 2:
        return None
    a = np.where(both, observed, np.nan)[rows]
    b = np.where(both, drawn, np.nan)[rows]
    index = where.index[rows]
    # a bin of `least` records has about half of them in each half
    enough = max(3, least // 2)
    found = []
    for first in halves_by_event(event[rows], SPLITS, seed):
        of = [
            binned(x[half], index[half], len(where)) for x in (a, b) for half in (first, ~first)
        ]  # fmt: skip
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
