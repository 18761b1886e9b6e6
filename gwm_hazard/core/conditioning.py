"""What a model is given: from a table of earthquakes and sites to the conditions on its card.

The table maps names to columns: OpenQuake's context, a flatfile, the table of a training set. Three
things stand between it and a model. The distance is the one that the model means by its card
(:attr:`gwm_hazard.core.card.ModelCard.distance`). A condition that nobody tells is fixed, or has a
uniform prior over the model's range. A value outside the range is moved to the bound, or refused;
of records it is kept, for whoever leaves them out.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from gwm_hazard.core.card import DISTANCES, ModelCard
from gwm_hazard.core.distance import effective_distance_km
from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import DISTANCE_FALLBACK, Scenarios
from gwm_hazard.core.units import ALL_CONDITIONS
from gwm_hazard.errors import InputError

log = logging.getLogger(__name__)

Array = NDArray[np.float64]
Columns = dict[str, Array]

#: What a model that takes this distance may be given.
_CHOICES = {"rhypo": DISTANCES, "rrup": ("rrup",)}

#: Columns of a table that say where a value stands, in messages.
_PLACES = (("sids", "at site"), ("rup_id", "of rupture"), ("record_id", "of record"))


@dataclass(frozen=True)
class Conditioning:
    """Where each condition of a model comes from.

    Attributes
    ----------
    model : its name, for messages
    ranges : {condition: (low, high)}, all conditions in the order of the card
    distance : what the model's ``rhypo`` or ``rrup`` is: "effective", "rrup" or "rhypo"; empty for
        a model that takes neither
    fixed : {condition: value}
    priors : conditions with a uniform prior over their range
    made : tells the conditioning of a job from that of another one with the same text, also in the
        processes that it is sent to: each job has its own warnings
    """

    model: str
    ranges: dict[str, tuple[float, float]]
    distance: str
    fixed: dict[str, float] = field(default_factory=dict)
    priors: tuple[str, ...] = ()
    made: str = field(default_factory=lambda: uuid.uuid4().hex, compare=False, repr=False)

    @property
    def asked(self) -> tuple[str, ...]:
        """Conditions that are taken from the table."""
        return tuple(n for n in self.ranges if n not in self.fixed and n not in self.priors)

    @property
    def columns(self) -> frozenset[str]:
        """Columns of the table that are read."""
        names = set(self.asked)
        if "rhypo" in names:
            names |= {"effective": {"rrup", "mag"}}.get(self.distance, {self.distance})
            names -= {"rhypo"} - {self.distance}
        return frozenset(names)

    def values(self, table: Any) -> Columns:
        """The conditions that the table gives, at its N rows, as they are: in range or not.

        Raises
        ------
        InputError
            A value that is physically impossible, or not a number.
        """
        found = {}
        for name in self.asked:
            values = found[name] = self._taken(table, name)
            spec = ALL_CONDITIONS[name]
            if len(values) and not (values.min() >= spec.low and values.max() <= spec.high):
                wrong = ~((values >= spec.low) & (values <= spec.high))
                raise InputError(
                    f"{name} = {values[wrong][0]:g} {spec.unit} {_place(table, wrong)}: must be "
                    f"from {spec.low:g} to {spec.high:g} {spec.unit} ({spec.description})"
                )
        return found

    def outside(self, table: Any) -> dict[str, NDArray[np.bool_]]:
        """Rows (N,) outside the model's range, by condition that the table gives."""
        return {
            name: (v < self.ranges[name][0]) | (v > self.ranges[name][1])
            for name, v in self.values(table).items()
        }

    def conditions(
        self, table: Any, policy: str, u: Mapping[str, ArrayLike] | None = None
    ) -> Columns:
        """All conditions of the model at the N rows.

        Parameters
        ----------
        policy : for a row outside the range, "clip" (to the bound, one warning a condition) or
            "error"
        u : quantile in the prior, 0 to 1, by condition; by default the median
        """
        given = self.values(table)
        n = len(table)
        found = {}
        for name in self.ranges:
            if name in self.fixed:
                found[name] = np.full(n, self.fixed[name])
            elif name in self.priors:
                found[name] = np.broadcast_to(self._quantile(name, u), n).copy()
            else:
                found[name] = self._inside(name, given[name], table, policy)
        return found

    def of_records(
        self, table: Any, u: Mapping[str, ArrayLike] | None = None, stand_in: bool = False
    ) -> Columns:
        """Conditions at the N records of a table that need not know them: NaN where it does not.

        The effective distance of a record whose ``rrup`` is not known is its ``rhypo``. A prior
        stands for what the table does not tell. To a model that takes ``rrup``, ``rhypo`` comes
        along where the table has it, since the S wave starts at the hypocentre.

        Parameters
        ----------
        u : as of :meth:`conditions`
        stand_in : take any distance that is not known from the other one, as of a point source
        """
        found = {}
        for name in self.ranges:
            if name in self.fixed:
                found[name] = np.full(len(table), self.fixed[name])
                continue
            values = self._taken(table, name, gaps=True)
            if name in self.priors:
                values = np.where(np.isfinite(values), values, self._quantile(name, u))
            elif stand_in and name in DISTANCE_FALLBACK:
                other = _column(table, DISTANCE_FALLBACK[name], gaps=True)
                values = np.where(np.isfinite(values), values, other)
            found[name] = values
        if "rrup" in found and "rhypo" not in found:
            rhypo = _column(table, "rhypo", gaps=True)
            found["rhypo"] = np.where(np.isfinite(rhypo), rhypo, found["rrup"])
        return found

    def clipped(self, columns: Mapping[str, Array]) -> Scenarios:
        """Scenarios of conditions, moved to the nearest bound of the model's range."""
        every = (-np.inf, np.inf)
        return Scenarios(
            **{name: np.clip(v, *self.ranges.get(name, every)) for name, v in columns.items()}
        )

    def drawn(self, noise: Noise) -> Columns:
        """Quantiles of the priors, (n,) each, drawn once for each event."""
        return {
            name: ndtr(noise.normal(f"prior {name}", 1, per_event=True)[:, 0].astype(np.float64))
            for name in self.priors
        }

    def from_priors(self, noise: Noise) -> Columns:
        """Conditions with a prior, (n,) each, drawn once for each event."""
        u = self.drawn(noise)
        return {name: self._quantile(name, u) for name in self.priors}

    def _quantile(self, name: str, u: Mapping[str, ArrayLike] | None) -> Array:
        low, high = self.ranges[name]
        return low + (high - low) * np.asarray((u or {}).get(name, 0.5), dtype=np.float64)

    def _taken(self, table: Any, name: str, gaps: bool = False) -> Array:
        if name == "rhypo":
            return distance_km(table, self.distance, gaps=gaps)
        return _column(table, name, gaps)

    def _inside(self, name: str, values: Array, table: Any, policy: str) -> Array:
        low, high = self.ranges[name]
        if not len(values) or (values.min() >= low and values.max() <= high):
            return values
        outside = (values < low) | (values > high)
        unit = ALL_CONDITIONS[name].unit
        message = (
            f"{name} = {values[outside][0]:g} {unit} {_place(table, outside)} is outside "
            f"the range of model {self.model!r}, {low:g} to {high:g} {unit}"
        )
        if policy == "error":
            raise InputError(f'{message}; out_of_range = "clip" moves it to the bound')
        _warn_once(self.made, name, message)
        return np.clip(values, low, high)


