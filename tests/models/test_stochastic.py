"""The stochastic method against formulas written out here in other units and other code.

Parameter values are calibrated elsewhere: these tests read them from the model.
"""

from __future__ import annotations

import math
from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.integrate import cumulative_trapezoid

from gwm_hazard import Noise, Scenarios
from gwm_hazard.models.stochastic import StochasticModel, StochasticParameters, spectrum, window

P = StochasticParameters()
F = spectrum.COARSE_HZ
#: no random terms: nothing but the phases is random
QUIET = {"stress_sigma_ln": 0.0, "tau_factor": 0.0, "phi_factor": 0.0}
QUIET |= {"duration_tau": 0.0, "duration_phi": 0.0}
#: and the point source without the empirical factors
BARE = QUIET | {"adjustment": 0.0}


def tensor(*values):
    return torch.tensor(values, dtype=torch.float64)


def column(**values):
    return {k: tensor(v) for k, v in values.items()}


def moment_n_m(mag):
    """Hanks and Kanamori (1979) in SI: M0 = 10^(1.5 M + 9.05) N m."""
    return 10.0 ** (1.5 * mag + 9.05)


def brune_corner_hz(mag, stress_bar, beta_km_s):
    """From radius to corner: fc = 2.34 beta / (2 pi r), stress = 7 M0 / (16 r^3); SI."""
    radius_m = (7.0 * moment_n_m(mag) / (16.0 * stress_bar * 1e5)) ** (1.0 / 3.0)
    return 2.34 * beta_km_s * 1e3 / (2.0 * math.pi * radius_m)


def table_from_openquake():
    """Coefficients of Bayless and Abrahamson as OpenQuake publishes them, at our frequencies."""
    module = pytest.importorskip("openquake.hazardlib.gsim.bayless_abrahamson_2018")
    table = module.BaylessAbrahamson2018.COEFFS
    imts = list(table._coeffs)
    frequencies = np.array([imt.frequency for imt in imts])
    rows = []
    for f in spectrum.bayless_abrahamson()["freq_hz"]:
        nearest = int(np.argmin(np.abs(frequencies - f)))
        assert frequencies[nearest] == pytest.approx(f, rel=5e-4)
        rows.append(table[imts[nearest]])
    return rows


# --- source -----------------------------------------------------------------------------------


@given(st.floats(3, 9), st.floats(1, 2000))
def test_corners_conserve_the_high_frequency_level(mag, stress):
    fa, fb, epsilon = (float(v) for v in spectrum.corners_hz(P, tensor(mag), tensor(stress)))
    fc = brune_corner_hz(mag, stress, P.beta_km_s)
    assert (1 - epsilon) * fa**2 + epsilon * fb**2 == pytest.approx(fc**2, rel=2e-3)
    assert 0 < epsilon <= 1
    assert fa <= fb * (1 + 1e-12)
    assert fa <= fc * 1.001
    assert fb >= fc * 0.999


@pytest.mark.parametrize("mag", [4.0, 5.5, 7.0, 8.0])
@pytest.mark.parametrize("stress", [30.0, 300.0])
def test_source_spectrum_between_moment_and_stress(mag, stress):
    got = np.exp(spectrum.ln_source(P, tensor(mag), tensor(stress)).numpy()[0])
    omega2 = (2 * np.pi * F) ** 2
    fc = brune_corner_hz(mag, stress, P.beta_km_s)
    # Below the corners the displacement spectrum is flat, the moment: 1 - O((f / fa)^2).
    fa, fb, _ = (float(v) for v in spectrum.corners_hz(P, tensor(mag), tensor(stress)))
    assert (1 - got / omega2 <= (F / fa) ** 2).all()
    assert got[0] / omega2[0] > 0.95
    # Above them acceleration is flat: Brune's level for the stress parameter.
    high = 15 * fb < F
    assert high.any() or mag < 7
    np.testing.assert_allclose(got[high], (2 * np.pi * fc) ** 2, rtol=1e-2)
    # Between, it never exceeds either.
    assert (got <= omega2 * 1.0001).all()
    assert (got <= (2 * np.pi * fc) ** 2 * 1.005).all()


def test_stress_parameter_with_magnitude_and_depth():
    p = replace(
        P,
        stress_bar=80.0,
        stress_mag_hinge=5.5,
        stress_slope_below=0.3,
        stress_slope_above=-0.2,
        stress_depth_slope=0.04,
        stress_depth_cap_km=25.0,
    )

    def ln_ratio(mag, depth):
        return math.log(float(spectrum.stress_bar(p, tensor(mag), tensor(depth))) / 80.0)

    assert ln_ratio(5.5, 10.0) == pytest.approx(0.0)
    assert ln_ratio(4.5, 10.0) == pytest.approx(-0.3)
    assert ln_ratio(7.5, 10.0) == pytest.approx(-0.4)
    assert ln_ratio(5.5, 20.0) == pytest.approx(0.4)
    assert ln_ratio(5.5, 90.0) == pytest.approx(0.6)  # held below 25 km
    assert ln_ratio(5.5, -2.0) == pytest.approx(-0.4)  # and above the surface


