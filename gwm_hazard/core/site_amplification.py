"""Published amplification of a site: from rock at the source to Vs30."""

from __future__ import annotations

import csv
from functools import lru_cache
from importlib.resources import files

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

#: Boore (2016), crustal amplification from a source at 3.5 km/s to a generic profile with
#: Vs30 760 m/s: frequency, Hz, and factor.
BOORE_2016_HZ = np.array(
    "0.010 0.015 0.021 0.031 0.045 0.065 0.095 0.138 0.200 0.291 0.423 0.615 0.894 1.301 1.892 "
    "2.751 4.000 5.817 8.459 12.301 17.889 26.014 37.830 55.012 80.0".split(),
    dtype=np.float64,
)
BOORE_2016_FACTOR = np.array(
    "1.00 1.01 1.02 1.02 1.04 1.06 1.09 1.13 1.18 1.25 1.32 1.41 1.51 1.64 1.80 "
    "1.99 2.18 2.38 2.56 2.75 2.95 3.17 3.42 3.68 3.96".split(),
    dtype=np.float64,
)
#: Impedance of the source layer of that table: g/cm3 times km/s.
BOORE_2016_SOURCE = 2.72 * 3.5


@lru_cache(maxsize=1)
def bayless_abrahamson() -> dict[str, NDArray[np.float64]]:
    """Published coefficients by frequency (31 rows), columns as the header of the file says."""
    text = files(__package__).joinpath("tables/bayless_abrahamson.csv").read_text("utf-8")
    rows = list(csv.DictReader(line for line in text.splitlines() if line[0] != "#"))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


def linear_factor(f_hz: Array, vs30: ArrayLike) -> Array:
    """Linear amplification of horizontals from the source layer to the surface.

    Boore (2016) to Vs30 760 m/s, then the Vs30 scaling of Bayless and Abrahamson (2019a), eq. 9,
    capped at 1000 m/s.

    Parameters
    ----------
    f_hz : (nf,), > 0
    vs30 : (n,), m/s

    Returns
    -------
    (n, nf)
    """
    ln_f, table = np.log(f_hz), bayless_abrahamson()
    crustal = np.interp(ln_f, np.log(BOORE_2016_HZ), np.log(BOORE_2016_FACTOR))
    c8 = np.interp(ln_f, np.log(table["freq_hz"]), table["c8"])
    scaled = np.log(np.minimum(np.asarray(vs30, dtype=np.float64), 1000.0) / 760.0)
    return np.asarray(np.exp(crustal + c8 * scaled[..., None]))
