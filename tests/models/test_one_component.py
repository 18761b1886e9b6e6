"""RotD50 from one horizontal component, against OpenQuake's tables and observed pairs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from openquake.hazardlib import imt as oq_imt
from openquake.hazardlib.const import IMC
from openquake.hazardlib.gsim.campbell_bozorgnia_2008 import CampbellBozorgnia2008

from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.models.one_component import (
    component_sigma,
    ln_rotd50_ratio,
    rotd50_array,
    rotd50_phi,
)
from gwm_hazard.noise import Noise
from gwm_hazard.scenario import Scenarios
from gwm_hazard.surface.build import IMTS
from gwm_hazard.surface.ensemble import Ensemble, draw_ln_measures, estimate
from tests.toy import ToyModel
from tests.validation.test_claims import command

SA = [i for i in IMTS if i.startswith("SA")]
RNG = np.random.default_rng(1)


@pytest.mark.parametrize("name", ["PGA", *SA])
def test_ratios_are_those_of_boore_and_kishida(name):
    """As OpenQuake has them, for its conversion to the geometric mean."""
    want, _, _ = IMC.RotD50.apply_conversion(oq_imt.from_string(name))
    assert np.exp(ln_rotd50_ratio(name)) == pytest.approx(want, rel=1e-6)


@pytest.mark.parametrize("name", ["PGA", "PGV", *SA])
def test_variability_is_that_of_campbell_and_bozorgnia(name):
    imt = oq_imt.from_string(name)
    assert component_sigma(name) == pytest.approx(CampbellBozorgnia2008.COEFFS[imt]["c_lny"])


def test_between_the_tabulated_periods():
    low, high = component_sigma("SA(1.0)"), component_sigma("SA(1.5)")
    middle = component_sigma(f"SA({np.sqrt(1.5):.6f})")
    assert middle == pytest.approx((low + high) / 2, rel=1e-4)


def test_observed_pairs(shared):
    """Every twelfth of 820 pairs: ratios within 0.03, sigma_c within 30 %."""
    import h5py

    path = shared / "data" / "waveforms" / "observed_2h.h5"
    imts = ["PGA", "PGV", "SA(0.3)", "SA(1.0)", "SA(3.0)", "IA", "CAV", "RSD595", "RSD575"]
    tool = command("tfcgan/components.py")
    with h5py.File(path) as file:
        rows = range(0, len(file["npts"]), 12)
    rotd50, h1, h2 = tool.ln_measures(path, imts, rows)
    ratio = (rotd50 - (h1 + h2) / 2).mean(axis=0)
    sigma = np.sqrt((((h1 - h2) / 2) ** 2).mean(axis=0))
    for k, name in enumerate(imts):
        assert ratio[k] == pytest.approx(ln_rotd50_ratio(name), abs=0.03), name
        assert sigma[k] == pytest.approx(component_sigma(name), rel=0.3), name


def test_one_component_is_measured_and_multiplied():
    acc = RNG.standard_normal((3, 1, 500)).astype(np.float32)
    found = rotd50_array(acc, 0.01, ["PGA", "SA(1.0)", "RSD595"])
    pair = np.concatenate([acc, RNG.standard_normal(acc.shape)], axis=1)
    alone = intensity_measures_array(pair, 0.01, ["PGA", "SA(1.0)", "RSD595"], "H1")
    np.testing.assert_allclose(found[:, 0], 1.009 * alone[:, 0], rtol=1e-6)
    np.testing.assert_allclose(found[:, 1] / alone[:, 1], np.exp(ln_rotd50_ratio("SA(1.0)")))
    np.testing.assert_allclose(found[:, 2], alone[:, 2], rtol=1e-6)


@pytest.mark.parametrize("components", [2, 3])
def test_two_components_are_rotated(components):
    acc = RNG.standard_normal((2, components, 300))
    want = intensity_measures_array(acc, 0.01, ["PGA", "IA"], "RotD50")
    assert np.array_equal(rotd50_array(acc, 0.01, ["PGA", "IA"]), want)


def test_a_measure_without_a_relation():
    with pytest.raises(ValueError, match=r"JMA of one horizontal.*SA\(T\), PGA, PGV"):
        rotd50_array(np.ones((1, 1, 100)), 0.01, ["JMA"])


class OneHorizontal(ToyModel):
    """The toy model's first horizontal."""

    def __init__(self, **parameters):
        super().__init__(**parameters)
        self.card = dataclasses.replace(self.card, components=("H1",))

    def draw(self, scenarios: Scenarios, noise: Noise) -> torch.Tensor:
        return super().draw(scenarios, noise)[:, :1]


def test_ensemble_of_a_model_with_one_component():
    """The toy's variability is phi; RotD50 has less of it, and the ratio in the mean."""
    sc = Scenarios(mag=[6.5], rrup=[20.0], vs30=[500.0])
    imts, phi = ["PGA", "SA(1.0)"], 0.6
    one, two = OneHorizontal(phi=phi, tau=0.3), ToyModel(phi=phi, tau=0.3)
    ensemble = Ensemble(40, 1)
    found, full = (estimate(m, sc, imts, ensemble) for m in (one, two))
    sigma_c = np.array([component_sigma(i) for i in imts])
    np.testing.assert_allclose(found.tau, full.tau, rtol=1e-4)
    np.testing.assert_allclose(found.phi, np.sqrt(full.phi**2 - sigma_c**2), rtol=1e-4)
    # The toy is polarised: its RotD50 is cos 45 degrees of its first horizontal.
    ratio = np.array([ln_rotd50_ratio(i) for i in imts])
    np.testing.assert_allclose(found.mean - full.mean, [np.log(np.sqrt(2.0)) + ratio], atol=1e-3)


def test_draws_of_other_components_are_not_converted():
    sc = Scenarios(mag=[6.5], rrup=[20.0], vs30=[500.0])
    two = draw_ln_measures(ToyModel(), sc, Noise(1, 0, 0, 0), ["PGA"], "H1")
    one = draw_ln_measures(OneHorizontal(), sc, Noise(1, 0, 0, 0), ["PGA"])
    assert one - two == pytest.approx(np.log(1.009), abs=1e-6)


def test_phi_keeps_half():
    assert rotd50_phi(1, ["SA(10.0)"], [0.2]) == pytest.approx([0.1])
    assert rotd50_phi(2, ["SA(10.0)"], [0.2]) == pytest.approx([0.2])
