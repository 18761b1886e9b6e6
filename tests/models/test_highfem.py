"""The networks of HighFEM and the model on them, against what the published code computed."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from gwm_hazard import Scenarios
from gwm_hazard.cli.models import models
from gwm_hazard.core.conditioning import conditioning_of
from gwm_hazard.core.noise import Noise
from gwm_hazard.errors import ModelError
from gwm_hazard.models import registry
from gwm_hazard.models.highfem import HighFEMModel, sampling
from gwm_hazard.models.highfem.config import AutoencoderConfig, UNetConfig
from gwm_hazard.models.highfem.importer import import_model
from gwm_hazard.models.highfem.layers import Upsample, fold_upsampling
from gwm_hazard.models.highfem.model import expected_shapes, standardised
from gwm_hazard.representation.log_spectrogram import published_phase


@pytest.fixture(autouse=True)
def no_gradients():
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def reference(shared):
    folder = shared / "reference/highfem"
    if not folder.is_dir():
        pytest.skip(f"needs {folder}")
    return folder


@pytest.fixture(scope="module")
def parity(reference):
    with np.load(reference / "parity_small.npz") as file:
        return {name: torch.as_tensor(file[name]) for name in file}


@pytest.fixture(scope="module")
def checkpoints(reference):
    return [reference / "edm_small.ckpt", reference / "autoencoder_small.ckpt"]


@pytest.fixture(scope="module")
def model(checkpoints):
    return import_model(checkpoints)


@pytest.fixture(scope="module")
def fast(checkpoints):
    return import_model(checkpoints, sampler="dpmpp_2m", steps="3", griffin_lim="8")


def three():
    return Scenarios(
        mag=[5.0, 6.0, 4.5],
        rhypo=[40.0, 90.0, 150.0],
        vs30=[300.0, 500.0, 800.0],
        hypo_depth=[10.0, 30.0, 60.0],
        azimuthal_gap=[60.0, 120.0, 200.0],
    )


def close(got, want, atol):
    torch.testing.assert_close(got, want, atol=atol, rtol=0, check_dtype=False)


def test_full_size_keys_and_shapes(reference):
    layout = json.loads((reference / "keys_fullsize.json").read_text())
    got = expected_shapes(UNetConfig(), AutoencoderConfig())
    want = layout["edm_ckpt"]["state_dict"]
    assert list(got) == list(want)
    assert {k: list(v) for k, v in got.items()} == want
    own = {k.removeprefix("autoencoder."): list(v) for k, v in got.items() if "autoencoder." in k}
    assert own == layout["autoencoder_ckpt"]["state_dict"]
    assert sum(np.prod(s) for s in got.values()) == layout["edm_ckpt"]["n_parameters_total"]


def test_conditions(parity):
    columns = dict(zip(("rhypo", "mag", "vs30", "hypo_depth", "azimuthal_gap"),
                       parity["cond_physical"].T.numpy(), strict=True))  # fmt: skip
    close(torch.from_numpy(standardised(Scenarios(**columns))), parity["cond"], 1e-7)


def test_autoencoder(model, parity):
    coder = model.network().autoencoder
    close(coder.encoder(parity["rep"]), parity["ae_encoder_out"], 1e-5)
    close(coder.encode(parity["rep"], parity["ae_eps"]), parity["ae_latent"], 1e-5)
    close(coder.decode(parity["ae_latent"]), parity["ae_decoded"], 1e-5)
    close(coder.decode(coder.encode(parity["rep"])), parity["ae_decoded_mean"], 1e-5)


def test_unet(model, parity):
    unet = model.network().unet
    close(unet.time_embed(parity["den_cnoise"]), parity["den_time_embed"], 1e-6)
    close(unet.embedding(parity["den_cnoise"], parity["den_cond"]), parity["den_emb"], 1e-5)
    close(
        unet(parity["den_unet_in"], parity["den_cnoise"], parity["den_cond"]),
        parity["den_unet_out"],
        1e-5,
    )


def test_denoiser(model, checkpoints, parity):
    given = parity["den_x"], parity["den_sigma"], parity["den_cond"]
    close(model.network().denoise(*given), parity["den_out"], 1e-5)
    averaged = import_model(checkpoints, weights="ema")
    close(averaged.network().denoise(*given), parity["den_out_ema"], 1e-5)
    assert averaged.card.parameters["averaging"] == "ema"
    assert (parity["den_out_ema"] - parity["den_out"]).abs().max() > 0.1


def test_heun_25_steps(model, parity):
    sigmas = sampling.karras_sigmas(25)
    close(sigmas, parity["heun_sigmas"], 0.0)
    network, states = model.network(), []

    def denoiser(x, sigma):
        states.append(x)
        return network.denoise(x, sigma, parity["cond"])

    latent = sampling.heun(denoiser, parity["heun_z"] * sigmas[0], sigmas)
    for steps in (1, 5, 10, 20):  # two calls a step; the first of the next sees the state
        close(states[2 * steps], parity[f"heun_latent_after_{steps}"], 1e-4)
    close(latent, parity["heun_latent_f64"], 1e-4)
    close(network.autoencoder.decode(latent.float()), parity["heun_decoded"], 5e-5)


def test_stochastic_sampler(model, parity):
    sigmas = sampling.karras_sigmas(25)
    seen, network = [], model.network()

    def denoiser(x, sigma):
        seen.append(float(sigma))
        return network.denoise(x, sigma, parity["cond"][:1])

    latent = sampling.heun_stochastic(
        denoiser,
        parity["heun_z"][:1] * sigmas[0],
        sigmas,
        lambda i: parity["stoch_noise_f32"][i][None],
    )
    assert seen[::2] == pytest.approx(parity["stoch_sigma_hat"].tolist(), rel=1e-6)
    close(latent, parity["stoch_latent_f64"], 1e-4)


def test_published_random_stream(model, parity):
    """The original encodes a dummy first, which takes normals of the size of the latent."""
    generator = torch.Generator().manual_seed(1234)
    shape = (2, 4, 32, 32)
    torch.randn(shape, generator=generator)
    z = torch.randn(shape, generator=generator, dtype=torch.float64)
    network = model.network()

    def denoiser(x, sigma):
        return network.denoise(x, sigma, parity["cond"][:2])

    latent = model.sample(denoiser, z, lambda i: z)
    close(network.autoencoder.decode(latent.float()), parity["seed1234_sample"], 5e-5)


def test_batch_size_does_not_matter(fast):
    """Spectrograms to float32 rounding; equal spectrograms give equal records, bit for bit."""
    noise = Noise(1, [7, 8, 9], 0, 0)
    together = fast.spectrograms(three(), noise)
    alone = torch.cat([fast.spectrograms(three().take([i]), noise.take([i])) for i in range(3)])
    close(together, alone, 1e-5)
    records = torch.cat([fast.records(together[[i]], noise.take([i])) for i in range(3)])
    close(fast.records(together, noise), records, 0.0)
    # What Griffin-Lim makes of the rounding stays below 1 % of the peak.
    alone = fast.generate(three(), n=1, seed=1, batch_size=1).acceleration.values
    together = fast.generate(three(), n=1, seed=1, batch_size=3).acceleration.values
    assert np.abs(together - alone).max() < 1e-2 * np.abs(alone).max()


@pytest.mark.parametrize("size", [(4, 4), (3, 5)])
def test_folded_upsampling(size):
    """Nearest neighbour and convolution, borders too, against torch's own in float64."""
    torch.manual_seed(1)
    plain = torch.nn.Sequential(Upsample(6), torch.nn.SiLU(), Upsample(6)).double()
    x = torch.randn(2, 6, *size, dtype=torch.float64)
    wanted = plain(x)
    fold_upsampling(plain)
    assert not any(isinstance(m, Upsample) for m in plain.modules())
    close(plain(x), wanted, 1e-12)


