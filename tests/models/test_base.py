from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from gwm_hazard import Noise, Scenarios
from gwm_hazard.core.card import Range
from gwm_hazard.models.base import CPU_BATCH_BYTES
from gwm_hazard.models.stochastic import StochasticModel
from tests.toy import ToyModel, pulse


def test_range_has_the_unit_of_its_condition():
    assert Range("vs30", 150.0, 1500.0).unit == "m/s"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("magnitude", 4.0, 8.0), ["'magnitude'", "known are mag"]),
        (("mag", 8.0, 4.0), ["mag", "8.0 must be below 4.0"]),
        (("mag", 4.0, 4.0), ["mag", "below"]),
        (("mag", float("nan"), 4.0), ["mag"]),
    ],
)
def test_range_refuses(arguments, words):
    with pytest.raises(ValueError) as error:
        Range(*arguments)
    for word in words:
        assert word in str(error.value)


def test_card_check_names_field_value_unit_row_and_range(toy):
    good = Scenarios(mag=[4.0, 8.0], rrup=[1.0, 300.0], vs30=[150.0, 1500.0])
    toy.card.check(good)  # the limits are inside
    bad = Scenarios(mag=[6.0, 6.0], rrup=10.0, vs30=[400.0, 100.0])
    with pytest.raises(ValueError) as error:
        toy.card.check(bad)
    for word in ("vs30 = 100 m/s", "scenario 1", "'toy'", "150 to 1500 m/s"):
        assert word in str(error.value)
    with pytest.raises(ValueError, match=r"mag = 8\.1 Mw"):
        toy.generate(Scenarios(mag=8.1, rrup=10.0, vs30=400.0))


def test_card_check_names_a_missing_condition(toy):
    with pytest.raises(ValueError, match=r"model 'toy' needs the condition 'vs30'.*mag, rrup"):
        toy.generate(Scenarios(mag=6.0, rrup=10.0))


def test_card_outside(toy):
    sc = Scenarios(
        mag=[6.0, 3.9, 6.0, 6.0, 8.0], rhypo=[10, 10, 301, 10, 1], vs30=[400, 400, 400, 149, 1500]
    )
    assert toy.card.outside(sc).tolist() == [False, True, True, True, False]


def test_check_can_be_left_out(toy):
    wf = toy.generate(Scenarios(mag=3.0, rrup=10.0, vs30=400.0), check=False)
    assert np.isfinite(wf["acceleration"].values).all()


def test_card_as_plain_types(toy):
    card = json.loads(json.dumps(toy.card.to_dict()))
    assert card["conditions"]["vs30"] == [150.0, 1500.0]
    assert card["components"] == ["H1", "H2", "V"]
    assert toy.card.condition_names == ("mag", "rrup", "vs30")


SC = Scenarios(mag=[5.0, 7.0, 6.5], rrup=[20.0, 10.0, 50.0], vs30=[760.0, 300.0, 1000.0])


def test_generate_is_the_closed_form(toy):
    """Scenario i is event i at site 0, realization k is k: the key is the whole randomness."""
    wf = toy.generate(SC, n=4, seed=11)
    acc = wf["acceleration"]
    assert acc.dims == ("scenario", "realization", "component", "time")
    assert acc.dtype == np.float32
    for i in range(3):
        for k in range(4):
            noise = Noise(11, i, 0, k)
            ln = toy.ln_amplitude(SC)[i]
            ln += toy.tau * noise.normal("event", 1, per_event=True)[0, 0]
            ln += toy.phi * noise.normal("record", 1)[0, 0]
            record = acc.values[i, k]
            np.testing.assert_allclose(record[0, :129], np.exp(ln) * pulse(), rtol=1e-5, atol=1e-7)
            np.testing.assert_allclose(record[2], 0.5 * record[0], rtol=1e-6)
            assert not record[1].any()
    assert wf["npts"].values.tolist() == [160, 256, 256]
    assert wf.sizes["time"] == 256


@given(
    st.lists(st.tuples(st.floats(4, 8), st.floats(1, 300)), min_size=1, max_size=5),
    st.integers(1, 5),
    st.integers(0, 2**64 - 1),
    st.integers(1, 7),
    st.data(),
)
def test_realizations_depend_on_their_key_and_conditions_only(pairs, n, seed, batch_size, data):
    toy = ToyModel()
    mag, rrup = (np.array(c) for c in zip(*pairs, strict=True))
    sc = Scenarios(mag=mag, rrup=rrup, vs30=400.0)
    whole = toy.generate(sc, n=n, seed=seed)["acceleration"].values
    first = data.draw(st.integers(1, len(pairs)))
    fewer = data.draw(st.integers(1, n))
    part = toy.generate(sc.take(slice(first)), n=fewer, seed=seed, batch_size=batch_size)
    part = part["acceleration"].values
    same = part.shape[-1]  # the longest record among the other scenarios sets the padding
    assert np.array_equal(part, whole[:first, :fewer, :, :same])
    assert not whole[:first, :fewer, :, same:].any()


