"""Hazard consistency: do suites at several return periods together carry the hazard curves?

Lin, Haselton and Baker (2013, Earthquake Eng. Struct. Dyn. 42(12): 1847-1865): the rate at which a
measure exceeds y is the sum over stripes of the share of the stripe's motions above y, times
the rate with which the conditioning measure falls into the stripe.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from gwm_hazard.errors import InputError

Array = NDArray[np.float64]


def stripe_rates(levels: Array, rate_at: Array, rate_between: Array) -> Array:
    """Annual rate with which the conditioning measure falls into each stripe, (n_stripes,).

    Parameters
    ----------
    levels : (n_stripes,) ascending
    rate_at : (2,) rate of exceedance at the lower edge of the first stripe and at the upper edge
        of the last one
    rate_between : (n_stripes - 1,) at the edges between, such as the geometric means of the rates
        at the levels

    Raises
    ------
    ValueError
        Levels that do not ascend.
    """
    if len(levels) < 2 or not (np.diff(levels) > 0).all():
        raise InputError(f"levels = {levels}: at least 2, ascending")
    edges = np.concatenate([[rate_at[0]], rate_between, [rate_at[1]]])
    return -np.diff(edges)


def implied(
    suites: Sequence[Array], rates: Array, column: int, levels: Array, smooth: bool = False
) -> Array:
    """Rates at which a measure exceeds levels as the suites have it, (n_levels,).

    Parameters
    ----------
    suites : n_stripes arrays (n, n_imts) of ln IM
    rates : (n_stripes,) annual rate of each stripe
    column : the measure
    levels : (n_levels,) in OpenQuake's unit
    smooth : a lognormal with the mean and sigma of each suite in place of counted shares
    """
    ln = np.log(levels)
    total = np.zeros(len(levels))
    for suite, rate in zip(suites, rates, strict=True):
        x = suite[:, column]
        sigma = x.std(ddof=1) if len(x) > 1 else 0.0
        if smooth and sigma > 0:
            share = ndtr((x.mean() - ln) / sigma)
        else:
            share = (x[:, None] > ln).mean(axis=0)
        total += rate * share
    return total
