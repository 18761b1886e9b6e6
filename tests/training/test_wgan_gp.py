"""WGAN-GP: losses in closed form, a training at tiny size, resuming, what tells a collapse."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner

pytest.importorskip("lightning_fabric")

from gwm_hazard import Noise, load_model
from gwm_hazard.cli.train import train as command
from gwm_hazard.datasets.simulation import Simulation, simulate
from gwm_hazard.errors import InputError
from gwm_hazard.statistics.coverage import coverage, diversity
from gwm_hazard.testing import check_model
from gwm_hazard.training.checkpoint import load_state
from gwm_hazard.training.collapse import features, moments, told
from gwm_hazard.training.config import read_values
from gwm_hazard.training.wgan_gp.config import Fit, WGANGPTraining
from gwm_hazard.training.wgan_gp.losses import Game
from gwm_hazard.training.wgan_gp.records import ScaledRecords
from gwm_hazard.training.wgan_gp.run import train_wgan_gp
from gwm_hazard.training.wgan_gp.score import energy_score
from gwm_hazard.training.wgan_gp.score import features as scored
from tests.models.test_wgan_gp import SMALL, SMALL_PIPES

TINY = """
family = "wgan-gp"
seed = 3
[data]
folder = "set"
{data}
[network]
preset = "{preset}"
sizes = {sizes}
[fit]
steps = 4
batch = 6
critic_updates = 2
check = 2
rate = 1e-3
average = 0.5
[machine]
accelerator = "cpu"
threads = 1
[model]
card = {{name = "tiny"}}
"""
CONDITIONAL: dict[str, Any] = {
    "data": "", "preset": "florez",
    "sizes": "{latent = 5, row = 12, rows = 70, wave = 64, start = 3, blocks = [[6, 6], [4]], "
    'embedding = [4], amplitude = [8], head = "linear", critic = [4, 8], critic_embedding = 8, '
    "critic_dense = [6], critic_kernel = 8}",
}  # fmt: skip
PIPELINES: dict[str, Any] = {
    "data": "", "preset": "seismogen",
    "sizes": "{latent = 20, samples = 256, sampling_rate_hz = 100.0, threshold_hz = 5.0, "
    "kernel = 8, first = 2, hidden = 3, critic_kernel = 4, band = 3, critic = [4, 2]}",
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wgan_gp")
    simulate(Simulation(records=64, seed=2, npts=1100, shares=(0.6, 0.2, 0.2)), folder / "set")
    return folder


def config(folder: Path, parts: dict[str, Any], name: str = "train.toml") -> WGANGPTraining:
    path = folder / name
    path.write_text(TINY.format(**parts))
    return WGANGPTraining.of(read_values(path), path)


@pytest.mark.parametrize("parts", [CONDITIONAL, PIPELINES], ids=["conditional", "pipelines"])
def test_the_command_trains_a_model(folder: Path, tmp_path: Path, parts: dict[str, Any]) -> None:
    path = folder / "command.toml"
    path.write_text(TINY.format(**parts))
    run = CliRunner().invoke(command, [str(path), "-o", str(tmp_path / "run")])
    assert run.exit_code == 0, run.output
    model = load_model(tmp_path / "run" / "model", "cpu")
    assert (model.card.name, model.card.training_data) == ("tiny", "set")
    check_model(model, rounding=1e-4)
    found = json.loads((tmp_path / "run" / "collapse.json").read_text())
    assert {"coverage", "diversity", "diversity_repeated", "moments"} <= set(found)


@pytest.mark.parametrize("parts", [CONDITIONAL, PIPELINES], ids=["conditional", "pipelines"])
def test_a_stopped_run_ends_as_one_that_was_not(
    folder: Path, tmp_path: Path, parts: dict[str, Any]
) -> None:
    settings = config(folder, parts)
    whole = train_wgan_gp(settings, tmp_path / "whole")
    train_wgan_gp(settings, tmp_path / "parts", stop_after=1)
    train_wgan_gp(settings, tmp_path / "parts", stop_after=2)
    again = train_wgan_gp(settings, tmp_path / "parts")
    models = [load_model(path, "cpu") for path in (whole, again)]
    assert models[0].card == models[1].card  # the checksum of the weights is on it
    one, other = (
        load_state(tmp_path / name / "fit" / "checkpoint.safetensors")[0]
        for name in ("whole", "parts")
    )
    assert set(one) == set(other)
    assert all(torch.equal(one[k], other[k]) for k in one)


def test_the_penalty_of_a_linear_critic() -> None:
    """Score a . wave + b . peaks: the gradient is (a, b) for every record."""
    game = Game(SMALL, Fit(batch=4))
    a, b = torch.full((3, 64), 0.25), torch.tensor([3.0, 0.0, 4.0])

    class Linear(torch.nn.Module):
        def forward(self, wave: Any, peaks: Any, condition: Any) -> Any:
            return ((wave * a).sum(dim=(1, 2)) + peaks @ b)[:, None]

    game.critic = Linear()  # type: ignore[assignment]
    norm = np.sqrt(0.25**2 * 3 * 64 + 25.0)
    found = game.penalty(torch.randn(4, 3, 64), torch.randn(4, 3), torch.rand(4, 3))
    assert float(found) == pytest.approx((norm - 1.0) ** 2, rel=1e-6)
    wave, peaks, condition = torch.randn(4, 3, 64), torch.randn(4, 3), torch.rand(4, 3)
    noise = Noise(1, 0, np.arange(4), 0)
    loss, parts = game.critic_loss(wave, peaks, condition, noise)
    assert float(loss) == pytest.approx(float(parts["critic"] + 10.0 * parts["penalty"]))


def test_each_update_has_records_of_its_own_and_marginals_keep_the_values() -> None:
    game = Game(SMALL, Fit(batch=4, critic_updates=3))
    seen: list[torch.Tensor] = []
    made = game.generator.forward
    game.generator.forward = lambda z, c: (seen.append(c), made(z, c))[1]  # type: ignore[func-returns-value, method-assign]
    wave, peaks = torch.randn(12, 3, 64), torch.randn(12, 3)
    condition = torch.arange(36.0).view(12, 3) / 36
    for turn in range(3):
        game.critic_loss(wave, peaks, condition, Noise(1, 0, np.arange(12), turn))
    assert torch.equal(torch.cat(seen), condition)
    game.generator_loss(wave, peaks, condition, Noise(1, 0, np.arange(12), 3))
    shuffled = seen[-1]
    assert torch.equal(shuffled.sort(dim=0)[0], condition[:4])
    assert not torch.equal(shuffled, condition[:4])


def test_a_collapse_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Records of two kinds: draws of both, of one, and one draw over and over."""
    rng = np.random.default_rng(4)
    t = np.arange(256) / 256

    def waves(n: int, early: float) -> Any:
        kind = rng.uniform(size=(n, 1, 1)) < early
        onset = np.where(kind, 0.1, 0.6) + 0.2 * rng.uniform(size=(n, 1, 1))
        return rng.standard_normal((n, 3, 256)) * np.exp(-(((t - onset) / 0.08) ** 2))

    records = waves(120, 0.5)
    good = told(records, waves(120, 0.5), waves(120, 0.5))
    assert good["coverage"] > 0.85 and 0.9 < good["diversity"] < 1.1
    assert not caplog.records
    half = told(records, waves(120, 1.0), waves(120, 1.0))
    assert half["coverage"] == pytest.approx(0.5, abs=0.15)
    caplog.clear()
    same = np.repeat(waves(1, 1.0), 120, axis=0) + 1e-3 * waves(120, 1.0)
    bad = told(records, same, same)
    assert bad["coverage"] < 0.1 and bad["diversity"] < 0.1
    assert sum("differ" in r.message for r in caplog.records) == 2
    assert features(records).shape[0] == 120
    # 2^-5 or so of the records have no draw within their fifth neighbour
    points = rng.standard_normal((2, 2000, 3))
    assert coverage(*points) == pytest.approx(1 - 2.0**-5, abs=0.02)
    assert diversity(points[0], 2.0 * points[1]) == pytest.approx(2.0, rel=0.05)


