"""Waveforms conditioned on records: exact at stations, conditional normal between them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gwm_hazard.core.draws import Draws
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.core.spatial import published
from gwm_hazard.core.spatial.lattice import EARTH_RADIUS_KM, distance_km
from gwm_hazard.core.spatial.noise import SpatialCorrelation
from gwm_hazard.core.spatial.tuning import mixing, weights_of
from gwm_hazard.errors import InputError
from gwm_hazard.models.conditional import Conditioned, Stations
from gwm_hazard.models.measuring import ln_measures
from gwm_hazard.models.registry import load_model
from tests.toy import ToyModel

#: Kilometres north of the first of two stations.
STATIONS_KM, SITES_KM = np.array([0.0, 30.0]), np.array([0.0, 5.0, 20.0, 50.0, 400.0])
RESIDUALS = np.array([0.9, -0.3])


def latitude(km: NDArray[np.float64]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = 40.0 + np.degrees(km / EARTH_RADIUS_KM)
    return found


def stations_of(model: ToyModel, spread: float = 0.0) -> Stations:
    at = Scenarios(mag=[6.5, 6.5], rrup=[20.0, 40.0], vs30=500.0)
    ln = model.ln_mean(at, "PGV") + RESIDUALS
    lon = np.full(2, 10.0)
    return Stations(at, lon, latitude(STATIONS_KM), ("PGV",), ln[:, None], np.full((2, 1), spread))


def fields(model: ToyModel, spread: float, events: int) -> NDArray[np.float64]:
    """Residuals of ln PGV at the sites, (events, sites)."""
    matrices = mixing(weights_of("JB2009", "PGV")[:, None], np.ones((1, 1)))
    correlation = SpatialCorrelation("JB2009", {"record": matrices})
    noise = Conditioned(model, correlation, stations_of(model, spread), 3)
    n = len(SITES_KM)
    event, lat = np.repeat(np.arange(events), n), np.tile(latitude(SITES_KM), events)
    made = noise.noise(event, np.tile(np.arange(n), events), np.full(len(lat), 10.0), lat)
    # A site at a station has the station's conditions.
    rrup = np.tile(np.where(SITES_KM == 0.0, 20.0, 30.0), events)
    at = Scenarios(mag=np.full(len(lat), 6.5), rrup=rrup, vs30=500.0)
    ln = ln_measures(model, Draws(at, made), ["PGV"])[:, 0] - model.ln_mean(at, "PGV")
    return ln.reshape(events, n)


@pytest.mark.parametrize("spread", [0.0, 0.25])
def test_a_linear_model_has_the_conditional_normal(spread: float) -> None:
    model, events = ToyModel(), 3000
    found = fields(model, spread, events)
    km = np.concatenate([STATIONS_KM, SITES_KM])
    apart = np.abs(km[:, None] - km)
    covariance = model.tau**2 + model.phi**2 * published.correlation("JB2009", "PGV", apart)
    known = covariance[:2, :2] + spread**2 * np.eye(2)
    gain = covariance[2:, :2] @ np.linalg.inv(known)
    mean = gain @ RESIDUALS
    sigma = np.sqrt(np.diag(covariance[2:, 2:] - gain @ covariance[:2, 2:]).clip(0.0))
    # Three standard errors, and what the lattice makes of the published correlation.
    assert found.mean(axis=0) == pytest.approx(mean, abs=0.05)
    assert found.std(axis=0)[1:] == pytest.approx(sigma[1:], rel=0.05)
    if spread == 0.0:
        assert np.abs(found[:, 0] - RESIDUALS[0]).max() < 1e-3
    else:
        assert found[:, 0].std() == pytest.approx(sigma[0], rel=0.06)


def test_a_draw_does_not_depend_on_the_others() -> None:
    model = ToyModel()
    whole = fields(model, 0.0, 6)
    assert np.array_equal(fields(model, 0.0, 4), whole[:4])


def test_waveforms_show_the_records() -> None:
    model = load_model("stochastic", "cpu")
    n, imts = 3, ("PGA", "SA(1.0)")
    at = Scenarios(mag=np.full(n, 6.5), rrup=[15.0, 25.0, 40.0], vs30=[300.0, 600.0, 400.0],
                   hypo_depth=8.0)  # fmt: skip
    lon, lat = np.array([10.0, 10.1, 10.3]), np.array([40.0, 40.1, 40.0])
    observed = np.log([[0.5, 0.4], [0.1, 0.2], [0.15, 0.1]])
    stations = Stations(at, lon, lat, imts, observed, np.zeros((n, 2)))
    noise = Conditioned(model, model.spatial_correlation("JB2009"), stations, 5)
    events = 4
    event, which = np.repeat(np.arange(events), n), np.tile(np.arange(n), events)
    made = noise.noise(event, which, lon[which], lat[which])
    ln = ln_measures(model, Draws(at.take(which), made), imts)
    assert ln == pytest.approx(observed[which], abs=1e-3)
    # Four different records, not one.
    assert np.unique(made.normal("waveform", 1)).size == events * n


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ln_observed": np.array([[0.0], [np.nan]])}, "must be a positive number"),
        ({"lat": np.array([40.0, 40.0])}, "two stations at 10, 40"),
    ],
)
def test_what_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Stations(**(vars(stations_of(ToyModel())) | change))


def test_distances() -> None:
    found = distance_km([0.0], [0.0], [1.0, 0.0], [0.0, 1.0])
    assert found[0] == pytest.approx(np.full(2, np.radians(1.0) * EARTH_RADIUS_KM), rel=1e-4)
