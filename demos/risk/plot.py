"""Loss exceedance of the two branches, all buildings and by class.

    python demos/risk/plot.py

Reads the newest CSV files in output/; prints average annual losses, draws output/losses.png.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

OUTPUT = Path(__file__).parent / "output"
#: Okabe and Ito (2008): told apart by readers with any colour vision.
COLOURS = {"stochastic (GWM)": "#D55E00", "BooreEtAl2014": "#0072B2"}
CLASSES = {
    "MUR+ADO_H1": "adobe, one storey",
    "MCF_H2_DNO": "confined masonry, two storeys",
    "LFINF_H3_DNO": "infilled frame, three storeys",
}


def read(kind: str) -> pd.DataFrame:
    """The newest table of a kind, with the name of the branch."""
    newest = max(OUTPUT.glob(f"{kind}_*.csv"), key=lambda p: p.stat().st_mtime, default=None)
    if newest is None:
        raise SystemExit(f"no {kind}_*.csv in output: run the job first, with --exports csv")
    table = pd.read_csv(newest, comment="#")
    # realizations stand in the order of the branches of ../event_based/gmm_logic_tree.xml
    return table.assign(branch=table.rlz_id.map(dict(enumerate(COLOURS))))


def main() -> None:
    """Print the average losses and draw the curves."""
    average = read("aggrisk-taxonomy").pivot(
        index="taxonomy", columns="branch", values="loss_ratio"
    )
    print("average annual loss ratio, per mille")
    print((1000 * average).rename(index=CLASSES).round(2).to_string())
    total = read("aggcurves-").assign(taxonomy="all")
    curves = pd.concat([total, read("aggcurves-taxonomy")])
    panels = {"all": "all buildings", **CLASSES}
    figure, axes = plt.subplots(1, 4, figsize=(13, 3.6), layout="constrained", sharey=True)
    for ax, (taxonomy, title) in zip(axes, panels.items(), strict=True):
        for branch, colour in COLOURS.items():
            part = curves[(curves.taxonomy == taxonomy) & (curves.branch == branch)]
            ax.semilogy(part.loss_ratio, 1 / part.return_period, "o-", c=colour, label=branch, ms=4)
        ax.set(title=title, xlabel="loss / value")
        ax.grid(alpha=0.3, which="both", lw=0.3)
    axes[0].set_ylabel("rate of exceedance (1/year)")
    axes[0].legend(frameon=False)
    figure.savefig(OUTPUT / "losses.png", dpi=150)
    print("wrote output/losses.png")


if __name__ == "__main__":
    main()
