"""Tables as the page shows them: short numbers, row and column headings."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from gwm_hazard.report.text import number

#: Rows that a table on the page has at most; the CSV has all.
MOST_ROWS = 60
#: Rows up to which a table stands open.
OPEN_ROWS = 16


class Cell(NamedTuple):
    """Text of a cell, and whether it is a number (right-aligned)."""

    text: str
    numeric: bool


class ShownTable(NamedTuple):
    """A table for the template: names of the index columns, the columns, then the rows.

    ``columns`` are (name, whether it holds numbers).
    """

    index_names: list[str]
    columns: list[tuple[str, bool]]
    rows: list[tuple[list[str], list[Cell]]]
    left_out: int

    @property
    def open(self) -> bool:
        """Whether it is short enough to be shown without being asked for."""
        return len(self.rows) <= OPEN_ROWS


def shown(table: pd.DataFrame) -> ShownTable:
    """A table with its numbers shortened and at most `MOST_ROWS` rows."""
    part = table.iloc[:MOST_ROWS]
    levels = table.index.nlevels
    names = [str(n) if n is not None else "" for n in table.index.names]
    rows = []
    for key, values in zip(part.index, part.itertuples(index=False), strict=True):
        heads = [str(k) for k in (key if levels > 1 else (key,))]
        rows.append((heads, [cell(v) for v in values]))
    columns = [
        (
            " ".join(map(str, c)) if isinstance(c, tuple) else str(c),
            all(cells[k].numeric for _, cells in rows),
        )
        for k, c in enumerate(table.columns)
    ]
    return ShownTable(names, columns, rows, len(table) - len(part))


def cell(value: Any) -> Cell:
    """A value as text: three significant digits, whole numbers as they are, – for unknown."""
    if isinstance(value, bool | np.bool_):
        return Cell("yes" if value else "no", False)
    if isinstance(value, int | float | np.integer | np.floating):
        return Cell(number(float(value)), True)
    return Cell("–" if value is None else str(value), False)
