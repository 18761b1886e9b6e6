"""What a flatfile does not tell of a record, filled in by published rules, each said in words.

Nothing is filled in where a model would depend on it strongly: the closest distance of a large
rupture and Vs30 stay unknown, and such records are left out and counted.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

#: Up to this magnitude a rupture whose distance nobody tells is taken as a point. It is then 6 km
#: long, at M 6 13 km (Wells and Coppersmith 1994, BSSA 84(4): 974-1002, subsurface length, all
#: styles): more than the distance to the nearest stations.
POINT_UP_TO = 5.5


class _Gaps:
    """A copy of a table whose gaps are filled, and what was done in words."""

    def __init__(self, table: pd.DataFrame) -> None:
        self.table, self.notes = table.copy(), list[str]()

    def column(self, name: str) -> NDArray[np.float64]:
        found = self.table[name] if name in self.table else np.full(len(self.table), np.nan)
        return np.array(found, dtype=np.float64)

    def fill(self, name: str, values: NDArray[np.float64], how: str, where: object = True) -> None:
        old = self.column(name)
        self.change(name, values, how, np.isnan(old) & np.isfinite(values) & np.asarray(where))

    def change(
        self, name: str, values: NDArray[np.float64], how: str, where: NDArray[np.bool_]
    ) -> None:
        self.table[name] = np.where(where, values, self.column(name))
        if where.any():
            self.notes.append(f"{name} of {int(where.sum())} records: {how}.")


def complete_distances(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """A copy of the table with the distances filled that can be, and what was done.

    - ``rhypo`` from ``repi`` and the depth.
    - Up to M 5.5 ``rrup`` and ``rhypo`` stand in for each other, and ``repi`` for ``rjb``; the
      closest distances of a larger rupture stay unknown, and so does ``rhypo`` of one whose
      ``rrup`` alone is known.
    - ``rhypo`` is raised to ``rrup``: the hypocentre is a point of the rupture, so that no rupture
      is farther. Flatfiles have it otherwise where the two come from different earth models, or
      the rupture from another source than the hypocentre; of the two, ``rrup`` is what most models
      are fitted to.
    """
    gaps = _Gaps(table)
    _distances(gaps)
    return gaps.table, gaps.notes


def _distances(gaps: _Gaps) -> None:
    column, fill = gaps.column, gaps.fill
    small = column("mag") <= POINT_UP_TO
    depth = column("hypo_depth")
    fill("rhypo", np.hypot(column("repi"), depth), "from the epicentral distance and the depth")
    point = f"M up to {POINT_UP_TO:g} taken as a point source"
    fill("rrup", column("rhypo"), f"{point}, the hypocentral distance", small)
    fill("rhypo", column("rrup"), f"{point}, the rupture distance", small)
    rrup = column("rrup")
    gaps.change("rhypo", rrup, "raised to rrup, no rupture is farther than its hypocentre",
                column("rhypo") < rrup)  # fmt: skip
    flat = np.sqrt(np.maximum(column("rhypo") ** 2 - depth**2, 0.0))
    epicentral = np.where(np.isfinite(column("repi")), column("repi"), flat)
    fill("rjb", epicentral, f"{point}, the epicentral distance", small)
    fill(
        "rjb",
        np.sqrt(np.maximum(rrup**2 - column("ztor") ** 2, 0.0)),
        "from rrup and the depth to the top of the rupture",
    )


def complete(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """A copy of the table with the gaps filled that can be, and what was done.

    Distances (:func:`complete_distances`), rake, dip, depth to the top and width of the rupture,
    and basin depths; see the module and the notes.
    """
    gaps = _Gaps(table)
    _distances(gaps)
    column, fill = gaps.column, gaps.fill
    depth = column("hypo_depth")
    ones = np.ones(len(table))
    fill("rake", 0.0 * ones, "unknown, taken as strike-slip")
    # Kaklamanos, Baise and Boore (2011, Earthquake Spectra 27(4): 1219-1235)
    rake = column("rake")
    strike_slip = (np.abs(rake) <= 30) | (np.abs(rake) >= 150)
    fill(
        "dip",
        np.where(strike_slip, 90.0, np.where(rake > 0, 40.0, 50.0)),
        "by style of faulting (Kaklamanos et al. 2011)",
    )
    # Wells and Coppersmith (1994), rupture width, all styles
    width = 10.0 ** (-1.01 + 0.32 * column("mag"))
    fill("width", width, "from the magnitude (Wells and Coppersmith 1994)")
    top = np.maximum(depth - 0.6 * column("width") * np.sin(np.radians(column("dip"))), 0.0)
    fill("ztor", top, "from depth, width and dip (Kaklamanos et al. 2011)")
    fill(
        "zbot",
        column("ztor") + column("width") * np.sin(np.radians(column("dip"))),
        "from ztor, width and dip",
    )
    fill("rx", -column("rjb"), "unknown, taken as on the footwall side")
    fill("ry0", 0.0 * ones, "unknown, taken as beside the rupture")
    vs30 = column("vs30")
    # Chiou and Youngs (2014, Earthquake Spectra 30(3): 1117-1153), eq. 1, California, m
    z1pt0 = np.exp(-7.15 / 4.0 * np.log((vs30**4 + 570.94**4) / (1360.0**4 + 570.94**4)))
    fill("z1pt0", z1pt0, "from Vs30 (Chiou and Youngs 2014, California)")
    # Campbell and Bozorgnia (2014, Earthquake Spectra 30(3): 1087-1115), eq. 33, California, km
    fill(
        "z2pt5",
        np.exp(7.089 - 1.144 * np.log(vs30)),
        "from Vs30 (Campbell and Bozorgnia 2014, California)",
    )
    fill("vs30measured", 0.0 * ones, "taken as inferred")
    return gaps.table, gaps.notes
