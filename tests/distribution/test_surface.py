from __future__ import annotations

import h5py
import numpy as np
import pytest
import xarray as xr

from gwm_hazard.distribution.file import read_surface, write_surface
from gwm_hazard.distribution.surface import (
    Axis,
    Surface,
    fingerprint,
    spectral_period,
)
from gwm_hazard.errors import SurfaceError
from tests.toy import ToyModel

AXES = (
    Axis("mag", (4.0, 5.0, 5.5, 7.0, 8.0)),
    Axis("rrup", (1.0, 3.0, 10.0, 40.0, 100.0, 300.0), "log", "cubic"),
    Axis("vs30", (150.0, 400.0, 1500.0), "log", "linear"),
)
IMTS = ("PGA", "PGV", "SA(0.1)", "SA(0.4)", "SA(2.0)")
GRID = dict(
    zip(("mag", "rrup", "vs30"), np.meshgrid(*(a.values for a in AXES), indexing="ij"), strict=True)
)


def truth(c, k):
    """Quadratic in mag and ln rrup, linear in ln vs30: within the interpolation's reach."""
    mean = 0.1 * k + c["mag"] - 0.05 * c["mag"] ** 2 - 1.2 * np.log(c["rrup"])
    mean = mean - 0.02 * np.log(c["rrup"]) ** 2 - 0.5 * np.log(c["vs30"])
    return mean, 0.5 - 0.03 * c["mag"] + 0.01 * k, 0.4 + 0.02 * np.log(c["rrup"])


def make(fields=None, imts=IMTS, attrs=None, axes=AXES):
    if fields is None:
        columns = [truth(GRID, k) for k in range(len(imts))]
        fields = [np.stack([c[j] for c in columns], axis=-1) for j in range(3)]
    return Surface(
        axes,
        imts,
        *(f.astype(np.float32) for f in fields),
        errors={"sampling_mean": np.linspace(0.01, 0.02, len(imts))},
        model=fingerprint(ToyModel().card),
        attrs={"realizations": 400, "seed": 1, "held_out": 60} if attrs is None else attrs,
    )


def scenarios(n=50):
    rng = np.random.default_rng(1)
    return {
        "mag": rng.uniform(4, 8, n),
        "rrup": np.exp(rng.uniform(0, np.log(300), n)),
        "vs30": np.exp(rng.uniform(np.log(150), np.log(1500), n)),
    }


def test_interpolation_is_exact_where_the_order_suffices():
    sc = scenarios()
    got = make()(sc, IMTS)
    for k in range(len(IMTS)):
        mean, tau, phi = truth(sc, k)
        np.testing.assert_allclose(got.mean[:, k], mean, atol=5e-6)
        np.testing.assert_allclose(got.tau[:, k], tau, atol=1e-6)
        np.testing.assert_allclose(got.phi[:, k], phi, atol=1e-6)


def test_nodes_keep_their_values():
    rng = np.random.default_rng(3)
    shape = (*GRID["mag"].shape, len(IMTS))
    surface = make([rng.normal(size=shape), rng.random(shape), rng.random(shape)])
    got = surface({k: v.ravel() for k, v in GRID.items()}, IMTS)
    for name in ("mean", "tau", "phi"):
        want = getattr(surface, name).reshape(-1, len(IMTS))
        np.testing.assert_allclose(getattr(got, name), want, atol=1e-6)


def test_standard_deviations_stay_positive_where_a_cubic_undershoots():
    tau = np.zeros((*GRID["mag"].shape, 1))
    tau[2] = 1.0
    sc = {"mag": np.linspace(4, 8, 81), "rrup": np.full(81, 10.0), "vs30": np.full(81, 400.0)}
    got = make([tau, tau, tau], imts=("PGA",))(sc, ("PGA",))
    assert got.mean.min() < 0  # the cubic does undershoot here
    assert got.tau.min() == 0
    assert got.phi.min() == 0


