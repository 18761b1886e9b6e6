"""Models in the order of their scores."""

from __future__ import annotations

import numpy as np
import pandas as pd


def ranked(scores: pd.DataFrame) -> pd.DataFrame:
    """The scores, best model first: a row a model, columns as given after ``average rank``.

    scores : a row a model, a column a score, smaller is better, NaN where a model has none.

    The order is that of the average rank over the scores that every model has (equal values share
    a rank); where there is no such score, over those that a model has. Ties keep their order.
    """
    ranks = scores.rank(axis=0, method="average")
    common = scores.columns[scores.notna().all(axis=0)]
    average = ranks[common].mean(axis=1) if len(common) else ranks.mean(axis=1)
    out = scores.copy()
    out.insert(0, AVERAGE, average)
    return out.sort_values(AVERAGE, kind="stable")


AVERAGE = "average rank"


def common_scores(scores: pd.DataFrame) -> list[str]:
    """The scores that every model has, from which the average rank is made."""
    return [str(c) for c in scores.columns if scores[c].notna().all()]


def best(scores: pd.DataFrame) -> pd.DataFrame:
    """Which models have the smallest value of each score, of two or more, (n_models, n_scores)."""
    several = scores.notna().sum(axis=0) > 1
    least = scores.min(axis=0)
    return (scores == least) & several & np.isfinite(scores)