# --- path -------------------------------------------------------------------------------------


def rock(p, mag, rrup, stress=100.0):
    return spectrum.ln_rock(p, column(mag=mag, rrup=rrup), tensor(stress)).numpy()[0]


@pytest.mark.parametrize(("mag", "rrup"), [(4.5, 8.0), (6.5, 30.0), (7.5, 200.0)])
def test_rock_spectrum_in_other_units(mag, rrup):
    """Boore (2003), eq. 2, 5, 9, 10 in dyn cm, g/cm3, km/s -> cm/s: the usual factor 1e-20."""
    r = math.hypot(rrup, 10.0 ** (P.h_intercept + P.h_slope * mag))
    fa, fb, eps = (float(v) for v in spectrum.corners_hz(P, tensor(mag), tensor(100.0)))
    shape = (1 - eps) / (1 + (F / fa) ** 2) + eps / (1 + (F / fb) ** 2)
    c = P.radiation * P.partition * P.free_surface * 1e-20
    c /= 4 * np.pi * P.density_g_cm3 * P.beta_km_s**3
    spreading = min(r, P.r1_km) ** P.b1 * max(r / P.r1_km, 1.0) ** P.b2
    path = spreading * np.exp(-np.pi * F * r / (P.q0 * F**P.eta * P.beta_km_s))
    fas_cm_s = c * 10.0 ** (1.5 * mag + 16.05) * (2 * np.pi * F) ** 2 * shape * path
    fas_cm_s *= np.exp(-np.pi * P.kappa_s * F)
    np.testing.assert_allclose(np.exp(rock(P, mag, rrup)) * 100.0, fas_cm_s, rtol=1e-9)


def test_geometrical_spreading_has_two_slopes_that_meet():
    p = replace(P, q0=1e12, h_intercept=-9.0)  # no attenuation, R = rrup

    def slope(a, b):
        return (rock(p, 6.0, b)[0] - rock(p, 6.0, a)[0]) / math.log(b / a)

    assert slope(p.r1_km / 10, p.r1_km / 2) == pytest.approx(p.b1, rel=1e-6)
    assert slope(p.r1_km * 2, p.r1_km * 4) == pytest.approx(p.b2, rel=1e-6)
    assert rock(p, 6.0, p.r1_km * 1.0001)[0] == pytest.approx(rock(p, 6.0, p.r1_km)[0], abs=1e-3)


@given(st.floats(4, 8), st.floats(1, 250), st.floats(0.1, 50))
def test_rock_motion_falls_with_distance_and_grows_with_magnitude(mag, rrup, more):
    assert (rock(P, mag, rrup + more) < rock(P, mag, rrup)).all()
    assert rock(P, mag + 0.1, rrup)[0] > rock(P, mag, rrup)[0]


# --- site -------------------------------------------------------------------------------------


def site(vs30, ln_eas_5hz=-30.0):
    return spectrum.ln_site(tensor(vs30), tensor(ln_eas_5hz)).numpy()[0]


def test_site_amplification_at_760_is_boore_2016():
    inside = (F > 0.01) & (F < 80)
    want = np.interp(np.log(F), np.log(spectrum.BOORE_2016_HZ), np.log(spectrum.BOORE_2016_FACTOR))
    np.testing.assert_allclose(site(760.0)[inside], want[inside], atol=1e-12)
    # Published table: 1.00 at 0.01 Hz, 2.18 at 4 Hz.
    assert np.interp(4.0, F, np.exp(site(760.0))) == pytest.approx(2.18, rel=2e-3)


def test_softer_sites_amplify_long_periods():
    low = (F > 0.1) & (F < 5)
    order = [site(v)[low] for v in (150.0, 300.0, 500.0, 760.0, 1000.0)]
    for softer, harder in pairwise(order):
        assert (softer > harder).all()
    assert np.array_equal(site(1000.0), site(1500.0))  # published cap


def test_linear_site_term_is_openquakes():
    rows = table_from_openquake()
    got = spectrum.at_table(torch.as_tensor(site(300.0) - site(760.0))[None]).numpy()[0]
    want = np.array([r["c8"] for r in rows]) * math.log(300.0 / 760.0)
    # The way to the coarse grid and back cuts the corners of the table a little.
    np.testing.assert_allclose(got, want, atol=0.03)