def test_any_order_and_choice_of_measures():
    sc = scenarios(5)
    surface = make()
    whole = surface(sc, IMTS)
    part = surface(sc, ("SA(0.4)", "PGA"))
    np.testing.assert_allclose(part.mean, whole.mean[:, [3, 0]], rtol=1e-12)
    np.testing.assert_allclose(part.tau, whole.tau[:, [3, 0]], rtol=1e-12)


def test_extra_conditions_are_ignored():
    sc = scenarios(5)
    got = make()(sc | {"rake": np.zeros(5)}, ("PGA",))
    assert np.array_equal(got.mean, make()(sc, ("PGA",)).mean)


def test_periods_between_are_interpolated_in_their_logarithm():
    sc = scenarios(5)
    surface = make()
    held = surface(sc, IMTS)
    got = surface(sc, ("SA(0.2)", "SA(1.0)"))
    # 0.2 s is half way from 0.1 to 0.4 in ln T; ln(1.0/0.4)/ln(2.0/0.4) = 0.5693
    np.testing.assert_allclose(got.mean[:, 0], held.mean[:, 2:4].mean(axis=1), rtol=1e-9)
    want = (1 - 0.569323) * held.mean[:, 3] + 0.569323 * held.mean[:, 4]
    np.testing.assert_allclose(got.mean[:, 1], want, atol=1e-6)


@pytest.mark.parametrize(
    ("asked", "held"), [("SA(0.10)", 2), ("SA(0.400)", 3), ("SA(2)", 4), ("SA(2.0)", 4)]
)
def test_a_held_period_in_other_writing(asked, held):
    sc = scenarios(5)
    got = make()(sc, (asked,))
    np.testing.assert_allclose(got.mean[:, 0], make()(sc, IMTS).mean[:, held], rtol=1e-12)


def test_one_spectral_period_is_enough():
    surface = make(imts=("PGA", "SA(1.0)"))
    sc = scenarios(5)
    np.testing.assert_allclose(
        surface(sc, ("SA(1)",)).mean, surface(sc, ("SA(1.0)",)).mean, rtol=1e-12
    )
    with pytest.raises(SurfaceError, match=r"SA\(0.5\) is not in the surface"):
        surface.columns(("SA(0.5)",))


def test_periods_in_any_order():
    imts = ("SA(2.0)", "PGA", "SA(0.1)", "SA(0.4)")
    sc = scenarios(5)
    surface = make(imts=imts)
    held = surface(sc, imts)
    got = surface(sc, ("SA(0.2)",))
    np.testing.assert_allclose(got.mean[:, 0], held.mean[:, 2:4].mean(axis=1), rtol=1e-9)


@pytest.mark.parametrize("asked", ["CAV", "RSD595", "SA(0.05)", "SA(3.0)"])
def test_what_is_not_held_is_an_error_that_says_what_is(asked):
    with pytest.raises(SurfaceError) as error:
        make()(scenarios(2), ("PGA", asked))
    message = str(error.value)
    for words in (f"{asked} is not in the surface", "PGA, PGV", "SA from 0.1 to 2 s", "direct"):
        assert words in message
    assert message.count("SA from") == 1


def test_what_is_not_held_by_a_surface_without_spectra():
    with pytest.raises(SurfaceError, match=r"SA\(1\.0\) is not in the surface, which holds PGA"):
        make(imts=("PGA",)).columns(("SA(1.0)",))


def test_spectral_period():
    assert spectral_period("SA(5.0)") == 5.0
    assert spectral_period("PGA") is None


def test_ranges():
    assert make().ranges == {"mag": (4.0, 8.0), "rrup": (1.0, 300.0), "vs30": (150.0, 1500.0)}


@pytest.mark.parametrize("values", [(4.0,), (4.0, 4.0), (5.0, 4.0)])
def test_axis_is_checked(values):
    with pytest.raises(ValueError, match="axis mag: needs at least 2 increasing values"):
        Axis("mag", values)