def test_phases_from_the_gradient(checkpoints):
    """Nearer to the spectrogram that the network drew than from the published phase."""
    options = {"sampler": "dpmpp_2m", "steps": "3", "griffin_lim": "8"}
    model = import_model(checkpoints, **options, phases="gradient")
    noise = Noise(1, [7, 8, 9], 0, 0)
    image = model.spectrograms(three(), noise)
    found = model.records(image, noise)
    published = model.representation.inverse(image, published_phase(), 8)
    wanted = model.representation.modulus(image)

    def misfit(records):
        again = model.representation.modulus(model.representation.forward(records))
        return float((again - wanted).norm() / wanted.norm())

    assert misfit(found) < misfit(published)
    close(model.records(image[1:2], noise.take([1]))[0], found[1], 0.0)


def test_draws_come_from_their_keys(fast):
    first = fast.generate(three(), n=2, seed=5).acceleration
    assert first.dims == ("scenario", "realization", "component", "time")
    assert list(first.component.values) == ["R", "T", "Z"]
    assert first.sizes["time"] == 4064
    assert np.isfinite(first.values).all()
    again = fast.generate(three(), n=2, seed=5).acceleration
    np.testing.assert_array_equal(first, again)
    one = fast.spectrograms(three().take([1]), Noise(5, 1, 0, 1))
    two = fast.spectrograms(three().take([1, 1]), Noise(5, [1, 1], 0, [0, 1]))
    close(one[0], two[1], 1e-5)
    assert (two[0] - two[1]).abs().max() > 0.1


