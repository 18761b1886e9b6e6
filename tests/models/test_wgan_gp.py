"""WGAN-GP: networks against the published ones, scaling, importer, models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gwm_hazard import Noise, Scenarios, load_model
from gwm_hazard.errors import InputError, ModelError
from gwm_hazard.models.registry import import_model
from gwm_hazard.models.weights import Weights
from gwm_hazard.models.wgan_gp import WGANGPModel
from gwm_hazard.models.wgan_gp.network import (
    ConditionalCritic,
    ConditionalGenerator,
    PipelineCritic,
    critic_of,
    generator_of,
    weight_shapes,
    weights_of,
)
from gwm_hazard.models.wgan_gp.scaling import Scaling, Span
from gwm_hazard.models.wgan_gp.sizes import (
    FLOREZ,
    ITACA,
    SEISMOGEN,
    ConditionalSizes,
    PipelineSizes,
    read_sizes,
)
from gwm_hazard.testing import check_model

SMALL = ConditionalSizes(
    latent=5, row=12, rows=20, wave=16, start=3, blocks=((6, 6), (4, 4)), embedding=(4,),
    amplitude=(8,), head="linear", critic=(4, 8), critic_embedding=8, critic_dense=(6,),
    critic_kernel=8,
)  # fmt: skip
SMALL_PIPES = PipelineSizes(
    latent=20, samples=100, sampling_rate_hz=20.0, kernel=8, first=2, hidden=3, critic_kernel=4,
    band=3, critic=(4, 2),
)  # fmt: skip
SCALING = {
    "conditions": {
        "rhypo": {"low": 10.0, "high": 200.0, "log": True},
        "mag": {"low": 4.0, "high": 7.0},
        "vs30": {"low": 150.0, "high": 1500.0, "log": True},
    },
    "log10_peak": [-4.0, 1.0],
}


def small(sizes: Any = SMALL, **parameters: Any) -> WGANGPModel:
    torch.manual_seed(3)
    network = generator_of(sizes)
    for name, b in network.named_buffers():  # moments that do something
        if name.endswith("running_var"):
            b.uniform_(0.5, 1.5)
    if sizes is SMALL:
        parameters.setdefault("scaling", SCALING)
    return WGANGPModel(weights=Weights.of(weights_of(network)), sizes=sizes.to_dict(), **parameters)


def by_formula(index: int, key: str, shape: list[int]) -> np.ndarray[Any, Any]:
    """Weights of the parity vectors: the hash that the reference describes."""
    low = np.uint64(0xFFFFFFFF)
    j = np.arange(int(np.prod(shape)), dtype=np.uint64)
    x = (j + np.uint64(1000003 * index + 1)) & low
    x ^= x >> np.uint64(16)
    x = x * np.uint64(0x85EBCA6B) & low
    x ^= x >> np.uint64(13)
    x = x * np.uint64(0xC2B2AE35) & low
    x ^= x >> np.uint64(16)
    u = x / 2.0**32
    if "batchnorm" in key and key.endswith(("weight", "running_var")):
        value = 0.5 + u
    elif key.endswith(("bias", "running_mean")):
        value = 0.1 * (2.0 * u - 1.0)
    else:
        value = (2.0 * u - 1.0) * np.sqrt(6.0 / np.prod(shape[1:]))
    return value.astype(np.float32).reshape(shape)


@pytest.fixture(scope="module")
def parity(shared: Path) -> dict[str, torch.Tensor]:
    with np.load(shared / "reference" / "wgan_gp" / "florez_parity.npz") as file:
        found = {k: torch.from_numpy(file[k]) for k in file.files}
    found["v"] = torch.cat([found["v_dist"], found["v_mag"], found["v_vs30"]], dim=1)
    return found


@pytest.fixture(scope="module")
def published(shared: Path) -> dict[str, dict[str, torch.Tensor]]:
    """States of generator and critic, in the published layout."""
    path = shared / "reference" / "wgan_gp" / "florez_keys.json"
    states: dict[str, dict[str, torch.Tensor]] = {}
    for kind, entries in json.loads(path.read_text()).items():
        states[kind] = {}
        for e in entries:
            value = by_formula(e["index"], e["key"], e["shape"])
            assert value.astype(np.float64).sum() == pytest.approx(e["sum"], abs=1e-6)
            states[kind][e["key"]] = torch.from_numpy(value)
    return states


def flat(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {k: t[..., 0] if t.dim() == 4 else t for k, t in state.items()}


def test_the_published_generator(parity: Any, published: Any) -> None:
    network = ConditionalGenerator(FLOREZ).eval()
    assert sum(p.numel() for p in network.parameters()) == 10_118_323
    network.load_state_dict(flat(published["generator"]), strict=False)
    seen: dict[str, torch.Tensor] = {}
    for name in ("fc00", "batchnorm00", "embed1", "embed3", "conv0c", "conv1", "conv5f", "conv6"):
        network.get_submodule(name).register_forward_hook(
            lambda module, _, out, name=name: seen.update({name: out})
        )
    with torch.inference_mode():
        wave, peaks = network(parity["z"].flatten(1), parity["v"])
    assert torch.allclose(wave, parity["g_wave"], rtol=0, atol=1e-5)
    assert torch.allclose(peaks, parity["g_lcn"], rtol=0, atol=1e-5)
    for name in ("fc00", "batchnorm00", "embed1", "embed3"):
        assert torch.allclose(seen[name][:2], parity[f"g_{name}"], rtol=1e-5, atol=1e-5)
    for name in ("conv0c", "conv1"):
        assert torch.allclose(seen[name][:2], parity[f"g_{name}"][..., 0], rtol=1e-5, atol=1e-5)
    assert torch.allclose(seen["conv6"][:1], parity["g_conv6"][..., 0], rtol=1e-5, atol=2e-5)


def test_the_published_critic_and_its_gradient(parity: Any, published: Any) -> None:
    network = ConditionalCritic(FLOREZ)
    assert sum(p.numel() for p in network.parameters()) == 48_053_673
    network.load_state_dict(flat(published["critic"]))
    wave, peaks = (parity[k].clone().requires_grad_() for k in ("g_wave", "g_lcn"))
    score = network(wave, peaks, parity["v"])
    assert torch.allclose(score, parity["d_score"], rtol=0, atol=2e-5)
    by_wave, by_peaks = torch.autograd.grad(score.sum(), (wave, peaks))
    norm = torch.cat([by_wave.flatten(1), by_peaks], dim=1).norm(dim=1)
    assert torch.allclose(norm, parity["d_gradnorm"], rtol=1e-4)
    top = float(parity["d_grad_lcn"].abs().max())
    assert torch.allclose(by_peaks, parity["d_grad_lcn"], rtol=0, atol=1e-4 * top)
    top = float(parity["d_grad_wave_rec0"].abs().max())
    assert torch.allclose(by_wave[0], parity["d_grad_wave_rec0"], rtol=0, atol=1e-4 * top)


def test_the_published_scaling(shared: Path) -> None:
    with np.load(shared / "reference" / "wgan_gp" / "florez_preprocess.npz") as file:
        r = {k: file[k] for k in file.files}
    logs = np.log10(r["peak"])
    names = {"rhypo": "dist", "mag": "mag", "vs30": "vs30"}
    scaling = Scaling(
        {k: Span(float(r[v].min()), float(r[v].max())) for k, v in names.items()},
        (float(logs.min()), float(logs.max())),
    )
    wave, peaks = scaling.normalised(r["waves"])
    assert peaks is not None
    assert np.allclose(wave, r["waves_norm"], rtol=1e-12, atol=1e-15)
    assert np.allclose(peaks, r["lcn"], rtol=1e-12, atol=1e-14)
    condition = scaling.condition({k: r[v] for k, v in names.items()})
    assert np.allclose(condition, r["v"].T, rtol=1e-12, atol=1e-15)
    assert np.allclose(scaling.physical(wave, peaks), r["waves"], rtol=1e-12)


def test_the_published_state_is_imported(parity: Any, published: Any, tmp_path: Path) -> None:
    state = {f"module.{k}": v for k, v in published["generator"].items()}
    state["module.batchnorm1.num_batches_tracked"] = torch.tensor(7)
    torch.save({"state_dict": state}, tmp_path / "gen.pt")
    spans = {"distance": "1,180", "mag": "4.5,8", "vs30": "100,2000"}
    with pytest.raises(
        ModelError, match=r"log10_peak = '': give --option log10_peak=LOW.*the weights do not hold"
    ):
        import_model("florez", [tmp_path / "gen.pt"], tmp_path / "m", **spans)
    spans["log10_peak"] = "-5,1.2"
    model = import_model("florez", [tmp_path / "gen.pt"], tmp_path / "m", **spans)
    assert isinstance(model, WGANGPModel) and "MIT" in model.card.licence
    assert model.card.distance == "rhypo"
    wave, peaks = model.made(parity["z"].flatten(1).numpy(), parity["v"].numpy())
    assert np.allclose(wave, parity["g_wave"].numpy(), rtol=0, atol=1e-5)
    drawn = model.generate(Scenarios(rhypo=[40.0], mag=[6.0], vs30=[400.0]), n=2, seed=1)
    assert drawn["acceleration"].shape == (1, 2, 3, 4000)
    del state["module.conv6.bias"]
    torch.save(state, tmp_path / "short.pt")
    with pytest.raises(ModelError, match=r"'conv6.bias' is missing"):
        import_model("florez", [tmp_path / "short.pt"], tmp_path / "n", **spans)


@pytest.mark.parametrize(
    ("sizes", "lengths"), [(SEISMOGEN, (1600, 800, 30)), (ITACA, (8000, 4000, 149))]
)
def test_lengths_of_the_pipelines(sizes: PipelineSizes, lengths: tuple[int, ...]) -> None:
    """Those of the figures and of the thesis: waveform, branches of the critic, scores."""
    critic = PipelineCritic(sizes)
    seen = []
    critic.merged[-1].register_forward_hook(lambda m, i, out: seen.append(out.shape))
    critic.merged[0].register_forward_hook(lambda m, i, out: seen.append(i[0].shape))
    generator = generator_of(sizes).eval()
    with torch.inference_mode():
        wave, peaks = generator(torch.randn(1, sizes.normals), torch.ones(1, 1))
        assert critic(wave, None, torch.ones(1, 1)).shape == (1, 1)
    assert peaks is None and wave.shape == (1, 3, lengths[0])
    assert (seen[1], seen[0][1]) == ((1, 24, lengths[2]), 96)
    assert critic.frames == lengths[1]


def test_bands_of_the_critic() -> None:
    """A sine below the threshold is in the low band, one above in the high one."""
    critic = PipelineCritic(SEISMOGEN)
    t = torch.arange(1600) / 40.0
    slow, fast = torch.sin(2 * np.pi * 2.0 * t), torch.sin(2 * np.pi * 8.0 * t)
    low, high = critic.bands((slow + fast).expand(1, 3, -1))
    assert torch.allclose(low[0, 0], slow, atol=1e-4)
    assert torch.allclose(high[0, 1], fast, atol=1e-4)


def test_one_latent_and_three_pipelines() -> None:
    """The label is heard; the three components are of own weights and of one latent."""
    model = small(SMALL_PIPES)
    normals = Noise(1, np.arange(2), 0, 0).normal("latent", 20)
    quake, _ = model.made(normals, np.ones((2, 1)))
    silence, _ = model.made(normals, np.zeros((2, 1)))
    assert not np.allclose(quake, silence)
    assert not np.allclose(quake[:, 0], quake[:, 1])
    assert np.array_equal(quake[:1], model.made(normals[:1], np.ones((1, 1)))[0])


@pytest.mark.parametrize("sizes", [SMALL, SMALL_PIPES])
def test_models_keep_the_rules(sizes: Any, tmp_path: Path) -> None:
    from gwm_hazard.models.registry import save_model

    model = small(sizes)
    check_model(model, rounding=1e-5)
    again = load_model(save_model(model, tmp_path / "m"), "cpu")
    assert again.card == model.card
    assert any("no level" in line for line in model.card.limitations) == (sizes is SMALL_PIPES)


def test_amplitudes_are_those_of_the_second_output() -> None:
    model = small()
    sc = Scenarios(rhypo=[20.0, 150.0], mag=[5.0, 6.5], vs30=[300.0, 800.0])
    noise = Noise(5, np.arange(2), 0, 0)
    wave, peaks = model.made(noise.normal("latent", 15), model.scaling.condition(sc))
    assert peaks is not None
    drawn = model.draw(sc, noise).numpy()
    assert np.allclose(drawn, wave * 10.0 ** (-4.0 + 2.5 * (peaks[:, :, None] + 1.0)), rtol=1e-5)
    # by logarithm, as the small model takes it: sqrt(10 * 200) km lies in the middle
    half = model.scaling.conditions["rhypo"].scaled(np.array([np.sqrt(2000.0)]))
    assert half == pytest.approx(0.5)


def test_sizes_and_parts_that_do_not_fit() -> None:
    assert read_sizes(SMALL.to_dict()) == SMALL
    assert critic_of(SMALL).fc2.in_features == 8 * 6  # type: ignore[union-attr, operator]
    for changes, words in (
        ({"head": "relu"}, "head = 'relu'"),
        ({"start": 7}, "must divide"),
        ({"critic_embedding": 48}, "multiple of critic_embedding"),
        ({"kernel": 4}, "kernel must be odd"),
        ({"latent": -1}, "latent = -1"),
        ({"form": "other"}, "form = 'other'"),
        ({"colour": 1}, "colour"),
    ):
        with pytest.raises(InputError, match=words):
            read_sizes(SMALL.to_dict() | changes)
    with pytest.raises(InputError, match="threshold_hz"):
        PipelineSizes(threshold_hz=25.0)
    with pytest.raises(InputError, match="makes amplitudes"):
        small(scaling=SCALING | {"log10_peak": None})
    with pytest.raises(InputError, match="takes no conditions"):
        small(SMALL_PIPES, scaling=SCALING)
    with pytest.raises(InputError, match="label"):
        small(SMALL_PIPES, label=2.0)
    weights = {k: torch.zeros(s) for k, s in weight_shapes(generator_of(SMALL)).items()}
    weights["fc00.weight"] = torch.zeros(2, 2)
    with pytest.raises(ModelError, match=r"fc00.weight"):
        WGANGPModel(weights=Weights.of(weights), sizes=SMALL.to_dict(), scaling=SCALING)
