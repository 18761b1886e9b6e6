"""CVAE-GAN against the numbers of the published classes, its importer, and what a model keeps."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from safetensors.numpy import load_file

import gwm_hazard as gwm
from gwm_hazard.core.spectra import Spectra
from gwm_hazard.errors import InputError, ModelError
from gwm_hazard.intensity import rotd
from gwm_hazard.models.cvae_gan import CVAEGANModel
from gwm_hazard.models.cvae_gan.form import Form
from gwm_hazard.models.cvae_gan.importer import CRITIC_LAYERS, LAYERS, torch_weights
from gwm_hazard.models.cvae_gan.network import Critic, Generator, latent_of, same, weight_shapes
from gwm_hazard.models.cvae_gan.scenario import ScenarioSpectra
from gwm_hazard.models.cvae_gan.sizes import Sizes
from gwm_hazard.models.registry import import_model, verify_model
from gwm_hazard.models.weights import Weights
from gwm_hazard.testing import check_model
from tests.files import bundles

REFERENCE = Sizes(latent=10, encoder=(8, 12, 16), decoder=(12, 8, 6), start=8, critic=(4, 6, 8, 10))
#: As many numbers as a test needs.
TINY = Sizes(
    samples=512, components=3, ordinates=12, extras=2, latent=4, encoder=(4, 4, 8),
    decoder=(8, 8, 6), start=8, kernel=3, critic=(4, 4), style=12,
)  # fmt: skip
FORM = Form(0.05, 4.0, spectrum="log", level=True, duration=True, highpass_hz=0.1)
RANGES = {"mag": (4.0, 8.0), "rrup": (1.0, 200.0)}


# --- the published numbers -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def reference(shared: Path) -> dict[str, Any]:
    folder = shared / "reference" / "cvae_gan"
    with np.load(folder / "parity_small.npz") as file:
        values = {k: torch.from_numpy(file[k]) for k in file.files}
    weights = {
        k: torch.from_numpy(v) for k, v in load_file(folder / "weights_small.safetensors").items()
    }
    parts = {
        part: {k.removeprefix(part + "."): v for k, v in weights.items() if k.startswith(part)}
        for part in ("generator", "discriminator")
    }
    generator, critic = Generator(REFERENCE), Critic(REFERENCE)
    generator.load_state_dict(torch_weights(parts["generator"], LAYERS))
    critic.load_state_dict(torch_weights(parts["discriminator"], CRITIC_LAYERS))
    for name in ("wave", "recon", "generated"):
        values[name] = values[name].transpose(1, 2)
    return {"g": generator, "d": critic, "folder": folder, "arrays": parts["generator"], **values}


def close(found: torch.Tensor, wanted: torch.Tensor, tolerance: float) -> None:
    assert found.shape == wanted.shape
    assert float((found - wanted).detach().abs().max()) <= tolerance


def test_encoder_is_the_published(reference: dict[str, Any]) -> None:
    r = reference
    encoder = r["g"].encoder
    first = encoder.conv[0](same(r["wave"][:2], 10, 2))
    close(first.transpose(1, 2), r["enc_conv1"], 1e-6)
    for k, found in enumerate(encoder.features(r["wave"][:2]), start=1):
        close(found.transpose(1, 2), r[f"enc_act{k}"], 1e-6)
    close(encoder.features(r["wave"])[-1].mean(dim=2), r["enc_pool"], 1e-6)
    # In float64: the published sums of 216 terms in float32 are off by up to 9.9e-7 themselves, and
    # sums in another order, here, by as much again.
    exact = copy.deepcopy(encoder).double()
    mean, log_variance = exact(r["wave"].double(), r["spectrum"].double())
    close(mean, r["mu"], 1e-6)
    close(log_variance, r["log_var"], 1e-6)
    close(latent_of((r["mu"], r["log_var"]), r["eps"]), r["z"], 1e-6)
    close(encoder(r["wave"], r["spectrum"])[0], r["mu"], 2e-6)


def test_decoder_is_the_published(reference: dict[str, Any]) -> None:
    r = reference
    decoder = r["g"].decoder
    stages = decoder.features(r["z_prior"][:2], r["spectrum"][:2])
    for found, name in zip(stages, ("dec_fc", "dec_act1", "dec_act2", "dec_act3"), strict=True):
        close(found.transpose(1, 2)[: len(r[name])], r[name], 2e-6)
    close(decoder(r["z"], r["spectrum"]), r["recon"], 2e-6)
    close(decoder(r["z_prior"], r["spectrum"]), r["generated"], 2e-6)


def test_critic_is_the_published(reference: dict[str, Any]) -> None:
    r = reference
    for wave, name in (("wave", "d_real"), ("recon", "d_recon"), ("generated", "d_generated")):
        close(r["d"](r[wave], r["spectrum"]), r[name], 1e-6)


def test_sizes_are_the_published(shared: Path) -> None:
    told = json.loads((shared / "reference" / "cvae_gan" / "keys_fullsize.json").read_text())
    generator, critic = Generator(Sizes()), Critic(Sizes())
    for module, layers, name in (
        (generator, LAYERS, "generator"),
        (critic, CRITIC_LAYERS, "discriminator"),
    ):
        shapes = {k: torch.zeros(v) for k, v in told[name].items()}
        wanted = {k: tuple(v.shape) for k, v in torch_weights(shapes, layers).items()}
        assert weight_shapes(module) == wanted
    count = sum(p.numel() for p in generator.parameters())
    assert count == told["generator_trainable"] == 29_528_777
    assert sum(p.numel() for p in critic.parameters()) == told["discriminator_values"]


def test_published_files_become_a_model(reference: dict[str, Any], tmp_path: Path) -> None:
    """Through a bundle with the reference's weights: a draw is the decoder's, up to its factor."""
    folder = bundle_of({k: v.numpy() for k, v in reference["arrays"].items()}, tmp_path / "saved")
    model = import_model("cvae-gan", [folder], tmp_path / "model")
    assert isinstance(model, CVAEGANModel)
    made = model.decoded(
        reference["spectrum"].numpy(), reference["z_prior"].numpy(), np.zeros((6, 0), np.float32)
    )
    close(torch.from_numpy(made), reference["generated"], 2e-6)
    target = spectra(2, model.periods_s)
    waves = model.generate(gwm.Scenarios(mag=[5.0, 6.0]), 2, seed=1, target=target)
    acceleration = waves.acceleration.values[:, :, 0]
    for i in range(2):
        drawn = model.form.ln_sa(acceleration[i][:, None], 0.01, 200)
        # the factor leaves no mean difference of logarithms
        assert np.allclose((drawn - target.ln_sa[i] - np.log(9.80665)).mean(axis=1), 0.0, atol=1e-5)
    assert "one draw" in verify_model(tmp_path / "model")


# --- files that are something else ---------------------------------------------------------------


def arrays(sizes: Sizes = REFERENCE) -> dict[str, np.ndarray]:
    """Weights of a generator under the published names, small and random."""
    rng = np.random.default_rng(2)
    names = torch_weights_names()
    shapes = weight_shapes(Generator(sizes))
    return {
        published: (rng.standard_normal(shapes[key][::-1]) * 0.05 + ("variance" in key)).astype(
            "f4"
        )
        for published, key in names.items()
    }


def torch_weights_names() -> dict[str, str]:
    renamed = {"kernel": "weight"}
    return {
        f"{layer}.{v}": f"{where}.{renamed.get(v, v)}"
        for layer, (where, variables) in LAYERS.items()
        for v in variables
    }


def bundle_of(
    found: dict[str, np.ndarray], folder: Path, by_layer: bool = False, **changes: bytes
) -> Path:
    order = list(torch_weights_names())
    names = {
        name: f"{name.replace('.', '/') if by_layer else f'variables/{order.index(name)}'}"
        "/.ATTRIBUTES/VARIABLE_VALUE"
        for name in found
    }
    bundles.write_bundle(
        folder / "variables",
        {names[k]: v for k, v in found.items()},
        **{names[k]: v for k, v in changes.items()},
    )
    return folder


SMALL = Sizes(
    samples=64, ordinates=8, latent=3, encoder=(2, 3, 4), decoder=(3, 2, 2), start=2, critic=(2,)
)


@pytest.mark.parametrize("by_layer", [False, True])
def test_variables_are_found_by_number_or_layer(tmp_path: Path, by_layer: bool) -> None:
    found = arrays(SMALL)
    model = import_model("cvae-gan", [bundle_of(found, tmp_path / "s", by_layer)], tmp_path / "m")
    assert model.sizes.to_dict() | {"critic": [2]} == SMALL.to_dict()
    kernel = model.weights.tensors["encoder.conv.1.weight"].numpy()
    assert np.array_equal(kernel, found["enc_conv2.kernel"].transpose(2, 1, 0))
    assert np.array_equal(
        model.weights.tensors["decoder.norm.2.moving_variance"].numpy(),
        found["dec_bn3.moving_variance"],
    )


def refused(folder: Path, tmp_path: Path, **options: str) -> str:
    with pytest.raises(ModelError) as error:
        import_model("cvae-gan", [folder], tmp_path / "model", **options)
    assert not (tmp_path / "model").exists()
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_missing_variable_is_named(tmp_path: Path) -> None:
    found = arrays(SMALL)
    del found["dec_bn2.gamma"]
    assert "(dec_bn2.gamma) is missing" in refused(bundle_of(found, tmp_path / "s"), tmp_path)


def test_shapes_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    found = arrays(SMALL)
    found["dec_fc.kernel"] = np.zeros((9, 16), "f4")
    assert "do not fit" in refused(bundle_of(found, tmp_path / "a"), tmp_path)
    found = arrays(SMALL)
    found["dec_conv2.kernel"] = np.zeros((3, 5, 2), "f4")
    assert "variables/30/" in refused(bundle_of(found, tmp_path / "b"), tmp_path)
    found["dec_conv2.kernel"] = np.zeros((3, 2), "f4")
    assert "'dec_conv2.kernel' has shape (3, 2)" in refused(
        bundle_of(found, tmp_path / "c"), tmp_path
    )


def test_values_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    found = arrays(SMALL)
    found["enc_fc_mu.bias"][1] = np.nan
    assert "encoder.mean.bias" in refused(bundle_of(found, tmp_path / "s"), tmp_path)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (bundles.entry((2**19, 2**19), 0, 2**40, 0), "do not fit"),
        (bundles.entry((2**40, 2), 0, 48, 0), "has shape (1099511627776, 2)"),
        (bundles.entry((11, 16), 10**15, 11 * 16 * 4, 0), "truncated or foreign"),
        (bundles.entry((11, 16), 0, 11 * 16 * 4, 0, dtype=7), "not a whole float32"),
        (bundles.entry((), 0, 4, 0), "has shape ()"),
    ],
)
def test_entries_that_lie_are_refused(tmp_path: Path, changed: bytes, words: str) -> None:
    folder = bundle_of(arrays(SMALL), tmp_path / "s", **{"dec_fc.kernel": changed})
    assert words in refused(folder, tmp_path)


def test_corrupt_and_foreign_files_are_refused(tmp_path: Path) -> None:
    folder = bundle_of(arrays(SMALL), tmp_path / "s")
    data = folder / "variables" / "variables.data-00000-of-00001"
    content = bytearray(data.read_bytes())
    content[200] ^= 4
    data.write_bytes(content)
    assert "corrupt (its CRC-32C does not fit)" in refused(folder, tmp_path)
    (folder / "variables" / "variables.index").write_bytes(b"\x80\x04cos\nsystem\n" * 9)
    assert "does not end as a table" in refused(folder, tmp_path)
    assert "no variables/variables.index" in refused(tmp_path, tmp_path)
    with pytest.raises(ModelError, match="2 paths given"):
        import_model("cvae-gan", [folder, folder], tmp_path / "model")
    assert "shortest_s" in refused(folder, tmp_path, shortest_s="20")


# --- the model -----------------------------------------------------------------------------------


def spectra(n: int, periods: np.ndarray | None = None) -> Spectra:
    """Smooth spectra of different levels, g."""
    t = np.geomspace(0.01, 10.0, 40) if periods is None else periods
    shape = -0.5 * (np.log(t / 0.25) / 1.2) ** 2
    return Spectra(t, np.log(0.05) + shape + np.arange(n)[:, None] * 0.7)


def tiny(
    sizes: Sizes = TINY, form: Form = FORM, passes: int = 0, scenario: bool = True
) -> CVAEGANModel:
    torch.manual_seed(4)
    generator = Generator(sizes)
    tensors = dict(generator.state_dict())
    if scenario:
        rng = np.random.default_rng(0)
        n = 400
        conditions = {"mag": rng.uniform(4, 8, n), "rrup": rng.uniform(1, 200, n)}
        values = rng.standard_normal((n, sizes.ordinates + 1)) * 0.3
        values += (conditions["mag"] - np.log(conditions["rrup"]) - 4.0)[:, None]
        tensors |= ScenarioSpectra.fit(conditions, values).tensors()
    return CVAEGANModel(
        weights=Weights.of(tensors), sizes=sizes.to_dict(), form=form.to_dict(),
        conditions=RANGES, passes=passes,
    )  # fmt: skip


SC = gwm.Scenarios(mag=[5.0, 6.5, 7.0], rrup=[20.0, 60.0, 11.0])


@pytest.mark.parametrize("passes", [0, 2])
def test_it_keeps_what_models_keep(passes: int) -> None:
    check_model(tiny(passes=passes))


def test_it_is_asked_for_by_ability() -> None:
    assert isinstance(tiny(), gwm.ConditionsOnSpectrum)
    assert not isinstance(gwm.load_model("stochastic", "cpu"), gwm.ConditionsOnSpectrum)
    with pytest.raises(InputError, match="takes no target"):
        next(gwm.load_model("stochastic", "cpu").batches(
            gwm.Scenarios(mag=[6.0], rrup=[20.0], vs30=[400.0], hypo_depth=[9.0]),
            gwm.Noise(0, 0, 0, 0), target=spectra(1),
        ))  # fmt: skip


def test_the_level_is_the_targets() -> None:
    """RotD50 of a draw, by the public kernel in g, has no mean log difference from the target."""
    model = tiny()
    target = spectra(3)
    waves = model.generate(SC, 2, seed=3, target=target).acceleration.values
    t = model.periods_s
    for i in range(3):
        ln = np.log(rotd(waves[i][:, :2], 0.01, t)[:, 0])
        assert np.allclose(ln.mean(axis=1), target.ln_at(t)[i].mean(), atol=1e-4)


def test_passes_bring_the_spectrum_to_the_target() -> None:
    """Of white noise in place of a network's draw, at the network's own periods."""
    from gwm_hazard.models.cvae_gan.level import corrected

    form = Form(0.02, 5.0)
    target = spectra(3, form.periods_s(40)).ln_sa + np.log(9.80665)
    rng = np.random.default_rng(5)
    window = np.exp(-0.5 * ((np.arange(4096) - 1200) / 400) ** 2)
    noise = (rng.standard_normal((3, 3, 4096)) * window).astype(np.float32)
    miss = [
        np.median(np.abs(form.ln_sa(corrected(noise, 0.01, target, form, k), 0.01, 40) - target))
        for k in (0, 1, 8)
    ]
    assert miss[0] > 1.0 and miss[1] < 0.5 and miss[2] < 0.02, miss


def test_a_target_spectrum_is_an_array_in_g() -> None:
    model = tiny()
    target = spectra(3)
    array = xr.DataArray(
        np.exp(target.ln_sa), dims=("scenario", "period"), coords={"period": target.periods_s}
    )
    want = model.generate(SC, 1, seed=3, target=target).acceleration.values
    for given in (array, xr.Dataset({"SA": array}), array.isel(period=slice(None, None, -1)).T):
        assert np.allclose(
            model.generate(SC, 1, seed=3, target=given).acceleration.values, want, rtol=1e-5
        )
    one = model.generate(SC, 1, seed=3, target=array[1]).acceleration.values
    assert np.allclose(one[1], want[1], rtol=1e-5)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (lambda a: a.isel(period=slice(10, None)), "needed is SA"),
        (lambda a: a[:2], "2 spectra for 3 scenarios"),
        (lambda a: a.rename(period="T"), "dimensions"),
        (lambda a: a * np.where(np.arange(40) == 7, 0.0, 1.0), "must be a number above 0"),
        (lambda a: 5.0, "dimensions"),
    ],
)
def test_bad_targets_are_refused(target: Any, words: str) -> None:
    t = spectra(3)
    array = xr.DataArray(
        np.exp(t.ln_sa), dims=("scenario", "period"), coords={"period": t.periods_s}
    )
    with pytest.raises(InputError, match=words):
        tiny().generate(SC, 1, target=target(array))


def test_without_spectra_of_scenarios_a_target_is_asked_for() -> None:
    form = Form(0.05, 4.0, spectrum="log", level=True)
    model = tiny(Sizes(**TINY.to_dict() | {"extras": 1}), form, scenario=False)
    with pytest.raises(InputError, match=r"give generate.*matched"):
        model.generate(SC)
    assert np.isfinite(model.generate(SC, target=spectra(3)).acceleration.values).all()


def test_spectra_of_scenarios_are_those_of_the_records() -> None:
    """Coefficients and covariance that are known come back; a duration follows its spectrum."""
    rng = np.random.default_rng(1)
    n = 20000
    conditions = {"mag": rng.uniform(4, 8, n), "vs30": rng.uniform(150, 1500, n)}
    root = np.array([[0.5, 0.0, 0.0], [0.4, 0.2, 0.0], [-0.3, 0.1, 0.2]])
    mean = np.stack([
        2.0 + 0.8 * conditions["mag"] - 0.05 * conditions["mag"] ** 2,
        1.0 - 0.6 * np.log(conditions["vs30"]),
        conditions["mag"] * 0.3 * np.log(conditions["vs30"]),
    ], axis=1)  # fmt: skip
    fitted = ScenarioSpectra.fit(conditions, mean + rng.standard_normal((n, 3)) @ root.T)
    at = gwm.Scenarios(mag=[5.0, 7.0], vs30=[300.0, 900.0])
    want = np.array([
        [2.0 + 4.0 - 1.25, 1.0 - 0.6 * np.log(300.0), 1.5 * np.log(300.0)],
        [2.0 + 5.6 - 2.45, 1.0 - 0.6 * np.log(900.0), 2.1 * np.log(900.0)],
    ])  # fmt: skip
    assert np.allclose(fitted.mean(at), want, atol=0.03)
    assert np.allclose(fitted.covariance, root @ root.T, atol=0.01)
    ln_sa = fitted.mean(at)[:, :2] + np.array([[0.5, 0.2], [-0.5, 0.1]])
    given = fitted.duration(at, ln_sa, np.zeros((2, 1), np.float32)) - fitted.mean(at)[:, 2]
    covariance = root @ root.T
    slope = np.linalg.solve(covariance[:2, :2], covariance[:2, 2])
    assert np.allclose(given, (ln_sa - fitted.mean(at)[:, :2]) @ slope, atol=0.06)
    again = ScenarioSpectra.of(("mag", "vs30"), fitted.tensors())
    assert again is not None and np.allclose(again.mean(at), fitted.mean(at), atol=1e-4)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sizes": {"samples": 500}}, "multiple of 8"),
        ({"sizes": {"latent": 0}}, "latent = 0"),
        ({"sizes": {"extras": 0}}, "extras = 0"),
        ({"form": {"spectrum": "mel"}}, "give 'linear' or 'log'"),
        ({"passes": -1}, "passes = -1"),
    ],
)
def test_parameters_that_do_not_fit_are_refused(changes: dict[str, Any], words: str) -> None:
    model = tiny()
    arguments: dict[str, Any] = {
        "sizes": TINY.to_dict(), "form": FORM.to_dict(), "conditions": RANGES, "passes": 0,
    }  # fmt: skip
    for name, value in changes.items():
        arguments[name] = arguments[name] | value if isinstance(value, dict) else value
    with pytest.raises(InputError, match=words):
        CVAEGANModel(weights=model.weights, **arguments)


def test_the_steered_decoder_doubles_rates_without_images() -> None:
    """A sine of a low level keeps amplitude and samples, and gets no mirror frequency."""
    from gwm_hazard.models.cvae_gan.steered import SteeredDecoder

    decoder = SteeredDecoder(TINY)
    sine = torch.sin(2.0 * np.pi * 0.3 * torch.arange(256))[None, None].expand(1, 3, -1)
    twice = decoder._doubled(sine)[0, 0]
    assert torch.allclose(twice[::2], sine[0, 0], atol=1e-6)
    spectrum = torch.fft.rfft(twice[64:448] * torch.hann_window(384)).abs()
    low, mirror = (spectrum[round(f * 384)] for f in (0.15, 0.35))
    assert float(mirror / low) < 0.01
    want = torch.sin(2.0 * np.pi * 0.15 * torch.arange(512))
    assert torch.allclose(twice[64:448], want[64:448], atol=0.01)


def test_a_distance_is_its_shares_in_the_nodes() -> None:
    from gwm_hazard.models.cvae_gan.form import KM

    form = Form(distance=True)
    at = np.array([3.0, 5.5, 1.0, 500.0, 100.0])
    columns = form.condition(np.zeros((5, 4)), np.zeros(5), at)[:, 4:]
    assert columns.shape == (5, form.extras) and np.allclose(columns.sum(axis=1), 1.0)
    assert np.allclose(columns @ np.array(KM), [3.0, 5.5, 3.0, 200.0, 100.0], atol=1e-4)
    assert (columns > 0).sum(axis=1).tolist() == [1, 2, 1, 1, 2]


@pytest.mark.parametrize("onset_s", [0.0, 5.0])
def test_passes_leave_a_motion_that_begins_and_ends_at_rest(onset_s: float) -> None:
    """Velocity and displacement by scipy's trapezoidal rule."""
    from scipy.integrate import cumulative_trapezoid

    from gwm_hazard.models.cvae_gan.level import corrected

    form = Form(0.02, 5.0)
    target = spectra(2, form.periods_s(40)).ln_sa + np.log(9.80665)
    noise = np.random.default_rng(6).standard_normal((2, 3, 3000)).astype(np.float32)
    made = corrected(noise, 0.01, target, form, 6, onset_s).astype(np.float64)
    velocity = cumulative_trapezoid(made, dx=0.01, initial=0.0)
    displacement = cumulative_trapezoid(velocity, dx=0.01, initial=0.0)
    for motion, share in ((velocity, 1e-4), (displacement, 1e-3)):
        peak = np.abs(motion).max(axis=-1)
        assert (np.abs(motion[..., -1]) < share * peak).all()
    assert not made[..., : round((onset_s - 0.5) / 0.01) if onset_s else 0].any()
    assert np.median(np.abs(form.ln_sa(made, 0.01, 40) - target)) < 0.02
