from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import signal

from gwm_hazard.core.noise import Noise
from gwm_hazard.representation.log_spectrogram import LogSpectrogram, published_phase
from gwm_hazard.representation.phase import griffin_lim, uniform_phase
from gwm_hazard.representation.phase_gradient import gradient_phase
from gwm_hazard.representation.stft import STFT

FAST = STFT(n_fft=256, hop=32, win_length=256, n_freq=128)
NT = 4064


def motion(n=3):
    """Noise in an envelope, records (n, samples)."""
    rng = np.random.default_rng(3)
    t = np.arange(NT) / NT
    x = rng.standard_normal((n, NT)) * np.exp(-(((t - 0.4) / 0.15) ** 2))
    return torch.from_numpy(signal.lfilter([1.0], [1.0, -0.7], x))


def misfit(x, magnitude):
    """Spectral convergence, mean over records."""
    off = (FAST.forward(x).abs() - magnitude).flatten(1).norm(dim=1)
    return float((off / magnitude.flatten(1).norm(dim=1)).mean())


def test_the_gradient_of_a_chirp():
    """A linear chirp with the true phase at its largest pixel comes back sample by sample."""
    t = torch.arange(NT) / 100.0
    x = (torch.sin(2 * math.pi * (2.0 * t + 0.4 * t**2)) * torch.hann_window(NT))[None].double()
    spectrum = FAST.forward(x)
    largest = spectrum.abs().flatten().argmax()
    start = torch.full(spectrum.shape, float(spectrum.angle().flatten()[largest]))
    phase = gradient_phase(spectrum.abs(), start, FAST)
    found = griffin_lim(spectrum.abs(), phase.double(), FAST, 0)
    assert torch.corrcoef(torch.cat((found, x)))[0, 1] > 0.99
    assert misfit(found, spectrum.abs()) < 0.02


def test_a_click_between_frames():
    """Its phase is linear in frequency: the derivative of ln modulus along time."""
    x = torch.zeros(1, NT, dtype=torch.float64)
    x[0, 2013] = 1.0
    s = FAST.forward(x).abs()
    found = griffin_lim(s, gradient_phase(s, torch.zeros(128, 128), FAST).double(), FAST, 0)
    assert abs(int(found[0].abs().argmax()) - 2013) <= 1
    energy = found[0, 2005:2022].square().sum() / found.square().sum()
    assert energy > 0.9


def test_a_better_start_than_chance():
    """At once what 8 iterations reach from random phases, in 8 what takes them 48."""
    s = FAST.forward(motion(2)).abs().float()
    chance = uniform_phase(Noise(1, np.arange(2), 0, 0), "phase", 128, 128)
    gradient = gradient_phase(s, chance, FAST)

    def after(iterations, phase):
        return misfit(griffin_lim(s, phase, FAST, iterations, momentum=0.99), s)

    assert after(0, gradient) < after(8, chance) < 0.5 < after(0, chance)
    assert after(8, gradient) < after(48, chance)


def test_records_do_not_depend_on_the_batch():
    s = FAST.forward(motion(5)).abs().float()
    start = published_phase()
    whole = gradient_phase(s, start, FAST)
    assert whole.shape == s.shape and whole.dtype == torch.float32
    for rows in (slice(0, 1), slice(2, 5)):
        assert torch.equal(gradient_phase(s[rows], start, FAST), whole[rows])


def test_small_pixels_keep_the_start():
    s = FAST.forward(motion(1)).abs()
    start = uniform_phase(Noise(1, 0, 0, 0), "phase", 128, 128)
    phase = gradient_phase(s, start, FAST, least=0.1)
    small = s < 0.1 * s.max()
    assert 0.5 < small.double().mean() < 1.0
    assert torch.equal(phase[small], start[small])
    assert (phase[~small] != start[~small]).double().mean() > 0.9


@pytest.mark.parametrize("value", [0.0, 1e-30, 1e30])
def test_finite_whatever_the_modulus(value):
    s = torch.full((1, 128, 128), value)
    assert gradient_phase(s, published_phase(), FAST).isfinite().all()


def test_of_images():
    """LogSpectrogram: any leading dimensions, the same as of moduli."""
    rep = LogSpectrogram()
    acc = motion(6).view(2, 3, NT)
    image = rep.forward(acc).float()
    phase = rep.gradient_phase(image)
    assert phase.shape == image.shape
    flat = gradient_phase(rep.modulus(image).flatten(0, 1), published_phase(), rep.transform)
    assert torch.equal(phase.flatten(0, 1), flat)
