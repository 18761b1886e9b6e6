"""Figures of a finished calculation: hazard curves, spectra, disaggregation, waveforms."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from openquake.commonlib.datastore import DataStore
from openquake.hazardlib.imt import from_string

from gwm_hazard.catalogue.store import open_catalogue
from gwm_hazard.core.units import ALL_CONDITIONS
from gwm_hazard.files.atomic import replacing
from gwm_hazard.intensity import intensity_measures_array, parse_imt
from gwm_hazard.openquake.curves import Curves, levels_at
from gwm_hazard.openquake.gsim import GenerativeWaveformGMM
from gwm_hazard.openquake.rates import branches as generative_branches
from gwm_hazard.openquake.shares import Shares
from gwm_hazard.report.style import colour

#: Realizations that are drawn a line each.
MOST_LINES = 8
GALLERY_PERIODS_S = np.geomspace(0.02, 8.0, 60).round(4)


class Branches:
    """The lines of the pictures: a realization each, or a GWM branch each where they are many.

    Attributes
    ----------
    names : of the lines, by the branches' names as in the tables
    realizations : of each line; its curve is their mean by weight
    """

    def __init__(self, dstore: DataStore) -> None:
        self.oq = dstore["oqparam"]
        self.curves = Curves(dstore)
        self.all = np.arange(self.curves.n_realizations)
        if len(self.all) <= MOST_LINES:
            lines = [name for name, _ in names_of(self.curves, self.all)]
            self.names = [
                name if lines.count(name) == 1 else f"{name} (realization {r})"
                for r, name in enumerate(lines)
            ]
            self.realizations = [np.array([r]) for r in self.all]
        else:
            found = generative_branches(self.curves)
            self.names = [f"{b.id} (mean of {len(b.realizations)} realizations)" for b in found]
            self.realizations = [b.realizations for b in found]

    def poes(self, site: int, imt: str) -> NDArray[np.float64]:
        """Curves of the lines and, last, the mean, (n_lines + 1, n_levels)."""
        lines = [*self.realizations, self.all]
        return np.array([self.curves.mean_poes(site, rlzs, imt) for rlzs in lines])

    def levels(self, site: int, imt: str, poe: float) -> NDArray[np.float64]:
        """Level of ``imt`` at ``poe`` in each line and in the mean, (n_lines + 1,)."""
        levels, _, _ = levels_at(
            self.poes(site, imt), np.array(self.oq.imtls[imt]), np.array([poe])
        )
        return levels[:, 0]


def names_of(curves: Curves, realizations: NDArray[np.int64]) -> list[tuple[str, bool]]:
    """Name of each realization by its branches, and whether one of them is generative."""
    all_rlzs = curves.full_lt.get_realizations()
    out = []
    for r in realizations:
        gsims = all_rlzs[int(r)].gsim_rlz.value
        keys = list(zip(curves.full_lt.gsim_lt.values, gsims, strict=True))
        generative = any(isinstance(gsim, GenerativeWaveformGMM) for gsim in gsims)
        out.append(
            (" + ".join(dict.fromkeys(curves.branch_names[key] for key in keys)), generative)
        )
    return out


def draw_all(dstore: DataStore, folder: Path, catalogues: Sequence[Path]) -> Iterator[Path]:
    """Draw what the calculation has into ``folder``; yields the path of each picture."""
    branches = Branches(dstore)
    suffix = "" if dstore["oqparam"].calculation_mode == "disaggregation" else f"_{dstore.calc_id}"
    for site in dstore["sitecol"].sids:
        tag = f"{suffix}_site{site}" if len(dstore["sitecol"]) > 1 else suffix
        yield _save(hazard_curves(branches, int(site)), folder / f"hazard_curves{tag}.png")
        if sum(_period(i) is not None for i in branches.oq.imtls) > 2:
            figure = uniform_hazard_spectra(branches, int(site))
            yield _save(figure, folder / f"uniform_hazard_spectra{tag}.png")
        if "disagg-rlzs" in dstore and "Mag_Dist" in dstore["disagg-rlzs"]:
            imt = _disaggregated_measure(branches.oq)
            figure = disaggregation(dstore, branches, int(site), imt)
            yield _save(figure, folder / f"disaggregation{tag}.png")
    for catalogue in catalogues:
        of_model = catalogue.stem.removeprefix("waveforms") if len(catalogues) > 1 else ""
        yield _save(gallery(catalogue), folder / f"waveforms{of_model}.png")


def _save(figure: Figure, path: Path) -> Path:
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=130, format="png")
    return path


def _period(imt: str) -> float | None:
    """Spectral period, 0 for PGA, None for what has no place in a spectrum."""
    if imt == "PGA":
        return 0.0
    return float(from_string(imt).period) if imt.startswith("SA(") else None


def _disaggregated_measure(oq: Any) -> str:
    """The measure that the waveforms were drawn for, else the first."""
    return str(oq.postproc_args.get("imt") or next(iter(oq.imtls)))


def hazard_curves(branches: Branches, site: int) -> Figure:
    """Hazard curve of every branch and the mean, one panel a measure."""
    imtls = branches.oq.imtls
    columns = min(4, len(imtls))
    rows = -(-len(imtls) // columns)
    # A single panel still needs the width of the title and the legend.
    size = (max(3.4 * columns + 0.6, 7.5), (3.0 if columns > 1 else 4.0) * rows + 1.2)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True)
    for imt, ax in zip(imtls, axes.flat, strict=False):
        _hazard_panel(branches, site, imt, ax)
    for ax in axes.flat[len(imtls) :]:
        ax.set_visible(False)
    for ax in axes[:, 0]:
        ax.set_ylabel(f"P(exceedance in {branches.oq.investigation_time:g} years)")
    handles, labels = axes.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    figure.suptitle(f"Hazard curves by branch\n{branches.oq.description}", fontsize=11)
    return figure


def _hazard_panel(branches: Branches, site: int, imt: str, ax: Axes) -> None:
    levels = branches.oq.imtls[imt]
    poes = branches.poes(site, imt)
    poes = np.where(poes > 0, poes, np.nan)
    for r, name in enumerate(branches.names):
        ax.loglog(levels, poes[r], color=colour(r), lw=1.8, label=name)
    ax.loglog(levels, poes[-1], color="black", lw=1.0, ls="--", label="mean")
    for poe in branches.oq.poes:
        ax.axhline(poe, color="0.6", lw=0.7, ls=":")
        ax.text(levels[0], poe, f" {100 * poe:g} %", fontsize=7, color="0.35", va="bottom")
    ax.set_ylim(1e-4, 1.0)
    ax.set_xlabel(f"{imt} ({parse_imt(imt).measure.unit})")
    ax.grid(which="major", color="0.9", lw=0.6)


def uniform_hazard_spectra(branches: Branches, site: int) -> Figure:
    """Uniform hazard spectrum of every branch and the mean, one panel a poe."""
    oq = branches.oq
    periods = {i: p for i in oq.imtls if (p := _period(i))}
    figure = Figure(figsize=(4.6 * len(oq.poes) + 0.6, 4.6), layout="constrained")
    axes = figure.subplots(1, len(oq.poes), squeeze=False, sharey=True)[0]
    x = np.array(list(periods.values()))
    order = np.argsort(x)
    for poe, ax in zip(oq.poes, axes, strict=True):
        values = np.array([branches.levels(site, imt, poe) for imt in periods])[order]
        for r, name in enumerate(branches.names):
            line = colour(r)
            ax.loglog(x[order], values[:, r], "o-", ms=3.5, color=line, lw=1.8, label=name)
            if "PGA" in oq.imtls:
                pga = branches.levels(site, "PGA", poe)[r]
                ax.plot(x.min() / 2, pga, "D", ms=5, color=line)
        ax.loglog(x[order], values[:, -1], "--", color="black", lw=1.0, label="mean")
        years = -oq.investigation_time / np.log1p(-poe)
        ax.set_title(
            f"{100 * poe:g} % in {oq.investigation_time:g} years (return period {years:.0f} years)",
            fontsize=10,
        )
        ax.set_xlabel("Period (s); diamonds: PGA")
        ax.set_xticks([0.1, 0.2, 0.5, 1, 2, 3], ["0.1", "0.2", "0.5", "1", "2", "3"])
        ax.minorticks_off()
        ax.grid(which="major", color="0.9", lw=0.6)
    axes[0].set_ylabel("SA, 5 % damping (g)")
    axes[0].legend(frameon=False, fontsize=9)
    figure.suptitle(f"Uniform hazard spectra by branch. {branches.oq.description}", fontsize=11)
    return figure


def disaggregation(dstore: DataStore, branches: Branches, site: int, imt: str) -> Figure:
    """Share of magnitude-distance bins in the exceedance rate, GWM branch or the first one."""
    oq = branches.oq
    mags = dstore["disagg-bins/Mag"][:]
    distances = dstore["disagg-bins/Dist"][:]
    array = dstore["disagg-rlzs/Mag_Dist"][:]  # (N, Ma, D, M, P, Z)
    realizations = dstore["best_rlzs"][site]
    names = names_of(branches.curves, realizations)
    gwm = [z for z, (_, generative) in enumerate(names) if generative]
    z = gwm[0] if gwm else 0
    m = list(oq.imtls).index(imt)
    figure = Figure(figsize=(5.0 * len(oq.poes_disagg) + 0.5, 4.8), layout="constrained")
    axes = figure.subplots(1, len(oq.poes_disagg), squeeze=False)[0]
    for p, (poe, ax) in enumerate(zip(oq.poes_disagg, axes, strict=True)):
        # Bins add as rates, not as probabilities.
        rate = -np.log1p(-array[site, :, :, m, p, z])
        share = 100.0 * rate / rate.sum()
        mesh = ax.pcolormesh(
            distances, mags, np.where(share >= 0.05, share, np.nan), cmap="YlOrRd", vmin=0.0
        )
        used = np.flatnonzero(share.sum(axis=0) >= 0.05)
        ax.set_xlim(0.0, distances[used[-1] + 1] + 10.0)
        for i, j in np.argwhere(share >= 1.0):
            ax.text(
                0.5 * (distances[j] + distances[j + 1]),
                0.5 * (mags[i] + mags[i + 1]),
                f"{share[i, j]:.0f}",
                ha="center",
                va="center",
                fontsize=8,
                color="white" if share[i, j] > 0.6 * share.max() else "black",
            )
        figure.colorbar(mesh, ax=ax, label="share of the exceedance rate (%)")
        level = branches.levels(site, imt, poe)[-1]
        unit = parse_imt(imt).measure.unit
        ax.set_title(
            f"{imt} > {level:.3g} {unit}: {100 * poe:g} % in {oq.investigation_time:g} years "
            "(mean curve)",
            fontsize=10,
        )
        ax.set_xlabel("Distance to the rupture (km)")
        ax.set_ylabel("Magnitude")
    figure.suptitle(
        f"Disaggregation of the branch {names[z][0]}. {branches.oq.description}",
        fontsize=11,
    )
    return figure


def gallery(catalogue: Path, per_poe: int = 2) -> Figure:
    """Accelerograms of a catalogue with their response spectra."""
    with open_catalogue(catalogue) as data:
        branch = data["branch"].values
        poe = np.where(branch == branch[0], data["poe"].values, np.nan)
        poes = sorted(set(poe[np.isfinite(poe)]), reverse=True)
        picks = [_typical(data, np.flatnonzero(poe == p), per_poe) for p in poes]
        records = [(p, int(i)) for p, rows in zip(poes, picks, strict=True) for i in rows]
        figure = Figure(figsize=(11.5, 2.7 * len(records) + 0.8), layout="constrained")
        grid = figure.add_gridspec(len(records), 3, width_ratios=(1.0, 1.0, 0.75))
        for row, (level, i) in enumerate(records):
            _record_row(figure, grid, row, data.isel(record=i), level)
        figure.suptitle(
            "Accelerograms behind the hazard: drawn for scenarios that control "
            f"{data['imt'].values[0]} (model {data.attrs['model']})",
            fontsize=11,
        )
    return figure


def _typical(data: Any, rows: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """Records at even ranks of the hazard's own measure, neither the weakest nor the strongest."""
    values = data[str(data["imt"].values[rows[0]])].values[rows]
    ranks = np.linspace(0, len(rows) - 1, n + 2)[1:-1].round().astype(int)
    return rows[np.argsort(values)[ranks]]


