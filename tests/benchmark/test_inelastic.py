"""Yielding oscillators against closed forms and a general solver of differential equations."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from gwm_hazard.benchmark.metrics.inelastic import inelastic_ratios, spectral_durations
from gwm_hazard.intensity import rotd

DT = 0.01


def burst(seed: int = 0, nt: int = 500) -> np.ndarray:
    """Smooth motion: what is linear between samples is what it is."""
    rng = np.random.default_rng(seed)
    t = np.arange(nt) * DT
    draws = zip(rng.normal(size=8), rng.uniform(0.5, 8, 8), rng.uniform(0, 6, 8), strict=True)
    waves = [a * np.sin(2 * np.pi * f * t + p) for a, f, p in draws]
    return np.sum(waves, axis=0) * t * np.exp(-t)


def solved(acc: np.ndarray, period: float, limit: float, hardening: float = 0.02) -> float:
    """Peak displacement by `solve_ivp`, from one change of stiffness to the next."""
    w, end = 2 * np.pi / period, (len(acc) - 1) * DT
    t = np.arange(len(acc)) * DT
    time, state, plastic, yielding, peak = 0.0, [0.0, 0.0], 0.0, False, 0.0
    while time < end:
        sign = np.sign(state[1])

        def rates(s, x, held=plastic, flows=yielding, sign=sign):  # type: ignore[no-untyped-def]
            there = x[0] - sign * limit if flows else held
            push = w**2 * (1 - hardening) * there
            return x[1], -np.interp(s, t, acc) - 0.1 * w * x[1] - w**2 * x[0] + push

        def changes(s, x, held=plastic, flows=yielding):  # type: ignore[no-untyped-def]
            return x[1] if flows else abs(x[0] - held) - limit

        changes.terminal, changes.direction = True, (-sign if yielding else 1)
        found = solve_ivp(
            rates, (time, end), state, events=changes, max_step=period / 20, rtol=1e-7, atol=1e-12
        )
        peak = max(peak, np.abs(found.y[0]).max())
        time, state = found.t[-1], found.y[:, -1].tolist()
        if yielding:
            plastic = state[0] - sign * limit
        yielding = not yielding
    return peak


@pytest.mark.parametrize(("period", "reduction"), [(0.1, 1.5), (0.3, 4.0), (1.0, 1.5), (3.0, 4.0)])
def test_ratio_of_a_general_solver(period: float, reduction: float) -> None:
    acc = burst()
    elastic = solved(acc, period, np.inf)
    yielded = solved(acc, period, elastic / reduction)
    ratio = inelastic_ratios(acc[None], DT, period, [1.0, reduction])[0, 0]
    assert ratio[0] == pytest.approx(1.0, abs=1e-12)
    assert ratio[1] == pytest.approx(yielded / elastic, rel=0.01)


@pytest.mark.parametrize("share", [0.6, 0.8, 0.9])
def test_suddenly_applied_load_in_closed_form(share: float) -> None:
    """Elastoplastic, undamped, a load of ``share`` of the strength: energy gives the ductility
    0.5 / (1 - share); the elastic peak is twice the static displacement, R = 2 share."""
    acc = np.full((1, 2000), -1.0)
    ratio = inelastic_ratios(acc, 0.001, 0.5, 2.0 * share, hardening=0.0, damping=0.0)
    assert ratio[0, 0, 0] * 2 * share == pytest.approx(0.5 / (1 - share), rel=2e-3)


def test_stiff_oscillators_yield_far_and_soft_ones_as_elastic_ones() -> None:
    """Equal displacement at long periods, large ratios at short ones (Veletsos and Newmark)."""
    acc = np.stack([burst(k, 800) for k in range(6)])
    ratio = inelastic_ratios(acc, DT, [0.1, 200.0], [4.0]).mean(axis=0)[:, 0]
    assert ratio[0] > 2.0
    assert ratio[1] == pytest.approx(1.0, abs=0.02)


def test_scale_does_not_matter() -> None:
    acc = burst()[None]
    a, b = (inelastic_ratios(f * acc, DT, [0.2, 1.0], [2.0, 6.0]) for f in (1.0, -37.0))
    assert np.allclose(a, b)
    assert np.isnan(inelastic_ratios(0 * acc, DT, 1.0, 2.0)).all()


def test_elastic_peaks_are_those_of_the_response_spectrum() -> None:
    """With R large the ratio is finite, and the elastic recursion agrees with `rotd`."""
    acc = burst()
    w = 2 * np.pi / 1.0
    t = np.arange(len(acc)) * DT
    found = solve_ivp(
        lambda s, x: (x[1], -np.interp(s, t, acc) - 0.1 * w * x[1] - w**2 * x[0]),
        (0, t[-1]), (0, 0), max_step=5e-3, rtol=1e-8, dense_output=True,
    )  # fmt: skip
    sa = rotd(np.stack([acc, 0 * acc])[None], DT, np.array([1.0]), (100,))[0, 0, 0] * 9.80665
    assert np.abs(found.sol(t)[0]).max() * w**2 == pytest.approx(sa, rel=2e-3)
    energy = np.cumsum(found.sol(t)[1] ** 2)
    at = np.searchsorted(energy, np.array([0.05, 0.75]) * energy[-1])
    assert spectral_durations(acc[None], DT, 1.0)[0, 0] == pytest.approx(
        (at[1] - at[0]) * DT, abs=2 * DT
    )


def test_duration_of_free_vibration_in_closed_form() -> None:
    """After an impulse the energy of motion decays as exp(-2 z w t): 5 to 75 % of it takes
    ln(0.95 / 0.25) / (2 z w), but for the swing within a period."""
    acc = np.zeros((1, 6000))
    acc[0, 10] = 1.0
    period, damping = 0.5, 0.01
    found = spectral_durations(acc, DT, period, damping=damping)[0, 0]
    expected = np.log(0.95 / 0.25) / (2 * damping * 2 * np.pi / period)
    assert found == pytest.approx(expected, abs=0.25 * period)


def test_bad_input() -> None:
    with pytest.raises(ValueError, match=r"\(n, nt\)"):
        inelastic_ratios(burst(), DT, 1.0, 2.0)
    with pytest.raises(ValueError, match="above 0"):
        spectral_durations(burst()[None], DT, [0.0])
    with pytest.raises(ValueError, match=">= 1"):
        inelastic_ratios(burst()[None], DT, 1.0, 0.5)
