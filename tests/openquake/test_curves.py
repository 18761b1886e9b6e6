"""Curves and levels, against OpenQuake's own."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from openquake.hazardlib.map_array import compute_hazard_maps

from gwm_hazard.openquake.curves import levels_at


@given(
    steps=st.lists(st.floats(0.0, 3.0), min_size=2, max_size=12),
    first=st.floats(1e-3, 0.999),
    poes=st.lists(st.floats(1e-4, 0.9), min_size=1, max_size=4),
)
def test_levels_are_those_of_openquakes_hazard_maps(
    steps: list[float], first: float, poes: list[float]
) -> None:
    curve = first * np.exp(-np.cumsum([0.0, *steps]))
    imls = np.geomspace(0.01, 2.0, len(curve))
    expected = compute_hazard_maps(curve[None], imls, poes)[0]
    got, below, share = levels_at(curve, imls, np.array(poes))
    flat = np.isclose(np.diff(np.log(curve))[np.minimum(below, len(steps) - 1)], 0.0)
    np.testing.assert_allclose(got[~flat], expected[~flat], rtol=1e-9)
    reached = got > 0
    ln = np.log(imls)
    above = np.minimum(below + 1, len(imls) - 1)
    again = np.exp(ln[below] + share * (ln[above] - ln[below]))
    np.testing.assert_allclose(again[reached], got[reached], rtol=1e-12)


def test_a_level_that_the_curve_does_not_reach_is_0() -> None:
    got, _, _ = levels_at(
        np.array([[0.1, 0.05], [0.9, 0.01]]), np.array([0.1, 1.0]), np.array([0.5])
    )
    assert got[0, 0] == 0.0 and 0.1 < got[1, 0] < 1.0
