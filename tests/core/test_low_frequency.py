"""Low-frequency motions: what is refused, what is filtered out, what is read."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import xarray as xr

from gwm_hazard.core.low_frequency import LowFrequency
from gwm_hazard.errors import InputError

DT = 0.05


def tone(frequency_hz: float, n: int = 2, nt: int = 600) -> np.ndarray:
    """A tone under a Gaussian of 2 s, on three components."""
    t = np.arange(nt) * DT
    one = np.sin(2 * np.pi * frequency_hz * t) * np.exp(-0.5 * ((t - 15.0) / 2.0) ** 2)
    return np.stack([one, 0.5 * one, 0.2 * one])[None].repeat(n, axis=0)


@pytest.mark.parametrize(
    ("acc", "dt_s", "valid_hz", "words"),
    [
        (np.ones((2, 600)), DT, 1.0, "must be \\(n, 3, nt\\)"),
        (np.zeros((2, 3, 600)), DT, 1.0, "acceleration = 0"),
        (np.full((1, 3, 600), np.nan), DT, 1.0, "not finite"),
        (np.clip(tone(0.4), -0.5, 0.5), DT, 1.0, "clipped"),
        (tone(0.4), -1.0, 1.0, "dt_s = -1"),
        (tone(0.4), DT, 0.0, "valid_hz = 0"),
    ],
)
def test_bad_motions_are_refused(acc, dt_s, valid_hz, words):
    with pytest.raises(InputError, match=words):
        LowFrequency(acc, dt_s, valid_hz)


def test_what_a_crossover_needs():
    motions = LowFrequency(tone(0.4), 0.3, 1.0)
    with pytest.raises(InputError, match=r"1/\(4 fc\) = 0.25 s"):
        motions.require(1.0)
    with pytest.raises(InputError, match="right up to 1 Hz, the crossover is 2 Hz"):
        LowFrequency(tone(0.4), DT, 1.0).require(2.0)
    late = LowFrequency(tone(0.4), DT, 1.0, origin_s=np.zeros(2))
    late.require(1.0, np.array([10.0, 70.0]))
    with pytest.raises(InputError, match="low_frequency 1: ends 30 s after the origin time"):
        late.require(1.0, np.array([10.0, 90.0]))
    # a record that begins 20 s after the origin time reaches it
    LowFrequency(tone(0.4), DT, 1.0, origin_s=np.full(2, 20.0)).require(1.0, np.array([10.0, 90.0]))


def test_energy_above_the_crossover_is_told(caplog):
    with caplog.at_level(logging.WARNING):
        LowFrequency(tone(0.4), DT, 1.0).check(1.0)
        assert not caplog.records
        LowFrequency(tone(0.4) + 0.3 * tone(3.0), DT, 1.0).check(1.0)
    assert "2 of 2 motions have energy above the crossover of 1 Hz" in caplog.text


def test_of_a_dataset():
    dataset = xr.Dataset(
        {"acceleration": (("scenario", "component", "time"), tone(0.4), {"units": "m/s2"})},
        coords={"time": np.arange(600) * DT},
        attrs={"valid_hz": 1.0},
    )
    found = LowFrequency.of(dataset, 2)
    assert found.dt_s == pytest.approx(DT) and found.valid_hz == 1.0 and len(found) == 2
    assert len(LowFrequency.of(dataset.isel(scenario=[0]), 5)) == 5  # one for all
    with pytest.raises(InputError, match="2 motions for 3 scenarios"):
        LowFrequency.of(dataset, 3)
    with pytest.raises(InputError, match="valid_hz"):
        LowFrequency.of(dataset.assign_attrs(valid_hz=None), 2)
    counts = dataset.copy()
    counts["acceleration"].attrs["units"] = "counts"
    with pytest.raises(InputError, match="'counts': give it in m/s2"):
        LowFrequency.of(counts, 2)
    with pytest.raises(InputError, match="this has the dimensions"):
        LowFrequency.of(dataset["acceleration"].isel(time=0), 2)
    np.testing.assert_array_equal(found.take([1]).acceleration, tone(0.4)[1:])
