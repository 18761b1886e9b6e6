"""Counter-based noise: every random number is a pure function of its key.

A draw is keyed by (seed, event, site, realization) and by the name of the stream that a model
asks for. There is no state: any subset of draws, in any order, in batches of any size, in any
number of processes, gives the same numbers, and one draw can be made again from its key.

The generator is Philox4x32-10 (Salmon et al. 2011, *Parallel random numbers: as easy as 1, 2,
3*, SC'11); normals are Box-Muller pairs evaluated in float64. Numbers are made on the CPU and
moved to the device of the model, so that a CPU and a GPU see the same noise.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import Any

import numba as nb
import numpy as np
from numpy.typing import ArrayLike, NDArray

_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint32(0x9E3779B9), np.uint32(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
#: In place of a site for what all sites of an event share.
_EVENT_LEVEL = np.uint32(0xFFFFFFFF)


@nb.njit(inline="always")
def _philox(c0, c1, c2, c3, k0, k1):  # type: ignore[no-untyped-def]
    """Philox4x32 with 10 rounds: counter (4 x uint32), key (2 x uint32) -> 4 x uint32."""
    for _ in range(10):
        p0 = _M0 * np.uint64(c0)
        p1 = _M1 * np.uint64(c2)
        n0 = np.uint32(np.uint32(p1 >> np.uint64(32)) ^ c1 ^ k0)
        n2 = np.uint32(np.uint32(p0 >> np.uint64(32)) ^ c3 ^ k1)
        c1 = np.uint32(p1 & _LOW)
        c3 = np.uint32(p0 & _LOW)
        c0, c2 = n0, n2
        k0 = np.uint32(k0 + _W0)
        k1 = np.uint32(k1 + _W1)
    return c0, c1, c2, c3


@nb.njit(cache=True)
def _philox_block(counter, key):  # type: ignore[no-untyped-def]
    """One block, for the known-answer tests: (4,) and (2,) uint32 -> (4,) uint32."""
    out = np.empty(4, np.uint32)
    out[0], out[1], out[2], out[3] = _philox(
        counter[0], counter[1], counter[2], counter[3], key[0], key[1]
    )
    return out


@nb.njit(parallel=True, cache=True)
def _normals(seed, event, site, realization, stream, out):  # type: ignore[no-untyped-def]
    """Standard normals into out (n, size); keys: seed, event uint64; site, realization uint32."""
    n, size = out.shape
    two_pi = 2.0 * np.pi
    scale = 1.0 / 4294967296.0
    for i in nb.prange(n):
        # Hash the whole key once into a sub-key and half a counter, then count along the row.
        k0, k1, h2, h3 = _philox(
            np.uint32(event[i] & _LOW),
            np.uint32(event[i] >> np.uint64(32)),
            site[i],
            realization[i],
            np.uint32(seed & _LOW),
            np.uint32(seed >> np.uint64(32)),
        )
        h2 = np.uint32(h2 ^ stream)
        for block in range((size + 3) // 4):
            x0, x1, x2, x3 = _philox(np.uint32(block), np.uint32(0), h2, h3, k0, k1)
            j = 4 * block
            radius = np.sqrt(-2.0 * np.log((x0 + 0.5) * scale))
            angle = two_pi * ((x1 + 0.5) * scale)
            out[i, j] = radius * np.cos(angle)
            if j + 1 < size:
                out[i, j + 1] = radius * np.sin(angle)
            if j + 2 < size:
                radius = np.sqrt(-2.0 * np.log((x2 + 0.5) * scale))
                angle = two_pi * ((x3 + 0.5) * scale)
                out[i, j + 2] = radius * np.cos(angle)
                if j + 3 < size:
                    out[i, j + 3] = radius * np.sin(angle)


def _key(name: str, values: ArrayLike, high: int) -> NDArray[Any]:
    array = np.atleast_1d(np.asarray(values))
    if array.dtype.kind not in "iu" or (array.size and (array.min() < 0 or array.max() > high)):
        raise ValueError(f"noise key {name} = {values!r}: must be integers from 0 to {high}")
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
            raise ValueError(f"seed = {self.seed}: must be an integer from 0 to 2**64 - 1")
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
            _normals(np.uint64(self.seed), self.event, site, self.realization, code, out)
        return out
