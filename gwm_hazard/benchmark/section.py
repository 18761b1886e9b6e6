"""A section of the benchmark: what one evaluation found, and its files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from gwm_hazard.errors import InputError
from gwm_hazard.report.style import FIGURE_FORMATS, write_figure

if TYPE_CHECKING:
    from gwm_hazard.report.style import Figure


@dataclass
class Section:
    """What one evaluation found.

    Attributes
    ----------
    key : name of the module, and of its folder and anchor
    title : heading
    text : what it shows and how to read it; plain text, paragraphs apart by an empty line
    tables : {title: table}; the index is written, so give it a name
    figures : {title: figure}
    captions : {title of a figure or table: what it shows}, which also serves as alternative text
    limits : sentences on sample sizes and on what was left out
    scores : {score: {prediction: value}}, smaller is better; shown in the summary of the page
    """

    key: str
    title: str
    text: str
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    figures: dict[str, Figure] = field(default_factory=dict)
    captions: dict[str, str] = field(default_factory=dict)
    limits: list[str] = field(default_factory=list)
    scores: dict[str, dict[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        unknown = set(self.captions) - set(self.figures) - set(self.tables)
        if unknown:
            raise InputError(f"section {self.key}: captions of nothing: {sorted(unknown)}")


@dataclass(frozen=True)
class Skipped:
    """A section that does not apply, and why."""

    key: str
    title: str
    reason: str


@dataclass(frozen=True)
class StoredSection:
    """A section as its files hold it: figures are {title: {"png": path, "pdf": path}}.

    ``table_files`` are {title: CSV path}.
    """

    key: str
    title: str
    text: str
    tables: dict[str, pd.DataFrame]
    table_files: dict[str, Path]
    figures: dict[str, dict[str, Path]]
    captions: dict[str, str]
    limits: list[str]
    scores: dict[str, dict[str, float]]


def save(section: Section | Skipped, folder: Path, stamp: Mapping[str, Any] | None = None) -> None:
    """Write a section into ``folder``: ``section.json``, tables as CSV, figures as PNG and PDF.

    ``stamp`` is kept in section.json (what the section was made from). The folder appears whole
    or not at all.
    """
    temporary = folder.with_name(folder.name + ".tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    about: dict[str, Any] = {"key": section.key, "title": section.title}
    if isinstance(section, Skipped):
        about["skipped"] = section.reason
    else:
        about |= {
            "text": section.text,
            "captions": section.captions,
            "limits": section.limits,
            "scores": section.scores,
            "tables": {},
            "figures": {},
        }
        for title, table in section.tables.items():
            about["tables"][title] = f"{file_name(title)}.csv"
            about.setdefault("index", {})[title] = table.index.nlevels
            table.to_csv(temporary / about["tables"][title])
        for title, figure in section.figures.items():
            names = {suffix: f"{file_name(title)}.{suffix}" for suffix in FIGURE_FORMATS}
            about["figures"][title] = names
            write_figure(figure, {suffix: temporary / name for suffix, name in names.items()})
    about["stamp"] = dict(stamp or {})
    (temporary / "section.json").write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    temporary.replace(folder)


def load(folder: Path) -> StoredSection | Skipped:
    """Read what :func:`save` wrote."""
    about = json.loads((folder / "section.json").read_text(encoding="utf-8"))
    if "skipped" in about:
        return Skipped(about["key"], about["title"], about["skipped"])
    files = {title: folder / name for title, name in about["tables"].items()}
    return StoredSection(
        about["key"],
        about["title"],
        about["text"],
        {
            title: pd.read_csv(path, index_col=list(range(about["index"][title])))
            for title, path in files.items()
        },
        files,
        {
            title: {suffix: folder / name for suffix, name in names.items()}
            for title, names in about["figures"].items()
        },
        about["captions"],
        about["limits"],
        about["scores"],
    )


def stamp_of(folder: Path) -> dict[str, Any] | None:
    """What a stored section was made from; None where there is none."""
    try:
        return json.loads((folder / "section.json").read_text(encoding="utf-8"))["stamp"]
    except (OSError, ValueError, KeyError):
        return None


def file_name(title: str) -> str:
    """A title as the name of a file: letters, digits, dots and underscores."""
    return "".join(c if c.isalnum() or c in ".-" else "_" for c in title).strip("_")
