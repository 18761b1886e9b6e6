"""Catalogues of keys: acceleration drawn when it is read."""

from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
import xarray as xr

import gwm_hazard as gwm
from gwm_hazard import Noise, Scenarios, open_catalogue
from gwm_hazard.catalogue.redraw import DrawnArray
from gwm_hazard.catalogue.store import CatalogueWriter
from gwm_hazard.catalogue.stream import Block, Plan, write_catalogue
from gwm_hazard.errors import CatalogueError
from gwm_hazard.models.stochastic import StochasticModel

IMTS = ("PGA", "SA(1.0)", "RSD595")
N = 12
SC = Scenarios(
    mag=np.float32(np.linspace(4.5, 7.0, N)),
    rrup=np.float32(np.linspace(10.1, 120.7, N)),
    vs30=400.0,
    hypo_depth=8.5,
)
NOISE = Noise(2**64 - 3, np.arange(N) // 3, np.arange(N) % 3, 0)


def make(path, store, model=None, **changes):
    def block(start, stop):
        return Block(SC.take(slice(start, stop)), NOISE.take(slice(start, stop)))

    arguments = {"seed": 2**64 - 3, "imts": IMTS, "store": store} | changes
    return write_catalogue(path, Plan(model or StochasticModel(), N, block, **arguments))


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("redraw")
    return {store: make(folder / f"{store}.h5", store) for store in ("keys", "waveforms")}


@pytest.fixture
def keys(files):
    with open_catalogue(files["keys"]) as data:
        yield data


@pytest.fixture
def held(files):
    with open_catalogue(files["waveforms"]) as data:
        yield data


def test_same_dataset_from_keys_and_from_waveforms(keys, held):
    assert dict(keys.sizes) == dict(held.sizes)
    assert set(keys.variables) == set(held.variables)
    assert set(keys.coords) == set(held.coords)
    assert keys["acceleration"].dtype == held["acceleration"].dtype
    np.testing.assert_array_equal(keys["acceleration"].values, held["acceleration"].values)
    for name in IMTS:
        np.testing.assert_allclose(keys[name], held[name], rtol=1e-7)
        assert keys[name].attrs == held[name].attrs


@pytest.mark.parametrize(
    "index",
    [
        {"record": 3},
        {"record": -1, "component": 0},
        {"record": slice(2, 9, 3)},
        {"record": [7, 1, 1]},
        {"record": np.arange(N) % 4 == 1, "time": slice(100, 500, 7)},
        {"component": [2, 0], "time": 250},
        {"record": []},
        {"record": xr.DataArray([0, 5], dims="pick"), "time": xr.DataArray([3, 900], dims="pick")},
    ],
)
def test_any_index_gives_what_is_held(keys, held, index):
    drawn = keys["acceleration"].isel(index)
    np.testing.assert_array_equal(drawn.values, held["acceleration"].isel(index).values)


def test_only_what_is_indexed_is_drawn(keys, monkeypatch):
    counts = []
    original = StochasticModel.draw

    def counting(self, scenarios, noise):
        counts.append(len(noise))
        return original(self, scenarios, noise)

    monkeypatch.setattr(StochasticModel, "draw", counting)
    keys[["mag", *IMTS]].load()
    part = keys.isel(record=slice(3, 6))
    assert sum(counts) == 0
    part["acceleration"].load()
    assert sum(counts) == 3


def test_measures_of_drawn_waveforms_are_those_of_the_file(keys):
    again = gwm.intensity_measures(keys, IMTS)
    for name in IMTS:
        np.testing.assert_allclose(again[name], keys[name], rtol=1e-6)


def test_by_event_and_site(keys, held):
    indexed = keys.set_index(record=["event", "site"])
    one = indexed["acceleration"].sel(record=(2, 1)).values
    np.testing.assert_array_equal(one, held["acceleration"].values[7])


def test_conditions_that_float32_cannot_hold_are_refused(tmp_path):
    sc = Scenarios(mag=6.1, rrup=20.0, vs30=400.0, hypo_depth=8.0)
    with (
        pytest.raises(ValueError, match=r"mag = .*6\.1.*float32; round them before"),
        CatalogueWriter(
            tmp_path / "c.h5", StochasticModel(), 0, 1, {"PGA": "g"}, store="keys"
        ) as writer,
    ):
        writer.append(None, sc, Noise(1, 0, 0, 0), {"PGA": [0.1]}, npts=[100])
    assert list(tmp_path.iterdir()) == []


def changed_card(path, **changes):
    with h5py.File(path, "r+") as file:
        card = json.loads(file.attrs["model_card"]) | changes
        file.attrs["model_card"] = json.dumps(card)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"version": "0.0.1"}, "of version '0.0.1', installed is '0.1.0'"),
        ({"family": "nonesuch"}, "cannot be drawn: .*unknown model family 'nonesuch'"),
        ({"parameters": {"colour": 3}}, "cannot be drawn: .*colour"),
        ({"sampling_rate_hz": 50.0}, r"of sampling_rate_hz 50\.0, installed is 100\.0"),
    ],
)
def test_another_model_is_refused_when_waveforms_are_read(tmp_path, changes, message):
    path = make(tmp_path / "c.h5", "keys")
    changed_card(path, **changes)
    with open_catalogue(path) as data:
        assert data["PGA"].values.min() > 0  # measures are there all the same
        with pytest.raises(CatalogueError, match=rf"c\.h5: .*{message}"):
            data["acceleration"].isel(record=0).load()


def test_a_model_that_changed_under_the_same_version_is_found(tmp_path, monkeypatch):
    path = make(tmp_path / "c.h5", "keys")
    original = StochasticModel.draw
    monkeypatch.setattr(StochasticModel, "draw", lambda self, *a: 1.01 * original(self, *a))
    with (
        open_catalogue(path) as data,
        pytest.raises(CatalogueError, match=r"record 4 drawn again has PGA .* has changed"),
    ):
        data["acceleration"].isel(record=4).load()


def test_parameters_come_from_the_card(tmp_path):
    other = StochasticModel(duration_factor=StochasticModel().parameters.duration_factor * 1.2)
    path = make(tmp_path / "c.h5", "keys", other)
    held = make(tmp_path / "w.h5", "waveforms", other)
    with open_catalogue(path) as data, open_catalogue(held) as waves:
        np.testing.assert_array_equal(data["acceleration"], waves["acceleration"])


def test_empty_catalogue(tmp_path):
    with CatalogueWriter(tmp_path / "c.h5", StochasticModel(), 64, 1, {}, store="keys"):
        pass
    with open_catalogue(tmp_path / "c.h5") as data:
        assert data["acceleration"].shape == (0, 3, 64)


def test_unknown_device(files):
    with (
        open_catalogue(files["keys"], device="abacus") as data,
        pytest.raises(CatalogueError, match=r"keys\.h5: .*device 'abacus'"),
    ):
        data["acceleration"].isel(record=0).load()


def test_shape_is_known_without_a_model(files):
    with open_catalogue(files["keys"]) as data:
        array = DrawnArray(data, files["keys"], None)
        assert array.shape == (N, 3, data.sizes["time"]) and array.dtype == np.float32
