"""Physical checks against closed forms; a copied component is caught."""

from __future__ import annotations

import numpy as np
import pytest

from gwm_hazard.benchmark.metrics.arrivals import onsets_s
from gwm_hazard.benchmark.metrics.physics import (
    apparent_velocity,
    axial_uniformity,
    component_correlation,
    final_over_peak,
    horizontal_covariance,
    linearity,
    polarity_p,
    positive_peaks,
    principal_azimuth,
)
from gwm_hazard.intensity import rotd

DT = 0.01


def test_final_motion() -> None:
    t = np.arange(1001) * DT
    full = np.sin(2 * np.pi * t / 10.0)  # ends at rest, displaced
    half = np.sin(np.pi * t / 10.0)  # ends at its peak velocity
    acc = np.stack([full, half])[None]
    found = final_over_peak(acc, np.array([1001]), DT)[0]
    assert found[0] == pytest.approx([0.0, 1.0], abs=1e-3)
    assert found[1] == pytest.approx([1.0, 1.0], abs=1e-3)
    # padding is not part of the record
    padded = np.pad(acc, [(0, 0), (0, 0), (0, 500)])
    assert np.allclose(final_over_peak(padded, np.array([1001]), DT)[0], found)
    assert np.isnan(final_over_peak(0 * acc, np.array([1001]), DT)).all()


@pytest.mark.parametrize("angle", (0.0, 30.0, 90.0, 135.0))
def test_azimuth_and_linearity_of_motion_on_a_line(angle: float) -> None:
    trace = np.random.default_rng(0).normal(size=500)
    a = np.radians(angle)
    c = horizontal_covariance(np.stack([np.cos(a) * trace, np.sin(a) * trace])[None])
    assert abs((principal_azimuth(c)[0] - angle + 90.0) % 180.0 - 90.0) < 1e-6
    assert linearity(c)[0] == pytest.approx(1.0, abs=1e-5)


def test_a_component_copied_into_another_is_caught() -> None:
    rng = np.random.default_rng(1)
    shape = np.exp(-np.arange(2000) * DT / 4)
    acc = rng.normal(size=(40, 2, 2000)) * shape
    copied = acc.copy()
    copied[:, 1] = copied[:, 0]
    good, bad = (component_correlation(horizontal_covariance(x)) for x in (acc, copied))
    assert np.abs(good).mean() < 0.1 and np.allclose(bad, 1.0)
    ratio = [np.median((v := rotd(x, DT, [0.5], (50, 100)))[:, 1] / v[:, 0]) for x in (acc, copied)]
    # motion on a line: RotD50 is cos 45 degrees of RotD100
    assert ratio[1] == pytest.approx(np.sqrt(2.0), abs=0.01)
    assert ratio[0] < 1.35
    _, p = axial_uniformity(principal_azimuth(horizontal_covariance(copied)))
    assert p < 1e-6


def test_uniform_axes() -> None:
    even = np.arange(0, 180, 5.0)
    assert axial_uniformity(even)[0] == pytest.approx(0.0, abs=1e-12)
    p = [axial_uniformity(np.random.default_rng(s).uniform(0, 180, 60))[1] for s in range(300)]
    # p-values are uniform under uniformity
    assert np.mean(np.array(p) < 0.1) == pytest.approx(0.1, abs=0.05)


def test_polarity() -> None:
    rng = np.random.default_rng(2)
    acc = rng.normal(size=(200, 2, 300))
    acc[:, 1] = np.exp(acc[:, 1])  # always peaks upwards
    p = polarity_p(positive_peaks(acc))
    assert p[0] > 0.01 and p[1] < 1e-12


def test_onsets_of_made_up_arrivals() -> None:
    rng = np.random.default_rng(3)
    n, nt, p_at, s_at = 50, 4000, 7.0, 12.0
    t = np.arange(nt) * DT
    acc = 0.001 * rng.normal(size=(n, 3, nt))
    p_wave = np.where(t > p_at, np.exp(-(t - p_at) / 6), 0.0) * rng.normal(size=(n, 3, nt))
    s_wave = np.where(t > s_at, np.exp(-(t - s_at) / 4), 0.0) * rng.normal(size=(n, 3, nt))
    acc += p_wave * np.array([0.05, 0.05, 0.1])[:, None] + s_wave * np.array([1, 1, 0.3])[:, None]
    found = onsets_s(acc, np.full(n, nt), DT, 2)
    assert np.nanmedian(np.abs(found[:, 0] - p_at)) < 0.05
    assert np.nanmedian(np.abs(found[:, 1] - s_at)) < 0.1
    assert np.isfinite(found).mean() > 0.95
    assert np.isnan(onsets_s(rng.normal(size=(5, 3, nt)), np.full(5, nt), DT, 2)[:, 0]).all()
    assert np.isnan(onsets_s(np.zeros((1, 3, nt)), np.array([nt]), DT, 2)).all()


def test_onsets_of_drawn_records() -> None:
    """The stochastic model puts P 5 s and S 5 s + r (1 / beta - 1 / alpha) after the start."""
    import gwm_hazard as gwm
    from gwm_hazard.models.stochastic.window import arrivals_s

    model = gwm.load_model("stochastic")
    rhypo = np.linspace(20.0, 120.0, 60)
    scenarios = gwm.Scenarios(mag=6.0, rhypo=rhypo, vs30=500.0, hypo_depth=10.0)
    wf = model.generate(scenarios, n=1, seed=3)
    found = onsets_s(wf["acceleration"].values[:, 0], wf["npts"].values, DT, 2)
    p, s = arrivals_s(model.parameters, rhypo)
    assert np.nanmedian(np.abs(found[:, 0] - p)) < 0.6
    assert abs(np.nanmedian(found[:, 1] - s)) < 1.2
    velocity, _ = apparent_velocity(rhypo, found[:, 1] - found[:, 0])
    assert velocity == pytest.approx(np.median(rhypo / (s - p)), rel=0.1)


def test_apparent_velocity() -> None:
    r = np.array([10.0, 40.0, 80.0, 160.0])
    velocity, spread = apparent_velocity(r, r / 8.0)
    assert velocity == pytest.approx(8.0) and spread == pytest.approx(0.0, abs=1e-9)
    assert np.isnan(apparent_velocity(r, np.full(4, np.nan))[0])
