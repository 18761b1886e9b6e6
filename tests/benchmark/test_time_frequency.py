"""Envelope and phase fit against stored values of ObsPy; translators that undo a filter."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import butter, sosfreqz

from gwm_hazard.benchmark.metrics.leak import CEILING_PG, leak
from gwm_hazard.benchmark.metrics.time_frequency import eg_pg, morlet
from gwm_hazard.errors import InputError

DT = 0.01
NT = 4096


def records(n: int = 2) -> np.ndarray:
    """Noise with a spectrum that falls, under an envelope, each component over its peak."""
    rng = np.random.default_rng(8)
    f = np.fft.rfftfreq(NT, DT)
    colour = np.where(f > 0.1, 1.0 / (1.0 + (f / 3.0) ** 2), 0.0)
    waves = np.fft.irfft(np.fft.rfft(rng.normal(size=(n, 3, NT))) * colour, NT)
    t = np.arange(NT) * DT
    waves *= (t / 6.0) ** 2 * np.exp(-((t / 10.0) ** 2))
    return waves / np.abs(waves).max(axis=2, keepdims=True)


def test_a_tone_has_its_amplitude_where_it_is():
    t = np.arange(NT) * DT
    w = np.abs(morlet(np.cos(2 * np.pi * 4.0 * t), DT, [2.0, 4.0, 8.0]))[:, NT // 2]
    # of a tone: half its amplitude times the wavelet's transform at w0
    scale = 6.0 / (2 * np.pi * 4.0)
    assert w[1] == pytest.approx(0.5 * np.pi**-0.25 * np.sqrt(2 * np.pi * scale), rel=1e-6)
    assert w[0] < 1e-4 * w[1] and w[2] < 0.02 * w[1]


def test_closed_forms():
    x = records(1)[0]
    eg, pg = eg_pg(x, x, DT)
    np.testing.assert_allclose(eg, 10.0)
    np.testing.assert_allclose(pg, 10.0)
    # twice as large: EM is each component's norm over the largest one, phases are right
    eg, pg = eg_pg(2.0 * x, x, DT)
    assert eg.min() == pytest.approx(10.0 * np.exp(-1.0)) and eg.max() < 10.0
    np.testing.assert_allclose(pg, 10.0)
    # of the other sign: envelopes are right, every phase is off by pi
    eg, pg = eg_pg(-x, x, DT)
    np.testing.assert_allclose(eg, 10.0)
    assert pg.min() == pytest.approx(0.0, abs=1e-6)
    with pytest.raises(InputError, match="no motion"):
        eg_pg(x, 0.0 * x, DT)


def test_parity_with_obspy():
    path = Path(os.environ.get("GWM_SHARED", "")) / "reference" / "broadband" / "egpg_example.npz"
    if not path.is_file():
        pytest.skip("GWM_SHARED is not set to a folder with reference/broadband")
    with np.load(path) as d:
        eg, pg = eg_pg(d["signal"], d["reference"], DT)
        np.testing.assert_allclose(eg, d["eg"], atol=2e-4)
        np.testing.assert_allclose(pg, d["pg"], atol=2e-4)
        eg, pg = eg_pg(d["signal"], d["reference"], DT, fmax_hz=1.0)
        np.testing.assert_allclose(eg, d["eg_0p1_1"], atol=2e-4)
        np.testing.assert_allclose(pg, d["pg_0p1_1"], atol=2e-4)


def inverse(motion: np.ndarray) -> np.ndarray:
    """A translator that has learned to undo the Butterworth filter, up to rounding."""
    f = np.fft.rfftfreq(2 * NT, DT)
    _, h = sosfreqz(butter(4, 1.0, "lowpass", fs=1 / DT, output="sos"), f, fs=1 / DT)
    spectrum = np.fft.rfft(motion, 2 * NT)
    undone = spectrum * h.conj() / (np.abs(h) ** 2 + 1e-13)
    undone[..., f > 30.0] = 0.0
    return np.fft.irfft(undone)[..., :NT]


def test_a_translator_that_undoes_a_filter_is_exposed():
    told = leak(inverse, records(), DT, 1.0)
    assert told.exposed and told.filtered[1] > 9.0 and told.limited[1] < CEILING_PG


def test_one_that_draws_is_not():
    rng = np.random.default_rng(0)

    def honest(motion: np.ndarray) -> np.ndarray:
        return motion + 0.3 * np.abs(motion).max() * rng.normal(size=motion.shape)

    assert not leak(honest, records(), DT, 1.0).exposed
    assert not leak(lambda x: x, records(), DT, 1.0).exposed
