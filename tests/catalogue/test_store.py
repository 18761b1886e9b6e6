from __future__ import annotations

import json

import h5py
import numpy as np
import pytest
import xarray as xr

from gwm_hazard import Noise, Scenarios, open_catalogue
from gwm_hazard.catalogue.store import CatalogueWriter
from gwm_hazard.errors import CatalogueError, InputError

SC = Scenarios(mag=[5.0, 7.0, 5.5], rrup=[20.0, 10.0, 30.0], vs30=[760.0, 300.0, 400.0])
NOISE = Noise(7, np.array([2**64 - 1, 12, 5], np.uint64), [0, 3, 1], [4, 0, 2])
BRANCH = {"branch": {"long_name": "branch of the logic tree"}, "weight": {"units": "1"}}


def write(toy, path, *, stop_after=None, **changes):
    arguments = {
        "npts": 256,
        "seed": 7,
        "measures": {"PGV": "cm/s", "SA(1.0)": "g"},
        "extra": BRANCH,
        "provenance": {"calculation": "42"},
    } | changes
    with CatalogueWriter(path, toy, **arguments) as writer:
        for count, (rows, acc) in enumerate(toy.batches(SC, NOISE, batch_size=2)):
            if count == stop_after:
                raise KeyboardInterrupt
            writer.append(
                acc,
                SC.take(rows),
                NOISE.take(rows),
                {"PGV": 10.0 + rows, "SA(1.0)": 0.1 * rows},
                {"branch": np.array(["gwm", "väst", "gwm"])[rows], "weight": rows / 4},
            )
    return writer


@pytest.fixture
def path(toy, tmp_path):
    path = tmp_path / "new" / "waveforms.h5"
    assert write(toy, path).records == 3
    return path


#: records come by length: magnitudes below 6 first
ORDER = [0, 2, 1]


def test_round_trip(toy, path):
    assert [p.name for p in path.parent.iterdir()] == ["waveforms.h5"]
    with open_catalogue(path) as ds:
        assert dict(ds.sizes) == {"record": 3, "component": 3, "time": 256}
        for name in SC:
            assert ds[name].values.tolist() == SC[name][ORDER].tolist()
        assert ds["vs30"].attrs["units"] == "m/s"
        assert ds["npts"].values.tolist() == [160, 160, 256]
        assert ds["PGV"].values.tolist() == [10.0, 12.0, 11.0]
        assert ds["PGV"].attrs["units"] == "cm/s"
        assert ds["SA(1.0)"].values.tolist() == [0.0, 0.2, 0.1]
        assert ds["branch"].values.tolist() == ["gwm", "gwm", "väst"]
        assert ds["branch"].attrs == BRANCH["branch"]
        assert ds["weight"].values.tolist() == [0.0, 0.5, 0.25]
        assert ds["component"].values.tolist() == ["H1", "H2", "V"]
        np.testing.assert_allclose(ds["time"], np.arange(256) * 0.01)
        for rows, acc in toy.batches(SC, NOISE):
            for row, record in zip(rows, acc, strict=True):
                got = ds["acceleration"].values[ORDER.index(row)]
                assert np.array_equal(got[:, : record.shape[1]], record)
                assert not got[:, record.shape[1] :].any()


def test_coordinates_and_variables_are_told_apart(path):
    with open_catalogue(path) as ds:
        assert set(ds.data_vars) == {"acceleration", "PGV", "SA(1.0)"}
        assert set(ds.coords) == {
            "mag",
            "rrup",
            "vs30",
            "event",
            "site",
            "realization",
            "npts",
            "branch",
            "weight",
            "component",
            "time",
        }
        assert ds["acceleration"].attrs["units"] == "m/s2"


def test_waveforms_can_be_drawn_again_from_their_keys(toy, path):
    with open_catalogue(path) as ds:
        keys = Noise(
            int(ds.attrs["seed"]), *(ds[k].values for k in ("event", "site", "realization"))
        )
        assert keys.event.tolist() == NOISE.event[ORDER].tolist()  # event 2**64 - 1 among them
        sc = Scenarios(**{k: ds[k].values for k in toy.card.condition_names})
        for rows, acc in toy.batches(sc, keys):
            assert np.array_equal(ds["acceleration"].values[rows, :, : acc.shape[2]], acc)


def test_attributes(toy, path):
    with open_catalogue(path) as ds:
        assert ds.attrs["calculation"] == "42"
        assert ds.attrs["seed"] == "7"
        assert ds.attrs["dt_s"] == 0.01
        assert json.loads(ds.attrs["model_card"])["name"] == "toy"
        assert "python" in json.loads(ds.attrs["software"])


