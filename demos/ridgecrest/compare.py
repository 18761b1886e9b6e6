"""Observed RotD50 values of the earthquake beside the job's ground-motion fields.

    python demos/ridgecrest/compare.py

Reads the newest gmf-data CSV in output/; prints residuals ln(observed / median) by measure and
draws output/observed.png.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

HERE = Path(__file__).parent
OUTPUT = HERE / "output"
IMTS = {"PGA": "g", "PGV": "cm/s", "SA(0.3)": "g", "SA(1.0)": "g", "SA(3.0)": "g"}
#: Of the lines in the figure: mean of the stations' ln medians and of their sigmas.
DISTANCE_BINS_KM = [0, 4, 9, 14, 20, 35, 60, 80, 100, 120, 135, 150]
#: Okabe and Ito (2008): told apart by readers with any colour vision.
COLOURS = {"stochastic (GWM)": "#D55E00", "BooreEtAl2014": "#0072B2"}


def read_fields() -> dict[str, pd.DataFrame]:
    """{branch: ln of the fields, by station and event}."""
    newest = max(OUTPUT.glob("gmf-data_*.csv"), key=lambda p: p.stat().st_mtime, default=None)
    if newest is None:
        raise SystemExit("no gmf-data_*.csv in output: run the job first, with --exports csv")
    number = newest.stem.split("_")[1]
    fields = pd.read_csv(newest, comment="#").merge(
        pd.read_csv(OUTPUT / f"events_{number}.csv", comment="#")[["event_id", "rlz_id"]]
    )
    branches = pd.read_csv(OUTPUT / f"realizations_{number}.csv", comment="#")
    out = {}
    for rlz, path in zip(branches.rlz_id, branches.branch_path, strict=True):
        name = "stochastic (GWM)" if "GenerativeWaveform" in path else "BooreEtAl2014"
        part = fields[fields.rlz_id == rlz].set_index(["custom_site_id", "event_id"])
        out[name] = np.log(part.filter(like="gmv_").rename(columns=lambda c: c[4:]))
    return out


def main() -> None:
    """Print the table and draw the figure."""
    stations = pd.read_csv(HERE / "stations.csv")
    stations.index = pd.read_csv(HERE / "site_model.csv").custom_site_id
    fields = read_fields()
    print(f"{len(stations)} stations within {stations.rrup.max():.0f} km; residuals ln(obs/median)")
    print(f"{'measure':10}{'model':20}{'mean':>8}{'s.d.':>8}{'model tau':>11}{'model phi':>11}")
    axes = plt.figure(figsize=(11, 7), layout="constrained").subplots(2, 3).ravel()
    for ax, (imt, unit) in zip(axes, IMTS.items(), strict=False):
        ax.loglog(stations.rrup, stations[imt], "o", c="0.35", ms=3, label="recorded, RotD50")
        for name, ln in fields.items():
            groups = ln.groupby(level="custom_site_id")[imt]
            median, sigma = groups.mean(), groups.std()
            # the mean of all stations in a field moves with the field's between-event term
            tau = ln[imt].groupby(level="event_id").mean().std()
            phi = np.sqrt(max((sigma**2).mean() - tau**2, 0.0))
            residual = np.log(stations[imt]) - median.loc[stations.index]
            print(
                f"{imt:10}{name:20}{residual.mean():8.2f}{residual.std():8.2f}{tau:11.2f}{phi:11.2f}"
            )
            bins = pd.cut(stations.rrup, DISTANCE_BINS_KM)
            x = stations.rrup.groupby(bins, observed=True).median()
            y, s = (
                v.loc[stations.index].groupby(bins, observed=True).mean() for v in (median, sigma)
            )
            ax.loglog(x, np.exp(y), c=COLOURS[name], label=f"{name}, median and 1 s.d.")
            ax.fill_between(x, np.exp(y - s), np.exp(y + s), color=COLOURS[name], alpha=0.15)
        ax.set(xlabel="rupture distance (km)", ylabel=f"{imt} ({unit})")
        ax.grid(alpha=0.3, which="both", lw=0.3)
    axes[-1].axis("off")
    axes[-1].legend(*axes[0].get_legend_handles_labels(), loc="center left", frameon=False)
    axes[-1].set_title("Ridgecrest 2019, M 7.1", loc="left")
    plt.savefig(OUTPUT / "observed.png", dpi=150)
    print("wrote output/observed.png")


if __name__ == "__main__":
    main()
