"""How well two samples of feature vectors can be told apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def discriminant_accuracy(
    x: ArrayLike, y: ArrayLike, groups_x: ArrayLike, groups_y: ArrayLike, *, folds: int = 5,
    ridge: float = 0.1, seed: int = 0,
) -> float:  # fmt: skip
    """Balanced accuracy with which a linear discriminant tells two samples apart; 0.5: it cannot.

    A classifier two-sample test (Lopez-Paz and Oquab 2017, ICLR) with Fisher's discriminant whose
    within-class correlation is shrunk towards the identity by ``ridge``. Groups (events) are kept
    together in cross-validation, over both samples. x, y : (n, d), (m, d), finite.
    """
    a, b = (np.asarray(v, dtype=np.float64) for v in (x, y))
    features = np.concatenate([a, b])
    label = np.r_[np.zeros(len(a), dtype=bool), np.ones(len(b), dtype=bool)]
    names = np.r_[np.asarray(groups_x).astype(str), np.asarray(groups_y).astype(str)]
    _, group = np.unique(names, return_inverse=True)
    rng = np.random.default_rng(seed)
    fold = rng.permutation(group.max() + 1)[group] % folds
    right, total = np.zeros(2), np.zeros(2)
    for k in range(folds):
        train, test = fold != k, fold == k
        kinds = [features[train & (label == c)] for c in (False, True)]
        if min(map(len, kinds)) < 2 or not test.any():
            continue
        weights, threshold = _discriminant(kinds[0], kinds[1], ridge)
        said = features[test] @ weights > threshold
        for c in (0, 1):
            of = label[test] == bool(c)
            right[c] += (said[of] == bool(c)).sum()
            total[c] += of.sum()
    return float((right / total).mean()) if total.all() else np.nan


def _discriminant(
    a: NDArray[np.float64], b: NDArray[np.float64], ridge: float
) -> tuple[NDArray[np.float64], float]:
    within = np.concatenate([a - a.mean(axis=0), b - b.mean(axis=0)])
    scale = np.maximum(within.std(axis=0), 1e-12)
    z = within / scale
    correlation = (1.0 - ridge) * (z.T @ z) / len(z) + ridge * np.eye(z.shape[1])
    difference = (b.mean(axis=0) - a.mean(axis=0)) / scale
    weights = np.linalg.solve(correlation, difference) / scale
    return weights, float(weights @ (a.mean(axis=0) + b.mean(axis=0)) / 2.0)