def test_nonlinear_site_term_is_zero_at_weak_shaking_and_on_rock():
    weak = site(300.0, -30.0)
    np.testing.assert_allclose(site(300.0, -25.0), weak, atol=1e-6)
    for vs30 in (760.0, 1000.0, 1500.0):
        np.testing.assert_allclose(site(vs30, 0.0), site(vs30, -30.0), atol=1e-12)


def test_strong_shaking_deamplifies_soft_sites_at_high_frequency():
    previous = site(250.0, -30.0)
    for ln_eas in (-5.0, -3.0, -1.0):
        now = site(250.0, ln_eas)
        assert (now <= previous + 1e-12).all()
        assert (now[F > 2] < previous[F > 2]).all()
        previous = now
    soft = site(200.0, -2.0) - site(200.0, -30.0)
    stiff = site(500.0, -2.0) - site(500.0, -30.0)
    assert (soft[F > 2] < stiff[F > 2]).all()


@pytest.mark.parametrize("vs30", [180.0, 400.0])
@pytest.mark.parametrize("ln_eas", [-5.0, -2.0])
def test_nonlinear_site_term_is_openquakes(vs30, ln_eas):
    rows = table_from_openquake()
    ir = math.exp(1.238 + 0.846 * ln_eas)  # Bayless and Abrahamson (2019a), eq. 10e
    want = np.array(
        [
            r["f4"]
            * (math.exp(r["f5"] * (vs30 - 360)) - math.exp(r["f5"] * 400))
            * math.log((ir + r["f3"]) / r["f3"])
            for r in rows
        ]
    )
    lowest = int(np.argmin(want))
    want[lowest:] = want[lowest]
    change = torch.as_tensor(site(vs30, ln_eas) - site(vs30, -30.0))[None]
    np.testing.assert_allclose(spectrum.at_table(change).numpy()[0], want, atol=0.02)


# --- variability ------------------------------------------------------------------------------


def test_published_table_is_openquakes():
    rows = table_from_openquake()
    table = spectrum.bayless_abrahamson()
    for name in ("c8", "s1", "s2", "s3", "s4", "s5", "s6", "c1a", "f3", "f4", "f5"):
        want = [row[name] for row in rows]
        np.testing.assert_allclose(table[name], want, atol=1e-5, err_msg=name)


def test_standard_deviations_are_linear_between_m4_and_m6():
    rows = table_from_openquake()
    small, large = (
        (
            np.array([r[a] for r in rows]),
            np.array([[r[b], r[c]] for r in rows]),
        )
        for a, b, c in (("s1", "s3", "s5"), ("s2", "s4", "s6"))
    )
    p = replace(P, tau_factor=0.8, phi_factor=1.1, adjustment=0.0)
    for mag, w in ((3.0, 0.0), (4.0, 0.0), (5.0, 0.5), (6.0, 1.0), (8.0, 1.0)):
        tau, phi = (v.numpy()[0] for v in spectrum.standard_deviations(p, tensor(mag)))
        parts = small[1] + w * (large[1] - small[1])
        np.testing.assert_allclose(tau, 0.8 * (small[0] + w * (large[0] - small[0])), atol=1e-5)
        np.testing.assert_allclose(phi, 1.1 * np.hypot(*parts.T), atol=1e-5)


def test_interfrequency_correlation():
    rho = spectrum.interfrequency_correlation()
    assert np.array_equal(rho, rho.T)
    assert np.array_equal(np.diag(rho), np.ones(31))
    assert np.linalg.eigvalsh(rho).min() > -1e-12
    assert (np.abs(rho) <= 1).all()
    # One entry by hand: 0.1 and 0.1202 Hz, coefficients of 0.1 Hz.
    fr = math.log(1.202)
    want = math.tanh(1.0477 * math.exp(-0.5461 * fr) + 1.6879 * math.exp(-10.4778 * fr))
    assert rho[0, 1] == pytest.approx(want, abs=1e-9)
    # It falls with the distance between frequencies.
    assert (np.diff(rho[0]) < 0).all()
    assert (np.diff(rho[-1]) > 0).all()
    factor = spectrum.correlation_factor(replace(P, adjustment=0.0))
    np.testing.assert_allclose(factor @ factor.T, rho, atol=1e-10)


def test_correlation_of_the_terms_is_one_and_near_the_published_one():
    rho = spectrum.term_correlation(P)
    assert np.array_equal(rho, rho.T)
    np.testing.assert_allclose(np.diag(rho), 1.0, atol=1e-4)
    assert np.linalg.eigvalsh(rho).min() > -1e-4
    factor = spectrum.correlation_factor(P)
    np.testing.assert_allclose(np.diag(factor @ factor.T), 1.0, atol=1e-12)
    np.testing.assert_allclose(factor @ factor.T, rho, atol=1e-3)
    assert np.abs(rho - spectrum.interfrequency_correlation()).mean() < 0.2


