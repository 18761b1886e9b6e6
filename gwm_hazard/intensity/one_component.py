"""RotD50 inferred from one horizontal component of arbitrary orientation.

A record may have one horizontal, or a model draw one. The second is not invented: RotD50 is taken
from published relations between definitions of horizontal motion.

The mean of ln IM over arbitrary components is that of the geometric mean of the two as recorded;
Boore and Kishida (2017, BSSA 107(1): 334-343) give RotD50 over that geometric mean. An arbitrary
component varies more: its variance exceeds that of the mean of both by sigma_c^2, the variance of
half the difference of their ln (Boore, Joyner and Fumal 1997, SRL 68(1): 128-153; why hazard and
component must agree: Baker and Cornell 2006, Earthquake Spectra 22(2): 293-312). Campbell and
Bozorgnia (2008, Earthquake Spectra 24(1): 139-171, table 3) tabulate sigma_c. It is taken out of
the within-event variance of an ensemble. A single waveform keeps its own: it gets the ratio.

For IA, CAV and significant durations there is no published relation: their values are those of 820
observed pairs of horizontals, printed by ``validation/tfcgan/components.py``, which also holds the
published ones against the same pairs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gwm_hazard.errors import InputError
from gwm_hazard.intensity.table import parse_imt

#: Boore and Kishida (2017): RotD50 over the geometric mean as recorded, linear in ln T between.
_RATIO_S = np.array([0.09, 0.58, 4.59, 8.93])
_RATIO = np.array([1.009, 1.028, 1.042, 1.077])

#: Campbell and Bozorgnia (2008), table 3: sigma_c, linear in ln T between.
_SIGMA_S = np.array(
    [
        *(0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4),
        *(0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0),
    ]
)
_SIGMA = np.array(
    [
        *(0.166, 0.166, 0.165, 0.162, 0.158, 0.170, 0.180, 0.186, 0.191, 0.198, 0.206),
        *(0.208, 0.221, 0.225, 0.222, 0.226, 0.229, 0.237, 0.237, 0.271, 0.290),
    ]
)

#: (ln ratio, sigma_c) of the other measures; PGA and PGV as published (PGV: the constant of the
#: regression, M 5.5 at 50 km), the rest as observed.
_OTHERS = {
    "PGA": (float(np.log(1.009)), 0.166),
    "PGV": (0.022, 0.190),
    "IA": (0.016, 0.178),
    "CAV": (0.006, 0.070),
    "RSD595": (0.0, 0.109),
    "RSD575": (0.0, 0.165),
    "RSD2080": (0.0, 0.163),
}
_PUBLISHED = ("PGA", "PGV")

RATIO_SOURCE = "Boore and Kishida (2017), median ratio to the geometric mean as recorded"
OBSERVED_SOURCE = "median ratio of 820 observed pairs of horizontal components"
#: What a table says of a record whose RotD50 was inferred.
INFERRED = "RotD50 inferred from one horizontal component (Boore and Kishida 2017)"

#: Share of the within-event variance that stays, at least.
_LEAST_SHARE = 0.25


def ln_rotd50_ratio(imt: str) -> float:
    """Mean ln of RotD50 over an arbitrary component.

    Raises
    ------
    ValueError
        A measure without a relation.
    """
    if (period := _period(imt)) is not None:
        return float(np.log(np.interp(np.log(period), np.log(_RATIO_S), _RATIO)))
    return _OTHERS[imt][0]


def component_sigma(imt: str) -> float:
    """Standard deviation of ln of an arbitrary component over the geometric mean of two.

    Raises
    ------
    ValueError
        A measure without a relation.
    """
    if (period := _period(imt)) is not None:
        return float(np.interp(np.log(period), np.log(_SIGMA_S), _SIGMA))
    return _OTHERS[imt][1]


def component_ratios(component: str, imts: Sequence[str]) -> NDArray[np.float64]:
    """Factors (n_imts,) from the measures of one horizontal to those of a component definition.

    Raises
    ------
    ValueError
        A component definition that one horizontal does not give, or a measure without a relation.
    """
    if component == "H1":
        return np.ones(len(imts))
    if component == "RotD50":
        return np.exp([ln_rotd50_ratio(imt) for imt in imts])
    raise InputError(
        f"component = {component!r}: the records have one horizontal component, and the others "
        "are not invented; ask for H1 (as it is) or RotD50 (by published ratios)"
    )


def conversion_attributes(imt: str) -> dict[str, str | float]:
    """What a file says of a RotD50 measure that was inferred from one horizontal."""
    published = imt in _PUBLISHED or parse_imt(imt).name == "SA"
    return {
        "inferred_from": "one horizontal component of arbitrary orientation",
        "conversion_factor": round(float(np.exp(ln_rotd50_ratio(imt))), 6),
        "conversion_source": RATIO_SOURCE if published else OBSERVED_SOURCE,
    }


def rotd50_phi(n_components: int, imts: Sequence[str], phi: ArrayLike) -> NDArray[np.float64]:
    """Within-event standard deviation (..., n_imts) of RotD50, given that of a model's draws.

    Without the component-to-component variability where the model draws one component, and at
    least half of ``phi``; unchanged for two or three.
    """
    phi = np.asarray(phi, dtype=np.float64)
    if n_components > 1:
        return phi
    variance = phi**2 - np.array([component_sigma(imt) for imt in imts]) ** 2
    return np.sqrt(np.maximum(variance, _LEAST_SHARE * phi**2))


def _period(imt: str) -> float | None:
    """Period of SA(T); None for a measure of the other table."""
    parsed = parse_imt(imt)
    if parsed.name == "SA":
        return parsed.parameter
    if imt not in _OTHERS:
        raise InputError(
            f"{imt} of one horizontal component: no relation to RotD50 is known; ask for "
            f"SA(T), {', '.join(_OTHERS)}, or for component H1"
        )
    return None
