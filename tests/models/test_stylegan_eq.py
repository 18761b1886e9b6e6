"""StyleGAN-EQ: the generator against published arrays, its operators, images and motions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy.signal import upfirdn

from gwm_hazard import Noise, Scenarios
from gwm_hazard.errors import InputError, ModelError
from gwm_hazard.models.registry import import_model
from gwm_hazard.models.stylegan_eq import StyleGANEQModel, importer
from gwm_hazard.models.stylegan_eq.control import (
    LatentControl,
    ScenarioFeatures,
    chosen,
    features,
)
from gwm_hazard.models.stylegan_eq.design import Design
from gwm_hazard.models.stylegan_eq.model import steering_weights
from gwm_hazard.models.stylegan_eq.network import (
    Generator,
    filters_as_matrices,
    weight_shapes,
)
from gwm_hazard.models.weights import Weights
from gwm_hazard.representation.linear_spectrogram import amplitudes, waveforms
from gwm_hazard.testing import check_model

TINY = Design(z_dim=6, w_dim=8, channel_base=128, channel_max=4)
REDUCED = Design(z_dim=48, w_dim=64, channel_base=512, channel_max=40)


@pytest.fixture(scope="module")
def reference(shared: Path) -> Path:
    return shared / "reference" / "stylegan_eq"


@pytest.fixture(scope="module")
def parity(reference: Path) -> dict[str, torch.Tensor]:
    with np.load(reference / "parity_small.npz") as file:
        return {k: torch.from_numpy(file[k]) for k in file.files}


@pytest.fixture(scope="module")
def reduced(reference: Path) -> Generator:
    network = Generator(REDUCED).requires_grad_(False).eval()
    network.load_state_dict(load_file(reference / "generator_small.safetensors"))
    return network


def tiny(**parameters: Any) -> StyleGANEQModel:
    torch.manual_seed(5)
    weights = Weights.of(Generator(TINY).state_dict())
    return StyleGANEQModel(
        weights=weights, design=TINY.to_dict(), **({"iterations": 2} | parameters)
    )


def test_the_full_size_design_is_the_published(reference: Path) -> None:
    told = json.loads((reference / "keys_fullsize.json").read_text())
    shapes = {k: list(s) for k, s in weight_shapes(Design()).items()}
    assert shapes == told["generator_state_dict"]
    assert told["generator_parameters"] == 20_872_724
    for mine, theirs in zip(Design().layers(), told["layers"], strict=True):
        assert mine.name == theirs["name"]
        assert mine.cutoff == pytest.approx((theirs["in_cutoff"], theirs["out_cutoff"]))
        assert mine.half_width == pytest.approx((theirs["in_half_width"], theirs["out_half_width"]))


def test_filters_are_the_stored_ones(reference: Path) -> None:
    stored = load_file(reference / "generator_small.safetensors")
    fresh = Generator(REDUCED).state_dict()
    assert {k: t.shape for k, t in fresh.items()} == {k: t.shape for k, t in stored.items()}
    names = [k for k in stored if k.endswith("_filter")]
    assert len(names) == 28
    assert all(torch.allclose(fresh[k], stored[k], rtol=0, atol=1e-7) for k in names)


def test_styles_are_the_published(parity: Any, reduced: Generator) -> None:
    w = reduced.mapping(parity["z"])
    top = float(parity["w"].abs().max())
    assert torch.allclose(w, parity["w"], rtol=0, atol=1e-6 * top)
    assert torch.allclose(reduced.mapping(parity["z"], 0.7), parity["w_psi0.7"], rtol=0, atol=2e-6)
    assert torch.allclose(reduced.synthesis.input.moved(w), parity["in_t"], rtol=0, atol=1e-6)


def test_activations_are_the_published(parity: Any, reduced: Generator) -> None:
    w = parity["w"][:2]
    x = reduced.synthesis.input(w)
    assert torch.allclose(x[0], parity["act_input_full0"], rtol=0, atol=1e-5)
    for i, name in enumerate(reduced.synthesis.names):
        x = reduced.synthesis.get_submodule(name)(x, w)
        sample = x.flatten(1)[:, ::97][:, :256]
        assert torch.allclose(sample, parity[f"act_{name}_sample"], rtol=0, atol=1e-5), name
        if f"act_L{i}_full0" in parity:
            assert torch.allclose(x[0], parity[f"act_L{i}_full0"], rtol=0, atol=1e-5), name


def test_images_are_the_published(parity: Any, reduced: Generator) -> None:
    z, w = parity["z"], parity["w"]
    assert torch.allclose(reduced(z[:2]), parity["img_psi1"][:2], rtol=0, atol=1e-5)
    assert torch.allclose(reduced(z[:1], 0.7), parity["img_psi0.7"][:1], rtol=0, atol=1e-5)
    cut = parity["ws_psi0.5_cut8"][:1]
    assert torch.allclose(reduced.synthesis(cut), parity["img_psi0.5_cut8"], rtol=0, atol=1e-5)
    mixed = w[:1, None].repeat(1, 16, 1)
    mixed[:, parity["mix_layers"]] = w[1]
    assert torch.allclose(reduced.synthesis(mixed), parity["img_mix"], rtol=0, atol=1e-5)
    kept = reduced.synthesis.input.transform.clone()
    try:
        reduced.synthesis.input.transform.copy_(parity["user_transform"])
        moved = reduced.synthesis(w[:1])
        assert torch.allclose(moved, parity["img_user_transform"], rtol=0, atol=1e-5)
    finally:
        reduced.synthesis.input.transform.copy_(kept)


@pytest.mark.parametrize("case", ["up2", "up4", "crop"])
def test_the_filtered_non_linearity_is_the_published(
    parity: Any, reduced: Generator, case: str
) -> None:
    up, down, *padding, index = parity[f"flrelu_{case}_par"].tolist()
    layer = reduced.synthesis.get_submodule(reduced.synthesis.names[index])
    assert (layer.layer.up, layer.layer.down) == (up, down)
    x = parity[f"flrelu_{case}_x"] + parity[f"flrelu_{case}_b"][:, None, None]
    first, second = filters_as_matrices(
        layer.up_filter, layer.down_filter, up, down, padding[0], padding[1], x.shape[-1]
    )
    y = torch.nn.functional.leaky_relu(first @ x @ first.T, 0.2) * 2**0.5
    found = second @ y.clamp(-256, 256) @ second.T
    assert torch.allclose(found, parity[f"flrelu_{case}_y"], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("up", "down", "low", "high"), [(2, 2, 9, 8), (4, 2, -6, -9), (2, 2, -11, -12), (1, 2, 3, 4)]
)
def test_matrices_are_scipys_filters(up: int, down: int, low: int, high: int) -> None:
    rng = np.random.default_rng(1)
    x, one, other = rng.standard_normal(30), rng.standard_normal(6 * up), rng.standard_normal(12)
    one, other = one + one[::-1], other + other[::-1]  # symmetric, as all here are
    first, second = filters_as_matrices(
        torch.from_numpy(one), torch.from_numpy(other), up, down, low, high, 30
    )
    zeros = np.zeros(30 * up)
    zeros[::up] = x
    padded = np.pad(zeros, (max(low, 0), max(high, 0)))
    padded = padded[max(-low, 0) : len(padded) - max(-high, 0)]
    between = upfirdn(one * up, padded)[len(one) - 1 : len(padded)]
    assert np.allclose(first.numpy() @ x, between)
    after = upfirdn(other, between)[len(other) - 1 : len(between)][::down]
    assert np.allclose(second.numpy() @ between, after)


def test_a_convolution_by_style_is_one_with_other_weights() -> None:
    """Scaling what goes in and comes out is folding the style into the weights."""
    torch.manual_seed(2)
    layer = Generator(TINY).synthesis.get_submodule(TINY.layers()[6].name)
    into = layer.layer.channels[0]
    x, style = torch.randn(2, into, 9, 9), torch.randn(2, into)
    found = layer.convolved(x, style, torch.tensor(1.0))
    for i in range(2):
        w = layer.weight / layer.weight.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
        s = style[i] / style[i].square().mean().sqrt()
        w = w * s[:, None, None]
        w = w / (w.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
        want = torch.nn.functional.conv2d(x[i : i + 1], w, padding=2)
        assert torch.allclose(found[i : i + 1], want, atol=1e-5)
        assert float(w.square().sum()) == pytest.approx(layer.layer.channels[1], rel=1e-4)


def test_spectrograms_and_griffin_lim_are_the_published(reference: Path) -> None:
    with np.load(reference / "parity_gla.npz") as file:
        r = {k: file[k] for k in file.files}
    found = amplitudes(torch.from_numpy(r["wave"])).numpy()
    top = r["amp_constant"].max()
    assert np.allclose(found, r["amp_constant"], rtol=0, atol=1e-12 * top)
    image = torch.from_numpy(r["png"] / 255.0)
    phase = torch.from_numpy(2 * np.pi * r["phase_u"]).expand(2, -1, -1)
    for n in (1, 8, 32):
        made = waveforms(image, phase, n).numpy()
        assert np.allclose(made[0], r[f"gla_c128_{n}"], rtol=0, atol=1e-10)
        assert np.allclose(made, r[f"gla_reflect_{n}"], rtol=0, atol=2e-5)


@pytest.mark.slow
def test_a_thousand_iterations_are_the_published(reference: Path) -> None:
    with np.load(reference / "parity_gla.npz") as file:
        image = torch.from_numpy(file["png"][:1] / 255.0)
        phase = torch.from_numpy(2 * np.pi * file["phase_u"])[None]
        for n in (128, 1000):
            made = waveforms(image, phase, n).numpy()[0]
            assert np.allclose(made, file[f"gla_c128_{n}"], rtol=0, atol=1e-10)
            assert np.allclose(made, file[f"gla_reflect_{n}"][0], rtol=0, atol=2e-5)


def test_the_published_file_is_imported(reference: Path, tmp_path: Path, parity: Any) -> None:
    """To the bit, of G_ema and not of G, and the source in it, which raises, is not executed."""
    model = import_model(
        "stylegan-eq", [reference / "network_small.pkl"], tmp_path / "m", iterations="3"
    )
    assert isinstance(model, StyleGANEQModel) and model.weights is not None
    stored = load_file(reference / "generator_small.safetensors")
    assert set(model.weights.tensors) == set(stored)
    assert all(torch.equal(model.weights.tensors[k], stored[k]) for k in stored)
    assert "non-commercial" in model.card.licence
    assert any("12.4 Hz" in line for line in model.card.limitations)
    assert any("No level" in line for line in model.card.limitations)
    image = model.images(parity["w"][:1])
    assert torch.allclose(
        image[:, None], ((parity["img_psi1"][:1] + 1) / 2).clamp(0, 10), atol=1e-5
    )


@pytest.mark.parametrize("components", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_the_model_keeps_the_rules(components: int) -> None:
    model = tiny(components=components)
    check_model(model, rounding=1e-4)
    drawn = model.draw(Scenarios(mag=[6.0, 6.0]), Noise(1, np.arange(2), 0, 0))
    assert torch.allclose(drawn.abs().amax(dim=2), torch.ones(2, components))


def test_components_share_a_part_of_their_latent() -> None:
    model = tiny(pairing=0.64)
    noise = Noise(3, np.arange(4000), 0, 0)
    one, other = (model.normals(noise, c)[:, 0] for c in ("H1", "H2"))
    assert np.corrcoef(one, other)[0, 1] == pytest.approx(0.64, abs=0.03)
    assert one.std() == pytest.approx(1.0, abs=0.04)


def test_a_steered_model_follows_the_scenario(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Imported with latents measured here: features asked for grow with magnitude as they do in the
    waveforms of the stochastic model, and a draw is a pure function of its key."""
    from tests.models.network_files import network, written

    torch.manual_seed(5)
    state = {k: t.numpy() for k, t in Generator(TINY).state_dict().items()}
    kwargs = {
        "z_dim": 6, "c_dim": 0, "w_dim": 8, "img_resolution": 128, "img_channels": 1,
        "mapping_kwargs": {"num_layers": 2}, "channel_base": 128, "channel_max": 4,
        "magnitude_ema_beta": 0.999,
    }  # fmt: skip
    (tmp_path / "n.pkl").write_bytes(written({"G_ema": network(state, kwargs), "D": None}))
    monkeypatch.setattr(importer, "_SCENARIOS", 60)
    monkeypatch.setattr(importer.shown_by, "__defaults__", (60,))
    options = {"iterations": "2", "latents": "48", "components": "1", "mag": "4.5,6.5"}
    model = import_model("stylegan-eq", [tmp_path / "n.pkl"], tmp_path / "m", **options)
    assert isinstance(model, StyleGANEQModel) and model.scenario is not None
    assert model.card.condition_names[0::2] == ("mag", "vs30")
    # duration, the third feature, grows with magnitude
    assert model.scenario.coefficients[1, 2] > 0
    noise = Noise(1, np.arange(3), 0, 0)
    table = Scenarios(mag=[5.0, 6.0, 5.5], rrup=[20.0, 90.0, 40.0], vs30=[400.0, 500.0, 700.0])
    drawn = model.draw(table, noise)
    one = np.array([2])
    assert torch.equal(model.draw(table.take(one), noise.take(one)), drawn[2:])
    with pytest.raises(ModelError, match="no file with arrays"):
        import_model(
            "stylegan-eq", [tmp_path / "n.pkl"], tmp_path / "x", **(options | {"latents": "n.npz"})
        )


