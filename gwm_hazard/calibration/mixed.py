"""Mixed models of residuals: between events, optionally between sites, and what remains.

A residual is ``r = b_event + s_site + w`` with independent normal terms, so that

    V = phi^2 I + phi_s2s^2 Zs Zs' + tau^2 Ze Ze'.

Without the site term V falls into one block an event, with determinant and inverse in closed form
(Abrahamson and Youngs 1992, BSSA 82(1): 505-510). With it, sites and events are crossed (Stafford
2014, BSSA 104(2): 702-719): the sites are eliminated in closed form and the events by one
Cholesky factor of their number (Woodbury identity).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import brentq, minimize

from gwm_hazard.errors import InputError

Array = NDArray[np.float64]

#: Half of the 95 % point of chi-squared with one degree of freedom.
_HALF_CHI2 = 1.9207294


@dataclass(frozen=True)
class Spread:
    """Standard deviations, ln units: between events, between sites, remaining."""

    tau: float
    phi_s2s: float
    phi: float


@dataclass(frozen=True)
class Estimate:
    """Maximum-likelihood values with 95 % profile-likelihood intervals."""

    mean: float
    mean_error: float
    spread: Spread
    intervals: dict[str, tuple[float, float]]
    ln_likelihood: float
    n_records: int
    n_events: int


class Groups:
    """Which event and, where sites have a term, which site each row belongs to.

    event, site : (n,) labels of any kind
    """

    def __init__(self, event: NDArray[Any], site: NDArray[Any] | None = None) -> None:
        _, self.event = np.unique(event, return_inverse=True)
        self.n = len(self.event)
        self.size = np.bincount(self.event).astype(np.float64)
        self.site: NDArray[np.int64] | None = None
        if site is not None:
            _, self.site = np.unique(site, return_inverse=True)
            self.site_size = np.bincount(self.site).astype(np.float64)
            self.cross = np.zeros((len(self.size), len(self.site_size)))
            np.add.at(self.cross, (self.event, self.site), 1.0)

    def ln_determinant(self, s: Spread) -> float:
        """ln |V|."""
        total = self.n * np.log(s.phi**2)
        if self.site is not None:
            total += np.log1p(self.site_size * s.phi_s2s**2 / s.phi**2).sum()
            factor = cho_factor(self._events(s), lower=True)[0]
            return float(total + 2.0 * np.log(np.diag(factor)).sum())
        return float(total + np.log1p(s.tau**2 * self.size / s.phi**2).sum())

    def solve(self, x: Array, s: Spread) -> Array:
        """V^-1 x for x (n, k)."""
        inner = self._without_events(x, s)
        return inner - self._without_events(self.event_terms(x, s)[self.event], s)

    def event_terms(self, x: Array, s: Spread) -> Array:
        """tau^2 Ze' V^-1 x, the best linear predictor of the event terms, (n_events, k)."""
        sums = _sum_by(self.event, self._without_events(x, s), len(self.size))
        if self.site is None:
            weight = s.tau**2 / (1.0 + s.tau**2 * self.size / s.phi**2)
            return weight[:, None] * sums
        return s.tau**2 * cho_solve(cho_factor(self._events(s), lower=True), sums)

    def site_terms(self, x: Array, s: Spread) -> Array:
        """phi_s2s^2 Zs' V^-1 x, the best linear predictor of the site terms, (n_sites, k)."""
        if self.site is None:
            raise InputError("the groups have no sites")
        return s.phi_s2s**2 * _sum_by(self.site, self.solve(x, s), len(self.site_size))

    def ln_likelihood(self, r: Array, s: Spread) -> float:
        """ln density of r (n,) with mean 0 and covariance V."""
        square = float(r @ self.solve(r[:, None], s)[:, 0])
        return -0.5 * (self.n * np.log(2.0 * np.pi) + self.ln_determinant(s) + square)

    def _without_events(self, x: Array, s: Spread) -> Array:
        """(phi^2 I + phi_s2s^2 Zs Zs')^-1 x."""
        if self.site is None:
            return x / s.phi**2
        weight = s.phi_s2s**2 / (s.phi**2 + self.site_size * s.phi_s2s**2)
        sums = weight[:, None] * _sum_by(self.site, x, len(self.site_size))
        return (x - sums[self.site]) / s.phi**2

    def _events(self, s: Spread) -> Array:
        """I + tau^2 Ze' (phi^2 I + phi_s2s^2 Zs Zs')^-1 Ze, (n_events, n_events)."""
        weight = s.phi_s2s**2 / (s.phi**2 + self.site_size * s.phi_s2s**2)
        crossed = (self.cross * weight) @ self.cross.T
        return np.eye(len(self.size)) + s.tau**2 / s.phi**2 * (np.diag(self.size) - crossed)


