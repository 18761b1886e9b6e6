"""The window of a record around its P onset."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: Half-cosine from zeros into the record, and out of it, s.
TAPER_IN_S = 0.25
TAPER_OUT_S = 1.0


def cut(
    acc: NDArray[np.float64], p: int, before: int, npts: int, dt_s: float
) -> tuple[NDArray[np.float32], int, int]:
    """(n, nt) to (n, npts) with sample ``p`` at ``before``; zeros added at the start, at the end.

    ``p`` may lie before the record. Where zeros are added the record is tapered by a half cosine:
    over `TAPER_IN_S` s, or half of what lies before P where that is shorter, and over the last
    `TAPER_OUT_S` s. A record that goes on beyond the window is cut without a taper.
    """
    begin = p - before
    first, last = max(0, begin), min(acc.shape[1], begin + npts)
    piece = acc[:, first:last].copy()
    at_start, at_end = first - begin, begin + npts - last
    if at_start:
        width = max(1, min(round(TAPER_IN_S / dt_s), (p - first) // 2))
        piece[:, :width] *= _ramp(width)
    if at_end:
        width = min(round(TAPER_OUT_S / dt_s), piece.shape[1])
        piece[:, piece.shape[1] - width :] *= _ramp(width)[::-1]
    out = np.pad(piece, [(0, 0), (at_start, at_end)])
    return out.astype(np.float32), at_start, at_end


def _ramp(width: int) -> NDArray[np.float64]:
    return 0.5 * (1 - np.cos(np.pi * (np.arange(width) + 0.5) / width))
