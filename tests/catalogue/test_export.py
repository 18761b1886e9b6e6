"""Selection of records, the folder of an export, its provenance."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from gwm_hazard import Noise, Scenarios, open_catalogue
from gwm_hazard.catalogue.export import FORMATS, export_catalogue, records, seed
from gwm_hazard.catalogue.export.folder import export_folder
from gwm_hazard.catalogue.export.records import open_records, select
from gwm_hazard.catalogue.store import CatalogueWriter

N = 7


@pytest.fixture
def catalogue(toy, tmp_path):
    """Seven records: magnitudes 5, 5.5 ... 8 (two lengths), sites 0, 1, 2, 0 ..."""
    rows = np.arange(N)
    sc = Scenarios(mag=5.0 + 0.5 * rows, rrup=20.0, vs30=400.0)
    noise = Noise(11, rows // 3, rows % 3, 0)
    path = tmp_path / "waveforms.h5"
    extra = {"branch": {"long_name": "branch"}, "share": {"units": "1"}}
    with CatalogueWriter(path, toy, 256, 11, {"PGV": "cm/s", "SA(1.0)": "g"}, extra) as writer:
        for part, acc in toy.batches(sc, noise):
            writer.append(
                acc,
                sc.take(part),
                noise.take(part),
                {"PGV": 10.0 + part, "SA(1.0)": 0.1 * part},
                {"branch": np.array(["gwm", "väst"])[part % 2], "share": part / 7},
            )
    return path


def table_of(path, **filters):
    with open_records(path) as every:
        return select(every, **filters).table


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, range(7)),
        ({"records": "2"}, [2]),
        ({"records": "5:,0,1:3, 2"}, [0, 1, 2, 5, 6]),
        ({"records": ":2"}, [0, 1]),
        ({"where": "mag > 6.5"}, [4, 5, 6]),
        ({"where": "mag > 5 and site == 2"}, [2, 5]),
        ({"where": "`SA(1.0)` < 0.15"}, [0, 1]),
        ({"where": "branch == 'väst'"}, [1, 3, 5]),
        ({"limit": 3}, [0, 1, 2]),
        ({"records": "1:6", "where": "mag > 6", "limit": 2}, [3, 4]),
    ],
)
def test_filters(catalogue, filters, expected):
    assert table_of(catalogue, **filters)["record"].tolist() == list(expected)


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"records": "7"}, "'7' is not within the records 0 to 6"),
        ({"records": "3:2"}, "not within"),
        ({"records": "-1"}, "not within"),
        ({"records": "a"}, "write numbers and ranges"),
        ({"where": "magnitude > 5"}, "'magnitude' is not defined; columns are record, name"),
        ({"where": "mag +"}, "where = 'mag +'"),
        ({"where": "mag + 1"}, "must be a condition"),
        ({"where": "mag > 9"}, "no record is left of 7"),
        ({"limit": 0}, "max = 0"),
    ],
)
def test_filters_that_fail(catalogue, filters, message):
    with pytest.raises(ValueError, match=message.replace("+", r"\+")):
        table_of(catalogue, **filters)


def test_table_has_coordinates_and_measures(catalogue):
    with open_records(catalogue) as every, open_catalogue(catalogue) as ds:
        assert every.measures == ("PGV", "SA(1.0)")
        assert every.units["SA(1.0)"] == "g" and every.units["vs30"] == "m/s"
        assert every.table["name"].tolist()[:2] == ["rec0000", "rec0001"]
        for name in ("mag", "rrup", "event", "site", "realization", "npts", "branch", "PGV"):
            assert every.table[name].tolist() == ds[name].values.tolist()


@pytest.mark.parametrize("size", [1, 2 * 3 * 256 * 4, 2**25])
@pytest.mark.parametrize("chosen", ["", "0,2,3,6"])
def test_blocks_do_not_change_the_waveforms(catalogue, monkeypatch, size, chosen):
    monkeypatch.setattr(records, "BLOCK_BYTES", size)
    with open_records(catalogue) as every, open_catalogue(catalogue) as ds:
        some = select(every, chosen)
        expected = ds["acceleration"].values[some.table["record"]]
        rows, blocks = zip(*some.blocks(), strict=True)
        assert np.array_equal(np.concatenate(blocks), expected)
        assert max(b.nbytes for b in blocks) <= max(size, expected[0].nbytes)
        assert [r.start for r in rows] == np.cumsum([0, *map(len, blocks)])[:-1].tolist()
        for row, name, acc in some.each():
            npts = some.table["npts"][row]
            assert name == f"rec{some.table['record'][row]:04d}"
            assert np.array_equal(acc, expected[row][:, :npts])


@pytest.mark.parametrize("size", [1, 4 * 3 * 256 * 4, 2**25])
def test_scenarios_and_realizations_become_records(toy, tmp_path, monkeypatch, size):
    monkeypatch.setattr(records, "BLOCK_BYTES", size)
    sc = Scenarios(mag=[5.0, 7.0, 6.5], rrup=[20.0, 10.0, 15.0], vs30=400.0)
    wf = toy.generate(sc, n=3, seed=5)
    wf.to_netcdf(tmp_path / "wf.h5", engine="h5netcdf")
    flat = wf["acceleration"].values.reshape(9, 3, -1)
    for source in (wf, tmp_path / "wf.h5"):
        with open_records(source) as every:
            assert every.table["event"].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
            assert every.table["realization"].tolist() == [0, 1, 2] * 3
            assert every.table["mag"].tolist() == [5.0] * 3 + [7.0] * 3 + [6.5] * 3
            assert every.table["npts"].tolist() == [160] * 3 + [256] * 6
            for chosen, rows in (("", range(9)), ("1:7", range(1, 7)), ("0,4,5,8", [0, 4, 5, 8])):
                some = select(every, chosen)
                got = np.concatenate([b for _, b in some.blocks()])
                assert np.array_equal(got, flat[list(rows)])
            # The keys in the table are those the records were drawn from.
            keys = Noise(5, *(every.table[k].to_numpy() for k in ("event", "site", "realization")))
            again = Scenarios(**{k: every.table[k] for k in toy.card.condition_names})
            for part, acc in toy.batches(again, keys):
                assert np.array_equal(acc, flat[part][:, :, : acc.shape[2]])


def test_other_files_are_refused(tmp_path):
    (tmp_path / "a.csv").write_text("1,2\n")
    xr.Dataset({"x": ("t", [1.0])}).to_netcdf(tmp_path / "b.h5", engine="h5netcdf")
    for name, message in (("a.csv", "not a readable"), ("b.h5", "no variable acceleration")):
        with pytest.raises(ValueError, match=message):
            export_catalogue(tmp_path / name, "csv", tmp_path / "out")
    with pytest.raises(ValueError, match="no such file"):
        export_catalogue(tmp_path / "none.h5", "csv", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"format": "sac"}, "unknown format 'sac': known are asdf, at2, csv"),
        ({"format": "at2", "unit": "m/s2"}, "unit = 'm/s2': format at2 has g"),
        ({"format": "csv", "unit": "gal"}, "has m/s2 or cm/s2 or g"),
        ({"format": "openquake", "unit": "g"}, "has none"),
        ({"format": "csv", "imts": ["PGA"]}, "imts = .* no such option"),
        ({"format": "csv", "sites": "sites.csv"}, "sites = .* no such option"),
    ],
)
def test_wrong_choices(catalogue, tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        export_catalogue(catalogue, output=tmp_path / "out", **arguments)


def test_existing_output(catalogue, tmp_path):
    out = tmp_path / "out"
    out.mkdir()  # an empty folder is as good as none
    export_catalogue(catalogue, "csv", out)
    with pytest.raises(FileExistsError, match="--overwrite"):
        export_catalogue(catalogue, "csv", out)
    export_catalogue(catalogue, "at2", out, records="0", overwrite=True)
    assert [p.name for p in (out / "waveforms").iterdir() if p.suffix != ".AT2"] == []
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "waveforms.h5"]
    # A folder of the user's, or a file, is never replaced.
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("x")
    for target in (mine, catalogue):
        with pytest.raises(FileExistsError, match="no export of gwm-hazard"):
            export_catalogue(catalogue, "csv", target, overwrite=True)
    assert (mine / "thesis.txt").read_text() == "x"


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_interrupted_export_leaves_nothing(catalogue, tmp_path, error):
    def stop(share):
        if share > 0.5:
            raise error

    with pytest.raises(error):
        export_catalogue(catalogue, "csv", tmp_path / "out", progress=stop)
    assert [p.name for p in tmp_path.iterdir()] == ["waveforms.h5"]


def test_killed_export_is_cleared_by_the_next(catalogue, tmp_path):
    left = export_folder(tmp_path / "out")
    (left.__enter__() / "half.csv").write_text("1,")  # killed: never leaves the block
    assert (tmp_path / "out.tmp" / "half.csv").is_file()
    export_catalogue(catalogue, "csv", tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["out", "waveforms.h5"]
    assert not (tmp_path / "out" / "half.csv").exists()
    left.gen.close()
    # A folder of that name that is not ours stays.
    (tmp_path / "new.tmp").mkdir()
    (tmp_path / "new.tmp" / "mine.txt").touch()
    with pytest.raises(FileExistsError, match=r"new\.tmp is in the way"):
        export_catalogue(catalogue, "csv", tmp_path / "new")


@pytest.mark.parametrize("name", ["at2", "csv", "opensees", "seisbench"])
def test_provenance_and_readme(toy, catalogue, tmp_path, name):
    out = tmp_path / "out"
    shares: list[float] = []
    export_catalogue(catalogue, name, out, where="mag > 5.2", limit=3, progress=shares.append)
    assert shares[-1] == 1.0 and shares == sorted(shares)
    notes = json.loads((out / "provenance.json").read_text())
    assert notes["format"] == name and notes["source"] == "waveforms.h5"
    assert notes["records"] == 3 and notes["records_of_source"] == N
    assert notes["selection"] == {"records": "", "where": "mag > 5.2", "max": 3}
    assert notes["acceleration_unit"] == FORMATS[name].units[0]
    assert (notes["model"], notes["model_version"]) == ("toy", toy.card.version)
    assert (notes["licence"], notes["citation"]) == (toy.card.licence, ["nobody"])
    assert (notes["seed"], notes["dt_s"]) == ("11", 0.01)
    assert notes["column_units"]["PGV"] == "cm/s"
    assert "numpy" in notes["software"]
    assert notes["source_attributes"]["model_card"]["parameters"] == toy.card.parameters
    text = (out / "README.txt").read_text()
    words = f"""toy 1.2.3|seed 11|CC0-1.0|nobody|3 of 7 records|moment magnitude
        |acceleration in {notes["acceleration_unit"]}|160 to 256 samples"""
    for word in map(str.strip, words.split("|")):
        assert word in text, word
    assert all(len(line) < 100 for line in text.splitlines())


def test_exports_are_reproducible(catalogue, tmp_path):
    for name in ("csv", "seisbench"):
        for k in "ab":
            export_catalogue(catalogue, name, tmp_path / f"{name}_{k}")
        first, second = (sorted((tmp_path / f"{name}_{k}").rglob("*.*")) for k in "ab")
        assert len(first) == len(second) > 4 - 1
        assert all(p.read_bytes() == q.read_bytes() for p, q in zip(first, second, strict=True))


def test_station_codes_are_distinct_and_read_as_text(tmp_path):
    numbers = [0, 1, 9, 10, 35, 36, 10**6, 26 * 36**4 - 1]
    codes = [seed.station(i) for i in numbers]
    assert all(len(c) == 5 and c[0].isalpha() and c.isalnum() for c in codes)
    # Base 36 with the first digit from A: int() is the inverse.
    assert [int(c, 36) - int("A0000", 36) for c in codes] == numbers
    with pytest.raises(ValueError, match="export less"):
        seed.station(26 * 36**4)
    pd.DataFrame({"station": codes}).to_csv(tmp_path / "s.csv")
    assert pd.read_csv(tmp_path / "s.csv")["station"].tolist() == codes


@pytest.mark.parametrize(
    ("components", "rate", "expected"),
    [
        (["H1", "H2", "V"], 100.0, ["HN1", "HN2", "HNZ"]),
        (["R", "T", "Z"], 200.0, ["HNR", "HNT", "HNZ"]),
        (["E", "N", "Z"], 50.0, ["BNE", "BNN", "BNZ"]),
        (["fault-normal", "fault-parallel", "V"], 500.0, ["CN1", "CN2", "CN3"]),
    ],
)
def test_channel_codes(components, rate, expected):
    assert seed.channels(components, rate) == expected


def test_a_catalogue_of_keys_exports_as_one_of_waveforms(tmp_path):
    from gwm_hazard.models.registry import load_model

    model = load_model("stochastic", "cpu")
    sc = Scenarios(mag=[5.0, 5.5, 5.0], rhypo=20.0, vs30=400.0, hypo_depth=8.0)
    noise = Noise(11, [3, 4, 5], 0, 0)
    for store in ("waveforms", "keys"):
        path = tmp_path / f"{store}.h5"
        with CatalogueWriter(path, model, 0, 11, {}, store=store) as writer:
            for part, acc in model.batches(sc, noise):
                writer.append(acc, sc.take(part), noise.take(part), {})
        export_catalogue(path, "csv", tmp_path / store)
    files = sorted(p.relative_to(tmp_path / "keys") for p in (tmp_path / "keys").rglob("*.csv"))
    assert len(files) == 4
    for file in files[1:]:
        assert (tmp_path / "keys" / file).read_text() == (tmp_path / "waveforms" / file).read_text()