#: What the title of a record tells, where the model has it.
_TOLD = {"mag": "M {:.2f}", "rrup": "rrup {:.0f} km", "repi": "repi {:.0f} km",
         "vs30": "Vs30 {:.0f} m/s"}  # fmt: skip


def _scenario(record: Any) -> str:
    return ", ".join(t.format(float(record[k])) for k, t in _TOLD.items() if k in record)


def _record_row(figure: Figure, grid: Any, row: int, record: Any, poe: float) -> None:
    npts = int(record["npts"])
    dt_s = float(record["time"][1] - record["time"][0])
    acceleration = record["acceleration"].values[:, :npts]
    time = np.arange(npts) * dt_s
    names = [str(c) for c in record["component"].values]
    ax = figure.add_subplot(grid[row, :2])
    spacing = 2.1 * np.abs(acceleration).max()
    for k, (name, trace) in enumerate(zip(names, acceleration, strict=True)):
        ax.plot(time, trace - k * spacing, color=colour(k), lw=0.5)
        ax.text(
            1.005,
            -k * spacing,
            f"{name}\n{np.abs(trace).max():.2f}",
            transform=ax.get_yaxis_transform(),
            va="center",
            fontsize=8,
            color=colour(k),
        )
    ax.set_xlim(0.0, time[-1])
    ax.set_ylim(-(len(names) - 0.5) * spacing, 0.5 * spacing)
    ax.set_yticks([])
    ax.set_ylabel("acceleration\n(peaks at right, m/s$^2$)", fontsize=8)
    ax.set_title(
        f"{100 * poe:g} %: {_scenario(record)}; PGA {float(record['PGA']):.2f} g, "
        f"PGV {float(record['PGV']):.0f} cm/s, D5-95 {float(record['RSD595']):.1f} s",
        fontsize=9,
        loc="left",
    )
    ax.set_xlabel("Time (s)", fontsize=8)
    spectra = figure.add_subplot(grid[row, 2])
    ordinates = [f"SA({t})" for t in GALLERY_PERIODS_S]
    label = "RotD50" if len(names) > 1 else f"RotD50, from {names[0]} alone"
    lines = [("RotD50", label, colour(0), 1.6)]
    if len(names) == 3:
        lines.append(("vertical", "vertical", colour(2), 1.2))
    for component, text, shade, width in lines:
        sa = intensity_measures_array(acceleration[None], dt_s, ordinates, component)[0]
        spectra.loglog(GALLERY_PERIODS_S, sa, color=shade, lw=width, label=text)
    spectra.set_ylabel("SA, 5 % damping (g)", fontsize=8)
    spectra.yaxis.tick_right()
    spectra.yaxis.set_label_position("right")
    spectra.set_xlabel("Period (s)", fontsize=8)
    spectra.grid(which="major", color="0.9", lw=0.6)
    if row == 0:
        spectra.legend(frameon=False, fontsize=8)


