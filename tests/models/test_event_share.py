"""Between-event terms of models that know no events."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from gwm_hazard.core.draws import Draws
from gwm_hazard.core.ensemble_noise import Ensemble
from gwm_hazard.core.event_share import EventShare
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.distribution.estimate import estimate
from gwm_hazard.errors import InputError
from gwm_hazard.models.event_share import between, calibrated, shared
from gwm_hazard.models.measuring import ln_measures
from gwm_hazard.models.registry import load_model, model_from_card, rebuilt
from gwm_hazard.testing import RandomModel

AT = {"mag": 6.0, "rhypo": 30.0, "vs30": 400.0}
SD_LATENT, SD_OWN = 0.4, 0.3


class Latent(RandomModel):
    """ln amplitude = 0.4 z + 0.3 e, z of the latent, e of each record."""

    def __init__(self) -> None:
        super().__init__(samples=256)
        texts = ("No between-event term.",)
        self.card = replace(self.card, between_event=False, limitations=texts)

    def draw(self, scenarios: Scenarios, noise: Noise) -> Any:
        ln = SD_LATENT * noise.normal("latent", 1) + SD_OWN * noise.normal("phase", 1)
        one = Noise(1, 1, 1, 1).normal("wave", 3 * 256).reshape(1, 3, 256)
        return torch.from_numpy((one * np.exp(ln)[:, :, None]).astype(np.float32))


def scenarios(model: Any, n: int) -> Scenarios:
    return Scenarios(**{r.name: np.full(n, 0.5 * (r.low + r.high)) for r in model.card.conditions})


def moments(model: Any, n: int) -> tuple[float, float]:
    """tau and phi of ln PGA over n events of two sites."""
    noise = Noise(4, np.repeat(np.arange(n), 2), np.tile([0, 1], n), 0)
    ln = ln_measures(model, Draws(scenarios(model, 2 * n), noise), ["PGA"]).reshape(n, 2)
    a, b = (ln - ln.mean()).T
    tau2 = float((a * b).mean())
    return np.sqrt(tau2), float(np.sqrt(ln.var() - tau2))


@pytest.mark.parametrize("rho", [0.0, 0.3, 1.0])
def test_parts_of_the_variance_follow_the_share(rho: float) -> None:
    model = shared(Latent(), EventShare((5.0, 7.0), (rho, rho)))
    tau, phi = moments(model, 6000)
    assert tau**2 == pytest.approx(rho * SD_LATENT**2, abs=0.008)
    assert phi**2 == pytest.approx((1 - rho) * SD_LATENT**2 + SD_OWN**2, abs=0.01)


def test_the_share_is_found() -> None:
    model = Latent()
    rest = {r.name: 0.5 * (r.low + r.high) for r in model.card.conditions if r.name != "mag"}
    found = calibrated(model, {5.0: 0.25, 7.0: 0.4}, rest, imts=["PGA"], events=2000)
    whole = SD_LATENT**2 / (SD_LATENT**2 + SD_OWN**2)
    assert found.share.mag == (5.0, 7.0)
    np.testing.assert_allclose(found.share.share, np.array([0.25, 0.4]) / whole, atol=0.04)
    with pytest.raises(InputError, match=r"0\.9 at M 5: latents .* give 0\.6"):
        calibrated(model, {5.0: 0.9}, rest, imts=["PGA"], events=500)


def test_parts_of_a_made_table() -> None:
    rng = np.random.default_rng(2)
    ln = rng.normal(0, 0.5, (4000, 1, 2)) + rng.normal(0, 1.0, (4000, 4, 2))
    assert between(ln) == pytest.approx(0.2, abs=0.015)


def test_a_network_that_ships() -> None:
    """Records of an event are alike, each is drawn as if alone, and the card brings it back."""
    plain = load_model("highfem-small", "cpu")
    if plain.event_share is not None:
        plain = rebuilt(plain, event_share=None)
    at = {"mag": 6.0, "rhypo": 30.0, "vs30": 400.0, "hypo_depth": 10.0}
    noise = Noise(1, [1, 1, 2], [0, 1, 0], 0)
    rows = Scenarios(**at).repeat(3)
    none = rebuilt(plain, event_share={"mag": [6.0], "share": [0.0]})
    whole = rebuilt(plain, event_share={"mag": [6.0], "share": [1.0]})
    assert whole.card.between_event and not plain.card.between_event
    again = model_from_card(json.loads(json.dumps(whole.card.to_dict())), "cpu")
    assert again.event_share == whole.event_share and again.card.between_event
    ln = [ln_measures(m, Draws(rows, noise), ["PGA", "SA(1.0)"]) for m in (plain, none, whole)]
    np.testing.assert_array_equal(ln[0], ln[1])
    assert np.abs(ln[2][0] - ln[2][1]).max() < 0.3 < np.abs(ln[2][0] - ln[2][2]).max()


def test_moments_of_a_branch_have_both_parts() -> None:
    model = shared(Latent(), EventShare((6.0,), (0.5,)))
    got = estimate(model, scenarios(model, 1), ["PGA"], Ensemble(4000, 1))
    assert got.tau[0, 0] == pytest.approx(np.sqrt(0.5) * SD_LATENT, abs=0.03)


@pytest.mark.parametrize(
    "told",
    [{"mag": [5.0], "share": [1.5]}, {"mag": [6.0, 5.0], "share": [0.1, 0.2]}, 3, {"mag": 1}],
)
def test_other_shares_are_refused(told: Any) -> None:
    with pytest.raises(InputError, match="event_share"):
        EventShare.of(told)
