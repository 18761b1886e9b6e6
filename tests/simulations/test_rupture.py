"""Ruptures: moments, times and distances, against closed forms and OpenQuake's geometry."""

from __future__ import annotations

import numpy as np
import pytest

from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.errors import InputError
from gwm_hazard.simulations.geometry import random_ruptures, top_km
from gwm_hazard.simulations.moment_rate import moment_n_m
from gwm_hazard.simulations.rupture import (
    RUPTURE_VELOCITY,
    Plane,
    _field,
    rupture_points,
    wells_coppersmith,
)

PLANE = Plane(6.5, 30.0, 60.0, 90.0, 2.0, 14.0, 20.0)


def test_points_have_the_moment_and_lie_on_the_plane(crust):
    points = rupture_points(PLANE, crust, 1.2, Noise(1, 2, 0, 0))
    assert points.moment_n_m.sum() == pytest.approx(float(moment_n_m(6.5)))
    assert points.moment_n_m.min() > 0
    strike = np.radians(30.0)
    along = points.north_km * np.cos(strike) + points.east_km * np.sin(strike)
    across = points.east_km * np.cos(strike) - points.north_km * np.sin(strike)
    assert np.abs(along).max() < 10.0 and np.abs(along).max() > 9.5
    middle = 2.0 + 7.0 * np.sin(np.radians(60.0))
    assert np.allclose(points.depth_km - middle, across * np.tan(np.radians(60.0)))
    # no further apart than a quarter of the S wavelength at the middle
    assert np.diff(np.unique(np.round(along, 6))).max() <= 3.64 / 4.8
    assert np.std(points.rake) == pytest.approx(15.0)


def test_rupture_starts_once_and_spreads_at_a_share_of_the_s_velocity(crust):
    deep = Plane(6.5, 0.0, 90.0, 0.0, 9.0, 6.0, 40.0)
    points = rupture_points(deep, crust, 1.2, Noise(1, 2, 0, 0))
    assert points.delay_s.min() == 0.0
    start = points.north_km[np.argmin(points.delay_s)]
    far = np.abs(points.north_km - start) > 10.0
    distance = np.abs(points.north_km - start)[far]
    velocity = distance / points.delay_s[far]
    assert np.median(velocity) == pytest.approx(RUPTURE_VELOCITY * 3.64, rel=0.1)


def test_rise_times_are_of_graves_and_pitarka(crust):
    """Mean 1.6e-9 M0^(1/3), dyne cm; 1 / 1.1 of it on a shallow reverse fault."""
    vertical = Plane(6.5, 0.0, 90.0, 0.0, 9.0, 6.0, 40.0)
    reverse = Plane(6.5, 0.0, 45.0, 90.0, 9.0, 6.0, 40.0)
    mean = 1.6e-9 * (1e7 * float(moment_n_m(6.5))) ** (1 / 3)
    for plane, want in ((vertical, mean), (reverse, mean / 1.1)):
        rise = rupture_points(plane, crust, 1.2, Noise(1, 2, 0, 0)).parameter
        assert rise.mean() == pytest.approx(want, rel=0.01)


def test_slip_falls_off_as_mai_and_beroza():
    """Mean 0 and variance 1 in each event, and over many the structure function of its spectrum."""
    long = Plane(7.0, 0.0, 90.0, 0.0, 0.0, 12.0, 60.0)
    noise = Noise(1, np.arange(200), 0, 0)
    fields = np.array(
        [_field("rupture slip", long, 60, 12, noise.take([i])) for i in range(len(noise))]
    )
    assert np.allclose(fields.mean(axis=(1, 2)), 0.0) and np.allclose(fields.var(axis=(1, 2)), 1.0)
    # Two points a few km apart differ as those of a von Karman medium of Hurst exponent 0.75, by
    # distance to the power 1.5, where they are near for the correlation length of 22 km.
    two, four = (((fields[:, k:] - fields[:, :-k]) ** 2).mean() for k in (2, 4))
    assert np.log2(four / two) == pytest.approx(1.5, abs=0.25)


