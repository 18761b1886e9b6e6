"""Durations, energy, velocity, the table of measures, and observed records."""

import math
import re

import numpy as np
import pytest

from gwm_hazard.intensity import (
    MEASURES,
    arias_intensity,
    cumulative_absolute_velocity,
    husid_measures,
    intensity_measures,
    intensity_measures_array,
    peak_acceleration,
    peak_displacement,
    peak_velocity,
    significant_duration,
)

from .reference import ANGLES, G, records, rotated_percentiles, shared_data, trapezoid

IMTS = ["PGA", "PGV", "PGD", "SA(0.3)", "SA(1)", "IA", "CAV", "RSD595", "RSD575", "RSD2080"]


def rotated(acc, measure):
    """Median over the angles of a measure of the rotated component, one by one."""
    x, y = acc
    return np.percentile([measure(x * np.cos(a) + y * np.sin(a)) for a in ANGLES], 50)


def test_velocity_of_constant_1_g():
    t = np.arange(501) * 0.01
    acc = np.stack([np.full(501, 9.81), np.zeros(501)])[None]
    assert peak_velocity(acc, 0.01, [100])[0, 0] == pytest.approx(981 * t[-1])
    assert peak_displacement(acc, 0.01, [100])[0, 0] == pytest.approx(981 * t[-1] ** 2 / 2)


def test_velocity_and_displacement_of_records():
    acc = records(3, 1200, 0.01, seed=1)
    for i, (x, y) in enumerate(acc):
        vx, vy = trapezoid(x, 0.01), trapezoid(y, 0.01)
        dx, dy = trapezoid(vx, 0.01), trapezoid(vy, 0.01)
        for nn in (0, 50, 100):
            v = rotated_percentiles(vx, vy, nn) * 100
            d = rotated_percentiles(dx, dy, nn) * 100
            # ours finds the peak between samples too
            assert v * (1 - 1e-9) <= peak_velocity(acc, 0.01, [nn])[i, 0] <= v * 1.01
            assert d * (1 - 1e-9) <= peak_displacement(acc, 0.01, [nn])[i, 0] <= d * 1.001


def test_peak_acceleration_lies_between_samples():
    t = np.arange(2000) * 0.01
    fade = np.sin(math.pi * t / 20) ** 2
    # 25 Hz sampled at 100 Hz, and never at its crest
    acc = np.stack([fade * np.sin(2 * math.pi * 25 * t + math.pi / 4), 0 * t])[None]
    assert np.abs(acc).max() < 0.71
    assert peak_acceleration(acc, 0.01, [100])[0, 0] * G == pytest.approx(1, rel=1e-3)
    linear = peak_acceleration(acc, 0.01, [100], interpolation="linear")[0, 0]
    assert linear * G == pytest.approx(np.abs(acc).max(), rel=1e-12)


def test_arias_and_cav_of_a_constant():
    acc = np.full((1, 101), 2.0)
    assert arias_intensity(acc, 0.01, None)[0] == pytest.approx(math.pi / (2 * G) * 4.0)
    assert cumulative_absolute_velocity(acc, 0.01, None)[0] == pytest.approx(2.0 / G)


def test_duration_of_a_constant_interpolates_the_husid_curve():
    acc = np.full((1, 12), 1.0)  # 11 steps: no crossing on a sample
    assert significant_duration(acc, 1.0, 0.05, 0.95, None)[0] == pytest.approx(9.9)
    assert significant_duration(acc, 1.0, 0.0, 1.0, None)[0] == pytest.approx(11.0)


def test_rotated_energy_and_durations():
    acc = records(2, 1000, 0.01, seed=3)
    arias, durations = husid_measures(acc, 0.01, [(0.05, 0.95), (0.2, 0.8)])
    cav = cumulative_absolute_velocity(acc, 0.01)

    def duration(x, start, end):
        husid = trapezoid(x * x, 0.01)
        return np.diff(np.interp([start * husid[-1], end * husid[-1]], husid, np.arange(x.size)))

    for i in range(2):
        energy = rotated(acc[i], lambda x: trapezoid(x * x, 0.01)[-1] * math.pi / (2 * G))
        assert arias[i, 0] == pytest.approx(energy, rel=1e-9)
        absolute = rotated(acc[i], lambda x: trapezoid(np.abs(x), 0.01)[-1] / G)
        assert cav[i, 0] == pytest.approx(absolute, rel=1e-9)
        for j, (start, end) in enumerate([(0.05, 0.95), (0.2, 0.8)]):
            expected = rotated(acc[i], lambda x, a=start, b=end: duration(x, a, b)[0]) * 0.01
            assert durations[i, j, 0] == pytest.approx(expected, rel=1e-6)


