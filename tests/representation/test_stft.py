from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import signal

from gwm_hazard.representation.stft import STFT
from gwm_hazard.representation.tfcgan_spectrogram import (
    N_FRAMES,
    TRANSFORM,
    amplitude,
    from_segment_start,
    scaled_amplitude,
)

LONG = STFT(n_fft=256, hop=32, win_length=256, n_freq=129)
TRANSFORMS = [TRANSFORM, LONG, STFT(64, 16, 48, 33)]


def records(n=3, samples=3952, dtype=torch.float64):
    generator = torch.Generator().manual_seed(1)
    return torch.randn(n, samples, generator=generator, dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("stft", TRANSFORMS)
def test_forward_is_that_of_torch(stft):
    x = records()
    window = torch.hann_window(stft.win_length, dtype=torch.float64)
    want = torch.stft(
        *(x, stft.n_fft, stft.hop, stft.win_length, window),
        center=True,
        pad_mode="constant",
        return_complex=True,
    )
    assert torch.allclose(stft.forward(x), want[:, : stft.n_freq], rtol=0, atol=1e-12)


@pytest.mark.parametrize("stft", TRANSFORMS)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-13), (torch.float32, 3e-6)])
def test_inverse_of_forward(stft, dtype, tolerance):
    n_frames = 100
    x = records(samples=stft.samples(n_frames), dtype=dtype)
    if stft.n_freq == stft.n_fft // 2:  # what the missing row cannot hold
        x = torch.from_numpy(signal.resample(signal.resample(x, 1200, axis=1), x.shape[1], axis=1))
    back = stft.inverse(stft.forward(x.to(dtype)))
    assert back.dtype == dtype
    # A band limit does not hold to the last digit at the ends of the record.
    edge = 0 if stft.n_freq > stft.n_fft // 2 else stft.n_fft
    inside = slice(edge, x.shape[1] - edge)
    tolerance = max(tolerance, 1e-6 if edge else 0.0)
    assert (back - x)[:, inside].abs().max() < tolerance * x.abs().max()


def test_inverse_is_least_squares():
    """Of all records none has a transform nearer to one that no record has."""
    stft = STFT(16, 4, 16, 9)
    samples, n_frames = stft.samples(6), 6
    generator = torch.Generator().manual_seed(2)
    target = torch.randn(1, 9, n_frames, dtype=torch.complex128, generator=generator)
    target[:, 0], target[:, -1] = target[:, 0].real + 0j, target[:, -1].real + 0j
    basis = stft.forward(torch.eye(samples, dtype=torch.float64))
    # Rows between 0 Hz and Nyquist stand for two conjugate ones.
    weight = torch.full((9, 1), math.sqrt(2.0), dtype=torch.float64)
    weight[[0, -1]] = 1.0
    a = torch.view_as_real(basis * weight).reshape(samples, -1).T.numpy()
    b = torch.view_as_real(target * weight).reshape(-1).numpy()
    want = np.linalg.lstsq(a, b, rcond=None)[0]
    np.testing.assert_allclose(stft.inverse(target)[0].numpy(), want, rtol=1e-9, atol=1e-12)


def test_a_tone_has_its_amplitude_in_its_row():
    t = torch.arange(3952, dtype=torch.float64)
    k, high = 40, 2.5
    spectrum = TRANSFORM.forward(high * torch.cos(2 * math.pi * k / 256 * t)[None]).abs()
    inside = spectrum[0, :, 20:-20]
    # half the amplitude times the sum of the window, 96
    assert torch.allclose(inside[k], torch.tensor(high / 2 * 96.0).double(), rtol=1e-6)
    assert (inside.argmax(dim=0) == k).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_records_of_a_batch_do_not_meet(dtype):
    x = records(9, dtype=dtype)
    whole = TRANSFORM.forward(x)
    for rows in (slice(0, 1), slice(2, 5), slice(4, 9)):
        part = TRANSFORM.forward(x[rows])
        assert torch.equal(part, whole[rows])
        assert torch.equal(TRANSFORM.inverse(part), TRANSFORM.inverse(whole)[rows])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((255, 16, 192, 128), "n_fft = 255"),
        ((256, 48, 192, 128), "hop = 48"),
        ((256, 16, 300, 128), "win_length = 300"),
        ((256, 128, 192, 128), "win_length = 192"),
        ((256, 16, 192, 100), "n_freq = 100"),
    ],
)
def test_refuses(arguments, words):
    with pytest.raises(ValueError, match=words):
        STFT(*arguments)


def test_scaled_amplitude_and_back():
    x = records(2, TRANSFORM.samples(N_FRAMES))
    scaled = scaled_amplitude(x)
    assert scaled.shape == (2, 128, N_FRAMES)
    assert torch.allclose(amplitude(scaled), TRANSFORM.forward(x).abs(), rtol=1e-9)
    assert torch.equal(
        scaled_amplitude(torch.zeros_like(x)), torch.full_like(scaled, -1.0)
    )  # the floor of 1e-10
    assert amplitude(torch.tensor([-1.0, 1.0]).double()).tolist() == pytest.approx(
        [1e-10, 10**2.638887]
    )


def test_phases_from_the_start_of_a_segment():
    """Against scipy, whose segments begin at the window and whose frames are padded behind it."""
    x = records(1)
    _, _, theirs = signal.stft(
        x.numpy(), nperseg=192, noverlap=176, nfft=256, padded=False, boundary="zeros"
    )
    ours = TRANSFORM.forward(x)
    theirs = torch.from_numpy(96.0 * theirs[:, :128, : ours.shape[2]])
    assert torch.allclose(theirs.abs(), ours.abs(), atol=1e-10)
    turned = torch.polar(theirs.abs(), from_segment_start(theirs.angle()))
    assert torch.allclose(turned, ours, atol=1e-10)
