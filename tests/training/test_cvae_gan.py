"""CVAE-GAN: losses against the published numbers, options, a training at tiny size, resuming."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.numpy import load_file

pytest.importorskip("lightning_fabric")

from gwm_hazard import Noise, Scenarios, load_model
from gwm_hazard.cli.train import train as command
from gwm_hazard.datasets.simulation import Simulation, simulate
from gwm_hazard.errors import InputError
from gwm_hazard.intensity import rotd
from gwm_hazard.models.cvae_gan.form import Form
from gwm_hazard.models.cvae_gan.importer import CRITIC_LAYERS, LAYERS, torch_weights
from gwm_hazard.models.cvae_gan.network import Critic, Generator
from gwm_hazard.models.cvae_gan.sizes import Sizes
from gwm_hazard.representation.response_spectrum import ln_response_spectrum
from gwm_hazard.training.checkpoint import load_state
from gwm_hazard.training.config import read_values
from gwm_hazard.training.cvae_gan.config import CVAEGANTraining, Losses
from gwm_hazard.training.cvae_gan.objectives import Game, build_up, divergence, gradient_penalty
from gwm_hazard.training.cvae_gan.run import train_cvae_gan

TINY = """
family = "cvae-gan"
seed = 3
[data]
folder = "set"
conditions = ["mag", "rrup"]
[network]
samples = 1024
components = {components}
ordinates = 12
shortest_s = 0.05
longest_s = 4.0
latent = 4
encoder = [4, 4, 8]
decoder = [8, 8, 6]
start = 8
critic = [4, 4]
{network}
[losses]
{losses}
[fit]
steps = 6
batch = 4
check = 3
rate = 1e-3
{fit}
[machine]
accelerator = "cpu"
threads = 1
[model]
card = {{name = "tiny"}}
"""
PUBLISHED: dict[str, Any] = {"components": 1, "network": "", "losses": "", "fit": ""}
OPTIONS: dict[str, Any] = {
    "components": 3,
    "network": """
style = 12
spectrum = "log"
level = true
duration = true
distance = true
highpass_hz = 0.1""",
    "losses": "prior = 0.05\nspectrum = 2.0\nbuild_up = 5.0\nscatter = 0.3\nperiods = 3",
    "fit": "cosine = true\nclip = 1.0\naverage = 0.9",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated training set of 64 records."""
    folder = tmp_path_factory.mktemp("cvae_gan")
    simulate(Simulation(records=64, seed=2, npts=1100, shares=(0.6, 0.2, 0.2)), folder / "set")
    return folder


def config(folder: Path, **parts: Any) -> CVAEGANTraining:
    path = folder / "train.toml"
    path.write_text(TINY.format(**(PUBLISHED | parts)))
    return CVAEGANTraining.of(read_values(path), path)


@pytest.fixture(scope="module")
def trained_model(folder: Path) -> Any:
    """Trained by the command, with all options."""
    path = folder / "options.toml"
    path.write_text(TINY.format(**OPTIONS))
    run = CliRunner().invoke(command, [str(path), "-o", str(folder / "run")])
    assert run.exit_code == 0, run.output
    return load_model(folder / "run" / "model", "cpu")


def test_losses_are_the_published(shared: Path) -> None:
    """Total, error, divergence and score of reconstructions; penalty; the critic's loss."""
    folder = shared / "reference" / "cvae_gan"
    with np.load(folder / "parity_small.npz") as file:
        r = {k: torch.from_numpy(np.asarray(file[k])) for k in file.files}
    for name in ("wave", "recon", "generated"):
        r[name] = r[name].transpose(1, 2)
    weights = {
        k: torch.from_numpy(v) for k, v in load_file(folder / "weights_small.safetensors").items()
    }
    sizes = Sizes(latent=10, encoder=(8, 12, 16), decoder=(12, 8, 6), start=8, critic=(4, 6, 8, 10))
    critic = Critic(sizes)
    part = {k.removeprefix("discriminator."): v for k, v in weights.items() if k.startswith("d")}
    critic.load_state_dict(torch_weights(part, CRITIC_LAYERS))
    w, c = Losses(), r["spectrum"]
    error = (r["recon"] - r["wave"]).square().mean()
    kl = divergence(r["mu"], r["log_var"])
    score = -critic(r["recon"], c).mean()
    total = w.reconstruction * error + w.kl * kl + w.adversarial * score
    want = r["losses_total_mse_kld_gan"]
    assert np.allclose([float(error), float(kl)], want[1:3], rtol=1e-6)
    assert float(total.detach()) == pytest.approx(float(want[0]), rel=1e-6)
    assert abs(float(score.detach())) == pytest.approx(abs(float(want[3])), rel=1e-5)
    gp = gradient_penalty(critic, r["wave"], r["generated"], c, r["gp_alpha"])
    assert float(gp.detach()) == pytest.approx(float(r["gp"]), rel=1e-6)
    loss = critic(r["generated"], c).mean() - critic(r["wave"], c).mean() + w.penalty * gp
    assert float(loss.detach()) == pytest.approx(float(r["d_loss"]), rel=1e-6)

    generator = Generator(sizes)
    part = {k.removeprefix("generator."): v for k, v in weights.items() if k.startswith("g")}
    generator.load_state_dict(torch_weights(part, LAYERS))
    game = Game(generator, critic, sizes, Form(), w, 0.01)

    class Stored:
        """The stored normals as noise."""

        def normal(self, stream: str, size: int) -> np.ndarray:
            return r["eps"].numpy()

    found, _ = game.generator_loss(r["wave"], c, Stored())  # type: ignore[arg-type]
    assert float(found.detach()) == pytest.approx(float(want[0]), rel=2e-6)


