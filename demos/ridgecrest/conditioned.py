"""Fields conditioned on half of the stations, tested on the other half.

    python demos/ridgecrest/conditioned.py prepare   # writes station_data.csv
    python demos/ridgecrest/conditioned.py compare   # after the job, with --exports csv

Every other station by distance is given to job_conditioned.ini, in OpenQuake's format. ``compare``
prints, at the stations that were kept back, the standard deviation of ln(observed / median) of the
conditioned fields beside that of the unconditioned ones of job.ini, and how far the waveforms at
the given stations are from what was recorded there; it draws output/conditioned.png. Of
BooreEtAl2014 it prints PGA alone: openquake.engine 3.25.1 takes the mean of the first measure for
all of them (hazardlib.calc.conditioned_gmfs.get_mu_tau_phi), which no station then shows.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

HERE = Path(__file__).parent
OUTPUT = HERE / "output"
IMTS = ("PGA", "SA(0.3)", "SA(1.0)", "SA(3.0)")


def stations() -> pd.DataFrame:
    """Observed values by site, and whether a station is given to the job."""
    table = pd.read_csv(HERE / "stations.csv")
    table.index = pd.read_csv(HERE / "site_model.csv").custom_site_id
    order = table.rrup.rank(method="first").astype(int)
    return table.assign(given=order % 2 == 1)


def prepare() -> None:
    """Write station_data.csv."""
    given = stations().query("given")
    out = pd.DataFrame(
        {
            "STATION_ID": given.index,
            "STATION_NAME": given.station_id,
            "LONGITUDE": given.station_lon,
            "LATITUDE": given.station_lat,
            "STATION_TYPE": "seismic",
        }
    )
    for imt in IMTS:
        out[f"{imt}_VALUE"], out[f"{imt}_LN_SIGMA"] = given[imt], 0.0
    out.to_csv(HERE / "station_data.csv", index=False)
    print(f"wrote station_data.csv: {len(out)} of {len(stations())} stations")


def fields(conditioned: bool) -> dict[str, pd.DataFrame]:
    """{branch: ln of the newest fields, by site and event}."""
    for path in sorted(OUTPUT.glob("gmf-data_*.csv"), key=lambda p: -p.stat().st_mtime):
        table = pd.read_csv(path, comment="#")
        if ("gmv_PGV" in table) != conditioned:
            number = path.stem.split("_")[1]
            events = pd.read_csv(OUTPUT / f"events_{number}.csv", comment="#")
            table = table.merge(events[["event_id", "rlz_id"]])
            branches = pd.read_csv(OUTPUT / f"realizations_{number}.csv", comment="#")
            return {
                "waveforms" if "Generative" in branch else "BooreEtAl2014": np.log(
                    table[table.rlz_id == rlz]
                    .set_index(["custom_site_id", "event_id"])
                    .filter(like="gmv_")
                    .rename(columns=lambda c: c[4:])
                )
                for rlz, branch in zip(branches.rlz_id, branches.branch_path, strict=True)
            }
    raise SystemExit(
        f"no fields of {'job_conditioned.ini' if conditioned else 'job.ini'} in output: run it "
        "first, with --exports csv"
    )


def compare() -> None:
    """Print the tables and draw the figure."""
    table = stations()
    kept = table[~table.given]
    before, after = fields(False), fields(True)
    print(f"{len(kept)} stations kept back: standard deviation of ln(observed / median)")
    print(f"{'measure':10}{'branch':16}{'unconditioned':>14}{'conditioned':>13}")
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained", sharey=True)
    for imt in IMTS:
        for name in after:
            if name != "waveforms" and imt != IMTS[0]:
                continue  # OpenQuake 3.25.1 gives all measures the mean of the first
            spread = []
            for axis, found in zip(axes, (before[name], after[name]), strict=True):
                median = found[imt].groupby(level="custom_site_id").mean()
                residual = np.log(kept[imt]) - median.reindex(kept.index)
                spread.append(residual.std())
                if name == "waveforms" and imt == "SA(1.0)":
                    axis.loglog(np.exp(median.reindex(kept.index)), kept[imt], "o", ms=4)
            print(f"{imt:10}{name:16}{spread[0]:14.2f}{spread[1]:13.2f}")
    given = table[table.given]
    ln = after["waveforms"]
    for imt in IMTS:
        at = ln[imt].loc[given.index]
        off = at - np.log(given[imt]).loc[at.index.get_level_values(0)].to_numpy()
        print(f"{imt:10}largest |ln(waveform / record)| at the {len(given)} given stations: "
              f"{off.abs().max():.1e}")  # fmt: skip
    for axis, title in zip(axes, ("unconditioned", "conditioned on the other half"), strict=True):
        axis.axline((0.01, 0.01), (1.0, 1.0), c="0.5", lw=1)
        axis.set(title=title, xlabel="median SA(1.0) of the waveforms, g")
    axes[0].set(ylabel="recorded at stations kept back, g")
    figure.savefig(OUTPUT / "conditioned.png", dpi=120)


if __name__ == "__main__":
    {"prepare": prepare, "compare": compare}[sys.argv[1] if len(sys.argv) > 1 else "compare"]()
