"""Green's functions and sums of point sources, against stored synthetics and closed forms."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from gwm_hazard.errors import InputError, MissingPackageError
from gwm_hazard.simulations.green import green_functions
from gwm_hazard.simulations.library import Library
from gwm_hazard.simulations.moment_rate import SHAPES, brune, corner_hz, cosine, moment_n_m, yoffe
from gwm_hazard.simulations.points import Points, acceleration, radiation, site_velocity

M0 = 1.995e17  # M 5.5


def point(**changes) -> Points:
    made = Points(0.0, 0.0, 8.0, M0, 0.0, 1.6, 0.0, 90.0, 0.0)
    return replace(made, **changes)


def stored(shared, kind: str, km: int) -> np.ndarray:
    path = shared / "reference" / "broadband" / "synthetics_layered.npz"
    if not path.is_file():
        pytest.skip(f"needs {path}")
    with np.load(path) as data:
        return data[f"{kind}_{km}km"][[1, 0, 2]]  # north, east, up


@pytest.mark.usefixtures("green")
def test_synthetics_are_the_stored_ones(shared, crust):
    """Within 2 % of the peak: velocity, 1.6 s raised cosine, azimuth 20 deg, strike-slip."""
    nt, dt, lead, azimuth = 1024, 0.1, 5.0, np.radians(20.0)
    made = green_functions(crust, 8.0, np.array([10.0, 30.0, 80.0]), nt, dt, 2.0, lead)
    assert np.allclose(made.p_s, [2.29, 5.34, 13.26], atol=0.006)
    assert np.allclose(made.s_s, [3.97, 9.26, 22.96], atol=0.006)
    f = np.fft.rfftfreq(nt, dt)
    weights = radiation(azimuth, 0.0, np.pi / 2, 0.0)[:, None]
    window = np.clip((nt - np.arange(nt)) / 50.0 - 0.5, 0.0, 1.0)
    spectra = np.fft.rfft(made.velocity * window) * weights * M0 * cosine(f, 1.6)
    spectra *= np.exp(2j * np.pi * f * lead)
    radial, transverse = spectra[:, [0, 2, 5]].sum(1), spectra[:, [3, 6]].sum(1)
    c, s = np.cos(azimuth), np.sin(azimuth)
    north, east = radial * c - transverse * s, radial * s + transverse * c
    motion = np.fft.irfft(np.stack([north, east, spectra[:, [1, 4, 7]].sum(1)], axis=1), nt)
    for i, km in enumerate((10, 30, 80)):
        want = stored(shared, "vel", km)[:, :900]
        assert np.abs(motion[i, :, :900] - want).max() < 0.02 * np.abs(want).max()


@pytest.mark.slow
def test_the_library_has_the_stored_synthetics(shared, crust, cache):
    library = Library(crust, max_hz=1.6, max_distance_km=82.0, after_s=60.0)
    for km in (10, 30, 80):
        azimuth = np.radians(20.0)
        velocity = site_velocity(
            library, point(), km * np.cos(azimuth), km * np.sin(azimuth), "cosine"
        )
        fine = np.fft.irfft(velocity, 16 * library.nt) * 16 / library.dt_s
        t = library.dt_s / 16 * np.arange(16 * library.nt)
        want = stored(shared, "vel", km)[:, :900]
        ours = np.array([np.interp(0.1 * np.arange(900), t, row) for row in fine])
        assert np.abs(ours - want).max() < 0.02 * np.abs(want).max()


def test_between_nodes_the_library_is_what_is_computed_there(crust, library):
    azimuth = np.radians(50.0)
    north, east = 19.0 * np.cos(azimuth), 19.0 * np.sin(azimuth)
    ours = site_velocity(library, point(depth_km=9.0), north, east, "cosine")
    direct = green_functions(
        crust, 9.0, np.array([19.0]), library.nt, library.dt_s, 1.25 * library.max_hz, 5.0
    )
    f = library.frequencies_hz
    window = np.clip((library.nt - np.arange(library.nt)) / 8.0 - 0.5, 0.0, 1.0)
    spectra = np.fft.rfft(direct.velocity[0] * window)[:, : len(f)] * library.dt_s
    spectra *= radiation(azimuth, 0.0, np.pi / 2, 0.0)[:, None] * M0 * cosine(f, 1.6)
    up = spectra[[1, 4, 7]].sum(0) * np.exp(2j * np.pi * f * 5.0)
    band = (f > 0.02) & (f < library.max_hz)
    error = np.linalg.norm((ours[2] - up)[band]) / np.linalg.norm(up[band])
    assert error < 0.04  # of nodes two kilometres apart


def test_points_in_one_place_are_one_point(library):
    one = site_velocity(library, point(), 30.0, 20.0, "cosine")
    seven = site_velocity(library, point(moment_n_m=np.full(7, M0 / 7)), 30.0, 20.0, "cosine")
    assert np.abs(seven - one).max() < 3e-8 * np.abs(one).max()


def line(moment: float, n: int = 21) -> Points:
    """20 km northward at 2.8 km/s, about the origin."""
    north = np.linspace(-10.0, 10.0, n)
    return Points(north, 0.0, 8.0, moment / n, (north + 10.0) / 2.8, 1.6, 0.0, 90.0, 0.0)


AROUND = {"ahead": (45.0, 0.0), "behind": (-45.0, 0.0), "abeam": (0.0, 45.0)}


def test_a_finite_source_is_a_point_at_low_frequencies_and_less_beyond(library):
    """Section 5: spectrum ratios of 0.998, 0.93, 0.96 below 0.03 Hz; 0.92, 0.13, 0.17 at 0.15."""
    f, moment = library.frequencies_hz, float(moment_n_m(6.5))
    found = {}
    for name, at in AROUND.items():
        finite = site_velocity(library, line(moment), *at, "cosine")
        single = site_velocity(library, point(moment_n_m=moment), *at, "cosine")
        for low, high in ((0.01, 0.03), (0.1, 0.2)):
            band = (f >= low) & (f <= high)
            found[name, low] = np.linalg.norm(finite[:, band]) / np.linalg.norm(single[:, band])
    want = {
        ("ahead", 0.01): 0.998, ("behind", 0.01): 0.93, ("abeam", 0.01): 0.96,
        ("ahead", 0.1): 0.92, ("behind", 0.1): 0.13, ("abeam", 0.1): 0.17,
    }  # fmt: skip
    assert {k: abs(found[k] - v) < 0.04 for k, v in want.items()} == dict.fromkeys(want, True)


@pytest.mark.slow
def test_directivity(crust, cache):
    """Section 5: PGV 15.6 ahead, 2.0 behind, cm/s; durations 4.1, 17.3, 10.1 s."""
    library = Library(crust, max_hz=1.2, max_distance_km=60.0, after_s=40.0)
    pgv, duration = {}, {}
    for name, at in AROUND.items():
        spectra = site_velocity(library, line(float(moment_n_m(6.5))), *at, "cosine")
        motion = np.fft.irfft(spectra, library.nt) / library.dt_s
        pgv[name] = 100 * np.abs(motion).max()
        energy = np.cumsum((acceleration(library, spectra)[:2] ** 2).sum(axis=0))
        five, most = np.searchsorted(energy, [0.05 * energy[-1], 0.95 * energy[-1]])
        duration[name] = (most - five) * library.dt_s
    assert pgv["ahead"] == pytest.approx(15.6, rel=0.03)
    assert pgv["behind"] == pytest.approx(2.0, rel=0.05)
    for name, seconds in (("ahead", 4.1), ("behind", 17.3), ("abeam", 10.1)):
        assert duration[name] == pytest.approx(seconds, abs=1.2)


@pytest.mark.parametrize("shape", SHAPES)
def test_moment_rates_are_of_unit_moment_and_in_the_past_of_nothing(shape):
    """The inverse transform: its integral is 1, and it is 0 before t = 0."""
    dt, n = 0.01, 8192
    f = np.fft.rfftfreq(n, dt)
    spectrum = SHAPES[shape](f, np.array([0.5 if shape == "brune" else 4.0]))[0]
    rate = np.fft.irfft(spectrum, n) / dt
    assert spectrum[0] == pytest.approx(1.0)
    assert np.abs(rate[n // 2 :]).max() < 0.01 * rate.max()
    if shape != "brune":
        assert np.abs(rate[410 : n // 2]).max() < 0.02 * rate.max()


def test_yoffe_is_tinti_s(crust):
    """Against the time function, its convolution done by sums; and Brune's corner of Boore."""
    rise, f = 2.0, np.array([0.1, 0.4, 1.0, 2.5])
    half = 0.2
    n = 200_000
    t = (np.arange(n) + 0.5) / n * (rise - 2 * half)
    own = np.sqrt((rise - 2 * half - t) / t)
    direct = np.array([(own * np.exp(-2j * np.pi * x * t)).mean() for x in f])
    s = (np.arange(n) + 0.5) / n * 2 * half
    triangle = half - np.abs(s - half)
    direct *= np.array([(triangle * np.exp(-2j * np.pi * x * s)).mean() for x in f])
    direct /= own.mean() * triangle.mean()
    assert np.allclose(yoffe(f, rise), direct, atol=2e-3)
    corner = float(corner_hz(6.0, 100.0, 3.5))
    assert corner == pytest.approx(4.9e6 * 3.5 * (100 / 10**25.05) ** (1 / 3), rel=3e-3)
    assert abs(brune(np.array([corner]), corner)[0]) == pytest.approx(0.5)


def test_what_the_library_cannot_reach_is_refused(library):
    with pytest.raises(InputError, match=r"70.0 km from the site, max_distance_km = 60"):
        site_velocity(library, point(), 70.0, 0.0)
    with pytest.raises(InputError, match="moment_rate = 'box'"):
        site_velocity(library, point(), 30.0, 0.0, "box")


def test_without_pygrt_the_remedy_is_said(crust, monkeypatch):
    monkeypatch.setitem(sys.modules, "pygrt", None)
    with pytest.raises(MissingPackageError, match=r'pip install "gwm_hazard\[physics\]"'):
        green_functions(crust, 8.0, np.array([10.0]), 64, 0.1, 1.0)


def test_rows_are_kept(library, monkeypatch):
    first = library.row(4)
    monkeypatch.setattr("gwm_hazard.simulations.library.green_functions", None)
    again = library.row(4)
    assert np.array_equal(first[0], again[0]) and np.array_equal(first[1], again[1])
