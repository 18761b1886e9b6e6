"""Losses by step, as a CSV table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from gwm_hazard.files.atomic import replacing


class Curves:
    """Rows (step, split, one column a part of the loss), kept until they are written."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, float | int | str]] = []

    def add(self, step: int, split: str, parts: Mapping[str, float]) -> None:
        """One row."""
        self.rows.append({"step": step, "split": split, **parts})

    def read(self, step: int) -> None:
        """Rows of an earlier run up to a step; what it did after its checkpoint is done again."""
        if self.path.is_file():
            table = pd.read_csv(self.path)
            rows = table[table["step"] <= step].to_dict("records")
            self.rows = [{str(k): v for k, v in row.items()} for row in rows]

    def write(self) -> None:
        """The table."""
        if self.rows:
            with replacing(self.path) as temporary:
                pd.DataFrame(self.rows).to_csv(temporary, index=False)
