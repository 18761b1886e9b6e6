"""What the branches of a calculation say of each rupture at one site, as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr

from gwm_hazard.errors import InputError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Contributions:
    """Ruptures at a site under each ground-motion branch: a row a rupture and branch.

    The annual rates carry the weights of the logic tree, so that sums over all rows are those of
    the mean hazard.

    Attributes
    ----------
    imts : n_imts measures
    rate : (n,) annual rate of the rupture times the weight of the branch
    mean, sigma : (n, n_imts), of ln IM in OpenQuake's units
    truncation : standard deviations at which the distributions are cut on both sides, as the
        calculation has it; infinite for none
    rupture : (n,) row of the rupture in ``ruptures``
    branch : (n,) position in ``branches``
    ruptures : {condition: (n_ruptures,)}, under OpenQuake's names
    branches : the ground-motion branches
    """

    imts: tuple[str, ...]
    rate: Array
    mean: Array
    sigma: Array
    truncation: float
    rupture: NDArray[np.int64]
    branch: NDArray[np.int64]
    ruptures: dict[str, Array]
    branches: tuple[str, ...]

    def __post_init__(self) -> None:
        shape = (len(self.rate), len(self.imts))
        for name in ("mean", "sigma"):
            found = getattr(self, name).shape
            if found != shape:
                raise InputError(f"{name} has shape {found}: must be {shape}")
        if not self.truncation > 0:
            raise InputError(
                f"truncation_level = {self.truncation:g}: without scatter a level is exceeded "
                "surely or never, and no target can be conditioned on it; give the job a "
                "truncation_level above 0 (3, or 99 for none) and run it again"
            )
        if not (self.rate > 0).any():
            raise InputError("no rupture has a rate above 0: the site sees no hazard")

    def column(self, imt: str) -> int:
        """Position of a measure.

        Raises
        ------
        ValueError
            A measure that the branches do not give here.
        """
        try:
            return self.imts.index(imt)
        except ValueError:
            raise InputError(
                f"imt = {imt!r}: the branches were asked for {', '.join(self.imts)}"
            ) from None

    def epsilon(self, imt: str, level: float) -> Array:
        """Standard deviations by which a level lies above each row's median, (n,)."""
        if not level > 0:
            raise InputError(f"level = {level:g} of {imt}: must be above 0")
        m = self.column(imt)
        return (np.log(level) - self.mean[:, m]) / self.sigma[:, m]

    def exceedance(self, imt: str, level: float) -> Array:
        """Annual rate at which each row's ruptures exceed a level, (n,)."""
        below = ndtr(-self.truncation)
        share = (ndtr(-self.epsilon(imt, level)) - below) / (1.0 - 2.0 * below)
        return self.rate * np.clip(share, 0.0, 1.0)

    def density(self, imt: str, level: float) -> Array:
        """Annual rate density of each row at a level, by unit of ln IM, (n,)."""
        eps = self.epsilon(imt, level)
        inside = np.abs(eps) <= self.truncation
        normal = np.exp(-0.5 * eps**2) / np.sqrt(2.0 * np.pi)
        cut = 1.0 - 2.0 * ndtr(-self.truncation)
        return self.rate * inside * normal / (cut * self.sigma[:, self.column(imt)])

    def hazard(self, imt: str, levels: Array) -> Array:
        """Mean annual rates of exceedance of levels, (n_levels,)."""
        return np.array([self.exceedance(imt, float(x)).sum() for x in np.atleast_1d(levels)])

    def level(self, imt: str, rate: float) -> float:
        """The level that is exceeded at an annual rate.

        Raises
        ------
        ValueError
            A rate that no level of the site reaches.
        """
        m = self.column(imt)
        reach = min(self.truncation, 8.0) * self.sigma[:, m]
        low, high = (self.mean[:, m] - reach).min(), (self.mean[:, m] + reach).max()
        largest = self.exceedance(imt, float(np.exp(low))).sum()
        if not 0 < rate < largest:
            raise InputError(
                f"rate = {rate:g} a year of {imt}: the ruptures of the site give rates up to "
                f"{largest:.3g}; take a longer return period"
            )
        found = brentq(
            lambda x: np.log(max(self.exceedance(imt, float(np.exp(x))).sum(), 1e-300) / rate),
            low,
            high,
            xtol=1e-10,
        )
        return float(np.exp(found))

    def spectrum(self, imts: tuple[str, ...], rate: float) -> Array:
        """Uniform hazard: the level of each measure that is exceeded at the rate."""
        return np.array([self.level(imt, rate) for imt in imts])
