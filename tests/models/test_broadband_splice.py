"""The splice: a band kept to rounding, powers that add, levels that are met."""

from __future__ import annotations

import numpy as np
import pytest

from gwm_hazard.models.broadband.level import grid_hz
from gwm_hazard.models.broadband.splice import high_mask, low_mask, low_spectrum, splice
from gwm_hazard.representation.level import at_level, ln_amplitude

RNG = np.random.default_rng(5)


def motion(nt: int, dt_s: float, top_hz: float = 0.9) -> np.ndarray:
    """Waves below a frequency, under an envelope that is 0 at both ends."""
    t = np.arange(nt) * dt_s
    f = RNG.uniform(0.05, top_hz, 40)
    waves = np.sin(2 * np.pi * f[:, None] * t + RNG.uniform(0, 6.28, (40, 1))).sum(axis=0)
    return waves * np.sin(np.pi * np.arange(nt) / (nt - 1)) ** 4


def test_masks():
    f = np.array([0.0, 0.4, 0.8, 1.0, 1.2, 5.0])
    np.testing.assert_allclose(low_mask(f, 1.0), [1, 1, 1, 0.5, 0, 0], atol=1e-12)
    np.testing.assert_allclose(low_mask(f, 1.0) ** 2 + high_mask(f, 1.0) ** 2, 1.0)
    np.testing.assert_allclose(low_mask(2 * f, 2.0), low_mask(f, 1.0))


@pytest.mark.parametrize(
    ("nt", "dt_s", "fc_hz"),
    [(800, 0.05, 1.0), (333, 0.1, 0.5), (2048, 0.01, 2.0), (500, 0.037, 1.0)],
)
def test_the_low_band_is_kept(nt, dt_s, fc_hz):
    """Against the transform of the motion, by its sum, at any time step."""
    x = np.stack([motion(nt, dt_s, 0.9 * fc_hz) for _ in range(3)])
    npts = round(nt * dt_s / 0.01)
    drawn = RNG.normal(size=(3, npts)) * np.abs(x).max()
    out = splice(low_spectrum(x, dt_s, npts, 0.01, fc_hz), drawn, 0.01, fc_hz)
    assert out.shape == (3, 2 * npts)
    f = np.fft.rfftfreq(2 * npts, 0.01)
    below = f <= 0.8 * fc_hz
    truth = x @ np.exp(-2j * np.pi * np.outer(np.arange(nt) * dt_s, f[below])) * dt_s
    found = np.fft.rfft(out)[:, below] * 0.01
    assert np.abs(found - truth).max() <= 1e-6 * np.abs(truth).max()
    # and what is drawn is kept above
    above = f >= 1.2 * fc_hz
    np.testing.assert_allclose(
        np.fft.rfft(out)[:, above], np.fft.rfft(drawn, 2 * npts)[:, above], atol=1e-9
    )


def test_scaling_scales_the_low_band():
    x = motion(800, 0.05)[None]
    one, ten = (low_spectrum(k * x, 0.05, 4000, 0.01, 1.0) for k in (1.0, 10.0))
    np.testing.assert_allclose(ten, 10.0 * one, rtol=1e-12, atol=1e-12 * np.abs(one).max())


def test_levels_are_met():
    """Noise brought to levels as records have them, neighbours alike, has them on the grid."""
    noise = RNG.normal(size=(4, 3, 4096)) * np.exp(-0.5 * ((np.arange(4096) - 1500) / 600.0) ** 2)
    points = np.arange(len(grid_hz(1.0)))
    alike = np.linalg.cholesky(0.9 ** np.abs(np.subtract.outer(points, points)))
    level = -2.0 - 1.5 * np.log(grid_hz(1.0)) + 0.5 * RNG.normal(size=(4, 3, len(points))) @ alike.T
    before = np.abs(ln_amplitude(noise, 0.01, grid_hz(1.0)) - level)
    off = np.abs(
        ln_amplitude(at_level(noise, 0.01, level, grid_hz(1.0)), 0.01, grid_hz(1.0)) - level
    )
    assert before.mean() > 0.5
    assert off.mean() < 0.01 and off.max() < 0.15


def test_amplitude_of_a_pulse():
    """A unit impulse has amplitude dt at all frequencies, however it is smoothed."""
    x = np.zeros(4096)
    x[700] = 1.0
    np.testing.assert_allclose(ln_amplitude(x, 0.01, grid_hz(1.0)), np.log(0.01), atol=1e-9)
