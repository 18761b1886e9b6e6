"""Beyond the lognormal: the shape of ln IM as a mixture of two normals of equal weight.

The draws of an ensemble give skewness g and excess kurtosis k of ln IM. With weights of one half
the mixture of N(a, 1 + d - a^2) and N(-a, 1 - d - a^2) has mean 0, variance 1, and

    g = 3 a d,    k = 3 d^2 - 2 a^4,

so that u = a^2 is the positive root of 2 u^3 + k u - g^2 / 3 = 0, and d = g / (3 a): the method
of moments (Pearson 1894) with a closed form. g = k = 0 gives two equal standard normals, the
lognormal itself; g = 0 with k > 0 gives two normals of unequal spread, the mixture that the
Hanford (Coppersmith et al. 2014) and southwestern U.S. (GeoPentech 2015) hazard studies use for
the heavy tails of residuals.

Beyond the sample the tail is that of a normal: an ensemble says nothing there, observed
residuals follow a normal to about 3 standard deviations and leave it gently further out
(Strasser, Abrahamson and Bommer 2009, SRL 80(1): 40-56), and a kernel estimate of the tail
would end a bandwidth after the largest draw. A law with an end of its own (durations of the
stochastic model, cut at 2 standard deviations) is approached only: its mixture is shorter than
the lognormal, without the end; ``validation/openquake/empirical_hazard.py`` draws the three.
"""

from __future__ import annotations

import itertools
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

#: Smallest share of the variance that a component keeps: bounds mixtures whose moments two
#: normals cannot have.
LEAST_VARIANCE = 0.05

#: Skewness and excess kurtosis are held within these bounds.
LARGEST_SKEWNESS, KURTOSIS_RANGE = 2.0, (-1.2, 6.0)

#: Highest degree of the polynomials that pool the shape over the scenarios.
LARGEST_DEGREE = 3


@dataclass(frozen=True)
class Shape:
    """Skewness and excess kurtosis of ln IM, each (n_scenarios, n_imts); 0 for a lognormal."""

    skewness: NDArray[np.float64]
    kurtosis: NDArray[np.float64]

    def components(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Offsets and standard deviations of the two normals, each (2, n_scenarios, n_imts).

        Both in units of the total standard deviation; the weights are one half each, the mean
        of the mixture is 0 and its variance 1.
        """
        g = np.clip(self.skewness, -LARGEST_SKEWNESS, LARGEST_SKEWNESS)
        k = np.clip(self.kurtosis, *KURTOSIS_RANGE)
        u = np.minimum(_positive_root(k / 2.0, -(g**2) / 6.0), 1.0 - 2.0 * LEAST_VARIANCE)
        a = np.sqrt(u)
        # g = 0 leaves d free where k > 0: the limit of g -> 0 is the mixture of unequal spread.
        with np.errstate(divide="ignore", invalid="ignore"):
            d = np.where(a > 1e-6, g / (3.0 * a), np.sqrt(np.maximum(k, 0.0) / 3.0))
        limit = 1.0 - u - LEAST_VARIANCE
        d = np.clip(d, -limit, limit)
        return np.stack([a, -a]), np.sqrt(np.stack([1.0 - u + d, 1.0 - u - d]))


def _positive_root(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Largest real root of u^3 + p u + q = 0 for q <= 0, never negative (Cardano, Viete)."""
    half = -q / 2.0
    discriminant = half**2 + (p / 3.0) ** 3
    root = np.sqrt(np.maximum(discriminant, 0.0))
    # The two cube roots multiply to -p / 3: dividing avoids the cancellation of half - root.
    large = np.cbrt(half + root)
    with np.errstate(divide="ignore", invalid="ignore"):
        one = large - np.where(large > 0, p / (3.0 * large), 0.0)
        m = 2.0 * np.sqrt(np.maximum(-p / 3.0, 0.0))
        cosine = np.clip(np.where(m > 0, 3.0 * q / (p * m), 0.0), -1.0, 1.0)
    three = m * np.cos(np.arccos(cosine) / 3.0)
    return np.maximum(np.where(discriminant >= 0, one, three), 0.0)


def exceedance(
    z: NDArray[np.float64], shape: Shape, truncation: float = np.inf
) -> NDArray[np.float64]:
    """P(standardised residual > z) of the mixture, shapes as of ``shape``.

    ``truncation`` cuts each component at that many of its own standard deviations, as OpenQuake
    does with every mixture.
    """
    offset, spread = shape.components()
    tail = ndtr(-truncation)
    survival = (ndtr((offset - z) / spread) - tail) / (1.0 - 2.0 * tail)
    return np.clip(survival, 0.0, 1.0).mean(axis=0)


def sample_shape(ln: NDArray[np.float64]) -> Shape:
    """Shape of draws (n_scenarios, n_draws, n_imts): Fisher's G1 and G2, without the bias.

    A measure that does not vary has the shape of a normal.
    """
    from scipy import stats  # half a second that no worker of a job needs

    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # of draws that are all the same
        skewness = np.nan_to_num(stats.skew(ln, axis=1, bias=False))
        kurtosis = np.nan_to_num(stats.kurtosis(ln, axis=1, bias=False))
    return Shape(skewness, kurtosis)


def pooled_shape(
    x: NDArray[np.float64], sample: Shape, at: NDArray[np.float64]
) -> tuple[Shape, NDArray[np.int64]]:
    """Shape at the points ``at``, smoothed over all scenarios ``x``.

    The skewness of 250 draws has a standard error of 0.15 and their kurtosis one of 0.3: single
    ensembles do not tell a shape. It changes slowly over the scenarios, so each moment of each
    measure is regressed on a polynomial of the conditions, of the degree (0 to 3) that predicts
    left-out scenarios best (PRESS; Allen 1974, Technometrics 16: 125-127).

    Parameters
    ----------
    x : (n, d) conditions on the scales of the axes, from -1 to 1
    sample : shape of the ensembles at ``x``, from independent draws
    at : (m, d)

    Returns
    -------
    Shape (m, n_imts), and the degrees (2, n_imts) of skewness and kurtosis. The kurtosis is not
    below what the skewness allows (Pearson's inequality), as a polynomial can be between scenarios.
    """
    fitted, degrees = [], []
    for values in (sample.skewness, sample.kurtosis):
        errors, predictions = [], []
        for degree in range(LARGEST_DEGREE + 1):
            design = _monomials(x, degree)
            if 2 * design.shape[1] > len(x):
                break
            q, r = np.linalg.qr(design)
            leverage = (q**2).sum(axis=1, keepdims=True)
            residual = values - q @ (q.T @ values)
            errors.append(((residual / (1.0 - leverage)) ** 2).sum(axis=0))
            predictions.append(_monomials(at, degree) @ np.linalg.solve(r, q.T @ values))
        best = np.argmin(errors, axis=0)
        fitted.append(np.stack(predictions)[best, :, np.arange(len(best))].T)
        degrees.append(best)
    skewness, kurtosis = fitted
    return Shape(skewness, np.maximum(kurtosis, skewness**2 - 2.0)), np.array(degrees)


def _monomials(x: NDArray[np.float64], degree: int) -> NDArray[np.float64]:
    columns = [np.ones(len(x))]
    for total in range(1, degree + 1):
        for powers in itertools.combinations_with_replacement(range(x.shape[1]), total):
            columns.append(np.prod(x[:, powers], axis=1))
    return np.stack(columns, axis=1)
