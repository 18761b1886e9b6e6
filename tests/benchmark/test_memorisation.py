"""Copies of the training set are found, new records are not taken for copies."""

from __future__ import annotations

import numpy as np
import pytest

from gwm_hazard.benchmark.metrics.memorisation import copying_z, features, nearest

DT = 0.01


def records(n: int, seed: int) -> np.ndarray:
    """Noise in a random envelope with a random corner frequency."""
    rng = np.random.default_rng(seed)
    t = np.arange(2048) * DT
    tau = rng.uniform(0.5, 3.0, (n, 1, 1))
    shape = np.where(t > 2, (t - 2) * np.exp(-(t - 2) / tau), 0.0)
    noise = rng.normal(size=(n, 3, 2048))
    f = np.fft.rfftfreq(2048, DT)
    corner = rng.uniform(1.0, 10.0, (n, 1, 1))
    return np.fft.irfft(np.fft.rfft(noise) / (1 + (f / corner) ** 2), 2048) * shape


def test_copies_are_found_shifted_scaled_and_turned_over() -> None:
    training = records(150, 0)
    rng = np.random.default_rng(1)
    rows = rng.permutation(150)[:40]
    copies = -0.3 * np.roll(training[rows], 25, axis=-1)
    copies += 0.02 * copies.std() * rng.normal(size=copies.shape)
    found = nearest(copies, training, DT)
    assert (found.row == rows).all()
    assert (found.correlation > 0.95).all()


def test_new_records_are_not_copies() -> None:
    training, new, held_out = records(150, 0), records(60, 2), records(60, 3)
    of_new, of_held_out = nearest(new, training, DT), nearest(held_out, training, DT)
    assert of_new.correlation.max() < 0.8
    assert abs(copying_z(of_new.distance, of_held_out.distance)) < 3.0
    copies = training[:60] + 0.02 * training.std() * records(60, 4)
    z = copying_z(nearest(copies, training, DT).distance, of_held_out.distance)
    assert z < -5.0


def test_excluded_pairs_are_not_compared() -> None:
    training = records(30, 5)
    itself = np.eye(30, dtype=bool)
    found = nearest(training, training, DT, excluded=itself)
    assert (found.row != np.arange(30)).all() and found.correlation.max() < 0.9
    assert nearest(training, training, DT).correlation.min() > 0.999
    with pytest.raises(ValueError, match="no reference"):
        nearest(training, training, DT, excluded=np.ones((30, 30), dtype=bool))


def test_features_do_not_see_amplitude_and_sign() -> None:
    x = records(5, 6)
    assert np.allclose(features(x, DT), features(-7.0 * x, DT), atol=1e-6)


def test_blocks_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    from gwm_hazard.benchmark.metrics import memorisation

    x, training = records(20, 7), records(40, 8)
    before = nearest(x, training, DT)
    monkeypatch.setattr(memorisation, "_BLOCK_ROWS", 3)
    after = nearest(x, training, DT)
    assert np.array_equal(before.row, after.row)
    assert np.allclose(before.correlation, after.correlation)


def test_z_of_an_extreme_tail_is_finite() -> None:
    z = copying_z(np.linspace(0, 1, 2000), np.linspace(2, 3, 2000))
    assert np.isfinite(z) and z < -30
