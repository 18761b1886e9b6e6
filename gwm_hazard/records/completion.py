"""What a flatfile does not tell of a record, filled in by published rules, each said in words.

Nothing is filled in where a model would depend on it strongly: the closest distance of a large
rupture and Vs30 stay unknown, and such records are left out and counted.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

#: Below this magnitude a rupture is taken as a point: its length is below about 8 km (Wells and
#: Coppersmith 1994).
POINT_BELOW = 6.0


def complete(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """A copy of the table with the gaps filled that can be, and what was done.

    Distances of ruptures below M 6, rake, dip, depth to the top and width of the rupture, and
    basin depths; see the module and the notes.
    """
    out = table.copy()
    notes: list[str] = []

    def fill(name: str, values: NDArray[np.float64], how: str, where: object = True) -> None:
        if name not in out:
            out[name] = np.nan
        gap = out[name].isna().to_numpy() & np.isfinite(values) & np.asarray(where)
        if gap.any():
            out.loc[gap, name] = values[gap]
            notes.append(f"{name} of {int(gap.sum())} records: {how}.")

    def column(name: str) -> NDArray[np.float64]:
        found = out[name] if name in out else pd.Series(np.full(len(out), np.nan))
        return found.to_numpy(np.float64)

    small = column("mag") < POINT_BELOW
    depth = column("hypo_depth")
    fill("rhypo", np.hypot(column("repi"), depth), "from the epicentral distance and the depth")
    point = f"M below {POINT_BELOW:g} taken as a point source"
    fill("rrup", column("rhypo"), f"{point}, the hypocentral distance", small)
    fill("rhypo", column("rrup"), f"{point}, the rupture distance", small)
    flat = np.sqrt(np.maximum(column("rhypo") ** 2 - depth**2, 0.0))
    epicentral = np.where(np.isfinite(column("repi")), column("repi"), flat)
    fill("rjb", epicentral, f"{point}, the epicentral distance", small)
    fill("rjb", np.sqrt(np.maximum(column("rrup") ** 2 - column("ztor") ** 2, 0.0)),
         "from rrup and the depth to the top of the rupture")  # fmt: skip
    ones = np.ones(len(out))
    fill("rake", 0.0 * ones, "unknown, taken as strike-slip")
    # Kaklamanos, Baise and Boore (2011, Earthquake Spectra 27(4): 1219-1235)
    rake = column("rake")
    strike_slip = (np.abs(rake) <= 30) | (np.abs(rake) >= 150)
    fill("dip", np.where(strike_slip, 90.0, np.where(rake > 0, 40.0, 50.0)),
         "by style of faulting (Kaklamanos et al. 2011)")  # fmt: skip
    # Wells and Coppersmith (1994), rupture width, all styles
    width = 10.0 ** (-1.01 + 0.32 * column("mag"))
    fill("width", width, "from the magnitude (Wells and Coppersmith 1994)")
    top = np.maximum(depth - 0.6 * column("width") * np.sin(np.radians(column("dip"))), 0.0)
    fill("ztor", top, "from depth, width and dip (Kaklamanos et al. 2011)")
    fill("zbot", column("ztor") + column("width") * np.sin(np.radians(column("dip"))),
         "from ztor, width and dip")  # fmt: skip
    fill("rx", -column("rjb"), "unknown, taken as on the footwall side")
    fill("ry0", 0.0 * ones, "unknown, taken as beside the rupture")
    vs30 = column("vs30")
    # Chiou and Youngs (2014, Earthquake Spectra 30(3): 1117-1153), eq. 1, California, m
    z1pt0 = np.exp(-7.15 / 4.0 * np.log((vs30**4 + 570.94**4) / (1360.0**4 + 570.94**4)))
    fill("z1pt0", z1pt0, "from Vs30 (Chiou and Youngs 2014, California)")
    # Campbell and Bozorgnia (2014, Earthquake Spectra 30(3): 1087-1115), eq. 33, California, km
    fill("z2pt5", np.exp(7.089 - 1.144 * np.log(vs30)),
         "from Vs30 (Campbell and Bozorgnia 2014, California)")  # fmt: skip
    fill("vs30measured", 0.0 * ones, "taken as inferred")
    return out, notes