def generalised_mean(groups: Groups, r: Array, s: Spread) -> tuple[float, float]:
    """Mean of r (n,) by generalised least squares, and its standard error."""
    weights = groups.solve(np.ones((groups.n, 1)), s)[:, 0]
    return float(weights @ r / weights.sum()), float(weights.sum() ** -0.5)


def fit_spread(groups: Groups, r: Array, *, mean: bool = False) -> Estimate:
    """Maximum-likelihood standard deviations of residuals r (n,), without intervals.

    With ``mean`` a constant is estimated too; else the residuals have mean 0. Fewer than two
    events leave tau at 0: it cannot be told from the mean.
    """
    free = _free(groups)
    start = max(float(np.std(r)), 1e-3) / len(free) ** 0.5
    best = _maximise(groups, r, mean, free, {}, start)
    centre, error = generalised_mean(groups, r, best) if mean else (0.0, 0.0)
    return Estimate(
        centre, error, best, {}, groups.ln_likelihood(r - centre, best), groups.n, len(groups.size)
    )


def with_intervals(groups: Groups, r: Array, *, mean: bool = False) -> Estimate:
    """:func:`fit_spread` with 95 % profile-likelihood intervals of each standard deviation.

    A profile interval is right at the edge too, where tau is 0 (its lower end is then 0).
    """
    found = fit_spread(groups, r, mean=mean)
    free = _free(groups)
    intervals = {}
    for name in free:
        others = tuple(f for f in free if f != name)
        hat = getattr(found.spread, name)

        def below(value: float, name: str = name, others: tuple[str, ...] = others) -> float:
            s = _maximise(groups, r, mean, others, {name: value}, found.spread.phi)
            centre = generalised_mean(groups, r, s)[0] if mean else 0.0
            return found.ln_likelihood - groups.ln_likelihood(r - centre, s) - _HALF_CHI2

        intervals[name] = _interval(below, hat, found.spread.phi)
    return Estimate(
        found.mean, found.mean_error, found.spread, intervals, found.ln_likelihood,
        found.n_records, found.n_events,
    )  # fmt: skip


def _interval(below: Callable[[float], float], hat: float, scale: float) -> tuple[float, float]:
    least = 1e-4 * scale
    low = 0.0
    if hat > least and below(least) > 0.0:
        low = float(brentq(below, least, hat, xtol=1e-4 * scale))
    high = max(1.3 * hat, 0.1 * scale)
    while below(high) < 0.0 and high < 1e3 * scale:
        high *= 1.5
    return low, float(brentq(below, max(hat, least), high, xtol=1e-4 * scale))


def _free(groups: Groups) -> tuple[str, ...]:
    names: tuple[str, ...] = ("tau",) if len(groups.size) > 1 else ()
    names += ("phi_s2s",) if groups.site is not None and len(groups.site_size) > 1 else ()
    return (*names, "phi")


def _maximise(
    groups: Groups,
    r: Array,
    mean: bool,
    free: tuple[str, ...],
    fixed: dict[str, float],
    start: float,
) -> Spread:
    """Standard deviations of the largest likelihood; those not free nor fixed are 0."""
    least = 1e-4 * max(start, 1e-3)
    bounds = [(least if name == "phi" else 0.0, None) for name in free]

    def spread(x: Array) -> Spread:
        values = {"tau": 0.0, "phi_s2s": 0.0, "phi": least}
        return Spread(**(values | fixed | dict(zip(free, map(float, x), strict=True))))

    def negative(x: Array) -> float:
        s = spread(x)
        centre = generalised_mean(groups, r, s)[0] if mean else 0.0
        return -groups.ln_likelihood(r - centre, s) / groups.n

    if not free:
        return spread(np.array([]))
    options = {"ftol": 1e-13, "gtol": 1e-7}
    found = minimize(negative, np.full(len(free), start), method="L-BFGS-B", bounds=bounds,
                     options=options)  # fmt: skip
    return spread(found.x)


def _sum_by(group: NDArray[np.int64], x: Array, size: int) -> Array:
    out = np.empty((size, x.shape[1]))
    for j in range(x.shape[1]):
        out[:, j] = np.bincount(group, x[:, j], size)
    return out