def range_shares(
    found: Sequence[Shares], imts: Sequence[str], poes: Sequence[float], description: str
) -> Figure:
    """Shares by condition, the site with the largest one; a row a branch, a column a poe."""
    size = (max(4.6 * len(poes) + 2.2, 8.4), 3.2 * len(found) + 1.0)
    picture = Figure(figsize=size, layout="constrained")
    axes = picture.subplots(len(found), len(poes), squeeze=False, sharey=True)
    x = np.arange(len(imts))
    for row, s in enumerate(found):
        for p, poe in enumerate(poes):
            ax = axes[row, p]
            totals = np.nan_to_num(s.total[:, :, p])
            site = int(np.argmax(totals.max(axis=1)))
            # Conditions that nothing is outside of need no bars: pictures cost more than numbers.
            shares = np.nan_to_num(s.by_condition)
            used = [j for j in range(len(s.names)) if shares[..., j].any()]
            width = 0.8 / (len(used) + 1)
            ax.bar(x - 0.4 + width / 2, 100 * totals[site], width, color="0.25", label="any")
            for k, j in enumerate(used):
                name = s.names[j]
                low, high = s.branch.gsim.conditioning.ranges[name]
                ax.bar(
                    x - 0.4 + (k + 1.5) * width,
                    100 * shares[site, :, p, j],
                    width,
                    color=colour(j),
                    label=f"{name} ({low:g} to {high:g} {ALL_CONDITIONS[name].unit})",
                )
            ax.set_xticks(x, imts, rotation=60, fontsize=8)
            ax.set_ylim(0.0, max(1.0, 110 * max(np.nan_to_num(t.total).max() for t in found)))
            if not totals[site].any():  # an empty panel would look like a failure
                ax.text(0.5, 0.45, "0 % for all measures", transform=ax.transAxes, ha="center")
            model = f"{s.branch.gsim.card.name} ({s.branch.id})"
            ax.set_title(f"{model}, poe {poe:g}, site {site}", fontsize=10)
            ax.grid(axis="y", color="0.9", lw=0.6)
            ax.set_axisbelow(True)
        axes[row, 0].set_ylabel("share of the exceedance rate (%)")
        beside = {"loc": "center left", "bbox_to_anchor": (1.01, 0.5), "frameon": False}
        axes[row, -1].legend(**beside, fontsize=8, title="outside the range", title_fontsize=8)
    picture.suptitle(
        f"Hazard from outside the model's range of validity. {description}", fontsize=11
    )
    return picture