# --- tables of factors ------------------------------------------------------------------------


def made_table():
    """ln factor mag + 2 ln rrup - ln vs30 + ln f at the nodes: linear, so exact between them."""
    nodes = [np.array(v) for v in ([4.0, 6.0, 8.0], [1.0, 10.0, 300.0], [200.0, 1500.0])]
    freq = np.array([0.1, 1.0, 40.0])
    m, r, v, f = np.meshgrid(nodes[0], *map(np.log, (*nodes[1:], freq)), indexing="ij")
    return spectrum.NodeTable(*nodes, freq, m + 2 * r - v + f)


@given(st.floats(3.5, 8.5), st.floats(0.5, 400), st.floats(150, 1600))
def test_table_is_linear_between_nodes_and_held_beyond(mag, rrup, vs30):
    got = made_table()(column(mag=mag, rrup=rrup, vs30=vs30)).numpy()[0]
    held = [np.clip(mag, 4, 8), np.clip(rrup, 1, 300), np.clip(vs30, 200, 1500)]
    want = held[0] + 2 * math.log(held[1]) - math.log(held[2]) + np.log(np.clip(F, 0.1, 40.0))
    np.testing.assert_allclose(got, want, atol=1e-9)


def test_shipped_tables_are_moderate():
    for name in ("horizontal", "vertical"):
        table = spectrum.node_table(name)
        assert table.values.shape == tuple(
            map(len, (table.mag, table.rrup, table.vs30, table.freq_hz))
        )
        # the largest are of the vertical above 20 Hz on soft soil: its kappa is about half
        assert 0.0 < np.abs(table.values).max() < {"horizontal": 1.0, "vertical": 5.0}[name]


def test_switching_the_factors_off_leaves_the_point_source():
    bare, shipped = StochasticModel(**BARE), StochasticModel(**QUIET)
    sc = Scenarios(mag=7.2, rrup=12.0, vs30=300.0, hypo_depth=8.0)
    zeros = torch.zeros(1, dtype=torch.float64), torch.zeros(1, 31), torch.zeros(1, 31)
    without, with_ = (m._ln_amplitude(sc, *zeros) for m in (bare, shipped))
    c = column(mag=7.2, rrup=12.0, vs30=300.0)
    np.testing.assert_allclose(
        (with_ - without).numpy(), spectrum.node_table("horizontal")(c).numpy(), atol=1e-12
    )


class Spectra(StochasticModel):
    """Keeps the ln amplitudes of its draws; records too short to cost anything."""

    def npts(self, scenarios):
        return np.full(len(scenarios), 64)

    def _ln_amplitude(self, *arguments):
        self.seen = super()._ln_amplitude(*arguments)
        return self.seen


def sampled_field(parameters, events=3000, **conditions):
    """ln amplitude of two sites of many events, (events, 2, 31) at the table's frequencies."""
    model = Spectra(**parameters)
    noise = Noise(4, np.repeat(np.arange(events), 2), np.tile([0, 1], events), 0)
    model.draw(Scenarios(**conditions).repeat(2 * events), noise)
    return spectrum.at_table(model.seen).numpy().reshape(events, 2, 31)


def through_the_grid(covariance):
    """What interpolation to the coarse frequencies and back makes of a covariance."""
    ln_f, ln_coarse = np.log(spectrum.bayless_abrahamson()["freq_hz"]), np.log(F)
    there = np.array([np.interp(ln_coarse, ln_f, unit) for unit in np.eye(31)]).T
    back = np.array([np.interp(ln_f, ln_coarse, unit) for unit in np.eye(len(F))]).T
    return back @ there @ covariance @ there.T @ back.T


def test_sampled_variability_is_the_published_one():
    """Two sites of an event share tau, have phi to themselves; both correlated in frequency."""
    chosen = {"stress_sigma_ln": 0.0, "tau_factor": 0.9, "phi_factor": 1.1}
    field = sampled_field(chosen, mag=5.0, rrup=40.0, vs30=760.0, hypo_depth=10.0)
    tau, phi = (
        v.numpy()[0] for v in spectrum.standard_deviations(replace(P, **chosen), tensor(5.0))
    )
    rho = spectrum.term_correlation(P)
    n = len(field)
    field = field - field.mean(axis=(0, 1))
    between = through_the_grid(rho * np.outer(tau, tau))
    within = through_the_grid(rho * np.outer(phi, phi))
    got = np.einsum("ef,eg->fg", field[:, 0], field[:, 1]) / n
    error = np.sqrt(np.outer(np.diag(between + within), np.diag(between + within)) / n)
    assert np.abs((got - between) / error).max() < 5
    difference = (field[:, 0] - field[:, 1]) / math.sqrt(2.0)
    got = difference.T @ difference / n
    np.testing.assert_allclose(np.sqrt(np.diag(got) / np.diag(within)), 1.0, atol=0.06)
    sampled = np.corrcoef(difference.T)
    want = within / np.sqrt(np.outer(np.diag(within), np.diag(within)))
    assert np.abs(sampled - want).max() < 5 / math.sqrt(n)


