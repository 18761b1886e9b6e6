"""Does a model repeat its training records? The nearest training record of each draw.

Two steps: candidates by features that neither a shift, a change of sign nor of amplitude alters
(band averages of the log spectrum, the log envelope), then the largest normalised correlation of
draw and candidate over all lags, which is 1 for a copy.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.stats import mannwhitneyu, norm

from gwm_hazard.benchmark.metrics.envelope import moving_average
from gwm_hazard.errors import InputError

BANDS, TIMES = 24, 32
CANDIDATES = 20
_BLOCK_ROWS = 256
_BLOCK_PAIRS = 128


class Cuts(Protocol):
    """Records (n, n_components, nt), m/s2, aligned and of equal length: an array, or a file's.

    Asked for slices and for arrays of row numbers along the first axis.
    """

    @property
    def shape(self) -> tuple[int, ...]: ...  # noqa: D102

    def __len__(self) -> int: ...

    def __getitem__(self, rows: slice | NDArray[np.int64], /) -> NDArray[np.floating]: ...


class Nearest(NamedTuple):
    """Nearest reference of each record.

    row : (n,) into the references
    correlation : (n,) largest |correlation| over lags, 0 to 1, among the candidates
    distance : (n,) rms difference of the features to the nearest, ln units
    """

    row: NDArray[np.int64]
    correlation: NDArray[np.float64]
    distance: NDArray[np.float64]

    def take(self, part: slice) -> Nearest:
        """Of some of the records."""
        return Nearest(self.row[part], self.correlation[part], self.distance[part])


def features(cut: Cuts, dt_s: float) -> NDArray[np.float64]:
    """Log spectrum and log envelope without their level, (n, n_features)."""
    n, components, nt = cut.shape
    edges = np.geomspace(0.2, 25.0, BANDS + 1)
    band = np.digitize(scipy.fft.rfftfreq(nt, dt_s), edges) - 1
    out = np.empty((n, components * (BANDS + TIMES)))
    for start in range(0, n, _BLOCK_ROWS):
        part = np.asarray(cut[start : start + _BLOCK_ROWS], dtype=np.float64)
        power = np.abs(scipy.fft.rfft(part, axis=-1)) ** 2
        spectrum = np.stack([power[..., band == b].mean(axis=-1) for b in range(BANDS)], axis=-1)
        envelope = moving_average(part, dt_s)[..., :: nt // TIMES][..., :TIMES]
        # a floor of 40 dB: silence, and noise in it, is no feature
        parts = [
            np.log(np.maximum(x, floor * x.max(axis=(1, 2), keepdims=True)) + 1e-300) * half
            for x, floor, half in ((spectrum, 1e-4, 0.5), (envelope, 1e-2, 1.0))
        ]
        flat = [(p - p.mean(axis=(1, 2), keepdims=True)).reshape(len(part), -1) for p in parts]
        out[start : start + _BLOCK_ROWS] = np.concatenate(flat, axis=1)
    return out


def nearest(
    cut: NDArray[np.floating],
    references: Cuts,
    dt_s: float,
    excluded: NDArray[np.bool_] | None = None,
    candidates: int = CANDIDATES,
) -> Nearest:
    """Find the reference record that is nearest to each record.

    cut, references : (n, n_components, nt) and (m, n_components, nt), m/s2, aligned.
    excluded : (n, m) pairs that are not to be compared, as a record with others of its event.

    Memory: the transforms of the records, 8 bytes for each of their padded samples, and the
    features of the references. Raises ValueError where no reference is left for a record.
    """
    chosen, apart = _candidates(cut, references, dt_s, excluded, candidates)
    correlation = _correlations(cut, references, chosen)
    correlation[~np.isfinite(apart)] = -1.0
    best = correlation.argmax(axis=1)[:, None]
    return Nearest(
        np.take_along_axis(chosen, best, axis=1)[:, 0],
        np.take_along_axis(correlation, best, axis=1)[:, 0],
        apart.min(axis=1),
    )


def nearest_distance(
    cut: NDArray[np.floating],
    references: Cuts,
    dt_s: float,
    excluded: NDArray[np.bool_] | None = None,
) -> NDArray[np.float64]:
    """``distance`` of `nearest` alone, (n,)."""
    return _candidates(cut, references, dt_s, excluded, 1)[1][:, 0]


def _candidates(
    cut: NDArray[np.floating],
    references: Cuts,
    dt_s: float,
    excluded: NDArray[np.bool_] | None,
    candidates: int,
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The references of least distance of features, and that distance, (n, candidates) each."""
    if cut.shape[1:] != references.shape[1:]:
        raise InputError(
            f"records {cut.shape[1:]} and references {references.shape[1:]}: the "
            "components and samples must agree"
        )
    own, theirs = features(cut, dt_s), features(references, dt_s)
    most = min(candidates, len(theirs))
    chosen = np.empty((len(own), most), dtype=np.int64)
    apart = np.empty((len(own), most))
    for start in range(0, len(own), _BLOCK_ROWS):
        rows = slice(start, start + _BLOCK_ROWS)
        sums = (own[rows] ** 2).sum(axis=1)[:, None] + (theirs**2).sum(axis=1)
        square = sums - 2.0 * own[rows] @ theirs.T
        if excluded is not None:
            square[excluded[rows]] = np.inf
        if not np.isfinite(square).any(axis=1).all():
            raise InputError("a record has no reference that it may be compared with")
        chosen[rows] = np.argpartition(square, most - 1, axis=1)[:, :most]
        apart[rows] = np.take_along_axis(square, chosen[rows], axis=1)
    return chosen, np.sqrt(np.maximum(apart, 0.0) / own.shape[1])


