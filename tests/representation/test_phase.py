from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import signal, stats

from gwm_hazard.core.noise import Noise
from gwm_hazard.representation.phase import admm, griffin_lim, uniform_phase
from gwm_hazard.representation.stft import STFT
from gwm_hazard.representation.tfcgan_spectrogram import TRANSFORM, from_segment_start

FAST = STFT(n_fft=256, hop=32, win_length=256, n_freq=129)
SMALL = STFT(n_fft=64, hop=8, win_length=64, n_freq=33)
METHODS = [
    pytest.param(griffin_lim, {}, id="griffin_lim"),
    pytest.param(griffin_lim, {"momentum": 0.99}, id="fast_griffin_lim"),
    pytest.param(admm, {}, id="admm"),
]


@pytest.fixture
def tfcgan(shared):
    return np.load(shared / "reference" / "tfcgan" / "parity.npz")


@pytest.fixture
def highfem(shared):
    return np.load(shared / "reference" / "highfem" / "parity_small.npz")


def tensor(values):
    return torch.from_numpy(np.array(values, dtype=np.float64))


def error(found, want):
    """Largest difference relative to the peak of each record."""
    want = tensor(want).reshape(found.shape)
    return float(((found - want).abs().amax(1) / want.abs().amax(1)).max())


def motion(n=2, samples=800, dtype=torch.float64):
    """Noise in an envelope, records (n, samples)."""
    rng = np.random.default_rng(3)
    t = np.arange(samples) / samples
    x = rng.standard_normal((n, samples)) * np.exp(-(((t - 0.4) / 0.15) ** 2))
    return torch.from_numpy(signal.lfilter([1.0], [1.0, -0.7], x)).to(dtype)


# The package's transform is divided by the sum of the window, 96.
@pytest.mark.parametrize("iterations", [1, 3, 5, 10, 20])
def test_admm_is_that_of_tfcgan(tfcgan, iterations):
    phase = from_segment_start(tensor(tfcgan["pr_phase_admm"]))
    found = 96.0 * admm(tensor(tfcgan["pr_mag"]), phase, TRANSFORM, iterations)
    assert error(found, tfcgan[f"pr_v1_admm{iterations}"]) < 1e-8


@pytest.mark.parametrize("iterations", [0, 1, 20])
def test_griffin_lim_is_that_of_tfcgan(tfcgan, iterations):
    s, phase = tensor(tfcgan["pr_mag"]), from_segment_start(tensor(tfcgan["pr_phase_gla"]))
    # The package filters the first record, and only that one.
    band = signal.butter(4, [0.1, 20.0], "bandpass", fs=100.0, output="sos")
    first = tensor(signal.sosfiltfilt(band, griffin_lim(s, phase, TRANSFORM, 0).numpy()))
    found = first
    if iterations:
        found = griffin_lim(s, TRANSFORM.forward(first).angle(), TRANSFORM, iterations - 1)
    assert error(96.0 * found, tfcgan[f"pr_v1_gla{iterations}"]) < 1e-9


@pytest.mark.parametrize("iterations", [1, 8, 32, 128])
def test_fast_griffin_lim_is_that_of_librosa(highfem, iterations):
    s, phase = tensor(highfem["gl_mag_in"])[None], tensor(highfem["gl_phase"])[None]
    found = griffin_lim(s, phase, FAST, iterations, momentum=0.99)
    assert error(found, highfem[f"gl_wave_{iterations}"]) < 1e-12


def test_griffin_lim_in_float32(tfcgan):
    s, phase = tensor(tfcgan["pr_mag"]), from_segment_start(tensor(tfcgan["pr_phase_gla"]))
    found = griffin_lim(s.float(), phase.float(), TRANSFORM, 20)
    assert found.dtype == torch.float32
    assert error(found.double(), griffin_lim(s, phase, TRANSFORM, 20)) < 1e-4


