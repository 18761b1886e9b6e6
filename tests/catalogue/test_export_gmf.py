"""Ground-motion fields: the files, and a risk calculation of OpenQuake that reads them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from openquake.hazardlib.imt import from_string as imt_from_string

from gwm_hazard import Noise, Scenarios, intensity_measures
from gwm_hazard.catalogue.export import Exported, Options, export_catalogue
from gwm_hazard.catalogue.export.gmf import DEFAULT_IMTS, OPENQUAKE_IMTS, imts_of
from gwm_hazard.catalogue.export.records import open_records
from gwm_hazard.catalogue.store import CatalogueWriter
from gwm_hazard.intensity import intensity_measures_array, parse_imt
from tests.openquake.jobs import OpenQuake

#: Keys that do not count from zero, as in a calculation that was filtered.
EVENTS, SITES = (4, 9, 11), (2, 5)
LON_LAT = {2: (-86.27, 12.15), 5: (-86.2012345, 12.1)}
IMTS = {"PGA": "g", "SA(0.3)": "g"}


def write_catalogue(toy, path, *, lon_lat=True, keep=None, **extra):
    """A record for each event and site, in an order of its own."""
    event, site = (a.ravel()[::-1] for a in np.meshgrid(EVENTS, SITES))
    mag = np.where(event == 9, 7.0, 5.5)
    keep = np.arange(6) if keep is None else np.array(keep)
    sc = Scenarios(mag=mag, rrup=10.0 + site, vs30=400.0).take(keep)
    noise = Noise(11, event, site, 0).take(keep)
    columns = {k: np.array(v)[keep] for k, v in extra.items()}
    if lon_lat:
        columns |= {
            n: np.array([LON_LAT[s][i] for s in site])[keep] for i, n in enumerate(["lon", "lat"])
        }
    with CatalogueWriter(path, toy, 256, 11, IMTS, {k: {} for k in columns}) as writer:
        for rows, acc in toy.batches(sc, noise):
            values = intensity_measures_array(acc, toy.dt_s, list(IMTS))
            writer.append(
                acc,
                sc.take(rows),
                noise.take(rows),
                {m: values[:, i] for i, m in enumerate(IMTS)},
                {k: v[rows] for k, v in columns.items()},
            )
    return path


def test_files(toy, tmp_path):
    path = write_catalogue(toy, tmp_path / "wf.h5")
    assert export_catalogue(path, "openquake", tmp_path / "out") == Exported(6)
    gmfs = pd.read_csv(tmp_path / "out" / "gmfs.csv")
    assert list(gmfs.columns) == ["sid", "eid", "gmv_PGA", "gmv_SA(0.3)"]
    assert gmfs["eid"].tolist() == [0, 0, 1, 1, 2, 2] and gmfs["sid"].tolist() == [0, 1] * 3
    sites = pd.read_csv(tmp_path / "out" / "sites.csv")
    assert sites.values.tolist() == [[0, -86.27, 12.15], [1, -86.20123, 12.1]]
    events = pd.read_csv(tmp_path / "out" / "events.csv")
    assert events["event"].tolist() == list(EVENTS) and events["mag"].tolist() == [5.5, 7.0, 5.5]
    records = pd.read_csv(tmp_path / "out" / "records.csv")
    assert "acceleration_unit" not in records
    both = records.merge(gmfs, on=["sid", "eid"])
    assert len(both) == 6
    assert [EVENTS[e] for e in both["eid"]] == both["event"].tolist()
    assert [SITES[s] for s in both["sid"]] == both["site"].tolist()
    for imt in IMTS:
        np.testing.assert_allclose(both[f"gmv_{imt}"], both[imt], rtol=1e-8)


def test_measures_that_the_file_lacks_come_from_the_waveforms(toy, tmp_path, monkeypatch):
    from gwm_hazard.catalogue.export import records

    monkeypatch.setattr(records, "BLOCK_BYTES", 4 * 3 * 256 * 4)
    path = write_catalogue(toy, tmp_path / "wf.h5")
    imts = ["SA(0.3)", "PGV", "RSD595"]
    export_catalogue(path, "openquake", tmp_path / "out", imts=imts)
    gmfs = pd.read_csv(tmp_path / "out" / "gmfs.csv")
    assert list(gmfs.columns) == ["sid", "eid", *(f"gmv_{i}" for i in imts)]
    # Closed form of the toy model: PGV is the amplitude times that of its pulse.
    sc = Scenarios(mag=[5.5, 5.5, 7.0, 7.0, 5.5, 5.5], rrup=[12.0, 15.0] * 3, vs30=400.0)
    noise = Noise(11, np.repeat(EVENTS, 2), np.tile(SITES, 3), 0)
    normal = {
        "event": noise.normal("event", 1, per_event=True)[:, 0],
        "record": noise.normal("record", 1)[:, 0],
    }
    ln = toy.ln_mean(sc, "PGV") + toy.tau * normal["event"] + toy.phi * normal["record"]
    np.testing.assert_allclose(gmfs["gmv_PGV"], np.exp(ln), rtol=2e-3)


def test_generated_records(toy, tmp_path):
    wf = toy.generate(Scenarios(mag=[5.0, 7.0], rrup=20.0, vs30=400.0), n=3, seed=1)
    mesh = tmp_path / "mesh.csv"
    mesh.write_text('#,,"generated"\nsite_id,lon,lat\n0,10.0,45.0\n1,11.0,45.0\n')
    done = export_catalogue(wf, "openquake", tmp_path / "out", imts=["PGA"], sites=mesh)
    (remark,) = done.remarks
    assert remark.startswith("6 of 12 pairs")  # the second site of the mesh has no record
    gmfs = pd.read_csv(tmp_path / "out" / "gmfs.csv")
    expected = intensity_measures(wf, ["PGA"])["PGA"].values.ravel()
    np.testing.assert_allclose(gmfs["gmv_PGA"], expected, rtol=1e-8)
    assert (gmfs["eid"].tolist(), set(gmfs["sid"])) == (list(range(6)), {0})
    assert len(pd.read_csv(tmp_path / "out" / "sites.csv")) == 2
    assert remark in (tmp_path / "out" / "README.txt").read_text().replace("\n", " ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lon,lat\n1,2\n", "no column site_id"),
        ("site_id,lon,lat\n2,1,2\n", "no site_id 5"),
        ("site_id,lon,lat\n2,1,2\n2,1,2\n5,1,3\n", "stands twice"),
        ("site_id,lon,lat\n2,1,2\n5,1,2.000001\n", "sites 2, 5 are at the same place"),
    ],
)
def test_wrong_sites(toy, tmp_path, text, message):
    path = write_catalogue(toy, tmp_path / "wf.h5", lon_lat=False)
    (tmp_path / "sites.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        export_catalogue(path, "openquake", tmp_path / "out", sites=tmp_path / "sites.csv")


def test_what_cannot_be_a_field(toy, tmp_path):
    path = write_catalogue(toy, tmp_path / "a.h5", lon_lat=False)
    with pytest.raises(ValueError, match=r"no coordinates lon and lat: give sites, .* 2, 5"):
        export_catalogue(path, "openquake", tmp_path / "out")
    with pytest.raises(ValueError, match=r"a\.h5: not a readable table"):
        export_catalogue(path, "openquake", tmp_path / "out", sites=path)
    path = write_catalogue(toy, tmp_path / "b.h5", branch=["a", "b"] * 3)
    with pytest.raises(ValueError, match=r"2 values of branch .*export one value at a time"):
        export_catalogue(path, "openquake", tmp_path / "out")
    export_catalogue(path, "openquake", tmp_path / "out", where="branch == 'a'")
    path = write_catalogue(toy, tmp_path / "c.h5", keep=[0, 1, 2, 2])
    with pytest.raises(ValueError, match="two records of event"):
        export_catalogue(path, "openquake", tmp_path / "out", overwrite=True)


def test_measures_of_the_fields(toy, tmp_path):
    """Only what openquake.hazardlib.imt and this package both know goes into the file."""
    for name in OPENQUAKE_IMTS:
        with_period = name.startswith(("SA", "Sa_avg", "FIV3"))
        imt = f"{name}(1.0)" if with_period else name
        assert imt_from_string(imt).string == imt
        assert parse_imt(imt)
    path = write_catalogue(toy, tmp_path / "wf.h5")
    for imt in ("ASI", "RSD1090", "XYZ"):
        with pytest.raises(KeyError):
            imt_from_string(imt)
        with pytest.raises(ValueError, match=f"OpenQuake does not know '{imt}'"):
            export_catalogue(path, "openquake", tmp_path / "out", imts=[imt])
    with open_records(path) as every:
        assert imts_of(every, Options("")) == ["PGA", "SA(0.3)"]
        assert imts_of(replace(every, measures=("PGV", "ASI")), Options("")) == ["PGV"]
        assert imts_of(replace(every, measures=()), Options("")) == list(DEFAULT_IMTS)


EXPOSURE = """<?xml version="1.0" encoding="utf-8"?>
<nrml xmlns="http://openquake.org/xmlns/nrml/0.5">
  <exposureModel id="ex" category="buildings" taxonomySource="none">
    <description>two assets</description>
    <conversions><costTypes>
      <costType name="structural" type="aggregated" unit="USD"/>
    </costTypes></conversions>
    <assets>exposure.csv</assets>
  </exposureModel>
