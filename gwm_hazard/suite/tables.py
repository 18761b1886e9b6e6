"""The tables of a study: its motions, its targets beside the suites, its hazard consistency."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.core.units import ALL_CONDITIONS
from gwm_hazard.intensity import parse_imt
from gwm_hazard.suite.motions import branches_of, epsilon
from gwm_hazard.suite.study import Study
from gwm_hazard.suite.target import Target


def return_period(target: Target) -> float:
    """Years between exceedances of the target's level; NaN for a scenario, which has no level."""
    return float("nan") if target.kind == "scenario" else 1.0 / target.rate


def poe(target: Target, investigation_time: float) -> float:
    """Probability of exceedance of the target's level in a time in years; NaN for a scenario."""
    if target.kind == "scenario":
        return float("nan")
    return float(-np.expm1(-target.rate * investigation_time))


def title_of(target: Target) -> str:
    """What tells a suite from the others of a study."""
    years = return_period(target)
    return "scenario" if np.isnan(years) else f"{years_text(years)} years"


def years_text(years: float) -> str:
    """A return period as people write it: whole years from 10 on, four digits at most."""
    if years < 10:
        return f"{years:.2g}"
    digits = max(0, int(np.floor(np.log10(years))) - 3)
    return f"{round(years, -digits):,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def component_text(component: str) -> str:
    """A horizontal component as people call it."""
    return "geometric mean" if component == "geometric_mean" else component


def imt_text(imt: str) -> str:
    """A measure as people write it: periods with three digits."""
    return f"SA({period(imt):.3g} s)" if imt.startswith("SA(") else imt


class MeasuredMotions(Protocol):
    """Measures of the motions of a suite."""

    @property
    def imts(self) -> tuple[str, ...]:
        """Names of the measures."""

    @property
    def values(self) -> NDArray[np.float64]:
        """(n, n_imts)."""


def motion_table(
    study: Study, names: Sequence[str], every: Sequence[MeasuredMotions]
) -> pd.DataFrame:
    """A row a motion, in the order of the waveform file.

    Columns: record, name, suite (from 1), return_period_years, imt and level of the conditioning,
    the conditions of the scenario, epsilon, scale, weight (of the motion in its suite), the
    measures of the scaled motion, branch, key.
    """
    parts = []
    for k, (suite, motions) in enumerate(zip(study.suites, every, strict=True)):
        scenarios = suite.scenarios
        front: dict[str, Any] = {
            "suite": k + 1,
            "return_period_years": return_period(suite.target),
            "conditioning": suite.target.conditioning,
            "level": suite.target.level if suite.target.conditioning else np.nan,
            **{name: scenarios[name] for name in scenarios},
            "epsilon": epsilon(study, suite),
            "scale": suite.scale,
            "weight": 1.0 / len(suite),
        }
        measures = {imt: motions.values[:, m] for m, imt in enumerate(motions.imts)}
        back = {"branch": branches_of(study, suite), "key": suite.candidates.keys(suite.rows)}
        parts.append(pd.DataFrame(front | measures | back, index=range(len(suite))))
    table = pd.concat(parts, ignore_index=True)
    table.insert(0, "name", list(names))
    table.insert(0, "record", np.arange(len(table)))
    return table


def target_table(study: Study) -> pd.DataFrame:
    """A row a suite and measure: target and suite, median and sigma of ln IM, and the errors."""
    parts = []
    for k, suite in enumerate(study.suites):
        target, got = suite.target, suite.match
        parts.append(
            pd.DataFrame(
                {
                    "suite": k + 1,
                    "return_period_years": return_period(target),
                    "imt": target.imts,
                    "unit": [parse_imt(imt).measure.unit for imt in target.imts],
                    "period_s": [period(imt) for imt in target.imts],
                    "target_median": np.exp(target.mean),
                    "target_sigma": target.sigma.round(9),
                    "suite_median": np.exp(got.mean),
                    "suite_sigma": got.sigma.round(9),
                    "median_error": got.mean_error,
                    "sigma_error": got.sigma_error,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def largest(errors: NDArray[np.float64]) -> float:
    """Largest absolute value; NaN where all are NaN."""
    sizes = np.abs(errors)[np.isfinite(errors)]
    return float(sizes.max()) if len(sizes) else float("nan")


def period(imt: str) -> float:
    """Spectral period in s; NaN for what is no spectral ordinate."""
    return parse_imt(imt).period if imt.startswith("SA(") else float("nan")


#: Columns of the table of motions that are neither conditions nor measures: unit and meaning.
COLUMNS = {
    "record": ("", "position in suite.h5, from 0"),
    "name": ("", "name of the motion, also of its exported files"),
    "suite": ("", "number of the suite, from 1"),
    "return_period_years": ("years", "return period of the level of the target"),
    "conditioning": ("", "measure that the motions of the suite share"),
    "level": ("unit of the conditioning measure", "its level"),
    "epsilon": (
        "1",
        "standard deviations of the conditioning measure above the median of the drawing branch",
    ),
    "scale": ("1", "factor that the acceleration was multiplied with"),
    "weight": ("1", "weight of the motion in its suite"),
    "branch": ("", "ground-motion branch of the model that drew the motion"),
    "key": ("", "key of the noise that the unscaled motion is drawn again from"),
}


def column_table(table: pd.DataFrame, component: str) -> pd.DataFrame:
    """A row a column of the table of motions: column, unit ("" for names), meaning.

    Parameters
    ----------
    table : as :func:`motion_table` gives it
    component : horizontal component of the measures
    """
    rows = []
    for name in table.columns:
        if name in COLUMNS:
            rows.append((name, *COLUMNS[name]))
        elif name in ALL_CONDITIONS:
            rows.append((name, ALL_CONDITIONS[name].unit, ALL_CONDITIONS[name].description))
        else:
            measure = parse_imt(name).measure
            rows.append((name, measure.unit, f"{measure.long_name}, {component_text(component)}"))
    return pd.DataFrame(rows, columns=["column", "unit", "meaning"])


def units(table: pd.DataFrame) -> dict[str, str]:
    """Units of the columns of a table of motions."""
    found = column_table(table, "")
    return {c: u for c, u in zip(found["column"], found["unit"], strict=True) if u}
