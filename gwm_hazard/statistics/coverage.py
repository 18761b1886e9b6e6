"""Whether draws span what records span: what tells a generator that has collapsed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist


def coverage(
    records: NDArray[np.floating], draws: NDArray[np.floating], neighbours: int = 5
) -> float:
    """Share of records with a draw nearer than their k-th nearest record.

    Naeem, Oh, Uh, Choi and Yoo (2020, ICML), eq. 4, in a space of features. 1 - 2**-k or so where
    both are of one distribution and as many, 0 where draws are elsewhere or all alike.

    Parameters
    ----------
    records, draws : (n, features), (m, features)
    neighbours : k
    """
    radius = cKDTree(records).query(records, neighbours + 1)[0][:, -1]  # the first is itself
    nearest = cKDTree(draws).query(records, 1)[0]
    return float((nearest < radius).mean())


def diversity(records: NDArray[np.floating], draws: NDArray[np.floating]) -> float:
    """Mean distance of two draws over that of two records, 1 where they differ as much.

    Parameters
    ----------
    records, draws : (n, features), (m, features)
    """
    return _mean_distance(draws) / _mean_distance(records)


def _mean_distance(points: NDArray[np.floating]) -> float:
    n = len(points)
    return float(cdist(points, points).sum() / (n * (n - 1)))
