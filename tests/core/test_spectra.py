"""Target spectra: interpolation and what is refused."""

from __future__ import annotations

import numpy as np
import pytest

from gwm_hazard.core.spectra import Spectra
from gwm_hazard.errors import InputError


def test_between_periods_powers_of_the_period_are_exact() -> None:
    """ln SA linear in ln T: SA = 0.3 T^-1.5 and 0.01 T^2."""
    t = np.array([0.01, 0.04, 0.3, 2.0, 10.0])
    x = np.log(t)
    found = Spectra(t, np.stack([np.log(0.3) - 1.5 * x, np.log(0.01) + 2.0 * x]))
    at = np.array([0.01, 0.02, 0.3, 1.0, 9.0, 10.0])
    want = np.stack([np.log(0.3) - 1.5 * np.log(at), np.log(0.01) + 2.0 * np.log(at)])
    assert np.allclose(found.ln_at(at), want, atol=1e-12)
    assert np.allclose(found.take([1, 0]).ln_at(at), want[::-1], atol=1e-12)


@pytest.mark.parametrize(
    ("periods", "ln_sa", "words"),
    [
        ([0.1], [[0.0]], "1 periods"),
        ([0.1, 0.1], [[0.0, 0.0]], "grow"),
        ([0.0, 0.1], [[0.0, 0.0]], "above 0"),
        ([0.1, 0.2], [[0.0, 0.0, 0.0]], r"shape \(1, 3\)"),
        ([0.1, 0.2], [[0.0, 0.0], [0.0, -np.inf]], r"spectrum 1: SA\(0.2\) = 0 g"),
    ],
)
def test_what_is_no_spectrum(periods: list[float], ln_sa: list[list[float]], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Spectra(np.array(periods), np.array(ln_sa))


def test_periods_beyond_the_ends_are_named() -> None:
    found = Spectra(np.array([0.1, 1.0]), np.zeros((1, 2)))
    with pytest.raises(InputError, match=r"from 0.1 to 1 s, needed is SA\(2\)"):
        found.ln_at(np.array([0.5, 2.0]))
    assert found.ln_at(np.array([0.1 * (1 - 1e-9), 1.0 + 1e-9])).tolist() == [[0.0, 0.0]]
