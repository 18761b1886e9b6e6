"""Counter-based noise: every random number is a pure function of its key.

A draw is keyed by (seed, event, site, realization) and by the name of the stream that a model
asks for. There is no state: any subset of draws, in any order, in batches of any size, in any
number of processes, gives the same numbers, and one draw can be made again from its key.

The generator is Philox4x32-10 (Salmon et al. 2011, *Parallel random numbers: as easy as 1, 2,
3*, SC'11); normals are Box-Muller pairs evaluated in float64. Numbers are made on the CPU and
moved to the device of the model, so that a CPU and a GPU see the same noise.

A sum of such draws whose squared coefficients add up to 1 is standard normal again
(:class:`MixedNoise`). Every noise can be written as a line of text and read back.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gwm_hazard.core.philox import fill_normals
from gwm_hazard.errors import InputError

#: In place of a site for what all sites of an event share.
_EVENT_LEVEL = np.uint32(0xFFFFFFFF)


def _key(name: str, values: ArrayLike, high: int) -> NDArray[Any]:
    array = np.atleast_1d(np.asarray(values))
    if array.dtype.kind not in "iu" or (array.size and (array.min() < 0 or array.max() > high)):
        raise InputError(f"noise key {name} = {values!r}: must be integers from 0 to {high}")
    return array


@dataclass(frozen=True)
class Noise:
    """Standard normal noise for a batch of draws, one key a draw.

    Parameters
    ----------
    seed : int
        0 to 2**64 - 1.
    event, site, realization : array_like of int, shape (n,) or scalar
        The key of each draw: event up to 2**64 - 1, site and realization up to 2**32 - 2.
    """

    seed: int
    event: Any
    site: Any
    realization: Any

    def __post_init__(self) -> None:
        if not isinstance(self.seed, int | np.integer) or not 0 <= self.seed < 2**64:
            raise InputError(f"seed = {self.seed}: must be an integer from 0 to 2**64 - 1")
        event = _key("event", self.event, 2**64 - 1)
        site = _key("site", self.site, 2**32 - 2)
        realization = _key("realization", self.realization, 2**32 - 2)
        n = np.broadcast_shapes(event.shape, site.shape, realization.shape)
        for name, value, dtype in (
            ("event", event, np.uint64),
            ("site", site, np.uint32),
            ("realization", realization, np.uint32),
        ):
            object.__setattr__(
                self, name, np.ascontiguousarray(np.broadcast_to(value, n), dtype=dtype)
            )

    def __len__(self) -> int:
        return len(self.event)

    def take(self, rows: Any) -> Noise:
        """The draws of an index array or slice."""
        return replace(
            self,
            event=self.event[rows],
            site=self.site[rows],
            realization=self.realization[rows],
        )

    def normal(self, stream: str, size: int, *, per_event: bool = False) -> NDArray[np.float32]:
        """Standard normals of one stream.

        Parameters
        ----------
        stream : str
            Any name; different names give independent numbers.
        size : int
            Numbers a draw. A longer row begins with the numbers of a shorter one.
        per_event : bool
            Leave the site out of the key: all sites of an event share the numbers.

        Returns
        -------
        ndarray, shape (n, size), float32
        """
        out = np.empty((len(self), size), dtype=np.float32)
        site = np.full_like(self.site, _EVENT_LEVEL) if per_event else self.site
        code = np.uint32(zlib.crc32(stream.encode()))
        if out.size:
            fill_normals(np.uint64(self.seed), self.event, site, self.realization, code, out)
        return out

    def text(self) -> list[str]:
        """Each key as ``seed/event/site/realization``, which :func:`noise_from_text` reads."""
        columns = (self.event.tolist(), self.site.tolist(), self.realization.tolist())
        return [f"{self.seed}/{e}/{s}/{r}" for e, s, r in zip(*columns, strict=True)]


@dataclass(frozen=True)
class MixedNoise:
    """Standard normal noise for a batch of draws, each a sum of keyed draws.

    Row i is sum over j of ``coefficient[i, j]`` times the numbers of key i of ``parts[j]``, for
    every stream. The keys of a row differ, so the sum is as standard normal as each part. Takes
    the place of :class:`Noise` wherever a model draws.

    Parameters
    ----------
    parts : k noises of n keys
    coefficient : (n, k), the squares of a row add up to 1; where it is 0 nothing is drawn
    """

    parts: tuple[Noise, ...]
    coefficient: NDArray[np.float64]

    def __post_init__(self) -> None:
        lengths = [len(part) for part in self.parts]
        if not lengths or self.coefficient.shape != (lengths[0], len(lengths)):
            raise InputError(
                f"coefficient has shape {self.coefficient.shape}, the parts {lengths} keys: must "
                "be a row a key and a column a part"
            )
        if len(set(lengths)) > 1:
            raise InputError(f"the parts have {lengths} keys: must be as many in each")
        squares = (self.coefficient**2).sum(axis=1)
        if not np.allclose(squares, 1.0, rtol=0.0, atol=1e-6):
            row = int(np.argmax(np.abs(squares - 1.0)))
            raise InputError(
                f"the squared coefficients of row {row} add up to {squares[row]:g}: must be 1"
            )

    @classmethod
    def of(cls, noise: Noise) -> MixedNoise:
        """The same noise as a sum of one part."""
        return cls((noise,), np.ones((len(noise), 1)))

    @classmethod
    def joined(cls, noises: Sequence[MixedNoise]) -> MixedNoise:
        """All rows of noises of one seed, one after another."""
        width = max(len(noise.parts) for noise in noises)
        parts = []
        for j in range(width):
            column = [noise.parts[min(j, len(noise.parts) - 1)] for noise in noises]
            keys = (
                np.concatenate([getattr(part, key) for part in column])
                for key in ("event", "site", "realization")
            )
            parts.append(Noise(column[0].seed, *keys))
        coefficient = [
            np.pad(noise.coefficient, ((0, 0), (0, width - len(noise.parts)))) for noise in noises
        ]
        return cls(tuple(parts), np.concatenate(coefficient))

    def __len__(self) -> int:
        return len(self.coefficient)

    def take(self, rows: Any) -> MixedNoise:
        """The draws of an index array or slice."""
        return MixedNoise(tuple(p.take(rows) for p in self.parts), self.coefficient[rows])

    def turned(self, sine: ArrayLike, fresh: Noise) -> MixedNoise:
        """sqrt(1 - sine**2) of this noise plus sine of a fresh one, standard normal again.

        Parameters
        ----------
        sine : (n,) or scalar, from -1 to 1; rows with 0 stay what they are
        fresh : n keys that occur in no part
        """
        column = np.broadcast_to(np.asarray(sine, dtype=np.float64), len(self))[:, None]
        kept = self.coefficient * np.sqrt(1.0 - column**2)
        return MixedNoise((*self.parts, fresh), np.concatenate([kept, column], axis=1))

    def normal(self, stream: str, size: int, *, per_event: bool = False) -> NDArray[np.float32]:
        """Standard normals of one stream, (n, size); see :meth:`Noise.normal`."""
        out = np.zeros((len(self), size), dtype=np.float32)
        for part, coefficient in zip(self.parts, self.coefficient.T, strict=True):
            rows = np.flatnonzero(coefficient)
            drawn = part.take(rows).normal(stream, size, per_event=per_event)
            out[rows] += coefficient[rows, None].astype(np.float32) * drawn
        return out

    def text(self) -> list[str]:
        """Each row as a sum ``c*seed/event/site/realization+...`` with all digits of c."""
        parts = [part.text() for part in self.parts]
        return [
            "+".join(
                key[i] if c == 1.0 else f"{c!r}*{key[i]}"
                for c, key in zip(row, parts, strict=True)
                if c != 0.0
            )
            for i, row in enumerate(self.coefficient.tolist())
        ]


_TERM = re.compile(r"(?:(-?\d*\.?\d+(?:e-?\d+)?)\*)?(\d+)/(\d+)/(\d+)/(\d+)")


def noise_from_text(keys: Sequence[str]) -> MixedNoise:
    """The noise that ``text()`` of :class:`Noise` or :class:`MixedNoise` wrote.

    Raises
    ------
    ValueError
        A text that is no such key, or keys of several seeds.
    """
    rows = [_terms(key) for key in keys]
    seeds = {seed for row in rows for _, seed, *_ in row}
    if len(seeds) != 1:
        raise InputError(f"keys of seeds {sorted(seeds)}: must be of one seed; read them apart")
    width = max(len(row) for row in rows)
    table = np.zeros((3, width, len(rows)), dtype=np.uint64)
    coefficient = np.zeros((len(rows), width))
    for i, row in enumerate(rows):
        for j, (c, _, *key) in enumerate(row):
            coefficient[i, j] = c
            table[:, j, i] = key
    seed = seeds.pop()
    return MixedNoise(
        tuple(Noise(seed, *(table[k, j] for k in range(3))) for j in range(width)), coefficient
    )


def _terms(key: str) -> list[tuple[float, int, int, int, int]]:
    """(coefficient, seed, event, site, realization) of each term of a key."""
    terms = []
    for term in key.split("+"):
        found = _TERM.fullmatch(term.strip())
        if found is None:
            raise InputError(
                f"noise key {key!r}: must be seed/event/site/realization, or a sum of such keys "
                "with coefficients, 0.8*1/2/0/0+0.6*1/7/0/0"
            )
        seed, event, site, realization = (int(x) for x in found.groups()[1:])
        terms.append((float(found[1] or 1.0), seed, event, site, realization))
    return terms