def spots(styles: torch.Tensor) -> torch.Tensor:
    """Images of one pixel, whose row and column follow two numbers of a style, not linearly."""
    image = torch.zeros(len(styles), 128, 128)
    row = (64 + 25 * torch.tanh(styles[:, 0])).round().long()
    column = (40 + 12 * torch.tanh(styles[:, 1] + 0.5 * styles[:, 0])).round().long()
    image[torch.arange(len(styles)), row, column] = 1.0
    return image


def test_corrections_bring_images_to_what_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("f_primary", "t_primary")
    w = np.random.default_rng(8).standard_normal((500, 8))
    control = LatentControl.fit(w, features(spots(torch.from_numpy(w)).numpy()), names)
    still = ScenarioFeatures(("mag", "rrup", "vs30"), names, np.zeros((5, 2)), np.zeros((2, 2)))
    torch.manual_seed(5)
    state = Generator(TINY).state_dict() | steering_weights(control, still)
    monkeypatch.setattr(StyleGANEQModel, "images", lambda self, styles: spots(styles))
    rng = np.random.default_rng(9)
    asked = np.stack([rng.uniform(50, 78, 200), rng.uniform(34, 46, 200)], axis=1)
    normals = rng.standard_normal((200, 8)).astype(np.float32)
    misfits = []
    for corrections in (0, 4):
        model = StyleGANEQModel(
            weights=Weights.of(state), design=TINY.to_dict(), steered=names,
            ranges={"mag": (4, 7), "rrup": (1, 9), "vs30": (300, 400)}, corrections=corrections,
        )  # fmt: skip
        image = model.steered_images(normals, asked)
        found = chosen(features(image.numpy()), names)
        misfits.append(np.sqrt(((found - asked) ** 2).mean(axis=0)))
        part = model.steered_images(normals[7:9], asked[7:9])
        assert torch.equal(part, image[7:9])
    assert (misfits[1] < 0.5 * misfits[0]).all()


def test_parameters_that_cannot_be() -> None:
    three = {"mag": (4, 7), "rrup": (1, 9), "vs30": (300, 400)}
    for change, words in (
        ({"iterations": 0}, "iterations = 0"),
        ({"components": 2}, "components = 2"),
        ({"pairing": 1.5}, "pairing"),
        ({"corrections": -1}, "corrections = -1"),
        ({"steered": ["colour"], "ranges": three}, "colour"),
        ({"steered": ["energy"], "psi": 0.5}, "psi"),
        ({"steered": ["energy"], "ranges": {"mag": (4, 7)}}, "takes mag, a distance"),
        ({"design": TINY.to_dict() | {"resolution": 64}}, "resolution = 64"),
        ({"design": {"colour": 1}}, "colour"),
    ):  # fmt: skip
        weights = tiny().weights
        with pytest.raises(InputError, match=words):
            StyleGANEQModel(weights=weights, **({"design": TINY.to_dict()} | change))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="channel_max = 1"):
        Design(channel_max=1)