def test_round_trip(tmp_path):
    surface = make()
    path = write_surface(surface, tmp_path / "new" / "toy.h5", ToyModel().card)
    assert [p.name for p in path.parent.iterdir()] == ["toy.h5"]
    loaded = read_surface(path)
    assert loaded.axes == surface.axes
    assert loaded.imts == surface.imts
    assert loaded.model == surface.model
    assert loaded.attrs == surface.attrs
    for name in ("mean", "tau", "phi"):
        assert np.array_equal(getattr(loaded, name), getattr(surface, name))
        assert getattr(loaded, name).dtype == np.float32
    assert loaded.errors.keys() == surface.errors.keys()
    np.testing.assert_allclose(loaded.errors["sampling_mean"], surface.errors["sampling_mean"])
    sc = scenarios(5)
    assert np.array_equal(loaded(sc, IMTS).mean, surface(sc, IMTS).mean)


def test_round_trip_without_attributes(tmp_path):
    path = write_surface(make(attrs={}), tmp_path / "toy.h5", ToyModel().card)
    assert read_surface(path).attrs == {}


def test_the_file_describes_itself(tmp_path):
    path = write_surface(make(), tmp_path / "toy.h5", ToyModel().card)
    with xr.open_dataset(path, engine="h5netcdf") as data:
        assert data["mean"].dims == ("mag", "rrup", "vs30", "imt")
        assert data["imt"].values.tolist() == list(IMTS)
        assert data["vs30"].attrs["units"] == "m/s"
        assert data.attrs["model"] == "toy"
        assert data.attrs["licence"] == "CC0-1.0"
        assert float(data["mean"].sel(mag=5.5, rrup=10, vs30=400, imt="PGV")) == pytest.approx(
            truth({"mag": 5.5, "rrup": 10.0, "vs30": 400.0}, 1)[0], abs=1e-5
        )


def test_missing_file(tmp_path):
    with pytest.raises(SurfaceError, match=r"none\.h5: no such file; make it with `gwm-hazard"):
        read_surface(tmp_path / "none.h5")


@pytest.mark.parametrize("kind", ["text", "empty", "truncated"])
def test_corrupt_file(tmp_path, kind):
    path = write_surface(make(), tmp_path / "toy.h5", ToyModel().card)
    content = path.read_bytes()
    path.write_bytes({"text": b"not HDF5\n" * 90, "empty": b"", "truncated": content[:3000]}[kind])
    with pytest.raises(SurfaceError, match=r"toy\.h5: not a readable HDF5 file") as error:
        read_surface(path)
    assert "\n" not in str(error.value)


@pytest.mark.filterwarnings("ignore:The 'phony_dims'")
def test_foreign_files(tmp_path):
    path = tmp_path / "other.h5"
    xr.Dataset({"mean": ("x", [1.0])}).to_netcdf(path, engine="h5netcdf")
    with pytest.raises(SurfaceError, match=r"other\.h5: this file is not a surface"):
        read_surface(path)
    with h5py.File(path, "w") as plain:
        plain["mean"] = np.ones(3)
    with pytest.raises(SurfaceError, match=r"other.h5"):
        read_surface(path)


def test_newer_file(tmp_path):
    path = write_surface(make(), tmp_path / "toy.h5", ToyModel().card)
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = 3
    with pytest.raises(
        SurfaceError, match=r"toy\.h5: format 3, this version reads up to 2; update"
    ):
        read_surface(path)


def test_fingerprint_follows_what_decides_the_numbers():
    base = fingerprint(ToyModel().card)
    assert base == fingerprint(ToyModel().card)
    assert base != fingerprint(ToyModel(phi=0.61).card)
    from dataclasses import replace

    card = ToyModel().card
    assert fingerprint(replace(card, summary="other words", version="9")) == base
    assert fingerprint(replace(card, sampling_rate_hz=50.0)) != base
