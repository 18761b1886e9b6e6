"""From a training set to a model, at tiny size; resuming, fine-tuning, errors."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from torch import nn
from torch.nn.utils import parametrize

from gwm_hazard import Scenarios, load_model
from gwm_hazard.cli.train import train as command
from gwm_hazard.models.highfem.config import AutoencoderConfig, BaselineConfig, UNetConfig
from gwm_hazard.models.highfem.denoiser import LatentDiffusion
from gwm_hazard.models.registry import verify_model
from gwm_hazard.training import loop, lowrank
from gwm_hazard.training.checkpoint import load_state, save_state
from gwm_hazard.training.config import Data, Optimisation, TrainingConfig
from gwm_hazard.training.heldout import residual_table
from gwm_hazard.training.objectives import DiffusionObjective
from gwm_hazard.training.records import Records
from gwm_hazard.training.run import started, train
from gwm_hazard.training.start import principal_components, silence
from gwm_hazard.training.tuning import fine_tune
from tests.training.configs import CLASSIFIER

SMALL = (
    UNetConfig(4, 4, 2, model_channels=8, channel_mult=(1, 2), attention_resolutions=(),
               num_res_blocks=1, groups=4),
    AutoencoderConfig(3, 4, 8, (1,), 1, groups=4, patch=8),
    BaselineConfig(8),
)  # fmt: skip


class Numbers:
    """A source of records that need no file."""

    def __init__(self, n=24):
        self.x = np.random.default_rng(0).normal(size=(n, 5)).astype(np.float32)
        self.train, self.dev = np.arange(n - 8), np.arange(n - 8, n)
        self.asked = []

    def batch(self, rows, noise):
        self.asked.append(rows)
        return torch.from_numpy(self.x[rows]), torch.from_numpy(noise.normal("n", 5))


class Linear(nn.Module):
    """Denoise with a matrix."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.layer = nn.Linear(5, 5)

    def forward(self, x, noise):
        loss = ((self.layer(x + 0.3 * noise) - x) ** 2).mean()
        return loss, {"loss": loss}


@pytest.fixture
def fabric(config_file):
    return started(TrainingConfig.read(config_file).machine)


def _fit(folder, fabric, steps=12, stop=None, **changes):
    objective, source = Linear(), Numbers()
    settings = Optimisation(steps=steps, batch=4, warmup=2, check=4, average=0.9, **changes)
    folder.mkdir(exist_ok=True)
    best = loop.fit(
        objective, source, settings, folder, fabric, seed=5, stream="test", stop_after=stop
    )
    return objective, best, source


def test_a_fit_that_was_stopped_is_bit_for_bit_the_one_that_was_not(tmp_path, fabric):
    whole, best, _ = _fit(tmp_path / "whole", fabric)
    for stop in (5, 4, 20):
        parts, again, _ = _fit(tmp_path / "parts", fabric, stop=stop)
    for a, b in zip(whole.parameters(), parts.parameters(), strict=True):
        assert torch.equal(a, b)
    assert all(torch.equal(best[k], again[k]) for k in best)
    tables = [pd.read_csv(tmp_path / f / "curves.csv") for f in ("whole", "parts")]
    pd.testing.assert_frame_equal(*tables)


def test_each_epoch_takes_every_record_once():
    rows = np.arange(100, 130)
    seen = np.concatenate([loop.rows_of_step(rows, 8, 1, step) for step in range(15)])
    for epoch in seen[:120].reshape(4, 30):
        assert sorted(epoch) == sorted(rows)
    assert not np.array_equal(seen[:30], seen[30:60])


def test_learning_rate_rises_then_falls_to_zero():
    settings = Optimisation(steps=100, warmup=10, rate=2.0)
    rates = [loop.learning_rate(settings, s) for s in range(101)]
    assert rates[0] == 0.2 and max(rates) == rates[9] == rates[10] == 2.0
    assert rates[55] == pytest.approx(1.0) and rates[100] == 0.0


