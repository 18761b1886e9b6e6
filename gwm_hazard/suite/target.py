"""Targets: the distribution of intensity measures that a suite of motions is to have.

The conditional spectrum (Baker 2011, J. Struct. Eng. 137(3): 322-331) and its generalisation to
any measures (Bradley 2010, Earthquake Eng. Struct. Dyn. 39(12): 1321-1342), exact over all
ruptures and branches (Lin, Harmsen, Baker and Luco 2013, BSSA 103(2A): 1103-1116, method 4 of
their table): for every rupture and branch ln IM given the level of the conditioning measure is
multivariate normal; the target is their mixture, weighted by disaggregation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.errors import InputError
from gwm_hazard.suite.contributions import Contributions

Array = NDArray[np.float64]

#: Weights of the ruptures: how likely each is, given that the measure equals the level, or
#: given that it exceeds it (as OpenQuake's conditional_spectrum has it).
WEIGHTS = ("occurrence", "exceedance")

#: A function of two measures: the correlation of their residuals.
Correlation = Callable[[str, str], float]


@dataclass(frozen=True)
class Target:
    """Mean and covariance of ln IM that a suite is to have.

    Attributes
    ----------
    kind : "cs", "gcim", "uhs" or "scenario"
    imts : n_imts measures
    mean : (n_imts,) of ln IM, OpenQuake's units
    covariance : (n_imts, n_imts); zero for a uniform hazard spectrum, which has no scatter
    conditioning : the measure that all motions share, or "" for none
    level : its level, OpenQuake's unit
    rate : annual rate at which it is exceeded
    weight : (n,) of the rows of the contributions, sum 1
    """

    kind: str
    imts: tuple[str, ...]
    mean: Array
    covariance: Array
    conditioning: str
    level: float
    rate: float
    weight: Array

    @property
    def sigma(self) -> Array:
        """Standard deviation of ln IM, (n_imts,)."""
        return np.sqrt(np.clip(np.diag(self.covariance), 0.0, None))


def correlation_matrix(imts: tuple[str, ...], correlation: Correlation) -> Array:
    """Correlations of all pairs, (n_imts, n_imts), made positive semi-definite.

    Published coefficients are fitted pair by pair, so that their matrix can have slightly
    negative eigenvalues: these are set to 0 and the diagonal back to 1 (Rebonato and Jaeckel
    1999, spectral decomposition).

    Raises
    ------
    ValueError
        A coefficient that is not from -1 to 1.
    """
    n = len(imts)
    matrix = np.eye(n)
    for i in range(n):
        for j in range(i):
            rho = float(correlation(imts[i], imts[j]))
            if not -1.0 <= rho <= 1.0:
                raise InputError(f"correlation of {imts[i]} and {imts[j]} = {rho:g}")
            matrix[i, j] = matrix[j, i] = rho
    values, vectors = np.linalg.eigh(matrix)
    if values[0] >= 0:
        return matrix
    matrix = (vectors * np.clip(values, 0.0, None)) @ vectors.T
    scale = 1.0 / np.sqrt(np.diag(matrix))
    return matrix * scale[:, None] * scale[None, :]


def conditional(
    contributions: Contributions,
    conditioning: str,
    rate: float,
    correlation: Correlation,
    weights: str = "occurrence",
    kind: str = "cs",
) -> Target:
    """The distribution of all measures given that one has the level exceeded at ``rate``.

    Parameters
    ----------
    contributions : ruptures and branches at the site
    conditioning : the measure
    rate : annual rate at which it exceeds the level
    correlation : of the residuals of two measures
    weights : "occurrence" or "exceedance"
    kind : what the target is called: "cs" or "gcim"

    Raises
    ------
    ValueError
        A measure that the branches do not give, a rate out of reach, unknown weights.
    """
    if weights not in WEIGHTS:
        raise InputError(f"weights = {weights!r}: must be one of {', '.join(WEIGHTS)}")
    c = contributions
    level = c.level(conditioning, rate)
    rates = c.density if weights == "occurrence" else c.exceedance
    weight = rates(conditioning, level)
    if not weight.sum() > 0:
        raise InputError(f"no rupture reaches {conditioning} = {level:g}: take a larger poe")
    weight = weight / weight.sum()
    matrix = correlation_matrix(c.imts, correlation)
    rho = matrix[c.column(conditioning)]
    reaching = np.flatnonzero(weight)  # of many ruptures most are cut off below the level
    sigma, share = c.sigma[reaching], weight[reaching]
    eps = c.epsilon(conditioning, level)[reaching]
    means = c.mean[reaching] + eps[:, None] * sigma * rho  # Baker (2011), eq. 5
    within = matrix - np.outer(rho, rho)  # Baker (2011), eq. 6, for pairs
    mean, covariance = _mixture(share, means, sigma, within)
    return Target(kind, c.imts, mean, covariance, conditioning, level, rate, weight)


def uniform_hazard(contributions: Contributions, rate: float) -> Target:
    """The uniform hazard spectrum as a target for the mean, without scatter.

    No earthquake has it: each measure is exceeded at ``rate`` on its own. Its ruptures are
    weighted by the mean over the measures of their shares in the exceedances.
    """
    c = contributions
    levels = c.spectrum(c.imts, rate)
    shares = [c.exceedance(imt, x) / rate for imt, x in zip(c.imts, levels, strict=True)]
    weight = np.mean(shares, axis=0)
    n = len(c.imts)
    return Target(
        "uhs", c.imts, np.log(levels), np.zeros((n, n)), "", 0.0, rate, weight / weight.sum()
    )


def scenario(contributions: Contributions, correlation: Correlation) -> Target:
    """The distribution of all measures given that one of the ruptures occurs."""
    c = contributions
    weight = c.rate / c.rate.sum()
    matrix = correlation_matrix(c.imts, correlation)
    mean, covariance = _mixture(weight, c.mean, c.sigma, matrix)
    return Target("scenario", c.imts, mean, covariance, "", 0.0, float(c.rate.sum()), weight)


def _mixture(weight: Array, means: Array, sigma: Array, within: Array) -> tuple[Array, Array]:
    """Mean and covariance of a mixture of normals: Lin et al. (2013), eq. 14 and 15, for pairs.

    weight (n,), sum 1; means, sigma (n, n_imts); within (n_imts, n_imts), of the normals over
    their sigmas
    """
    mean = weight @ means
    deviation = means - mean
    covariance = ((sigma * weight[:, None]).T @ sigma) * within
    covariance += (deviation * weight[:, None]).T @ deviation
    return mean, covariance
