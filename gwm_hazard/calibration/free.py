"""The parameters that a calibration moves, and what is known of them beforehand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.errors import InputError
from gwm_hazard.models.stochastic import StochasticParameters

#: Where the normal prior of a fit stands.
PRIORS = ("published", "shipped", "none")


@dataclass(frozen=True)
class Free:
    """A free parameter: published value, standard deviation of the prior (of ln where ``log``)."""

    name: str
    published: float
    sd: float
    log: bool
    source: str


#: The standard deviations are wide: about the scatter of published values between regions.
FREE: tuple[Free, ...] = (
    Free("stress_bar", 100.0, 0.7, True, "Boore (2003); Yenier and Atkinson (2015)"),
    Free("stress_slope_below", 0.229, 0.3, False, "Yenier and Atkinson (2015)"),
    Free("stress_slope_above", 0.0, 0.3, False, "Yenier and Atkinson (2015)"),
    Free("stress_depth_slope", 0.03, 0.03, False, "Yenier and Atkinson (2015)"),
    Free("fa_intercept", 2.181, 0.3, False, "Atkinson and Silva (2000)"),
    Free("fa_slope", -0.496, 0.06, False, "Atkinson and Silva (2000)"),
    Free("epsilon_intercept", 0.605, 0.3, False, "Atkinson and Silva (2000)"),
    Free("epsilon_slope", -0.255, 0.06, False, "Atkinson and Silva (2000)"),
    Free("h_slope", 0.235, 0.03, False, "Yenier and Atkinson (2014)"),
    Free("b1", -1.0, 0.15, False, "Raoof et al. (1999)"),
    Free("b2", -0.5, 0.15, False, "Raoof et al. (1999)"),
    Free("q0", 180.0, 0.5, True, "Raoof et al. (1999)"),
    Free("eta", 0.45, 0.15, False, "Raoof et al. (1999)"),
    Free("kappa_s", 0.035, 0.004, False, "Boore (2003)"),
    Free("duration_factor", 1.0, 0.4, True, "Afshari and Stewart (2016)"),
)


def choose(names: Sequence[str] | None) -> tuple[Free, ...]:
    """Free parameters by name, all by default; ValueError names an unknown one."""
    known = {f.name: f for f in FREE}
    for name in names or ():
        if name not in known:
            raise InputError(f"free parameter {name!r}: known are {', '.join(known)}")
    return tuple(known[n] for n in known if names is None or n in names)


def to_vector(p: StochasticParameters, free: Sequence[Free]) -> NDArray[np.float64]:
    """The free parameters as the vector that the fit moves, ln of those with ``log``."""
    values = [float(getattr(p, f.name)) for f in free]
    return np.array([math.log(v) if f.log else v for f, v in zip(free, values, strict=True)])


def with_vector(
    p: StochasticParameters, free: Sequence[Free], x: NDArray[np.float64]
) -> StochasticParameters:
    """``p`` with the free parameters of a vector."""
    pairs = zip(free, x, strict=True)
    return replace(p, **{f.name: math.exp(v) if f.log else float(v) for f, v in pairs})


def prior(
    kind: str, free: Sequence[Free], start: StochasticParameters
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre and precision (1 / variance; 0 for no prior) of the normal prior, each (p,)."""
    if kind not in PRIORS:
        raise InputError(f"prior = {kind!r}: give one of {', '.join(PRIORS)}")
    precision = np.array([f.sd**-2.0 for f in free])
    if kind == "published":
        published = replace(start, **{f.name: f.published for f in free})
        return to_vector(published, free), precision
    return to_vector(start, free), precision if kind == "shipped" else 0.0 * precision