def test_average_is_that_of_its_definition():
    module = nn.Linear(1, 1, bias=False)
    average = loop.Average(module, 0.5)
    expected = module.weight.item()
    for step, value in enumerate((1.0, 3.0, -2.0)):
        module.weight.data.fill_(value)
        average.update(module, step)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * value
    assert float(average.weights["weight"]) == pytest.approx(expected)


def test_patience_stops_and_the_best_weights_come_back(tmp_path, fabric):
    # a rate so high that the loss grows from the start
    _, best, _ = _fit(tmp_path / "f", fabric, steps=400, rate=3.0, clip=1e9, patience=2)
    table = pd.read_csv(tmp_path / "f" / "curves.csv")
    assert table["step"].max() < 400
    dev = table[table["split"] == "dev"]["loss"]
    assert dev.idxmin() != dev.index[-1]


def test_a_checkpoint_of_another_fit_is_refused(tmp_path, fabric):
    _fit(tmp_path / "f", fabric)
    with pytest.raises(ValueError, match="seed = 5"):
        loop.fit(
            Linear(), Numbers(), Optimisation(steps=3, batch=4), tmp_path / "f", fabric, seed=6,
            stream="test",
        )  # fmt: skip
    (tmp_path / "f" / loop.CHECKPOINT).write_bytes(b"not a checkpoint")
    with pytest.raises(ValueError, match="not a checkpoint"):
        _fit(tmp_path / "f", fabric)


def test_state_goes_through_a_file(tmp_path):
    save_state(tmp_path / "s", {"a": torch.arange(3.0)}, {"step": 4, "x": None})
    tensors, notes = load_state(tmp_path / "s")
    assert notes == {"step": 4, "x": None} and tensors["a"].tolist() == [0, 1, 2]


def test_merged_low_rank_changes_give_the_same_output():
    torch.manual_seed(0)
    network = LatentDiffusion(*SMALL).unet
    inputs = torch.randn(2, 4, 16, 16), torch.randn(2), torch.randn(2, 2)
    before = network(*inputs)
    lowrank.adapt(network, 2, seed=1)
    torch.testing.assert_close(network(*inputs), before)  # B = 0
    moved = [p for n, p in network.named_parameters() if n.endswith(".b")]
    names = {n for n, p in network.named_parameters() if p.requires_grad}
    assert moved and all(n.endswith((".a", ".b", "bias")) for n in names)
    for p in moved:
        nn.init.normal_(p, std=0.1)
    changed = network(*inputs)
    assert not torch.allclose(changed, before)
    shapes = {k: t.shape for k, t in LatentDiffusion(*SMALL).unet.state_dict().items()}
    lowrank.merge(network)
    torch.testing.assert_close(network(*inputs), changed, rtol=1e-4, atol=1e-5)
    assert {k: t.shape for k, t in network.state_dict().items()} == shapes
    assert not any(parametrize.is_parametrized(m) for m in network.modules())


def test_principal_components_are_the_best_linear_autoencoder():
    torch.manual_seed(0)
    basis = torch.randn(6, 3 * 64)  # images of rank 6 in patches
    patches = torch.randn(5, 16, 16, 6) @ basis + 0.3
    images = nn.functional.pixel_shuffle(patches.movedim(3, 1), 8)
    config = AutoencoderConfig(3, 8, 16, (1,), 1, groups=8, patch=8)
    network = LatentDiffusion(
        UNetConfig(8, 8, 2, 8, (1, 2), (), 1, 4, groups=4), config, None
    ).autoencoder
    silence(network)
    rough = (network.decode(network.encode(images)) - images).std()
    principal_components(network, config, images)
    for layer in (network.encoder.input_layer, network.encoder.output_layer,
                  network.decoder.input_layer, network.decoder.output_layer):  # fmt: skip
        taps = layer.weight.data
        centre = taps[:, :, 1:2, 1:2].clone()
        taps.zero_()
        taps[:, :, 1:2, 1:2] = centre
    assert (network.decode(network.encode(images)) - images).std() < 0.2 * rough


