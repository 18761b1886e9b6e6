"""The steps of the preparation, each against its closed form or another library."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gwm_hazard.datasets.preparation import pick, quality
from gwm_hazard.datasets.preparation.geometry import azimuthal_gap, complete
from gwm_hazard.datasets.preparation.rotation import azimuths, to_radial_transverse
from gwm_hazard.datasets.preparation.settings import RejectedRecordError, Settings
from gwm_hazard.datasets.preparation.signal import causal_highpass, detrended, resampled
from gwm_hazard.datasets.preparation.window import cut
from tests.records.agency import shaking

NAMES = ("N", "E", "Z")


# ---- filter and resampling


def test_highpass_is_that_of_obspy():
    from obspy.signal.filter import highpass

    x = np.random.default_rng(0).normal(size=(2, 3000)).cumsum(axis=1)
    x -= x[:, :1]  # obspy's filter starts at rest
    ours = causal_highpass(x, 0.01, 0.1)
    for a, b in zip(ours, x, strict=True):
        np.testing.assert_allclose(a, highpass(b, 0.1, 100.0, corners=2), atol=1e-9)


def test_highpass_gain_and_causality():
    t = np.arange(60000) * 0.01
    for hz, gain in ((0.1, 1 / math.sqrt(2)), (1.0, 1.0), (0.01, 0.01)):
        y = causal_highpass(np.sin(2 * np.pi * hz * t)[None], 0.01, 0.1)[0]
        assert np.abs(y[-20000:]).max() == pytest.approx(gain, rel=0.01)
    step = np.where(t < 100, 0.0, 1.0)[None]
    assert not causal_highpass(step, 0.01, 0.1)[0, :10000].any()
    np.testing.assert_allclose(causal_highpass(np.full((1, 500), 3.0), 0.01, 0.1), 0, atol=1e-10)
    with pytest.raises(ValueError, match=r"60 Hz: not below 50 Hz"):
        causal_highpass(step, 0.01, 60.0)


def test_detrending_removes_a_line_exactly():
    line = np.arange(500) * 0.3 - 7
    np.testing.assert_allclose(detrended(line[None], "linear"), 0, atol=1e-10)
    np.testing.assert_allclose(detrended(line[None], "mean"), [line - line.mean()])
    np.testing.assert_array_equal(detrended(line[None], "none"), [line])


@pytest.mark.parametrize("dt", [0.005, 0.02, 0.0024, 0.0029, 1 / 128, 0.00244, 1 / 120, 0.01])
def test_resampling_keeps_band_limited_motion_in_its_place(dt):
    t = np.arange(0, 40, dt)

    def motion(t):
        return np.exp(-((t - 20) ** 2) / 8) * np.sin(2 * np.pi * (2.0 * t + 0.2 * (t - 20) ** 2))

    y = resampled(motion(t)[None], dt, 0.01)[0]
    assert np.abs(y - motion(np.arange(y.size) * 0.01)).max() < 3e-3


def test_resampling_keeps_out_what_the_rate_cannot_hold():
    t = np.arange(0, 40, 0.0025)
    y = resampled(np.sin(2 * np.pi * 80 * t)[None], 0.0025, 0.01)[0]  # would fold to 20 Hz
    assert np.abs(y[500:-500]).max() < 2e-3
    with pytest.raises(ValueError, match="no ratio of integers"):
        resampled(np.zeros((1, 1000000)), 0.01 * math.sqrt(2), 0.01)


# ---- rotation


@given(back=st.floats(0, 360), first=st.floats(0, 360))
def test_rotation_is_that_of_obspy(back, first):
    from obspy.signal.rotate import rotate2zne, rotate_ne_rt

    x = np.random.default_rng(1).normal(size=(2, 50))
    second = (first + 90) % 360
    ours = to_radial_transverse(x, (first, second), back)
    _, north, east = rotate2zne(np.zeros(50), 0, -90, x[0], first, 0, x[1], second, 0)
    np.testing.assert_allclose(ours, rotate_ne_rt(north, east, back), atol=1e-9)


def test_a_wave_from_the_source_is_radial():
    # source due east of the station: motion away from it is to the west
    x = np.stack([np.zeros(20), -np.ones(20)])  # north, east
    radial, transverse = to_radial_transverse(x, (0, 90), 90.0)
    np.testing.assert_allclose(radial, 1, atol=1e-12)
    np.testing.assert_allclose(transverse, 0, atol=1e-12)


@given(first=st.floats(0, 360), apart=st.floats(20, 160))
def test_horizontals_that_are_not_at_a_right_angle(first, apart):
    ground = np.random.default_rng(2).normal(size=(2, 30))  # north, east
    a = np.deg2rad([first, first + apart])
    recorded = np.stack([np.cos(a), np.sin(a)], axis=1) @ ground
    ours = to_radial_transverse(recorded, (first, first + apart), 180.0)
    np.testing.assert_allclose(ours, ground, atol=1e-9)  # radial is north there


def test_azimuths():
    for names, expected in {
        ("N", "E", "Z"): (0, 90), ("HNN", "HNE", "HNZ"): (0, 90), ("NS2", "EW2", "UD2"): (0, 90),
        ("021", "111", "UP"): (21, 111), ("S40W", "N50W", "DOWN"): (220, 310),
        ("N-S", "E-W", "U-D"): (0, 90), ("HN1", "HN2", "HNZ"): None, ("H1", "H2", "V"): None,
    }.items():  # fmt: skip
        assert azimuths(names, {}) == expected, names
    assert azimuths(("HN1", "HN2"), {"azimuth_1": 30, "azimuth_2": "120"}) == (30, 120)
    with pytest.raises(ValueError, match="less than 10 deg apart"):
        to_radial_transverse(np.zeros((2, 5)), (30, 215), 0)


# ---- geometry


def test_geometry_completes_what_is_missing():
    told = {"event_lat": 0.0, "event_lon": 0.0, "station_lat": 0.0, "station_lon": 1.0}
    out = complete({**told, "hypo_depth": 50.0})
    assert out["repi"] == pytest.approx(111.3195, abs=1e-3)  # a degree of the equator, WGS84
    assert out["back_azimuth"] == pytest.approx(270)
    assert out["rhypo"] == pytest.approx(math.hypot(111.3195, 50), abs=1e-3)
    kept = complete({**told, "hypo_depth": 50.0, "rhypo": 99.0, "repi": math.nan})
    assert kept["rhypo"] == 99.0 and kept["repi"] == pytest.approx(111.3195, abs=1e-3)
    with pytest.raises(ValueError, match="station_lat = 95"):
        complete({**told, "station_lat": 95.0})


@given(st.lists(st.floats(0, 360), min_size=1, max_size=12))
def test_azimuthal_gap(angles):
    gap = azimuthal_gap(angles)
    whole = np.arange(0, 360, 0.05)
    wide = np.min([np.mod(whole - a, 360) for a in angles], axis=0).max()
    assert gap == pytest.approx(wide, abs=0.06)
    assert azimuthal_gap(np.array(angles) + 77.0) == pytest.approx(gap, abs=1e-6)


def test_azimuthal_gap_by_hand():
    assert azimuthal_gap([0, 90, 180]) == 180 and azimuthal_gap([350, 10]) == 340
    assert azimuthal_gap([123.0]) == 360 and math.isnan(azimuthal_gap([]))


# ---- window


@given(p=st.integers(-150, 900), nt=st.integers(400, 1000))
def test_window(p, nt):
    acc = np.random.default_rng(0).normal(size=(2, nt))
    if p >= nt:
        return
    out, start, end = cut(acc, p, 500, 1200, 0.01)
    assert out.shape == (2, 1200) and out.dtype == np.float32
    assert start == max(0, 500 - p) and end == max(0, p - 500 + 1200 - nt)
    assert not out[:, :start].any() and not out[:, 1200 - end :].any()
    inside = slice(start + 25, 1200 - end - 100 if end else 1200)
    where = slice(inside.start + p - 500, inside.stop + p - 500)
    if p > 50 and inside.stop > inside.start:
        np.testing.assert_array_equal(out[:, inside], acc[:, where].astype("f4"))


# ---- quality


def check_raw(acc, dt=0.01):
    quality.check_flat(acc, dt, NAMES)
    quality.check_clipped(acc, NAMES)
    quality.check_spikes(acc, dt, NAMES)


@pytest.mark.parametrize("seed", range(10))
def test_sound_records_pass(seed):
    acc = shaking(seed=seed)
    check_raw(acc)
    check_raw(np.round(acc / 0.005) * 0.005)  # a coarse digitiser
    quality.check_components(acc, NAMES)


def test_damage_is_found():
    acc = shaking()
    clipped = acc.copy()
    clipped[1] = np.clip(clipped[1], -0.3, 0.3)
    clipped[1, 1650:1657] = 0.3
    flat = acc.copy()
    flat[2, 1700:1850] = 0.01
    spike = acc.copy()
    spike[0, 700] += 0.4
    for record, code, name in (
        (clipped, "clipped", "E"),
        (flat, "flat", "Z"),
        (spike, "spike", "N"),
    ):
        with pytest.raises(RejectedRecordError, match=f"component {name}") as caught:
            check_raw(record)
        assert caught.value.code == code
    with pytest.raises(RejectedRecordError, match="times stronger"):
        quality.check_components(acc * [[1], [1], [1e-3]], NAMES)


@settings(max_examples=25, deadline=None)
@given(at=st.integers(100, 5800), component=st.integers(0, 2), sign=st.sampled_from([-1, 1]))
def test_a_spike_far_above_the_peak_is_found_anywhere(at, component, sign):
    acc = shaking(seed=5)
    acc[component, at] += 6.0 * sign * np.abs(acc[component]).max()
    with pytest.raises(RejectedRecordError, match="spikes"):
        quality.check_spikes(acc, 0.01, NAMES)


def test_padding_is_taken_off():
    acc = np.pad(shaking(nt=1000) + 0.2, [(0, 0), (70, 130)])
    assert quality.without_padding(acc) == slice(69, 1071)
    with pytest.raises(RejectedRecordError, match="no component moves"):
        quality.without_padding(np.ones((3, 50)))


def test_signal_to_noise_of_white_noise():
    rng = np.random.default_rng(0)
    acc = rng.normal(size=(3, 60000))
    acc[:, 30000:] *= 7
    bands = ((0.5, 2), (2, 10), (0.001, 0.1))
    ratios = quality.signal_to_noise(acc, 30000, 0.01, bands, signal_s=300.0)
    # 450 and 2,400 values of the spectrum each: standard errors of 0.033 and 0.014
    assert ratios[0] == pytest.approx(7, rel=0.1) and ratios[1] == pytest.approx(7, rel=0.05)
    assert math.isnan(ratios[2])
    with pytest.raises(RejectedRecordError, match=r"0.5-2 Hz, below 8"):
        quality.check_noise(ratios[:1], ((0.5, 2),), 8.5)


def test_kanno2006_is_that_of_openquake():
    gsim = pytest.importorskip("openquake.hazardlib.gsim.kanno_2006")
    from openquake.hazardlib.imt import PGA

    for depth, cls in ((10, gsim.Kanno2006Shallow), (60, gsim.Kanno2006Deep)):
        for mag, distance in ((4.5, 20.0), (6.5, 60.0), (8.0, 200.0)):
            site = cls.COEFFS_SITE[PGA()]
            site = 10 ** (-site["q"] / site["p"])  # where the site term is none
            ctx = np.rec.fromarrays([[mag], [max(distance, depth)], [site]], names="mag,rrup,vs30")
            mean, sig, tau, phi = np.zeros((4, 1, 1))
            cls().compute(ctx, [PGA()], mean, sig, tau, phi)
            ours = quality.kanno2006_pga(mag, max(distance, depth), depth)
            assert ours == pytest.approx(9.80665 * math.exp(mean[0, 0]), rel=0.001)


def test_peaks_of_a_wrong_unit_are_refused():
    expected = quality.kanno2006_pga(6.5, 30, 10)
    quality.check_peak(expected, 50, expected)
    for factor in (981.0, 1 / 981.0, 120.0):
        with pytest.raises(RejectedRecordError, match="unit"):
            quality.check_peak(expected * factor, 1e9, expected)
    with pytest.raises(RejectedRecordError, match="above 50"):
        quality.check_peak(60.0, 50, math.nan)


# ---- picks


@settings(max_examples=20, deadline=None, database=None)
@given(seed=st.integers(0, 10**6), p=st.floats(1.5, 23), level=st.sampled_from([2e-4, 2e-3, 6e-3]))
def test_picks_known_by_construction(seed, p, level):
    acc = shaking(seed=seed, nt=8000, p_s=p, noise=level)
    found = pick.find(acc, True, 0.01)
    assert found.source == "aic" and found.time_s == pytest.approx(p, abs=0.25)


def test_errors_of_many_picks_are_small():
    errors = []
    for seed in range(60):
        p = 2 + 0.37 * seed
        acc = shaking(seed=seed, nt=8000, p_s=p, noise=1e-3)
        errors.append(pick.find(acc, True, 0.01).time_s - p)
    assert abs(np.median(errors)) < 0.05 and np.percentile(np.abs(errors), 95) < 0.15


def test_noise_alone_has_no_onset():
    for seed in range(20):
        noise = np.random.default_rng(seed).normal(size=(3, 6000))
        with pytest.raises(RejectedRecordError) as caught:
            pick.find(noise, True, 0.01)
        assert caught.value.code == "no onset"


def test_a_given_pick_wins_and_plausible_times_bound_the_search():
    acc = shaking(p_s=12.0, nt=8000)
    early = acc + shaking(seed=3, nt=8000, p_s=3.0, noise=0) * 0.1 * (np.arange(8000) < 700)
    assert pick.find(early, True, 0.01).time_s == pytest.approx(3.0, abs=0.2)
    between = pick.plausible(60.0, 2.0)
    assert between == pytest.approx((2 + 60 / 9 - 3, 2 + 60 / 5 + 3))
    assert pick.find(early, True, 0.01, between=between).time_s == pytest.approx(12.0, abs=0.2)
    assert pick.find(early, True, 0.01, given_s=5.5) == pick.Pick(5.5, "given")
    for between in ((90.0, 99.0), (-20.0, -1.0)):
        with pytest.raises(
            RejectedRecordError, match="clock, origin time or coordinates"
        ) as caught:
            pick.find(acc, True, 0.01, between=between)
        assert caught.value.code == "time"


def test_p_from_s_for_records_that_begin_with_p():
    rhypo = 50.0
    for seed in range(10):
        acc = shaking(seed=seed, p_s=10.0, s_minus_p_s=rhypo / pick.S_MINUS_P_KM_S, noise=1e-4)
        for late in (-0.8, 0.0, 0.8):
            begin = round((10.0 + late) / 0.01)
            found = pick.onset_from_s(acc[:2, begin:], 0.01, rhypo)
            assert found == pytest.approx(-late, abs=0.3)
    assert pick.onset_from_s(acc[:2, 1500:], 0.01, rhypo) is None  # begins shortly before S
    assert pick.onset_from_s(acc[:2, 1000:], 0.01, float("nan")) is None  # of unknown distance


def test_pickers_by_name(monkeypatch):
    assert pick.resolve_picker("aic") == "aic"
    with pytest.raises(ValueError, match="no model 'nonsense'"):
        pick.resolve_picker("nonsense:instance")
    sbm = pytest.importorskip("seisbench.models")
    monkeypatch.setattr(sbm.PhaseNet, "list_versions", classmethod(lambda *a, **k: []))
    assert pick.resolve_picker("auto") == "aic"
    with pytest.raises(ValueError, match="weights are not on this machine"):
        pick.resolve_picker("phasenet:instance")
    monkeypatch.setattr(sbm.PhaseNet, "list_versions", classmethod(lambda *a, **k: ["1"]))
    assert pick.resolve_picker("auto") == "phasenet:instance"


def test_a_network_of_seisbench_picks(monkeypatch):
    sbm = pytest.importorskip("seisbench.models")
    from types import SimpleNamespace

    import obspy

    seen = []

    class Network:
        def classify(self, stream):
            seen.append(stream)
            start = stream[0].stats.starttime
            picks = [("P", 0.9, 4.0), ("P", 0.5, 12.1), ("S", 0.99, 16.0)]
            return SimpleNamespace(
                picks=[
                    SimpleNamespace(phase=k, peak_value=v, peak_time=start + t) for k, v, t in picks
                ]
            )

    pick._network.cache_clear()
    monkeypatch.setattr(sbm.PhaseNet, "from_pretrained", classmethod(lambda cls, name: Network()))
    acc = shaking()
    found = pick.find(acc, True, 0.01, between=(10, 20), picker="phasenet:instance")
    assert found == pick.Pick(pytest.approx(12.1), "phasenet:instance")
    assert pick.find(acc, True, 0.01, picker="phasenet:instance").time_s == pytest.approx(4.0)
    assert isinstance(seen[0], obspy.Stream)
    assert [t.stats.channel for t in seen[0]] == ["HNN", "HNE", "HNZ"]
    np.testing.assert_array_equal(seen[0][2].data, acc[2])
    # none at a plausible time: the criterion finds it
    assert (
        pick.find(acc, True, 0.01, between=(11.8, 12.05), picker="phasenet:instance").source
        == "aic"
    )
    pick._network.cache_clear()


# ---- settings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"components": "ZNE"}, "give one of RTZ"),
        ({"picker": "best"}, "picker = 'best'"),
        ({"highpass_hz": 50.0}, "must be < 50"),
        ({"length_s": 0.0}, "must be > 0"),
        ({"before_p_s": 50.0}, "must be < length_s"),
        ({"snr_bands": ((2, 1),)}, "snr_bands"),
        ({"require": ("magnitude",)}, "'magnitude' is no condition"),
        ({"ranges": {"mag": (8, 4)}}, "range of mag"),
        ({"shares": (1, 1, 1)}, "add up to 1"),
    ],
)
def test_settings_are_checked(changes, message):
    with pytest.raises(ValueError, match=message):
        Settings(**changes)
