from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from gwm_hazard.representation.log_spectrogram import LogSpectrogram, published_phase
from gwm_hazard.representation.phase import griffin_lim

LOW = math.log(1e-8)


@pytest.fixture(scope="module")
def parity(shared):
    path = shared / "reference/highfem/parity_small.npz"
    if not path.is_file():
        pytest.skip(f"needs {path}")
    with np.load(path) as file:
        return {name: torch.as_tensor(file[name]) for name in file}


def test_zeros_are_the_clip():
    image = LogSpectrogram().forward(torch.zeros(2, 3, 4064))
    assert image.shape == (2, 3, 128, 128)
    assert image.dtype == torch.float64
    torch.testing.assert_close(image, torch.full_like(image, -1.0))


def test_sine_has_the_modulus_of_its_window():
    """|STFT| of A cos on a bin is A / 2 times the sum of the window, 128 for a Hann of 256."""
    amplitude, row = 0.25, 20
    t = torch.arange(4064, dtype=torch.float64) / 100.0
    record = amplitude * torch.cos(2 * math.pi * row * 100.0 / 256 * t)
    image = LogSpectrogram().forward(record)
    modulus = math.log(amplitude / 2 * 128)
    want = 2 * (modulus - LOW) / (3 - LOW) - 1
    torch.testing.assert_close(image[row, 8:-8], torch.full((112,), want, dtype=torch.float64))


def test_modulus_undoes_the_scale():
    image = torch.tensor([-1.0, 0.0, 1.0, 1.2], dtype=torch.float64)
    want = torch.exp((image + 1) / 2 * (3 - LOW) + LOW)
    torch.testing.assert_close(LogSpectrogram().modulus(image), want)
    assert LogSpectrogram().modulus(image)[2] == pytest.approx(math.exp(3))


def test_inverse_of_forward_keeps_the_spectrogram():
    """Spectral convergence of white noise under a smooth envelope: Griffin-Lim finds a record."""
    rng = np.random.default_rng(3)
    envelope = np.exp(-((np.arange(4064) - 1200) ** 2) / (2 * 500.0**2))
    record = torch.as_tensor(rng.normal(size=(2, 3, 4064)) * envelope)
    rep = LogSpectrogram()
    image = rep.forward(record)
    rebuilt = rep.inverse(image, published_phase(), iterations=128)
    assert rebuilt.shape == record.shape
    want, got = rep.modulus(image), rep.modulus(rep.forward(rebuilt))
    assert torch.linalg.norm(got - want) / torch.linalg.norm(want) < 0.12


def test_true_phase_gives_the_record_back():
    rep = LogSpectrogram()
    spectrum = np.fft.rfft(np.random.default_rng(4).normal(size=(2, 4064)))
    spectrum[:, np.fft.rfftfreq(4064, 0.01) > 40.0] = 0.0  # the Nyquist row is dropped
    record = torch.as_tensor(np.fft.irfft(spectrum))
    phase = rep.transform.forward(record).angle()
    rebuilt = rep.inverse(rep.forward(record), phase, iterations=5)
    inner = slice(128, -128)  # all but the half windows at the ends, where the cut rings
    torch.testing.assert_close(rebuilt[:, inner], record[:, inner], atol=1e-3, rtol=0)


def test_forward_as_published(parity):
    image = LogSpectrogram().forward(parity["wave"])
    torch.testing.assert_close(image, parity["rep_f64"], atol=1e-6, rtol=0)
    torch.testing.assert_close(image.float(), parity["rep"], atol=1e-6, rtol=0)


def test_published_phase(parity):
    torch.testing.assert_close(published_phase(), parity["gl_phase"][:128], atol=0, rtol=0)


@pytest.mark.parametrize("iterations", [1, 8, 32, 128])
def test_griffin_lim_as_published(parity, iterations):
    magnitude, rep = parity["gl_mag_in"][None, :128], LogSpectrogram()
    got = griffin_lim(magnitude, published_phase()[None], rep.transform, iterations, 0.99)[0]
    want = parity[f"gl_wave_{iterations}"]
    torch.testing.assert_close(got, want, atol=1e-9 * want.abs().max().item(), rtol=0)


def test_inverse_as_published(parity):
    """Of a network's output, so to 1e-3 of the peak: Griffin-Lim magnifies float32 rounding."""
    image = parity["heun_decoded"][:1].double()
    got, want = LogSpectrogram().inverse(image, published_phase()), parity["heun_wave0"]
    torch.testing.assert_close(got, want, atol=1e-3 * want.abs().max().item(), rtol=0)


def test_rebuilt_spectrogram_as_published(parity):
    rep = LogSpectrogram()
    rebuilt = rep.inverse(parity["rep"][:1].double(), published_phase())
    want = rep.modulus(rep.forward(parity["wave_rebuilt"]))
    got = rep.modulus(rep.forward(rebuilt))
    assert torch.linalg.norm(got - want) / torch.linalg.norm(want) < 5e-3
