"""Extract the demo's inputs from the Ridgecrest flatfile of gmprocess.

    python demos/ridgecrest/extract.py FLATFILE.csv.gz

Writes stations.csv (observed RotD50 values), site_model.csv and rupture_model.xml beside this
file. The rupture is the vertical plane from the surface that fits the flatfile's distances; the
command prints the fit.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from pyproj import Proj
from scipy.optimize import least_squares

HERE = Path(__file__).parent
EVENT, LARGEST_RRUP_KM = "ci38457511", 150.0
HYPOCENTRE = (-117.59933, 35.7695, 8.0)
BOTTOM_KM = 16.0  # not seen by the distances of sites; about the depth of the aftershocks
IMTS = {"PGA": "PGA", "PGV": "PGV", "SA(0.3)": "SA(0.3)", "SA(1)": "SA(1.0)", "SA(3)": "SA(3.0)"}
KEPT = ["station_id", "station_lon", "station_lat", "vs30", "vs30measured", "rrup", "rjb"]


def main() -> None:
    """Write the three files."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("flatfile", type=Path)
    table = pd.read_csv(parser.parse_args().flatfile)
    table = table[(table.event_id == EVENT) & (table.rrup <= LARGEST_RRUP_KM)]
    # one instrument a place: OpenQuake takes each location once
    table = table.round({"station_lon": 5, "station_lat": 5})
    table = table.drop_duplicates(["station_lon", "station_lat"]).sort_values("rrup")
    table = table[KEPT + list(IMTS)].rename(columns=IMTS).dropna()
    table.to_csv(HERE / "stations.csv", index=False)
    sites = pd.DataFrame(
        {
            "custom_site_id": [f"s{i:03d}" for i in range(len(table))],
            "lon": table.station_lon,
            "lat": table.station_lat,
            "vs30": table.vs30,
            "vs30measured": table.vs30measured,
        }
    )
    sites.to_csv(HERE / "site_model.csv", index=False)
    write_rupture(table)


def write_rupture(table: pd.DataFrame) -> None:
    """Fit the plane to Joyner-Boore distances and write it."""
    project = Proj(proj="aeqd", lon_0=HYPOCENTRE[0], lat_0=HYPOCENTRE[1], R=6371.0)
    x, y = project(table.station_lon.to_numpy(), table.station_lat.to_numpy())

    def distance(plane: np.ndarray) -> np.ndarray:
        east, north, strike, length = plane
        along = np.sin(np.radians(strike)), np.cos(np.radians(strike))
        a = (x - east) * along[0] + (y - north) * along[1]
        across = (x - east) * along[1] - (y - north) * along[0]
        return np.hypot(np.maximum(np.abs(a) - length / 2, 0.0), across)

    observed = table.rjb.to_numpy()
    fit = least_squares(lambda p: distance(p) - observed, [0.0, 0.0, 320.0, 50.0], loss="soft_l1")
    east, north, strike, length = fit.x
    misfit = distance(fit.x) - observed
    print(
        f"{len(table)} stations; vertical plane: strike {strike:.1f}, length {length:.1f} km; "
        f"distances differ by {np.sqrt(np.mean(misfit**2)):.2f} km rms, "
        f"{np.abs(misfit).max():.2f} km at most"
    )
    half = length / 2 * np.array([np.sin(np.radians(strike)), np.cos(np.radians(strike))])
    corners = [project(*(np.array([east, north]) + sign * half), inverse=True) for sign in (-1, 1)]
    (lon1, lat1), (lon2, lat2) = corners
    (HERE / "rupture_model.xml").write_text(
        f"""<?xml version="1.0" encoding="utf-8"?>
<nrml xmlns:gml="http://www.opengis.net/gml" xmlns="http://openquake.org/xmlns/nrml/0.5">
  <singlePlaneRupture>
    <magnitude>7.1</magnitude>
    <rake>180.0</rake>
    <hypocenter lat="{HYPOCENTRE[1]}" lon="{HYPOCENTRE[0]}" depth="{HYPOCENTRE[2]}"/>
    <planarSurface strike="{strike:.1f}" dip="90.0">
      <topLeft lon="{lon1:.5f}" lat="{lat1:.5f}" depth="0.0"/>
      <topRight lon="{lon2:.5f}" lat="{lat2:.5f}" depth="0.0"/>
      <bottomLeft lon="{lon1:.5f}" lat="{lat1:.5f}" depth="{BOTTOM_KM}"/>
      <bottomRight lon="{lon2:.5f}" lat="{lat2:.5f}" depth="{BOTTOM_KM}"/>
    </planarSurface>
  </singlePlaneRupture>
</nrml>
""",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
