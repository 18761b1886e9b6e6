"""Tables as the page shows them: short numbers, row and column headings."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

#: Rows that a table on the page has at most; the CSV has all.
MOST_ROWS = 60


#: Rows up to which a table stands open.
OPEN_ROWS = 16

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


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
        (" ".join(map(str, c)) if isinstance(c, tuple) else str(c),
         all(cells[k].numeric for _, cells in rows))
        for k, c in enumerate(table.columns)
    ]  # fmt: skip
    return ShownTable(names, columns, rows, len(table) - len(part))


def cell(value: Any) -> Cell:
    """A value as text: three significant digits, whole numbers as they are, – for unknown."""
    if isinstance(value, bool | np.bool_):
        return Cell("yes" if value else "no", False)
    if isinstance(value, int | float | np.integer | np.floating):
        return Cell(number(float(value)), True)
    return Cell("–" if value is None else str(value), False)


def number(value: float) -> str:
    """A number with three significant digits; – where it is not finite."""
    if not math.isfinite(value):
        return "–"
    if value == round(value) and abs(value) < 1e6:
        return f"{value:.0f}"
    if abs(value) >= 1e5 or abs(value) < 1e-3:
        mantissa, exponent = f"{value:.1e}".split("e")
        return f"{mantissa}·10{str(int(exponent)).translate(_RAISED)}".replace("-", "−")
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:.{digits}f}".replace("-", "−")
