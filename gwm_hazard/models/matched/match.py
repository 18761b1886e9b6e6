"""Waveforms corrected to target spectra: smooth factors on their amplitudes, and small wavelets.

All components of a record are multiplied by one causal, smooth filter of amplitude exp(g(f)), g
linear in ln f between nodes: with the least delays that go with its amplitudes nothing moves
before an onset, and the relation of the components is kept. g is found by Gauss-Newton passes on
ln(target / achieved) of the RotD50 spectrum. The derivative of ln SA with respect to g is the
share of each node in the mean square response of the oscillator (random vibration theory; Boore
2003, Pure Appl. Geophys. 160: 635-676, eq. 22-26, without the change of the peak factor), and
roughness of a pass is penalised, so that no narrow holes come up. After each pass a gain, smooth
in time, lets the energy arrive when it did (:mod:`gwm_hazard.models.matched.pace`).

Amplitudes alone do not set how peak acceleration and velocity stand to the spectrum. So between
these passes small wavelets move the peaks (:mod:`gwm_hazard.models.matched.nudge`).
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
from gwm_hazard.models.matched.nudge import Nudge
from gwm_hazard.models.matched.pace import bring_to_rest, keep_pace, pace_of

Array = NDArray[np.float64]

#: Passes of the correction: the ratio of the spectra, then by turns Gauss-Newton and wavelets.
PASSES = 9
#: Nodes of g, log-spaced between 0.7 times the lowest target frequency and 0.9 Nyquist.
NODES = 60
#: Shortest period that is matched by g; residuals of shorter ones, PGA among them, and of PGV
#: weigh less, and do not pull with more than so much in ln.
SHORTEST_S = 0.05
W_SHORT, W_PGV, SOFT_LIMIT = 0.05, 0.3, 0.1
#: Penalties of a pass: second differences of g between nodes, and g.
W_ROUGH, W_SIZE = 0.001, 0.003

#: Linear steps of a pass, of the first passes and the others, and the largest of them, ln.
SOLVES, LARGEST = (4, 3, 2), 1.0

#: Bands, log-spaced, in which the derivatives take amplitudes together.
BINS = 400

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

    low: NDArray[np.int64]  #: (F,) node below each frequency, and how far to the next
    weight: Array
    nodes: Array  #: (J,) Hz
    bins: NDArray[np.int64]  #: (B,) first frequency of each of some bands
    power: Array  #: (K [+ 1], B) squared transfer function of each target
    node_of_bin: Array  #: (B, J) share of each node
    penalty: Array  #: (J, J)
    trust: Array  #: (K [+ 1],) weight of each residual


@lru_cache(maxsize=32)
def _grid(npts: int, dt_s: float, periods: tuple[float, ...], with_pgv: bool) -> _Grid:
    f = scipy.fft.rfftfreq(npts, dt_s)
    nodes = np.geomspace(0.7 / periods[-1], 0.45 / dt_s, NODES)
    x = np.log(np.maximum(f, 0.5 * f[1]))
    low = np.clip(np.searchsorted(np.log(nodes), x) - 1, 0, NODES - 2)
    weight = np.clip((x - np.log(nodes[low])) / np.log(nodes[1] / nodes[0]), 0.0, 1.0)
    to_node = np.zeros((len(f), NODES))
    to_node[np.arange(len(f)), low], to_node[np.arange(len(f)), low + 1] = 1.0 - weight, weight
    t = np.array(periods)
    r = f * t[:, None]
    power = 1.0 / ((1.0 - r * r) ** 2 + (0.1 * r) ** 2)  # damping 5 %
    trust = np.where(t < SHORTEST_S, W_SHORT, 1.0)
    if with_pgv:
        velocity = np.zeros((1, len(f)))
        velocity[0, 1:] = (2.0 * np.pi * f[1:]) ** -2
        power, trust = np.concatenate([power, velocity]), np.append(trust, W_PGV)
    bins = np.unique(np.searchsorted(f, np.geomspace(f[1], f[-1], BINS)))
    bins[0] = 0
    count = np.diff(bins, append=len(f))
    second = np.diff(np.eye(NODES), 2, axis=0)
    penalty = W_ROUGH * second.T @ second + W_SIZE * np.eye(NODES)
    power = np.add.reduceat(power, bins, axis=1) / count
    node_of_bin = np.add.reduceat(to_node, bins) / count[:, None]
    return _Grid(low, weight, nodes, bins, power, node_of_bin, penalty, trust)


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
        They begin and end at rest.

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
    periods = targets.periods_s
    grid = _grid(npts, dt_s, tuple(periods), targets.ln_pgv is not None)
    wanted = targets.ln_sa
    if targets.ln_pgv is not None:
        wanted = np.column_stack([wanted, targets.ln_pgv])
    pace = pace_of(acc, dt_s)
    nudge = None
    best, least = acc, np.full(len(acc), np.inf)
    for number in range(passes):
        if number and number % 2 == 0:
            if nudge is None:
                found = ln_peaks(acc, dt_s, targets)
                nudge = Nudge(periods, wanted, found, dt_s, pace.envelope)
            acc[:, :2] = nudge(np.ascontiguousarray(acc[:, :2]))
        else:
            spectra = scipy.fft.rfft(acc)
            left = wanted - ln_peaks(acc, dt_s, targets)
            if number > 1:
                best, least = _better(acc, _misfit(left, grid), best, least)
            g = _step(spectra, left, grid, SOLVES[min(number, 2)])
            spectra *= _causal(_on_grid(g, grid), npts)[:, None]
            spectra[..., 0] = 0.0
            acc = scipy.fft.irfft(spectra, n=npts)
            if number < 6:  # later ones change little
                keep_pace(acc, pace.ends, pace.ln_share)
        acc = bring_to_rest(acc, pace)
    # A pass may overshoot: what is nearest counts, not what is last.
    return _better(acc, _misfit(wanted - ln_peaks(acc, dt_s, targets), grid), best, least)[0]


def _misfit(left: Array, grid: _Grid) -> Array:
    """How far records (n,) are from their targets, in all."""
    out: Array = np.sqrt(((left * np.maximum(grid.trust, W_PGV)) ** 2).mean(axis=1))
    return out


def _better(new: Array, misfit: Array, best: Array, least: Array) -> tuple[Array, Array]:
    """Of each record the nearer one."""
    nearer = misfit < least
    return np.where(nearer[:, None, None], new, best), np.where(nearer, misfit, least)


def _causal(ln_amplitude: Array, npts: int) -> NDArray[np.complex128]:
    """Filters (n, F) of these amplitudes that answer nothing before it comes: minimum phase."""
    cepstrum = scipy.fft.irfft(ln_amplitude, n=npts)
    cepstrum[:, 1 : (npts + 1) // 2] *= 2.0
    cepstrum[:, npts // 2 + 1 :] = 0.0
    out: NDArray[np.complex128] = np.exp(scipy.fft.rfft(cepstrum))
    return out


def _on_grid(g: Array, grid: _Grid) -> Array:
    lower, upper = g[:, grid.low], g[:, grid.low + 1]
    return lower + (upper - lower) * grid.weight


def _step(spectra: NDArray[np.complex128], left: Array, grid: _Grid, solves: int) -> Array:
    """g by penalised least squares on the mean square responses, (n, J).

    These are exponential in g: where much is left, one linear step overshoots by as much.
    """
    square = (np.abs(spectra[:, :2]) ** 2).sum(axis=1)
    energy = np.add.reduceat(square, grid.bins, axis=1)[:, None] * grid.power
    before = energy.sum(axis=2)
    # Beyond what phases explain, PGA and PGV must not bend the spectrum.
    soft = grid.trust < 1.0
    pull = np.where(soft, np.clip(left, -SOFT_LIMIT, SOFT_LIMIT), left)
    g = np.zeros((len(left), NODES))
    for _ in range(solves):
        # A product for each record: what it gets must not depend, in the last bit, on the others.
        now = energy * np.exp(2.0 * (g[:, None] @ grid.node_of_bin.T))
        total = now.sum(axis=2)
        # the share of each node in the response to each record
        a = now @ grid.node_of_bin / total[:, :, None] * grid.trust[:, None]
        at = a.transpose(0, 2, 1)
        still = (pull - 0.5 * np.log(total / before)) * grid.trust
        right = (at @ still[:, :, None])[:, :, 0] - (g[:, None] @ grid.penalty)[:, 0]
        step = np.linalg.solve(at @ a + grid.penalty, right[:, :, None])[:, :, 0]
        g += np.clip(step, -LARGEST, LARGEST)
    return g


def ln_peaks(acceleration: NDArray[np.floating], dt_s: float, targets: Targets) -> Array:
    """ln SA (g) at the periods of the targets and, where it is one, ln PGV (cm/s): (n, K [+ 1])."""
    horizontal = np.ascontiguousarray(acceleration[:, :2])
    sa = np.log(rotd(horizontal, dt_s, targets.periods_s)[:, 0])
    if targets.ln_pgv is None:
        return sa
    return np.column_stack([sa, np.log(peak_velocity(horizontal, dt_s)[:, 0])])


def achieved(
    acceleration: NDArray[np.floating], dt_s: float, targets: Targets
) -> tuple[Array, Array]:
    """ln(achieved / target) of SA (n, K), and of PGV (n,), NaN where it is no target."""
    found = ln_peaks(acceleration, dt_s, targets)
    sa = found[:, : len(targets.periods_s)] - targets.ln_sa
    if targets.ln_pgv is None:
        return sa, np.full(len(sa), np.nan)
    return sa, found[:, -1] - targets.ln_pgv
