"""Fields of the three branches by distance and direction, and motions about a rupture.

    python demos/broadband/compare.py

Reads the newest gmf-data CSV in output/ and the catalogue of one event; prints the table and draws
output/scenario.png.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from gwm_hazard import open_catalogue
from gwm_hazard.report.style import colour, grid_of_axes, write_figure

HERE = Path(__file__).parent
OUTPUT = HERE / "output"
CATALOGUE = "waveforms_layered-broadband-small.h5"
IMTS = ("PGA", "SA(0.3)", "SA(1.0)", "SA(3.0)", "PGV")
NAMES = {"broadband": "layered earth", "stochastic": "stochastic", "Boore": "Boore et al. (2014)"}


def read_fields() -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Sites, and {branch: ln of the fields, by site and event}."""
    newest = max(OUTPUT.glob("gmf-data_*.csv"), key=lambda p: p.stat().st_mtime, default=None)
    if newest is None:
        raise SystemExit("no gmf-data_*.csv in output: run the job first, with --exports csv")
    number = newest.stem.split("_")[1]
    events = pd.read_csv(OUTPUT / f"events_{number}.csv", comment="#")[["event_id", "rlz_id"]]
    fields = pd.read_csv(newest, comment="#").merge(events)
    branches = pd.read_csv(OUTPUT / f"realizations_{number}.csv", comment="#")
    out = {}
    for rlz, path in zip(branches.rlz_id, branches.branch_path, strict=True):
        name = next(n for word, n in NAMES.items() if word in path)
        part = fields[fields.rlz_id == rlz].set_index(["custom_site_id", "event_id"])
        out[name] = np.log(part.filter(like="gmv_").rename(columns=lambda c: c[4:]))
    sites = pd.read_csv(OUTPUT / f"sitemesh_{number}.csv", comment="#")
    return sites.set_index("custom_site_id"), out


def main() -> None:
    """Print the table and draw the figure."""
    sites, fields = read_fields()
    north = 111.19 * (sites.lat - 40.0)
    east = 111.19 * np.cos(np.radians(40.0)) * (sites.lon - 15.0)
    distance, azimuth = (
        v.to_numpy() for v in (np.hypot(north, east), np.degrees(np.arctan2(east, north)))
    )
    print("ln of the median over Boore et al. (2014), and standard deviation; all sites")
    at_site = "custom_site_id"
    reference = fields["Boore et al. (2014)"].groupby(level=at_site).mean()
    print(f"{'':22}" + "".join(f"{imt:>16}" for imt in IMTS))
    for name, ln in fields.items():
        median = ln.groupby(level=at_site).mean()
        sd = ln.groupby(level=at_site).std().mean()
        off = (median - reference).mean()
        print(f"{name:22}" + "".join(f"{off[i]:9.2f} ±{sd[i]:5.2f}" for i in IMTS))
    figure, axes = grid_of_axes(4, columns=2, width=5.4, height=3.2)
    for ax, imt in zip(axes[:2], ("SA(3.0)", "SA(0.3)"), strict=True):
        for k, (name, ln) in enumerate(fields.items()):
            median = np.exp(ln[imt].groupby(level=at_site).mean()).loc[sites.index]
            for direction, style in ((0.0, "-"), (90.0, "--")):
                at = np.flatnonzero(np.abs(azimuth - direction) < 5)
                label = name if style == "-" else None
                ax.loglog(distance[at], median.iloc[at], style, color=colour(k), label=label)
        ax.set(title=f"median {imt}: along strike (lines), across (dashes)")
        ax.set(xlabel="distance from the middle (km)", ylabel="g")
        ax.set_xticks([6, 10, 20, 40, 60], labels=["6", "10", "20", "40", "60"])
        ax.minorticks_off()
    axes[0].legend(fontsize=7.5)
    with open_catalogue(OUTPUT / CATALOGUE) as data:
        dt = float(data.attrs["dt_s"])
        east_km = 111.19 * np.cos(np.radians(40.0)) * (data["lon"].values - 15.0)
        north_km = 111.19 * (data["lat"].values - 40.0)
        wanted = ((30.0, 0.0), (-30.0, 0.0), (0.0, 30.0))
        rows = [int(np.argmin(np.hypot(north_km - n, east_km - e))) for n, e in wanted]
        waves = data["acceleration"].values[rows].astype(np.float64)
    for ax, component, title in ((axes[2], 1, "east"), (axes[3], 1, "east, acceleration")):
        motion = waves[:, component]
        if ax is axes[2]:
            motion = 100 * np.cumsum(motion, axis=1) * dt
        unit = "cm/s" if ax is axes[2] else "m/s2"
        gap = 1.4 * np.abs(motion).max()
        for k, (trace, label) in enumerate(
            zip(motion, ("30 km north", "30 km south", "30 km east"), strict=True)
        ):
            ax.plot(dt * np.arange(trace.size), trace - k * gap, color="0.25", lw=0.7)
            peak = f"{label}, {np.abs(trace).max():.2g} {unit}"
            ax.text(39.5, 0.15 * gap - k * gap, peak, ha="right", fontsize=8)
        ax.set(xlabel="time (s)", xlim=(0, 40), yticks=[])
        ax.set(title=f"one event: {title if ax is axes[3] else 'east, velocity'}")
    write_figure(figure, {"png": OUTPUT / "scenario.png"})


if __name__ == "__main__":
    main()
