"""Ground-motion fields for OpenQuake 3.25: ``gmfs_file`` and ``sites_csv`` of a job.ini.

The file is that of OpenQuake's own export of ``gmf_data``: a row for each event and site,
``sid, eid, gmv_IMT ...``, in OpenQuake's units. OpenQuake wants both numbers to count from
zero, and takes a missing row for an event that does not shake the site.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.catalogue.export import Options
from gwm_hazard.catalogue.export.folder import write_table
from gwm_hazard.catalogue.export.gmf_hdf5 import write_hdf5
from gwm_hazard.catalogue.export.records import Records
from gwm_hazard.errors import InputError
from gwm_hazard.files.foreign import table as read_table
from gwm_hazard.intensity import intensity_measures_array, parse_imt

README = """
Files
  gmfs.csv       ground-motion fields: sid, eid and a column a measure, in OpenQuake's units
                 (PGA, SA in g; PGV cm/s; IA m/s; CAV g s; durations s), RotD50
  sites.csv      site_id (the sid), lon, lat
  gmfs.hdf5      fields and sites in one: as gmfs_file without sites_csv, quicker for large fields
  events.csv     which draw an eid stands for
  records.csv    a row a record: sid, eid, conditions, key, measures
  In the job.ini of a scenario_risk, scenario_damage or event_based_risk calculation:
    gmfs_file = gmfs.csv
    sites_csv = sites.csv
  and, for event_based_risk, the investigation_time and ses_per_logic_tree_path of the fields.
  OpenQuake gives all events the same weight. In a file of gwm-hazard generate the event is the
  scenario and the site is 0, as the records were drawn.
