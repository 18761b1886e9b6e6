"""From a study and its figures to the text of the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gwm_hazard.core.units import ALL_CONDITIONS
from gwm_hazard.files.provenance import software_versions
from gwm_hazard.intensity import parse_imt
from gwm_hazard.report.picture import picture
from gwm_hazard.report.style import DPI
from gwm_hazard.report.text import number, render
from gwm_hazard.suite.motions import STANDARD_MEASURES
from gwm_hazard.suite.page import figures, text
from gwm_hazard.suite.page.embed import QUANTITIES, Digest
from gwm_hazard.suite.study import Study, Suite
from gwm_hazard.suite.tables import component_text, imt_text, largest, title_of


@dataclass(frozen=True)
class DrawnFigure:
    """A figure in its files.

    Attributes
    ----------
    title, caption : of the page
    files : {"png": path, "pdf": path}
    """

    title: str
    caption: str
    files: dict[str, Path]


def page(
    study: Study,
    digests: Sequence[Digest],
    drawn: Sequence[Mapping[str, DrawnFigure]],
    consistency: DrawnFigure | None,
    checks: Sequence[Sequence[Any]],
    code_notes: Sequence[str],
    table: pd.DataFrame,
    files: Mapping[str, str],
    folder: Path,
) -> str:
    """The page as text.

    Parameters
    ----------
    study : what was made
    digests, drawn, checks : by suite: motions, figures by key, rules of a design code (objects
        with clause, what, required, found, passed)
    consistency : figure of all suites together
    code_notes : what the code asks beyond the checks
    table : of all motions, as :func:`gwm_hazard.suite.tables.motion_table` gives it
    files : {name: what it holds} of the folder
    folder : the page's, which links are relative to
    """
    parts = [table[table["suite"] == k + 1] for k in range(len(study.suites))]
    suites = [
        {
            **_suite(study, suite, part),
            "figures": {key: _figure(figure, folder) for key, figure in figures_of.items()},
            "looked_at": len(digest.embedded),
            "checks": rules,
        }
        for suite, part, digest, figures_of, rules in zip(
            study.suites, parts, digests, drawn, checks, strict=True
        )
    ]
    return render(
        "gwm_hazard.suite.page",
        study=study,
        kind=text.KINDS[study.suites[0].target.kind],
        place=_place(study),
        suites=suites,
        first=_first(study),
        any_checks=any(checks),
        remedies=_remedies(checks),
        code_notes=code_notes,
        limits={
            "median": figures.MEDIAN_LIMIT,
            "sigma": figures.SIGMA_LIMIT,
            "rate": figures.RATE_LIMIT,
        },
        consistency=None if consistency is None else _figure(consistency, folder),
        implied=_implied(study),
        made=text.paragraphs(study),
        warnings=text.limits(study),
        sources=text.sources(study),
        entries=text.entries(study),
        remarks=study.about.get("remarks") or [],
        command=str(study.about.get("command") or ""),
        software=software_versions(),
        files=files,
        data={
            "quantities": [[name, unit] for name, unit, _ in QUANTITIES],
            "components": list(study.card.components),
            "component": component_text(study.component),
            "suites": [
                _data(suite, part["name"].tolist(), digest)
                for suite, part, digest in zip(study.suites, parts, digests, strict=True)
            ],
        },
    )


def _remedies(checks: Sequence[Sequence[Any]]) -> list[str]:
    """What to try for the rules that are not met, each once."""
    failed = (rule for rules in checks for rule in rules if not rule.passed)
    return list(dict.fromkeys(rule.remedy for rule in failed if rule.remedy))


def _first(study: Study) -> int:
    """The suite that is shown first: the one nearest to the probability that was asked for."""
    asked = study.about.get("poe")
    if not asked:
        return 0
    rate = -np.log1p(-asked) / study.investigation_time
    return int(np.argmin([abs(np.log(s.target.rate / rate)) for s in study.suites]))


def _place(study: Study) -> str:
    def degrees(value: float, letters: str) -> str:
        return f"{abs(value):.4g}° {letters[value < 0]}"

    return f"{degrees(study.lat, 'NS')}, {degrees(study.lon, 'EW')}"


def _figure(drawn: DrawnFigure, folder: Path) -> dict[str, Any]:
    return {
        "title": drawn.title,
        "caption": drawn.caption,
        "picture": picture(drawn.files["png"], DPI),
        "files": [
            (kind.upper(), path.relative_to(folder).as_posix())
            for kind, path in drawn.files.items()
        ],
    }


def _suite(study: Study, suite: Suite, table: pd.DataFrame) -> dict[str, Any]:
    target, got = suite.target, suite.match
    sigma = largest(got.sigma_error)
    columns = _columns(study, table)
    return {
        "title": title_of(target),
        "hazard": text.hazard_text(study, suite),
        "level": text.level_text(suite),
        "n": len(suite),
        "draws": suite.candidates.draws,
        "pool": len(suite.candidates),
        "scale": f"{suite.scale.min():.3g} to {suite.scale.max():.3g}"
        if (suite.scale != 1).any()
        else "none",
        "median": f"{100 * largest(got.mean_error):.1f} %",
        "median_at": _worst(target.imts, got.mean_error),
        "sigma_at": _worst(target.imts, got.sigma_error),
        "median_ok": largest(got.mean_error) <= figures.MEDIAN_LIMIT,
        "sigma": "–" if np.isnan(sigma) else f"{100 * sigma:.1f} %",
        "sigma_ok": not sigma > figures.SIGMA_LIMIT,
        "match": _match(suite),
        "columns": [(label, unit) for _, label, unit in columns],
        "motions": [
            (str(row["name"]), [number(float(row[name])) for name, _, _ in columns])
            for _, row in table.iterrows()
        ],
    }


#: How the page calls the conditions.
LABELS = {"mag": "M", "rrup": "Rrup", "rhypo": "Rhypo", "rjb": "RJB", "hypo_depth": "depth"}


def _columns(study: Study, table: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Columns of the table of motions on the page: name, label, unit."""
    varying = [c for c in ALL_CONDITIONS if c in table and c != "vs30"]
    out = [(c, LABELS.get(c, c), "" if c == "mag" else ALL_CONDITIONS[c].unit) for c in varying]
    if table["epsilon"].notna().any():
        out.append(("epsilon", "ε", ""))
    if (table["scale"] != 1).any():
        out.append(("scale", "scale", ""))
    first = study.suites[0].target.conditioning
    measures = dict.fromkeys([*([first] if first else []), *STANDARD_MEASURES])
    return out + [(m, m, parse_imt(m).measure.unit) for m in measures]