def test_a_rupture_is_a_pure_function_of_the_event(crust):
    here, there, other = (
        rupture_points(PLANE, crust, 0.5, Noise(1, event, site, 0))
        for event, site in ((2, 0), (2, 9), (3, 0))
    )
    assert np.array_equal(here.moment_n_m, there.moment_n_m)
    assert np.array_equal(here.delay_s, there.delay_s)
    assert not np.array_equal(here.moment_n_m, other.moment_n_m)


def test_distances_are_openquake_s():
    planar = pytest.importorskip("openquake.hazardlib.geo.surface.planar")
    from openquake.hazardlib.geo import Mesh, Point

    north, east = np.random.default_rng(1).uniform(-40.0, 40.0, (2, 30))
    length = np.hypot(*(Point(10.0, 45.0).distance(Point(10.0 + d, 45.0)) for d in (0.0, 0.1)))
    lon = 10.0 + east * 0.1 / length
    lat = 45.0 + north / 111.19493
    middle = PLANE.ztor + 0.5 * PLANE.width * np.sin(np.radians(PLANE.dip))
    surface = planar.PlanarSurface.from_hypocenter(
        Point(10.0, 45.0, middle), _msr(PLANE), PLANE.mag, PLANE.length / PLANE.width,
        PLANE.strike, PLANE.dip, PLANE.rake,
    )  # fmt: skip
    ours = [PLANE.rrup_km(n, e) for n, e in zip(north, east, strict=True)]
    assert np.allclose(ours, surface.get_min_distance(Mesh(lon, lat)), rtol=0.01, atol=0.1)


def _msr(plane: Plane):
    class Area:
        def get_median_area(self, mag, rake):
            return plane.length * plane.width

    return Area()


def test_area_is_openquake_s():
    msr = pytest.importorskip("openquake.hazardlib.scalerel.wc1994").WC1994()
    for rake in (0.0, 90.0, -90.0, 170.0):
        assert wells_coppersmith(6.7, rake)[0] == pytest.approx(msr.get_median_area(6.7, rake))


def test_random_ruptures_are_as_far_as_they_are_to_be():
    n = 200
    mag = np.random.default_rng(1).uniform(5.0, 7.5, n)
    at = Scenarios(mag=mag, rrup=np.geomspace(8.0, 120.0, n), vs30=500.0)
    made = random_ruptures(at, Noise(1, np.arange(n), 0, 0), 16.0)
    assert made["vs30"][0] == 500.0
    for i in range(n):
        row = {k: float(made[k][i]) for k in made}
        area = wells_coppersmith(row["mag"], row["rake"])[0]
        plane = Plane(
            row["mag"], 0.0, row["dip"], row["rake"], row["ztor"], row["width"],
            area / row["width"],
        )  # fmt: skip
        angle = np.radians(row["azimuth"])
        site = row["repi"] * np.cos(angle), row["repi"] * np.sin(angle)
        assert plane.rrup_km(*site) == pytest.approx(row["rrup"], rel=1e-6, abs=1e-6)
        assert plane.ztor + plane.width * np.sin(np.radians(plane.dip)) < 16.0 + 1e-9
    assert {0.0, 90.0, -90.0} == set(made["rake"])


def test_depth_of_the_top_is_of_chiou_and_youngs():
    """Their model takes the difference from it: 0 at M 7.3 for all, and known at M 6."""
    assert top_km(7.4, 0.0) == 0.0
    assert top_km(6.0, 90.0) == pytest.approx((2.704 - 1.226 * 0.151) ** 2)
    assert top_km(6.0, 0.0) == pytest.approx((2.673 - 1.136 * 1.03) ** 2)


def test_a_plane_that_is_none_is_refused():
    with pytest.raises(InputError, match="width = 0 km"):
        Plane(6.5, 0.0, 90.0, 0.0, 0.0, 0.0, 10.0)
