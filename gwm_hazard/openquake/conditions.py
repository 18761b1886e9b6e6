"""From OpenQuake's rupture-site pairs to the conditions of a model.

Three things stand between them. A model conditioned on the distance to a point source gets one
that suits a finite rupture (``distance``). A condition for which OpenQuake has no word is fixed,
or has a prior. A value outside the model's range is moved to the bound, or refused.
"""

import logging
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gwm_hazard.core.card import ModelCard
from gwm_hazard.core.distance import effective_distance_km
from gwm_hazard.core.units import CONDITIONS
from gwm_hazard.errors import InputError

log = logging.getLogger(__name__)

#: Parameters of a rupture that OpenQuake's contexts can hold (ContextMaker.add_rup_params).
RUPTURE_PARAMETERS = frozenset(
    "mag width strike dip rake ztor zbot hypo_lon hypo_lat hypo_depth".split()
)

#: What a model that takes this distance may be given, the default first.
DISTANCE_CHOICES = {"rhypo": ("effective", "rrup", "rhypo"), "rrup": ("rrup",)}


def openquake_names() -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
    """Site parameters, rupture parameters and distances that OpenQuake has."""
    # OpenQuake imports the GSIM, and with it this module, as soon as one of its own is asked for.
    from openquake.hazardlib.contexts import KNOWN_DISTANCES
    from openquake.hazardlib.site import site_param_dt

    distances = frozenset(KNOWN_DISTANCES)
    sites = frozenset(site_param_dt) - distances - RUPTURE_PARAMETERS
    return sites, RUPTURE_PARAMETERS, distances


@dataclass(frozen=True)
class Sources:
    """Where each condition of a model comes from.

    Attributes
    ----------
    ranges : {condition: (low, high)}, all conditions in the order of the card
    distance : what the model's ``rhypo`` or ``rrup`` is: "effective", "rrup" or "rhypo"
    fixed : {condition: value}
    priors : conditions with a uniform prior over their range
    made : tells the GSIM of a job from that of another one with the same text, also in the
        processes that it is sent to: each job has its own warnings
    """

    ranges: dict[str, tuple[float, float]]
    distance: str
    fixed: dict[str, float]
    priors: tuple[str, ...]
    made: str = field(default_factory=lambda: uuid.uuid4().hex, compare=False, repr=False)

    @property
    def asked(self) -> tuple[str, ...]:
        """Conditions that are taken from OpenQuake."""
        return tuple(n for n in self.ranges if n not in self.fixed and n not in self.priors)

    def requires(self) -> tuple[set[str], set[str], set[str]]:
        """OpenQuake's site parameters, rupture parameters and distances that are needed."""
        names = set(self.asked)
        if "rhypo" in names and self.distance != "rhypo":
            names = (names - {"rhypo"}) | {"rrup"}
            if self.distance == "effective":
                names |= {"mag"}
        sites, rupture, distances = (set(names & known) for known in openquake_names())
        return sites, rupture, distances


def sources_of(
    card: ModelCard, ranges: dict[str, tuple[float, float]], distance: str, fixed: str
) -> Sources:
    """Read the GSIM's parameters ``distance`` and ``fixed`` against a model's card.

    Raises
    ------
    ValueError
        A distance that the model cannot be given, a condition it does not have, a fixed value
        outside its range.
    """
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
                f"{high:g} {CONDITIONS[name].unit}"
            )
    known = frozenset().union(*openquake_names())
    priors = tuple(n for n in ranges if n not in known and n not in values)
    return Sources(ranges, _distance(card, ranges, distance), values, priors)


def _distance(card: ModelCard, ranges: dict[str, Any], distance: str) -> str:
    taken = next((n for n in DISTANCE_CHOICES if n in ranges), None)
    choices = DISTANCE_CHOICES[taken] if taken else ()
    if not distance:
        return choices[0] if choices else ""
    if distance not in choices:
        raise InputError(
            f"distance = {distance!r}: model {card.name!r} takes {taken or 'no such distance'}"
            + (f", which can be {', '.join(choices)}" if choices else "")
        )
    return distance


