"""Fields of waveforms whose measures at stations are those that were recorded.

In first order ln IM at a site is

    ln IM = mean + A_e e + A_r z + w

with e the numbers of an event (size p_e), z those of a record, correlated in space with the
matrices A_k (:mod:`gwm_hazard.core.spatial`), and w what the phases add. A_e, A_r and the
covariance of w are found by regression on draws at the stations. Given records, noise is
conditioned as by kriging of a difference (Journel and Huijbregts 1978, *Mining Geostatistics*,
section VII.A): an unconditioned field is drawn, at the stations too; what is missing there to the
records, r, times the matrices Cov(e, ln IM) Cov(ln IM)^-1 and Cov(z(x), ln IM) Cov(ln IM)^-1, is
added to the noise at every site. In a linear model such draws have exactly the conditional
distribution. At a station the phases keep a part of r: there z goes on by itself, a few steps of
Newton's method with the waveform drawn anew at each, until the measures are the recorded ones.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gwm_hazard.core.draws import Draws
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.core.spatial.lattice import distance_km
from gwm_hazard.core.spatial.noise import ShiftedNoise, SpatialCorrelation, SpatialNoise
from gwm_hazard.core.spatial.tuning import fields_at
from gwm_hazard.errors import InputError
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.models.measuring import ln_measures

log = logging.getLogger(__name__)

Array = NDArray[np.float64]

#: Draws for the sensitivities, the stations that they are spread over at most, and their seed.
DRAWS, SPREAD, SEED = 1800, 30, 20250706
#: Largest difference from a record, ln, and steps that may be taken to it.
TOLERANCE, STEPS = 5e-4, 80
#: Longest step; below this part of one sensitivities are found anew by differences of numbers, so
#: far aside.
LONGEST, SHORTEST, DIFFERENCE, ASIDE = 2.0, 0.2, 0.02, 0.05
#: Share of the squared difference that a good step leaves at most.
ENOUGH = 0.6
#: A site nearer to a station than this, km, is the station.
SAME_KM = 1e-3


@dataclass(frozen=True)
class Stations:
    """What was recorded.

    Attributes
    ----------
    scenarios : conditions at the S stations
    lon, lat : (S,), degrees
    imts : M measures, under OpenQuake's names
    ln_observed : (S, M), in OpenQuake's units
    ln_spread : (S, M), standard deviation of what is uncertain; 0 for a record
    """

    scenarios: Scenarios
    lon: Array
    lat: Array
    imts: tuple[str, ...]
    ln_observed: Array
    ln_spread: Array

    def __post_init__(self) -> None:
        if not (np.isfinite(self.ln_observed).all() and np.isfinite(self.ln_spread).all()):
            s, m = np.argwhere(~(np.isfinite(self.ln_observed) & np.isfinite(self.ln_spread)))[0]
            raise InputError(
                f"{self.imts[m]} of the station at {self.lon[s]:g}, {self.lat[s]:g}: must be a "
                "positive number, with its standard deviation; leave the station or measure out"
            )
        near = distance_km(self.lon, self.lat, self.lon, self.lat)
        i = np.nonzero(np.triu(near < SAME_KM, 1))[0]
        if len(i):
            raise InputError(
                f"two stations at {self.lon[i[0]]:g}, {self.lat[i[0]]:g}: give one of them"
            )

    def __len__(self) -> int:
        """Number of stations."""
        return len(self.lon)


@dataclass(frozen=True)
class _Asked(Noise):
    """Noise that remembers which streams are asked for, with their sizes."""

    streams: dict[tuple[str, bool], int] = field(default_factory=dict)

    def normal(self, stream: str, size: int, *, per_event: bool = False) -> NDArray[np.float32]:
        self.streams[stream, per_event] = size
        return super().normal(stream, size, per_event=per_event)


class Conditioned:
    """Noise of a model, conditioned on records.

    Parameters
    ----------
    model, correlation : what draws, and how it is correlated in space
    stations : what was recorded
    seed : of the draws
    component : horizontal component of the records

    Raises
    ------
    InputError
        No station, or more measures at one than numbers that carry level.
    """

    def __init__(
        self,
        model: WaveformModel,
        correlation: SpatialCorrelation,
        stations: Stations,
        seed: int,
        component: str = "RotD50",
    ) -> None:
        if not len(stations):
            raise InputError("no stations: leave the station data out")
        self.model, self.correlation, self.stations = model, correlation, stations
        self.seed, self.component = seed, component
        ((self.stream, self.matrices),) = correlation.mixing.items()
        self._squares = np.einsum("kij,klj->kil", self.matrices, self.matrices)
        if len(stations.imts) > self.matrices.shape[1]:
            raise InputError(
                f"{len(stations.imts)} measures at a station: at most {self.matrices.shape[1]}"
            )

    @cached_property
    def sensitivities(self) -> tuple[dict[str, Array], Array, Array]:
        """A_e by stream (M, p_e), A_r (M, size), and the covariance of w (M, M)."""
        n = len(self.stations)
        some = np.unique(np.linspace(0, n - 1, min(n, SPREAD)).astype(int))
        each = some[np.arange(DRAWS) % len(some)]
        noise = _Asked(SEED, np.arange(DRAWS), 0, 0)
        draws = Draws(self.stations.scenarios.take(each), noise)
        ln = ln_measures(self.model, draws, self.stations.imts, self.component)
        shared = [name for (name, per_event) in noise.streams if per_event]
        sizes = [noise.streams[name, True] for name in shared]
        columns = [noise.normal(n, s, per_event=True) for n, s in zip(shared, sizes, strict=True)]
        columns.append(noise.normal(self.stream, self.matrices.shape[1]))
        design = np.concatenate(columns, axis=1).astype(np.float64)
        for station in some:
            rows = each == station
            ln[rows] -= ln[rows].mean(axis=0)
            design[rows] -= design[rows].mean(axis=0)
        slope = np.linalg.lstsq(design, ln, rcond=None)[0].T
        rest = ln - design @ slope.T
        parts = np.split(slope, np.cumsum(sizes), axis=1)
        covariance = rest.T @ rest / (DRAWS - design.shape[1] - len(some))
        return dict(zip(shared, parts[:-1], strict=True)), parts[-1], covariance

    @cached_property
    def _inverse(self) -> Array:
        """Of the covariance of ln IM at the stations, (S M, S M)."""
        shared, own, rest = self.sensitivities
        n, m = self.stations.ln_observed.shape
        by_field = np.einsum("mi,kij,nj->kmn", own, self._squares, own)
        at = self.stations
        fields = fields_of(distance_km(at.lon, at.lat, at.lon, at.lat))
        covariance = np.einsum("kst,kmn->smtn", fields, by_field)
        for a in shared.values():
            covariance += (a @ a.T)[:, None, :]
        for s in range(n):
            covariance[s, :, s] += rest + np.diag(at.ln_spread[s] ** 2)
        inverse: Array = np.linalg.inv(covariance.reshape(n * m, n * m))
        return inverse

    def noise(self, event: ArrayLike, site: ArrayLike, lon: Array, lat: Array) -> ShiftedNoise:
        """Conditioned noise of n draws.

        Parameters
        ----------
        event, site : (n,) int, key and label of each draw
        lon, lat : (n,), degrees
        """
        at = self.stations
        base = self._base(event, site, lon, lat)
        events, of_event = np.unique(base.event, return_inverse=True)
        near = distance_km(lon, lat, at.lon, at.lat)
        station = np.where(near.min(axis=1) < SAME_KM, near.argmin(axis=1), -1)
        shared, asked, final = self._conditioned(events)
        shifts = {(name, True): values[of_event] for name, values in shared.items()}
        own = np.empty((len(base), final.shape[2]))
        for i in range(len(events)):
            rows = np.flatnonzero(of_event == i)
            own[rows] = self._carried(fields_of(near[rows]), asked[i])
        there = np.flatnonzero(station >= 0)
        own[there] = final[of_event[there], station[there]]
        return ShiftedNoise.by(base, shifts | {(self.stream, False): own})

    def _base(self, event: ArrayLike, site: ArrayLike, lon: Array, lat: Array) -> Noise:
        return SpatialNoise.of(Noise(self.seed, event, site, 0), lon, lat, self.correlation)

    def _conditioned(self, events: NDArray[np.uint64]) -> tuple[dict[str, Array], Array, Array]:
        """Shifts of E events' numbers by stream (E, p_e), A_r' alpha and shifts at the stations.

        The last two (E, S, size).
        """
        shared, own, _ = self.sensitivities
        at = self.stations
        n, count = len(at), len(events)
        which = np.tile(np.arange(n), count)
        base = self._base(np.repeat(events, n), which, at.lon[which], at.lat[which])
        # What is uncertain is drawn too, so that it is not known better than it is.
        uncertain = at.ln_spread[which] * base.normal("station data", len(at.imts))
        missing = at.ln_observed[which] + uncertain - self._ln(base, which)
        missing = missing.reshape(count, -1)
        alpha = np.stack([self._inverse @ row for row in missing]).reshape(count, n, -1)
        fields = fields_of(distance_km(at.lon, at.lat, at.lon, at.lat))
        of_event = {k: np.stack([a.T @ x.sum(axis=0) for x in alpha]) for k, a in shared.items()}
        asked = np.stack([x @ own for x in alpha])
        final = np.stack([self._carried(fields, x) for x in asked])
        shifts = {(k, True): np.repeat(v, n, axis=0) for k, v in of_event.items()}
        known = np.flatnonzero((at.ln_spread == 0.0).all(axis=1)[which])
        flat = final.reshape(count * n, -1)
        flat[known] = self._met(
            ShiftedNoise.by(base, shifts | {(self.stream, False): flat}).take(known), which[known]
        )
        return of_event, asked, final

    def _met(self, noise: ShiftedNoise, stations: NDArray[np.int64]) -> Array:
        """Shifts (n, size) of record numbers with which n draws show the records of stations.

        Newton's method from the given shifts, each draw on its own; Broyden (1965) corrects the
        sensitivities, a step that leads nowhere is halved, and where that does not help either they
        are found anew by small differences, from a place close by.
        """
        key = (self.stream, False)
        wanted = self.stations.ln_observed[stations]
        best = np.asarray(noise.shifts[key], dtype=np.float64).copy()
        off = wanted - self._ln(noise, stations)
        slope = np.tile(self.sensitivities[1], (len(best), 1, 1))
        length = np.ones(len(best))
        left = np.flatnonzero(np.abs(off).max(axis=1) > TOLERANCE)

        def off_at(rows: NDArray[np.int64], shift: Array) -> Array:
            shifts = {k: v[rows] for k, v in noise.shifts.items()} | {key: shift}
            tried = ShiftedNoise.by(noise.base.take(rows), shifts)
            return wanted[rows] - self._ln(tried, stations[rows])

        along = DIFFERENCE * np.eye(best.shape[1])
        for number in range(STEPS):
            if not len(left):
                break
            stuck = left[length[left] < SHORTEST]
            if len(stuck):
                drawn = noise.base.take(stuck).normal(f"station step {number}", best.shape[1])
                best[stuck] += ASIDE * (1.0 + number / 10.0) * drawn
                off[stuck] = off_at(stuck, best[stuck])
                moved = [off_at(stuck, best[stuck] + row) for row in along]
                slope[stuck] = np.stack([off[stuck] - x for x in moved], axis=2) / DIFFERENCE
                length[stuck] = 1.0
            step = np.einsum("nij,nj->ni", np.linalg.pinv(slope[left]), off[left])
            size = np.sqrt((step**2).sum(axis=1))
            step *= (length[left] * np.minimum(1.0, LONGEST / np.maximum(size, 1e-9)))[:, None]
            now = off_at(left, best[left] + step)
            told = off[left] - now - np.einsum("nij,nj->ni", slope[left], step)
            unit = step / (step**2).sum(axis=1, keepdims=True)
            slope[left] += told[:, :, None] * unit[:, None, :]
            ratio = (now**2).sum(axis=1) / (off[left] ** 2).sum(axis=1)
            nearer = ratio < 1.0
            longer = np.minimum(2.0 * length[left], 1.0)
            length[left] = np.where(ratio < ENOUGH, longer, 0.5 * length[left])
            better = left[nearer]
            best[better] += step[nearer]
            off[better] = now[nearer]
            left = left[np.abs(off[left]).max(axis=1) > TOLERANCE]
        if len(left):
            log.warning(
                "%d of %d draws at stations did not come to their records within %g: by up to %.3g",
                len(left), len(best), TOLERANCE, np.abs(off).max(),
            )  # fmt: skip
        return best

    def _carried(self, fields: Array, asked: Array) -> Array:
        """Cov(z(x), z) A_r' alpha at sites, (n, size)."""
        # Not products of matrices: what a site gets must not depend on the others, to the last bit.
        carried = np.einsum("kns,sj->knj", fields, asked)
        found: Array = np.einsum("kij,knj->ni", self._squares, carried)
        return found

    def _ln(self, noise: Noise, stations: NDArray[np.int64]) -> Array:
        draws = Draws(self.stations.scenarios.take(stations), noise)
        return ln_measures(self.model, draws, self.stations.imts, self.component)


def fields_of(km: Array) -> Array:
    """Correlation of the lattice fields at distances (n, m): (n_lengths, n, m)."""
    return fields_at(km.ravel()).reshape(-1, *km.shape)
