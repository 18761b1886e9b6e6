"""A calibration from flatfiles to a model folder."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd

from gwm_hazard.calibration import report
from gwm_hazard.calibration.fit import NODES, Fit, Problem, fit
from gwm_hazard.calibration.free import choose, prior, to_vector
from gwm_hazard.calibration.medians import Cache, Medians, points_of
from gwm_hazard.calibration.result import Array, Calibration, Residuals, Settings
from gwm_hazard.calibration.selection import read_flatfiles, split, thin
from gwm_hazard.calibration.variability import ModelSpread, model_spread, scaled, typical
from gwm_hazard.core.card import ModelCard, Range
from gwm_hazard.errors import InputError
from gwm_hazard.files.atomic import replacing
from gwm_hazard.files.provenance import software_versions
from gwm_hazard.models.registry import save_model
from gwm_hazard.models.stochastic import StochasticModel, StochasticParameters
from gwm_hazard.records.observations import Observations

PARTIAL = "calibration.partial"


def model_residuals(
    p: StochasticParameters,
    observations: Observations,
    *,
    draws: int = 2,
    seed: int = 1,
    spread: ModelSpread | None = None,
    device: str = "cpu",
    cache: Cache | None = None,
    tick: Callable[[int], None] | None = None,
) -> Residuals:
    """Residuals of a set of observations to the stochastic model with some parameters.

    ``spread`` is the variability of that model where it is known, else it is estimated.
    """
    _check_draws(draws)
    medians = Medians(points_of(observations), seed=seed, device=device, cache=cache, tick=tick)
    spread = spread or model_spread(p, typical(observations), seed, device, cache)
    drawn = medians(p, draws)
    values = observations.ln() - drawn.mean - _shift(spread, observations)
    return Residuals(observations, values, _mean_variance(drawn.variance, values), spread)


def calibrate(
    paths: Sequence[str | Path],
    output: str | Path,
    settings: Settings | None = None,
    *,
    start: StochasticParameters | None = None,
    device: str = "cpu",
    progress: Callable[[float], None] | None = None,
    told: Callable[[str], None] | None = None,
) -> Calibration:
    """Fit the stochastic model to flatfiles and write a model folder.

    An interrupted calibration goes on where it was: the evaluations of the model lie in a folder
    beside the result until it is complete.

    Parameters
    ----------
    paths : flatfiles, see :func:`read_flatfiles`
    output : model folder to write
    settings : how
    start : parameters where the fit starts, and values of those not free; by default the shipped
    device : torch device
    progress : called with the share of the expected work that is done, 0 to 1
    told : called with lines for the user

    Raises
    ------
    ValueError
        Flatfiles that cannot be used, or settings that do not fit together.
    """
    s, output = settings or Settings(), Path(output)
    _check_draws(s.draws)
    told = told or (lambda line: None)
    start = start or StochasticParameters()
    free = choose(s.free)
    centre, precision = prior(s.prior, free, start)
    everything = read_flatfiles(
        paths, StochasticModel().card.conditions, imts=s.imts, selection=s.selection,
        components=s.components,
    )  # fmt: skip
    fitted, held = split(everything, s.held_out, s.seed, s.selection.min_records)
    for reason, n in fitted.dropped.items():
        told(f"left out: {n} records, {reason}")
    told(f"known: {len(fitted)} records of {fitted.n_events} earthquakes to fit, {len(held)} of "
         f"{held.n_events} held out; {', '.join(fitted.imts)}")  # fmt: skip
    fitted, held = (thin(o, s.max_records, s.seed) for o in (fitted, held))
    told(f"used: {len(fitted)} records of {fitted.n_events} earthquakes to fit, {len(held)} of "
         f"{held.n_events} held out (at most {s.max_records})")  # fmt: skip
    if s.site_terms and (fitted.table["station_id"] == "").any():
        raise InputError("site terms need a column site_id, station_id or station in each flatfile")

    cache = Cache(output / PARTIAL)
    tick = _counter(_expected(len(fitted), len(held), len(free), s.draws), progress)
    how = {"seed": s.seed, "device": device, "cache": cache, "tick": tick}
    medians = Medians(points_of(fitted), **how)  # type: ignore[arg-type]
    nodes = None
    if len(fitted) > NODES:
        nodes = Medians(typical(fitted, NODES).points, **how)  # type: ignore[arg-type]
    at = typical(fitted)

    def spread_of(p: StochasticParameters) -> ModelSpread:
        return model_spread(p, at, s.seed, device, cache)

    problem = Problem(fitted, medians, s.draws, nodes, free, start, centre, precision, s.site_terms)
    before = spread_of(start)
    found = fit(problem, to_vector(start, free), _shift(before, fitted),
                iterations=s.iterations, told=told)  # fmt: skip
    # The random terms add to the mean, so mean and variability are fitted in turn.
    first = problem.parameters(found.state.x)
    middle = scaled(first, spread_of(first), fitted.imts, _observed(found, problem))
    spread = spread_of(middle)
    told("variability scaled; the parameters once more")
    problem = replace(problem, base=middle)
    found = fit(problem, found.state.x, _shift(spread, fitted), iterations=s.iterations,
                jacobian=found.jacobian, told=told)  # fmt: skip
    observed = _observed(found, problem)
    final = scaled(problem.parameters(found.state.x), spread, fitted.imts, observed)
    after = spread_of(final)
    values = found.state.residuals + _shift(spread, fitted) - _shift(after, fitted)
    variance = _mean_variance(medians(final, s.draws).variance, values)
    own = Residuals(fitted, values, variance, after)
    other = default = None
    if len(held):
        told("held-out events")
        shipped = StochasticParameters()
        same = before if start == shipped else spread_of(shipped)
        how["draws"] = s.draws
        other = model_residuals(final, held, spread=after, **how)  # type: ignore[arg-type]
        default = model_residuals(shipped, held, spread=same, **how)  # type: ignore[arg-type]

    named = [("fitted", "calibrated", own)]
    named += [("held out", "calibrated", other)] if other else []
    named += [("held out", "default", default)] if default else []
    summaries, binned = [], []
    for set_, model, r in named:
        table = report.summary(r.observations, r.values, r.simulation_variance, s.site_terms)
        summaries.append(table.assign(set=set_, model=model))
        binned.append(report.bins(r.observations, r.values).assign(set=set_, model=model))
    result = Calibration(
        final, problem, found, own, other, report.parameter_table(problem, found),
        pd.concat(summaries, ignore_index=True), pd.concat(binned, ignore_index=True),
        report.variability_table(observed, fitted.imts, before, after), s,
    )  # fmt: skip
    _write(result, paths, output)
    shutil.rmtree(output / PARTIAL, ignore_errors=True)
    if progress is not None:
        progress(1.0)
    return result


def _observed(found: Fit, problem: Problem) -> pd.DataFrame:
    """Observed tau and phi of a fit by measure."""
    state = found.state
    return report.summary(
        problem.observations, state.residuals, state.simulation_variance, problem.site_terms
    )


def _check_draws(draws: int) -> None:
    if draws < 2:
        raise InputError(f"draws = {draws}: give at least 2")


def _shift(spread: ModelSpread, observations: Observations) -> Array:
    table = observations.table
    return spread.shift_at(table["mag"].to_numpy(np.float64), table["rrup"].to_numpy(np.float64))


def _mean_variance(variance: Array, values: Array) -> Array:
    return np.nanmean(np.where(np.isfinite(values), variance, np.nan), axis=0)


def _expected(fitted: int, held: int, free: int, draws: int) -> int:
    """Waveforms of a usual fit: two Jacobians, seven evaluations, held-out events twice."""
    return min(fitted, NODES) * 4 * free + (7 * fitted + 2 * held) * draws


def _counter(expected: int, progress: Callable[[float], None] | None) -> Callable[[int], None]:
    done = 0

    def tick(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            # A fit may need more than the usual work: the bar slows down, never ends early.
            share = done / expected
            progress(share if share < 0.9 else 1.0 - 0.1 / (1.0 + 10.0 * (share - 0.9)))

    return tick


def _write(c: Calibration, paths: Sequence[str | Path], output: Path) -> None:
    from gwm_hazard.calibration.figures import draw_figures

    records = [report.by_record(c.fitted.observations, c.fitted.values, "fitted")]
    if c.held_out:
        records.append(report.by_record(c.held_out.observations, c.held_out.values, "held out"))
    tables = {
        "parameters": c.parameter_table,
        "residuals": c.summary,
        "residuals_by_bin": c.bins,
        "residuals_by_record": pd.concat(records, ignore_index=True),
        "variability": c.variability,
    }
    for name, table in tables.items():
        with replacing(output / f"{name}.csv") as temporary:
            table.to_csv(temporary, index=False, float_format="%.6g")
    draw_figures(c, output)
    about = {
        "flatfiles": {
            Path(p).name: hashlib.sha256(Path(p).read_bytes()).hexdigest() for p in paths
        },
        "settings": asdict(c.settings),
        "dropped": dict(c.fitted.observations.dropped),
        "free": [f.name for f in c.free],
        "vector": c.fit.state.x.tolist(),
        "covariance_hessian": c.fit.hessian_covariance.tolist(),
        "covariance_sandwich": c.fit.sandwich_covariance.tolist(),
        "composite_power": c.fit.state.power,
        "converged": c.fit.converged,
        "history": c.fit.history,
        "software": software_versions(),
    }
    with replacing(output / "calibration.json") as temporary:
        temporary.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    model = StochasticModel(**asdict(c.parameters))
    model.card = _card(model, c, [Path(p).name for p in paths], output)
    save_model(model, output)


def _card(model: StochasticModel, c: Calibration, files: list[str], output: Path) -> ModelCard:
    o = c.fitted.observations
    ranges = []
    for r in model.card.conditions:
        values = o.table[r.name]
        low, high = (float(f"{v:.4g}") for v in (values.min(), values.max()))
        # A condition with one value only keeps the range of the model.
        ranges.append(Range(r.name, low, high) if low < high else r)
    p = c.parameters
    return replace(
        model.card,
        name=output.resolve().name,
        summary=f"Stochastic method calibrated on {len(o)} records of {o.n_events} earthquakes.",
        training_data=(
            f"{len(o)} records of {o.n_events} earthquakes in {', '.join(files)}; {len(c.free)} "
            f"parameters by maximum likelihood, prior: {c.settings.prior}; "
            f"{c.held_out.observations.n_events if c.held_out else 0} earthquakes held out; "
            f"residuals in residuals.csv"
        ),
        conditions=tuple(ranges),
        limitations=(
            *model.card.limitations,
            "Between-event and record terms are those of Bayless and Abrahamson (2019) times "
            f"tau_factor {p.tau_factor:.3f} and phi_factor {p.phi_factor:.3f}, the same at all "
            "periods; variability.csv has what that leaves.",
        ),
        parameters=asdict(p),
    )