def _worst(imts: Sequence[str], errors: Any) -> str:
    """The measure with the largest error; "" where there is none."""
    sizes = np.where(np.isfinite(errors), np.abs(errors), -1.0)
    return imt_text(imts[int(np.argmax(sizes))]) if sizes.max() >= 0 else ""


def _match(suite: Suite) -> list[dict[str, Any]]:
    target, got = suite.target, suite.match
    rows = []
    for m, imt in enumerate(target.imts):
        median, sigma = float(got.mean_error[m]), float(got.sigma_error[m])
        rows.append(
            {
                "imt": imt_text(imt),
                "unit": parse_imt(imt).measure.unit,
                "conditioning": imt == target.conditioning,
                "values": [
                    number(float(v)) if v else "–"
                    for v in (
                        np.exp(target.mean[m]),
                        np.exp(got.mean[m]),
                        target.sigma[m].round(9),
                        got.sigma[m].round(9),
                    )
                ],
                "median_error": percent(median),
                "sigma_error": percent(sigma),
                "median_off": abs(median) > figures.MEDIAN_LIMIT,
                "sigma_off": abs(sigma) > figures.SIGMA_LIMIT,
            }
        )
    return rows


def percent(value: float) -> str:
    """A relative error, signed, in per cent."""
    text = "–" if not np.isfinite(value) else f"{100 * value:+.1f} %".replace("-", "−")
    return text.replace("−0.0", "0.0").replace("+0.0", "0.0")


def _implied(study: Study) -> dict[str, Any]:
    """Ratios of implied rates to those of the hazard, by measure: fitted, off or not, counted."""
    table = study.consistency
    if table.empty:
        return {}
    rates = sorted(set(table["rate"]), reverse=True)
    rows = []
    for imt in dict.fromkeys(table["imt"]):
        part = table[table["imt"] == imt].set_index("rate")
        fitted, counted = (part.loc[rates, name] / rates - 1.0 for name in ("suites", "counted"))
        rows.append(
            (
                imt_text(imt),
                [
                    (percent(x), abs(x) > figures.RATE_LIMIT, percent(y))
                    for x, y in zip(fitted, counted, strict=True)
                ],
            )
        )
    return {"rates": [f"{r:.3g}" for r in rates], "rows": rows}


def _data(suite: Suite, names: list[str], digest: Digest) -> dict[str, Any]:
    columns, periods = figures.spectral(suite)
    target = suite.target
    mean, sigma = target.mean[columns], target.sigma[columns]
    return {
        "target": {
            "periods": _digits(periods),
            "median": _digits(np.exp(mean)),
            "low": _digits(np.exp(mean - sigma)),
            "high": _digits(np.exp(mean + sigma)),
        },
        "periods": _digits(digest.periods),
        "spectra": [_digits(row) for row in digest.sa],
        "motions": [
            {"name": name, **motion} for name, motion in zip(names, digest.embedded, strict=False)
        ],
    }


def _digits(values: Any) -> list[float]:
    """Four digits: more than a line on a screen shows."""
    return [float(f"{v:.4g}") for v in values]
