"""broadband-small, the model from low frequencies to broadband that ships with the package."""

from __future__ import annotations

import numpy as np
import pytest

from gwm_hazard import Noise, Scenarios, load_model, rotd
from gwm_hazard.core.low_frequency import LowFrequency
from gwm_hazard.intensity import effective_amplitude
from gwm_hazard.models.registry import model_from_card, shipped

SCENARIO = Scenarios(mag=[6.5], rhypo=[25.0], vs30=[400.0])
DT = 0.05


@pytest.fixture(scope="module")
def model():
    return load_model("broadband-small", "cpu")


@pytest.fixture(scope="module")
def motion():
    """Made-up: P from 5 s, S from 8 s, with a spectrum as of M 6.5 below 1 Hz."""
    rng = np.random.default_rng(2)
    nt = 800
    t = np.arange(nt) * DT
    f = np.fft.rfftfreq(nt, DT)
    colour = f**2 / (f**2 + 0.15**2) / (1.0 + (f / 1.0) ** 8)
    waves = np.fft.irfft(np.fft.rfft(rng.normal(size=(3, nt))) * colour, nt)
    rise = 0.2 * (t > 5.0) * np.exp(-np.maximum(t - 5.0, 0) / 6.0)
    rise += (t > 8.0) * np.minimum((t - 8.0) / 1.0, 1.0) * np.exp(-np.maximum(t - 8.0, 0) / 5.0)
    waves *= rise
    return LowFrequency(0.6 * waves[None] / np.abs(waves).max(), DT, 1.0)


@pytest.fixture(scope="module")
def drawn(model, motion):
    return model.generate(SCENARIO, 16, seed=3, low_frequency=motion)["acceleration"].values[0]


def test_it_is_found_by_name_and_by_card(model):
    assert sum(f.stat().st_size for f in shipped()["broadband-small"].iterdir()) < 20e6
    again = model_from_card(model.card.to_dict(), "cpu")
    assert again.weights.sha256 == model.weights.sha256
    assert model.crossovers_hz == (0.5, 1.0, 2.0)


def test_the_low_band_is_that_of_the_motion(model, motion):
    for fc in model.crossovers_hz[:2]:
        low = LowFrequency(motion.acceleration, DT, fc)
        out = model.spliced(SCENARIO, Noise(1, 0, 0, 0), low)
        f = np.fft.rfftfreq(out.shape[2], 0.01)
        below = f <= 0.8 * fc
        turn = np.exp(-2j * np.pi * np.outer(np.arange(800) * DT, f[below]))
        truth = motion.acceleration @ turn * DT
        off = np.abs(np.fft.rfft(out)[..., below] * 0.01 - truth)
        assert off.max() <= 1e-6 * np.abs(truth).max()


def test_draws_go_on_from_it(drawn, motion):
    """Long periods are those of the motion, short ones scatter as records do; no step at fc."""
    sa = np.log(rotd(drawn[:, :2], 0.01, [0.1, 0.3, 3.0])[:, 0])
    of_motion = np.log(rotd(motion.acceleration[:, :2], DT, [3.0])[:, 0])
    assert np.abs(sa[:, 2] - of_motion[0, 0]).max() < 0.25
    assert 0.25 < sa[:, 0].std() < 1.0 and 0.25 < sa[:, 1].std() < 1.0
    ln = np.log(effective_amplitude(drawn[:, :2], 0.01, [0.7, 1.0, 1.4], 20.0)).mean(axis=0)
    assert np.abs(np.diff(ln)).max() < 0.7


def test_the_high_band_waits_for_the_motion(drawn):
    """Before P next to nothing moves above the crossover; most of it comes with S and after."""
    energy = np.diff(drawn, axis=2) ** 2  # of a derivative: high frequencies
    total = energy.sum(axis=(1, 2))
    assert (energy[:, :, :400].sum(axis=(1, 2)) / total).mean() < 0.02
    assert (energy[:, :, 750:1800].sum(axis=(1, 2)) / total).mean() > 0.6
