"""Draws in parts and together."""

from __future__ import annotations

import numpy as np
import pytest

from gwm_hazard.core.draws import Draws
from gwm_hazard.core.noise import MixedNoise, Noise
from gwm_hazard.core.scenario import Scenarios
from tests.toy import ToyModel


def part(first: int, n: int, seed: int = 7) -> Draws:
    event = first + np.arange(n)
    scenarios = Scenarios(mag=5.0 + 0.1 * event, rrup=10.0 + event, vs30=400.0)
    return Draws(scenarios, Noise(seed, event, 3, 1))


def mixed(first: int, n: int) -> Draws:
    plain = part(first, n)
    fresh = Noise(7, 1000 + first + np.arange(n), 3, 1)
    return Draws(plain.scenarios, MixedNoise.of(plain.noise).turned(0.6, fresh))


@pytest.mark.parametrize(
    "parts",
    [
        [part(0, 3), part(3, 2)],
        [part(0, 3), mixed(3, 2)],
        [mixed(0, 1), part(1, 2), mixed(3, 4)],
        [Draws(part(0, 2).scenarios, MixedNoise.of(part(0, 2).noise)), mixed(2, 2)],
    ],
)
def test_together_they_draw_what_each_draws(parts: list[Draws]) -> None:
    """Noises of one and of several terms, in any order: each row keeps its numbers."""
    whole = Draws.concat(parts)
    assert len(whole) == sum(map(len, parts))
    for stream, per_event in (("event", True), ("record", False)):
        apart = [p.model_noise.normal(stream, 5, per_event=per_event) for p in parts]
        got = whole.model_noise.normal(stream, 5, per_event=per_event)
        np.testing.assert_array_equal(got, np.concatenate(apart))
    assert [k for p in parts for k in p.noise.text()] == whole.noise.text()
    model = ToyModel()
    drawn = np.concatenate([model.draw(p.scenarios, p.model_noise).numpy() for p in parts])
    np.testing.assert_array_equal(model.draw(whole.scenarios, whole.model_noise).numpy(), drawn)


def test_a_part_of_the_whole_is_the_part() -> None:
    whole = Draws.concat([part(0, 3), mixed(3, 2)])
    again = whole.take(slice(3, None))
    assert again.scenarios == mixed(3, 2).scenarios
    assert again.noise.text() == mixed(3, 2).noise.text()


def test_other_seeds_are_refused() -> None:
    with pytest.raises(ValueError, match=r"draws of seeds \[7, 8\]"):
        Draws.concat([part(0, 2), part(2, 2, seed=8)])


def test_a_key_for_each_row() -> None:
    with pytest.raises(ValueError, match="3 scenarios but 2 noise keys"):
        Draws(part(0, 3).scenarios, part(0, 2).noise)
