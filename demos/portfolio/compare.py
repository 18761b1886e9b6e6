"""Losses of the portfolio by branch, and what a field of waveforms looks like.

    python demos/portfolio/compare.py

Reads the newest CSVs in output/; prints mean, standard deviation (with its standard error) and
quantiles of the loss, and what they were for a portfolio of one class, which follows one measure;
draws output/losses.png and output/fields.png.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from prepare import CLASSES
from scipy.stats import norm

HERE = Path(__file__).parent
OUTPUT = HERE / "output"
#: By a part of the branch's text; colours of Okabe and Ito (2008).
BRANCHES = {
    "waveforms, JB2009": "#D55E00",
    "waveforms, independent": "#E69F00",
    "their moments, OpenQuake with JB2009": "#0072B2",
    "BooreEtAl2014, OpenQuake with JB2009": "#009E73",
}


def newest(kind: str) -> Path:
    """The last export of a kind."""
    found = sorted(OUTPUT.glob(f"{kind}_*.csv"), key=lambda p: p.stat().st_mtime)
    if not found:
        raise SystemExit(f"no {kind}_*.csv in output: run the job first, with --exports csv")
    return found[-1]


def main() -> None:
    """Print the table, draw the figures."""
    losses = pd.read_csv(newest("risk_by_event"), comment="#")
    events = pd.read_csv(newest("events"), comment="#")
    by_event = losses.groupby("event_id").loss.sum()
    total = by_event.reindex(events.event_id, fill_value=0.0).to_numpy() / 1e6
    rlz = events.rlz_id.to_numpy()
    print(f"{'loss, million':40}{'mean':>8}{'s.d.':>8}{'+-':>6}{'5 %':>8}{'median':>8}{'95 %':>8}")
    figure, axis = plt.subplots(figsize=(7, 4.5), layout="constrained")
    for number, (name, colour) in enumerate(BRANCHES.items()):
        loss = np.sort(total[rlz == number])
        rng = np.random.default_rng(0)
        error = np.std([rng.choice(loss, len(loss)).std() for _ in range(500)])
        low, median, high = np.quantile(loss, [0.05, 0.5, 0.95])
        print(
            f"{name:40}{loss.mean():8.1f}{loss.std():8.1f}{error:6.1f}{low:8.1f}{median:8.1f}"
            f"{high:8.1f}"
        )
        axis.step(loss, 1.0 - np.arange(len(loss)) / len(loss), c=colour, label=name)
    axis.set(xlabel="loss of the portfolio, million", ylabel="probability of exceedance")
    axis.legend(frameon=False)
    figure.savefig(OUTPUT / "losses.png", dpi=120)
    fields = pd.read_csv(newest("gmf-data"), comment="#").merge(events[["event_id", "rlz_id"]])
    print("were all buildings of one class:")
    for kind, (imt, capacity) in CLASSES.items():
        fields[kind] = norm.cdf(np.log(fields[f"gmv_{imt}"] / capacity) / 0.6)
        for number, name in enumerate(BRANCHES):
            loss = fields[fields.rlz_id == number].groupby("event_id")[kind].sum().to_numpy()
            rng = np.random.default_rng(0)
            error = np.std([rng.choice(loss, len(loss)).std() for _ in range(500)])
            print(f"{kind:6}{name:34}{loss.mean():8.1f}{loss.std():8.1f}{error:6.1f}")
    sites = pd.read_csv(newest("sitemesh"), comment="#").set_index("custom_site_id")
    figure, axes = plt.subplots(2, 3, figsize=(10, 6.5), layout="constrained", sharex=True,
                                sharey=True)  # fmt: skip
    for number, row in enumerate(axes):
        own = fields[fields.rlz_id == number]
        median = own.groupby("custom_site_id")["gmv_SA(1.0)"].median()
        for axis, event in zip(row, sorted(own.event_id.unique())[:3], strict=False):
            one = own[own.event_id == event].set_index("custom_site_id")["gmv_SA(1.0)"]
            residual = np.log(one / median.loc[one.index])
            drawn = axis.scatter(sites.lon[one.index], sites.lat[one.index], c=residual, s=16,
                                 cmap="RdBu_r", vmin=-1.5, vmax=1.5)  # fmt: skip
            axis.set(title=list(BRANCHES)[number], aspect=1.3)
    figure.colorbar(drawn, ax=axes, label="ln SA(1.0) over the median of its site")
    figure.savefig(OUTPUT / "fields.png", dpi=120)


if __name__ == "__main__":
    main()