def conditioning_of(
    card: ModelCard,
    *,
    within: Mapping[str, tuple[float, float]] | None = None,
    distance: str = "",
    fixed: str = "",
) -> Conditioning:
    """How a model is conditioned by its card, and by what a user has to say.

    Parameters
    ----------
    within : ranges, narrower than those of the card, of what estimates the model's distribution
    distance : in place of the meaning on the card
    fixed : conditions with one value for all rows, "azimuthal_gap=120, vs30=760"

    Raises
    ------
    InputError
        A distance that the model cannot be given, a condition it does not have, a fixed value
        outside its range.
    """
    ranges = {r.name: (r.low, r.high) for r in card.conditions}
    for name, (low, high) in (within or {}).items():
        ranges[name] = (max(low, ranges[name][0]), min(high, ranges[name][1]))
    values = _fixed(card, ranges, fixed)
    priors = tuple(n for n in ranges if not ALL_CONDITIONS[n].told and n not in values)
    return Conditioning(card.name, ranges, _distance(card, ranges, distance), values, priors)


def distance_km(table: Any, distance: str, *, gaps: bool = True) -> Array:
    """The distance to a point, (N,) km, that a model is given for the ruptures of a table.

    "effective" is sqrt(rrup^2 + h(M)^2), :mod:`gwm_hazard.core.distance`; with ``gaps`` it is
    ``rhypo`` where ``rrup`` is not known. "rrup" and "rhypo" are the columns of that name.
    """
    if distance != "effective":
        return _column(table, distance, gaps)
    rrup = _column(table, "rrup", gaps)
    effective = effective_distance_km(_column(table, "mag", gaps), rrup)
    if not gaps or np.isfinite(rrup).all():
        return effective
    return np.where(np.isfinite(rrup), effective, _column(table, "rhypo", gaps))