def test_baseline_restores_what_it_took_away():
    torch.manual_seed(0)
    network = LatentDiffusion(*SMALL)
    latent, cond = torch.randn(3, 4, 16, 16), torch.randn(3, 2)
    residual = network.baseline.residual(latent, cond, 0.5)
    torch.testing.assert_close(network.baseline.restore(residual, cond, 0.5), latent)


def test_the_weighted_loss_of_a_silent_denoiser_is_one():
    """Karras et al. (2022): with F = 0 and data of sd sigma_data the expected loss is 1."""
    torch.manual_seed(0)
    network = LatentDiffusion(SMALL[0], SMALL[1], None)
    silence(network)
    x, noise = 0.5 * torch.randn(64, 4, 16, 16), torch.randn(64, 4, 16, 16)
    stage = TrainingConfig(Data("x")).denoiser
    loss, _ = DiffusionObjective(network, stage)(x, torch.zeros(64, 2), torch.randn(64), noise)
    assert loss.item() == pytest.approx(1.0, abs=0.03)


def test_a_training_leaves_a_model_and_a_report(tiny):
    assert "tiny" in verify_model(tiny / "model") or verify_model(tiny / "model")
    model = load_model(tiny / "model", "cpu")
    assert model.card.name == "tiny"
    assert model.card.condition_names == ("mag", "rhypo", "vs30", "hypo_depth")
    drawn = model.generate(Scenarios(mag=6.0, rhypo=50.0, vs30=400.0, hypo_depth=10.0), n=2)
    assert np.isfinite(drawn["acceleration"]).all()
    for name in ("report.html", "curves.png", "samples.png", "heldout.csv"):
        assert (tiny / name).stat().st_size > 100
    distances = json.loads((tiny / "frechet.json").read_text())
    assert distances["draws"] > 0 and distances["records"] > 0
    losses = pd.read_csv(tiny / "classifier" / "curves.csv").query("split == 'train'")["loss"]
    assert losses[-8:].mean() < losses[:8].mean()
    table = pd.read_csv(tiny / "heldout.csv", index_col="imt")
    assert table["records"].min() > 0 and np.isfinite(table["bias"]).all()


def test_a_training_goes_on_where_it_stopped(tiny, tmp_path, config_file):
    """Stopped within the second stage, after the first had been written."""

    class Stop(Exception):
        pass

    def stop(stage, share, parts):
        if stage == "baseline" and share > 0.5:
            raise Stop

    config_file.write_text(config_file.read_text() + CLASSIFIER)
    config = TrainingConfig.read(config_file)
    with pytest.raises(Stop):
        train(config, tmp_path / "run", progress=stop)
    train(config, tmp_path / "run")
    sums = [
        json.loads((f / "model" / "card.json").read_text())["parameters"]["weights_sha256"]
        for f in (tiny, tmp_path / "run")
    ]
    assert sums[0] == sums[1]


def test_fine_tuning_by_command(tiny, tmp_path, config_file):
    result = CliRunner().invoke(
        command, [str(config_file), "--from", str(tiny / "model"), "-o", str(tmp_path / "tuned")]
    )
    assert result.exit_code == 0, result.output
    before, after = load_model(tiny / "model"), load_model(tmp_path / "tuned" / "model")
    a, b = before.weights.tensors, after.weights.tensors
    assert a.keys() == b.keys()
    for name in a:
        same = torch.equal(a[name], b[name])
        if name.startswith("autoencoder.") or name.endswith(".W"):
            assert same, name
    assert not torch.equal(a["unet.time_mlp.0.weight"], b["unet.time_mlp.0.weight"])
    assert not torch.equal(a["baseline.mlp.0.weight"], b["baseline.mlp.0.weight"])
    table = pd.read_csv(tmp_path / "tuned" / "heldout.csv")
    assert set(table.iloc[:, 0]) == {"before", "after"}


