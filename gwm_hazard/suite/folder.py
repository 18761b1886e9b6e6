"""An output folder: every file whole or not there, and nothing of an earlier run left over."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from gwm_hazard.files.atomic import replacing
from gwm_hazard.report.style import FIGURE_FORMATS, write_figure

if TYPE_CHECKING:
    from gwm_hazard.report.style import Figure

#: The file that lists what a run wrote.
RESULTS = "results.json"


@dataclass
class Folder:
    """The output folder and what was written into it: {path inside: what it holds}."""

    path: Path
    files: dict[str, str] = field(default_factory=dict)

    def text(self, name: str, content: str) -> None:
        """Write a file."""
        with replacing(self.path / name) as temporary:
            temporary.write_text(content, encoding="utf-8")

    def table(self, name: str, table: pd.DataFrame, what: str, exact: Collection[str] = ()) -> None:
        """Write a table with 7 digits, but for the columns that must be exact."""
        short = {
            str(column): [float(f"{v:.7g}") for v in table[column]]
            for column in table.select_dtypes("float")
            if column not in exact
        }
        with replacing(self.path / name) as temporary:
            table.assign(**short).to_csv(temporary, index=False)
        self.files[name] = what

    def figure(self, name: str, figure: Figure) -> dict[str, Path]:
        """Save a figure as PNG and PDF; {format: path}."""
        paths = {kind: self.path / "figures" / f"{name}.{kind}" for kind in FIGURE_FORMATS}
        with contextlib.ExitStack() as stack:
            whole = {k: stack.enter_context(replacing(path)) for k, path in paths.items()}
            write_figure(figure, whole)
        self.files |= {p.relative_to(self.path).as_posix(): "" for p in paths.values()}
        return paths

    def former(self) -> set[str]:
        """What an earlier run wrote here."""
        try:
            return set(json.loads((self.path / RESULTS).read_text(encoding="utf-8"))["files"])
        except (OSError, ValueError, KeyError, TypeError):
            return set()

    def remove(self, names: Iterable[str]) -> None:
        """Remove files, and folders of exports, that an earlier run wrote."""
        for name in names:
            path = (self.path / name).resolve()
            if not path.is_relative_to(self.path.resolve()):
                continue
            if (path / "provenance.json").is_file():
                shutil.rmtree(path)
            elif path.is_file():
                path.unlink()
