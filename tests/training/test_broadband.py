"""The family "broadband": pairs without a leak, losses, trainings that a kill does not change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

pytest.importorskip("lightning_fabric")

from gwm_hazard import Noise, Scenarios, load_model
from gwm_hazard.core.low_frequency import LowFrequency
from gwm_hazard.errors import InputError
from gwm_hazard.models.broadband.level import Level, grid_hz, predictors
from gwm_hazard.representation.level import energy_mean
from gwm_hazard.training.broadband.config import BroadbandTraining
from gwm_hazard.training.broadband.game import focal_frequency, log_spectra, similarity
from gwm_hazard.training.broadband.level_fit import fit_level
from gwm_hazard.training.broadband.records import PairedRecords, shifted, turned
from gwm_hazard.training.broadband.run import train_broadband
from gwm_hazard.training.checkpoint import load_state
from gwm_hazard.training.config import read_values

TINY = """
family = "broadband"
seed = 2
[data]
folder = "{folder}"
{data}
[network]
form = "{form}"
sizes = {sizes}
[fit]
steps = 4
batch = 4
check = 2
warmup = 1
average = 0.5
[tune]
steps = 0
[game]
steps = 4
batch = 3
critic_updates = 1
check = 2
average = 0.5
[machine]
accelerator = "cpu"
threads = 1
checkpoint_s = 0.0
"""
FLOW = "{width = 16, blocks = 1, heads = 2, taps = 3, steps = 2}"
SYSTEM = "{channels = [8, 8, 8], style = 4, latent = 8, heads = 2}"


def config(folder: Path, training_set: Path, form: str, data: str = "") -> BroadbandTraining:
    path = folder / "train.toml"
    sizes = FLOW if form == "flow" else SYSTEM
    path.write_text(TINY.format(folder=training_set, form=form, sizes=sizes, data=data))
    return BroadbandTraining.of(read_values(path), path)


def rows_and_noise(pairs: PairedRecords) -> tuple[np.ndarray, Noise]:
    return pairs.train[:6], Noise(1, np.arange(6), 0, 0)


def test_the_input_knows_the_low_band_alone(training_set, monkeypatch):
    """What is above the crossover leaves no trace in the input: window, scale and samples."""
    pairs = PairedRecords(str(training_set), (1.0,), 2.0)
    rows, noise = rows_and_noise(pairs)
    low, high, condition, there = pairs.batch(rows, noise)
    t = np.arange(pairs.set.npts) * pairs.dt_s
    burst = 50.0 * np.sin(2 * np.pi * 4.0 * t) * np.exp(-0.5 * ((t - 20.0) / 1.0) ** 2)
    plain = type(pairs.set).waveforms
    monkeypatch.setattr(type(pairs.set), "waveforms", lambda self, r: plain(self, r) + burst)
    other = pairs.batch(rows, noise)
    assert (other[0] - low).abs().max() < 1e-3 * low.abs().max()  # float32 of 1000 times the motion
    assert (other[1] - high).abs().max() > 10.0
    torch.testing.assert_close(other[2], condition, rtol=1e-3, atol=1e-3)
    # strictly band-limited: above 1.25 fc there is the guard and no more
    taper = np.hanning(low.shape[2])  # where a record is cut, it is not
    energy = np.abs(np.fft.rfft(low.numpy() * taper, axis=2)) ** 2
    f = np.fft.rfftfreq(low.shape[2], pairs.dt_s)
    assert energy[..., f > 2.0].mean() < 1.5 * 1e-6 * low.shape[2]
    assert energy[..., f < 0.8].mean() > 1e3 * energy[..., f > 2.0].mean()
    assert there.all()


def test_turned_and_shifted():
    motion = np.random.default_rng(0).normal(size=(2, 3, 50))
    back = turned(turned(motion, np.array([0.4, 2.0])), -np.array([0.4, 2.0]))
    np.testing.assert_allclose(back, motion, atol=1e-12)
    quarter = turned(motion, np.full(2, np.pi / 2))
    np.testing.assert_allclose(quarter[:, 0], motion[:, 1], atol=1e-12)
    later = shifted(motion, np.array([3, -4]))
    np.testing.assert_array_equal(later[0, :, 3:], motion[0, :, :-3])
    np.testing.assert_array_equal(later[1, :, :-4], motion[1, :, 4:])
    assert not later[0, :, :3].any() and not later[1, :, -4:].any()


def test_the_level_is_that_of_the_records(training_set):
    """Medians without bias over the records of the fit; draws scatter as residuals do."""
    pairs = PairedRecords(str(training_set), (1.0,))
    level = fit_level(pairs, pairs, 1.0, 40, 1.0)
    low, found = pairs.levels(pairs.train, 1.0)
    at = pairs.mag[pairs.train], pairs.distance_km[pairs.train], pairs.vs30[pairs.train]
    mean, half, vertical = level.median(low, *at)
    goal = energy_mean(found[:, 0], found[:, 1])
    assert np.abs((goal - mean).mean(axis=0)).max() < 0.15
    assert (goal - mean).std() < 0.5 * goal.std()
    n = 4000
    draws = level.draw(
        np.repeat(low[:1], n, axis=0), *(np.repeat(v[:1], n) for v in at),
        Noise(1, np.arange(n), 0, 0),
    )  # fmt: skip
    assert draws.shape == (n, 3, len(grid_hz(1.0)))
    both = energy_mean(draws[:, 0], draws[:, 1])
    np.testing.assert_allclose(both.mean(axis=0), mean[0], atol=0.1)
    wanted = level.event @ level.event.T + level.record @ level.record.T
    np.testing.assert_allclose(np.cov(both.T), wanted, atol=0.12 * np.diag(wanted).max())
    # the vertical goes with the horizontals as its residuals do with theirs
    off, left = goal - mean, found[:, 2] - vertical
    square = off.T @ off
    square += 0.02 * np.trace(square) / len(square) * np.eye(len(square))
    expected = wanted @ np.linalg.solve(square, off.T @ left)
    found_cross = (both - mean[0]).T @ (draws[:, 2] - vertical[0]) / n
    np.testing.assert_allclose(found_cross, expected, atol=0.12 * np.diag(wanted).max())
    spread = (draws[:, 2] - vertical[0]).std(axis=0)
    assert (spread < 2.5 * left.std(axis=0)).all() and (spread > 0.7 * left.std(axis=0)).all()
    # a low band that is all on one component has the energy of one on both
    turned = low[:1].copy()
    turned[:, :2] = energy_mean(low[:1, 0], low[:1, 1])
    one_sided = turned.copy()
    one_sided[:, 0], one_sided[:, 1] = turned[:, 0] + 0.5 * np.log(2.0), -30.0
    first = [v[:1] for v in at]
    np.testing.assert_allclose(level.median(one_sided, *first)[0], mean[:1], atol=1e-6)
    # sites of one event share what is of the event
    sites = level.draw(
        np.repeat(low[:1], 2, axis=0), *(np.repeat(v[:1], 2) for v in at), Noise(1, 5, [0, 1], 0)
    )
    assert not np.allclose(sites[0], sites[1])
    assert predictors(low[:, 0], *at).shape == (len(low), 10)
    assert set(level.tensors("a.")) == {f"a.{k}" for k in Level.shapes()}


def test_losses_in_closed_form():
    t = torch.arange(2048) * 0.01
    one = torch.sin(2 * torch.pi * 3.125 * t)[None, None].repeat(1, 3, 1)
    there = torch.ones(1, 3)
    assert float(focal_frequency(one, one)) == 0.0
    assert float(similarity(2.0 * one, one, there)) == pytest.approx(0.0, abs=1e-6)
    # a sign is told: the modulus of the published loss would not
    assert float(similarity(-one, one, there)) == pytest.approx(4.0, abs=1e-5)
    # one line of amplitude sqrt(n)/2 in n/2 + 1 lines, missing twice, weight 1
    assert float(focal_frequency(-one, one)) == pytest.approx(2048 / 1025, rel=1e-3)
    assert float(log_spectra(one, one, there)) == 0.0
    absent = torch.tensor([[1.0, 1.0, 0.0]])
    broken = one.clone()
    broken[:, 2] = 0.0
    assert float(log_spectra(broken, one, absent)) == 0.0
    assert float(similarity(broken, one, absent)) == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize("form", ["flow", "pix2pix", "bicycle", "shared", "factorised", "must"])
def test_a_training_goes_on_bit_for_bit(tmp_path, training_set, form):
    settings = config(tmp_path, training_set, form)
    whole = train_broadband(settings, tmp_path / "whole")
    train_broadband(settings, tmp_path / "parts", stop_after=2)
    parts = train_broadband(settings, tmp_path / "parts")
    one, other = (load_model(p, "cpu") for p in (whole, parts))
    assert one.weights.sha256 == other.weights.sha256
    tensors = [load_state(tmp_path / p / "fit" / "checkpoint.safetensors")[0]
               for p in ("whole", "parts")]  # fmt: skip
    assert all(torch.equal(tensors[0][k], tensors[1][k]) for k in tensors[0])
    low = LowFrequency(PairedRecords(str(training_set), (1.0,)).set.waveforms([0]), 0.01, 1.0)
    made = one.generate(Scenarios(mag=[6.0], rhypo=[40.0], vs30=[500.0]), 2, low_frequency=low)
    assert np.isfinite(made["acceleration"].values).all()
    assert one.card.parameters["form"] == form


def test_observed_records_are_gone_on_with(tmp_path, training_set):
    data = f'observed = "{training_set}"\nsimulated_records = 10\nsimulated_weight = 0.1'
    settings = config(tmp_path, training_set, "flow", data)
    settings = BroadbandTraining(**{**settings.__dict__, "tune": settings.fit})
    stages = set()
    made = train_broadband(settings, tmp_path / "run", progress=lambda s, *_: stages.add(s))
    assert stages == {"fit", "tune"} and (made.parent / "tune" / "curves.csv").is_file()
    shot = train_broadband(settings, tmp_path / "run", snapshot=True)
    assert load_model(shot, "cpu").crossovers_hz == (0.5, 1.0, 2.0)


def test_bad_settings(tmp_path, training_set):
    with pytest.raises(InputError, match="form = 'gan': known are flow, pix2pix"):
        config(tmp_path, training_set, "gan")
    settings = config(tmp_path, training_set, "flow", "crossovers_hz = [1.0, 8.0]")
    with pytest.raises(InputError, match="too coarse for a crossover of 8 Hz"):
        train_broadband(settings, tmp_path / "run")
