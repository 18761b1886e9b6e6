"""How often the ruptures of a source group exceed a level, as OpenQuake's calculator has it.

Ruptures of most groups are independent and their rates add up. Those of a cluster occur together,
mutually exclusive ones exclude each other, and some have probabilities of occurrence in place of a
rate. OpenQuake combines their probabilities of exceedance in ``openquake.hazardlib.contexts``
(``RmapMaker``) and keeps the result only. Here the rate of the group is shared out among its
ruptures so that at each site and level they add up to it:

- independent: the rate of each is -ln(probability that it does not exceed the level) a year;
- mutually exclusive, or of a cluster: within a source (or a cluster) in proportion to the same,
  between sources in proportion to their weighted probabilities.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Occurrences of a cluster in the investigation time that are counted, as in OpenQuake.
CLUSTER_OCCURRENCES = 20

#: The largest probability that is not taken for sure.
_SURE = 1.0 - 1e-16


@dataclass(frozen=True)
class Occurrence:
    """Occurrence of the ruptures of a source group.

    Attributes
    ----------
    years : investigation time of the calculation
    time_span : that of the group's temporal occurrence model; 0 for ruptures that are sure
    cluster : (n,) probabilities that the cluster occurs 0, 1, .. times; None for no cluster
    source_weights : {source: weight} of mutually exclusive sources, or None
    rupture_weights : {(source, rupture): weight} of mutually exclusive ruptures, or None
    probability : of a group with mutually exclusive sources
    """

    years: float
    time_span: float
    cluster: Array | None = None
    source_weights: dict[int, float] | None = None
    rupture_weights: dict[tuple[int, int], float] | None = None
    probability: float = 1.0

    @classmethod
    def of(cls, group: Any, years: float) -> Occurrence:
        """Of an OpenQuake source group whose sources are numbered by their position in it."""
        source = next(iter(group))
        clustered = bool(getattr(group, "cluster", False))
        owner = group if clustered else source
        tom = getattr(owner, "temporal_occurrence_model", None)
        cluster = None
        if clustered and tom is not None:
            cluster = np.array(
                tom.get_probability_n_occurrences(
                    tom.occurrence_rate, np.arange(CLUSTER_OCCURRENCES)
                ),
                dtype=np.float64,
            )
        by_source = by_rupture = None
        if getattr(group, "rup_interdep", "indep") == "mutex":
            by_rupture = {
                (s, i): float(rup.weight)
                for s, src in enumerate(group)
                for i, (rup, _) in enumerate(src.data)
            }
        elif getattr(group, "src_interdep", "indep") == "mutex":
            by_source = {s: float(src.mutex_weight) for s, src in enumerate(group)}
        return cls(
            years,
            years if tom is None else float(tom.time_span),
            cluster,
            by_source,
            by_rupture,
            float(getattr(group, "grp_probability", 1.0)),
        )

    @property
    def dependent(self) -> bool:
        """Whether ruptures of the group depend on each other: they are then taken all at once."""
        return (
            self.cluster is not None
            or self.source_weights is not None
            or self.rupture_weights is not None
        )

    def adds_up(self, ctx: np.recarray) -> bool:
        """Whether the rates of exceedance are a rate of each rupture times a probability."""
        return not self.dependent and self.time_span > 0 and _probabilities(ctx) is None

    def rates(self, ctx: np.recarray, poe: Array) -> Array:
        """Annual rates of exceedance of each pair, which add up to the group's at each site.

        Parameters
        ----------
        ctx : (n,) pairs of rupture and site; all of the group where they are dependent, with
            ``src_id`` and ``rup_id`` the positions of the source and of the rupture in it
        poe : (n, ...) probability that an occurrence of the rupture exceeds a level

        Returns
        -------
        (n, ...)
        """
        if not self.dependent:
            return self._additive(ctx, poe) / self.years
        if self.rupture_weights is not None:
            weights = [
                self.rupture_weights[int(s), int(r)]
                for s, r in zip(ctx["src_id"], ctx["rup_id"], strict=True)
            ]
            inner = -np.expm1(-self._additive(ctx, poe)) * _along(weights, poe)
        elif self.cluster is not None:
            inner = -np.log1p(-np.minimum(poe, _SURE))
        else:
            inner = self._additive(ctx, poe)
        pairs = np.stack([ctx["sids"], ctx["src_id"]])
        units, unit = np.unique(pairs, axis=1, return_inverse=True)
        of_source = _summed(inner, unit.ravel(), units.shape[1])
        if self.rupture_weights is not None:
            outer = -np.log1p(-np.minimum(of_source, _SURE))
        elif self.source_weights is not None:
            weights = [self.source_weights[int(s)] for s in units[1]]
            outer = -np.expm1(-of_source) * _along(weights, of_source)
        else:
            outer = of_source
        _, site = np.unique(units[0], return_inverse=True)
        total = _summed(outer, site.ravel(), site.max(initial=-1) + 1)
        probability = total if self.source_weights is not None else -np.expm1(-total)
        if self.source_weights is not None or self.rupture_weights is not None:
            probability = probability * self.probability
        probability = np.minimum(probability, _SURE)
        if self.cluster is not None:
            given = np.log1p(-probability)
            times = range(1, len(self.cluster))
            probability = sum((-np.expm1(n * given) * self.cluster[n] for n in times), given * 0.0)
        rate = -np.log1p(-np.minimum(probability, _SURE))
        share = _ratio(inner, of_source[unit.ravel()])
        share *= _ratio(outer, total[site.ravel()])[unit.ravel()]
        return share * rate[site.ravel()][unit.ravel()] / self.years

    def mean_rates(self, ctx: np.recarray) -> Array:
        """Mean number of occurrences of each pair's rupture a year, (n,).

        To first order in the probabilities of exceedance the rates of exceedance are these times
        the probability that an occurrence exceeds a level.
        """
        probabilities = _probabilities(ctx)
        if self.cluster is not None:
            number = np.full(len(ctx), self.cluster @ np.arange(len(self.cluster)))
        elif self.time_span == 0:
            number = np.ones(len(ctx))
        elif probabilities is None:
            number = np.asarray(ctx["occurrence_rate"], dtype=np.float64) * self.time_span
        else:
            number = probabilities @ np.arange(probabilities.shape[1])
        if self.source_weights is not None:
            number = number * [self.source_weights[int(s)] for s in ctx["src_id"]]
        if self.rupture_weights is not None:
            number = number * [
                self.rupture_weights[int(s), int(r)]
                for s, r in zip(ctx["src_id"], ctx["rup_id"], strict=True)
            ]
        if self.source_weights is not None or self.rupture_weights is not None:
            number = number * self.probability
        return number / self.years

    def _additive(self, ctx: np.recarray, poe: Array) -> Array:
        """-ln of the probability that no occurrence of a rupture exceeds, (n, ...)."""
        if self.time_span == 0:  # a rupture that is sure to occur
            return -np.log1p(-np.minimum(poe, _SURE))
        probabilities = _probabilities(ctx)
        if probabilities is None:
            rate = np.asarray(ctx["occurrence_rate"], dtype=np.float64)
            return _along(rate * self.time_span, poe) * poe
        exceeding = np.zeros_like(poe)
        for n in range(1, probabilities.shape[1]):
            exceeding += _along(probabilities[:, n], poe) * -np.expm1(
                n * np.log1p(-np.minimum(poe, _SURE))
            )
        # What the published probabilities lack to 1 counts as an exceedance in OpenQuake.
        exceeding += _along(1.0 - probabilities.sum(axis=1), poe)
        return -np.log1p(-np.clip(exceeding, 0.0, _SURE))


def _probabilities(ctx: np.recarray) -> Array | None:
    """Probabilities (n, k) of 0, 1, .. k - 1 occurrences; None for ruptures with a rate."""
    if "probs_occur" not in (ctx.dtype.names or ()) or not len(ctx):
        return None
    column: NDArray[Any] = np.asarray(ctx["probs_occur"])
    if column.dtype != object:
        return np.asarray(column, dtype=np.float64) if column.ndim == 2 and column.size else None
    longest = max(map(len, column))
    if not longest:
        return None
    out = np.zeros((len(column), longest))
    for row, values in zip(out, column, strict=True):
        row[: len(values)] = values
    return out


def _along(values: Any, like: Array) -> Array:
    """A value a row, to be multiplied with (n, ...)."""
    return np.reshape(np.asarray(values, dtype=np.float64), (-1,) + (1,) * (like.ndim - 1))


def _summed(values: Array, index: NDArray[np.int64], n: int) -> Array:
    out = np.zeros((n, *values.shape[1:]))
    np.add.at(out, index, values)
    return out


def _ratio(part: Array, whole: Array) -> Array:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
