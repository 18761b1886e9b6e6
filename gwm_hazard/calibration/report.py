"""Tables of a calibration: parameters, residuals by measure and by condition, variability."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.calibration.fit import Fit, Problem
from gwm_hazard.calibration.variability import ModelSpread
from gwm_hazard.records.observations import Observations
from gwm_hazard.statistics import mixed_effects

Array = NDArray[np.float64]

BINS = {
    "mag": (4.0, 4.5, 5.0, 5.5, 6.0, 6.5, 7.0, 8.0),
    "rrup": (1.0, 15.0, 30.0, 50.0, 80.0, 130.0, 200.0, 300.0),
    "vs30": (150.0, 250.0, 360.0, 500.0, 760.0, 1500.0),
}


def parameter_table(problem: Problem, fit: Fit) -> pd.DataFrame:
    """One row a free parameter: prior, fitted value and 95 % interval, standard errors.

    ``error_hessian`` and ``error_sandwich`` are of the parameter, or of its logarithm where ``log``
    is true; the interval takes the larger one (a sandwich of few events is too small).
    ``from_data``: share of the knowledge that the records add, 1 - (error / prior)^2.
    """
    hessian = np.sqrt(np.diag(fit.hessian_covariance))
    sandwich = np.sqrt(np.diag(fit.sandwich_covariance))
    rows = []
    for j, f in enumerate(problem.free):
        plain: Callable[[float], float] = np.exp if f.log else float
        error = max(hessian[j], sandwich[j])
        known = problem.precision[j] > 0
        rows.append(
            {
                "parameter": f.name,
                "prior": plain(problem.centre[j]) if known else np.nan,
                "prior_sd": f.sd if known else np.nan,
                "log": f.log,
                "fitted": plain(fit.state.x[j]),
                "low": plain(fit.state.x[j] - 1.96 * error),
                "high": plain(fit.state.x[j] + 1.96 * error),
                "error_hessian": hessian[j],
                "error_sandwich": sandwich[j],
                "from_data": 1.0 - (hessian[j] / f.sd) ** 2 if known else 1.0,
            }
        )
    return pd.DataFrame(rows)


def summary(
    observations: Observations,
    residuals: Array,
    simulation_variance: Array,
    site_terms: bool = False,
) -> pd.DataFrame:
    """Mean residual, tau, phi and sigma by measure, with standard error and 95 % intervals.

    The scatter that the finite number of draws adds is taken out of phi. With site terms
    ``phi`` is sqrt(phi_s2s^2 + phi_ss^2) and ``phi_s2s`` stands beside it; its interval is that
    of the remaining part.
    """
    rows = []
    event = observations.table["event_id"].to_numpy(str)
    site = observations.table["station_id"].to_numpy(str)
    for j, imt in enumerate(observations.imts):
        known = np.isfinite(residuals[:, j])
        if known.sum() < 3:
            continue
        groups = mixed_effects.Groups(event[known], site[known] if site_terms else None)
        constant = np.ones((groups.n, 1))
        found = mixed_effects.fit(groups, residuals[known, j], constant, intervals=True)
        s = found.spread
        within = np.hypot(s.phi, s.phi_s2s)
        noise = simulation_variance[j]
        nan = (np.nan, np.nan)
        rows.append(
            {
                "imt": imt,
                "records": found.n_records,
                "events": found.n_events,
                "mean": found.beta[0],
                "mean_error": found.error[0],
                "tau": s.tau,
                "tau_low": found.intervals.get("tau", nan)[0],
                "tau_high": found.intervals.get("tau", nan)[1],
                "phi": without(within, noise),
                "phi_low": without(found.intervals["phi"][0], noise),
                "phi_high": without(found.intervals["phi"][1], noise),
                "phi_s2s": s.phi_s2s if site_terms else np.nan,
                "sigma": np.hypot(s.tau, without(within, noise)),
            }
        )
    return pd.DataFrame(rows)


def without(sd: float, variance: float) -> float:
    """A standard deviation with a variance taken out, 0 at least."""
    return float(np.sqrt(max(sd**2 - variance, 0.0)))


def bins(observations: Observations, residuals: Array) -> pd.DataFrame:
    """Mean and standard deviation of the residuals by bin of a condition and measure.

    ``mean_error`` takes the event means of a bin as independent: sd of theirs / sqrt(events).
    """
    rows = []
    event = observations.table["event_id"].to_numpy(str)
    for name, edges in BINS.items():
        values = observations.table[name].to_numpy(np.float64)
        label = np.clip(np.digitize(values, edges[1:-1]), 0, len(edges) - 2)
        for k in range(len(edges) - 1):
            for j, imt in enumerate(observations.imts):
                use = (label == k) & np.isfinite(residuals[:, j])
                if not use.any():
                    continue
                part = pd.Series(residuals[use, j])
                of_events = part.groupby(event[use]).mean()
                n = len(of_events)
                rows.append(
                    {
                        "condition": name,
                        "low": edges[k],
                        "high": edges[k + 1],
                        "imt": imt,
                        "records": int(use.sum()),
                        "events": n,
                        "mean": part.mean(),
                        "mean_error": of_events.std() / np.sqrt(n) if n > 1 else np.nan,
                        "sd": part.std() if len(part) > 1 else np.nan,
                    }
                )
    return pd.DataFrame(rows)


def variability_table(
    observed: pd.DataFrame, imts: tuple[str, ...], before: ModelSpread, after: ModelSpread
) -> pd.DataFrame:
    """Observed tau and phi beside those of the model before and after scaling, by measure."""
    model = pd.DataFrame(
        {
            "imt": imts,
            "tau_before": before.tau,
            "tau_model": after.tau,
            "phi_before": before.phi,
            "phi_model": after.phi,
        }
    )
    columns = ["imt", "tau", "tau_low", "tau_high", "phi", "phi_low", "phi_high"]
    return observed[columns].merge(model, on="imt")


def by_record(observations: Observations, residuals: Array, set_: str) -> pd.DataFrame:
    """Conditions and residuals of each record."""
    names = {"dataset": "file", "station_id": "site_id"}
    table = observations.table.rename(columns=names).assign(set=set_)
    return pd.concat(
        [table, pd.DataFrame(residuals, columns=list(observations.imts)).add_prefix("ln_")], axis=1
    )


def as_text(table: pd.DataFrame, digits: int = 3) -> str:
    """A table for the terminal."""
    return table.to_string(index=False, float_format=lambda v: f"{v:.{digits}g}", na_rep="-")


def summary_text(title: str, table: pd.DataFrame) -> str:
    """A :func:`summary` for the terminal: one line a measure."""
    lines = [
        title,
        "  IMT       records events      mean           tau                phi          sigma",
    ]
    for row in table.itertuples():
        lines.append(
            f"  {row.imt:9s} {row.records:7d} {row.events:6d}"
            f"  {row.mean:+.3f} +- {row.mean_error:.3f}"
            f"  {row.tau:.3f} ({row.tau_low:.2f}-{row.tau_high:.2f})"
            f"  {row.phi:.3f} ({row.phi_low:.2f}-{row.phi_high:.2f})  {row.sigma:.3f}"
        )
    return "\n".join(lines)


def bins_text(table: pd.DataFrame, imts: tuple[str, ...]) -> str:
    """:func:`bins` for the terminal: mean residual / sd, one line a bin."""
    lines = []
    for name in BINS:
        part = table[table["condition"] == name]
        if part.empty:
            continue
        lines.append(f"  {name:>14s}  records" + "".join(f"{i:>13s}" for i in imts))
        for (low, high), one in part.groupby(["low", "high"]):
            at = one.set_index("imt")
            cells = "".join(
                f"  {at['mean'][i]:+.2f}/{at['sd'][i]:4.2f}" if i in at.index else f"{'-':>13s}"
                for i in imts
            )
            lines.append(f"  {low:6g} -{high:6g}  {at['records'].max():7d}{cells}")
    return "\n".join(lines)
