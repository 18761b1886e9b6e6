"""Sums of keyed draws, and keys as text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from gwm_hazard import Noise
from gwm_hazard.core.noise import MixedNoise, noise_from_text
from gwm_hazard.core.scenario import Scenarios
from tests.toy import ToyModel


def mixed(n: int = 3) -> MixedNoise:
    """Rows with one, two and three terms, and so on."""
    start = MixedNoise.of(Noise(7, np.arange(n), 4, 0))
    once = start.turned(np.where(np.arange(n) >= 1, 0.6, 0.0), Noise(7, 100 + np.arange(n), 4, 0))
    return once.turned(np.where(np.arange(n) >= 2, -0.28, 0.0), Noise(7, 200 + np.arange(n), 4, 1))


def test_a_row_is_the_sum_of_its_terms() -> None:
    got = mixed().normal("waveform", 50)
    term = [
        Noise(7, 2, 4, 0).normal("waveform", 50)[0].astype(float),
        Noise(7, 102, 4, 0).normal("waveform", 50)[0].astype(float),
        Noise(7, 202, 4, 1).normal("waveform", 50)[0].astype(float),
    ]
    want = 0.96 * (0.8 * term[0] + 0.6 * term[1]) - 0.28 * term[2]
    np.testing.assert_allclose(got[2], want, atol=1e-6)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got[0], Noise(7, 0, 4, 0).normal("waveform", 50)[0])


def test_it_is_standard_normal_and_moves_by_as_much_as_it_says() -> None:
    start = Noise(1, np.arange(20), 0, 0)
    moved = MixedNoise.of(start)
    for k in range(1, 6):
        moved = moved.turned(0.5, Noise(1, 1000 * k + np.arange(20), 0, 0))
    x, y = (noise.normal("s", 5000).astype(float).ravel() for noise in (start, moved))
    assert stats.kstest(y, "norm").pvalue > 0.01
    assert abs(y.std() - 1) < 4 / np.sqrt(2 * y.size)
    assert abs(np.corrcoef(x, y)[0, 1] - 0.75**2.5) < 4 / np.sqrt(x.size)


@given(st.permutations(range(4)), st.booleans(), st.integers(0, 9))
def test_any_subset_in_any_order_gives_the_same_numbers(rows, per_event, size) -> None:
    noise = mixed(4)
    whole = noise.normal("s", size, per_event=per_event)
    part = noise.take(np.array(rows[:3]))
    assert len(part) == 3
    np.testing.assert_array_equal(part.normal("s", size, per_event=per_event), whole[rows[:3]])


def test_sites_of_an_event_share_the_event_level() -> None:
    def at(site: int) -> MixedNoise:
        return MixedNoise.of(Noise(1, 5, site, 0)).turned(0.6, Noise(1, 6, site, 0))

    a, b = at(0), at(1)
    np.testing.assert_array_equal(
        a.normal("event", 5, per_event=True), b.normal("event", 5, per_event=True)
    )
    assert not np.array_equal(a.normal("event", 5), b.normal("event", 5))


def test_text_gives_the_same_numbers_again() -> None:
    noise = mixed()
    text = noise.text()
    assert text[0] == "7/0/4/0"
    assert text[1] == "0.8*7/1/4/0+0.6*7/101/4/0"
    assert text[2].count("+") == 2 and "-0.28*7/202/4/1" in text[2]
    again = noise_from_text(text)
    np.testing.assert_array_equal(again.normal("s", 40), noise.normal("s", 40))
    assert again.text() == text
    largest = Noise(2**64 - 1, 2**64 - 1, 2**32 - 2, 2**32 - 2)
    back = noise_from_text(largest.text())
    assert back.text() == largest.text()
    np.testing.assert_array_equal(back.normal("s", 9), largest.normal("s", 9))


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=4))
def test_any_coefficient_survives_as_text(sines: list[float]) -> None:
    noise = MixedNoise.of(Noise(3, 0, 0, 0))
    for k, sine in enumerate(sines, 1):
        noise = noise.turned(sine, Noise(3, k, 0, 0))
    again = noise_from_text(noise.text())
    np.testing.assert_array_equal(again.normal("s", 9), noise.normal("s", 9))


def test_joined_rows_are_those_of_the_parts() -> None:
    parts = [mixed(2), MixedNoise.of(Noise(7, [50, 51], 4, 0)), mixed(0)]
    whole = MixedNoise.joined(parts)
    assert len(whole) == 4
    np.testing.assert_array_equal(
        whole.normal("s", 8), np.concatenate([p.normal("s", 8) for p in parts])
    )


def test_a_model_draws_from_it_as_from_any_noise() -> None:
    model, noise = ToyModel(), mixed()
    scenarios = Scenarios(mag=[5.0, 6.5, 6.5], rrup=20.0, vs30=400.0)
    got = {}
    for size in (1, 8):
        for rows, acceleration in model.batches(scenarios, noise, size):  # type: ignore[arg-type]
            for row, a in zip(rows, acceleration, strict=True):
                got.setdefault(int(row), []).append(a)
    for one, many in got.values():
        np.testing.assert_array_equal(one, many)
    event = noise.normal("event", 1, per_event=True)[:, 0]
    record = noise.normal("record", 1)[:, 0]
    ln = model.ln_amplitude(scenarios) + model.tau * event + model.phi * record
    peak = [np.abs(got[i][0][0]).max() for i in range(3)]
    np.testing.assert_allclose(peak, np.exp(ln), rtol=1e-5)


def test_mistakes_are_named() -> None:
    one = Noise(1, [0, 1], 0, 0)
    with pytest.raises(ValueError, match=r"coefficient has shape \(2, 2\).*\[2\]"):
        MixedNoise((one,), np.full((2, 2), np.sqrt(0.5)))
    with pytest.raises(ValueError, match=r"parts have \[2, 1\] keys"):
        MixedNoise((one, one.take([0])), np.full((2, 2), np.sqrt(0.5)))
    with pytest.raises(ValueError, match=r"coefficients of row 1 add up to 0\.25"):
        MixedNoise((one,), np.array([[1.0], [0.5]]))
    for bad in ("", "1/2/3", "x*1/2/0/0", "1/2/0/0+", "1/-2/0/0", "nan*1/2/0/0"):
        with pytest.raises(ValueError, match="must be seed/event/site/realization"):
            noise_from_text([bad])
    with pytest.raises(ValueError, match="add up to"):
        noise_from_text(["0.5*1/2/0/0+0.5*1/3/0/0"])
    with pytest.raises(ValueError, match=r"seeds \[1, 2\]"):
        noise_from_text(["1/2/0/0", "2/2/0/0"])
    with pytest.raises(ValueError, match="realization"):
        noise_from_text([f"1/2/0/{2**32 - 1}"])
