"""Averages and integrals of spectra, Fourier amplitudes, FIV3, JMA intensity, levels."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, find_peaks, lfilter

from gwm_hazard.intensity import (
    effective_amplitude,
    filtered_incremental_velocity,
    fourier_amplitude,
    intensity_measures_array,
    jma_intensity,
    konno_ohmachi,
    level_durations,
    rotd,
    significant_duration,
)
from gwm_hazard.intensity.jma import jma_filter

from .reference import ANGLES, G, records, trapezoid

DT = 0.01


def one(x):
    """(1, 2, nt): a component and zeros."""
    return np.stack([x, np.zeros_like(x)])[None]


def measure(acc, name, component="RotD50"):
    return intensity_measures_array(acc, DT, [name], component)[0, 0]


def test_average_spectral_acceleration():
    acc = records(3, 600, DT, seed=1)
    for name, high in (("Sa_avg2", 2.0), ("Sa_avg3", 3.0)):
        sa = rotd(acc, DT, np.linspace(0.2 * 0.7, high * 0.7, 10))[:, 0]
        got = intensity_measures_array(acc, DT, [f"{name}(0.7)"])[:, 0]
        assert got == pytest.approx(np.prod(sa, axis=1) ** 0.1)
    assert measure(np.zeros((1, 2, 50)), "Sa_avg2(1.0)") == 0


def test_spectrum_intensities_of_an_impulse():
    # a jump of the velocity by v: pseudo-velocity v exp(-zeta acos(zeta) / sqrt(1 - zeta^2))
    t = np.arange(400) * DT
    pulse = np.exp(-0.5 * ((t - 1) / 0.006) ** 2)
    v = pulse.sum() * DT
    zeta = 0.05
    psv = v * math.exp(-zeta * math.acos(zeta) / math.sqrt(1 - zeta**2))
    assert measure(one(pulse), "SI", "H1") == pytest.approx(2.4 * psv * 100, rel=5e-3)
    dsi = psv * 100 * (25 - 4) / 2 / (2 * math.pi)
    assert measure(one(pulse), "DSI", "H1") == pytest.approx(dsi, rel=1e-3)
    asi = psv * 2 * math.pi * math.log(5) / G
    assert measure(one(pulse), "ASI", "H1") == pytest.approx(asi, rel=0.03)


def test_fourier_amplitude_of_a_gaussian_pulse():
    t = np.arange(1000) * DT
    width = 0.07
    acc = one(2.0 * np.exp(-0.5 * ((t - 5) / width) ** 2))
    f = np.array([0.03, 0.5, 1.234, 3.0, 7.7])
    expected = 2.0 * width * math.sqrt(2 * math.pi) * np.exp(-2 * (math.pi * f * width) ** 2) / G
    assert fourier_amplitude(acc, DT, f, [100])[0, 0] == pytest.approx(expected, rel=1e-9)
    # of a component at an angle, the cosine of it
    assert fourier_amplitude(acc, DT, f, None)[0, 60] == pytest.approx(expected / 2, rel=1e-9)


def test_fourier_amplitude_is_that_of_numpy():
    acc = records(2, 512, DT, seed=2)
    f = np.fft.rfftfreq(512, DT)[[1, 5, 60, 200]]
    x, y = np.moveaxis(np.fft.rfft(acc)[:, :, [1, 5, 60, 200]] * DT / G, 1, 0)
    turned = [np.abs(x * np.cos(a) + y * np.sin(a)) for a in ANGLES]
    assert fourier_amplitude(acc, DT, f)[:, 0] == pytest.approx(np.percentile(turned, 50, axis=0))


def test_effective_amplitude_of_impulses():
    # flat spectra stay flat under smoothing
    acc = np.zeros((1, 2, 300))
    acc[0, 0, 100], acc[0, 1, 200] = 3.0, 4.0
    f = [0.05, 0.5, 5.0, 40.0]
    flat = math.sqrt((9 + 16) / 2) * DT / G
    assert effective_amplitude(acc, DT, f)[0] == pytest.approx(np.full(4, flat), rel=1e-9)
    assert measure(acc, "EAS(2.0)", "H2") == pytest.approx(4 * DT / G)
    assert measure(acc, "EAS(2.0)", "larger") == pytest.approx(flat)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.floats(0, 180))
def test_effective_amplitude_does_not_depend_on_the_orientation(seed, angle):
    acc = records(1, 300, DT, seed=seed)
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    turned = np.stack([c * acc[:, 0] + s * acc[:, 1], c * acc[:, 1] - s * acc[:, 0]], axis=1)
    f = [0.3, 1.0, 10.0]
    assert effective_amplitude(turned, DT, f) == pytest.approx(effective_amplitude(acc, DT, f))


def test_smoothing_is_that_of_obspy():
    obspy = pytest.importorskip("obspy.signal.konnoohmachismoothing")
    f = np.fft.rfftfreq(8192, DT)[1:]
    spectrum = np.abs(np.random.default_rng(1).normal(size=f.size)) + 0.1
    for b in (20.0, 188.5):
        for centre in f[[400, 1500, 3000]]:
            window = obspy.konno_ohmachi_smoothing_window(f, centre, b, normalize=False)
            ours = konno_ohmachi(f, centre, b)
            main = ours > 0
            assert ours[main] == pytest.approx(window[main], abs=1e-6)
            assert window[~main].sum() < 0.01 * window.sum()
            smooth = (window * spectrum).sum() / window.sum()
            assert (ours * spectrum).sum() / ours.sum() == pytest.approx(smooth, rel=0.01)


def test_frequencies_above_nyquist_are_refused():
    for name in ("FAS(60)", "EAS(50.1)"):
        with pytest.raises(ValueError, match="Nyquist frequency 50 Hz"):
            measure(records(1, 100, DT), name)


def test_fiv3_of_a_harmonic():
    # a window W of a sin(w t) gains (2 a / w) sin(w W / 2) at most, three times over
    f, period = 0.2, 2.0
    t = np.arange(6000) * DT
    acc = one(
        0.5 * np.sin(2 * math.pi * f * t) * np.minimum(1, t / 20) * np.minimum(1, t[::-1] / 20)
    )
    gain = 1 / math.sqrt(1 + (math.tan(math.pi * f * DT) / math.tan(math.pi * DT)) ** 4)
    w = 2 * math.pi * f
    expected = 3 * 2 * 0.5 / w * math.sin(w * 0.7 * period / 2) * gain * 100
    got = filtered_incremental_velocity(acc, DT, [period], [100])[0, 0, 0]
    assert got == pytest.approx(expected, rel=2e-3)


def test_fiv3_of_records_by_its_definition():
    acc = records(2, 2500, DT, seed=5, corner_hz=0.1)
    periods = [0.5, 1.03, 3.0]
    got = filtered_incremental_velocity(acc, DT, periods, None)
    for i, pair in enumerate(acc):
        padded = np.pad(pair, [(0, 0), (0, 600)])
        filtered = lfilter(*butter(2, 1.0, fs=100), padded)
        for j, period in enumerate(periods):
            lag = 0.7 * period
            for k in (0, 33, 120):
                v = trapezoid(filtered.T @ [np.cos(ANGLES[k]), np.sin(ANGLES[k])], DT) * 100
                t = np.arange(v.size) * DT
                gained = (np.interp(t + lag, t, v) - v)[: int((t[-1] - lag) / DT)]
                sums = [np.sort(s[find_peaks(s)[0]])[-3:].sum() for s in (gained, -gained)]
                assert got[i, k, j] == pytest.approx(max(sums), rel=1e-6)


def test_jma_of_a_harmonic():
    # |sin| exceeds q during the share 1 - 2 asin(q) / pi of the time
    f, seconds, amplitude = 2.0, 60, 0.8
    t = np.arange(int(seconds / DT)) * DT
    acc = np.zeros((1, 3, t.size))
    acc[0, 2] = amplitude * np.sin(2 * math.pi * f * t + 0.3)
    level = amplitude * 100 * float(jma_filter(f)) * math.sin(math.pi / 2 * (1 - 0.3 / seconds))
    assert jma_intensity(acc, DT)[0] == pytest.approx(2 * math.log10(level) + 0.94, abs=0.01)


def test_jma_filter():
    # low-cut at long periods like f^1.5, period effect f^-0.5: together proportional to f
    assert jma_filter(0.002) / jma_filter(0.001) == pytest.approx(2, rel=1e-3)
    assert float(jma_filter(1.0)) == pytest.approx(1.0, abs=0.01)
    assert float(jma_filter(10.0)) == pytest.approx(
        0.1**0.5 / math.sqrt(1 + 0.694 + 0.241 + 0.0557 + 0.009664 + 0.00134 + 0.000155)
    )
    assert jma_filter([0.0, 1.0])[0] == 0


def test_jma_is_of_three_components():
    acc = np.concatenate([records(3, 800, DT, seed=3), records(3, 800, DT, seed=4)], axis=1)[:, :3]
    values = jma_intensity(acc, DT)
    assert jma_intensity(10 * acc, DT) == pytest.approx(values + 2)
    assert jma_intensity(acc[:, [2, 0, 1]], DT) == pytest.approx(values)
    for component in ("RotD50", "H1", "GMRotI50"):
        both = intensity_measures_array(acc, DT, ["PGA", "JMA"], component)
        assert both[:, 1] == pytest.approx(values)
    assert jma_intensity(np.zeros((1, 3, 100)), DT)[0] == -np.inf
    with pytest.raises(ValueError, match="three components"):
        intensity_measures_array(acc[:, :2], DT, ["JMA"])
    with pytest.raises(ValueError, match=r"0.2 s.*0.3 s"):
        jma_intensity(acc[..., :20], DT)


def test_durations_above_a_level_of_a_harmonic():
    t = np.arange(2001) * 0.005
    acc = one(2.0 * np.sin(2 * math.pi * t))  # 10 cycles
    bracketed, uniform = level_durations(acc, 0.005, [1.0 / G, 2.1 / G], [100])
    # above half of the peak from 1/12 to 5/12 of each half cycle
    assert bracketed[0, 0] == pytest.approx([10 - 2 / 12, 0], abs=1e-3)
    assert uniform[0, 0] == pytest.approx([10 * 2 / 3, 0], abs=5e-3)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 1000), st.floats(0.05, 0.9))
def test_durations_above_a_level_by_dense_samples(seed, share):
    acc = records(1, 300, DT, seed=seed)
    level = share * np.abs(acc).max() / G
    bracketed, uniform = level_durations(acc, DT, [level], None)
    fine = np.linspace(0, 299, 299 * 200 + 1)
    x, y = (np.interp(fine, np.arange(300), c) for c in acc[0])
    for k in (0, 45, 100, 179):
        above = np.flatnonzero(np.abs(x * np.cos(ANGLES[k]) + y * np.sin(ANGLES[k])) > level * G)
        assert uniform[0, k, 0] == pytest.approx(above.size * DT / 200, abs=DT / 10)
        span = (above[-1] - above[0]) * DT / 200 if above.size else 0
        assert bracketed[0, k, 0] == pytest.approx(span, abs=DT / 50)


def test_any_pair_of_percentages():
    acc = records(2, 500, DT, seed=8)
    for name, start, end in (("RSD1090", 0.1, 0.9), ("RSD580", 0.05, 0.8), ("RSD595", 0.05, 0.95)):
        expected = significant_duration(acc, DT, start, end)[:, 0]
        assert intensity_measures_array(acc, DT, [name])[:, 0] == pytest.approx(expected)
    for name in ("RSD9010", "RSD5050", "RSD5", "RSDppqq"):
        with pytest.raises(ValueError, match="unknown intensity measure"):
            measure(acc, name)


def test_errors_name_the_field():
    acc = records(1, 300, DT)
    with pytest.raises(ValueError, match="levels = "):
        level_durations(acc, DT, [0.0])
    with pytest.raises(ValueError, match="periods = "):
        filtered_incremental_velocity(acc, DT, [-1.0])
    with pytest.raises(ValueError, match="dt = 1 s"):
        filtered_incremental_velocity(acc, 1.0, [1.0])
    for function in (fourier_amplitude, effective_amplitude):
        with pytest.raises(ValueError, match="frequencies = "):
            function(acc, DT, [0.0])
