from __future__ import annotations

import numpy as np
import pytest

from gwm_hazard.core.distance import effective_distance_km, finite_fault_factor_km


def test_small_magnitudes_are_yenier_atkinson_2014() -> None:
    """As OpenQuake's Atkinson (2015) has it, above its bound of 1 km."""
    from openquake.hazardlib.gsim.atkinson_2015 import get_effective_depth

    mag = np.linspace(4.1, 5.7, 9)
    np.testing.assert_allclose(
        finite_fault_factor_km(mag), get_effective_depth("default", mag), rtol=1e-12
    )


def test_large_magnitudes_are_yenier_atkinson_2015() -> None:
    mag = np.array([7.744, 8.0, 8.5])
    np.testing.assert_allclose(finite_fault_factor_km(mag), 10 ** (-0.405 + 0.235 * mag), rtol=3e-4)


def test_published_values_between() -> None:
    """Boore and Thompson (2015): log10 h = 0.7497 + 0.43 x - 0.04875 x^2, x = M - 5.744."""
    x = np.array([0.3, 1.0, 1.9])
    expected = 10 ** (0.7497 + 0.43 * x - 0.04875 * x**2)
    np.testing.assert_allclose(finite_fault_factor_km(5.744 + x), expected, rtol=6e-4)


def test_factor_is_smooth_at_the_joins() -> None:
    for join in (5.744, 7.744):
        low, at, high = np.log10(finite_fault_factor_km([join - 1e-4, join, join + 1e-4]))
        assert at - low == pytest.approx(high - at, abs=1e-8)


def test_effective_distance() -> None:
    assert effective_distance_km(7.5, 10.0) == pytest.approx(24.74, abs=0.05)
    far = effective_distance_km(5.0, 100.0)
    assert far == pytest.approx(100.0, rel=1e-3) and far > 100.0
    assert effective_distance_km([4.0, 7.0], [1.0, 1.0]).shape == (2,)
