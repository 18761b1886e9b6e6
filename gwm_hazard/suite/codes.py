"""What design codes ask of a suite of motions, checked clause by clause.

``asce7-22``: ASCE/SEI 7-22 chapter 16, nonlinear response history analysis, in the maximum
direction (RotD100).

``ec8``: EN 1998-1:2004, 3.2.3.1, with the rules of 3.2.3.1.2 (4) for simulated accelerograms too
(3.2.3.1.3). It speaks of single components and of no definition for pairs; the component of the
hazard, RotD50 or the geometric mean, stands for their mean. The second generation (EN
1998-1-1:2024) is not among them.

The spectrum that a suite is held against is the one that is given to :func:`check`. Where that is
the suite's own target, from the hazard calculation, it is neither the MCE_R spectrum of ASCE/SEI 7
nor the elastic spectrum of EN 1998-1: texts call it "the target", and :func:`remarks` say so.

Motions are as drawn or scaled by one factor for all components; matching their spectra to a target
(ASCE/SEI 7, 16.2.3.3) is left to other tools. What depends on the structure or on judgement
stands in :func:`remarks`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gwm_hazard.errors import InputError

Array = NDArray[np.float64]

#: Names of the codes.
CODES = ("asce7-22", "ec8")

#: Ratio of neighbouring periods: "no period" of a range is checked at steps no wider than this.
WIDEST_STEP = 1.25
_STEP = 1.12

#: Shahi and Baker (2014, Earthquake Spectra 30(3): 1285-1300), table 1: RotD100 over RotD50.
_MAXIMUM_S = (
    *(0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4),
    *(0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0),
)
_MAXIMUM = (
    *(1.192, 1.191, 1.188, 1.186, 1.188, 1.188, 1.200, 1.206, 1.217, 1.219, 1.229),
    *(1.229, 1.237, 1.241, 1.242, 1.244, 1.247, 1.260, 1.265, 1.285, 1.294),
)


@dataclass(frozen=True)
class Check:
    """One requirement of a code, and whether a suite meets it.

    Attributes
    ----------
    clause : where it stands
    what : the quantity
    required, found : as text
    passed : whether it is met
    remedy : what to try where it is not
    """

    clause: str
    what: str
    required: str
    found: str
    passed: bool
    remedy: str = ""


#: What to try for a rule that is not met.
_MORE = "more motions (`-n`)."
_HIGHER = (
    "a suite that follows its target more closely at this period: a larger `--pool`, more motions "
    "(`-n`), or another conditioning period (`--imt`), near the one that fails. What is short of "
    "the target everywhere can be scaled: a design may multiply all motions by one factor, the "
    "required ratio over the one found."
)


def component(code: str) -> str:
    """Horizontal component of the spectra that a code is checked with."""
    return "RotD50" if _known(code) == "ec8" else "RotD100"


def period_range(code: str, t_lower: float, t_upper: float) -> tuple[float, float]:
    """Periods, s, between which a suite must follow the target.

    0.2 t_lower to 2 t_upper in both codes (ASCE/SEI 7, 16.2.3.1; EN 1998-1, 3.2.3.1.2 (4) c).

    Parameters
    ----------
    code : one of ``CODES``
    t_lower, t_upper : smallest and largest first-mode period of the two horizontal directions, s

    Raises
    ------
    ValueError
        An unknown code, periods that are not positive or in the wrong order.
    """
    _known(code)
    for name, value in (("t_lower", t_lower), ("t_upper", t_upper)):
        if not (np.isfinite(value) and value > 0):
            raise InputError(f"{name} = {value:g} s: must be above 0")
    if t_lower > t_upper:
        raise InputError(
            f"t_lower = {t_lower:g} s, t_upper = {t_upper:g} s: give the smaller first-mode period "
            "first"
        )
    return 0.2 * t_lower, 2.0 * t_upper


def required_periods(code: str, t_lower: float, t_upper: float) -> tuple[float, ...]:
    """Periods, s, at which spectra are needed for :func:`check`; 0 stands for PGA (ec8).

    Parameters and errors as :func:`period_range`.
    """
    low, high = period_range(code, t_lower, t_upper)
    n = int(np.ceil(np.log(high / low) / np.log(_STEP))) + 1
    periods = [float(f"{t:.4g}") for t in np.geomspace(low, high, n)]
    return ((0.0,) if code == "ec8" else ()) + tuple(periods)


def maximum_direction_ratio(periods: ArrayLike) -> Array:
    """RotD100 over RotD50 of SA after Shahi and Baker (2014), (n_periods,).

    Turns a target of RotD50 into one of the maximum direction. Linear in ln T between 0.01 and
    10 s, constant beyond; PGA (period 0) as 0.01 s.
    """
    at = np.log(np.clip(np.asarray(periods, dtype=np.float64), _MAXIMUM_S[0], _MAXIMUM_S[-1]))
    return np.interp(at, np.log(_MAXIMUM_S), _MAXIMUM)


#: Boore and Kishida (2017, BSSA 107(1): 334-343), as OpenQuake has it: RotD50 over the geometric
#: mean of the two components as recorded.
_ROTD50_S, _ROTD50 = (0.09, 0.58, 4.59, 8.93), (1.009, 1.028, 1.042, 1.077)


def rotd50_ratio(periods: ArrayLike) -> Array:
    """RotD50 over the geometric mean of SA after Boore and Kishida (2017), (n_periods,).

    Linear in ln T between 0.09 and 8.93 s, constant beyond; PGA (period 0) as 0.09 s.
    """
    at = np.log(np.clip(np.asarray(periods, dtype=np.float64), _ROTD50_S[0], _ROTD50_S[-1]))
    return np.interp(at, np.log(_ROTD50_S), _ROTD50)


def check(
    code: str,
    spectra: ArrayLike,
    periods: ArrayLike,
    target: ArrayLike,
    t_lower: float,
    t_upper: float,
) -> list[Check]:
    """Check a suite against the rules of a code.

    Parameters
    ----------
    code : one of ``CODES``
    spectra : (n, n_periods) SA of the motions as they are to be used, g, 5 % damping, of
        :func:`component`
    periods : (n_periods,) s, 0 for PGA; those of :func:`required_periods` or more
    target : (n_periods,) SA, g, of the same component, that the mean of the suite is held against
    t_lower, t_upper : as in :func:`period_range`

    Raises
    ------
    ValueError
        As :func:`period_range`; arrays that do not fit together or hold values that are no
        spectra; periods that leave a part of the range unchecked.
    """
    low, high = period_range(code, t_lower, t_upper)
    suite, periods, goal = _arrays(spectra, periods, target)
    inside = _inside(code, periods, low, high)
    rules = _eurocode if code == "ec8" else _asce
    return rules(suite, periods, goal, inside, low, high)


def remarks(code: str) -> tuple[str, ...]:
    """What a code asks beyond :func:`check`: for the designer to see to."""
    return _EC8_REMARKS if _known(code) == "ec8" else _ASCE_REMARKS


_ASCE_REMARKS = (
    "The spectrum of these checks is the mean of the suite's own target in the maximum direction, "
    "not the MCE_R spectrum that 16.2.1 asks for: compare the two before relying on a rule that "
    "is met.",
    "16.2.1: with two or more conditional spectra (16.2.1.2) their envelope must not fall below "
    "75 % of the MCE_R spectrum in the range of periods.",
    "16.2.2: near a fault, directivity and pulses belong into the suite in their proportion; see "
    "the card of the model for what its waveforms have.",
    "16.2.4: near a fault, components are applied as fault-normal and fault-parallel; elsewhere "
    "so that the mean spectra of both directions are within 10 % of their mean.",
    "16.2.3.3: spectral matching is left to other tools.",
)
_EC8_REMARKS = (
    "The spectrum of these checks is the mean of the suite's own target, and its PGA stands in for "
    "a_g S: neither is the elastic spectrum of 3.2.2.2 for the ground of the site. Compare the two "
    "before relying on a rule that is met.",
    "3.2.3.1.1 (2): in a spatial model three accelerograms act together; the same one must not be "
    "used in both horizontal directions.",
    "3.2.3.1.3 (1): simulated accelerograms must be qualified with regard to the source and to the "
    "ground of the site; see the card of the model.",
    "3.2.3.1.2 (4): T1 is the fundamental period in the direction in which a component is applied.",
)


def _asce(
    suite: Array, periods: Array, goal: Array, inside: NDArray[np.bool_], low: float, high: float
) -> list[Check]:
    ratio = (suite.mean(axis=0) / goal)[inside]
    average = float(np.exp(np.log(ratio).mean()))
    span = f"{low:.3g} to {high:.3g} s"
    return [
        Check(
            "16.2.2", "number of motions", "at least 11", str(len(suite)), len(suite) >= 11, _MORE
        ),
        _least("16.2.3.2", "maximum-direction spectra", ratio, periods[inside], span),
        Check(
            "16.2.3.2",
            f"mean of the maximum-direction spectra over the target's, average over {span}",
            "generally matches or exceeds the suite's own target (taken as: at least 1.00)",
            f"{average:.2f}; {100 * (ratio >= 1).mean():.0f} % of the periods at or above it",
            round(average, 2) >= 1.0,
            _HIGHER,
        ),
    ]


def _eurocode(
    suite: Array, periods: Array, goal: Array, inside: NDArray[np.bool_], low: float, high: float
) -> list[Check]:
    n = len(suite)
    zero = int(np.argmin(periods))
    pga = float(suite[:, zero].mean())
    ratio = (suite.mean(axis=0) / goal)[inside]
    span = f"{low:.3g} to {high:.3g} s"
    return [
        Check("3.2.3.1.2 (4) a", "number of accelerograms", "at least 3", str(n), n >= 3, _MORE),
        Check(
            "3.2.3.1.2 (4) b",
            "mean of the spectral acceleration at period 0 (PGA)",
            f"at least a_g S, for which the target's PGA stands: {goal[zero]:.3g} g",
            f"{pga:.3g} g",
            pga >= goal[zero],
            _HIGHER,
        ),
        _least("3.2.3.1.2 (4) c", "5 % damped spectra", ratio, periods[inside], span),
        Check(
            "4.3.3.4.3 (3)",
            "number of motions for design with the mean response",
            "at least 7; with fewer, the most unfavourable response is used",
            str(n),
            n >= 7,
            _MORE,
        ),
    ]


def _least(clause: str, kind: str, ratio: Array, periods: Array, span: str) -> Check:
    """The rule that both codes share: no less than 90 % of the target anywhere."""
    k = int(np.argmin(ratio))
    return Check(
        clause,
        f"mean of the {kind} over the target's, smallest over {span}",
        "at least 0.90 of the suite's own target at every period",
        f"{ratio[k]:.2f} at {periods[k]:.3g} s",
        bool(ratio[k] >= 0.90),
        _HIGHER,
    )


def _known(code: str) -> str:
    if code not in CODES:
        raise InputError(f"code = {code!r}: must be one of {', '.join(CODES)}")
    return code


def _arrays(
    spectra: ArrayLike, periods: ArrayLike, target: ArrayLike
) -> tuple[Array, Array, Array]:
    """Arrays that fit together, by ascending period."""
    suite = np.asarray(spectra, dtype=np.float64)
    at, goal = np.asarray(periods, dtype=np.float64), np.asarray(target, dtype=np.float64)
    if suite.ndim != 2 or at.ndim != 1 or suite.shape[1:] != at.shape or at.shape != goal.shape:
        raise InputError(
            f"spectra {suite.shape}, periods {at.shape}, target {goal.shape}: must be "
            "(n, n_periods), (n_periods,), (n_periods,)"
        )
    if not len(suite):
        raise InputError("spectra: the suite holds no motion")
    valid: dict[str, Callable[[Array], bool]] = {
        "spectra": lambda x: bool((np.isfinite(x) & (x > 0)).all()),
        "target": lambda x: bool((np.isfinite(x) & (x > 0)).all()),
        "periods": lambda x: bool((np.isfinite(x) & (x >= 0)).all() and len(set(x)) == len(x)),
    }
    for name, values in (("spectra", suite), ("target", goal), ("periods", at)):
        if not valid[name](values):
            rule = "each once, at least 0 s" if name == "periods" else "above 0 g"
            raise InputError(f"{name}: all values must be numbers, {rule}")
    order = np.argsort(at)
    return suite[:, order], at[order], goal[order]


def _inside(code: str, periods: Array, low: float, high: float) -> NDArray[np.bool_]:
    """Mask of the periods in the range; they must fill it."""
    how = f"give spectra at required_periods({code!r}, ...)"
    if code == "ec8" and periods[0] != 0.0:
        raise InputError(f"periods: ec8 needs PGA as period 0; {how}")
    slack = 1e-3  # of rounded periods
    inside = (periods >= low * (1 - slack)) & (periods <= high * (1 + slack))
    found = periods[inside]
    if not len(found) or found[0] > low * (1 + slack) or found[-1] < high * (1 - slack):
        have = f"from {found[0]:.3g} to {found[-1]:.3g} s" if len(found) else "none"
        raise InputError(
            f"periods: those in the range of {code}, {low:.3g} to {high:.3g} s, are {have}; {how}"
        )
    if len(found) > 1 and (found[1:] / found[:-1]).max() > WIDEST_STEP:
        k = int(np.argmax(found[1:] / found[:-1]))
        raise InputError(
            f"periods: none between {found[k]:.3g} and {found[k + 1]:.3g} s, a step wider than "
            f"a factor of {WIDEST_STEP}; {how}"
        )
    return inside
