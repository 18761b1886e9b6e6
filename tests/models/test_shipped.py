"""highfem-small, the model that ships with the package."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gwm_hazard import Scenarios, load_model
from gwm_hazard.core.noise import Noise
from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.models.registry import model_from_card, shipped


@pytest.fixture(scope="module")
def model():
    return load_model("highfem-small", "cpu")


@pytest.fixture(scope="module")
def drawn(model):
    scenarios = Scenarios(mag=[5.0, 7.0], rhypo=[100.0, 40.0], vs30=400.0, hypo_depth=10.0)
    return model.generate(scenarios, n=6, seed=1)["acceleration"].values


def test_it_is_found_by_name_and_by_card(model):
    assert sum(f.stat().st_size for f in shipped()["highfem-small"].iterdir()) < 25e6
    again = model_from_card(model.card.to_dict(), "cpu")
    assert again.weights.sha256 == model.weights.sha256
    assert model.card.condition_names == ("mag", "rhypo", "vs30", "hypo_depth")
    assert model.card.between_event  # by a part of the latent that sites share


def test_amplitudes_are_those_of_the_stochastic_model(drawn):
    """PGA of its training data's model at both scenarios, within the error of six draws."""
    stochastic = load_model("stochastic", "cpu")
    # rrup of rhypo 100 and 40 km at M 5 and 7 (Boore and Thompson 2015)
    scenarios = Scenarios(
        mag=[5.0, 7.0], rrup=[99.96, 36.51], rhypo=[100.0, 40.0], vs30=400.0, hypo_depth=10.0
    )
    reference = stochastic.generate(scenarios, n=200, seed=1)["acceleration"].values
    ln_pga = [
        np.log(intensity_measures_array(a, 0.01, ["PGA"])[:, 0])
        for a in (*drawn, *reference[..., :4064])
    ]
    for made, true in zip(ln_pga[:2], ln_pga[2:], strict=True):
        assert abs(made.mean() - true.mean()) < 3.0 * true.std() / np.sqrt(6) + 0.2


def test_nothing_moves_before_p(drawn):
    before = np.abs(drawn[..., :450]).max(-1)
    assert (before < 0.1 * np.abs(drawn).max(-1)).all()


def test_a_record_does_not_depend_on_its_batch(model, drawn):
    """To the bit, and on the number of threads neither: portions are always of one size."""
    scenarios = Scenarios(mag=7.0, rhypo=40.0, vs30=400.0, hypo_depth=10.0)
    noise = Noise(1, [1], 0, [3])
    ((_, (alone,)),) = model.batches(scenarios, noise)
    np.testing.assert_array_equal(alone, drawn[1, 3])
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        many = Scenarios(**{k: np.repeat(v, 6) for k, v in scenarios.items()})
        found = {int(r): w for rows, acc in model.batches(many, Noise(1, [1], 0, range(6)))
                 for r, w in zip(rows, acc, strict=True)}  # fmt: skip
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(found[3], alone)