</nrml>
"""
LEVELS, RATIOS = (0.001, 0.05, 0.2, 1.0, 5.0), (0.01, 0.05, 0.2, 0.6, 1.0)
VULNERABILITY = """<?xml version="1.0" encoding="utf-8"?>
<nrml xmlns="http://openquake.org/xmlns/nrml/0.5">
  <vulnerabilityModel id="v" assetCategory="buildings" lossCategory="structural">
    <vulnerabilityFunction id="RC" dist="LN">
      <imls imt="SA(0.3)">{imls}</imls>
      <meanLRs>{ratios}</meanLRs>
      <covLRs>0 0 0 0 0</covLRs>
    </vulnerabilityFunction>
  </vulnerabilityModel>
</nrml>
"""
JOB = """[general]
description = fields of waveforms
calculation_mode = scenario_risk
{fields}
exposure_file = exposure.xml
structural_vulnerability_file = vulnerability.xml
aggregate_by = id
"""


@pytest.mark.parametrize(
    "fields",
    [
        "gmfs_file = gmfs.csv\nsites_csv = sites.csv",
        pytest.param("gmfs_file = gmfs.hdf5", marks=pytest.mark.slow),
    ],
)
def test_scenario_risk_of_openquake(toy, tmp_path, fields):
    """The fields that OpenQuake stores are the catalogue's, and the losses follow from them."""
    from openquake.commonlib import datastore

    path = write_catalogue(toy, tmp_path / "wf.h5")
    folder = tmp_path / "job"
    export_catalogue(path, "openquake", folder)
    value = {2: 1000.0, 5: 300.0}
    rows = [f"a{s},{LON_LAT[s][0]},{LON_LAT[s][1]},RC,1,{value[s]}" for s in SITES]
    (folder / "exposure.csv").write_text(
        "\n".join(["id,lon,lat,taxonomy,number,structural", *rows]) + "\n"
    )
    (folder / "exposure.xml").write_text(EXPOSURE)
    text = VULNERABILITY.format(imls=" ".join(map(str, LEVELS)), ratios=" ".join(map(str, RATIOS)))
    (folder / "vulnerability.xml").write_text(text)
    (folder / "job.ini").write_text(JOB.format(fields=fields))
    home = tmp_path / "oqdata"
    home.mkdir()
    done = OpenQuake(home, home / "none").run(folder / "job.ini")
    assert done.code == 0, done.text

    records = pd.read_csv(folder / "records.csv").set_index(["eid", "sid"])
    with datastore.read(str(home / f"calc_{done.calc_id}.hdf5"), read_parent=False) as dstore:
        stored = dstore.read_df("gmf_data").set_index(["eid", "sid"]).sort_index()
        losses = dstore.read_df("risk_by_event")
        tags = list(dstore["assetcol"]["ordinal"])
    assert len(stored) == 6 and len(tags) == 2
    for imt in IMTS:
        expected = records.loc[stored.index, imt].to_numpy(np.float32)
        np.testing.assert_allclose(stored[imt].to_numpy(), expected, rtol=2e-7)
    # Total loss of each event: linear interpolation of the loss ratio at the catalogue's SA(0.3).
    ratio = np.interp(records["SA(0.3)"], LEVELS, RATIOS)
    assert RATIOS[0] < ratio.min() < ratio.max() < RATIOS[-1]
    expected = (ratio * records["site"].map(value)).groupby(level="eid").sum()
    total = losses[losses["agg_id"] == losses["agg_id"].max()].set_index("event_id")["loss"]
    np.testing.assert_allclose(total.sort_index(), expected, rtol=1e-5)