def test_stress_takes_its_part_of_tau_and_no_more():
    """The stress parameter and the residual field together have the published tau."""
    chosen = {"stress_sigma_ln": 0.4, "tau_factor": 1.0, "phi_factor": 0.0}
    conditions = {"mag": 6.0, "rrup": 40.0, "vs30": 760.0, "hypo_depth": 10.0}
    field = sampled_field(chosen, **conditions)
    np.testing.assert_allclose(field[:, 0], field[:, 1], atol=1e-9)  # nothing within an event
    tau = spectrum.standard_deviations(replace(P, **chosen), tensor(6.0))[0].numpy()[0]
    np.testing.assert_allclose(field[:, 0].std(axis=0), tau, rtol=0.1)
    field = sampled_field(chosen | {"tau_factor": 0.0}, **conditions)[:, 0]
    # High-frequency level goes with stress^(2/3), the moment does not move.
    assert field[:, -1].std() == pytest.approx(0.4 * 2 / 3, rel=0.06)
    assert field[:, 0].std() < 0.4 / 3


def test_no_random_terms_no_variability():
    field = sampled_field(QUIET, events=5, mag=6.0, rrup=40.0, vs30=300.0, hypo_depth=10.0)
    np.testing.assert_allclose(np.ptp(field, axis=(0, 1)), 0.0, atol=1e-12)


# --- timing -----------------------------------------------------------------------------------


def test_durations_are_afshari_and_stewart_2016():
    """As OpenQuake has them; there the style of faulting is known, here it is not."""
    module = pytest.importorskip("openquake.hazardlib.gsim.afshari_stewart_2016")
    contexts = pytest.importorskip("openquake.hazardlib.contexts")
    rng = np.random.default_rng(2)
    n = 200
    mag, rrup, vs30 = rng.uniform(4, 8, n), rng.uniform(1, 300, n), rng.uniform(150, 1500, n)
    maker = contexts.simple_cmaker([module.AfshariStewart2016()], ["RSD575", "RSD595"])
    ctx = maker.new_ctx(n)
    values = {"mag": mag, "rrup": rrup, "vs30": vs30, "rake": 0.0, "z1pt0": -999.0}
    for name, v in values.items():
        ctx[name] = v
    theirs = np.exp(maker.get_mean_stds([ctx])[0, 0])
    for kind, want in zip(("RSD575", "RSD595"), theirs, strict=True):
        strike_slip = window.AFSHARI_STEWART
        got = window.significant_duration_s(kind, mag, rrup, vs30)
        # the two styles differ in the source alone, by 6 % there
        assert (np.abs(np.log(got / want)) < 0.09).all()
        b0, b1 = {"RSD575": (1.279, 5.578), "RSD595": (2.302, 3.467)}[kind]
        changed = (*strike_slip[kind][:2], b0, b1, *strike_slip[kind][4:])
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(window.AFSHARI_STEWART, kind, changed)
            exact = window.significant_duration_s(kind, mag, rrup, vs30)
        np.testing.assert_allclose(exact, want, rtol=2e-3)


@pytest.mark.parametrize(("d575", "d595"), [(4.1, 9.0), (20.0, 33.0), (2.4, 5.1)])
def test_envelope_has_the_significant_durations(d575, d595):
    shape, scale = window.shape_and_scale(np.array([d575]), np.array([d595]))
    t = np.linspace(0.0, 200.0, 400001)
    power = window.gamma_density(tensor(*t) / float(scale[0]), tensor(float(shape[0]))).numpy()
    at = np.interp([0.05, 0.75, 0.95], np.cumsum(power) / power.sum(), t)
    assert at[1] - at[0] == pytest.approx(d575, rel=5e-3)
    assert at[2] - at[0] == pytest.approx(d595, rel=2e-3)


def test_envelope_shape_beyond_the_family_keeps_the_longer_duration():
    shape, scale = window.shape_and_scale(np.array([1.0, 9.9]), np.array([10.0, 10.0]))
    assert shape.tolist() == [window.SHAPES[0], window.SHAPES[-1]]
    width = stats.gamma.ppf(0.95, shape, scale=scale) - stats.gamma.ppf(0.05, shape, scale=scale)
    np.testing.assert_allclose(width, 10.0, rtol=1e-9)