def test_a_loss_sees_the_spectrum_of_the_kernel() -> None:
    """ln SA in torch beside the band-limited kernel, RotD50 and one component."""
    rng = np.random.default_rng(3)
    window = np.exp(-0.5 * ((np.arange(2048) - 700) / 250) ** 2)
    smooth = np.apply_along_axis(
        np.convolve, 2, rng.standard_normal((3, 2, 2048)), np.ones(5), "same"
    )
    acc = (smooth * window).astype(np.float32)
    periods = np.array([0.2, 0.5, 1.0, 2.0])
    found = ln_response_spectrum(torch.from_numpy(acc), 0.01, torch.from_numpy(periods).float())
    assert np.allclose(found, np.log(rotd(acc, 0.01, periods)[:, 0] * 9.80665), atol=0.05)
    alone = ln_response_spectrum(
        torch.from_numpy(acc[:, :1]), 0.01, torch.from_numpy(periods).float()
    )
    pair = np.concatenate([acc[:, :1], np.zeros_like(acc[:, :1])], axis=1)
    assert np.allclose(alone, np.log(rotd(pair, 0.01, periods, (100,))[:, 0] * 9.80665), atol=0.02)


def test_build_up_is_the_husid_curve() -> None:
    wave = torch.zeros(1, 2, 128)
    wave[0, 0, 32] = wave[0, 0, 96] = 3.0
    wave[0, 1, 64] = -1.0
    curve = build_up(wave).view(2, -1)
    assert curve.shape[1] == 64
    assert curve[0, [15, 16, 47, 48, 63]].tolist() == pytest.approx([0.0, 0.5, 0.5, 1.0, 1.0])
    assert curve[1, [31, 32]].tolist() == pytest.approx([0.0, 1.0])


def test_scatter_decides_what_a_difference_is(folder: Path) -> None:
    """Draws about the right mean cost nothing without scatter, their variance with it."""
    from gwm_hazard.training.cvae_gan.objectives import _square

    torch.manual_seed(0)
    one, other = 0.5 * torch.randn(2, 200_000)
    assert float(_square([one, other], 0.0)) == pytest.approx(0.0, abs=0.005)
    assert float(_square([one, other], 1.0)) == pytest.approx(0.25, abs=0.005)
    assert float(_square([one + 0.3, other + 0.3], 0.0)) == pytest.approx(0.09, abs=0.005)


def test_options_make_a_model_that_draws(trained_model: Any, folder: Path) -> None:
    model = trained_model
    assert model.card.name == "tiny"
    assert model.card.components == ("H1", "H2", "V")
    assert model.scenario is not None and model.form.duration
    wave = model.generate(Scenarios(mag=[5.0, 7.0], rrup=[50.0, 20.0]), 2, seed=1).acceleration
    assert np.isfinite(wave.values).all() and wave.shape == (2, 2, 3, 1024)
    curves = (folder / "run" / "fit" / "curves.csv").read_text()
    for part in ("reconstruction", "spectrum", "build_up", "prior", "critic", "dev"):
        assert part in curves


@pytest.mark.parametrize("parts", [PUBLISHED, OPTIONS], ids=["published", "options"])
def test_a_kill_changes_nothing(folder: Path, tmp_path: Path, parts: dict[str, Any]) -> None:
    settings = config(folder, **parts)
    straight = train_cvae_gan(settings, tmp_path / "straight")
    for _ in range(2):
        train_cvae_gan(settings, tmp_path / "stopped", stop_after=2)
    resumed = train_cvae_gan(settings, tmp_path / "stopped")
    files = [p.parent / "fit" / "checkpoint.safetensors" for p in (straight, resumed)]
    (one, notes), (other, _) = map(load_state, files)
    assert notes["step"] == 6 and set(one) == set(other)
    assert any("critic optimizer" in k for k in one)
    assert all(torch.equal(one[k], other[k]) for k in one)
    assert (straight / "model.safetensors").read_bytes() == (
        resumed / "model.safetensors"
    ).read_bytes()
    torch.manual_seed(settings.seed)
    fresh = dict(Generator(settings.network.sizes()).named_parameters())
    assert not torch.equal(one["generator.decoder.dense.weight"], fresh["decoder.dense.weight"])


