"""Generative models at records: keys, moments, chunks, what is kept."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from gwm_hazard.benchmark import draws, kept
from gwm_hazard.benchmark.predictions import noise_of_records, sample
from gwm_hazard.distribution.build import build_surface
from gwm_hazard.distribution.find import find_surface
from gwm_hazard.distribution.surface import Axis
from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.records.completion import complete
from gwm_hazard.records.observations import Observations
from tests.benchmark.world import conditions
from tests.toy import ToyModel

IMTS = ("PGV", "IA")


def observations(table):
    ims = pd.DataFrame({i: np.ones(len(table)) for i in IMTS})
    return Observations("toy", table, ims)


def predict(table, work, model=None, **kwargs):
    obs = observations(table)
    options = {"seed": 3, "draws": 40, "waveforms": 30, "stamp": {"a": 1}} | kwargs
    return draws.predict(
        "toy", model or ToyModel(), obs, complete(obs.table)[0], IMTS, work=work, **options
    )


@pytest.fixture(scope="module")
def table():
    return conditions(events=12, stations=10)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GWM_HAZARD_CACHE", str(tmp_path / "cache"))


def test_moments_from_draws_are_the_known_ones(table, tmp_path):
    model = ToyModel()
    p = predict(table, tmp_path)
    assert p.inside.all() and "Moments from 40 draws" in p.notes[-1]
    for k, imt in enumerate(IMTS):
        sigma = np.hypot(model.ln_tau(imt), model.ln_phi(imt))
        error = p.mean[:, k] - model.ln_mean(table, imt)
        # independent from record to record: events of two sites, 20 of them
        assert error.std() == pytest.approx(
            np.sqrt((model.ln_tau(imt) ** 2 + model.ln_phi(imt) ** 2 / 2) / 20), rel=0.2
        )
        assert abs(error.mean()) < 3 * sigma / np.sqrt(20 * 120)
        assert p.tau[:, k] == pytest.approx(model.ln_tau(imt), rel=0.2)
        assert p.phi[:, k] == pytest.approx(model.ln_phi(imt), rel=0.1)
    assert p.sigma == pytest.approx(np.hypot(p.tau, p.phi))


def test_draws_follow_their_keys(table, tmp_path):
    """Each draw is the model's own, of the noise of its event and station."""
    model, p = ToyModel(), predict(table, tmp_path)
    noise = noise_of_records(table, 3)
    event = noise.normal("event", 1, per_event=True)[:, 0]
    record = noise.normal("record", 1)[:, 0]
    expected = model.ln_mean(table, "PGV") + model.tau * event + model.phi * record
    assert p.draw[:, 0] == pytest.approx(expected, abs=1e-4)
    assert len(np.unique(event)) == 12 and len(np.unique(record)) == 120


def test_draws_depend_neither_on_other_records_nor_on_chunks(table, tmp_path, monkeypatch):
    whole = predict(table, tmp_path / "whole")
    part = predict(table.iloc[35:60], tmp_path / "part")
    assert part.draw == pytest.approx(whole.draw[35:60], abs=1e-6)
    monkeypatch.setattr(draws, "CHUNK", 7)
    monkeypatch.setattr(draws, "MOMENT_CHUNK", 5)
    small = predict(table, tmp_path / "small")
    assert small.draw == pytest.approx(whole.draw, abs=1e-6)
    assert small.mean == pytest.approx(whole.mean, abs=1e-6)


def test_two_instruments_of_a_station_have_their_own_noise(table):
    twice = pd.concat([table.iloc[:1], table.iloc[:1].assign(record_id="other")])
    noise = noise_of_records(twice, 0)
    assert noise.event[0] == noise.event[1] and noise.site[0] != noise.site[1]
    assert noise_of_records(table.iloc[:1], 0).site[0] == noise.site[0]


