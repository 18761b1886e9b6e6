"""Response spectra against closed forms, a converged reference, pyrotd and published values."""

import math

import numpy as np
import pytest

from gwm_hazard.intensity import rotd

from .reference import G, converged, import_pyrotd, records, rotated_percentiles, step_response

PERIODS = [0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 1.0, 2.0, 5.0, 10.0]


def one_component(x):
    """(1, 2, nt) with x in the first component: its RotD100 is its own peak."""
    return np.stack([x, np.zeros_like(x)])[None]


@pytest.mark.parametrize("period", [0.2, 1.0, 3.0])
@pytest.mark.parametrize("damping", [0.0, 0.05, 0.2])
def test_step(period, damping):
    # a step of ground acceleration a: largest pseudo-acceleration a (1 + exp(-pi z / sqrt(1-z^2)))
    acc = one_component(np.full(2000, 2.0))
    peak = rotd(acc, 0.005, [period], [100], damping, interpolation="linear")[0, 0, 0]
    overshoot = math.exp(-math.pi * damping / math.sqrt(1 - damping**2))
    assert peak * G == pytest.approx(2.0 * (1 + overshoot), rel=2e-4)


@pytest.mark.parametrize("period", [0.1, 0.5, 2.0])
def test_ramp(period):
    # undamped, ground acceleration k t: k (t - sin(w t) / w), here largest at the end
    t = np.arange(401) * 0.01
    w = 2 * math.pi / period
    acc = one_component(3.0 * t)
    peak = rotd(acc, 0.01, [period], [100], 0.0, interpolation="linear", pad_s=0)[0, 0, 0]
    assert peak * G == pytest.approx(3.0 * np.max(t - np.sin(w * t) / w), rel=1e-6)


@pytest.mark.parametrize("interpolation", ["linear", "bandlimited"])
@pytest.mark.parametrize(("period", "driver"), [(0.5, 0.5), (0.5, 0.8), (1.0, 0.4), (0.3, 2.0)])
def test_harmonic_steady_state(period, driver, interpolation):
    # many cycles, faded in and out: amplitude a / sqrt((1 - r^2)^2 + (2 z r)^2), r = T / driver
    t = np.arange(12000) * 0.01
    fade = np.sin(math.pi * np.clip(np.minimum(t, t[-1] - t) / 40, 0, 1) / 2) ** 2
    acc = one_component(fade * np.sin(2 * math.pi * t / driver))
    r, z = period / driver, 0.05
    expected = 1 / math.sqrt((1 - r * r) ** 2 + (2 * z * r) ** 2)
    peak = rotd(acc, 0.01, [period], [100], z, interpolation=interpolation)[0, 0, 0]
    # straight lines between the samples of a sine lose (pi dt / driver)^2 / 3 of it
    loss = 0.0 if interpolation == "bandlimited" else (math.pi * 0.01 / driver) ** 2 / 3
    assert peak * G == pytest.approx(expected * (1 - loss), rel=3e-4)


def test_harmonic_transient_of_an_undamped_oscillator_at_resonance():
    # a sin(w t): response a (sin(w t) - w t cos(w t)) / 2, growing with every cycle
    period, cycles = 1.0, 12
    t = np.arange(1200) * 0.01
    phase = 2 * math.pi * t / period
    acc = one_component(np.sin(phase))
    peak = rotd(acc, 0.01, [period], [100], 0.0, interpolation="linear", pad_s=0)[0, 0, 0]
    expected = np.max(np.abs(np.sin(phase) - phase * np.cos(phase))) / 2
    assert cycles * math.pi == pytest.approx(expected, rel=0.01)
    assert peak * G == pytest.approx(expected, rel=1e-3)


def test_free_vibration_after_the_record_counts():
    # a half-sine pulse much shorter than the period: the peak comes after it
    t = np.arange(21) * 0.01
    acc = one_component(np.sin(math.pi * t / t[-1]))
    padded = np.pad(acc, [(0, 0), (0, 0), (0, 2000)])
    after = rotd(acc, 0.01, [4.0], [100])
    assert after == pytest.approx(rotd(padded, 0.01, [4.0], [100], pad_s=0), rel=1e-9)
    assert after == pytest.approx(rotd(acc, 0.01, [4.0], [100], pad_s=8.0), rel=1e-9)
    assert rotd(acc, 0.01, [4.0], [100], pad_s=0)[0, 0, 0] < 0.5 * after[0, 0, 0]


