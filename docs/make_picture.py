"""The picture of the README: hazard curves, a suite that carries their level, its motions.

    make demo
    gwm-hazard suite demos/managua/job.ini --site -86.25,12.13 --poe 0.02 --target cs \
        --imt "SA(0.5)" -n 20 -o demos/managua/output/suite
    python docs/make_picture.py demos/managua/output demos/managua/output/suite
"""

import re
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure

import gwm_hazard as gwm
from gwm_hazard.core.units import GRAVITY_M_S2
from gwm_hazard.report.style import RC, colour

PICTURE = Path(__file__).with_name("hazard_to_motions.png")
IMT, POE, MOTIONS = "SA(0.5)", 0.02, 4
PERIODS = np.geomspace(0.05, 6.0, 80)
#: Branches of demos/managua, by the number of their realization.
BRANCHES = ("generative model", "Boore et al. (2014)", "Kanno et al. (2006)")


def hazard(ax: Axes, folder: Path, level: float) -> None:
    """Hazard curves of the branches, as OpenQuake exports them."""
    curves = {f"rlz-{number:03d}": name for number, name in enumerate(BRANCHES)}
    for number, (kind, name) in enumerate({**curves, "mean": "mean of the branches"}.items()):
        path = max(folder.glob(f"hazard_curve-{kind}-{IMT}_*.csv"))  # of the last run
        table = pd.read_csv(path, skiprows=1).filter(like="poe-")
        levels = [float(c.removeprefix("poe-")) for c in table]
        look = {"color": "k", "ls": "--"} if kind == "mean" else {"color": colour(number)}
        wide = 2.4 if number == 0 else 1.3
        ax.loglog(levels, table.iloc[0], lw=wide, zorder=5 - number, label=name, **look)
    ax.axhline(POE, color="0.5", lw=0.8, ls=":")
    ax.plot(level, POE, "ko", ms=5, zorder=6)
    text, place = f"{level:.2f} g\n2 475 years", {"xytext": (6, 4), "textcoords": "offset points"}
    ax.annotate(text, (level, POE), fontsize=8, **place)
    ax.set(xlim=(0.03, 5), ylim=(1e-4, 1), xlabel=f"{IMT} (g)",
           ylabel="probability of exceedance in 50 years")  # fmt: skip
    plain(ax.xaxis, [0.03, 0.1, 0.3, 1, 3])
    ax.legend(loc="lower left", fontsize=8)
    ax.set_title("Hazard: a branch of the logic tree", loc="left")


def plain(axis: Axis, ticks: list[float]) -> None:
    """Numbers as one says them."""
    axis.set_ticks(ticks, labels=[f"{t:g}" for t in ticks])
    axis.set_ticks([], minor=True)


def spectra(ax: Axes, motions: xr.Dataset, target: pd.DataFrame) -> None:
    """Spectra of the motions, and the target."""
    acc = motions["acceleration"].values
    dt = float(motions["time"][1] - motions["time"][0])
    sa = gwm.rotd(np.nan_to_num(acc[:, :2]), dt, PERIODS)[:, 0]
    ax.loglog(PERIODS, sa.T, color="0.72", lw=0.7)
    ax.plot([], [], color="0.72", lw=0.9, label=f"the {len(sa)} motions")
    ln = np.log(sa)
    low, high = (np.exp(ln.mean(axis=0) + k * ln.std(axis=0, ddof=1)) for k in (-1, 1))
    ax.fill_between(PERIODS, low, high, color=colour(1), alpha=0.18, lw=0, label="their 16 to 84 %")
    ax.plot(PERIODS, np.exp(ln.mean(axis=0)), color=colour(1), lw=2.2, label="their median")
    at, median, sigma = (target[c] for c in ("period_s", "target_median", "target_sigma"))
    ax.plot(at, median, "ko-", ms=3.2, lw=1.4, label="target, median")
    for sign in (-1, 1):
        label = "target, ± sigma" if sign > 0 else None
        ax.plot(at, median * np.exp(sign * sigma), "k--", lw=1.0, label=label)
    plain(ax.xaxis, [0.05, 0.1, 0.2, 0.5, 1, 2, 5])
    plain(ax.yaxis, [0.01, 0.03, 0.1, 0.3, 1, 3])
    ax.set(xlim=(0.05, 6), xlabel="period (s)", ylabel="SA, 5 % damping, RotD50 (g)")
    ax.legend(loc="lower left", fontsize=8)
    ax.set_title("Suite: conditional spectrum, nothing scaled", loc="left")


def traces(ax: Axes, motions: xr.Dataset) -> None:
    """First horizontals of a few motions, of as many scenarios as there are."""
    magnitude = motions["mag"].values
    order = np.argsort(magnitude, kind="stable")
    rows = order[np.linspace(0, len(order) - 1, MOTIONS).round().astype(int)]
    time = motions["time"].values
    gap = 0.0
    for row in rows:  # the motion begins some seconds after the record
        one = motions.isel(record=int(row))
        acc = one["acceleration"].values[0] / GRAVITY_M_S2
        peak = np.nanmax(np.abs(acc))
        gap -= peak + 0.2
        ax.plot(time, acc + gap, lw=0.5, color=colour(0))
        where = f"M {float(one['mag']):.2f}\n{float(one['rrup']):.0f} km"
        ax.text(0.3, gap + 0.12, where, fontsize=8)
        gap -= peak * 0.6
    ax.set(xlim=(0, 40), yticks=[], xlabel="time (s)")
    ax.spines["left"].set_visible(False)
    ax.grid(False)
    ax.set_title("Motions behind it: three components, each with its key", loc="left")


def main(output: Path, suite: Path) -> None:
    """Draw it."""
    target = pd.read_csv(suite / "target.csv")
    target = target[target["imt"].map(lambda name: bool(re.match(r"SA\(", name)))]
    with gwm.open_catalogue(suite / "suite.h5") as motions, mpl.rc_context(RC):
        figure = Figure(figsize=(13.0, 4.1), layout="constrained")
        left, middle, right = figure.subplots(1, 3)
        hazard(left, output, float(motions["level"][0]))
        spectra(middle, motions, target)
        traces(right, motions)
        figure.savefig(PICTURE, dpi=110)
    print(PICTURE)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
