"""Noise whose level streams are correlated between the sites of an event."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gwm_hazard.core.noise import Noise
from gwm_hazard.core.spatial.coherency import COHERENT_KM, THINNED, Coherent
from gwm_hazard.core.spatial.lattice import LENGTHS_KM, fill_fields
from gwm_hazard.errors import InputError


@dataclass(frozen=True)
class SpatialCorrelation:
    """How the streams of a model that carry level are correlated in space.

    Attributes
    ----------
    name : of the published model that they are tuned to
    mixing : {stream: (n_lengths, size, size)}, of lattice fields to the numbers of a record
    coherent : the white noise of waveforms that is alike at short distances; None where it is not
    """

    name: str
    mixing: Mapping[str, NDArray[np.float64]]
    coherent: Coherent | None = None


@dataclass(frozen=True)
class SpatialNoise(Noise):
    """Standard normal noise for a batch of draws at sites, correlated within an event.

    Any single draw is distributed as with :class:`Noise`. All that it is made of follows from
    (seed, event, realization) and the coordinates of its site; ``site`` is a label.

    Parameters
    ----------
    lon, lat : (n,), degrees
    correlation : of the model that draws
    """

    lon: Any
    lat: Any
    correlation: SpatialCorrelation

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, bound in (("lon", 360.0), ("lat", 90.0)):
            values = np.ascontiguousarray(np.broadcast_to(getattr(self, name), len(self)), float)
            if not (np.abs(values) <= bound).all():
                wrong = values[~(np.abs(values) <= bound)][0]
                raise InputError(
                    f"{name} = {wrong:g}: must be from {-bound:g} to {bound:g} degrees"
                )
            object.__setattr__(self, name, values)

    @classmethod
    def of(
        cls, noise: Noise, lon: ArrayLike, lat: ArrayLike, correlation: SpatialCorrelation | None
    ) -> Noise:
        """Noise at sites; as it is where there is no correlation."""
        if correlation is None:
            return noise
        keys = (noise.seed, noise.event, noise.site, noise.realization)
        return cls(*keys, lon, lat, correlation)

    def take(self, rows: Any) -> SpatialNoise:
        """The draws of an index array or slice."""
        names = ("event", "site", "realization", "lon", "lat")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    def normal(self, stream: str, size: int, *, per_event: bool = False) -> NDArray[np.float32]:
        """Standard normals of one stream, (n, size); see :meth:`Noise.normal`."""
        coherent = self.correlation.coherent
        if coherent is not None and stream == coherent.stream:
            return self._coherent(coherent, size)
        mixing = self.correlation.mixing.get(stream)
        if mixing is None or per_event:
            return self._placed().normal(stream, size, per_event=per_event)
        if size != mixing.shape[1]:
            raise InputError(
                f"stream {stream!r} has {size} numbers, its spatial correlation {mixing.shape[1]}: "
                "they are of different models"
            )
        out = np.empty((len(self), size), dtype=np.float32)
        if out.size:
            used = np.flatnonzero(mixing.any(axis=(1, 2)))
            fields = self.fields(stream, used, LENGTHS_KM[used], size)
            # No product of matrices: what a site gets must not depend on the others.
            out[:] = np.einsum("kij,nkj->ni", mixing[used], fields)
        return out

    def fields(
        self, stream: str, number: NDArray[np.integer[Any]], lengths_km: Any, size: int
    ) -> NDArray[np.float32]:
        """Independent lattice fields of a stream, (n, n_lengths, size)."""
        out = np.empty((len(self), len(lengths_km), size), dtype=np.float32)
        code = np.uint32(zlib.crc32(stream.encode()))
        fill_fields(
            np.uint64(self.seed), self.event, self.realization, code, self.lon, self.lat,
            number.astype(np.uint32), np.asarray(lengths_km, dtype=np.float64), out,
        )  # fmt: skip
        return out

    def _coherent(self, coherent: Coherent, size: int) -> NDArray[np.float32]:
        """White noise (n, size) of the components of a record, alike at low frequencies."""
        count = size // coherent.components
        coarse = -(-count // THINNED)
        shape = (len(self), coherent.components, -1)
        own = self._placed().normal(coherent.stream, coherent.components * coarse * THINNED)
        spectrum = np.fft.rfft(own.reshape(shape))
        f_hz = np.asarray(np.fft.rfftfreq(coarse * THINNED, coherent.dt_s), dtype=np.float64)
        weights = coherent.weights(f_hz)
        spectrum *= np.sqrt(1.0 - weights.sum(axis=0))
        bins = coarse // 2 + 1
        fields = self.fields(
            f"{coherent.stream} in space",
            np.arange(len(COHERENT_KM)), COHERENT_KM, coherent.components * coarse,
        )  # fmt: skip
        for k, weight in enumerate(weights):
            # White noise at every THINNED-th sample has the spectrum of all of it, to its band.
            part = np.fft.rfft(fields[:, k].reshape(shape)) * np.sqrt(THINNED)
            spectrum[..., :bins] += np.sqrt(weight[:bins]) * part
        out = np.fft.irfft(spectrum, n=coarse * THINNED)[..., :count]
        return np.ascontiguousarray(out.reshape(len(self), -1), dtype=np.float32)

    def _placed(self) -> Noise:
        """Noise whose site is its place, of 1 m, whatever number the site has in a job."""
        degrees = np.stack([self.lon % 360.0, self.lat + 90.0])
        x, y = np.round(degrees * 1e5).astype(np.uint64)
        # Finalizer of splitmix64 (Steele, Lea and Flood 2014): neighbours get unlike numbers.
        z = (x << np.uint64(32)) ^ y
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
            z = (z ^ (z >> np.uint64(shift))) * np.uint64(factor)
        site = np.minimum(z & np.uint64(0xFFFFFFFF), np.uint64(2**32 - 2)).astype(np.uint32)
        return Noise(self.seed, self.event, site, self.realization)

    def text(self) -> list[str]:
        """Each key as ``seed/event/site/realization@lon,lat,correlation``."""
        places = zip(super().text(), self.lon.tolist(), self.lat.tolist(), strict=True)
        return [f"{key}@{lon!r},{lat!r},{self.correlation.name}" for key, lon, lat in places]


@dataclass(frozen=True)
class ShiftedNoise(Noise):
    """Noise with something added to some of its streams: conditioned on what is known.

    Parameters
    ----------
    base : n keys, whose numbers are shifted
    shifts : {(stream, per_event): (n, size)}
    """

    base: Noise
    shifts: Mapping[tuple[str, bool], NDArray[np.floating[Any]]]

    @classmethod
    def by(
        cls, base: Noise, shifts: Mapping[tuple[str, bool], NDArray[np.floating[Any]]]
    ) -> ShiftedNoise:
        """A noise, shifted."""
        return cls(base.seed, base.event, base.site, base.realization, base, shifts)

    @classmethod
    def of_rows(cls, base: Noise, parts: Sequence[tuple[NDArray[np.int64], ShiftedNoise]]) -> Noise:
        """n keys, and the shifts of some of their rows at a time."""
        shifts: dict[tuple[str, bool], NDArray[np.float64]] = {}
        for rows, part in parts:
            for key, values in part.shifts.items():
                shifts.setdefault(key, np.zeros((len(base), values.shape[1])))[rows] = values
        return cls.by(base, shifts)

    def take(self, rows: Any) -> ShiftedNoise:
        """The draws of an index array or slice."""
        return self.by(self.base.take(rows), {k: v[rows] for k, v in self.shifts.items()})

    def normal(self, stream: str, size: int, *, per_event: bool = False) -> NDArray[np.float32]:
        """Numbers of one stream, (n, size), no longer standard normal where they are shifted."""
        drawn = self.base.normal(stream, size, per_event=per_event)
        shift = self.shifts.get((stream, per_event))
        return drawn if shift is None else (drawn + shift).astype(np.float32)

    def text(self) -> list[str]:
        """Keys do not tell what noise was conditioned on."""
        raise InputError("conditioned draws have no key that draws them again: keep the waveforms")