"""

#: Where neither the user nor the file names measures: those of common vulnerability functions.
DEFAULT_IMTS = ("PGA", "SA(0.3)", "SA(0.6)", "SA(1.0)")
#: Measures that openquake.hazardlib.imt and this package share, in the same units.
OPENQUAKE_IMTS = (
    *("PGA", "PGV", "PGD", "SA", "Sa_avg2", "Sa_avg3", "FIV3", "IA", "CAV"),
    *("RSD595", "RSD575", "RSD2080", "JMA"),
)
_KEYS = ("event", "site", "realization")
_OF_EVENT = ("event", "realization", "rup_id", "mag", "hypo_depth", "ztor", "dip", "rake")


def write(records: Records, folder: Path, options: Options) -> list[str]:
    """Write ``gmfs.csv``, ``gmfs.hdf5``, ``sites.csv``, ``events.csv`` and ``records.csv``.

    Raises
    ------
    ValueError
        No keys or coordinates, several branches, two records of one event and site, a measure
        that OpenQuake does not know.
    """
    table = records.table
    _check(table)
    sites = _sites(table, options.sites)
    numbers = pd.Series(sites["site_id"].to_numpy(), index=sites["key"])
    sid = numbers.loc[table["site"]].to_numpy()
    eid = table.groupby(["event", "realization"], sort=True).ngroup().to_numpy()
    fields = pd.DataFrame({"sid": sid, "eid": eid})
    for imt, values in _measures(records, options).items():
        fields[f"gmv_{imt}"] = values
    fields = fields.sort_values(["eid", "sid"])
    fields.to_csv(folder / "gmfs.csv", index=False, float_format="%.9g")
    write_hdf5(folder / "gmfs.hdf5", fields, sites)
    sites[["site_id", "lon", "lat"]].to_csv(folder / "sites.csv", index=False, float_format="%.5f")
    _events(table, eid).to_csv(folder / "events.csv", index=False)
    write_table(folder, records, "", {"sid": sid, "eid": eid})
    missing = (eid.max() + 1) * len(sites) - len(fields)
    if not missing:
        return []
    return [
        f"{missing} of {len(fields) + missing} pairs of event and site have no record: OpenQuake "
        "takes them for no shaking"
    ]


def _check(table: pd.DataFrame) -> None:
    for key in _KEYS:
        if key not in table:
            raise InputError(f"the file has no coordinate {key!r}, so its records are no fields")
    for name in ("branch", "rlz", "weight"):
        if name in table and len(found := table[name].unique()) > 1:
            raise InputError(
                f"records with {len(found)} values of {name} ({', '.join(map(str, found[:3]))}): "
                "OpenQuake gives all events of a gmfs_file the same weight; export one value at "
                "a time (where)"
            )
    twice = table.duplicated(list(_KEYS))
    if twice.any():
        row = table[twice].iloc[0]
        raise InputError(
            f"two records of event {row['event']}, site {row['site']}, realization "
            f"{row['realization']}: a field has one value; filter them (where)"
        )


def _sites(table: pd.DataFrame, path: Path | None) -> pd.DataFrame:
    """Sites in the order of their numbers: key, site_id, lon, lat."""
    if path is not None:
        sites = read_table(path, comment="#")
        if lacking := {"site_id", "lon", "lat"} - set(sites.columns):
            raise InputError(f"{path}: no column {sorted(lacking)[0]}; needs site_id, lon, lat")
        if sites["site_id"].duplicated().any():
            raise InputError(f"{path}: a site_id stands twice")
        sites = sites.rename(columns={"site_id": "key"})
        if unknown := set(table["site"]) - set(sites["key"]):
            raise InputError(f"{path}: no site_id {min(unknown)}, which records have as site")
    elif {"lon", "lat"} <= set(table.columns):
        sites = table.groupby("site", as_index=False)[["lon", "lat"]].first()
        sites = sites.rename(columns={"site": "key"})
    else:
        raise InputError(
            "the file has no coordinates lon and lat: give sites, a CSV file with site_id, lon, "
            f"lat of the sites {', '.join(map(str, sorted(set(table['site']))[:5]))} ..."
        )
    # OpenQuake rounds to five decimals and refuses two sites in one place.
    sites[["lon", "lat"]] = sites[["lon", "lat"]].astype(float).round(5)
    together = sites.duplicated(["lon", "lat"], keep=False)
    if together.any():
        keys = ", ".join(map(str, sites.loc[together, "key"].iloc[:2]))
        raise InputError(f"sites {keys} are at the same place to 5 decimals: OpenQuake refuses it")
    return sites.assign(site_id=np.arange(len(sites)))


def imts_of(records: Records, options: Options) -> list[str]:
    """Measures of the fields: those asked for, else those of the file that OpenQuake knows."""
    for imt in options.imts:
        if imt.partition("(")[0] not in OPENQUAKE_IMTS:
            raise InputError(
                f"imts: OpenQuake does not know {imt!r}; take some of {', '.join(OPENQUAKE_IMTS)}"
            )
        parse_imt(imt)
    stored = [i for i in records.measures if i.partition("(")[0] in OPENQUAKE_IMTS]
    return list(options.imts or stored or DEFAULT_IMTS)


def _measures(records: Records, options: Options) -> dict[str, NDArray[np.float64]]:
    """{measure: values (n,)}, from the file where it has them, else from the waveforms."""
    wanted = imts_of(records, options)
    values = {i: records.table[i].to_numpy(float) for i in wanted if i in records.measures}
    lacking = [i for i in wanted if i not in values]
    if lacking:
        found = np.empty((len(records), len(lacking)))
        for rows, block in records.blocks():
            npts = records.table["npts"].iloc[rows].to_numpy()
            # As when a catalogue is written: each record measured at its own length.
            for n in np.unique(npts):
                same = np.flatnonzero(npts == n)
                found[rows.start + same] = intensity_measures_array(
                    block[same, :, :n], records.dt_s, lacking
                )
            options.progress(rows.stop / len(records))
        values |= {imt: found[:, i] for i, imt in enumerate(lacking)}
    return {imt: values[imt] for imt in wanted}


def _events(table: pd.DataFrame, eid: NDArray[Any]) -> pd.DataFrame:
    """A row an event: its key and the coordinates that are the same at all its sites."""
    groups = table.groupby(eid)
    same = [c for c in _OF_EVENT if c in table and (groups[c].nunique() == 1).all()]
    return groups[same].first().rename_axis("eid").reset_index()