def test_moments_of_a_sawtooth() -> None:
    saw = np.tile(np.linspace(-1.0, 3.0, 4001), (2, 1, 1))
    found = moments(saw)
    assert found["minimum"] == -1.0 and found["maximum"] == 3.0
    assert found["mean"] == pytest.approx(1.0)
    assert found["standard deviation"] == pytest.approx(4.0 / np.sqrt(12.0), rel=1e-3)
    assert found["skewness"] == pytest.approx(0.0, abs=1e-9)
    assert moments(np.stack([np.eye(1, 100)] * 2))["skewness"] == pytest.approx(98 / np.sqrt(99))


def test_settings_that_cannot_be(folder: Path) -> None:
    for change, words in (
        (CONDITIONAL | {"preset": "other"}, "preset = 'other'"),
        (CONDITIONAL | {"data": 'conditions = ["colour"]'}, "colour"),
        (CONDITIONAL | {"sizes": "{colour = 3}"}, "colour"),
    ):
        with pytest.raises(InputError, match=words):
            config(folder, change)
    settings = config(folder, PIPELINES | {"sizes": "{}"})
    with pytest.raises(InputError, match="expected 40 Hz"):
        train_wgan_gp(settings, folder / "none")
    assert SMALL_PIPES.form == "pipelines"
    settings = config(folder, CONDITIONAL | {"data": 'conditions = ["rake", "mag", "dip"]'})
    with pytest.raises(InputError, match=r"no column of|take it out"):
        train_wgan_gp(settings, folder / "none2")


