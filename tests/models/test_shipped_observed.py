"""highfem-observed, whose shapes and level are learned from records; it ships with a surface."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from gwm_hazard import Scenarios, load_model
from gwm_hazard.core.distance import effective_distance_km
from gwm_hazard.core.noise import Noise
from gwm_hazard.distribution.find import find_surface
from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.models.devices import in_portions
from gwm_hazard.models.registry import shipped
from gwm_hazard.openquake.gmm import moments
from gwm_hazard.records.completion import complete

IMTS = ("PGA", "PGV", "SA(0.1)", "SA(0.3)", "SA(1.0)", "SA(3.0)")


@pytest.fixture(scope="module")
def model():
    return load_model("highfem-observed", "cpu")


def test_it_ships_small_and_with_its_surface(model) -> None:
    assert sum(f.stat().st_size for f in shipped()["highfem-observed"].iterdir()) < 20e6
    surface = find_surface(model)
    assert surface is not None and set(IMTS) <= set(surface.imts)


def test_moments_beside_boore_et_al(model) -> None:
    """A published model that knows nothing of it; of M 5 near by SA(1.0) is twice as high."""
    mag, rrup = np.repeat([5.0, 6.0, 7.0], 3), np.tile([15.0, 40.0, 100.0], 3)
    table = pd.DataFrame({"mag": mag, "rrup": rrup, "rjb": rrup, "vs30": 400.0, "rake": 0.0,
                          "hypo_depth": 10.0, "rhypo": rrup})  # fmt: skip
    found = moments("BooreEtAl2014", complete(table)[0], list(IMTS))
    surface = find_surface(model)
    assert surface is not None
    ours = surface(
        Scenarios(mag=mag, rhypo=effective_distance_km(mag, rrup), vs30=400.0, hypo_depth=10.0),
        IMTS,
    )
    off = ours.mean - found.mean
    assert np.abs(off).max() < np.log(2.5) and np.abs(off).mean() < 0.5 * np.log(2.0)
    np.testing.assert_allclose(ours.sigma.mean(axis=0), found.sigma.mean(axis=0), rtol=0.3)
    # 60 draws a node tell how sigma is divided on average only
    tau, phi = (np.sqrt((v**2).mean()) for v in (ours.tau, ours.phi))
    assert 0.2 < tau < phi


def test_draws_have_the_moments_of_the_surface(model) -> None:
    scenarios = Scenarios(mag=6.0, rhypo=25.0, vs30=350.0, hypo_depth=20.0)  # a node
    drawn = model.generate(scenarios, 32, seed=4).acceleration.values[0]
    ln = np.log(intensity_measures_array(drawn, model.dt_s, list(IMTS)))
    surface = find_surface(model)
    assert surface is not None
    found = surface(scenarios, IMTS)
    z = (ln.mean(axis=0) - found.mean[0]) / (found.sigma[0] / np.sqrt(32))
    assert np.abs(z).max() < 4.0
    # at rest in the end, which the phases of a network alone are not
    velocity = np.cumsum(drawn, axis=-1) * model.dt_s
    assert (
        np.median(np.abs(velocity[..., -1]).max(axis=1) / np.abs(velocity).max(axis=(1, 2))) < 0.2
    )


def test_portions_are_of_one_size_and_fill_up() -> None:
    seen = []

    def draw(rows):
        seen.append(rows)
        return torch.from_numpy(10 * rows)

    made = in_portions(draw, 6, 4)
    np.testing.assert_array_equal(made, 10 * np.arange(6))
    np.testing.assert_array_equal(sorted(map(tuple, seen)), [(0, 1, 2, 3), (4, 5, 5, 5)])


def test_the_event_is_shared(model) -> None:
    """Sites of an event have the same between-event term of the level, other events another."""
    one = {"mag": 6.0, "rhypo": 30.0, "vs30": 400.0, "hypo_depth": 10.0}
    same = Scenarios(**{k: np.full(400, v) for k, v in one.items()})
    assert model.level is not None
    ln = model.level.draw(same, Noise(1, np.arange(400) // 2, np.arange(400) % 2, 0))
    mean = ln[:, :2].mean(axis=1).reshape(200, 2, -1)[..., 8]
    found = np.corrcoef(mean.T)[0, 1]
    tau2, phi2 = ((r @ r.T)[8, 8] for r in (model.level.event, model.level.record))
    assert found == pytest.approx(tau2 / (tau2 + phi2), abs=0.2) and found > 0.1
