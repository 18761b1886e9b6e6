"""The rules of a design code, applied to a suite."""

from __future__ import annotations

import numpy as np

from gwm_hazard.errors import InputError
from gwm_hazard.suite import codes
from gwm_hazard.suite.motions import Motions, spectra
from gwm_hazard.suite.study import Suite


def measures(code: str, t_lower: float, t_upper: float) -> tuple[str, ...]:
    """Measures that a target needs for a code: SA at its periods, and PGA where it asks for it."""
    return tuple(_imt(t) for t in codes.required_periods(code, t_lower, t_upper))


def code_checks(
    component: str, suite: Suite, motions: Motions, code: str, t_lower: float, t_upper: float
) -> list[codes.Check]:
    """The checks of a suite.

    Spectra are those of the motions as scaled, in the code's component. Their arithmetic mean is
    held against the mean of the suite's own target, exp(m + s^2 / 2) of its lognormal, so that
    scatter lifts neither side alone; a uniform hazard spectrum has no scatter and stands as it
    is. The target is turned into the maximum direction where the code asks for it (Boore and
    Kishida 2017; Shahi and Baker 2014), and is not the spectrum of the code.

    Parameters
    ----------
    component : of the target: "RotD50" or "geometric_mean"; also that of a code which names none
    suite, motions : of one target
    code, t_lower, t_upper : as in :func:`gwm_hazard.suite.codes.check`

    Raises
    ------
    ValueError
        A target without the measures of :func:`measures`.
    """
    periods = np.array(codes.required_periods(code, t_lower, t_upper))
    wanted, ratio = component, np.ones(len(periods))
    if codes.component(code) == "RotD100":
        wanted, ratio = "RotD100", codes.maximum_direction_ratio(periods)
        if component == "geometric_mean":
            ratio = ratio * codes.rotd50_ratio(periods)
    imts = measures(code, t_lower, t_upper)
    for imt in imts:
        if imt not in suite.target.imts:
            raise InputError(f"{code}: the target has no {imt}; add it to its measures")
    at = np.array([suite.target.imts.index(imt) for imt in imts])
    sa = np.empty((len(suite), len(periods)))
    spectral = periods > 0
    sa[:, spectral] = spectra(motions, wanted, periods[spectral])
    sa[:, ~spectral] = np.exp(suite.ln)[:, at[~spectral]]  # PGA: of ec8, in the own component
    goal = np.exp(suite.target.mean[at] + 0.5 * suite.target.sigma[at] ** 2) * ratio
    return codes.check(code, sa, periods, goal, t_lower, t_upper)


def _imt(period: float) -> str:
    return f"SA({float(period)})" if period > 0 else "PGA"
