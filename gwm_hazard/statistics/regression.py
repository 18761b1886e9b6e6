"""A simple ground-motion model fitted to the observations, about which variability is compared."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.errors import InputError


def design(
    mag: NDArray[np.float64],
    distance_km: NDArray[np.float64],
    vs30: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Columns of log10 IM = a + b M + c log10 R (+ d log10 Vs30), (n, 3 or 4).

    Palgunadi et al. (2025), eq. 11 and 12.
    """
    columns = [np.ones_like(mag), mag, np.log10(distance_km)]
    if vs30 is not None:
        columns.append(np.log10(vs30))
    return np.column_stack(columns)


def fit(y: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least-squares coefficients (n_columns,) of y (n,) on x (n, n_columns); NaN rows left out."""
    use = np.isfinite(y) & np.isfinite(x).all(axis=1)
    if use.sum() < 2 * x.shape[1]:
        raise InputError(f"{int(use.sum())} records do not tell {x.shape[1]} coefficients")
    return np.asarray(np.linalg.lstsq(x[use], y[use], rcond=None)[0])
