"""Spectra to be matched: their distribution, and draws of it that a waveform can show.

A published correlation of ln SA draws spectra that no ground motion has: notches between close
periods, a peak of SA far above what is left of PGA, PGV far from what the spectrum makes of it.
Three things are done to them.

Normal residuals are averaged over neighbouring periods: a linear map, after which each has unit
variance again.

An oscillator of 5 % damping amplifies a motion some three times, so SA at no period falls below
:data:`FLOOR` of the largest SA at longer ones, nor spectral displacement below that share of the
largest at shorter ones: the target is raised smoothly over such a floor.

PGA, with the shortest periods, and PGV stay within :data:`SPREAD` of what the mean square of the
spectrum tells of them (random vibration theory), about the mean that this has in draws.

Over a fixed ensemble of residuals means and standard deviations are then brought back to those of
the source; correlations change (``validation/matching`` prints by how much).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.core.spatial import published
from gwm_hazard.core.spatial.tuning import mixing, weights_of
from gwm_hazard.core.spectra import Spectra
from gwm_hazard.errors import InputError
from gwm_hazard.models.matched.match import SHORTEST_S, Targets

Array = NDArray[np.float64]

#: Periods of a target spectrum, s; 0 is PGA.
PERIODS_S = (
    0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.075, 0.09, 0.1, 0.12, 0.15, 0.17, 0.2, 0.25, 0.3,
    0.36, 0.4, 0.5, 0.6, 0.75, 0.9, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.5, 10.0,
)  # fmt: skip

#: Standard deviation in ln T over which residuals are averaged: the half-power bandwidth of the
#: oscillator, twice its damping.
WIDTH = 0.1
#: Least ratio to the largest ordinate at longer periods (of displacement: shorter ones).
FLOOR = 0.27
#: How sharply that is kept, per ln.
SHARPNESS = 6.0
#: Shorter periods (s) follow PGA. How far in ln it, and PGV, is from what the spectrum tells.
STIFF_S, SPREAD = 0.025, 0.3
#: What a match leaves on average, ln, of PGA with the shortest periods, and of PGV: they are asked
#: for by so much more, that fields have the means of the source.
SHORT_LEFT, PGV_LEFT = 0.012, -0.02
#: Events, of these and as many opposite ones, that tell what this does to the moments.
ENSEMBLE = 64


@dataclass(frozen=True)
class SpectralMoments:
    """Moments of ln SA (g) and, last where there is one, ln PGV (cm/s): RotD50, (n, M) each."""

    mean: Array
    tau: Array
    phi: Array


class SpectrumSource(Protocol):
    """Who tells the distribution of spectra.

    Attributes
    ----------
    name : short, for cards and messages
    columns : names of the conditions that it reads
    periods_s : (K,), 0 for PGA
    with_pgv : whether PGV comes after the periods
    between_event : whether any tau is above 0
    correlation : (M, M) of the residuals
    tectonic_region : OpenQuake's word
    """

    name: str
    columns: frozenset[str]
    periods_s: Array
    with_pgv: bool
    between_event: bool
    correlation: Array
    tectonic_region: str

    def __call__(self, scenarios: Scenarios) -> SpectralMoments:
        """The moments at n scenarios."""
        ...


class JoinedSpectra:
    """Several sources: the condition ``gmm`` numbers the one that tells a row.

    Periods are those that all have; the correlation is the first one's.
    """

    def __init__(self, sources: Sequence[SpectrumSource]) -> None:
        self.sources = tuple(sources)
        first = self.sources[0]
        common = set.intersection(*(set(map(float, s.periods_s)) for s in self.sources))
        if len(common) < 2:
            raise InputError(
                f"gmm: {', '.join(s.name for s in self.sources)} have no two periods in common"
            )
        self.name = "+".join(dict.fromkeys(s.name for s in self.sources))
        self.columns = frozenset({"gmm"}).union(*(s.columns for s in self.sources))
        self.periods_s = np.array(sorted(common))
        self.with_pgv = all(s.with_pgv for s in self.sources)
        self.between_event = any(s.between_event for s in self.sources)
        self.tectonic_region = first.tectonic_region
        self._columns = [self._of(s) for s in self.sources]
        mine = self._columns[0]
        self.correlation = np.asarray(first.correlation)[np.ix_(mine, mine)]

    def _of(self, source: SpectrumSource) -> list[int]:
        found = [i for i, t in enumerate(source.periods_s) if float(t) in set(self.periods_s)]
        return found + [len(source.periods_s)] * self.with_pgv

    def __call__(self, scenarios: Scenarios) -> SpectralMoments:
        """The moments at n scenarios, (n, M) each."""
        which = scenarios["gmm"].astype(np.int64)
        if which.min(initial=0) < 0 or which.max(initial=0) >= len(self.sources):
            raise InputError(
                f"gmm = {which.max(initial=0)}: the model has {len(self.sources)}, numbered from 0"
            )
        out = np.empty((3, len(scenarios), len(self._columns[0])))
        for number in np.unique(which):
            rows = np.flatnonzero(which == number)
            m = self.sources[number](scenarios.take(rows))
            columns = self._columns[number]
            out[:, rows] = m.mean[:, columns], m.tau[:, columns], m.phi[:, columns]
        return SpectralMoments(*out)


class GivenSpectrum:
    """One spectrum for every draw, for a design or a code: nothing of it is random.

    Parameters
    ----------
    periods_s : (K,), increasing, s; 0 for PGA
    sa_g : (K,), g
        Between its periods straight lines in ln T; it is matched at those of :data:`PERIODS_S`
        that it reaches.

    Raises
    ------
    InputError
        Periods that do not grow, SA that is not above 0, or fewer than two periods to match.
    """

    name, columns, between_event, tectonic_region = "spectrum", frozenset[str](), False, ""

    def __init__(self, periods_s: Sequence[float], sa_g: Sequence[float]) -> None:
        if len(periods_s) != len(sa_g):
            raise InputError(f"target spectrum: {len(periods_s)} periods, {len(sa_g)} of SA")
        periods, sa = np.asarray(periods_s, dtype=np.float64), np.asarray(sa_g, dtype=np.float64)
        with_pga = bool(len(periods) and periods[0] == 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            ln = np.log(sa)
        given = Spectra(periods[with_pga:], ln[None, with_pga:])
        if with_pga and not np.isfinite(ln[0]):
            raise InputError(f"target spectrum: PGA = {sa[0]:g} g: must be a number above 0")
        low, high = given.periods_s[[0, -1]]
        inside = np.array([t for t in PERIODS_S[1:] if low <= t <= high])
        self.periods_s = np.concatenate([[0.0] * with_pga, inside])
        if len(self.periods_s) < 2:
            raise InputError(f"target spectrum: from {low:g} to {high:g} s; must reach further")
        self.ln_sa = np.concatenate([ln[: int(with_pga)], given.ln_at(inside)[0]])

    @property
    def source(self) -> GivenSpectrum:
        """Itself: what is drawn is what is given."""
        return self

    def __call__(self, scenarios: Scenarios, noise: Noise) -> Targets:
        """The spectrum, a row a draw."""
        return Targets(self.periods_s, np.tile(self.ln_sa, (len(noise), 1)))

    def spatial(self, name: str) -> Array:
        """No part of it is drawn."""
        raise InputError(f"spatial_correlation = {name!r}: a given spectrum has none")


class SpectrumDraws:
    """Draws of spectra from a source, keyed.

    Parameters
    ----------
    source : SpectrumSource

    Attributes
    ----------
    correlation : (M, M), of what is drawn
    """

    def __init__(self, source: SpectrumSource) -> None:
        self.source = source
        size = len(source.periods_s) + source.with_pgv
        given = np.asarray(source.correlation, dtype=np.float64)
        if given.shape != (size, size) or not np.allclose(given, given.T):
            raise InputError(f"correlation has shape {given.shape}: must be {(size, size)}")
        root = _averages(source.periods_s, source.with_pgv) @ _root(given)
        self._root = root / np.sqrt((root**2).sum(axis=1, keepdims=True))
        self.correlation = self._root @ self._root.T
        self._peaks = np.append(source.periods_s < STIFF_S, [True] * source.with_pgv)
        normals = Noise(0, 0, 0, np.arange(ENSEMBLE)).normal("target ensemble", 3 * size)
        first, *both = np.split(normals, 3, axis=1)
        event = self._residuals(np.concatenate([first, -first]))
        event /= event.std(axis=0)
        records = [self._residuals(np.concatenate([r, r])) for r in both]
        records = [r / np.sqrt((r**2).mean(axis=0)) for r in records]
        # Of each event four sites, two by two with opposite signs: whatever is linear in the
        # records is exactly uncorrelated between the two pairs.
        self._event = event
        self._records = np.stack([records[0], -records[0], records[1], -records[1]], axis=1)
        self._left = np.append(np.where(source.periods_s < SHORTEST_S, SHORT_LEFT, 0.0),
                               [PGV_LEFT] * source.with_pgv)  # fmt: skip
        self._spatial: dict[str, Array] = {}

    def __call__(self, scenarios: Scenarios, noise: Noise) -> Targets:
        """One spectrum for each row; the sites of an event share its between-event term."""
        moments = self.source(scenarios)
        size = len(self._root)
        event = self._residuals(noise.normal("target event", size, per_event=True))
        record = self._residuals(noise.normal("target record", size))
        ln = moments.mean + moments.tau * event + moments.phi * record
        ln = self._attainable(ln, event, moments)
        k = len(self.source.periods_s)
        return Targets(self.source.periods_s, ln[:, :k], ln[:, k] if self.source.with_pgv else None)

    def spatial(self, name: str) -> Array:
        """What mixes lattice fields to the stream "target record", (n_lengths, M, M)."""
        published.check(name)
        if name == published.OF_FOURIER:
            raise InputError(
                f"spatial_correlation = {name!r}: is of Fourier amplitudes; matched waveforms take "
                "one of response spectra"
            )
        if name in self._spatial:
            return self._spatial[name]
        measures = [f"SA({t:g})" if t else "PGA" for t in self.source.periods_s]
        measures += ["PGV"] * self.source.with_pgv
        weights = np.stack([weights_of(name, measure) for measure in measures], axis=1)
        self._spatial[name] = mixing(weights, self._root)
        return self._spatial[name]

    def _attainable(self, ln: Array, event: Array, moments: SpectralMoments) -> Array:
        """The draws where a motion can be, with the moments that they had.

        What is moved is scaled, which gives phi, and a part of the event's own residual is added,
        which gives tau.
        """
        table = np.concatenate([moments.mean, moments.tau, moments.phi], axis=1)
        unique, inverse = np.unique(table, axis=0, return_inverse=True)
        changes = [self._change(*np.split(row, 3)) for row in unique]
        centre, shift, scale, more = (
            np.stack(x)[inverse.ravel()] for x in zip(*changes, strict=True)
        )
        moved = self._near_energy(over_floor(ln, self.source.periods_s), centre)
        mean = moments.mean + self._left
        out: Array = mean + (moved - shift) * scale + more * event
        return out

    def _change(self, mean: Array, tau: Array, phi: Array) -> tuple[Array, Array, Array, Array]:
        """At one scenario: the centre of peaks, and shift, scale and share of the event, (M,)."""
        events, sites, m = self._records.shape
        rows = (mean + tau * self._event[:, None] + phi * self._records).reshape(-1, m)
        rows = over_floor(rows, self.source.periods_s)
        centre = (rows - _by_energy(rows, self.source.periods_s)).mean(axis=0)
        moved = self._near_energy(rows, centre)
        shift = moved.mean(axis=0)
        by_event = (moved - shift).reshape(events, sites, m)
        one, other = by_event[:, :2].mean(axis=1), by_event[:, 2:].mean(axis=1)
        between = np.where(tau > 0, (one * other).mean(axis=0), 0.0)
        scale = phi / np.sqrt(moved.var(axis=0) - between)
        along = scale * (by_event.mean(axis=1) * self._event).mean(axis=0)
        beyond = np.maximum(along**2 - scale**2 * between + tau**2, 0.0)
        return centre, shift, scale, np.where(tau > 0, np.sqrt(beyond) - along, 0.0)

    def _near_energy(self, ln: Array, centre: Array) -> Array:
        """PGA, SA at the shortest periods and PGV within :data:`SPREAD` of what the rest tells."""
        told = _by_energy(ln, self.source.periods_s) + centre
        near = told + SPREAD * np.tanh((ln - told) / SPREAD)
        out: Array = np.where(self._peaks, near, ln)
        return out

    def _residuals(self, normals: NDArray[np.float32]) -> Array:
        # Sums by row: a product of matrices rounds differently in batches of another size.
        out: Array = (normals.astype(np.float64)[:, None, :] * self._root).sum(axis=2)
        return out


def over_floor(ln: Array, periods_s: Array) -> Array:
    """Spectra, (n, K) or with PGV behind, ln, raised over :data:`FLOOR` of their own ordinates."""
    k = len(periods_s)
    x, sa = np.log(np.maximum(periods_s, 0.01)), ln[:, :k]
    longer = np.maximum.accumulate(sa[:, ::-1], axis=1)[:, ::-1]
    shorter = np.maximum.accumulate(sa + 2.0 * x, axis=1) - 2.0 * x
    below = np.log(FLOOR) + np.maximum(longer, shorter) - sa
    out = ln.copy()
    out[:, :k] += np.logaddexp(0.0, SHARPNESS * below) / SHARPNESS
    return out


def _by_energy(ln: Array, periods_s: Array) -> Array:
    """What of peaks the spectrum tells, (n, M): PGA and PGV as random vibration theory has them.

    Mean squares over ln T of SA, and last of pseudo-spectral velocity.
    """
    k = len(periods_s)
    use = np.flatnonzero(periods_s >= STIFF_S)
    x = np.log(periods_s[use])
    out = np.empty_like(ln)
    for columns, tilt in ((slice(0, k), 0.0), (slice(k, None), 1.0)):
        # taken, not indexed: rows in one piece add up the same, however many there are
        square = np.exp(2.0 * (np.take(ln, use, axis=1) + tilt * x)) * np.gradient(x)
        level = np.log(square.sum(axis=1))
        out[:, columns] = 0.5 * level[:, None]
    return out


def _root(correlation: Array) -> Array:
    """L with L L' the nearest that has no negative eigenvalue, diagonal 1."""
    values, vectors = np.linalg.eigh(correlation)
    root = vectors * np.sqrt(np.clip(values, 0.0, None))
    scaled: Array = root / np.sqrt((root**2).sum(axis=1, keepdims=True))
    return scaled


def _averages(periods_s: Array, with_pgv: bool) -> Array:
    """What residuals are averaged with, (M, M)."""
    periods = np.asarray(periods_s, dtype=np.float64)
    x = np.log(np.maximum(periods, 0.01))
    k = len(x)
    out = np.eye(k + with_pgv)
    out[:k, :k] = np.exp(-0.5 * ((x[:, None] - x) / WIDTH) ** 2)
    out /= out.sum(axis=1, keepdims=True)
    return out
