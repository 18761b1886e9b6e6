"""Known signals through the representation of a model of the HighFEM family and back."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from gwm_hazard import load_model
from gwm_hazard.benchmark.metrics.goodness_of_fit import kristekova

DT, NPTS, HELD = 0.01, 4064, 4064


@pytest.fixture(scope="module")
def model():
    return load_model("highfem-small", "cpu")


def records(n: int = 2, nt: int = NPTS) -> np.ndarray:
    """P at 5 s, S at 10 s: noise between 0.5 and 15 Hz in envelopes of known time."""
    rng = np.random.default_rng(3)
    t = np.arange(nt) * DT
    x, y = np.maximum(t - 5, 0), np.maximum(t - 10, 0)
    envelope = 2e-4 + 0.2 * x * np.exp(-x) + y / 3 * np.exp(1 - y / 3)
    f = np.fft.rfftfreq(nt, DT)
    shape = (f > 0.5) / (1 + (f / 15) ** 4)
    noise = np.fft.irfft(np.fft.rfft(rng.normal(size=(n, 3, nt))) * shape, nt)
    return (noise / noise.std() * envelope).astype(np.float32)


def spectrum(x: np.ndarray) -> np.ndarray:
    """Mean ln amplitude in bands from 0.7 to 12 Hz."""
    f = np.fft.rfftfreq(x.shape[-1], DT)
    power = np.abs(np.fft.rfft(x)) ** 2
    edges = np.geomspace(0.7, 12, 9)
    bands = [(f >= a) & (f < b) for a, b in pairwise(edges)]
    return 0.5 * np.log(np.stack([power[..., b].mean(axis=-1) for b in bands], axis=-1))


@pytest.fixture(scope="module")
def both(model):
    x = records()
    return x, model.represent(x, DT), model.reconstruct(x, DT)


def test_amplitudes_and_envelopes_come_back(both):
    x, represented, reconstructed = both
    for y, amplitude, score in ((represented, 0.1, 7.0), (reconstructed, 0.2, 6.0)):
        assert y.shape == x.shape and y.dtype == np.float32
        peak = np.log(np.abs(y).max(axis=-1) / np.abs(x).max(axis=-1))
        assert np.abs(peak).mean() < 1.5 * amplitude
        assert np.abs(spectrum(y) - spectrum(x)).mean() < amplitude
        envelope, _ = kristekova(y[0, :1], x[0, :1], DT)
        # another record of the same envelope reaches about 5
        assert envelope[0] > score > kristekova(x[1, :1], x[0, :1], DT)[0][0] + 0.5


def test_the_energy_comes_when_it_came(both):
    x, *others = both
    for y in others:
        for share in (0.05, 0.5, 0.95):
            a, b = (np.cumsum(v[0, 0].astype(float) ** 2) for v in (x, y))
            when = [np.searchsorted(e, share * e[-1]) * DT for e in (a, b)]
            assert when[0] == pytest.approx(when[1], abs=0.5)
        assert np.abs(y[:, :, :400]).max() < 0.02 * np.abs(y).max()


def test_the_network_loses_more_than_the_representation(both):
    x, represented, reconstructed = both
    lost = [np.abs(spectrum(y) - spectrum(x)).mean() for y in (represented, reconstructed)]
    assert lost[0] < lost[1]


def test_a_record_depends_on_itself_alone(model, both):
    x, _, whole = both
    np.testing.assert_allclose(model.reconstruct(x[1:], DT), whole[1:], rtol=1e-3, atol=1e-4)


def test_records_of_another_length(model, both):
    x, represented, _ = both
    longer = np.pad(x[:1], ((0, 0), (0, 0), (0, 200)), constant_values=1.0)
    y = model.represent(longer, DT)
    assert y.shape == longer.shape and not y[:, :, HELD:].any()
    np.testing.assert_allclose(y[:, :, :HELD], represented[:1], rtol=1e-3, atol=1e-4)
    assert model.represent(x[:1, :, :3000], DT).shape == (1, 3, 3000)


def test_bad_input(model):
    with pytest.raises(ValueError, match=r"\(n, 3, nt\)"):
        model.reconstruct(records()[:, :2], DT)
    with pytest.raises(ValueError, match=r"resample to 0\.01 s"):
        model.represent(records(), 0.005)