@pytest.mark.parametrize(("method", "options"), METHODS)
def test_the_right_phase_is_a_fixed_point(method, options):
    x = motion()
    spectrum = SMALL.forward(x)
    found = method(spectrum.abs(), spectrum.angle(), SMALL, 10, **options)
    assert error(found, x) < 1e-10


@pytest.mark.parametrize(("method", "options"), METHODS)
def test_a_waveform_is_recovered_from_a_phase_nearby(method, options):
    """From phases 0.3 rad off, to a hundredth of the peak."""
    x = motion()
    spectrum = SMALL.forward(x)
    generator = torch.Generator().manual_seed(4)
    off = 0.3 * torch.randn(spectrum.shape, generator=generator, dtype=torch.float64)
    start = griffin_lim(spectrum.abs(), spectrum.angle() + off, SMALL, 0)
    found = method(spectrum.abs(), spectrum.angle() + off, SMALL, 300, **options)
    assert error(found, x) < 0.02 < error(start, x)


def misfit(x, magnitude, transform):
    """Spectral convergence, ||STFT x| - s| / |s|."""
    return float((transform.forward(x).abs() - magnitude).norm() / magnitude.norm())


def test_griffin_lim_never_moves_away():
    s = SMALL.forward(motion()).abs()
    phase = uniform_phase(Noise(1, [0, 1], 0, 0), "phase", *s.shape[1:]).double()
    found = [misfit(griffin_lim(s, phase, SMALL, n), s, SMALL) for n in range(0, 40, 4)]
    assert all(b <= a for a, b in itertools.pairwise(found))
    assert found[-1] < 0.5 * found[0]


def test_momentum_is_faster():
    s = SMALL.forward(motion()).abs()
    phase = uniform_phase(Noise(1, [0, 1], 0, 0), "phase", *s.shape[1:]).double()
    plain, fast = (misfit(griffin_lim(s, phase, SMALL, 100, m), s, SMALL) for m in (0.0, 0.99))
    assert fast < 0.7 * plain


@pytest.mark.parametrize(("method", "options"), METHODS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_records_do_not_depend_on_the_batch(method, options, dtype):
    x = motion(9, dtype=dtype)
    s = SMALL.forward(x).abs()
    phase = uniform_phase(Noise(2, np.arange(9), 0, 0), "phase", *s.shape[1:])
    whole = method(s, phase, SMALL, 20, **options)
    assert whole.dtype == dtype and whole.shape == x.shape
    for rows in (slice(0, 1), slice(1, 4), slice(3, 9)):
        assert torch.equal(method(s[rows], phase[rows], SMALL, 20, **options), whole[rows])


@pytest.mark.parametrize(("method", "options"), METHODS)
def test_silence_stays_silent(method, options):
    s = torch.zeros(1, 33, 20)
    assert not method(s, torch.zeros_like(s), SMALL, 5, **options).any()


def test_uniform_phase():
    noise = Noise(5, np.arange(3), 0, 0)
    phase = uniform_phase(noise, "phase", 128, 248)
    assert phase.shape == (3, 128, 248)
    assert stats.kstest(phase.numpy().ravel() / (2 * math.pi), "uniform").pvalue > 1e-3
    assert torch.equal(uniform_phase(noise.take([2]), "phase", 128, 248)[0], phase[2])
    assert uniform_phase(noise, "phase", 128, 248, 0.2).max() <= 0.2


S = torch.rand(2, 33, 20)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: griffin_lim(S, S[:1], SMALL, 3), "must both be"),
        (lambda: griffin_lim(S[0], S[0], SMALL, 3), "must both be"),
        (lambda: griffin_lim(S[:, :32], S[:, :32], SMALL, 3), "32 rows, the transform 33"),
        (lambda: griffin_lim(S, S, SMALL, -1), "iterations = -1"),
        (lambda: griffin_lim(S, S, SMALL, 3, -0.1), "momentum = -0.1"),
        (lambda: admm(S, S, SMALL, 3, rho=0.0), "rho = 0.0"),
    ],
)
def test_refuses(call, words):
    with pytest.raises(ValueError, match=words):
        call()
