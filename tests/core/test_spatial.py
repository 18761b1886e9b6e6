"""Noise that is correlated in space: what it depends on, and how it is distributed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from openquake.hazardlib.correlation import hmcorrelation, jbcorrelation
from openquake.hazardlib.imt import from_string
from scipy.stats import kstest

from gwm_hazard.core.draws import Draws
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.core.spatial import published
from gwm_hazard.core.spatial.coherency import Coherent, harichandran_vanmarcke
from gwm_hazard.core.spatial.lattice import EARTH_RADIUS_KM, LENGTHS_KM
from gwm_hazard.core.spatial.noise import SpatialCorrelation, SpatialNoise
from gwm_hazard.core.spatial.tuning import achieved, fields_at, mixing, weights_of
from gwm_hazard.errors import InputError

H_KM = np.array([0.0, 0.2, 1.0, 5.0, 10.0, 20.0, 40.0, 80.0])


def one_field(k: int, size: int = 1) -> SpatialCorrelation:
    """Of numbers that are lattice field k alone."""
    matrices = np.zeros((len(LENGTHS_KM), size, size))
    matrices[k] = np.eye(size)
    return SpatialCorrelation("one", {"level": matrices})


def noise_at(lon: Any, lat: Any, correlation: SpatialCorrelation, events: int = 1) -> SpatialNoise:
    """Sites within events, numbered from 0."""
    lon, lat = np.broadcast_arrays(np.atleast_1d(lon), lat)
    event = np.repeat(np.arange(events), len(lon))
    site = np.tile(np.arange(len(lon)), events)
    return SpatialNoise(5, event, site, 0, np.tile(lon, events), np.tile(lat, events), correlation)


def east_of(lon: float, lat: float, h_km: Any) -> Any:
    return lon + np.degrees(h_km / (EARTH_RADIUS_KM * np.cos(np.radians(lat))))


@pytest.fixture(scope="module")
def mixed() -> SpatialCorrelation:
    """Two correlated residuals, of a short and of a long range."""
    weights = np.stack([weights_of("JB2009", m) for m in ("PGA", "SA(3.0)")], axis=1)
    root = np.array([[1.0, 0.0], [0.5, 0.75**0.5]])
    return SpatialCorrelation("two", {"level": mixing(weights, root)})


def test_a_site_does_not_depend_on_the_others(mixed: SpatialCorrelation) -> None:
    rng = np.random.default_rng(1)
    noise = noise_at(rng.uniform(10, 12, 50), rng.uniform(43, 44, 50), mixed, events=3)
    for stream, size in (("level", 2), ("waveform", 7)):
        whole = noise.normal(stream, size)
        order = rng.permutation(len(noise))[:60]
        assert np.array_equal(noise.take(order).normal(stream, size), whole[order])
        for i in (0, 77):
            assert np.array_equal(noise.take([i]).normal(stream, size)[0], whole[i])


def test_the_number_of_a_site_in_a_job_is_a_label(mixed: SpatialCorrelation) -> None:
    a = SpatialNoise(5, 3, [0, 1], 0, [10.0, 10.5], 43.0, mixed)
    b = SpatialNoise(5, 3, [7, 4], 0, [10.5, 10.0], 43.0, mixed)
    for stream, size in (("level", 2), ("waveform", 9)):
        assert np.array_equal(a.normal(stream, size), b.normal(stream, size)[::-1])
    assert not np.array_equal(a.normal("waveform", 9)[0], a.normal("waveform", 9)[1])
    shared = a.normal("level", 3, per_event=True)
    assert np.array_equal(shared, Noise(5, 3, [0, 1], 0).normal("level", 3, per_event=True))


def test_streams_seeds_events_and_realizations_differ(mixed: SpatialCorrelation) -> None:
    def drawn(seed: int, event: int, realization: int, stream: str = "level") -> float:
        correlation = SpatialCorrelation("x", {stream: mixed.mixing["level"]})
        noise = SpatialNoise(seed, event, 0, realization, 10.0, 43.0, correlation)
        return float(noise.normal(stream, 2)[0, 0])

    found = {drawn(1, 1, 1), drawn(2, 1, 1), drawn(1, 2, 1), drawn(1, 1, 2), drawn(1, 1, 1, "b")}
    assert len(found) == 5


@pytest.mark.parametrize("k", range(len(LENGTHS_KM)))
@pytest.mark.parametrize("lat", [0.0, 61.0])
def test_lattice_fields_have_their_correlation(k: int, lat: float) -> None:
    h = LENGTHS_KM[k] * np.array([0.0, 0.1, 0.5, 1.0, 1.5, 2.5])
    noise = noise_at(east_of(20.0, lat, h), lat, one_field(k, 32), events=800)
    z = noise.normal("level", 32).reshape(800, len(h), 32).astype(float)
    found = (z[:, :1] * z).mean(axis=(0, 2))
    # 25,600 independent pairs: a standard error of 0.006 to 0.009.
    assert found == pytest.approx(np.exp(-((h / LENGTHS_KM[k]) ** 2)), abs=0.03)


@pytest.mark.parametrize(
    ("lon", "lat"), [(20.0, 45.0), (180.0, -17.0), (0.0, 89.99), (33.0, -90.0), (123.4567, 0.0)]
)
def test_marginals_are_standard_normal_anywhere(
    lon: float, lat: float, mixed: SpatialCorrelation
) -> None:
    z = noise_at(lon, lat, mixed, events=4000).normal("level", 2)
    assert kstest(z[:, 0], "norm").pvalue > 1e-3
    assert kstest(z[:, 1], "norm").pvalue > 1e-3
    assert abs(np.corrcoef(z.T)[0, 1]) < 0.06


def test_no_seam_at_the_date_line(mixed: SpatialCorrelation) -> None:
    west, east = (noise_at(lon, 51.0, mixed).normal("level", 2) for lon in (-180.0, 180.0))
    assert west == pytest.approx(east, abs=1e-5)
    near = noise_at([179.9999, -179.9999], 51.0, one_field(6)).normal("level", 1)  # 14 m apart
    assert near[0] == pytest.approx(near[1], abs=0.01)


def test_mixtures_keep_a_site_and_give_each_residual_its_correlation() -> None:
    weights = np.stack([weights_of("JB2009", m) for m in ("PGA", "SA(0.3)", "SA(2.0)")], axis=1)
    correlation = np.array([[1.0, 0.8, 0.4], [0.8, 1.0, 0.6], [0.4, 0.6, 1.0]])
    # More numbers than residuals, as where the duration's is no residual of the spectrum.
    factor = np.concatenate([np.linalg.cholesky(correlation), np.zeros((3, 1))], axis=1)
    matrices = mixing(weights, factor)
    assert np.einsum("kij,klj->il", matrices, matrices) == pytest.approx(np.eye(4), abs=1e-6)
    for i, row in enumerate(factor):
        wanted = weights[:, i] @ fields_at(H_KM)
        assert achieved(matrices, row, row, H_KM) == pytest.approx(wanted, abs=1e-6)
    across = achieved(matrices, factor[0], factor[2], H_KM)
    assert across[0] == pytest.approx(0.4, abs=1e-6)
    assert (np.diff(across) < 0).all()


@pytest.mark.parametrize("measure", ["PGA", "SA(0.1)", "SA(0.5)", "SA(1.0)", "SA(3.0)"])
def test_published_models_are_openquakes(measure: str) -> None:
    imt = from_string(measure)
    for name, wanted in (
        ("JB2009", jbcorrelation(H_KM, imt, False)),
        ("JB2009-clustered", jbcorrelation(H_KM, imt, True)),
        ("HM2018", hmcorrelation(H_KM, imt)),
    ):
        assert published.correlation(name, measure, H_KM) == pytest.approx(wanted, abs=1e-12)
        # What lattice fields can make of it, beyond the nugget.
        made = weights_of(name, measure) @ fields_at(H_KM[2:])
        assert made == pytest.approx(wanted[2:], abs=0.01)


def test_loth_and_baker() -> None:
    # Their table of B1, B2 and B3 (erratum) at 0.01 s and 1 s: 0.18, 0.27 and -0.02.
    h = np.array([0.0, 20.0])
    wanted = [0.43, 0.18 * np.exp(-3.0) + 0.27 * np.exp(-3.0 * 20 / 70)]
    assert published.correlation("LB2013", "PGA", h, "SA(1.0)") == pytest.approx(wanted)
    assert published.correlation("LB2013", "SA(1.0)", h, "PGA") == pytest.approx(wanted)
    for t in published._LB_PERIODS_S:
        at_zero = published.correlation("LB2013", f"SA({t})", [0.0])
        assert at_zero == pytest.approx(1.0, abs=0.015)  # rounded as printed
    # Between tabulated periods the diagonal stays a correlation of 1.
    assert published.correlation("LB2013", "SA(0.7)", 0.0) == pytest.approx(1.0, abs=0.015)


def test_fourier_amplitudes_decay_with_two_ranges_and_a_nugget() -> None:
    found = published.correlation("WangEtAl2021", "EAS(1)", [0.0, 10.0, 100.0])
    wanted = [1.0, 0.449 * np.exp(-3) + 0.387 * np.exp(-0.3), 0.387 * np.exp(-3)]
    assert found == pytest.approx(wanted, abs=1e-6)


def test_what_is_refused(mixed: SpatialCorrelation) -> None:
    with pytest.raises(InputError, match="must be one of JB2009"):
        published.correlation("JB2010", "PGA", 1.0)
    with pytest.raises(InputError, match="does not tell PGA"):
        published.correlation("WangEtAl2021", "PGA", 1.0)
    with pytest.raises(InputError, match="of one measure"):
        published.correlation("JB2009", "PGA", 1.0, "PGV")
    with pytest.raises(InputError, match="no spatial correlation of RSD595"):
        published.correlation("JB2009", "RSD595", 1.0)
    with pytest.raises(InputError, match="lat = 91"):
        SpatialNoise(1, 1, 0, 0, 0.0, 91.0, mixed)
    with pytest.raises(InputError, match="has 3 numbers, its spatial correlation 2"):
        noise_at(0.0, 0.0, mixed).normal("level", 3)


def test_no_correlation_is_the_noise_itself() -> None:
    noise = Noise(1, [2, 3], 0, 0)
    assert SpatialNoise.of(noise, 0.0, 0.0, None) is noise


def test_draws_keep_their_places(mixed: SpatialCorrelation) -> None:
    noise = noise_at([10.0, 11.0, 12.0], 43.0, mixed)
    draws = Draws(Scenarios(mag=[6.0, 6.0, 6.0], rrup=[1.0, 2.0, 3.0]), noise).take([2, 0])
    assert np.array_equal(draws.noise.normal("level", 2), noise.normal("level", 2)[[2, 0]])
    assert draws.noise.text()[0] == "5/0/2/0@12.0,43.0,two"


def test_coherent_white_noise_is_white_and_coherent() -> None:
    coherent = Coherent("waveform", 3, 0.01)
    correlation = SpatialCorrelation("x", {}, coherent)
    km = np.array([0.0, 0.1, 1.0])
    lat = 42.0 + np.degrees(km / EARTH_RADIUS_KM)
    events, n = 120, 2003
    x = noise_at(10.0, lat, correlation, events).normal("waveform", 3 * n)
    spectra = np.fft.rfft(x.reshape(events, 3, 3, n).astype(float))
    f = np.fft.rfftfreq(n, 0.01)
    power = (np.abs(spectra) ** 2).mean(axis=(0, 1, 2)) / n
    for low, high in ((0.1, 1.0), (1.0, 3.0), (3.0, 8.0), (8.0, 50.0)):
        band = (f > low) & (f < high)
        assert power[band].mean() == pytest.approx(1.0, abs=0.06)
        across = (spectra[:, :1] * spectra.conj()).real[..., band].mean(axis=(0, 2, 3)) / n
        wanted = harichandran_vanmarcke(f[band][:, None], km).mean(axis=0)
        if high < 8.0:
            assert across / power[band].mean() == pytest.approx(wanted, abs=0.06)
    # At the same place it is the same noise; elsewhere each site has its own.
    again = noise_at(10.0, lat[[2]], correlation, events).normal("waveform", 3 * n)
    np.testing.assert_allclose(again, x[2::3], atol=1e-5)
