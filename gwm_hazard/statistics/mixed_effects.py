"""Variability split into terms of events, of sites and what remains: crossed random effects.

y = X b + event term + site term + remainder, all normal. Variances by restricted maximum
likelihood (REML; Patterson and Thompson 1971). The terms of each kind alone have a diagonal
matrix, so that the larger kind is eliminated and a likelihood costs the cube of the number of the
smaller one: what general programs need minutes for takes a fraction of a second.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from gwm_hazard.errors import InputError

#: Groups with two records or more that must be there for a term to be told apart.
LEAST_GROUPS = 10
#: Part of a column of the fixed terms, at least, that the columns before it do not explain.
COLLINEAR = 1e-7


@dataclass(frozen=True)
class Split:
    """A fitted mixed-effects model.

    Attributes
    ----------
    beta : (n_columns,) coefficients of the fixed part
    tau : standard deviation between events
    phi_s2s : between sites
    phi_ss : of what remains
    log_likelihood : restricted log-likelihood
    A term that the records cannot tell apart has a standard deviation of NaN and belongs to the
    rest.
    """

    beta: NDArray[np.float64]
    tau: float
    phi_s2s: float
    phi_ss: float
    log_likelihood: float

    @property
    def sigma(self) -> float:
        """Total standard deviation."""
        return float(np.sqrt(np.nansum([self.tau**2, self.phi_s2s**2, self.phi_ss**2])))


def split(
    y: NDArray[np.float64],
    x: NDArray[np.float64],
    event: NDArray[np.int64],
    site: NDArray[np.int64],
) -> Split:
    """Fit by REML.

    y : (n,); x : (n, n_columns) with a column of ones; event, site : (n,) of each record. Columns
    that follow from others (the magnitudes of two events and their squares) get coefficient 0.
    Raises ValueError for fewer records than twice the columns.
    """
    n, p = x.shape
    if n < 2 * p + 2:
        raise InputError(f"{n} records do not tell {p} coefficients and their variability")
    kept = _independent(x)
    beta = np.zeros(p)
    x = x[:, kept]
    has_event, has_site = _repeated(event), _repeated(site)
    problem = _Problem(y, x, event, site)

    def objective(free: NDArray[np.float64]) -> float:
        return -problem.evaluate(*_full(free, has_event, has_site))[0]

    n_free = int(has_event) + int(has_site)
    best = np.zeros(0)
    if n_free:
        starts = [np.array(c) for c in itertools.product((0.2, 0.7, 2.0), repeat=n_free)]
        start = min(starts, key=objective)
        best = minimize(objective, start, method="L-BFGS-B", bounds=[(0.0, 30.0)] * n_free).x
    ratio_event, ratio_site = _full(best, has_event, has_site)
    value, beta[kept], variance = problem.evaluate(ratio_event, ratio_site)
    phi_ss = float(np.sqrt(variance))
    return Split(
        beta,
        ratio_event * phi_ss if has_event else float("nan"),
        ratio_site * phi_ss if has_site else float("nan"),
        phi_ss,
        value,
    )


def _independent(x: NDArray[np.float64]) -> NDArray[np.int64]:
    """Columns of x that do not follow from the ones before them."""
    unit = x / np.maximum(np.linalg.norm(x, axis=0), 1e-300)
    # without pivoting a column's own part beside the former ones stands on the diagonal
    return np.flatnonzero(np.abs(np.diag(np.linalg.qr(unit)[1])) > COLLINEAR)


def _repeated(group: NDArray[np.int64]) -> bool:
    """Whether enough groups hold two records or more, and not all records one group."""
    count = np.bincount(group)
    return bool((count >= 2).sum() >= LEAST_GROUPS)


def _full(free: NDArray[np.float64], has_event: bool, has_site: bool) -> tuple[float, float]:
    values = iter(free.tolist())
    return (next(values) if has_event else 0.0, next(values) if has_site else 0.0)


class _Problem:
    """The restricted likelihood of given ratios of standard deviations to the remainder's."""

    def __init__(
        self,
        y: NDArray[np.float64],
        x: NDArray[np.float64],
        event: NDArray[np.int64],
        site: NDArray[np.int64],
    ) -> None:
        self.n, self.p = x.shape
        columns = np.column_stack([x, y])
        self.square = columns.T @ columns
        groups = [np.unique(g, return_inverse=True)[1] for g in (event, site)]
        self.swapped = groups[0].max() > groups[1].max()  # the smaller kind comes first
        if self.swapped:
            groups.reverse()
        small, large = groups
        self.sums = []
        self.counts = []
        for group in (small, large):
            total = np.zeros((group.max() + 1, self.p + 1))
            np.add.at(total, group, columns)
            self.sums.append(total)
            self.counts.append(np.bincount(group).astype(np.float64))
        # records of both groups by group of the larger kind: starts, group of the other, number
        pairs, number = np.unique(np.stack([large, small]), axis=1, return_counts=True)
        self.start = np.searchsorted(pairs[0], np.arange(large.max() + 2))
        self.other, self.number = pairs[1].astype(np.int64), number.astype(np.float64)

    def evaluate(
        self, ratio_event: float, ratio_site: float
    ) -> tuple[float, NDArray[np.float64], float]:
        """Log-likelihood, coefficients and variance of the remainder, for given ratios.

        With V = I + Z D^2 Z', D the ratios and M = I + D Z'Z D: V^-1 = I - Z D M^-1 D Z' and
        det V = det M, both by the Schur complement of the larger, diagonal block of M.
        """
        g, h = (ratio_site, ratio_event) if self.swapped else (ratio_event, ratio_site)
        (small, large), (n_small, n_large) = self.sums, self.counts
        inner, ln_det = _reduced(
            g, h, small, large, n_small, n_large, self.start, self.other, self.number, self.square
        )
        xx, xy, yy = inner[:-1, :-1], inner[:-1, -1], inner[-1, -1]
        beta = np.linalg.solve(xx, xy)
        dof = self.n - self.p
        variance = float(yy - xy @ beta) / dof
        ln_det_x = float(np.linalg.slogdet(xx)[1])
        value = -0.5 * (dof * (np.log(2.0 * np.pi * variance) + 1.0) + ln_det + ln_det_x)
        return float(value), beta, variance


