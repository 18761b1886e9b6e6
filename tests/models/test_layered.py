"""Low frequencies of a layered earth and a broadband model above them, as one model."""

from __future__ import annotations

import numpy as np
import pytest

from gwm_hazard import Noise, Scenarios
from gwm_hazard.errors import InputError
from gwm_hazard.models.broadband.splice import low_spectrum
from gwm_hazard.models.layered import LayeredModel
from gwm_hazard.models.registry import model_from_card
from gwm_hazard.testing import check_model
from tests.models.broadband_folder import write_broadband
from tests.simulations.conftest import cache, green  # noqa: F401
from tests.simulations.test_layered import TEXT

AT = Scenarios(
    mag=[6.0, 6.0, 6.5], repi=[20.0, 30.0, 25.0], azimuth=[10.0, 100.0, 200.0], strike=40.0,
    dip=[90.0, 90.0, 45.0], rake=[0.0, 0.0, 90.0], ztor=3.0, width=[8.0, 8.0, 12.0],
    rrup=[12.0, 27.0, 18.0], vs30=[300.0, 760.0, 500.0],
)  # fmt: skip


@pytest.fixture
def folder(tmp_path, monkeypatch, cache):  # noqa: F811
    monkeypatch.setenv("GWM_HAZARD_MODELS", str(tmp_path / "models"))
    (tmp_path / "layered.toml").write_text(TEXT)
    write_broadband(tmp_path / "models" / "tiny")
    return tmp_path


@pytest.fixture
def model(folder) -> LayeredModel:
    return LayeredModel("tiny", folder / "layered.toml")


def test_the_low_band_is_that_of_the_source(model):
    noise = Noise(3, [1, 1, 2], [0, 1, 0], 0)
    drawn = np.concatenate([a for _, a in model.batches(AT, noise)]).astype(np.float64)
    start, samples = model._window(AT)
    assert (samples == 4096).all() and drawn.shape == (3, 3, 4096)
    low_dt = model.source.library.dt_s
    nt = int(np.ceil(40.96 / low_dt))
    columns = {k: AT[k] for k in (*model.source.columns, "vs30")}
    low = model.source(Scenarios(**columns), noise, start, nt)
    fade = np.minimum(1.0, np.arange(nt, 0, -1) / (0.03 * nt))
    low.acceleration[...] *= 0.5 - 0.5 * np.cos(np.pi * fade)
    # on the padded window, of which a record is the beginning
    whole = model.broadband.spliced(model._inner(AT, noise), noise, low)
    assert np.array_equal(drawn, whole[..., :4096].astype(np.float32))
    size = whole.shape[2]
    below = np.fft.rfftfreq(size, 0.01) <= 0.8 * 0.25
    want = low_spectrum(low.acceleration, low_dt, size // 2, 0.01, 0.25)[..., below]
    off = np.abs(np.fft.rfft(whole)[..., below] - want)
    assert off.max() < 1e-6 * np.abs(want).max()


def test_draws_do_not_depend_on_what_stands_beside_them(model):
    noise = Noise(3, [1, 1, 2], [0, 1, 0], 0)
    whole = dict(_drawn(model, AT, noise))
    for i in (2, 0, 1):
        alone = dict(_drawn(model, AT.take([i]), noise.take([i])))
        assert np.array_equal(alone[0], whole[i])


def _drawn(model, scenarios, noise):
    for rows, acc in model.batches(scenarios, noise):
        yield from zip(rows.tolist(), acc, strict=True)


def test_it_is_made_again_from_its_card(model):
    again = model_from_card(model.card.to_dict(), "cpu")
    noise = Noise(3, 1, 0, 0)
    one, two = (dict(_drawn(m, AT.take([0]), noise))[0] for m in (model, again))
    assert np.array_equal(one, two)
    assert set(model.card.condition_names) == {
        "mag", "rrup", "repi", "vs30", "ztor", "rake", "dip", "azimuth", "width", "strike"
    }  # fmt: skip


def test_random_geometry_needs_magnitude_distance_and_vs30(folder):
    model = LayeredModel("tiny", folder / "layered.toml", "random")
    assert set(model.card.condition_names) == {"mag", "rrup", "vs30"}
    at = Scenarios(mag=6.0, rrup=25.0, vs30=500.0)
    acc = model.generate(at, n=6, seed=1)["acceleration"].values[0]
    peaks = np.abs(acc[:, :2]).max(axis=(1, 2))
    assert np.std(np.log(peaks)) > 0.2  # azimuth, mechanism and slip differ
    check_model(model)


def test_what_cannot_be_is_refused(folder):
    path = folder / "layered.toml"
    with pytest.raises(InputError, match="needs low_frequency"):
        LayeredModel("tiny")
    with pytest.raises(InputError, match="model 'stochastic' takes none"):
        LayeredModel("stochastic", path)
    with pytest.raises(InputError, match="geometry = 'any'"):
        LayeredModel("tiny", path, "any")
    path.write_text(TEXT.replace("fc_hz = 0.25", "fc_hz = 0.1"))
    with pytest.raises(InputError, match=r"fc_hz = 0.1: .* goes on from 0.25 Hz"):
        LayeredModel("tiny", path)
