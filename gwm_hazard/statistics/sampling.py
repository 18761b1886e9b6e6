"""Draws of one scenario: how fast median and sigma settle, and whether ln IM is normal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, shapiro

#: Beyond so many standard deviations tails are counted.
TAIL = 2.5

#: Share of a normal sample beyond them, both sides.
TAIL_SHARE = float(2.0 * norm.sf(TAIL))

#: The p-value of Shapiro and Wilk is not exact for more (Royston 1995).
MOST_FOR_SHAPIRO = 5000


@dataclass(frozen=True)
class Convergence:
    """Median and standard deviation of the first ``count`` draws, each (n_counts,)."""

    count: NDArray[np.int64]
    median: NDArray[np.float64]
    sd: NDArray[np.float64]


def convergence(ln: NDArray[np.float64], counts: NDArray[np.int64]) -> Convergence:
    """Running median and standard deviation of draws (n,) of ln IM."""
    return Convergence(
        counts,
        np.array([np.median(ln[:k]) for k in counts]),
        np.array([ln[:k].std(ddof=1) for k in counts]),
    )


def draws_needed(sigma: float, error: float = 0.05, level: float = 0.95) -> int:
    """Draws that hold the median within ``error`` (ln units) at a level of confidence.

    The standard error of the median of a normal sample is sqrt(pi / 2 / n) sigma.
    """
    z = float(norm.ppf(0.5 + 0.5 * level))
    return int(np.ceil(np.pi / 2.0 * (z * sigma / error) ** 2))


@dataclass(frozen=True)
class Normality:
    """Shapiro and Wilk's W and p-value; share beyond 2.5 standard deviations and skewness."""

    w: float
    p: float
    tail: float
    skewness: float


def normality(ln: NDArray[np.float64]) -> Normality:
    """Whether a sample (n,) looks normal; NaN are left out."""
    x = ln[np.isfinite(ln)]
    z = (x - x.mean()) / x.std(ddof=1)
    w, p = shapiro(x[:MOST_FOR_SHAPIRO])
    return Normality(float(w), float(p), float((np.abs(z) > TAIL).mean()), float((z**3).mean()))


def quantiles(ln: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Normal quantiles and standardised sorted sample, each (n,), for a Q-Q plot (Blom 1958)."""
    x = np.sort(ln[np.isfinite(ln)])
    n = len(x)
    expected = norm.ppf((np.arange(1, n + 1) - 0.375) / (n + 0.25))
    return expected, (x - x.mean()) / x.std(ddof=1)
