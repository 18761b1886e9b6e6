"""Fits the stochastic model: one command, from flatfiles and published models to its tables.

    python -m validation.stochastic.calibrate --data ../shared/data

1. The physical parameters are fitted to the mean of four ground-motion models (``published.py``)
   by random vibration theory, with the priors of ``gwm-hazard data calibrate``, and printed:
   ``parameters.py`` has them (``--keep-physical`` leaves them as they are there).
2. What is left goes into tables/horizontal.csv, a smooth factor on Fourier amplitudes by
   magnitude, distance, Vs30 and frequency, fitted to all rows of development events
   (``events.csv``), by generalised least squares with event terms, and to the mean of the four as
   pseudo-observations: weakly where rows are many, strongly at M 7 and above and within 20 km.
3. tables/vertical.csv: V/H after Bozorgnia and Campbell (2016).
4. tables/variability.csv: event and record terms (``variability.py``); the median and the standard
   deviations of durations are printed, ``parameters.py`` has them.

Two rounds: draws of the model correct random vibration theory after the first.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.calibration.medians import quiet
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.files.atomic import replacing
from gwm_hazard.models.stochastic import spectrum, window
from gwm_hazard.models.stochastic.parameters import StochasticParameters
from gwm_hazard.statistics.mixed_effects import Groups, fit
from validation.stochastic import published, records
from validation.stochastic import random_vibration as rv
from validation.stochastic import variability as spreads
from validation.stochastic.fit import PHYSICAL, Corrected, TableFit, physical
from validation.stochastic.medians import drawn

Array = NDArray[np.float64]
Rows = tuple[dict[str, Array], Array, Array]
TABLES = Path(spectrum.__file__).with_name("tables")

IMTS = (
    *("PGA", "PGV", "SA(0.03)", "SA(0.05)", "SA(0.075)", "SA(0.1)", "SA(0.15)", "SA(0.2)"),
    *("SA(0.3)", "SA(0.5)", "SA(0.75)", "SA(1.0)", "SA(1.5)", "SA(2.0)", "SA(3.0)", "SA(4.0)"),
    *("SA(5.0)", "SA(7.5)", "SA(10.0)"),
)
MAG = (4.0, 5.0, 6.0, 6.5, 7.0, 7.5, 8.0)
RJB = (0.0, 3.0, 7.0, 15.0, 30.0, 70.0, 140.0, 280.0)
VS30 = (220.0, 300.0, 420.0, 760.0, 1100.0)
DEPTHS = (5.0, 8.0, 12.0)
#: V/H is that of the published model to 200 km: beyond, it is ragged over period.
VH_RJB, VH_VS30 = (0.0, 3.0, 7.0, 15.0, 30.0, 50.0, 70.0, 100.0, 140.0, 200.0), (*VS30, 550.0)
#: Standard deviation of a pseudo-observation: where rows are few, and where they are many.
FEW, MANY = 0.025, 0.18
#: Between- and within-event standard deviation by which rows are weighted, and the power of each
#: measure's likelihood: 11 measures of a record are worth about three.
TAU, PHI, POWER = 0.45, 0.65, 0.27
#: Rows of an event that tell its term from those of its records.
FEW_ROWS = 5
#: Rows of a file that count: those beyond share this weight. Files are regions, whose paths differ
#: (Boore et al. 2014 tell regions apart), and one sequence must not speak for all.
FILE_ROWS = 1000.0
#: Event terms are those within this distance.
SPREAD_KM = 150.0

NODES = {
    "mag": (4.0, 5.0, 6.0, 6.5, 7.0, 7.5, 8.0),
    "rrup": (1.0, 4.0, 10.0, 25.0, 60.0, 140.0, 300.0),
    "vs30": (180.0, 350.0, 760.0, 1500.0),
}
FREQ_HZ = (0.03, 0.08, 0.16, 0.32, 0.6, 1.2, 2.5, 5.0, 10.0, 20.0, 40.0)
HEADER = {
    "horizontal": "ln factor on horizontal Fourier amplitudes by frequency, Hz",
    "vertical": "ln factor on vertical over horizontal (linear soil) Fourier amplitudes",
}


def conditions(at: published.Cells) -> dict[str, Array]:
    """What the model takes of cells."""
    sc = at.scenarios()
    return {k: sc[k] for k in ("mag", "rrup", "vs30", "hypo_depth")}


def write(name: str, table: spectrum.NodeTable) -> None:
    """A table as the model reads it."""
    nodes = itertools.product(table.mag, table.rrup, table.vs30)
    values = table.values.reshape(-1, len(table.freq_hz))
    lines = [
        f"# {HEADER[name]}: written by validation/stochastic/calibrate.py",
        ",".join(["mag", "rrup", "vs30", *(f"{f:g}" for f in table.freq_hz)]),
        *(
            ",".join([f"{k:g}" for k in node] + [f"{v:.4f}" for v in row])
            for node, row in zip(nodes, values, strict=True)
        ),
    ]
    with replacing(TABLES / f"{name}.csv") as temporary:
        temporary.write_text("\n".join(lines) + "\n", "utf-8")
    spectrum.node_table.cache_clear()


def empty() -> spectrum.NodeTable:
    """A table of zeros."""
    nodes = [np.array(v) for v in NODES.values()]
    freq_hz = np.array(FREQ_HZ)
    return spectrum.NodeTable(*nodes, freq_hz, np.zeros((*map(len, nodes), len(freq_hz))))


def observed(data: Path) -> Rows:
    """Conditions, events (numbers), and ln IM (n, m) of rows of development events."""
    every = records.read(data)
    good = records.split_of(every) == "development"
    rows = every.take(np.flatnonzero(good))
    c = {k: rows.table[k].to_numpy(np.float64) for k in ("mag", "rrup", "vs30", "hypo_depth")}
    file = rows.table["dataset"]
    c["map"] = (file == records.MORE[1]).to_numpy(np.float64)
    c["share"] = np.minimum(1.0, FILE_ROWS / file.map(file.value_counts()).to_numpy(np.float64))
    event = np.unique(rows.table["event_id"], return_inverse=True)[1]
    ln = np.full((len(event), len(IMTS)), np.nan)
    for j, imt in enumerate(IMTS):
        if imt in rows.ims:
            ln[:, j] = np.log(rows.ims[imt].to_numpy(np.float64))
    return c, event, np.where(np.isfinite(ln), ln, np.nan)


def pseudo_precision(c: dict[str, Array]) -> Array:
    """1 / variance of a pseudo-observation, (n,): few rows at M 7 and above, within 20 km."""
    large = np.clip((c["mag"] - 6.0) / 1.0, 0.0, 1.0)
    near = np.clip((40.0 - c["rrup"]) / 20.0, 0.0, 1.0)
    sd = np.exp(np.log(MANY) + (np.log(FEW / MANY)) * np.maximum(large, near))
    return sd**-2.0 / 4.0


def horizontal(
    p: StochasticParameters,
    by: Corrected,
    table: spectrum.NodeTable,
    cells: tuple[dict[str, Array], Array],
    rows: Rows,
) -> spectrum.NodeTable:
    """One Gauss-Newton step from the table on disk."""
    fit = TableFit(table)
    c, target = cells
    mean, share = by(p, c)
    for j in range(len(IMTS)):
        fit.add(fit.design(c, share[j]), target[:, j] - mean[:, j], pseudo_precision(c))
    c, event, ln = rows
    mean, share = by(p, c)
    for j in range(len(IMTS)):
        has = np.isfinite(ln[:, j])
        if has.any():
            design = fit.design({k: v[has] for k, v in c.items()}, share[j][has])
            number = np.unique(event[has], return_inverse=True)[1]
            root = np.sqrt(c["share"][has])
            residual = root * (ln[has, j] - mean[has, j])
            fit.add_events((design * root[:, None]).tocsr(), residual, number, TAU, PHI, POWER)
    return fit.solve()


def vertical(
    p: StochasticParameters,
    by: Corrected,
    table: spectrum.NodeTable,
    at: published.Cells,
    draws: Array | None = None,
) -> spectrum.NodeTable:
    """One step towards ln V/H of the published model at cells, from ln V/H of draws where given."""
    fit = TableFit(table, roughness=(0.6, 0.6, 0.6, 0.6), size=1.0)
    c = conditions(at)
    mean, share = by(p, c, vertical=True)
    ours = mean - by(p, c)[0] if draws is None else draws
    residual = published.bozorgnia_campbell(at, IMTS) - ours
    sd = 0.03 if draws is None else 0.05
    for j in range(len(IMTS)):
        fit.add(fit.design(c, share[j]), residual[:, j], np.full(len(residual), sd**-2.0))
    return fit.solve()


def phase_covariance(p: StochasticParameters, imts: Sequence[str]) -> Array:
    """Covariance of ln IM by random phases alone, (m, m), at one scenario."""
    at = Scenarios(mag=6.5, rrup=30.0, vs30=400.0, hypo_depth=8.0)
    ln = drawn(rv.model_of(quiet(p)), at, imts, pairs=100, seed=17, paired=False)[0, 0]
    return np.cov(ln.T)


def well_known(c: dict[str, Array], event: Array) -> NDArray[np.bool_]:
    """Rows that event terms are estimated from: fewer than FEW_ROWS of an event do not tell."""
    return (np.bincount(event)[event] >= FEW_ROWS) & (c["rrup"] < SPREAD_KM)


def write_variability(p: StochasticParameters, by: Corrected, rows: Rows) -> None:
    """tables/variability.csv from residuals of development rows."""
    # sites of ShakeMap's station lists have the Vs30 of a map
    measured = rows[0]["map"] == 0.0
    c = {k: rows[0][k][measured] for k in ("mag", "rrup", "vs30", "hypo_depth")}
    event = rows[1][measured]
    left = rows[2][measured] - by(p, c)[0]
    seen = spreads.observed(c, event, left, well_known(c, event))
    for (low, high), o in zip(spreads.CLASSES, seen, strict=True):
        for name in ("tau", "phi"):
            values = " ".join(f"{v:5.2f}" for v in getattr(o, name))
            print(f"M {low:g} to {high:g} {name} {values}", flush=True)
    rho = spectrum.term_correlation(p)
    phase = phase_covariance(p, IMTS)
    factors = spreads.factors(p, IMTS, seen, np.diag(phase), rho)
    _write_variability(factors, rho)
    periods = [f"SA({t:g})" for t in spreads.PERIODS]
    phase_sa = phase_covariance(p, periods)
    for _ in range(2):
        found = np.stack([correlation_of_draws(p, at, periods) for at in spreads.SCENARIOS])
        rho = spreads.correlation(p, phase_sa, rho, found)
        _write_variability(factors, rho)
    factors = spreads.factors(p, IMTS, seen, np.diag(phase), rho)
    _write_variability(factors, rho)


def correlation_of_draws(
    p: StochasticParameters, at: tuple[float, float, float], imts: Sequence[str]
) -> Array:
    """Correlation of ln IM of the model, (m, m), at a magnitude, distance and Vs30."""
    mag, rrup, vs30 = at
    scenario = Scenarios(mag=mag, rrup=rrup, vs30=vs30, hypo_depth=8.0)
    ln = drawn(rv.model_of(p), scenario, imts, pairs=1000, seed=18, paired=False)[0, 0]
    return np.corrcoef(ln.T)


def _write_variability(factors: Array, rho: Array) -> None:
    freq_hz = spectrum.bayless_abrahamson()["freq_hz"]
    lines = [
        "# ln factors on the standard deviations of Bayless and Abrahamson (2019a), and",
        "# correlation of event and record terms between frequencies: written by",
        "# validation/stochastic/calibrate.py",
        ",".join(["freq_hz,tau_m4,tau_m6,phi_m4,phi_m6", *(f"{f:.4g}" for f in freq_hz)]),
    ]
    for k, f in enumerate(freq_hz):
        values = [*(f"{v:.4f}" for v in factors[:, k]), *(f"{v:.5f}" for v in rho[k])]
        lines.append(",".join([f"{f:.6g}", *values]))
    with replacing(TABLES / "variability.csv") as temporary:
        temporary.write_text("\n".join(lines) + "\n", "utf-8")
    spectrum.variability.cache_clear()
    spectrum.correlation_factor.cache_clear()


def print_durations(p: StochasticParameters, data: Path) -> None:
    """Mean, tau and phi of ln (observed / model) of D5-95 and D5-75, development rows."""
    every = records.read(data)
    rows = every.take(np.flatnonzero(records.split_of(every) == "development"))
    t = rows.table
    for kind in ("RSD575", "RSD595"):
        of = window.significant_duration_s(
            kind, *(t[k].to_numpy() for k in ("mag", "rrup", "vs30"))
        )
        left = np.log(rows.ims[kind].to_numpy(float) / of / p.duration_factor)
        for low, high in spreads.CLASSES:
            has = np.isfinite(left) & t["mag"].between(low, high).to_numpy()
            if has.sum() > 50:
                groups = Groups(t["event_id"].to_numpy(str)[has])
                found = fit(groups, left[has], np.ones((int(has.sum()), 1)))
                print(f"{kind} M {low:g} to {high:g}: {has.sum()} rows, mean {found.beta[0]:.3f}, "
                      f"tau {found.spread.tau:.3f}, phi {found.spread.phi:.3f}")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--keep-physical", action="store_true")
    parser.add_argument("--start-empty", action="store_true", help="forget the tables on disk")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--pairs", type=int, default=16, help="antithetic pairs of draws a cell")
    args = parser.parse_args()

    grid = published.cells(MAG, RJB, VS30, (8.0,))
    c = conditions(grid)
    target = published.four(grid, IMTS).mean(axis=0)
    vh_grid = published.cells(MAG, VH_RJB, VH_VS30, (8.0,))
    coarse = published.cells(MAG, (*RJB[::2], RJB[-1]), VS30[1::2], (8.0,))
    p = StochasticParameters()
    tables = {k: empty() for k in HEADER}
    if (
        not args.start_empty
        and spectrum.node_table("horizontal").values.shape == empty().values.shape
    ):
        tables = {k: spectrum.node_table(k) for k in HEADER}
    for name, table in tables.items():
        write(name, table)
    by = correction(p, coarse, args.pairs)
    if not args.keep_physical:
        deep = published.cells(MAG, RJB, VS30[1::2], DEPTHS)
        p = physical(p, conditions(deep), IMTS, published.four(deep, IMTS).mean(axis=0), by)
        p = replace(p, **{name: float(f"{getattr(p, name):.4g}") for name in PHYSICAL})
        for name in PHYSICAL:
            print(f"{name} = {getattr(p, name):.4g}")
        by = correction(p, coarse, args.pairs)
    rows = observed(args.data)
    for k in range(args.rounds):
        for _ in range(2):
            tables["horizontal"] = horizontal(p, by, tables["horizontal"], (c, target), rows)
            write("horizontal", tables["horizontal"])
            tables["vertical"] = vertical(p, by, tables["vertical"], vh_grid)
            write("vertical", tables["vertical"])
        by = correction(p, coarse, args.pairs)
        left = by(p, c)[0] - target
        print(f"round {k + 1}: rms of ln (model / four) {np.sqrt((left**2).mean()):.3f}, "
              f"largest {np.abs(left).max():.3f}", flush=True)  # fmt: skip
    few = published.cells(MAG, VH_RJB[::2] + VH_RJB[-1:], VS30[::2] + VS30[3:4], (8.0,))
    for _ in range(2):
        h, v = drawn(
            rv.model_of(p), few.scenarios(), IMTS, pairs=12, seed=19, others=("vertical",)
        ).mean(axis=2)
        left = v - h - published.bozorgnia_campbell(few, IMTS)
        print(f"V/H of draws: rms of ln (model / published) {np.sqrt((left**2).mean()):.3f}")
        tables["vertical"] = vertical(p, by, tables["vertical"], few, v - h)
        write("vertical", tables["vertical"])
    write_variability(p, by, rows)
    print_durations(p, args.data)


def correction(p: StochasticParameters, at: published.Cells, pairs: int) -> Corrected:
    """What draws of the model add to random vibration theory."""
    found = drawn(rv.model_of(p), at.scenarios(), IMTS, pairs=pairs, seed=16, others=("vertical",))
    h, v = found.mean(axis=2)
    return Corrected.of_draws(p, conditions(at), IMTS, h, v)


if __name__ == "__main__":
    main()