@pytest.mark.parametrize(
    ("sampler", "evaluations"), [("heun", 5), ("heun_stochastic", 5), ("dpmpp_2m", 3)]
)
def test_samplers_of_the_model(checkpoints, sampler, evaluations):
    model = import_model(checkpoints, sampler=sampler, steps="3")
    calls = []
    network = model.network()
    plain = network.denoise
    network.denoise = lambda *args, **kwargs: calls.append(1) or plain(*args, **kwargs)
    image = model.spectrograms(three(), Noise(1, [0, 1, 2], 0, 0))
    assert image.shape == (3, 3, 128, 128)
    assert len(calls) == evaluations == model.evaluations


def test_bfloat16_is_close(checkpoints, fast):
    model = import_model(checkpoints, sampler="dpmpp_2m", steps="3", precision="bfloat16")
    noise = Noise(1, [0, 1, 2], 0, 0)
    difference = model.spectrograms(three(), noise) - fast.spectrograms(three(), noise)
    assert 0.0 < difference.square().mean().sqrt() < 0.02


def test_random_phases_change_only_the_phases(fast):
    parameters = fast.card.parameters | {"phases": "random", "griffin_lim": 200}
    parameters.pop("weights_sha256")
    model = HighFEMModel(weights=fast.weights, **parameters)
    noise = Noise(1, [0, 1, 2], 0, 0)
    image = fast.representation.forward(fast.records(fast.spectrograms(three(), noise), noise))
    a, b = fast.records(image, noise), model.records(image, noise)
    assert (a - b).abs().max() > 0.1 * a.abs().max()
    np.testing.assert_array_equal(b, model.records(image, noise))
    modulus = fast.representation.modulus(image)
    found = fast.representation.modulus(fast.representation.forward(b))
    assert torch.linalg.norm(found - modulus) / torch.linalg.norm(modulus) < 0.15


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sampler": "euler"}, "sampler = 'euler': give one of heun"),
        ({"precision": "float16"}, "precision = 'float16'"),
        ({"phases": "zero"}, "phases = 'zero'"),
        ({"steps": 1}, "steps = 1: give a whole number from 2"),
        ({"griffin_lim": -1}, "griffin_lim = -1"),
        ({"unet": {"model_channels": 64, "in_channels": 4, "out_channels": 4}}, "weight 'unet"),
        ({"unet": {"model_channels": 10**9}}, "model_channels = 1000000000"),
        ({"unet": {"model_channels": 48}}, "expected a multiple of 32"),
    ],
)
def test_bad_parameters(fast, change, message):
    parameters = {k: v for k, v in fast.card.parameters.items() if k != "weights_sha256"}
    with pytest.raises(ValueError, match=message):
        HighFEMModel(weights=fast.weights, **(parameters | change))


def test_card(fast):
    card = fast.card
    assert card.condition_names == ("rhypo", "mag", "vs30", "hypo_depth", "azimuthal_gap")
    assert not card.between_event
    assert "Apache-2.0" in card.licence
    assert any("2410.19343" in line for line in card.citation)
    json.dumps(card.to_dict())
    outside = three()
    with pytest.raises(ValueError, match="mag = 3"):
        card.check(Scenarios(**{**{n: outside[n] for n in card.condition_names}, "mag": [3.0] * 3}))


def test_what_openquake_cannot_give_is_fixed_or_varied(fast):
    given = conditioning_of(fast.card)
    assert given.priors == ("azimuthal_gap",)
    assert given.asked == ("rhypo", "mag", "vs30", "hypo_depth")
    fixed = conditioning_of(fast.card, distance="rhypo", fixed="azimuthal_gap = 90")
    assert (fixed.fixed, fixed.priors) == ({"azimuthal_gap": 90.0}, ())


def test_a_pickled_model_carries_no_network(fast):
    fast.network()
    copy = pickle.loads(pickle.dumps(fast))
    assert copy._loaded is None
    noise = Noise(1, [0, 1, 2], 0, 0)
    close(copy.spectrograms(three(), noise), fast.spectrograms(three(), noise), 0.0)


def test_import_on_the_command_line(checkpoints, tmp_path):
    out = tmp_path / "hf"
    options = ["--option", "sampler=dpmpp_2m", "--option", "steps=3", "--option", "griffin_lim=4"]
    paths = [str(p) for p in reversed(checkpoints)]
    found = CliRunner().invoke(models, ["import", "highfem", *paths, "-o", str(out), *options])
    assert found.exit_code == 0, found.output
    assert "Apache-2.0" in found.output
    loaded = registry.load_model(out, "cpu")
    assert (loaded.sampler, loaded.steps) == ("dpmpp_2m", 3)
    assert "one draw of peak" in registry.verify_model(out)
    with pytest.raises(ModelError, match="option colour"):
        registry.import_model("highfem", checkpoints, out, colour="red")
