"""What a file of layers says, and the motions of scenarios."""

from __future__ import annotations

import numpy as np
import pytest

from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.core.site_amplification import linear_factor
from gwm_hazard.errors import InputError
from gwm_hazard.models.stochastic import StochasticParameters
from gwm_hazard.simulations.layered import LayeredSource
from gwm_hazard.simulations.points import Points, acceleration, site_velocity

TEXT = """
fc_hz = 0.25
[layers]
thickness_km = [0.5, 5.0, 10.5, 16.0, 0.0]
vp_km_s = [3.6, 5.5, 6.3, 6.7, 7.8]
vs_km_s = [2.0, 3.18, 3.64, 3.87, 4.5]
density_g_cm3 = [2.3, 2.5, 2.67, 2.8, 3.3]
qp = [200, 600, 600, 600, 900]
qs = [100, 300, 300, 300, 450]
[library]
max_distance_km = 60.0
step_km = 2.0
"""

AT = Scenarios(
    mag=[6.0, 6.0, 6.5], repi=[20.0, 30.0, 25.0], azimuth=[10.0, 100.0, 200.0], strike=40.0,
    dip=[90.0, 90.0, 45.0], rake=[0.0, 0.0, 90.0], ztor=3.0, width=[8.0, 8.0, 12.0],
    hypo_depth=7.0,
)  # fmt: skip


@pytest.fixture
def source(tmp_path, cache) -> LayeredSource:
    (tmp_path / "layered.toml").write_text(TEXT)
    return LayeredSource.read(tmp_path / "layered.toml")


def test_a_file_and_back(source):
    assert source.layers.vs_km_s[0] == 2.0
    assert LayeredSource.of(source.to_dict()) == source
    assert source.stress_bar == StochasticParameters().stress_bar


def test_motions_do_not_depend_on_what_stands_beside_them(source):
    noise = Noise(3, [1, 1, 2], [0, 1, 0], 0)
    whole = source(AT, noise)
    assert whole.acceleration.shape == (3, 3, source.library.nt)
    assert (whole.dt_s, whole.valid_hz) == (source.library.dt_s, 0.25)
    for i in (2, 0, 1):
        alone = source(AT.take([i]), noise.take([i]))
        assert np.array_equal(alone.acceleration[0], whole.acceleration[i])
    other = source(AT.take([0]), Noise(3, 5, 0, 0)).acceleration
    assert np.abs(other - whole.acceleration[:1]).max() > 0.05 * np.abs(other).max()


def test_starts_shift_a_record(source):
    noise = Noise(3, 1, 0, 0)
    whole = source(AT.take([1]), noise)
    steps = 20
    later = source(AT.take([1]), noise, np.array([steps * whole.dt_s]), 100)
    assert later.acceleration.shape[2] == 100
    want = whole.acceleration[..., steps : steps + 100]
    assert np.abs(later.acceleration - want).max() < 1e-9 * np.abs(want).max()


def test_a_point_is_the_point_that_it_says(source, tmp_path):
    (tmp_path / "point.toml").write_text(TEXT + '[source]\nkind = "point"\nstress_bar = 100.0\n')
    point = LayeredSource.read(tmp_path / "point.toml")
    motion = point(AT.take([0]), Noise(1, 0, 0, 0)).acceleration[0]
    corner = 4.906e6 * 3.64 * (100.0 / 10**25.05) ** (1 / 3)
    single = Points(0.0, 0.0, 7.0, 10**18.05, 0.0, corner, 40.0, 90.0, 0.0)
    angle = np.radians(50.0)
    spectra = site_velocity(
        point.library, single, 20.0 * np.cos(angle), 20.0 * np.sin(angle), "brune"
    )
    want = acceleration(point.library, spectra)
    assert np.abs(motion - want).max() < 1e-9 * np.abs(want).max()


def test_vs30_amplifies_horizontals_only(source):
    noise, one = Noise(3, 1, 0, 0), AT.take([0])
    columns = {k: one[k] for k in one}
    soft, rock = (
        np.fft.rfft(source(Scenarios(**columns, vs30=v), noise).acceleration[0])
        for v in (300.0, 760.0)
    )
    f = np.fft.rfftfreq(source.library.nt, source.library.dt_s)
    band = (f > 0.05) & (f < 0.25)
    want = linear_factor(f[band], [300.0, 760.0])
    ratio = np.abs(soft[:, band]) / np.abs(rock[:, band])
    assert np.allclose(ratio[:2], want[0] / want[1], rtol=1e-6)
    assert np.allclose(ratio[2], 1.0)


def test_arrivals_are_before_and_after_the_motion(source):
    noise = Noise(3, [1, 1, 2], [0, 1, 0], 0)
    motion = source(AT, noise).acceleration
    first, last = source.arrivals_s(AT)
    t = source.library.dt_s * np.arange(motion.shape[2])
    energy = np.cumsum((motion**2).sum(axis=1), axis=1)
    energy /= energy[:, -1:]
    for row, p, s in zip(energy, first, last, strict=True):
        assert row[t < p - 2.0].max(initial=0.0) < 0.02
        assert p < t[np.searchsorted(row, 0.5)] < s + 6.0


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("fc_hz = 0.25", "fc_hz = -1", "fc_hz = -1"),
        ("fc_hz = 0.25", "fc = 0.25", "unknown 'fc'; known: fc_hz"),
        ("qs = [100,", "qs = [", "qs has 4 values, thickness_km 5"),
        ("16.0, 0.0]", "16.0, 3.0]", "half-space"),
        ("[2.0, 3.18", "[2000.0, 3180", "vs_km_s = 2000 of layer 1"),
        ("step_km = 2.0", "steps = 2.0", "library: unknown 'steps'"),
        ("[library]", "[library", "not TOML"),
        ("step_km = 2.0", '[source]\nkind = "line"', "kind = 'line'"),
    ],
)
def test_a_file_that_cannot_be_is_refused_by_name(tmp_path, old, new, words):
    path = tmp_path / "layered.toml"
    path.write_text(TEXT.replace(old, new))
    with pytest.raises(InputError) as caught:
        LayeredSource.read(path)
    assert words in str(caught.value) and "layered.toml" in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"none.toml.*cannot be read"):
        LayeredSource.read(tmp_path / "none.toml")


def test_a_condition_that_is_missing_is_named(source):
    with pytest.raises(InputError, match="the layered source needs the condition 'azimuth'"):
        source(Scenarios(mag=6.0, repi=20.0), Noise(1, 0, 0, 0))