def values_of(sources: Sources, ctx: np.recarray) -> dict[str, NDArray[np.float64]]:
    """The conditions that OpenQuake gives, at the N pairs, as they are: in range or not.

    Raises
    ------
    ValueError
        A value that is physically impossible.
    """
    found = {}
    for name in sources.asked:
        if name == "rhypo" and sources.distance == "effective":
            values = effective_distance_km(ctx["mag"], ctx["rrup"])
        elif name == "rhypo":
            values = np.asarray(ctx[sources.distance], dtype=np.float64)
        else:
            values = np.asarray(ctx[name], dtype=np.float64)
        spec = CONDITIONS[name]
        if len(values) and not (values.min() >= spec.low and values.max() <= spec.high):
            wrong = ~((values >= spec.low) & (values <= spec.high))
            raise InputError(
                f"{name} = {values[wrong][0]:g} {spec.unit} {_where(ctx, wrong)}: must be from "
                f"{spec.low:g} to {spec.high:g} {spec.unit} ({spec.description})"
            )
        found[name] = values
    return found


def outside_of(sources: Sources, ctx: np.recarray) -> dict[str, NDArray[np.bool_]]:
    """Pairs (N,) outside the model's range, by condition."""
    return {
        name: (v < sources.ranges[name][0]) | (v > sources.ranges[name][1])
        for name, v in values_of(sources, ctx).items()
    }


def conditions(
    sources: Sources,
    card: ModelCard,
    ctx: np.recarray,
    policy: str,
    u: Mapping[str, ArrayLike] | None = None,
) -> dict[str, NDArray[np.float64]]:
    """All conditions of the model at the N pairs, inside its range.

    Parameters
    ----------
    policy : "clip" or "error", for a pair outside the range
    u : quantile in the prior, 0 to 1, by condition; by default the median
    """
    given = values_of(sources, ctx)
    found = {}
    for name, (low, high) in sources.ranges.items():
        if name in sources.fixed:
            found[name] = np.full(len(ctx), sources.fixed[name])
        elif name in sources.priors:
            quantile = np.asarray((u or {}).get(name, 0.5), dtype=np.float64)
            found[name] = np.broadcast_to(low + (high - low) * quantile, len(ctx)).copy()
        else:
            found[name] = _inside(name, given[name], sources, card, ctx, policy)
    return found


def _inside(
    name: str,
    values: NDArray[np.float64],
    sources: Sources,
    card: ModelCard,
    ctx: np.recarray,
    policy: str,
) -> NDArray[np.float64]:
    low, high = sources.ranges[name]
    if not len(values) or (values.min() >= low and values.max() <= high):
        return values
    outside = (values < low) | (values > high)
    unit = CONDITIONS[name].unit
    message = (
        f"{name} = {values[outside][0]:g} {unit} {_where(ctx, outside)} is outside "
        f"the range of model {card.name!r}, {low:g} to {high:g} {unit}"
    )
    if policy == "error":
        raise InputError(f'{message}; out_of_range = "clip" moves it to the bound')
    _warn_once(sources, name, message)
    return np.clip(values, low, high)


def _where(ctx: np.recarray, mask: NDArray[np.bool_]) -> str:
    names = ctx.dtype.names or ()
    parts = [
        f"{label} {ctx[column][mask][0]}"
        for column, label in (("sids", "at site"), ("rup_id", "of rupture"))
        if column in names
    ]
    return " ".join(parts)


_warned: set[tuple[str, str]] = set()


def _warn_once(sources: Sources, name: str, message: str) -> None:
    key = (sources.made, name)
    if key not in _warned:
        _warned.add(key)
        log.warning(
            '%s: clipped to the bound, like all further ones (out_of_range = "clip")', message
        )
