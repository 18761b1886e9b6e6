"""Disjoint halves of the records, by event: how far the observations are from themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gwm_hazard.errors import InputError


def halves_by_event(event_id: ArrayLike, repetitions: int, seed: int) -> NDArray[np.bool_]:
    """Random halves, (repetitions, n): True for the records of the first half.

    Events are dealt in random order, each to the half with fewer records so far, so that the
    halves hold about as many records and no event is in both.

    Raises ValueError for fewer than two events.
    """
    names, event = np.unique(np.asarray(event_id).astype(str), return_inverse=True)
    if len(names) < 2:
        raise InputError(f"{len(names)} event: two halves by event need at least 2")
    sizes = np.bincount(event)
    rng = np.random.default_rng(seed)
    out = np.empty((repetitions, len(event)), dtype=bool)
    for row in out:
        order = rng.permutation(len(names))
        first = np.zeros(len(names), dtype=bool)
        held = [0, 0]
        for e in order:
            side = int(held[1] < held[0]) if held[0] != held[1] else int(rng.integers(2))
            first[e] = side == 0
            held[side] += int(sizes[e])
        row[:] = first[event]
    return out
