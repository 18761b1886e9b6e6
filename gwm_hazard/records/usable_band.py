"""The usable band of a record: how long a period its filter leaves intact."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gwm_hazard.intensity import parse_imt

#: Longest usable period times the corner of the high-pass filter: NGA-West2 takes 1.25 times the
#: corner as lowest usable frequency (Ancheta et al. 2014, Earthquake Spectra 30(3): 989-1005).
#: At short periods nothing is left out: response spectra tend to PGA there, which a low-pass
#: filter above 20 Hz hardly changes (Douglas and Boore 2011, Bull. Earthq. Eng. 9: 395-409).
PERIODS_A_CORNER = 0.8

#: PGV is taken as usable where this period is; durations and PGA always are.
PGV_PERIOD_S = 1.0

#: Columns of a flatfile behind those of a table of records, Hz: of two components or statements
#: the higher one.
CORNERS = {
    "highpass_hz": ("highpass_hz", "highpass_h1_hz", "highpass_h2_hz"),
    "lowest_usable_hz": ("lowest_usable_freq_hz", "fmin_usable_hz"),
}


def longest_period_s(table: pd.DataFrame) -> NDArray[np.float64]:
    """Longest usable period of each record, s, (n,); infinite where no corner is known.

    The shorter one of what ``lowest_usable_hz`` (its inverse) and ``highpass_hz`` allow: what a
    publisher says holds, and what the filter leaves too.
    """
    out = np.full(len(table), np.inf)
    for name, factor in (("highpass_hz", PERIODS_A_CORNER), ("lowest_usable_hz", 1.0)):
        if name in table:
            corner = table[name].to_numpy(np.float64)
            known = corner > 0
            out[known] = np.minimum(out[known], factor / corner[known])
    return out


def period_of(imt: str) -> float | None:
    """The period that must be usable for a measure, s; None where none is asked for."""
    parsed = parse_imt(imt)
    if parsed.name == "SA":
        return float(parsed.parameter)
    return PGV_PERIOD_S if parsed.name == "PGV" else None
