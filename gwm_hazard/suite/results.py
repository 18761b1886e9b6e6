"""The numbers of a study as plain types, for other programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from gwm_hazard.files.provenance import software_versions
from gwm_hazard.suite import tables
from gwm_hazard.suite.study import Study

#: Attributes of a rule of a design code.
CHECK = ("clause", "what", "required", "found", "passed")


def results(
    study: Study, table: pd.DataFrame, checks: Sequence[Sequence[Any]], files: Sequence[str]
) -> dict[str, Any]:
    """All numbers of a study but the motions, whose ``table`` has a file of its own."""
    suites = []
    for suite, of_code in zip(study.suites, checks, strict=True):
        target, got, pool = suite.target, suite.match, suite.candidates
        suites.append(
            {
                "kind": target.kind,
                "conditioning": target.conditioning,
                "level": target.level if target.conditioning else None,
                "annual_rate": target.rate,
                "return_period_years": tables.return_period(target),
                "motions": len(suite),
                "branch": suite.branch,
                "draws": pool.draws,
                "kept": pool.kept,
                "candidates": len(pool),
                "largest_median_error": tables.largest(got.mean_error),
                "largest_sigma_error": tables.largest(got.sigma_error),
                "misfit": got.misfit,
                "imts": target.imts,
                "target": {"mean_ln": target.mean, "covariance_ln": target.covariance},
                "suite": {"mean_ln": got.mean, "sigma_ln": got.sigma},
                "checks": [{name: getattr(c, name) for name in CHECK} for c in of_code],
            }
        )
    found: dict[str, Any] = plain(
        {
            "about": study.about,
            "model": study.card.to_dict(),
            "site": {"lon": study.lon, "lat": study.lat, "vs30": study.vs30},
            "component": study.component,
            "investigation_time_years": study.investigation_time,
            "suites": suites,
            "consistency": study.consistency.to_dict("records"),
            "units": tables.units(table),
            "software": software_versions(),
            "files": list(files),
        }
    )
    return found


def plain(value: Any) -> Any:
    """Plain types for JSON; what is not finite becomes None."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value if isinstance(value, str | int | bool | None) else str(value)