@given(st.floats(1, 300))
def test_s_minus_p_time(rhypo):
    onset_p, onset_s = window.arrivals_s(P, np.array([rhypo]))
    assert onset_p[0] == P.pre_p_s
    want = rhypo * (1 / P.beta_km_s - 1 / P.alpha_km_s)
    assert onset_s[0] - onset_p[0] == pytest.approx(want, rel=1e-9)


def test_envelopes_hold_unit_power_in_their_shares():
    p = replace(P, p_energy_horizontal=0.1)
    onset_p, onset_s = 5.0, 45.0
    horizontal, s_wave, p_packet = (
        e.numpy()[0] ** 2
        for e in window.envelopes(
            p, tensor(3.0), tensor(2.0), tensor(onset_p), tensor(onset_s), 20480, 0.01
        )
    )
    t = np.arange(20480) * 0.01
    for power, share in ((horizontal, 0.1), (s_wave, 0.0), (p_packet, 1.0)):
        assert power.sum() == pytest.approx(1.0, rel=1e-3)
        assert power[t < onset_p].sum() < 1e-9
        early = power[(t >= onset_p) & (t < onset_s)].sum()
        assert early == pytest.approx(share, rel=0.01, abs=1e-6)
    # a gamma density of shape 3 and scale 2 s has its mode at 4 s
    assert t[s_wave.argmax()] == pytest.approx(onset_s + 4.0, abs=0.2)
    assert t[p_packet.argmax()] == pytest.approx(onset_p + 4.0, abs=0.2)


@pytest.mark.parametrize("slope", [0.0, 0.7])
def test_packets_of_the_vertical_share_its_power(slope):
    p = replace(P, p_energy_vertical=0.3, p_share_slope=slope)
    of_s, of_p = (v.double().numpy() for v in spectrum.packet_factors(p, 4096, 0.01, "cpu"))
    np.testing.assert_allclose(of_s**2 + of_p**2, 1.0, atol=1e-6)
    f = np.fft.rfftfreq(4096, 0.01)
    assert np.interp(5.0, f, of_p**2) == pytest.approx(0.3, abs=1e-4)
    assert (np.diff(of_p) >= 0).all()
    assert (of_p[-1] > of_p[1]) == (slope > 0)


def test_record_holds_the_motion():
    rng = np.random.default_rng(1)
    n = 300
    sc = Scenarios(
        mag=rng.uniform(4, 8, n),
        rrup=rng.uniform(1, 300, n),
        vs30=400.0,
        hypo_depth=rng.uniform(0, 100, n),
    )
    model = StochasticModel()
    _, duration, _, onset_s = model._timing(sc)
    npts = model.npts(sc)
    assert (npts * model.dt_s >= onset_s + 2 * duration).all()
    assert set(npts) <= set(window.LENGTHS)
    more = {name: sc[name].copy() for name in sc}
    more["rrup"] += 0.1
    assert (model._timing(Scenarios(**more))[1] > duration).all()


# --- waveforms --------------------------------------------------------------------------------


def waveforms(model, n, **conditions):
    ds = model.generate(Scenarios(**conditions), n=n, seed=1)
    return ds["acceleration"].values[0].astype(float)


@pytest.mark.parametrize(
    "conditions",
    [
        {"mag": 5.0, "rrup": 20.0, "vs30": 760.0, "hypo_depth": 10.0},
        {"mag": 7.0, "rrup": 60.0, "vs30": 250.0, "hypo_depth": 10.0},
    ],
)
def test_fourier_amplitude_is_the_models_spectrum(conditions):
    """Parseval: without random terms, mean power of many draws = exp(2 (rock + site))."""
    model = StochasticModel(**BARE)
    acc = waveforms(model, 150, **conditions)
    c = column(**conditions)
    median = spectrum.stress_bar(model.parameters, c["mag"], c["hypo_depth"])
    ln_rock = spectrum.ln_rock(model.parameters, c, median)
    ln = ln_rock + spectrum.ln_site(c["vs30"], spectrum.ln_reference_eas_5hz(ln_rock))
    power = (np.abs(np.fft.rfft(acc)) * model.dt_s) ** 2
    f = np.fft.rfftfreq(acc.shape[-1], model.dt_s)[1:]
    want = np.exp(2 * np.interp(np.log(f), np.log(F), ln.numpy()[0]))
    horizontal = power[:, :2, 1:].mean(axis=(0, 1))
    vertical = power[:, 2, 1:].mean(axis=0)
    for centre in (0.15, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0):
        band = np.abs(np.log(f / centre)) < 0.2
        got = horizontal[band].sum() / want[band].sum()
        assert got == pytest.approx(1.0, abs=0.15 if centre < 0.3 else 0.1), f"{centre} Hz"
        ratio = vertical[band].sum() / want[band].sum()
        assert ratio == pytest.approx(model.parameters.vertical_ratio**2, rel=0.15)
    # In the time domain: the energy is the integral of the spectrum, over +f and -f.
    energy = (acc[:, :2] ** 2).sum(axis=-1).mean() * model.dt_s
    assert energy == pytest.approx(2 * want.sum() * (f[1] - f[0]), rel=0.05)