def test_sets_are_mixed_and_brought_to_a_lower_rate(folder: Path) -> None:
    data = 'observed = "set"\nobserved_repeat = 3\nsampling_rate_hz = 50'
    records = ScaledRecords(config(folder, CONDITIONAL | {"data": data}))
    plain = ScaledRecords(config(folder, CONDITIONAL))
    assert len(records.train) == 4 * len(plain.train)
    assert len(records.dev) == 2 * len(plain.dev)
    assert records.dt_s == 0.02
    row = plain.train[3]
    assert row + 64 in records.train
    twice = records.acceleration(np.array([row, row + 64]))
    np.testing.assert_array_equal(twice[0], twice[1])
    # the same motion by its spectrum, below where the filter begins
    waves = twice[0], plain.set.sets[0].waveforms([row])[0, :, :512]
    slow, fast = (np.fft.rfft(a * np.hanning(a.shape[1])) for a in waves)
    np.testing.assert_allclose(slow[:, 3:60], fast[:, 3:60] / 2, atol=0.01 * np.abs(slow).max())


def test_a_rate_that_is_no_part_is_refused(folder: Path) -> None:
    with pytest.raises(InputError, match="expected 30 Hz"):
        ScaledRecords(config(folder, CONDITIONAL | {"data": "sampling_rate_hz = 30"}))


def test_the_energy_score_is_least_for_the_distribution_of_the_records() -> None:
    """In one dimension it is that of Gneiting and Raftery (2007, eq. 22), and it is proper."""
    rng = np.random.default_rng(4)
    wave = torch.from_numpy(rng.normal(size=(3, 4000, 3, 64)).astype(np.float32))
    ln = torch.from_numpy(rng.normal(size=(3, 4000, 3)).astype(np.float32))

    def score(scale: float, shift: float) -> float:
        peaks = [scale * ln[0] + shift, scale * ln[1] + shift, ln[2]]
        return float(energy_score(*wave, *peaks))

    exact = score(1.0, 0.0)
    assert exact < min(score(1.0, 0.3), score(1.0, -0.3), score(0.7, 0.0), score(1.4, 0.0))
    level = scored(wave[0], ln[0])[2]
    assert torch.equal(level, ln[0])
    shapes = scored(wave[0], ln[0][:, :0])
    assert len(shapes) == 2


def test_features_are_of_the_motion() -> None:
    """Ten times the peak is ln 10 more at every frequency; shares of the energy stay."""
    wave = torch.randn(5, 3, 256, generator=torch.Generator().manual_seed(1))
    one, ten = scored(wave, torch.zeros(5, 3)), scored(wave, torch.full((5, 3), np.log(10.0)))
    np.testing.assert_allclose(ten[0] - one[0], np.log(10.0), rtol=1e-5)
    np.testing.assert_array_equal(ten[1], one[1])
    scaled = scored(10.0 * wave, torch.zeros(5, 3))
    np.testing.assert_allclose(scaled[0] - one[0], np.log(10.0), rtol=1e-3)


def test_a_score_trains_the_level(folder: Path, tmp_path: Path) -> None:
    """With its weight alone the peaks of draws move to those of the records."""
    text = TINY.format(**CONDITIONAL).replace("rate = 1e-3", "rate = 1e-2\nscore = 1.0")
    path = folder / "score.toml"
    path.write_text(text.replace("steps = 4", "steps = 30"))
    train_wgan_gp(WGANGPTraining.of(read_values(path), path), tmp_path / "run")
    score = pd.read_csv(tmp_path / "run" / "fit" / "curves.csv").query("split == 'dev'")["score"]
    assert score.iloc[-1] < 0.8 * score.iloc[0]
