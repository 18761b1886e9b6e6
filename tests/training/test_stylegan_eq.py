"""StyleGAN-EQ: the discriminator, losses in closed form, a training at tiny size, resuming."""

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
from gwm_hazard.models.stylegan_eq.design import Design
from gwm_hazard.testing import check_model
from gwm_hazard.training.checkpoint import load_state
from gwm_hazard.training.config import read_values
from gwm_hazard.training.stylegan_eq.config import Data, Fit, StyleGANEQTraining
from gwm_hazard.training.stylegan_eq.discriminator import Discriminator, variation
from gwm_hazard.training.stylegan_eq.losses import Game
from gwm_hazard.training.stylegan_eq.records import ImageRecords
from gwm_hazard.training.stylegan_eq.run import train_stylegan_eq
from tests.models.test_stylegan_eq import TINY as DESIGN

TINY = """
family = "stylegan-eq"
seed = 3
[data]
folder = "set"
[network]
z_dim = 6
w_dim = 8
channel_base = 128
channel_max = 4
[fit]
steps = 4
batch = 4
check = 2
average = 0.5
r1_every = 2
[machine]
accelerator = "cpu"
threads = 1
[model]
iterations = 2
examples = 4
card = {name = "tiny"}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stylegan_eq")
    simulate(Simulation(records=32, seed=2, npts=1100, shares=(0.6, 0.2, 0.2)), folder / "set")
    return folder


def config(folder: Path, text: str = TINY) -> StyleGANEQTraining:
    path = folder / "train.toml"
    path.write_text(text)
    return StyleGANEQTraining.of(read_values(path), path)


def test_the_command_trains_a_model(folder: Path, tmp_path: Path) -> None:
    config(folder)
    run = CliRunner().invoke(command, [str(folder / "train.toml"), "-o", str(tmp_path / "run")])
    assert run.exit_code == 0, run.output
    model = load_model(tmp_path / "run" / "model", "cpu")
    assert (model.card.name, model.card.training_data) == ("tiny", "set")
    check_model(model, rounding=1e-3)
    found = json.loads((tmp_path / "run" / "collapse.json").read_text())
    assert found["records"] == 4 and {"coverage", "diversity", "moments"} <= set(found)
    refused = CliRunner().invoke(
        command, [str(folder / "train.toml"), "-o", str(tmp_path / "other"), "--snapshot"]
    )
    assert refused.exit_code and "goes on by itself" in str(refused.exception)


def test_a_stopped_run_ends_as_one_that_was_not(folder: Path, tmp_path: Path) -> None:
    settings = config(folder)
    whole = train_stylegan_eq(settings, tmp_path / "whole")
    train_stylegan_eq(settings, tmp_path / "parts", stop_after=1)
    train_stylegan_eq(settings, tmp_path / "parts", stop_after=2)
    again = train_stylegan_eq(settings, tmp_path / "parts")
    models = [load_model(path, "cpu") for path in (whole, again)]
    assert models[0].card == models[1].card  # the checksum of the weights is on it
    one, other = (
        load_state(tmp_path / name / "fit" / "checkpoint.safetensors")[0]
        for name in ("whole", "parts")
    )
    assert set(one) == set(other)
    assert all(torch.equal(one[k], other[k]) for k in one)
    followed = [k for k in one if k.startswith("generator state.")]
    assert len(followed) == 16  # a magnitude for each of 15 layers, and the mean style
    assert all((one[k] != 1.0).all() and (one[k] != 0.0).all() for k in followed)
    weights = models[0].weights
    assert weights is not None
    assert all(
        torch.equal(weights.tensors[k.removeprefix("generator state.")], one[k]) for k in followed
    )
    curves = pd.read_csv(tmp_path / "whole" / "fit" / "curves.csv").query("split == 'train'")
    assert curves["penalty"].notna().tolist() == [True, False, True, False]


def test_the_discriminator_has_the_published_number_of_weights() -> None:
    assert sum(p.numel() for p in Discriminator(Design()).parameters()) == 19_019_201


def test_the_variation_is_over_groups() -> None:
    x = torch.randn(8, 3, 4, 4, dtype=torch.float64)
    groups = x.numpy().reshape(4, 2, -1)  # images 0, 2, 4, 6 and 1, 3, 5, 7
    expected = np.sqrt(groups.var(axis=0) + 1e-8).mean(axis=1)
    found = variation(x)
    assert found.shape == (8, 1, 4, 4)
    np.testing.assert_allclose(found[:, 0, 1, 2], np.tile(expected, 4))
    assert variation(x[:1].expand(5, -1, -1, -1)).max() < 1.1e-4  # images that are the same


def test_losses_in_closed_form() -> None:
    """Score a . image: the gradient is a; a score of 0 for all is ln 2 for each of two."""
    game = Game(DESIGN, Fit(r1=3.0, r1_every=4))
    a = torch.full((1, 128, 128), 0.25)

    class Linear(torch.nn.Module):
        def forward(self, image: Any) -> Any:
            return (image * a).sum(dim=(1, 2, 3))[:, None]

    game.critic = Linear()  # type: ignore[assignment]
    image = torch.randn(2, 1, 128, 128)
    assert float(game.penalty(image)) == pytest.approx(0.25**2 * 128**2)
    a.zero_()
    for step in (8, 9):
        loss, parts = game.critic_loss(image, Noise(1, step, np.arange(2), 0))
        assert float(loss.detach()) == pytest.approx(2 * np.log(2.0))
        assert ("penalty" in parts) == (step == 8)
    a.fill_(1e-3)
    loss, parts = game.critic_loss(image, Noise(1, 8, np.arange(2), 0))
    assert float(loss.detach() - parts["critic"]) == pytest.approx(
        0.5 * 3.0 * 4 * 1e-6 * 128**2, rel=1e-4
    )
    made, _ = game.generator_loss(image, Noise(1, 8, np.arange(2), 1))
    z = torch.from_numpy(Noise(1, 8, np.arange(2), 1).normal("latent", 6))
    score = Linear()(game.generator(z)).detach()
    assert float(made.detach()) == pytest.approx(
        float(torch.log1p(torch.exp(-score)).mean()), rel=1e-5
    )


@torch.no_grad()
def test_magnitudes_and_the_mean_style_are_followed() -> None:
    game = Game(DESIGN, Fit())
    noise = Noise(1, 1, np.arange(4), 0)
    z = torch.from_numpy(noise.normal("latent", 6))
    styles = game.generator.mapping(z)
    entering = game.generator.synthesis.input(styles)
    before = {k: v.clone() for k, v in game.state.items()}
    game.generator_loss(torch.zeros(4, 1, 128, 128), noise)
    assert all(torch.equal(v, before[k]) for k, v in game.state.items())
    game.critic_loss(torch.zeros(4, 1, 128, 128), noise)
    share = 1.0 - 0.5 ** (4 / 20_000)  # images over which it halves, Xu and Chen's batch of 32:
    assert pytest.approx(0.9988915792636801) == 0.5 ** (32 / 20_000)
    first = game.state[f"synthesis.{game.generator.synthesis.names[0]}.magnitude_ema"]
    assert float(first - 1) == pytest.approx(share * float(entering.square().mean() - 1), rel=2e-2)
    assert torch.allclose(game.state["mapping.w_avg"], 0.002 * styles.mean(dim=0), rtol=1e-4)


def test_images_are_of_the_records(folder: Path) -> None:
    records = ImageRecords(Data(str(folder / "set"), records=5))
    assert len(records.train) == 10
    (image,) = records.batch(records.train[3:4])
    assert image.shape == (1, 1, 128, 128)
    grey = (image.numpy()[0, 0] + 1.0) / 2.0 * 255
    assert grey.max() == 255 and grey.min() == 0 and np.abs(grey - grey.round()).max() < 1e-4
    wave = records.set.waveforms(records.rows(records.train[3:4]))[0, 1]
    energy = wave.astype(float) ** 2  # the second component of the second record
    when = (np.arange(1100) * 0.01 * energy).sum() / energy.sum()
    by_column = (grey**2).sum(axis=0)
    assert (np.arange(128) * 1.28 * by_column).sum() / by_column.sum() == pytest.approx(when, abs=1)
    spectrum = np.abs(np.fft.rfft(wave.astype(float))) ** 2
    hz = np.fft.rfftfreq(1100, 0.01)
    keep = hz < 12.4
    centre = (hz * spectrum)[keep].sum() / spectrum[keep].sum()
    by_row = (grey**2).sum(axis=1)
    found = (np.arange(128) * 50 / 512 * by_row).sum() / by_row.sum()
    assert found == pytest.approx(centre, rel=0.1)


def test_settings_that_cannot_be(folder: Path) -> None:
    for change, words in (
        (TINY.replace("z_dim = 6", "z_dim = 0"), "z_dim = 0"),
        (TINY.replace("r1_every = 2", "r1_evry = 2"), "r1_evry"),
    ):
        with pytest.raises(InputError, match=words):
            config(folder, change)
    with pytest.raises(InputError, match="components = 4"):
        ImageRecords(Data(str(folder / "set"), components=4))


def test_each_player_gains_on_its_own_loss(folder: Path) -> None:
    """The critic tells records from draws; draws become what a critic of brightness likes."""
    (image,) = (records := ImageRecords(Data(str(folder / "set")))).batch(records.train[:2])
    noise = Noise(1, 1, np.arange(2), 0)
    torch.manual_seed(3)
    game = Game(DESIGN, Fit())

    def moved(module: torch.nn.Module, loss: Any, steps: int) -> None:
        optimizer = torch.optim.Adam(module.parameters(), 0.02, betas=(0.0, 0.99))
        for _ in range(steps):
            optimizer.zero_grad()
            loss(image, noise)[0].backward()
            optimizer.step()

    z = torch.from_numpy(noise.normal("latent", 6))
    moved(game.critic, game.critic_loss, 5)
    with torch.no_grad():
        drawn = game.generator(z)
        assert float(game.critic(image).mean() - game.critic(drawn).mean()) > 0.3

    class Brightness(torch.nn.Module):
        def forward(self, image: Any) -> Any:
            return image.mean(dim=(1, 2, 3))[:, None]

    game.critic = Brightness()  # type: ignore[assignment]
    moved(game.generator, game.generator_loss, 4)
    with torch.no_grad():
        assert float(game.generator(z).mean() - drawn.mean()) > 0.02
