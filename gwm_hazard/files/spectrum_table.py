"""A response spectrum in a text file: two columns, period and ordinate."""

from __future__ import annotations

import re
from pathlib import Path

from gwm_hazard.errors import InputError
from gwm_hazard.files.foreign import read_text


def spectrum_of(path: str | Path) -> dict[str, list[float]]:
    """The spectrum of a file, by growing period.

    Parameters
    ----------
    path : text with a line a period: period in s (0 for PGA) and SA in g, between them a comma, a
        semicolon or space; lines that begin with ``#`` and a first line of words are left out

    Returns
    -------
    dict of ``periods_s`` and ``sa_g``

    Raises
    ------
    InputError
        A line of something else, or a period that is told twice.
    """
    found: dict[float, float] = {}
    lines = read_text(Path(path), "utf-8-sig", "replace").splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        words = [word for word in re.split(r"[,;\s]+", line.strip()) if word]
        try:
            period, sa = (float(word) for word in words)
        except ValueError:
            if not found and re.match(r"\s*[A-Za-z\"']", line):
                continue  # names of the columns
            raise InputError(
                f"{path}, line {number}: {line.strip()[:60]!r}: must be a period in s and SA in g, "
                "e.g. 0.2,0.85"
            ) from None
        if period in found:
            raise InputError(f"{path}, line {number}: period {period:g} s is told twice")
        found[period] = sa
    periods = sorted(found)
    return {"periods_s": periods, "sa_g": [found[t] for t in periods]}
