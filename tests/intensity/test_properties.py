"""Properties that hold for every record, and inputs at the edge of the allowed."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gwm_hazard.intensity import intensity_measures_array, rotd

from .reference import records

PERIODS = [0.0, 0.03, 0.1, 0.4, 2.0]
IMTS = ["PGA", "PGV", "PGD", "SA(0.05)", "SA(0.5)", "IA", "CAV", "RSD595", "RSD575", "RSD2080"]
seeds = st.integers(0, 10_000)
few = settings(max_examples=15, deadline=None)


def noise(seed, n=1, nt=400):
    return records(n, nt, 0.01, seed=seed)


@few
@given(seeds, st.floats(1e-3, 1e3))
def test_scale(seed, factor):
    acc = noise(seed)
    assert rotd(factor * acc, 0.01, PERIODS) == pytest.approx(
        factor * rotd(acc, 0.01, PERIODS), rel=1e-9
    )


@few
@given(seeds)
def test_polarity(seed):
    acc = noise(seed)
    assert np.array_equal(rotd(-acc, 0.01, PERIODS), rotd(acc, 0.01, PERIODS))


@few
@given(seeds, st.integers(1, 300), st.integers(1, 300))
def test_zeros_before_and_after_change_nothing(seed, before, after):
    acc = noise(seed)
    padded = np.pad(acc, [(0, 0), (0, 0), (before, after)])
    assert np.array_equal(rotd(padded, 0.01, PERIODS), rotd(acc, 0.01, PERIODS))
    measured = intensity_measures_array(padded, 0.01, IMTS)
    assert measured[:, 3:] == pytest.approx(intensity_measures_array(acc, 0.01, IMTS)[:, 3:])


@few
@given(seeds, st.floats(0, 180))
def test_rotation_of_the_sensor(seed, angle):
    acc = noise(seed)
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    turned = np.stack([c * acc[:, 0] + s * acc[:, 1], c * acc[:, 1] - s * acc[:, 0]], axis=1)
    values = rotd(acc, 0.01, PERIODS, [0, 50, 100])
    # the angles are one degree apart: the smallest value moves most, between them
    assert rotd(turned, 0.01, PERIODS, [0, 50, 100]) == pytest.approx(values, rel=0.02)
    whole = np.rint(angle)
    c, s = np.cos(np.radians(whole)), np.sin(np.radians(whole))
    turned = np.stack([c * acc[:, 0] + s * acc[:, 1], c * acc[:, 1] - s * acc[:, 0]], axis=1)
    assert rotd(turned, 0.01, PERIODS, [0, 50, 100]) == pytest.approx(values, rel=1e-4)


@few
@given(seeds)
def test_order_of_percentiles(seed):
    low, middle, high = np.moveaxis(rotd(noise(seed), 0.01, PERIODS, [0, 50, 100]), 1, 0)
    assert np.all(low <= middle) and np.all(middle <= high)
    # every second angle is within 45 degrees of that of the largest value, or half a degree more
    assert np.all(high <= np.sqrt(2) * middle * 1.01)


def test_batches_and_threads_change_no_bit():
    acc = noise(3, n=9, nt=700)
    together = intensity_measures_array(acc, 0.01, IMTS)
    alone = np.concatenate([intensity_measures_array(a[None], 0.01, IMTS) for a in acc])
    assert np.array_equal(together, alone)
    order = np.random.default_rng(1).permutation(9)
    assert np.array_equal(intensity_measures_array(acc[order], 0.01, IMTS), together[order])
    threads = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        assert np.array_equal(intensity_measures_array(acc, 0.01, IMTS), together)
    finally:
        numba.set_num_threads(threads)


def test_float32_input():
    acc = noise(4, n=2).astype(np.float32)
    single = intensity_measures_array(acc, 0.01, IMTS)
    double = intensity_measures_array(acc.astype(np.float64), 0.01, IMTS)
    assert single == pytest.approx(double, rel=1e-12)


@pytest.mark.parametrize("component", ["RotD50", "RotD00", "geometric_mean", "H2"])
def test_all_zero_record(component):
    acc = np.concatenate([np.zeros((1, 2, 400)), noise(1)])
    values = intensity_measures_array(acc, 0.01, IMTS, component)
    assert np.all(values[0, :7] == 0) and np.all(np.isnan(values[0, 7:]))
    assert np.all(values[1] > 0)


def test_records_of_one_direction():
    # the second component is a multiple of the first: RotD00 is nearly nothing
    x = noise(6)[:, 0]
    acc = np.stack([x, 0.5 * x], axis=1)
    low, high = rotd(acc, 0.01, [0.1, 1.0], [0, 100])[0]
    assert np.all(low < 0.02 * high)


def test_empty_batch():
    assert rotd(np.empty((0, 2, 100)), 0.01, PERIODS, [50, 100]).shape == (0, 2, len(PERIODS))
    assert intensity_measures_array(np.empty((0, 3, 100)), 0.01, IMTS).shape == (0, len(IMTS))
    assert rotd(noise(0), 0.01, []).shape == (1, 1, 0)


@pytest.mark.parametrize("interpolation", ["bandlimited", "linear"])
def test_two_samples(interpolation):
    acc = np.array([[[1.0, -1.0], [0.5, 2.0]]])
    values = rotd(acc, 0.01, PERIODS, [0, 50, 100], interpolation=interpolation)
    assert np.all(np.isfinite(values)) and np.all(values > 0)
    assert np.all(np.isfinite(intensity_measures_array(acc, 0.01, IMTS)))


def test_errors_name_the_field():
    acc = noise(0, n=3)
    for bad in (np.nan, np.inf, -np.inf):
        broken = acc.copy()
        broken[2, 1, 17] = bad
        for dtype in (np.float32, np.float64):
            with pytest.raises(ValueError, match="record 2"):
                rotd(broken.astype(dtype), 0.01, PERIODS)
    with pytest.raises(ValueError, match=r"acc has shape \(3, 400\)"):
        rotd(acc[:, 0], 0.01, PERIODS)
    with pytest.raises(ValueError, match="acc has 1 samples"):
        rotd(acc[..., :1], 0.01, PERIODS)
    with pytest.raises(ValueError, match="acc has dtype complex128"):
        rotd(acc.astype(complex), 0.01, PERIODS)
    for dt in (0, -0.01, np.nan, np.inf):
        with pytest.raises(ValueError, match="dt = "):
            rotd(acc, dt, PERIODS)
    for periods in ([-1.0], [np.nan], [[0.1]]):
        with pytest.raises(ValueError, match="periods = "):
            rotd(acc, 0.01, periods)
    for percentiles in ([101], [-1], [], [np.nan]):
        with pytest.raises(ValueError, match="percentiles = "):
            rotd(acc, 0.01, PERIODS, percentiles)
    with pytest.raises(ValueError, match="damping = 1"):
        rotd(acc, 0.01, PERIODS, damping=1)
    with pytest.raises(ValueError, match="interpolation = 'cubic'"):
        rotd(acc, 0.01, PERIODS, interpolation="cubic")
    with pytest.raises(ValueError, match="pad_s = -1"):
        rotd(acc, 0.01, PERIODS, pad_s=-1)
