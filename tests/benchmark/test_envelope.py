"""Envelopes and the build-up of energy against closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from gwm_hazard.benchmark.metrics.envelope import (
    log_envelopes,
    moment_misfit,
    moments,
    moving_average,
    rise_share,
    start_s,
)

DT = 0.01


def test_window_has_128_samples_at_100_hz() -> None:
    x = np.zeros(1001)
    x[500] = -128.0
    average = moving_average(x, DT)
    assert average.max() == pytest.approx(1.0)
    assert (average > 0.5).sum() == 128


def test_average_of_a_sine() -> None:
    x = 3.0 * np.sin(2 * np.pi * 25.0 * (np.arange(4000) + 0.5) * DT)
    middle = moving_average(x, DT)[1000:3000]
    # mean of |sin| at four samples a period: 1 / sqrt(2)
    assert np.allclose(middle, 3.0 / np.sqrt(2.0), rtol=1e-6)


def test_log_envelope_at_times_of_each_record() -> None:
    acc = np.ones((2, 1, 2000), np.float32) * np.array([2.0, 5.0])[:, None, None]
    acc[1, :, 1000:] = 0.0
    values = log_envelopes(acc, np.array([2000, 1000]), DT, [-6.0, 0.0, 6.0], np.array([10.0, 5.0]))
    assert np.allclose(values[0, 0], np.log(2.0))
    assert np.isnan(values[1, 0, 0]) and np.isnan(values[1, 0, 2])
    assert values[1, 0, 1] == pytest.approx(np.log(5.0))


def test_start_and_rise_of_an_exponential_decay() -> None:
    # energy exp(-t / tau): t_q = -tau ln(1 - q)
    t = np.arange(8000) * DT
    acc = np.exp(-t / (2 * 3.0))[None, None]
    assert start_s(acc, DT)[0] == pytest.approx(-3.0 * np.log(0.95), abs=2 * DT)
    q = -np.log(1 - np.array([0.05, 0.45, 0.95]))
    assert rise_share(acc, DT)[0, 0] == pytest.approx((q[1] - q[0]) / (q[2] - q[0]), abs=0.002)


def test_time_reversed_motion_is_caught() -> None:
    rng = np.random.default_rng(0)
    t = np.arange(4000) * DT
    shape = np.where(t > 5, (t - 5) * np.exp(-(t - 5) / 3), 0.0)
    acc = (rng.normal(size=(200, 2, 4000)) * shape).astype(np.float32)
    npts, at = np.full(100, 4000), np.arange(-4, 20, 0.5)

    def of(x: np.ndarray) -> np.ndarray:
        return moments(log_envelopes(x, npts, DT, at, start_s(x, DT))[:, 0])[:, None]

    real = moment_misfit(of(acc[:100]), of(acc[100:]), 10)[0]
    turned = moment_misfit(of(acc[:100]), of(acc[100:, :, ::-1]), 10)[0]
    assert turned > 5 * real
    assert np.median(rise_share(acc, DT)) < 0.45 < 0.55 < np.median(rise_share(acc[..., ::-1], DT))


def test_moments_and_misfit_leave_out_what_is_unknown() -> None:
    x = np.array([[1.0, np.nan], [3.0, 2.0], [5.0, np.nan]])
    n, mean, deviation = moments(x)
    assert n.tolist() == [3, 1] and mean.tolist() == [3.0, 2.0]
    assert deviation[0] == pytest.approx(np.std(x[:, 0], ddof=1)) and np.isnan(deviation[1])
    a, b = moments(x)[:, None], moments(x + 0.5)[:, None]
    assert moment_misfit(a, b, 3) == (pytest.approx(0.5), pytest.approx(0.0))
    assert np.isnan(moment_misfit(a, b, 4)[0])