def test_fractions_out_of_order():
    with pytest.raises(ValueError, match="fractions"):
        significant_duration(np.ones((1, 10)), 0.01, 0.9, 0.1, None)


def test_components():
    acc = np.concatenate([records(4, 800, 0.01, seed=6), records(4, 800, 0.01, seed=7)], axis=1)
    acc = acc[:, :3]
    h1 = intensity_measures_array(acc, 0.01, IMTS, "H1")
    h2 = intensity_measures_array(acc, 0.01, IMTS, "H2")
    mean = intensity_measures_array(acc, 0.01, IMTS, "geometric_mean")
    assert mean == pytest.approx(np.sqrt(h1 * h2))
    larger = intensity_measures_array(acc, 0.01, IMTS, "larger")
    assert np.array_equal(larger, np.maximum(h1, h2))
    swapped = intensity_measures_array(acc[:, ::-1], 0.01, IMTS, "H1")
    assert np.array_equal(intensity_measures_array(acc, 0.01, IMTS, "vertical"), swapped)
    assert h1[:, 5] == pytest.approx(arias_intensity(acc[:, 0], 0.01, None))
    assert h1[:, 6] == pytest.approx(cumulative_absolute_velocity(acc[:, 0], 0.01, None))
    assert h1[:, 7] == pytest.approx(significant_duration(acc[:, 0], 0.01, percentiles=None))
    rot100 = intensity_measures_array(acc, 0.01, IMTS, "RotD100")
    assert np.all(rot100[:, :7] >= larger[:, :7] * (1 - 1e-9))


def test_npts_says_where_the_zeros_begin():
    acc = records(3, 900, 0.01, seed=2)
    npts = np.array([400, 650, 900])
    for record, length in zip(acc, npts, strict=True):
        record[:, length:] = 0
    expected = intensity_measures_array(acc, 0.01, IMTS)
    assert np.array_equal(intensity_measures_array(acc, 0.01, IMTS, npts=npts), expected)
    with pytest.raises(ValueError, match="npts"):
        intensity_measures_array(acc, 0.01, IMTS, npts=[1, 2, 1000])


#: In the table, and not a name of OpenQuake.
OURS_ALONE = {"SI", "ASI", "DSI", "RSDppqq", "DB(a)", "DU(a)"}


def test_every_measure_of_the_table_is_computed_under_the_name_of_openquake():
    imt = pytest.importorskip("openquake.hazardlib.imt")
    acc = records(1, 300, 0.01)
    acc = np.concatenate([acc, acc[:, :1]], axis=1)
    numbers = {"T": "0.5", "f": "2.0", "a": "0.001"}
    for measure in MEASURES:
        name = re.sub(r"\((\w)\)", lambda m: f"({numbers[m[1]]})", measure.imt)
        name = name.replace("ppqq", "1090")
        if measure.imt not in OURS_ALONE:
            assert imt.from_string(name).string.split("(")[0] == name.split("(")[0]
        assert np.isfinite(intensity_measures_array(acc, 0.01, [name])).all()
    for name in ["SA(0.01)", "SA(10)", "SA(1.0)", "SA(7.5)"]:
        assert intensity_measures_array(acc, 0.01, [name]).shape == (1, 1)


@pytest.mark.parametrize("name", ["SA", "SA(0)", "SA(-1)", "SA(T)", "SA(x)", "pga", "MMI", ""])
def test_unknown_measure_is_named(name):
    with pytest.raises(ValueError, match=r"unknown intensity measure.*PGA, PGV"):
        intensity_measures_array(np.ones((1, 2, 10)), 0.01, ["PGA", name])


