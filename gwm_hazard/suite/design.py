"""The rules of a design code, applied to the suites of a study."""

from __future__ import annotations

import numpy as np

from gwm_hazard.suite import codes
from gwm_hazard.suite.motions import draw_again, spectra
from gwm_hazard.suite.study import Study


def measures(code: str, t_lower: float, t_upper: float) -> tuple[str, ...]:
    """Measures that a target needs for a code: SA at its periods, and PGA where it asks for it."""
    return tuple(_imt(t) for t in codes.required_periods(code, t_lower, t_upper))


def code_checks(
    study: Study, code: str, t_lower: float, t_upper: float
) -> tuple[list[codes.Check], ...]:
    """The checks of each suite.

    Spectra are those of the motions as scaled, in the code's component. Their arithmetic mean is
    held against the mean of the suite's own target, exp(m + s^2 / 2) of its lognormal, so that
    scatter lifts neither side alone; a uniform hazard spectrum has no scatter and stands as it
    is. The target is RotD50, turned into the maximum direction where the code asks for it (Shahi
    and Baker 2014), and is not the spectrum of the code.

    Raises
    ------
    ValueError
        A target without the measures of :func:`measures`.
    """
    periods = np.array(codes.required_periods(code, t_lower, t_upper))
    component = codes.component(code)
    ratio = codes.maximum_direction_ratio(periods) if component == "RotD100" else 1.0
    found = []
    for suite in study.suites:
        for imt in measures(code, t_lower, t_upper):
            if imt not in suite.target.imts:
                raise ValueError(f"{code}: the target has no {imt}; add it to its measures")
        at = [suite.target.imts.index(imt) for imt in measures(code, t_lower, t_upper)]
        motions = draw_again(study, suite)
        sa = np.empty((len(suite), len(periods)))
        spectral = periods > 0
        sa[:, spectral] = spectra(motions, component, periods[spectral])
        sa[:, ~spectral] = np.exp(suite.ln)[:, np.array(at)[~spectral]]  # PGA, RotD50 in both
        goal = np.exp(suite.target.mean[at] + 0.5 * suite.target.sigma[at] ** 2) * ratio
        found.append(codes.check(code, sa, periods, goal, t_lower, t_upper))
    return tuple(found)


def _imt(period: float) -> str:
    return f"SA({float(period)})" if period > 0 else "PGA"
