"""From a results folder to its page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from gwm_hazard.benchmark.page.ranking import AVERAGE, best, common_scores, ranked
from gwm_hazard.benchmark.page.tables import shown
from gwm_hazard.benchmark.section import Skipped, StoredSection, file_name, load
from gwm_hazard.files.atomic import replacing
from gwm_hazard.report.picture import picture
from gwm_hazard.report.style import DPI
from gwm_hazard.report.text import number, prose, templates

#: What of a card the page shows first, and what it calls it.
CARD = {
    "summary": "Summary", "version": "Version", "licence": "Licence", "citation": "Citation",
    "training_data": "Training data", "tectonic_region": "Tectonic region",
    "conditions": "Range of validity", "components": "Components",
    "sampling_rate_hz": "Sampling rate, Hz", "between_event": "Between-event term",
    "limitations": "Limits", "gsim": "In the logic tree", "class": "Class",
    "component": "Component of the published model", "range": "Range",
    "range_source": "Where its range is from",
}  # fmt: skip


def write_report(output: str | Path) -> Path:
    """Write ``index.html`` and ``results.json`` into a results folder; returns the page.

    Raises OSError where the folder holds no run.
    """
    output = Path(output)
    if not (output / "run.json").is_file():
        raise OSError(f"{output / 'run.json'}: not there; give the folder of a benchmark run")
    about = json.loads((output / "run.json").read_text(encoding="utf-8"))
    sections = [
        load(output / "sections" / key)
        for key in about["sections"]
        if (output / "sections" / key / "section.json").is_file()
    ]
    scores = _scores(about, sections)
    with replacing(output / "results.json") as temporary:
        text = json.dumps(_results(about, sections, scores), indent=1, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")
    environment = jinja2.Environment(
        loader=templates("gwm_hazard.benchmark.page"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"prose": prose, "number": number, "slug": file_name}
    page = environment.get_template("page.html.j2").render(
        about=about,
        cards=[(p, _card(p["card"])) for p in about["predictions"]],
        sections=[_section(s, output) for s in sections],
        ranking=_ranking(about, scores),
        common=common_scores(scores),
    )
    with replacing(output / "index.html") as temporary:
        temporary.write_text(page, encoding="utf-8")
    return output / "index.html"


def _scores(about: dict[str, Any], sections: list[StoredSection | Skipped]) -> pd.DataFrame:
    columns: dict[str, dict[str, float]] = {}
    for section in sections:
        if isinstance(section, StoredSection):
            columns |= section.scores
    names = [p["name"] for p in about["predictions"]]
    return pd.DataFrame(columns, index=names, dtype=float)


def _ranking(about: dict[str, Any], scores: pd.DataFrame) -> dict[str, Any]:
    """Scores as rows and models as columns, best first."""
    if not len(scores.columns):
        return {"models": [], "rows": []}
    order = ranked(scores)
    marked = best(scores)
    kinds = {p["name"]: p["kind"] for p in about["predictions"]}
    colours = {p["name"]: p["colour"] for p in about["predictions"]}
    models = [(str(name), kinds[str(name)], colours[str(name)]) for name in order.index]
    rows = []
    for score in order.columns:
        rows.append(
            {
                "name": str(score),
                "average": score == AVERAGE,
                "values": [
                    (
                        number(float(order.loc[name, score])),  # type: ignore[arg-type]
                        score != AVERAGE and bool(marked.loc[name, score]),
                    )
                    for name in order.index
                ],
            }
        )
    return {"models": models, "rows": rows}


def _section(section: StoredSection | Skipped, output: Path) -> dict[str, Any]:
    if isinstance(section, Skipped):
        return {"key": section.key, "title": section.title, "skipped": section.reason}

    def beside(path: Path) -> str:
        return path.relative_to(output).as_posix()

    return {
        "key": section.key,
        "title": section.title,
        "skipped": "",
        "text": section.text,
        "limits": section.limits,
        "figures": [
            {
                "title": title,
                "caption": section.captions.get(title, ""),
                "picture": picture(files["png"], DPI),
                "files": [(kind.upper(), beside(path)) for kind, path in files.items()],
            }
            for title, files in section.figures.items()
        ],
        "tables": [
            {
                "title": title,
                "caption": section.captions.get(title, ""),
                "table": shown(table),
                "file": beside(section.table_files[title]),
            }
            for title, table in section.tables.items()
        ],
    }


def _card(card: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """What a card says, as names and lines."""
    out = []
    for key, label in CARD.items():
        value = card.get(key)
        if value in (None, "", [], (), {}):
            continue
        out.append((label, _lines(value)))
    return out


def _lines(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [f"{k}: {_range(v)}" for k, v in value.items()]
    if isinstance(value, list | tuple):
        if all(isinstance(v, str) and len(v) < 12 for v in value):
            return [", ".join(value)]
        return [str(v) for v in value]
    if isinstance(value, bool):
        return ["yes" if value else "no"]
    return [f"{value:g}" if isinstance(value, float) else str(value)]


def _range(value: Any) -> str:
    if isinstance(value, list | tuple) and len(value) == 2:
        return " to ".join(f"{v:g}" if isinstance(v, int | float) else str(v) for v in value)
    return str(value)


def _results(
    about: dict[str, Any], sections: list[StoredSection | Skipped], scores: pd.DataFrame
) -> dict[str, Any]:
    """Everything that the page tells in numbers, for other programs."""
    out: dict[str, Any] = {
        "run": about,
        "scores": json.loads(scores.to_json(orient="index")),
        "sections": {},
    }
    for section in sections:
        if isinstance(section, Skipped):
            out["sections"][section.key] = {"skipped": section.reason}
        else:
            out["sections"][section.key] = {
                "title": section.title,
                "limits": section.limits,
                "scores": _plain(section.scores),
                "tables": {
                    title: json.loads(table.reset_index().to_json(orient="records"))
                    for title, table in section.tables.items()
                },
            }
    return out


def _plain(scores: dict[str, dict[str, float]]) -> dict[str, dict[str, float | None]]:
    return {
        score: {name: (v if v == v else None) for name, v in values.items()}
        for score, values in scores.items()
    }
