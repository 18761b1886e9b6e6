"""Training sets flat in features: counts of bins, the same set after a kill, bins out of reach."""

from __future__ import annotations

import numpy as np
import pytest

from gwm_hazard.datasets.balance import Balance, mean_period_s
from gwm_hazard.datasets.simulation import Simulation, simulate
from gwm_hazard.errors import InputError
from gwm_hazard.intensity import intensity_measures_array

BINS = {"RSD595": (4.0, 40.0, 3), "Tm": (0.1, 0.8, 2)}


def test_mean_period_of_two_sines():
    """sum C^2 / f over sum C^2 (Rathje et al. 2004): 2 Hz of amplitude 2 beside 8 Hz of 1."""
    t = np.arange(1000) * 0.01
    wave = 2.0 * np.sin(4.0 * np.pi * t) + np.sin(16.0 * np.pi * t)
    acceleration = np.stack([wave, 3.0 * wave, 9.0 * t])[None]
    expected = (4.0 / 2.0 + 1.0 / 8.0) / 5.0
    assert mean_period_s(acceleration, 0.01) == pytest.approx(expected, rel=1e-9)


def test_bins_are_filled_alike_and_one_after_the_other():
    balance = Balance({"PGA": (1.0, 100.0, 2)}, 4)
    kept = balance.take(np.array([[2.0], [3.0], [4.0], [0.5], [100.5], [20.0], [50.0], [60.0]]))
    assert kept.tolist() == [True, True, False, False, False, True, True, False]
    assert balance.wanted == 0


def test_a_balanced_set_is_flat_and_goes_on_after_a_kill(tmp_path, monkeypatch):
    monkeypatch.setattr("gwm_hazard.datasets.simulation._CHUNK", 16)
    monkeypatch.setattr("gwm_hazard.records.training_set.BUCKET", 4)
    wanted = Simulation(records=18, seed=6, balance=BINS)
    whole = simulate(wanted, tmp_path / "whole")
    waves = whole.waveforms(np.arange(18))
    found = intensity_measures_array(waves, whole.dt_s, ["RSD595"])[:, 0]
    features = [found, mean_period_s(waves, whole.dt_s)]
    edges = [np.geomspace(low, high, n + 1) for low, high, n in BINS.values()]
    counts, _, _ = np.histogram2d(*features, bins=edges)
    assert (counts == 3).all()
    np.testing.assert_allclose(whole.table["RSD595"], found, rtol=1e-6)

    def stop(share):
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(wanted, tmp_path / "part", progress=stop)
    part = simulate(wanted, tmp_path / "part", resume=True)
    assert part.table.equals(whole.table)
    np.testing.assert_array_equal(part.waveforms(np.arange(18)), waves)


def test_bins_out_of_reach_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr("gwm_hazard.datasets.simulation.MOST", 4)
    wanted = Simulation(records=4, balance={"PGA": (1e3, 1e4, 2)})
    with pytest.raises(InputError, match=r"hardly any has PGA 1e\+03 to"):
        simulate(wanted, tmp_path / "set")


@pytest.mark.parametrize(
    "bins", [{"PGA": [1.0, 2.0]}, {"PGA": [0.0, 2.0, 3]}, {"colour": [1, 2, 3]}]
)
def test_bins_that_are_none_are_named(bins):
    with pytest.raises(InputError, match=next(iter(bins))):
        Simulation(balance=bins)
