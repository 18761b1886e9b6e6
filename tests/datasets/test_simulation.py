"""Simulated training sets: keyed, event-wise, resumable, of the stated distribution."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gwm_hazard.core.distance import effective_distance_km
from gwm_hazard.datasets.simulation import Simulation, simulate
from gwm_hazard.records.training_set import TrainingSet


def _keys(events, sites):
    return np.repeat(np.arange(events), sites), np.tile(np.arange(sites), events)


def test_a_longer_set_begins_with_the_shorter(tmp_path):
    few = simulate(Simulation(records=5, seed=3), tmp_path / "few")
    many = simulate(Simulation(records=12, seed=3), tmp_path / "many")
    np.testing.assert_allclose(many.waveforms(range(5)), few.waveforms(range(5)), atol=1e-6)
    columns = ["mag", "rhypo", "vs30", "hypo_depth", "split", "event_id"]
    assert many.table[columns].head(5).equals(few.table[columns])
    other = simulate(Simulation(records=5, seed=4), tmp_path / "other")
    assert not np.allclose(other.waveforms(0), few.waveforms(0))


def test_resume_gives_the_same_set(tmp_path, monkeypatch):
    monkeypatch.setattr("gwm_hazard.datasets.simulation._CHUNK", 4)
    monkeypatch.setattr("gwm_hazard.records.training_set.BUCKET", 4)
    wanted = Simulation(records=11, seed=5)
    whole = simulate(wanted, tmp_path / "whole")

    def stop(share):
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(wanted, tmp_path / "part", progress=stop)
    part = simulate(wanted, tmp_path / "part", resume=True)
    rows = np.arange(11)
    np.testing.assert_array_equal(part.waveforms(rows), whole.waveforms(rows))
    assert part.table.equals(whole.table)


def test_conditions_have_the_stated_distribution():
    event, site = _keys(20000, 1)
    network = Simulation(even_share=0.0).conditions(event, site)
    span = 10.0 ** (-0.68 * 4.0)
    cdf = (1.0 - 10.0 ** (-0.68 * (network["mag"] - 4.0))) / (1.0 - span)
    assert stats.kstest(cdf, "uniform").pvalue > 1e-3
    z = (np.log(network["vs30"]) - np.log(326.0)) / 0.5
    cut = stats.truncnorm(*((np.log([150.0, 1500.0]) - np.log(326.0)) / 0.5))
    assert stats.kstest(z, cut.cdf).pvalue > 1e-3
    assert (network["rhypo"] >= network["hypo_depth"] - 1e-9).all()

    even = Simulation(even_share=1.0).conditions(event, site)
    bounds = np.log([3.0, 200.0])
    u = (np.log(even["rhypo"]) - bounds[0]) / np.diff(bounds)
    assert stats.kstest(u, "uniform").pvalue > 1e-3
    assert stats.kstest((even["mag"] - 4.0) / 4.0, "uniform").pvalue > 1e-3


def test_distance_is_that_to_the_equivalent_point_source():
    table = Simulation().conditions(*_keys(500, 2))
    far = table["rrup"] > 1.0 + 1e-9
    assert far.mean() > 0.7
    again = effective_distance_km(table["mag"], table["rrup"])
    np.testing.assert_allclose(again[far], table["rhypo"][far], rtol=1e-9)


def test_sites_of_an_event_share_it_and_the_split(tmp_path):
    made = simulate(Simulation(records=24, sites_per_event=4, seed=1), tmp_path / "set").table
    groups = made.groupby("event_id")
    assert len(groups) == 6
    assert (groups[["mag", "hypo_depth", "split"]].nunique() == 1).all(axis=None)
    assert (groups["vs30"].nunique() == 4).all()


def test_records_start_with_noise_and_p_comes_at_5_s(tmp_path):
    wanted = Simulation(records=16, mag=(6.0, 7.0), rhypo=(20.0, 60.0), seed=2)
    made = simulate(wanted, tmp_path / "set")
    a = np.abs(made.waveforms(range(16)))
    assert (made.table["p_sample"] == 500).all()
    before, after = a[:, 2, 100:400].max(axis=1), a[:, 2, 505:700].max(axis=1)
    assert (after > 5 * before).all()
    # filters without phase reach back from the S wave: less than half of what P brings
    assert (after > 2 * a[:, 2, 400:495].max(axis=1)).all()
    assert (before > 0).all()


def test_the_file_is_one_of_seisbench(tmp_path):
    seisbench = pytest.importorskip("seisbench.data")
    simulate(Simulation(records=3), tmp_path / "set")
    data = seisbench.WaveformDataset(tmp_path / "set", component_order="RTZ")
    assert data.get_waveforms(0).shape == (3, 4096)
    assert TrainingSet.open(tmp_path / "set").components == ("R", "T", "Z")


@pytest.mark.parametrize(
    ("change", "word"),
    [({"mag": (7.0, 6.0)}, "mag"), ({"records": 0}, "records"), ({"even_share": 2.0}, "share"),
     ({"vs30": (0.0, 500.0)}, "vs30"), ({"ambient_m_s2": -1.0}, "ambient")],
)  # fmt: skip
def test_wrong_settings_are_named(change, word):
    with pytest.raises(ValueError, match=word):
        Simulation(**change)


def test_unknown_setting_and_out_of_range(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text("record = 3\n")
    with pytest.raises(ValueError, match="'record'"):
        Simulation.read(path)
    path.write_text("records = 4\nmag = [3.0, 3.5]\n")
    with pytest.raises(ValueError, match="mag"):
        simulate(Simulation.read(path), tmp_path / "set")