@pytest.mark.parametrize(("dt", "nt"), [(0.005, 4000), (0.01, 2500), (0.02, 1500)])
@pytest.mark.parametrize("kappa", [0.04, 0.01])
def test_converged_reference(dt, nt, kappa):
    acc = records(2, nt, dt, seed=int(1000 * dt), kappa=kappa)
    error = np.abs(rotd(acc, dt, PERIODS) / converged(acc, dt, PERIODS) - 1).max(axis=(0, 1))
    short = np.array(PERIODS) <= 0.1
    assert error[short].max() < 2e-3
    assert error[~short].max() < 5e-4


def test_all_percentiles():
    acc = records(2, 1024, 0.01, seed=5)
    levels = [0, 5, 16, 50, 84, 100]
    periods = [0.02, 0.15, 1.0]
    expected = converged(acc, 0.01, periods, levels)
    assert rotd(acc, 0.01, periods, levels) == pytest.approx(expected, rel=2e-3)
    for i, level in enumerate(levels):  # each alone, with its own pruning
        alone = rotd(acc, 0.01, periods, [level])[:, 0]
        assert alone == pytest.approx(expected[:, i], rel=2e-3)


def test_linear_interpolation():
    acc = records(1, 1000, 0.01, seed=9, kappa=0.02)
    periods = [0.02, 0.1, 0.3, 2.0]
    t = np.arange(1500)
    padded = np.pad(acc, [(0, 0), (0, 0), (0, 500)])
    fine = np.linspace(0, t[-1], 64 * t[-1] + 1)
    dense = np.stack([np.interp(fine, t, c) for c in padded[0]])
    for period in periods:
        x, y = step_response(dense, 0.01 / 64, period, 0.05)
        expected = rotated_percentiles(x, y, [50])[0] / G
        value = rotd(acc, 0.01, [period], interpolation="linear")[0, 0, 0]
        assert value == pytest.approx(expected, rel=1e-3)


def test_linear_and_band_limited_agree_at_long_periods():
    acc = records(3, 2000, 0.005, seed=2)
    periods = [0.5, 1.0, 4.0]
    assert rotd(acc, 0.005, periods) == pytest.approx(
        rotd(acc, 0.005, periods, interpolation="linear"), rel=1e-3
    )


def test_pyrotd():
    pyrotd = import_pyrotd()
    acc = records(3, 3000, 0.005, seed=4)
    periods = np.array([0.2, 0.5, 1.0, 2.0])
    ours = rotd(acc, 0.005, periods, [0, 50, 100])
    # pyrotd's response is periodic in time: zeros keep its end from its beginning
    padded = np.pad(acc, [(0, 0), (0, 0), (0, 4000)])
    for i, (x, y) in enumerate(padded):
        theirs = pyrotd.calc_rotated_spec_accels(
            0.005, x / G, y / G, 1 / periods, 0.05, percentiles=[0, 50, 100]
        )
        values = np.asarray(theirs.spec_accel).reshape(len(periods), 3).T
        assert ours[i] == pytest.approx(values, rel=0.01)


def test_one_period_or_many():
    acc = records(2, 1500, 0.01, seed=8)
    together = rotd(acc, 0.01, PERIODS)[:, 0]
    alone = np.stack([rotd(acc, 0.01, [p])[:, 0, 0] for p in PERIODS], axis=1)
    assert together == pytest.approx(alone, rel=1e-12)
    order = np.random.default_rng(0).permutation(len(PERIODS))
    shuffled = rotd(acc, 0.01, np.array(PERIODS)[order])[:, 0]
    assert shuffled == pytest.approx(together[:, order], rel=1e-12)


def test_short_periods_tend_to_pga():
    acc = records(2, 1500, 0.01, seed=8)
    values = rotd(acc, 0.01, [0.0, 1e-5, 1e-3])[:, 0]
    assert values[:, 1] == pytest.approx(values[:, 0], rel=1e-6)
    assert values[:, 2] == pytest.approx(values[:, 0], rel=5e-3)