def test_records_outside_the_range_are_left_out_and_counted(table, tmp_path):
    odd = table.copy()
    odd.loc[0, "mag"], odd.loc[1, "vs30"], odd.loc[2, "rrup"] = 3.0, np.nan, 400.0
    p = predict(odd, tmp_path)
    assert np.flatnonzero(p.outside).tolist() == [0, 1, 2]
    assert np.isnan(p.mean[:3]).all() and np.isnan(p.draw[:3]).all()
    assert np.isfinite(p.draw[3:]).all()
    assert any(n.startswith("vs30 of 1 records is unknown") for n in p.notes)
    assert any("2 records outside the model's range" in n for n in p.notes)


def test_kept_waveforms_are_the_draws(table, tmp_path):
    p = predict(table, tmp_path)
    rows = []
    for block in kept.stored(tmp_path, "toy", 0.01):
        got = intensity_measures_array(block.acceleration, block.dt_s, list(IMTS))
        assert np.log(got) == pytest.approx(p.draw[block.rows], abs=1e-4)
        assert block.acceleration.shape[2] == block.npts.max()
        rows += block.rows.tolist()
    assert len(rows) == len(set(rows)) == 30


def test_an_interrupted_run_goes_on(table, tmp_path, monkeypatch):
    monkeypatch.setattr(draws, "CHUNK", 20)
    whole = predict(table, tmp_path)
    made = []

    class Counting(ToyModel):
        def draw(self, scenarios, noise):
            made.append(len(scenarios))
            return super().draw(scenarios, noise)

    again = predict(table, tmp_path, Counting())
    assert not made and (again.draw == whole.draw).all() and (again.mean == whole.mean).all()
    sorted((tmp_path / "draws" / "toy").glob("chunk-*.npz"))[2].unlink()
    again = predict(table, tmp_path, Counting())
    assert sum(made) == 20 and (again.draw == whole.draw).all()
    predict(table, tmp_path, Counting(), stamp={"a": 2})  # other inputs: all anew
    assert sum(made) == 20 + 120 + 40 * 120


def test_moments_come_from_the_surface_where_there_is_one(table, tmp_path):
    axes = (
        Axis("mag", (4.0, 6.0, 8.0)),
        Axis("rrup", (1.0, 30.0, 300.0), "log"),
        Axis("vs30", (150.0, 1500.0), "log"),
    )
    model = ToyModel()
    path = tmp_path / "cache" / "surfaces" / "toy-any.h5"
    path.parent.mkdir(parents=True)
    build_surface(model, path, axes=axes, imts=("PGV",), realizations=60, held_out=4)
    p = predict(table, tmp_path)
    assert any("from the model's surface" in n for n in p.notes)
    assert p.mean[:, 0] == pytest.approx(model.ln_mean(table, "PGV"), abs=0.02)
    assert np.isnan(p.mean[:, 1]).all() and not p.gives("IA") and p.gives("PGV")
    assert find_surface(ToyModel(a=-2.0)) is None


def test_sampled_gmm_has_its_moments():
    table = conditions(events=400, stations=6)
    n = len(table)
    shape = (n, 2)
    mean, tau, phi = np.zeros(shape), np.full(shape, 0.4), np.full(shape, 0.6)
    x = sample(mean, tau, phi, noise_of_records(table, 0), IMTS)
    assert x.std() == pytest.approx(np.hypot(0.4, 0.6), rel=0.04)
    pairs = x.reshape(400, 6, 2)
    shared = (pairs[:, 0] * pairs[:, 1]).mean()
    assert shared == pytest.approx(0.16, abs=0.04)
    assert abs(np.corrcoef(x.T)[0, 1]) < 0.06
    r = np.array([[1.0, 0.8], [0.8, 1.0]])
    joint = sample(mean, tau, phi, noise_of_records(table, 0), IMTS, r)
    assert np.corrcoef(joint.T)[0, 1] == pytest.approx(0.8, abs=0.03)
    whole = sample(mean, np.full(shape, np.nan), phi, noise_of_records(table, 0), IMTS)
    assert whole.std() == pytest.approx(0.6, rel=0.04)