@numba.njit(cache=True, nogil=True)
def _reduced(
    g: Any,
    h: Any,
    sums: Any,
    sums_large: Any,
    count: Any,
    count_large: Any,
    start: Any,
    other: Any,
    number: Any,
    square: Any,
) -> Any:
    """W' V^-1 W of the columns W, and ln det V; loops, as the matrices are small and sparse."""
    m, k = sums.shape
    schur = np.zeros((m, m))
    a = g * sums
    inner = square.copy()
    ln_det = 0.0
    for i in range(m):
        schur[i, i] = 1.0 + g * g * count[i]
    for s in range(len(count_large)):
        d = 1.0 + h * h * count_large[s]
        ln_det += np.log(d)
        for c1 in range(k):
            for c2 in range(k):
                inner[c1, c2] -= h * h * sums_large[s, c1] * sums_large[s, c2] / d
        for u in range(start[s], start[s + 1]):
            off = g * h * number[u] / d
            for c in range(k):
                a[other[u], c] -= off * h * sums_large[s, c]
            for v in range(start[s], start[s + 1]):
                schur[other[u], other[v]] -= off * g * h * number[v]
    for i in range(m):  # Cholesky in place, and its solution for every column
        for j in range(i + 1):
            total = schur[i, j]
            for q in range(j):
                total -= schur[i, q] * schur[j, q]
            schur[i, j] = np.sqrt(total) if i == j else total / schur[j, j]
        ln_det += 2.0 * np.log(schur[i, i])
        for c in range(k):
            value = a[i, c]
            for q in range(i):
                value -= schur[i, q] * a[q, c]
            a[i, c] = value / schur[i, i]
    for i in range(m):
        for c1 in range(k):
            for c2 in range(k):
                inner[c1, c2] -= a[i, c1] * a[i, c2]
    return inner, ln_det
