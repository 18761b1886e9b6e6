# Kernels take their types from numba.
# mypy: disable-error-code="no-untyped-def,no-untyped-call"
"""Waveforms corrected to target spectra: smooth factors on their Fourier amplitudes.

Both horizontals of a record are multiplied by exp(g(f)), g linear in ln f between nodes: phases,
and so arrivals, envelope and the relation of the components, are kept. g is found by
Gauss-Newton passes on ln(target / achieved) of the RotD50 spectrum. The derivative of ln SA with
respect to g is the share of each node in the mean square response of the oscillator (random
vibration theory; Boore 2003, Pure Appl. Geophys. 160: 635-676, eq. 22-26, without the change of
the peak factor), and roughness of a pass is penalised, so that no narrow holes come up.

Amplitudes alone do not set how peak acceleration and velocity stand to the spectrum: that is in
the phases. PGA, the periods below :data:`SHORTEST_S`, which follow it, and PGV are so targets of
less weight; what they come to beyond the spectrum is the record's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache

import numba
import numpy as np
import scipy.fft
from numpy.typing import NDArray

from gwm_hazard.errors import InputError
from gwm_hazard.intensity import peak_velocity, rotd

Array = NDArray[np.float64]

#: Passes of the correction.
PASSES = 5
#: Nodes of g, log-spaced between 0.7 times the lowest target frequency and 0.9 Nyquist.
NODES = 60
#: Shortest period that is matched; residuals of shorter ones, of PGA and of PGV weigh less.
SHORTEST_S = 0.05
W_SHORT, W_PGV = 0.2, 0.6
#: Largest ln residual with which such a target pulls.
SOFT_LIMIT = 0.1
#: Penalties of a pass: second differences of g between nodes, and g.
W_ROUGH, W_SIZE = 0.001, 0.003

#: Records that a thread corrects at once: their work arrays stay near the caches.
CHUNK = 16


@dataclass(frozen=True)
class Targets:
    """Spectra (RotD50) that n records are to have.

    Attributes
    ----------
    periods_s : (K,), increasing, s; 0 stands for PGA
    ln_sa : (n, K), ln of g
    ln_pgv : (n,), ln of cm/s, or None where PGV is left to the records
    """

    periods_s: Array
    ln_sa: Array
    ln_pgv: Array | None = None

    def __post_init__(self) -> None:
        p = self.periods_s
        if p.ndim != 1 or len(p) < 2 or p[0] < 0.0 or (np.diff(p) <= 0.0).any():
            raise InputError(f"periods_s = {p}: must be at least two, >= 0 and increasing, in s")
        if self.ln_sa.shape != (len(self), len(p)):
            raise InputError(f"ln_sa has shape {self.ln_sa.shape}: must be (n, {len(p)})")
        values = [self.ln_sa] if self.ln_pgv is None else [self.ln_sa, self.ln_pgv]
        for value in values:
            if len(value) != len(self) or not np.isfinite(value).all():
                raise InputError("targets: must be finite numbers, ln of g and of cm/s, a row each")

    def __len__(self) -> int:
        return len(self.ln_sa)

    def take(self, rows: slice) -> Targets:
        """The targets of some records."""
        pgv = None if self.ln_pgv is None else self.ln_pgv[rows]
        return Targets(self.periods_s, self.ln_sa[rows], pgv)


@dataclass(frozen=True)
class _Grid:
    """What all records of a length share."""

    f: Array  #: (F,) Hz
    low: NDArray[np.int64]  #: node below each frequency, and how far to the next
    weight: Array
    nodes: Array  #: (J,) Hz
    power: Array  #: (K [+ 1], F) squared transfer function of each target
    penalty: Array  #: (J, J)
    trust: Array  #: (K [+ 1],) weight of each residual


@lru_cache(maxsize=32)
def _grid(npts: int, dt_s: float, periods: tuple[float, ...], with_pgv: bool) -> _Grid:
    f = scipy.fft.rfftfreq(npts, dt_s)
    nodes = np.geomspace(0.7 / periods[-1], 0.45 / dt_s, NODES)
    x = np.log(np.maximum(f, 0.5 * f[1]))
    low = np.clip(np.searchsorted(np.log(nodes), x) - 1, 0, NODES - 2)
    step = np.log(nodes[1] / nodes[0])
    weight = np.clip((x - np.log(nodes[low])) / step, 0.0, 1.0)
    t = np.array(periods)
    r = f * t[:, None]
    power = 1.0 / ((1.0 - r * r) ** 2 + (0.1 * r) ** 2)  # damping 5 %
    trust = np.where(t < SHORTEST_S, W_SHORT, 1.0)
    if with_pgv:
        velocity = np.zeros((1, len(f)))
        velocity[0, 1:] = (2.0 * np.pi * f[1:]) ** -2
        power, trust = np.concatenate([power, velocity]), np.append(trust, W_PGV)
    second = np.diff(np.eye(NODES), 2, axis=0)
    penalty = W_ROUGH * second.T @ second + W_SIZE * np.eye(NODES)
    return _Grid(f, low, weight, nodes, power, penalty, trust)


@numba.njit(cache=True, nogil=True)
def _shares(square, power, low, weight, out):
    """Share of each node in the mean square response to each record: (n, K, J), sums to 1.

    square (n, F): squared Fourier amplitudes, both components together.
    """
    n, n_f = square.shape
    for i in range(n):
        for k in range(power.shape[0]):
            total = 0.0
            out[i, k] = 0.0
            for m in range(n_f):
                e = square[i, m] * power[k, m]
                total += e
                out[i, k, low[m]] += e * (1.0 - weight[m])
                out[i, k, low[m] + 1] += e * weight[m]
            for j in range(out.shape[2]):
                out[i, k, j] /= total


def match(
    acceleration: NDArray[np.floating], dt_s: float, targets: Targets, passes: int = PASSES
) -> NDArray[np.float32]:
    """Records corrected to their targets.

    Each record's result depends on the record and its target only.

    Parameters
    ----------
    acceleration : (n, 2 or 3, npts), m/s2
        Horizontals first. A vertical is multiplied by the same factors: its ratio to the
        horizontals stays the record's own.
    dt_s : time step, s
    targets : n spectra
    passes : of the correction

    Returns
    -------
    ndarray, shape of ``acceleration``, float32, m/s2
        They end with the velocity and displacement that they start with.

    Raises
    ------
    InputError
        One component, another number of targets than records, or a record without motion.
    """
    acc = np.asarray(acceleration)
    if acc.ndim != 3 or acc.shape[1] not in (2, 3):
        raise InputError(
            f"acceleration has shape {acc.shape}: must be (n, 2 or 3, npts), two horizontals first"
        )
    if len(acc) != len(targets):
        raise InputError(f"{len(acc)} records but {len(targets)} targets")
    moves = np.abs(acc[:, :2]).max(axis=2).min(axis=1)
    still = ~((moves > 0.0) & np.isfinite(acc).all(axis=(1, 2)))
    if still.any():
        raise InputError(
            f"record {int(np.argmax(still))}: a horizontal is zero throughout or not finite: it "
            "cannot be matched to a spectrum"
        )
    out = np.empty(acc.shape, dtype=np.float32)

    def work(rows: slice) -> None:
        out[rows] = _matched(acc[rows].astype(np.float64), dt_s, targets.take(rows), passes)

    _in_threads(work, list(_chunks(len(acc))))
    return out


def _chunks(n: int) -> Iterator[slice]:
    for start in range(0, n, CHUNK):
        yield slice(start, min(start + CHUNK, n))


def _in_threads(work, chunks: list[slice]) -> None:  # type: ignore[no-untyped-def]
    threads = min(numba.get_num_threads(), len(chunks))
    if threads < 2:
        for rows in chunks:
            work(rows)
        return
    # The kernels inside keep to the one thread that calls them.
    with ThreadPoolExecutor(threads, initializer=numba.set_num_threads, initargs=(1,)) as pool:
        for done in [pool.submit(work, rows) for rows in chunks]:
            done.result()


def _matched(acc: Array, dt_s: float, targets: Targets, passes: int) -> Array:
    npts = acc.shape[-1]
    grid = _grid(npts, dt_s, tuple(targets.periods_s), targets.ln_pgv is not None)
    wanted = targets.ln_sa
    if targets.ln_pgv is not None:
        wanted = np.column_stack([wanted, targets.ln_pgv])
    raw = scipy.fft.rfft(acc)
    raw[..., 0] = 0.0
    square = (np.abs(raw[:, :2]) ** 2).sum(axis=1)
    g = np.zeros((len(acc), NODES))
    shares = np.empty((len(acc), len(grid.trust), NODES))
    best, misfit = acc, np.full(len(acc), np.inf)
    for number in range(passes + 1):
        factor = np.exp(_on_grid(g, grid))
        now = _at_rest(scipy.fft.irfft(raw * factor[:, None], n=npts))
        found = np.log(rotd(now[:, :2], dt_s, targets.periods_s)[:, 0])
        if targets.ln_pgv is not None:
            found = np.column_stack([found, np.log(peak_velocity(now[:, :2], dt_s)[:, 0])])
        left = wanted - found
        size = (np.abs(left) * grid.trust).sum(axis=1)
        better = size < misfit
        best = np.where(better[:, None, None], now, best)
        misfit = np.where(better, size, misfit)
        if number == passes:
            break
        if number == 0:
            # Far from the target the derivatives say little: the ratio itself, at f = 1 / T.
            g += _ratio(left, targets.periods_s, grid)
            continue
        _shares(square * factor**2, grid.power, grid.low, grid.weight, shares)
        g += _step(shares, left, grid)
    return best


def _on_grid(g: Array, grid: _Grid) -> Array:
    lower, upper = g[:, grid.low], g[:, grid.low + 1]
    return lower + (upper - lower) * grid.weight


def _ratio(left: Array, periods: Array, grid: _Grid) -> Array:
    use = np.flatnonzero(periods >= min(SHORTEST_S, periods[-2]))
    x = np.log(grid.nodes)
    return np.stack([np.interp(x, -np.log(periods[use][::-1]), row[use][::-1]) for row in left])


def _step(shares: Array, left: Array, grid: _Grid) -> Array:
    """The penalised least-squares step of g, (n, J)."""
    a = shares * grid.trust[:, None]
    at = a.transpose(0, 2, 1)
    # Beyond what phases explain, PGA and PGV must not bend the spectrum.
    soft = grid.trust < 1.0
    pull = np.where(soft, np.clip(left, -SOFT_LIMIT, SOFT_LIMIT), left)
    right = at @ (pull * grid.trust)[:, :, None]
    step = np.linalg.solve(at @ a + grid.penalty, right)[:, :, 0]
    return np.asarray(step, dtype=np.float64)


def _at_rest(acc: Array) -> Array:
    """Records whose displacement ends at 0: one sine over the whole record takes the rest away.

    Their mean is 0 already, and so the velocity at the end.
    """
    npts = acc.shape[-1]
    at = np.arange(npts)
    weight = (npts - 1.0) - at  # displacement at the end by two trapezoidal rules, in dt**2
    weight[0] = 0.5 * (npts - 1) - 0.25
    weight[-1] = 0.25
    sine = np.sin(2.0 * np.pi / npts * at)
    offset = (acc * weight).sum(axis=-1, keepdims=True) / (sine @ weight)
    return acc - offset * sine


def achieved(
    acceleration: NDArray[np.floating], dt_s: float, targets: Targets
) -> tuple[Array, Array]:
    """ln(achieved / target) of SA (n, K), and of PGV (n,), NaN where it is no target."""
    horizontal = np.ascontiguousarray(acceleration[:, :2])
    sa = np.log(rotd(horizontal, dt_s, targets.periods_s)[:, 0]) - targets.ln_sa
    if targets.ln_pgv is None:
        return sa, np.full(len(sa), np.nan)
    return sa, np.log(peak_velocity(horizontal, dt_s)[:, 0]) - targets.ln_pgv
