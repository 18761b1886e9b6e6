"""cvae-gan-small, the spectrum-conditioned model that ships with the package."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from gwm_hazard import Scenarios, load_model, rotd
from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.models.registry import model_from_card, shipped

T = np.geomspace(0.01, 10.0, 200)
SCENARIO = Scenarios(mag=[6.5], rrup=[20.0], vs30=[400.0], hypo_depth=[10.0])


@pytest.fixture(scope="module")
def model():
    return load_model("cvae-gan-small", "cpu")


@pytest.fixture(scope="module")
def target():
    """Median spectrum of Boore et al. (2014) at the scenario, nearly: its shape matters here."""
    x = np.log(T / 0.2)
    ln = np.log(0.5) - 0.5 * (np.abs(x) / np.where(x < 0, 1.3, 1.5)) ** 1.6
    pga = np.log(0.21)
    return xr.DataArray(np.exp(np.maximum(ln, np.where(x < 0, pga, -99.0))),
                        dims="period", coords={"period": T})  # fmt: skip


@pytest.fixture(scope="module")
def drawn(model, target):
    return model.generate(SCENARIO, n=8, seed=1, target=target)["acceleration"].values[0]


def test_it_is_found_by_name_and_by_card(model):
    assert sum(f.stat().st_size for f in shipped()["cvae-gan-small"].iterdir()) < 20e6
    again = model_from_card(model.card.to_dict(), "cpu")
    assert again.weights.sha256 == model.weights.sha256
    assert model.card.components == ("H1", "H2", "V")
    assert model.target_periods_s == (0.01, 10.0)


def test_draws_have_the_target_spectrum(drawn, target):
    """By the public kernel, at 200 periods: R2 above 0.8 for each, most ordinates within 10 %."""
    sa = rotd(drawn[:, :2], 0.01, T)[:, 0]
    want = target.values
    r2 = 1.0 - ((sa - want) ** 2).mean(axis=1) / want.var()
    assert (r2 > 0.95).all()
    band = (T > 0.05) & (T < 5.0)
    assert (np.abs(np.log(sa / want))[:, band] < np.log(1.1)).mean() > 0.85


def test_draws_of_one_target_differ(drawn):
    h = drawn[:, 0] / np.linalg.norm(drawn[:, 0], axis=1, keepdims=True)
    pairs = (h @ h.T)[np.triu_indices(8, 1)]
    assert abs(pairs.mean()) < 0.15 and np.abs(pairs).max() < 0.7


def test_nothing_moves_before_p(drawn):
    before = np.abs(drawn[:, :, :400]).max(axis=(1, 2))
    assert (before < 0.1 * np.abs(drawn).max(axis=(1, 2))).all()


def test_alone_its_amplitudes_are_those_of_the_stochastic_model(model):
    """PGA and SA(1.0) of a near and a distant scenario, mean and scatter of 60 draws."""
    scenarios = Scenarios(
        mag=[5.0, 7.0], rrup=[80.0, 25.0], vs30=[400.0, 600.0], hypo_depth=[12.0, 8.0]
    )
    ln = [
        np.log([
            intensity_measures_array(w[:, :, :4096], 0.01, ["PGA", "SA(1.0)"])
            for w in load_model(name, "cpu").generate(scenarios, n=60, seed=2).acceleration.values
        ])
        for name in ("cvae-gan-small", "stochastic")
    ]  # fmt: skip
    assert np.abs(ln[0].mean(axis=1) - ln[1].mean(axis=1)).max() < 0.35
    ratio = ln[0].std(axis=1) / ln[1].std(axis=1)
    assert ((ratio > 0.65) & (ratio < 1.6)).all()