@pytest.mark.parametrize("mag", [4.5, 7.5])
def test_records_begin_and_end_at_rest(mag):
    model = StochasticModel()
    acc = waveforms(model, 20, mag=mag, rrup=30.0, vs30=400.0, hypo_depth=10.0)
    velocity = np.cumsum(acc, axis=-1) * model.dt_s
    peak = np.abs(acc).max(axis=-1)
    assert np.isfinite(acc).all()
    assert (acc[..., [0, -1]] == 0).all()
    assert (peak > 0).all()
    assert (np.abs(acc.mean(axis=-1)) < 1e-6 * peak).all()
    assert (np.abs(velocity[..., -1]) < 1e-4 * np.abs(velocity).max(axis=-1)).all()
    exact = cumulative_trapezoid(acc.astype(float), dx=model.dt_s, axis=-1, initial=0)
    displacement = cumulative_trapezoid(exact, dx=model.dt_s, axis=-1, initial=0)
    assert (np.abs(displacement[..., -1]) < 1e-3 * np.abs(displacement).max(axis=-1)).all()


def test_rest_is_reached_by_fades_and_slow_bells_alone():
    gen = torch.Generator().manual_seed(3)
    before = torch.randn(4, 3, 2048, generator=gen)
    after = window.brought_to_rest(before.clone(), 0.01)
    assert (after[..., [0, -1]] == 0).all()
    at = np.arange(2048)
    fades = np.sin(0.5 * np.pi * np.minimum(at / 100, 1)) ** 2
    fades *= np.sin(0.5 * np.pi * np.minimum((2047 - at) / 204.8, 1)) ** 2
    taken = np.fft.rfft(before.double().numpy() * fades - after.double().numpy())
    # the lowest frequencies of the record alone, below 0.35 Hz here
    assert (np.abs(taken[..., 7:]).max(axis=-1) < 0.01 * np.abs(taken[..., :4]).max(axis=-1)).all()
    again = window.brought_to_rest(before[1:2].clone(), 0.01)
    assert torch.equal(again[0], after[1])


def share_before(acc, seconds, dt_s):
    power = (acc**2).sum(axis=0)
    return power[:, : int(seconds / dt_s)].sum(axis=-1) / power.sum(axis=-1)


def test_p_before_s_and_nothing_before_p():
    conditions = {"mag": 5.0, "rrup": 80.0, "vs30": 400.0, "hypo_depth": 10.0}
    sc = Scenarios(**conditions)
    model = StochasticModel(
        **QUIET, p_energy_horizontal=0.05, p_energy_vertical=0.3, p_share_slope=0.0
    )
    acc = waveforms(model, 80, **conditions)
    d575, d595, onset_p, onset_s = (float(v[0]) for v in model._timing(sc))
    s_minus_p = 80.0 * (1 / model.parameters.beta_km_s - 1 / model.parameters.alpha_km_s)
    assert onset_s - onset_p == pytest.approx(s_minus_p)
    # The spectrum's filter has no phase: it spreads a little energy to before the onset.
    assert (share_before(acc, onset_p - 0.2, model.dt_s) < 3e-4).all()
    shape, scale = window.shape_and_scale(np.array([d575]), np.array([d595]))
    want = np.array([0.05, 0.05, 0.3]) * stats.gamma.cdf(s_minus_p, shape, scale=scale)
    np.testing.assert_allclose(share_before(acc, onset_s, model.dt_s), want, rtol=0.2, atol=1e-3)
    without_p = StochasticModel(**QUIET, p_energy_horizontal=0.0, p_energy_vertical=0.0)
    acc = waveforms(without_p, 40, **conditions)
    assert (share_before(acc, onset_s - 0.2, model.dt_s) < 1e-3).all()
    assert (share_before(acc, onset_s + 0.4 * d595, model.dt_s) > 0.05).all()