def _fixed(
    card: ModelCard, ranges: Mapping[str, tuple[float, float]], fixed: str
) -> dict[str, float]:
    values = {}
    for part in filter(None, (p.strip() for p in fixed.split(","))):
        name, _, text = (t.strip() for t in part.partition("="))
        if name not in ranges:
            raise InputError(
                f"fixed = {fixed!r}: model {card.name!r} has no condition {name!r}, it takes "
                f"{', '.join(ranges)}"
            )
        try:
            values[name] = float(text)
        except ValueError:
            raise InputError(
                f'fixed = {fixed!r}: write "NAME=VALUE", several separated by commas'
            ) from None
        low, high = ranges[name]
        if not low <= values[name] <= high:
            raise InputError(
                f"fixed = {fixed!r}: model {card.name!r} is valid for {name} from {low:g} to "
                f"{high:g} {ALL_CONDITIONS[name].unit}"
            )
    return values


def _distance(card: ModelCard, ranges: Mapping[str, Any], distance: str) -> str:
    taken = next((n for n in _CHOICES if n in ranges), None)
    choices = _CHOICES[taken] if taken else ()
    if not distance:
        return card.distance if taken == "rhypo" else taken or ""
    if distance not in choices:
        raise InputError(
            f"distance = {distance!r}: model {card.name!r} takes {taken or 'no such distance'}"
            + (f", which can be {', '.join(choices)}" if choices else "")
        )
    return distance


def _names(table: Any) -> Any:
    return table.dtype.names or () if isinstance(table, np.ndarray) else table


def _column(table: Any, name: str, gaps: bool) -> Array:
    """A column of a table; with ``gaps``, NaN where there is none."""
    if gaps and name not in _names(table):
        return np.full(len(table), np.nan)
    return np.asarray(table[name], dtype=np.float64)


def _place(table: Any, mask: NDArray[np.bool_]) -> str:
    names = _names(table)
    return " ".join(
        f"{label} {np.asarray(table[column])[mask][0]}" for column, label in _PLACES
        if column in names
    )  # fmt: skip


_warned: set[tuple[str, str]] = set()


def _warn_once(made: str, name: str, message: str) -> None:
    if (made, name) not in _warned:
        _warned.add((made, name))
        log.warning(
            '%s: clipped to the bound, like all further ones (out_of_range = "clip")', message
        )