@pytest.mark.parametrize("component", ["RotD", "RotD101", "rotd50", "H3"])
def test_unknown_component_is_named(component):
    with pytest.raises(ValueError, match="unknown component"):
        intensity_measures_array(np.ones((1, 2, 10)), 0.01, ["PGA"], component)


def test_vertical_needs_three_components():
    with pytest.raises(ValueError, match="two components"):
        intensity_measures_array(np.ones((1, 2, 10)), 0.01, ["PGA"], "vertical")


def test_dataset(tmp_path, monkeypatch):
    xarray = pytest.importorskip("xarray")
    from gwm_hazard.intensity import measures

    acc = records(12, 600, 0.01, seed=4).reshape(3, 4, 2, 600)
    wf = xarray.Dataset(
        {"acceleration": (("scenario", "realization", "component", "time"), acc)},
        coords={"time": np.arange(600) * 0.01, "mag": ("scenario", [5.0, 6.0, 7.0])},
    )
    im = intensity_measures(wf, IMTS, "RotD100")
    flat = intensity_measures_array(acc.reshape(12, 2, 600), 0.01, IMTS, "RotD100")
    for i, name in enumerate(IMTS):
        assert im[name].dims == ("scenario", "realization")
        assert im[name].values.ravel() == pytest.approx(flat[:, i], rel=1e-9)
        assert im[name].attrs["component"] == "RotD100"
    assert im["SA(1)"].attrs["units"] == "g"
    assert im["SA(1)"].attrs["damping"] == 0.05
    assert list(im["mag"].values) == [5.0, 6.0, 7.0] and "time" not in im.coords
    path = tmp_path / "wf.h5"
    pytest.importorskip("h5netcdf")
    wf.to_netcdf(path, engine="h5netcdf")
    for block in (1, 3, 5, 1024):  # whatever the blocks it is read in
        monkeypatch.setattr(measures, "_BLOCK", block)
        with xarray.open_dataset(path, engine="h5netcdf") as lazy:
            again = intensity_measures(lazy, IMTS, "RotD100")
        assert again.identical(im)


def test_dataset_errors():
    xarray = pytest.importorskip("xarray")
    with pytest.raises(ValueError, match="acceleration"):
        intensity_measures(xarray.Dataset(), ["PGA"])
    wrong = xarray.Dataset({"acceleration": (("time", "component"), np.ones((10, 2)))})
    with pytest.raises(ValueError, match="dimensions"):
        intensity_measures(wrong, ["PGA"])
    unknown = xarray.Dataset({"acceleration": (("component", "time"), np.ones((2, 10)))})
    with pytest.raises(ValueError, match="time step"):
        intensity_measures(unknown, ["PGA"])


def test_published_rotd50_of_observed_records():
    folder = shared_data()
    h5py = pytest.importorskip("h5py")
    pandas = pytest.importorskip("pandas")
    truth = pandas.read_csv(folder / "jfayaz_rotd50_truth.csv.gz").set_index("record_id")
    meta = pandas.read_csv(folder / "metadata.csv", dtype={"station": str, "event_id": str})
    meta = meta[(meta.file == "observed_3c.h5") & meta.record_id.isin(truth.index)]
    columns = ["PGA", "PGV", "PGD", "SA(0.2)", "SA(0.5)", "SA(1)", "SA(3)", "SA(5)"]
    ratios = []
    with h5py.File(folder / "observed_3c.h5") as file:
        for row, record_id in zip(meta.row, meta.record_id, strict=True):
            acc = file["acceleration"][row] * file["scale"][row][:, None]
            values = intensity_measures_array(
                acc[None], float(file["dt"][row]), columns, npts=file["npts"][[row]]
            )
            ratios.append(values[0] / truth.loc[record_id, columns].to_numpy(float))
    ratios = np.array(ratios)
    assert len(ratios) == 70
    assert np.median(ratios, axis=0) == pytest.approx(np.ones(len(columns)), abs=0.005)
    # the published values were computed on straight lines between the samples
    assert np.all(np.std(np.log(ratios), axis=0) < 0.01)
