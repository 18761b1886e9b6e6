"""Ground-motion fields with their sites as the HDF5 that OpenQuake 3.25 takes as ``gmfs_file``.

It is the part of OpenQuake's datastore that ``openquake.calculators.base.import_gmfs_hdf5``
reads: quicker than text for large fields, but tied to OpenQuake's version.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from gwm_hazard.files.hdf5_writing import writing

_SITES_CLASS = "openquake.hazardlib.site.SiteCollection"


def write_hdf5(path: Path, fields: pd.DataFrame, sites: pd.DataFrame) -> None:
    """Write the columns sid, eid, gmv_IMT ... of ``fields`` and site_id, lon, lat of ``sites``."""
    columns = {
        "sids": sites["site_id"].to_numpy(np.uint32),
        "lon": sites["lon"].to_numpy(np.float64),
        "lat": sites["lat"].to_numpy(np.float64),
        "depth": np.zeros(len(sites)),
        "custom_site_id": np.array([f"{i:08d}".encode() for i in sites["site_id"]], "S8"),
    }
    values = {
        "sid": fields["sid"].to_numpy(np.uint32),
        "eid": fields["eid"].to_numpy(np.uint32),
    }
    imts = [str(c).removeprefix("gmv_") for c in fields.columns[2:]]
    values |= {imt: fields[f"gmv_{imt}"].to_numpy(np.float32) for imt in imts}
    with writing(path) as file:
        for name, content in {"sitecol": columns, "gmf_data": values}.items():
            group = file.create_group(name)
            group.attrs["__pdcolumns__"] = " ".join(content)
            for column, array in content.items():
                group[column] = array
        file["sitecol"].attrs["__pyclass__"] = _SITES_CLASS
        file["gmf_data"].attrs.update(
            num_events=int(fields["eid"].max()) + 1,
            imts=" ".join(imts),
            investigation_time=0,
            effective_time=0,
        )
