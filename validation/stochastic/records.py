"""Observed rows for the stochastic model, and which of their events nothing is fitted to.

    python -m validation.stochastic.records --data ../shared/data

writes ``events.csv``: every earthquake of the flatfiles within the model's ranges, and its split.
It was written before anything was fitted. The rule: the split of
``validation/highfem_small/observed.py`` (hash of the event's name, seed 5; 15 % test), so that the
test events of the waveform files stay test events here; an earthquake that several files have is a
test event where one of its names is. The rest is development: everything fitted may use it.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from openquake.hazardlib.geo.geodetic import geodetic_distance

from gwm_hazard.calibration.selection import read_flatfiles
from gwm_hazard.models.stochastic import StochasticModel
from gwm_hazard.records.flatfile import ComponentRule
from gwm_hazard.records.observations import Observations
from gwm_hazard.records.training_set import split_by_event

#: Flatfiles of shallow crustal earthquakes; ShakeMap's stations with two horizontals.
FILES = ("ridgecrest_2019_rotd50", "newzealand_rotd50", "ngaw2_1000_rotd50", "esm2018_small")
MORE = ("kb2011_california", "geid_shakemap_stations")
RULES = tuple(
    ComponentRule("geometric_mean", kind, file)
    for kind, file in (("SA", "esm2018_small"), (None, MORE[0]), (None, MORE[1]))
)
IMTS = (
    *("PGA", "PGV", "SA(0.05)", "SA(0.1)", "SA(0.2)", "SA(0.3)", "SA(0.5)", "SA(1.0)"),
    *("SA(2.0)", "SA(3.0)", "SA(5.0)", "RSD575", "RSD595"),
)
EVENTS = Path(__file__).with_name("events.csv")
SHARES, SEED = (0.7, 0.15, 0.15), 5
#: Rows of two files are of one earthquake where year, place and magnitude agree to this.
SAME_KM, SAME_MAG, SAME_FROM_MAG = 60.0, 0.35, 5.0


def read(data: Path) -> Observations:
    """Rows of all files within the ranges of the model; event_id as ``dataset:event``."""
    ranges = StochasticModel().card.conditions
    with tempfile.TemporaryDirectory() as folder:
        paths = [data / "flatfiles" / f"{name}.csv.gz" for name in (*FILES, MORE[0])]
        stations = pd.read_csv(data / "flatfiles" / f"{MORE[1]}.csv.gz")
        good = stations["tectonic_class"].eq("crustal") & stations["component"].eq("geometric mean")
        good &= ~stations["flag"].fillna("").str.contains("Glitch|Orientation")
        paths.append(Path(folder) / f"{MORE[1]}.csv")
        stations[good].to_csv(paths[-1], index=False)
        found = read_flatfiles(paths, ranges, imts=IMTS, components=RULES)
    # the same names in two files are not the same earthquake: New Zealand's are numbers, too
    table = found.table.assign(event_id=found.table["dataset"] + ":" + found.table["event_id"])
    return replace(found, table=table)


def split_of(observations: Observations) -> np.ndarray:
    """ "development" or "test" of each row, from ``events.csv``."""
    listed = pd.read_csv(EVENTS, dtype=str).set_index("event")["split"]
    return listed.reindex(observations.table["event_id"]).fillna("development").to_numpy(str)


def _places(data: Path) -> pd.DataFrame:
    """event, year, event_lat, event_lon of every event of every file."""
    out = []
    for name in (*FILES, *MORE):
        t = pd.read_csv(data / "flatfiles" / f"{name}.csv.gz", low_memory=False)
        when = next(c for c in ("year", "event_time", "event_date", "local_date") if c in t)
        text = t[when].astype(str)
        year = text.str.extract(r"(\d{4})")[0]
        t = t.assign(year=year, event=name + ":" + t["event_id"].astype(str))
        out.append(t.drop_duplicates("event")[["event", "year", "event_lat", "event_lon"]])
    return pd.concat(out, ignore_index=True).set_index("event")


def events(data: Path) -> pd.DataFrame:
    """Every event once: dataset:event, mag, rows, same (number of the earthquake), split."""
    rows = read(data).table
    found = rows.groupby("event_id").agg(mag=("mag", "median"), rows=("mag", "size"))
    found = found.join(_places(data)).sort_index()
    file = found.index.str.split(":").str[0]
    name = found.index.str.split(":").str[1]
    name = np.where(file == "ngaw2_1000_rotd50", "NGAW2_" + name, name)
    test = split_by_event(name, SHARES, SEED) == "test"
    same = np.arange(len(found))
    large = np.flatnonzero(found["mag"] >= SAME_FROM_MAG)
    lat, lon, mag = (found[k].to_numpy(float) for k in ("event_lat", "event_lon", "mag"))
    for i in large:
        others = large[(large > i) & (file[large] != file[i])]
        near = geodetic_distance(lon[i], lat[i], lon[others], lat[others]) < SAME_KM
        near &= np.abs(mag[others] - mag[i]) < SAME_MAG
        near &= (found["year"].iloc[others] == found["year"].iloc[i]).to_numpy()
        for j in others[near]:
            same[same == same[j]] = same[i]
    test = pd.Series(test).groupby(same).transform("any").to_numpy()
    split = np.where(test, "test", "development")
    out = pd.DataFrame(
        {"event": found.index, "mag": mag.round(2), "rows": found["rows"].to_numpy()}
    )
    return out.assign(same=same, split=split)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    args = parser.parse_args()
    found = events(args.data)
    found.to_csv(EVENTS, index=False)
    found["dataset"] = found["event"].str.split(":").str[0]
    print(found.groupby(["dataset", "split"])[["rows"]].agg(["count", "sum"]).to_string())


if __name__ == "__main__":
    main()
