"""Observed records that carry the level of simulated ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gwm_hazard.datasets.shapes import completed, onset, shapes, span
from gwm_hazard.models.highfem.level import GRID_HZ
from gwm_hazard.records.training_set import TrainingSet, TrainingSetWriter
from gwm_hazard.representation.level import ln_amplitude

DT_S = 0.01
RNG = np.random.default_rng(8)


def motion(npts: int, peak: int, width: float, scale: float) -> np.ndarray:
    t = np.arange(npts)
    return scale * RNG.normal(size=(3, npts)) * np.exp(-0.5 * ((t - peak) / width) ** 2)


def test_a_record_takes_the_level_and_keeps_its_shape():
    donor = motion(4096, 1500, 400.0, 0.3)
    record = motion(8192, 4300, 150.0, 20.0)
    made = completed(record, donor, 0.4, DT_S, 0, 8192, 0.1, 45.0)
    off = ln_amplitude(made, DT_S, GRID_HZ) - ln_amplitude(donor, DT_S, GRID_HZ)
    assert np.abs(off).mean() < 0.02 and np.abs(off[:, 3:]).max() < 0.2
    assert abs(onset(made) - onset(donor)) < 25

    def length(x: np.ndarray) -> float:
        f = np.fft.rfftfreq(x.shape[1], DT_S)
        x = np.fft.irfft(np.fft.rfft(x) * ((f > 1.0) & (f < 30.0)), x.shape[1])
        share = (x[:2] ** 2).sum(axis=0).cumsum() / (x[:2] ** 2).sum()
        return float(np.ptp(np.searchsorted(share, [0.05, 0.95])) * DT_S)

    assert length(made) == pytest.approx(length(record), rel=0.1)
    assert length(donor) > 2.0 * length(record)
    # another scale of the record changes nothing: its level does not enter
    again = completed(1e-3 * record, donor, 0.4, DT_S, 0, 8192, 0.1, 45.0)
    np.testing.assert_allclose(again, made, atol=1e-9 * np.abs(made).max())


def test_what_a_record_does_not_have_is_the_donors():
    donor = motion(4096, 1500, 400.0, 0.3)
    record = motion(8192, 4300, 300.0, 1.0)
    record[2] = 0.0
    record[:, 4400:] = 0.0
    made = completed(record, donor, 0.0, DT_S, 3000, 4400, 0.5, 20.0)
    np.testing.assert_allclose(made[2], donor[2], atol=1e-9)

    def alike(a: np.ndarray, b: np.ndarray, low: float, high: float) -> float:
        f = np.fft.rfftfreq(len(a), DT_S)
        x, y = (np.fft.rfft(v)[(f > low) & (f < high)] for v in (a, b))
        return float(abs(np.vdot(x, y)) / np.sqrt(np.vdot(x, x).real * np.vdot(y, y).real))

    late = slice(onset(donor) + 4400 - onset(record[:, 3000:4400]) - 3000 + 200, 4096)
    assert alike(made[0, late], donor[0, late], 1.0, 15.0) > 0.95
    assert alike(made[0], donor[0], 25.0, 45.0) > 0.95
    assert alike(made[0], donor[0], 1.0, 15.0) < 0.9


def test_the_band_of_a_record():
    told = pd.Series({"highpass_hz": 0.4, "lowpass_hz": np.nan, "first": 10, "last": 50})
    assert span(told, 100) == (10, 50, 0.4, 25.0)
    assert span(pd.Series({"highpass_hz": 0.0}), 100) == (0, 100, 0.1, 25.0)


def test_a_set_goes_on_where_it_stopped(tmp_path):
    table = pd.DataFrame({
        "record_id": ["a", "b", "c"], "event_id": ["x", "x", "y"], "mag": [5.0, 5.0, 7.9],
        "rrup": [20.0, 40.0, np.nan], "rhypo": [25.0, 45.0, 60.0], "vs30": 400.0,
        "hypo_depth": 10.0, "split": ["train", "train", "test"],
    })  # fmt: skip
    with TrainingSetWriter(tmp_path / "seen", ("1", "2", "Z"), DT_S, 8192, {}) as writer:
        writer.append(np.stack([motion(8192, 4300, 200.0, 1.0) for _ in range(3)]), table)
    seen = TrainingSet.open(tmp_path / "seen")
    made = shapes(seen, tmp_path / "whole", variants=2, seed=1)
    assert made.table["record_id"].tolist() == ["a_0", "b_0", "a_1", "b_1"]
    assert not np.array_equal(made.waveforms([0]), made.waveforms([2]))
    again = shapes(seen, tmp_path / "again", variants=2, seed=1)
    np.testing.assert_array_equal(made.waveforms(range(4)), again.waveforms(range(4)))
