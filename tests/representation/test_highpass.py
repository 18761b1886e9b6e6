"""The high-pass of drawn records."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gwm_hazard.representation.highpass import highpass


@pytest.mark.parametrize("frequency", [0.05, 0.1, 0.4, 5.0])
def test_sine_has_the_amplitude_of_a_butterworth_and_its_phase(frequency):
    t = np.arange(200_000) * 0.01
    record = torch.from_numpy(np.sin(2 * np.pi * frequency * t))
    out = highpass(record, 0.1, 0.01).numpy()[80_000:120_000]
    gain = 1.0 / np.sqrt(1.0 + (0.1 / frequency) ** 4)
    np.testing.assert_allclose(out, gain * record.numpy()[80_000:120_000], atol=2e-3)


def test_an_offset_goes():
    assert highpass(torch.ones(2, 50_000), 0.1, 0.01)[:, 20_000:30_000].abs().max() < 0.01