def _correlations(
    cut: NDArray[np.floating], references: Cuts, chosen: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Largest |correlation| over lags with each chosen reference, components together."""
    size = scipy.fft.next_fast_len(2 * cut.shape[-1], real=True)
    own, length = _transformed(cut, size)
    out = np.zeros(chosen.shape)
    wanted = np.unique(chosen)
    for start in range(0, len(wanted), _BLOCK_ROWS):
        rows = wanted[start : start + _BLOCK_ROWS]
        theirs, lengths = _transformed(references[rows], size)
        first, second = np.nonzero((chosen >= rows[0]) & (chosen <= rows[-1]))
        index = np.searchsorted(rows, chosen[first, second])
        for at in range(0, len(first), _BLOCK_PAIRS):
            i, j, k = (v[at : at + _BLOCK_PAIRS] for v in (first, second, index))
            cross = (own[i] * theirs[k].conj()).sum(axis=1)
            peak = np.abs(scipy.fft.irfft(cross, size, axis=-1)).max(axis=-1)
            product = length[i] * lengths[k]
            out[i, j] = np.divide(peak, product, out=np.zeros(len(i)), where=product > 0)
    return out


def _transformed(
    x: NDArray[np.floating], size: int
) -> tuple[NDArray[np.complex64], NDArray[np.float64]]:
    """Transforms in single precision, and the root of the energy of all components."""
    length = np.sqrt((x.astype(np.float64) ** 2).sum(axis=(1, 2)))
    return scipy.fft.rfft(x.astype(np.float32), size, axis=-1), length


def copying_z(draws: NDArray[np.float64], held_out: NDArray[np.float64]) -> float:
    """z of the draws being nearer to the training records than held-out records are.

    Distances to the nearest training record. Near 0 where both are alike, far below 0 (-3) where
    draws are copies, above 0 where they are farther away: the test of Meehan, Chaudhuri and
    Dasgupta (2020, AISTATS) in one cell, a Mann-Whitney U.
    """
    u, p = mannwhitneyu(draws, held_out, alternative="less", method="asymptotic")
    # the p-value of a far tail underflows; the normal approximation does not
    n, m = len(draws), len(held_out)
    spread = np.sqrt(n * m * (n + m + 1) / 12.0)
    z = (u - n * m / 2.0) / spread
    return float(z if p in (0.0, 1.0) else norm.ppf(p))
