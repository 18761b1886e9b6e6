"""Mixed models: terms of events, of sites, and what remains; by maximum likelihood.

    y = X b + event term + site term + remainder,
    V = phi^2 I + tau^2 Ze Ze' + phi_s2s^2 Zs Zs'

with independent normal terms. The terms of one kind alone have a diagonal matrix: with events only
V falls into one block an event, with determinant and inverse in closed form (Abrahamson and Youngs
1992, BSSA 82(1): 505-510). Events and sites together are crossed (Stafford 2014, BSSA 104(2):
702-719): the kind of more groups is eliminated in closed form and the other by one Cholesky factor
of their number (Woodbury identity), so that a likelihood costs the cube of the smaller number:
what general programs need minutes for takes a fraction of a second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import brentq, minimize
from scipy.sparse import coo_array

from gwm_hazard.errors import InputError

Array = NDArray[np.float64]

#: Part of a column of the fixed terms, at smallest, that the columns before it do not explain.
COLLINEAR = 1e-7
#: Half of the 95 % point of chi-squared with one degree of freedom.
_HALF_CHI2 = 1.9207294
#: The least standard deviation, as a part of that of the remainder.
_SMALL = 1e-4


@dataclass(frozen=True)
class Spread:
    """Standard deviations: between events, between sites, remaining."""

    tau: float
    phi_s2s: float
    phi: float

    @property
    def sigma(self) -> float:
        """Total standard deviation."""
        return float(np.linalg.norm([self.tau, self.phi_s2s, self.phi]))


@dataclass(frozen=True)
class Estimate:
    """A fitted model.

    Attributes
    ----------
    beta, error : (n_columns,) coefficients of the fixed part and their standard errors
    spread : standard deviations; 0 of a term that the records cannot tell apart
    terms : names of the standard deviations that were estimated
    ln_likelihood : restricted, where that was asked for
    intervals : 95 % profile-likelihood intervals by term, where they were asked for
    """

    beta: Array
    error: Array
    spread: Spread
    terms: tuple[str, ...]
    ln_likelihood: float
    n_records: int
    n_events: int
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)


class Groups:
    """Which event and, where sites have a term, which site each row belongs to.

    event, site : (n,) labels of any kind
    """

    def __init__(self, event: NDArray[Any], site: NDArray[Any] | None = None) -> None:
        labels = {"tau": event} if site is None else {"tau": event, "phi_s2s": site}
        self.n = len(event)
        self._index = {k: np.unique(v, return_inverse=True)[1] for k, v in labels.items()}
        self.sizes = {k: np.bincount(v).astype(np.float64) for k, v in self._index.items()}
        # the kind of more groups is eliminated in closed form
        *self._few, self._many = sorted(labels, key=lambda k: len(self.sizes[k]))
        if self._few:
            places = [self._index[k] for k in (self._few[0], self._many)]
            shape = tuple(len(self.sizes[k]) for k in (self._few[0], self._many))
            self._cross = coo_array((np.ones(self.n), tuple(places)), shape=shape).tocsr()

    def solve(self, x: Array, s: Spread) -> Array:
        """V^-1 x for x (n, k)."""
        return self._solved(x, s)[0]

    def random_terms(self, x: Array, s: Spread, kind: str = "tau") -> Array:
        """Best linear predictor of the terms of a kind ("tau", "phi_s2s"), (n_groups, k)."""
        return getattr(s, kind) ** 2 * self._sum(kind, self.solve(x, s))

    def ln_likelihood(self, r: Array, s: Spread) -> float:
        """ln density of r (n,) with mean 0 and covariance V."""
        return self.generalised(r, np.empty((self.n, 0)), s)[0]

    def generalised(
        self, y: Array, x: Array, s: Spread, restricted: bool = False
    ) -> tuple[float, Array, Array]:
        """ln likelihood, and coefficients of x (n, p) by generalised least squares with errors.

        restricted : the likelihood of what is left of y (n,) without x (REML; Patterson and
            Thompson 1971)
        """
        columns = np.column_stack([x, y])
        solved, total = self._solved(columns, s)
        inner = columns.T @ solved
        information = inner[:-1, :-1]
        inverse = np.linalg.inv(information)
        beta: Array = inverse @ inner[:-1, -1]
        n = self.n
        if restricted:
            n -= x.shape[1]
            total += float(np.linalg.slogdet(information)[1])
        square = float(inner[-1, -1] - inner[-1, :-1] @ beta)
        value = -0.5 * (n * np.log(2.0 * np.pi) + total + square)
        return value, beta, np.sqrt(np.diag(inverse))

    def _sum(self, kind: str, x: Array) -> Array:
        """Sums of x (n, k) by group, (n_groups, k)."""
        index, size = self._index[kind], len(self.sizes[kind])
        return np.stack([np.bincount(index, column, size) for column in x.T], axis=1)

    def _solved(self, x: Array, s: Spread) -> tuple[Array, float]:
        """V^-1 x and ln |V|."""
        many, size = self._index[self._many], self.sizes[self._many]
        h2, phi2 = getattr(s, self._many) ** 2, s.phi**2
        weight = h2 / (phi2 + size * h2)

        def without(x: Array) -> Array:
            """(phi^2 I + h^2 Z Z')^-1 x, Z of the kind of more groups."""
            return (x - (weight[:, None] * self._sum(self._many, x))[many]) / phi2

        ln_determinant = self.n * np.log(phi2) + np.log1p(size * h2 / phi2).sum()
        out = without(x)
        if self._few:
            (few,) = self._few
            g2 = getattr(s, few) ** 2
            crossed = ((self._cross * weight) @ self._cross.T).toarray()
            inner = -g2 / phi2 * crossed
            inner[np.diag_indices_from(inner)] += 1.0 + g2 / phi2 * self.sizes[few]
            factor = cho_factor(inner, lower=True)
            ln_determinant += 2.0 * np.log(np.diag(factor[0])).sum()
            out = out - without(g2 * cho_solve(factor, self._sum(few, out))[self._index[few]])
        return out, float(ln_determinant)


def fit(
    groups: Groups,
    y: Array,
    x: Array | None = None,
    *,
    restricted: bool = False,
    repeated: int = 0,
    intervals: bool = False,
) -> Estimate:
    """Standard deviations and coefficients of the largest likelihood.

    Parameters
    ----------
    y : (n,)
    x : (n, n_columns) the fixed part; by default the mean is 0. Columns that follow from others
        (the magnitudes of two events and their squares) get coefficient 0.
    restricted : by restricted maximum likelihood, which takes the coefficients into account
    repeated : groups with two records or more that must be there for a term to be told apart.
        Such a term, and that of a single group, is 0: it belongs to the rest.
    intervals : also of each standard deviation. A profile interval is right at the edge too, where
        tau is 0 (its lower end is then 0).

    Raises
    ------
    ValueError
        Fewer records than twice the columns, restricted.
    """
    columns = np.empty((len(y), 0)) if x is None else x
    n, p = columns.shape
    if restricted and n < 2 * p + 2:
        raise InputError(f"{n} records do not tell {p} coefficients and their variability")
    kept = _independent(columns)
    likelihood = _Likelihood(groups, y, columns[:, kept], restricted)
    sizes = groups.sizes.items()
    random = [k for k, v in sizes if len(v) > 1 and (v >= 2).sum() >= repeated]
    terms = (*random, "phi")
    spread = likelihood.maximise(terms, {}, likelihood.scale / len(terms) ** 0.5)
    value, *found = groups.generalised(y, columns[:, kept], spread, restricted)
    beta, error = np.zeros((2, p))
    beta[kept], error[kept] = found
    best = Estimate(beta, error, spread, terms, value, n, len(groups.sizes["tau"]))
    if not intervals:
        return best
    return replace(best, intervals={name: likelihood.interval(name, best) for name in terms})


def _independent(x: Array) -> NDArray[np.int64]:
    """Columns of x that do not follow from the ones before them."""
    unit = x / np.maximum(np.linalg.norm(x, axis=0), 1e-300)
    # without pivoting a column's own part beside the former ones stands on the diagonal
    return np.flatnonzero(np.abs(np.diag(np.linalg.qr(unit)[1])) > COLLINEAR)


@dataclass(frozen=True)
class _Likelihood:
    """The likelihood as a function of standard deviations."""

    groups: Groups
    y: Array
    x: Array
    restricted: bool

    def at(self, s: Spread) -> float:
        return self.groups.generalised(self.y, self.x, s, self.restricted)[0]

    @property
    def scale(self) -> float:
        """Standard deviation about the fixed part."""
        r = self.y - self.x @ np.linalg.lstsq(self.x, self.y, rcond=None)[0]
        return max(float(np.std(r)), 1e-3)

    def maximise(self, terms: tuple[str, ...], fixed: dict[str, float], start: float) -> Spread:
        """Standard deviations of the largest likelihood; those not free nor fixed are 0."""
        smallest = _SMALL * max(start, 1e-3)

        def spread(values: Array) -> Spread:
            given = dict(zip(terms, map(float, values), strict=True))
            return Spread(**({"tau": 0.0, "phi_s2s": 0.0, "phi": smallest} | fixed | given))

        if not terms:
            return spread(np.array([]))
        bounds = [(smallest if name == "phi" else 0.0, None) for name in terms]
        found = minimize(
            lambda values: -self.at(spread(values)) / self.groups.n,
            np.full(len(terms), start),
            method="L-BFGS-B",
            bounds=bounds,
            options={"ftol": 1e-13, "gtol": 1e-7},
        )
        return spread(found.x)

    def interval(self, name: str, best: Estimate) -> tuple[float, float]:
        """Where the likelihood, the other terms at their best, has fallen by half of chi^2."""
        others = tuple(t for t in best.terms if t != name)
        hat, scale = getattr(best.spread, name), best.spread.phi

        def below(value: float) -> float:
            s = self.maximise(others, {name: value}, scale)
            return best.ln_likelihood - self.at(s) - _HALF_CHI2

        return _ends(below, hat, scale)


def _ends(below: Callable[[float], float], hat: float, scale: float) -> tuple[float, float]:
    smallest = _SMALL * scale
    low = 0.0
    if hat > smallest and below(smallest) > 0.0:
        low = float(brentq(below, smallest, hat, xtol=smallest))
    high = max(1.3 * hat, 0.1 * scale)
    while below(high) < 0.0 and high < 1e3 * scale:
        high *= 1.5
    return low, float(brentq(below, max(hat, smallest), high, xtol=smallest))
