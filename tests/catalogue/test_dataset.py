from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from gwm_hazard import Scenarios
from gwm_hazard.models.dataset import waveform_dataset
from gwm_hazard.models.stochastic import StochasticModel

SC = Scenarios(mag=[5.0, 7.0], rrup=[20.0, 10.0], vs30=[760.0, 300.0])


@pytest.fixture
def dataset(toy):
    acceleration = np.arange(2 * 3 * 3 * 10, dtype=np.float32).reshape(2, 3, 3, 10)
    return waveform_dataset(acceleration, np.array([8, 10]), toy.card, toy.dt_s, SC, seed=2**64 - 1)


def test_dimensions_and_coordinates(dataset):
    acc = dataset["acceleration"]
    assert acc.dims == ("scenario", "realization", "component", "time")
    assert acc.attrs["units"] == "m/s2"
    assert float(acc.sel(scenario=1, realization=2, component="V", time=0.09)) == 179.0
    assert dataset["component"].values.tolist() == ["H1", "H2", "V"]
    np.testing.assert_allclose(dataset["time"], np.arange(10) * 0.01)
    assert dataset["time"].attrs["units"] == "s"
    assert dataset["npts"].values.tolist() == [8, 10]


def test_conditions_with_their_units(dataset):
    for name, unit in (("mag", "Mw"), ("rrup", "km"), ("vs30", "m/s")):
        assert dataset[name].dims == ("scenario",)
        assert dataset[name].values.tolist() == SC[name].tolist()
        assert dataset[name].attrs["units"] == unit
    assert "rhypo" not in dataset


def test_provenance(dataset):
    assert dataset.attrs["seed"] == "18446744073709551615"  # beyond int64: kept as text
    assert dataset.attrs["dt_s"] == 0.01
    assert json.loads(dataset.attrs["model_card"])["name"] == "toy"
    assert "numpy" in json.loads(dataset.attrs["software"])
    assert not [name for name in dataset.attrs if name.endswith("_taken_from")]


def test_a_distance_that_stands_in_is_said(toy):
    sc = Scenarios(mag=6.0, rhypo=20.0, vs30=500.0)
    wf = toy.generate(sc)
    assert wf.attrs["rrup_taken_from"] == "rhypo"
    assert "rrup" not in wf
    assert wf["rhypo"].values.tolist() == [20.0]


def test_file_round_trip(dataset, tmp_path):
    path = tmp_path / "wf.nc"
    dataset.to_netcdf(path, engine="h5netcdf")
    with xr.open_dataset(path, engine="h5netcdf") as back:
        assert back.load().equals(dataset)
        assert back.attrs == dataset.attrs
        assert back["time"].dtype == np.float64  # seconds stay numbers


def test_generated_datasets_measure(toy):
    from gwm_hazard import intensity_measures

    im = intensity_measures(toy.generate(SC, n=2, seed=1), ["PGV", "IA"])
    assert im["PGV"].dims == ("scenario", "realization")
    # Both measures are those of one pulse, so the one follows from the other.
    got = np.log(im["IA"]) - toy.ln_mean(SC, "IA")[:, None]
    want = 2 * (np.log(im["PGV"]) - toy.ln_mean(SC, "PGV")[:, None])
    np.testing.assert_allclose(got, want, atol=1e-5)
    assert im["vs30"].values.tolist() == [760.0, 300.0]


def test_attributes_of_the_stochastic_model_fit_a_file(tmp_path):
    model = StochasticModel()
    sc = Scenarios(mag=4.0, rrup=10.0, vs30=760.0, hypo_depth=5.0)
    model.generate(sc).to_netcdf(tmp_path / "wf.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "wf.nc", engine="h5netcdf") as back:
        card = json.loads(back.attrs["model_card"])
        assert card["parameters"] == model.card.parameters
        assert card["citation"]