def test_other_settings_are_refused(folder: Path, tmp_path: Path) -> None:
    train_cvae_gan(config(folder), tmp_path / "run", stop_after=1)
    with pytest.raises(InputError, match="another losses"):
        train_cvae_gan(config(folder, losses="kl = 0.1"), tmp_path / "run", stop_after=1)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"network": "duration = true\nstyle = -1"}, "style"),
        ({"network": "spectrum = 'mel'"}, "give 'linear' or 'log'"),
        ({"components": 4}, "3 components; the network is of 4"),
        ({"losses": "spectral = 1.0"}, "unknown setting 'spectral'"),
        ({"fit": "\n[data.x]"}, "data"),
    ],
)
def test_bad_settings_are_told(
    folder: Path, tmp_path: Path, parts: dict[str, Any], words: str
) -> None:
    with pytest.raises((InputError, ValueError), match=words):
        train_cvae_gan(config(folder, **parts), tmp_path / "run")


def test_the_command_knows_families(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "train.toml"
    path.write_text('family = "gan"\n')
    run = CliRunner().invoke(command, [str(path), "-o", str(tmp_path / "run")])
    assert isinstance(run.exception, InputError) and "known are highfem, cvae-gan" in str(
        run.exception
    )
    path.write_text(TINY.format(**PUBLISHED).replace('"set"', f'"{folder / "set"}"'))
    run = CliRunner().invoke(
        command, [str(path), "--from", "highfem-small", "-o", str(tmp_path / "run")]
    )
    assert isinstance(run.exception, InputError) and "--from" in str(run.exception)


def test_the_noise_of_a_step_is_its_own() -> None:
    """Two moves of the critic in one step do not see the same draw."""
    one, other = Noise(1, 5, np.arange(2), 0), Noise(1, 5, np.arange(2), 1)
    assert not np.array_equal(one.normal("latent", 3), other.normal("latent", 3))


def test_a_steered_decoder_starts_at_the_records_envelopes(folder: Path, tmp_path: Path) -> None:
    """Of its first draws, octave levels over time are those of the records, on average."""
    from gwm_hazard.models.cvae_gan.steered import SteeredDecoder
    from gwm_hazard.training.cvae_gan.records import SpectralRecords
    from gwm_hazard.training.cvae_gan.start import ln_envelopes, regression

    settings = config(folder, **OPTIONS)
    records = SpectralRecords(settings, tmp_path / "measures.npz")
    torch.manual_seed(1)
    decoder = Generator(records.sizes).decoder
    assert isinstance(decoder, SteeredDecoder)
    regression(decoder, records, 1)
    wave, condition = records.batch(records.train)
    noise = Noise(8, np.arange(len(wave)), 0, 0)
    with torch.no_grad():
        drawn = decoder(
            torch.zeros(len(wave), records.sizes.latent),
            condition,
            torch.from_numpy(noise.normal("t", decoder.texture)),
        )
    levels = len(decoder.wave)
    gap = ln_envelopes(drawn, levels) - ln_envelopes(wave, levels)
    by_level = gap.view(len(wave), levels, -1).mean(dim=(0, 2))
    assert float(by_level[1:].abs().max()) < 0.27
    rise = [
        float(e[..., 70:].mean() - e[..., :55].mean())  # P comes at 62 of 128
        for e in (ln_envelopes(x, levels).view(len(wave), -1, 128) for x in (wave, drawn))
    ]
    assert rise[0] > 0.5 and rise[1] == pytest.approx(rise[0], abs=0.4)


def test_octaves_are_told_apart() -> None:
    """A sine at 0.3 of the Nyquist frequency lies in the second octave, with its rms."""
    from gwm_hazard.training.cvae_gan.start import TIMES, ln_envelopes

    t = torch.arange(2048)
    sine = 2.0 * torch.sin(2.0 * np.pi * 0.15 * t)[None, None]
    found = ln_envelopes(sine, 3).view(3, TIMES)[:, 4:-4].mean(dim=1).exp()
    assert found[1] == pytest.approx(2.0 / 2.0**0.5, rel=0.05)
    assert max(found[0], found[2]) < 0.05