def test_another_familys_model_is_not_tuned(tmp_path, config_file):
    with pytest.raises(ValueError, match="stochastic"):
        fine_tune(TrainingConfig.read(config_file), "stochastic", tmp_path / "run")


def test_a_folder_of_other_settings_is_refused(tiny, config_file):
    text = config_file.read_text() + CLASSIFIER
    config_file.write_text(text.replace("width = 8", "width = 16"))
    with pytest.raises(ValueError, match=r"another baseline\.width \(8, now 16\)"):
        train(TrainingConfig.read(config_file), tiny)


@pytest.mark.parametrize(
    ("text", "word"),
    [("[data]\nfolder = 'x'\nfoo = 1", "'foo'"), ("seed = 1", "'data'"),
     ("[data]\nfolder = 3", "data.folder"), ("[data]\nfolder = 'x'\nlog = ['magn']", "magn"),
     ("[data]\nfolder = 'x'\n[autoencoder.fit]\nsteps = -1", "autoencoder.fit.steps"),
     ("[data]\nfolder = 'x'\n[tuning]\nparts = ['all']", "'all'"), ("= 3", "not TOML")],
)  # fmt: skip
def test_settings_are_checked(tmp_path, text, word):
    path = tmp_path / "c.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match=word):
        TrainingConfig.read(path)


def test_records_without_a_condition_are_left_out(training_set, monkeypatch):
    records = Records(Data(str(training_set)))
    assert records.missing == 0
    moments = records.conditions(Data(str(training_set)))
    ln = np.log(records.table["vs30"].to_numpy()[records.train])
    assert moments["vs30"].log and moments["vs30"].mean == pytest.approx(ln.mean())
    with pytest.raises(ValueError, match="azimuthal_gap"):
        Records(Data(str(training_set), conditions=("mag", "azimuthal_gap")))


def test_standard_error_counts_events_not_records():
    observed = np.repeat([[1.0], [-1.0]], 50, axis=0) * np.log(10.0)
    event = np.repeat(["a", "b"], 50)
    table = residual_table(observed, np.zeros_like(observed), event, ["PGA"])
    assert table.loc["PGA", "bias"] == pytest.approx(0.0, abs=1e-12)
    assert table.loc["PGA", "bias_se"] == pytest.approx(np.sqrt(2 * 50.0**2) / 100)
    assert table.loc["PGA", "sd"] == pytest.approx(1.0, rel=0.01)


@pytest.mark.slow
def test_two_processes_learn_what_one_does(tmp_path, config_file):
    """The same records and noise whatever the number of devices."""
    for n in (1, 2):
        text = config_file.read_text().replace("threads = 1", f"threads = 1\ndevices = {n}")
        path = tmp_path / f"{n}.toml"
        path.write_text(text)
        script = Path(sys.executable).with_name("gwm-hazard")
        options = ["train", str(path), "-o", str(tmp_path / f"run{n}")]
        subprocess.run([sys.executable, str(script), *options], check=True, timeout=300)
    for stage in ("autoencoder", "baseline", "denoiser"):
        one, two = (
            pd.read_csv(tmp_path / f"run{n}" / stage / "curves.csv").query("split == 'dev'")
            for n in (1, 2)
        )
        np.testing.assert_allclose(one["loss"], two["loss"], rtol=1e-3)


def test_the_examples_in_the_documentation_are_configurations(tmp_path):
    text = (Path(__file__).parents[2] / "docs" / "training.md").read_text()
    blocks = re.findall(r"```toml\n(.*?)```", text, flags=re.S)
    assert len(blocks) == 2
    for block in blocks:
        (tmp_path / "c.toml").write_text(block)
        assert TrainingConfig.read(tmp_path / "c.toml").data.folder.startswith(str(tmp_path))
    for path in sorted((Path(__file__).parents[2] / "validation/highfem_small").glob("t*.toml")):
        TrainingConfig.read(path)
