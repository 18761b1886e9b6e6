"""Our broadband motions beside the Broadband Platform's own, on its low frequencies of Northridge.

    python demos/broadband/northridge.py FOLDER [--rhypo 70]

FOLDER holds s01-lf-site.bbp and s01.merged.bbp (also .gz) of SCECcode/bbp,
bbp/tests/ref_data/gp: Graves and Pitarka's method. Prints SA and PGV of both and draws
output/northridge.png. The files tell no distance: --rhypo is by the S wave, 9 s after P.
"""

import argparse
from pathlib import Path

import numpy as np

import gwm_hazard as gwm
from gwm_hazard.intensity import intensity_measures_array
from gwm_hazard.records.low_frequency import read_simulations
from gwm_hazard.records.read import read_records
from gwm_hazard.report.style import OBSERVED, colour, grid_of_axes, write_figure

OUTPUT = Path(__file__).parent / "output"
PERIODS = np.geomspace(0.03, 8.0, 40)
MAG, VS30, N = 6.7, 450.0, 50


def found(folder: Path, name: str) -> Path:
    """A file, packed or not."""
    return next(p for p in (folder / name, folder / f"{name}.gz") if p.exists())


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rhypo", type=float, default=70.0)
    args = parser.parse_args()
    low, _ = read_simulations(found(args.folder, "s01-lf-site.bbp"), valid_hz=1.0)
    merged = next(iter(read_records(found(args.folder, "s01.merged.bbp"), unit="cm/s")))
    model = gwm.load_model("broadband-small")
    at = gwm.Scenarios(mag=MAG, rhypo=args.rhypo, vs30=VS30)
    drawn = model.generate(at, n=N, seed=1, low_frequency=low)["acceleration"].values[0]
    imts = [f"SA({p:.4g})" for p in PERIODS]
    ours = intensity_measures_array(drawn, model.dt_s, imts, "RotD50")
    theirs_acc = merged.acceleration[None].astype(np.float32)
    theirs = intensity_measures_array(theirs_acc, merged.dt_s, imts, "RotD50")[0]
    few = ["PGA", "SA(0.2)", "SA(0.5)", "SA(1.0)", "SA(2.0)", "SA(3.0)", "PGV", "RSD595"]
    a = np.log(intensity_measures_array(drawn, model.dt_s, few, "RotD50"))
    b = np.log(intensity_measures_array(theirs_acc, merged.dt_s, few, "RotD50"))[0]
    print(f"{'':10}{'platform':>12}{'our median':>12}{'ln ratio':>10}{'our s.d.':>10}")
    for k, imt in enumerate(few):
        middle = a[:, k].mean()
        print(
            f"{imt:10}{np.exp(b[k]):12.4g}{np.exp(middle):12.4g}{middle - b[k]:10.2f}"
            f"{a[:, k].std():10.2f}"
        )
    figure, axes = grid_of_axes(3, columns=3, width=4.2, height=3.2)
    band = np.percentile(ours, [5, 50, 95], axis=0)
    axes[0].fill_between(PERIODS, band[0], band[2], color=colour(0), alpha=0.25, lw=0)
    axes[0].loglog(PERIODS, band[1], color=colour(0), label=f"{N} draws, 5 to 95 %")
    axes[0].loglog(PERIODS, theirs, color=OBSERVED, label="the platform's merge")
    axes[0].axvline(1.0, color="0.6", ls=":")
    axes[0].set(title="RotD50", xlabel="period (s)", ylabel="SA (g)")
    axes[0].legend(fontsize=7.5)
    for ax, what, unit in ((axes[1], "velocity", "cm/s"), (axes[2], "acceleration", "m/s2")):
        traces = [merged.acceleration[1], drawn[0, 1], drawn[1, 1]]
        steps = [merged.dt_s, model.dt_s, model.dt_s]
        if ax is axes[1]:
            traces = [
                100 * np.cumsum(t, dtype=np.float64) * d for t, d in zip(traces, steps, strict=True)
            ]
        gap = 1.5 * max(np.abs(t).max() for t in traces)
        for k, (trace, dt) in enumerate(zip(traces, steps, strict=True)):
            look = OBSERVED if k == 0 else colour(0)
            ax.plot(dt * np.arange(trace.size), trace - k * gap, color=look, lw=0.6)
            peak = f"{'merge' if k == 0 else f'draw {k}'}, {np.abs(trace).max():.2g} {unit}"
            ax.text(54.5, 0.2 * gap - k * gap, peak, ha="right", fontsize=8)
        ax.set(title=f"east, {what}", xlabel="time (s)", xlim=(5, 55), yticks=[])
    OUTPUT.mkdir(exist_ok=True)
    write_figure(figure, {"png": OUTPUT / "northridge.png"})


if __name__ == "__main__":
    main()
