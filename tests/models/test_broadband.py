"""The broadband family: what it keeps, what it draws by key, what it refuses; SeismoALICE 2020."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from gwm_hazard import ConditionsOnLowFrequencies, Noise, Scenarios, load_model
from gwm_hazard.core.low_frequency import LowFrequency
from gwm_hazard.errors import InputError, ModelError
from gwm_hazard.models.broadband import BroadbandModel
from gwm_hazard.models.broadband.envelope import BANDS, carried, envelope, features, tokens
from gwm_hazard.models.broadband.forms import FORMS, form_of
from gwm_hazard.models.broadband.level import POINTS, Level
from gwm_hazard.models.broadband.seismoalice import PLANS, hybrid, run, weight_shapes
from gwm_hazard.models.registry import import_model, save_model, verify_model
from gwm_hazard.models.weights import Weights
from gwm_hazard.testing import check_model

TINY = {
    "flow": {"width": 16, "blocks": 1, "heads": 2, "taps": 3, "steps": 2},
    "sa2020": {},
    **{
        form: {"channels": [8, 8, 8], "style": 4, "latent": 8, "heads": 2}
        for form in ("pix2pix", "bicycle", "shared", "factorised", "must")
    },
}
RANGES = {"mag": [4.0, 8.0], "rhypo": [5.0, 200.0], "vs30": [150.0, 1500.0]}
DT = 0.05


def tiny(form: str = "flow") -> BroadbandModel:
    """Random weights; a level 1/f whose parts all vary."""
    torch.manual_seed(3)
    shape = form_of(form, TINY[form])
    state = {
        k: t if t.any() else 0.2 * torch.rand_like(t) + 0.05 for k, t in shape.state_dict().items()
    }
    tensors = {f"shape.{k}": t for k, t in state.items()}
    mean = np.zeros((10, POINTS))
    mean[:3] = 1.0 / 3.0  # goes with the low band
    mean[3] = -0.2 * np.arange(POINTS)
    vertical = np.zeros((13, POINTS))
    vertical[:3] = 1.0 / 3.0
    root = 0.2 * np.tril(np.ones((POINTS, POINTS))) / POINTS**0.5
    level = Level(mean, root, root, np.full((3, POINTS), 1 / 3), root, vertical, 0.5 * root, root)
    for i in range(2):
        tensors |= level.tensors(f"level.{i}.")
    return BroadbandModel(
        weights=Weights.of(tensors), form=form, sizes=TINY[form], conditions=RANGES,
        crossovers_hz=(0.5, 1.0),
    )  # fmt: skip


def motions(n: int = 2, nt: int = 500, seed: int = 0) -> LowFrequency:
    rng = np.random.default_rng(seed)
    t = np.arange(nt) * DT
    f = rng.uniform(0.1, 0.7, (n, 3, 20, 1))
    waves = np.sin(2 * np.pi * f * t + rng.uniform(0, 6.28, (n, 3, 20, 1))).sum(axis=2)
    return LowFrequency(waves * np.exp(-0.5 * ((t - 10.0) / 2.0) ** 2), DT, 1.0)


SCENARIOS = Scenarios(mag=[6.0, 6.5], rhypo=[20.0, 40.0], vs30=[400.0, 300.0])


@pytest.fixture(scope="module")
def model():
    return tiny()


def test_it_says_what_it_is(model):
    assert isinstance(model, ConditionsOnLowFrequencies)
    with pytest.raises(InputError, match=r"give generate\(..., low_frequency=MOTIONS\)"):
        model.generate(SCENARIOS)
    with pytest.raises(InputError, match="low_frequency=MOTIONS"):
        model.npts(SCENARIOS)


@pytest.mark.parametrize("form", sorted(FORMS))
def test_the_low_band_is_kept_and_draws_are_by_key(form):
    """Of every form: exactly below 0.8 fc, whatever the network; draws of any n and batch."""
    made = tiny(form)
    low = motions()
    spliced = made.spliced(SCENARIOS, Noise(1, [0, 1], 0, 0), low)
    size = spliced.shape[2]
    f = np.fft.rfftfreq(size, 0.01)
    below = f <= 0.8
    turn = np.exp(-2j * np.pi * np.outer(np.arange(500) * DT, f[below]))
    truth = low.acceleration @ turn * DT
    off = np.abs(np.fft.rfft(spliced)[..., below] * 0.01 - truth).max()
    assert off <= 1e-6 * np.abs(truth).max()
    drawn = made.generate(SCENARIOS, 5, seed=4, low_frequency=low)["acceleration"].values
    assert drawn.shape == (2, 5, 3, 2500) and np.isfinite(drawn).all()
    peak = np.abs(drawn).max()
    few = made.generate(SCENARIOS, 2, seed=4, low_frequency=low, batch_size=1)
    assert np.abs(few["acceleration"].values - drawn[:, :2]).max() < 1e-5 * peak
    alone = made.generate(SCENARIOS.take([0]), 5, seed=4, low_frequency=low.take([0]))
    assert np.abs(alone["acceleration"].values[0] - drawn[0]).max() < 1e-5 * peak
    if form != "sa2020":  # random weights of the public networks draw next to nothing
        assert np.abs(drawn[0, 0] - drawn[0, 1]).max() > 0.05 * peak


def test_scaling_scales_the_low_band(model):
    low = motions()
    ten = LowFrequency(10.0 * low.acceleration, DT, 1.0)
    one, other = (model.spliced(SCENARIOS, Noise(1, [0, 1], 0, 0), x) for x in (low, ten))
    f = np.fft.rfftfreq(one.shape[2], 0.01)
    a, b = (np.fft.rfft(x)[..., f <= 0.8] for x in (one, other))
    assert np.abs(b - 10.0 * a).max() < 1e-6 * np.abs(b).max()


def test_the_crossover_is_the_largest_that_is_right(model):
    low = motions()
    made = model.generate(SCENARIOS, low_frequency=low)
    assert made.attrs["crossover_hz"] == 1.0
    coarse = LowFrequency(low.acceleration, DT, 0.7)
    assert model.generate(SCENARIOS, low_frequency=coarse).attrs["crossover_hz"] == 0.5
    with pytest.raises(InputError, match=r"right up to 0.2 Hz; model 'broadband' goes on from 0.5"):
        model.generate(SCENARIOS, low_frequency=LowFrequency(low.acceleration, DT, 0.2))
    with pytest.raises(InputError, match="vs30"):
        model.generate(Scenarios(mag=[6.0], rhypo=[20.0]), low_frequency=low.take([0]))


def test_motions_from_xarray(model):
    low = motions()
    dataset = xr.Dataset(
        {"acceleration": (("scenario", "component", "time"), low.acceleration)},
        coords={"time": np.arange(500) * DT}, attrs={"valid_hz": 1.0},
    )  # fmt: skip
    a = model.generate(SCENARIOS, 2, low_frequency=dataset)["acceleration"].values
    b = model.generate(SCENARIOS, 2, low_frequency=low)["acceleration"].values
    np.testing.assert_allclose(a, b, rtol=0, atol=1e-6 * np.abs(b).max())


def test_it_keeps_what_the_package_relies_on(model):
    check_model(model)


def test_a_folder_and_its_check(model, tmp_path):
    save_model(model, tmp_path / "model")
    again = load_model(tmp_path / "model", "cpu")
    low = motions()
    a, b = (m.generate(SCENARIOS, low_frequency=low)["acceleration"].values for m in (model, again))
    np.testing.assert_array_equal(a, b)
    assert "one draw of peak" in verify_model(tmp_path / "model")


def test_noise_follows_an_envelope():
    """The envelope of noise that was given one is that one, but for what windows share."""
    torch.manual_seed(1)
    motion = torch.randn(2, 3, 3200) * torch.exp(-0.5 * ((torch.arange(3200) - 1500) / 400.0) ** 2)
    wanted = envelope(motion)
    assert wanted.shape == (2, tokens(3200), 3 * BANDS)
    found = envelope(carried(wanted, torch.randn(2, 3, 3200)))
    flat = torch.stack([wanted.flatten(), found.flatten()]).double()
    assert float(torch.corrcoef(flat)[0, 1]) > 0.95
    seen, when = features(motion / motion.abs().max())
    assert seen.shape[:2] == when.shape == (2, tokens(3200))
    assert bool((when.diff(dim=1) == 1.0).all())


@pytest.fixture(scope="module")
def reference() -> Path:
    folder = Path(os.environ.get("GWM_SHARED", "")) / "reference" / "seismoalice"
    if not (folder / "sa2020_parity.npz").is_file():
        pytest.skip("GWM_SHARED is not set to a folder with reference/seismoalice")
    return folder


def test_parity_with_the_public_networks(reference):
    from safetensors.torch import load_file

    weights = load_file(reference / "sa2020_generators.safetensors")
    for name in PLANS:
        own = {k: tuple(t.shape) for k, t in weights.items() if k.startswith(name)}
        assert own == weight_shapes(name)
    with np.load(reference / "sa2020_parity.npz") as file:
        a = {k: torch.from_numpy(file[k]) for k in file.files}
    made = {
        "zd": run("Fed", weights, a["X"], a["noise_x"]),
        "X_rec": run("Gdd", weights, a["zd"], a["noise_z"]),
        "zf": run("Fef", weights, a["Xf"], a["noise_xf"]),
        "Xf_rec": run("Gdf", weights, a["zf"], a["noise_zf"]),
        "zh": run("Ghz", weights, a["zf"], a["noise_zf"]),
        "zf_from_zd": run("Fhz", weights, a["zd"], a["noise_z"]),
        "X_hyb": hybrid(weights, a["Xf"], a["noise_xf"], a["noise_zf"], a["noise_z2"]),
    }
    for name, found in made.items():
        torch.testing.assert_close(found, a[name], rtol=1e-5, atol=1e-5, msg=name)


def test_the_public_networks_are_imported(reference, model, tmp_path):
    save_model(model, tmp_path / "level")
    made = import_model(
        "seismoalice", [reference / "sa2020_generators.safetensors"], tmp_path / "sa2020",
        level=str(tmp_path / "level"),
    )  # fmt: skip
    assert made.card.name == "seismoalice-2020" and "GPL-3.0" in made.card.licence
    drawn = made.generate(SCENARIOS, 2, low_frequency=motions())["acceleration"].values
    assert np.isfinite(drawn).all() and np.abs(drawn[0, 0] - drawn[0, 1]).max() > 0
    with pytest.raises(ModelError, match="must be a broadband model"):
        import_model(
            "seismoalice", [reference / "sa2020_generators.safetensors"], tmp_path / "x",
            level="stochastic",
        )  # fmt: skip