def test_duration_varies_by_event_and_record():
    """Two sites of an event share duration_tau; the rest is each record's own."""

    def ln_durations(**sigmas):
        model = StochasticModel(**QUIET | sigmas, coda_energy=0.0, p_energy_horizontal=0.0)
        sc = Scenarios(mag=5.0, rrup=20.0, vs30=760.0, hypo_depth=10.0).repeat(240)
        noise = Noise(6, np.repeat(np.arange(120), 2), np.tile([0, 1], 120), 0)
        power = model.draw(sc, noise).double().numpy()[:, :2] ** 2
        power = power.sum(axis=1)
        t = np.arange(power.shape[1]) * model.dt_s
        centre = (power @ t) / power.sum(axis=1)
        spread = np.sqrt((power * (t - centre[:, None]) ** 2).sum(axis=1) / power.sum(axis=1))
        return np.log(spread).reshape(120, 2)

    still = ln_durations()
    by_event = ln_durations(duration_tau=0.3)
    by_record = ln_durations(duration_phi=0.3)
    noise = still.std()
    assert noise < 0.15
    assert np.corrcoef(still.T)[0, 1] == pytest.approx(0.0, abs=0.25)
    assert np.corrcoef(by_event.T)[0, 1] > 0.6
    assert np.corrcoef(by_record.T)[0, 1] == pytest.approx(0.0, abs=0.25)
    for varied in (by_event, by_record):
        # cut at 2 sigma: 0.88 of the standard deviation of the normal
        assert np.sqrt(varied.var() - noise**2) == pytest.approx(0.88 * 0.3, abs=0.05)
        assert np.median(varied) == pytest.approx(np.median(still), abs=0.06)


def test_hypocentral_distance_sets_the_s_onset_where_it_is_given():
    near = Scenarios(mag=7.0, rrup=20.0, vs30=400.0, hypo_depth=10.0)
    far = Scenarios(mag=7.0, rrup=20.0, rhypo=60.0, vs30=400.0, hypo_depth=10.0)
    model = StochasticModel()
    (_, duration, p, s), (_, same, p_far, s_far) = model._timing(near), model._timing(far)
    assert (same[0], p_far[0]) == (duration[0], p[0])
    assert (s_far - p_far)[0] == pytest.approx(3 * (s - p)[0])


def test_components_are_independent_and_the_vertical_is_last():
    acc = waveforms(StochasticModel(**BARE), 40, mag=6.0, rrup=30.0, vs30=400.0, hypo_depth=10.0)
    r = np.mean([np.corrcoef(record) for record in acc], axis=0)
    assert np.abs(r - np.eye(3)).max() < 0.05
    energy = (acc**2).sum(axis=(0, 2))
    assert energy[0] == pytest.approx(energy[1], rel=0.1)
    ratio = StochasticModel().parameters.vertical_ratio
    assert energy[2] / energy[:2].mean() == pytest.approx(ratio**2, rel=0.1)


def test_draw_is_the_function_of_its_noise():
    """The same keys give the same waveform, another site another."""
    model = StochasticModel()
    sc = Scenarios(mag=6.0, rrup=30.0, vs30=760.0, hypo_depth=10.0).repeat(2)
    noise = Noise(1, 5, [0, 1], 0)
    first, again = model.draw(sc, noise), model.draw(sc, noise)
    assert first.dtype == torch.float32
    assert first.shape == (2, 3, int(model.npts(sc)[0]))
    assert torch.equal(first, again)
    assert abs(np.corrcoef(first[0, 0], first[1, 0])[0, 1]) < 0.3


# --- parameters -------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [float("nan"), float("inf"), "1", None])
@pytest.mark.parametrize("name", [f.name for f in fields(StochasticParameters)][:3])
def test_parameters_are_numbers(name, value):
    with pytest.raises(ValueError, match=f"stochastic parameter {name} = .*must be a number"):
        StochasticParameters(**{name: value})


@pytest.mark.parametrize(
    "name", ["stress_bar", "q0", "kappa_s", "beta_km_s", "density_g_cm3", "r1_km"]
)
def test_parameters_are_positive(name):
    with pytest.raises(ValueError, match=f"stochastic parameter {name} = 0.0: must be > 0"):
        StochasticParameters(**{name: 0.0})


def test_the_card_holds_the_parameters():
    card = StochasticModel(kappa_s=0.05).card
    assert card.parameters["kappa_s"] == 0.05
    assert StochasticModel(**card.parameters).parameters == replace(P, kappa_s=0.05)
    assert card.components[-1] == "V"
    assert card.citation
    assert card.limitations


def test_parameters_of_other_tables_are_refused():
    with pytest.raises(ValueError, match="tables_crc32 = 1: the tables of factors of this version"):
        StochasticParameters(tables_crc32=1)
    assert StochasticParameters(tables_crc32=1, adjustment=0.0).adjustment == 0.0