def test_xarray_opens_it_and_reads_waveforms_when_they_are_used(path):
    with xr.open_dataset(path, engine="h5netcdf") as ds:
        acceleration = ds["acceleration"]
        ds["mag"].load()
        assert not acceleration.variable._in_memory
        one = acceleration.isel(record=2)
        assert not one.variable._in_memory
        assert float(abs(one).max()) > 0
        assert not acceleration.variable._in_memory
        assert acceleration.encoding["chunksizes"] == (1, 3, 256)


@pytest.mark.parametrize("stop_after", [0, 1])
def test_an_exception_leaves_no_file(toy, tmp_path, stop_after):
    with pytest.raises(KeyboardInterrupt):
        write(toy, tmp_path / "waveforms.h5", stop_after=stop_after)
    assert list(tmp_path.iterdir()) == []


def test_an_exception_keeps_the_old_file(toy, path):
    before = path.read_bytes()
    with pytest.raises(KeyboardInterrupt):
        write(toy, path, stop_after=1, seed=8)
    assert path.read_bytes() == before
    assert len(list(path.parent.iterdir())) == 1


def test_writing_again_replaces_the_file(toy, path):
    write(toy, path, provenance={"calculation": "43"})
    with open_catalogue(path) as ds:
        assert ds.attrs["calculation"] == "43"
        assert ds.sizes["record"] == 3


def test_a_catalogue_may_be_empty(toy, tmp_path):
    with CatalogueWriter(tmp_path / "none.h5", toy, 256, 1, {}):
        pass
    with open_catalogue(tmp_path / "none.h5") as ds:
        assert ds.sizes["record"] == 0
        assert ds["acceleration"].shape == (0, 3, 256)


def test_many_batches(toy, tmp_path):
    """More records than a chunk of the small variables holds."""
    n = 1500
    sc = Scenarios(mag=5.0, rrup=20.0, vs30=400.0).repeat(n)
    noise = Noise(1, np.arange(n), 0, 0)
    with CatalogueWriter(tmp_path / "many.h5", toy, 160, 1, {"PGV": "cm/s"}) as writer:
        for rows, acc in toy.batches(sc, noise, batch_size=400):
            writer.append(acc, sc.take(rows), noise.take(rows), {"PGV": rows})
    with open_catalogue(tmp_path / "many.h5") as ds:
        assert np.array_equal(ds["event"], np.arange(n))
        assert np.array_equal(ds["PGV"], np.arange(n))
        assert (ds["mag"] == 5.0).all()


def test_missing_file(tmp_path):
    with pytest.raises(CatalogueError, match=f"{tmp_path}/none.h5: no such file"):
        open_catalogue(tmp_path / "none.h5")


@pytest.mark.parametrize("kind", ["text", "empty", "truncated"])
def test_corrupt_file(path, kind):
    content = path.read_bytes()
    path.write_bytes({"text": b"not HDF5\n" * 90, "empty": b"", "truncated": content[:3000]}[kind])
    with pytest.raises(CatalogueError, match=r"waveforms\.h5: not a readable HDF5 file"):
        open_catalogue(path)


@pytest.mark.filterwarnings("ignore:The 'phony_dims'")
def test_foreign_file(tmp_path):
    path = tmp_path / "other.h5"
    xr.Dataset({"acceleration": ("time", np.ones(3))}).to_netcdf(path, engine="h5netcdf")
    with pytest.raises(CatalogueError, match=r"other\.h5: not a waveform catalogue"):
        open_catalogue(path)
    path.unlink()
    with h5py.File(path, "w") as plain:
        plain["acceleration"] = np.ones(3)
    with pytest.raises(CatalogueError, match=r"other\.h5"):
        open_catalogue(path)


def test_newer_file(path):
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = 2
    with pytest.raises(CatalogueError, match=r"waveforms\.h5: catalogue format 2, .* up to 1; up"):
        open_catalogue(path)
    path.unlink()  # the refused file is not held open


def test_files_of_a_surface_are_not_catalogues(path):
    with h5py.File(path, "r+") as file:
        file.attrs["format"] = "gwm_hazard surface"
    with pytest.raises(CatalogueError, match="not a waveform catalogue"):
        open_catalogue(path)


def test_a_column_that_the_first_records_lack_is_refused(toy, tmp_path):
    sc, noise = Scenarios(mag=[5.0], rrup=[20.0], vs30=[400.0]), Noise(1, 0, 0, 0)
    more = Scenarios(mag=[5.0], rrup=[20.0], vs30=[400.0], rjb=[15.0])
    with (
        pytest.raises(InputError, match=r"rjb: the first 1 records of .*late\.h5 lack it"),
        CatalogueWriter(tmp_path / "late.h5", toy, 160, 1, {}, store="keys") as writer,
    ):
        writer.append(None, sc, noise, {}, npts=[160])
        writer.append(None, more, noise, {}, npts=[160])
    assert not list(tmp_path.iterdir())