@pytest.fixture(scope="module")
def stochastic():
    """The model, four scenarios with records of two lengths, and their waveforms."""
    model = StochasticModel()
    sc = Scenarios(
        mag=[4.5, 6.0, 4.6, 7.0],
        rrup=[20, 40, 25, 10],
        vs30=[760, 250, 400, 300],
        hypo_depth=[5, 10, 8, 12],
    )
    assert len(np.unique(model.npts(sc))) > 1
    return model, sc, model.generate(sc, n=4, seed=3)["acceleration"].values


@pytest.mark.parametrize("batch_size", [None, 1, 3])
def test_stochastic_records_do_not_depend_on_n_others_or_batch(stochastic, batch_size):
    model, sc, whole = stochastic
    for rows, n in ((slice(0, 2), 4), (slice(0, 4), 1), (slice(0, 1), 3)):
        wf = model.generate(sc.take(rows), n=n, seed=3, batch_size=batch_size)
        part = wf["acceleration"].values
        want = whole[rows, :n, :, : part.shape[-1]]
        peak = np.abs(want).max(axis=(2, 3), keepdims=True)
        assert (np.abs(part - want) / peak).max() < 1e-5


def test_seed_event_and_realization_change_the_record(stochastic):
    model, sc, whole = stochastic
    other = model.generate(sc.take([0]), n=1, seed=4)["acceleration"].values[0, 0]
    twins = Scenarios(**{k: np.repeat(sc[k][:1], 2) for k in sc})
    twin = model.generate(twins, n=1, seed=3)["acceleration"].values[1, 0]
    length = other.shape[-1]
    for different in (other, twin, whole[0, 1, :, :length]):
        r = np.corrcoef(whole[0, 0, 0, :length], different[0, :length])[0, 1]
        assert abs(r) < 0.3


def test_padding_is_zero(stochastic):
    model, sc, whole = stochastic
    for i, npts in enumerate(model.npts(sc)):
        assert not whole[i, :, :, npts:].any()
        assert np.abs(whole[i, :, :, :npts]).max() > 0


def test_batches_cover_every_row_once(toy):
    noise = Noise(1, np.arange(9), 0, 0)
    seen = []
    for rows, acc in toy.batches(SC.repeat(3), noise, batch_size=2):
        assert len(rows) <= 2
        assert acc.shape == (len(rows), 3, {True: 160, False: 256}[bool(rows.max() < 3)])
        seen += rows.tolist()
    assert sorted(seen) == list(range(9))


def test_batches_refuse_unequal_lengths(toy):
    with pytest.raises(ValueError, match="3 scenarios but 2 noise keys"):
        next(toy.batches(SC, Noise(1, [0, 1], 0, 0)))


def test_n_is_checked(toy):
    with pytest.raises(ValueError, match="n = 0"):
        toy.generate(SC, n=0)


def test_batch_size_follows_the_memory(toy):
    size = toy.batch_size(1000)
    assert size * 1000 * 3 * toy.bytes_per_sample <= CPU_BATCH_BYTES
    assert (size + 1) * 1000 * 3 * toy.bytes_per_sample > CPU_BATCH_BYTES
    assert toy.batch_size(10**9) == 1


class Crowded(ToyModel):
    """Runs out of CUDA memory beyond ``fits`` records."""

    fits = 3

    def draw(self, scenarios, noise):
        self.asked = [*getattr(self, "asked", []), len(scenarios)]
        if len(scenarios) > self.fits:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return super().draw(scenarios, noise)


def test_a_batch_that_does_not_fit_is_halved(toy):
    model = Crowded()
    sc = Scenarios(mag=7.0, rrup=10.0, vs30=400.0)
    got = model.generate(sc, n=10, seed=2, batch_size=10)["acceleration"].values
    assert model.asked == [10, 5, 2, 2, 2, 2, 2]
    assert np.array_equal(got, toy.generate(sc, n=10, seed=2)["acceleration"].values)


def test_one_record_that_does_not_fit_is_an_error():
    model = Crowded()
    model.fits = 0
    with pytest.raises(torch.cuda.OutOfMemoryError):
        model.generate(Scenarios(mag=7.0, rrup=10.0, vs30=400.0), n=4, batch_size=4)
    assert model.asked == [4, 2, 1]
