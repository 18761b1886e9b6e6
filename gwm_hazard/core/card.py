"""What a user must know of a model: its card, with the ranges of validity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.core.units import ALL_CONDITIONS
from gwm_hazard.errors import InputError

#: What the ``rhypo`` of a model can mean, see :class:`ModelCard`.
DISTANCES = ("effective", "rrup", "rhypo")

#: What is said of a model without a level.
NO_LEVEL = (
    'draws shapes, which have no level; take it as shape = ... of model = "matched", which gives '
    "it level and spectrum of a ground-motion model"
)


@dataclass(frozen=True)
class Range:
    """A condition that a model takes, with its range of validity (inclusive)."""

    name: str
    low: float
    high: float

    def __post_init__(self) -> None:
        if self.name not in ALL_CONDITIONS:
            raise InputError(f"card condition {self.name!r}: known are {', '.join(ALL_CONDITIONS)}")
        if not self.low < self.high:
            raise InputError(f"card range of {self.name}: {self.low} must be below {self.high}")

    @property
    def unit(self) -> str:
        """Unit of the condition."""
        return ALL_CONDITIONS[self.name].unit


@dataclass(frozen=True)
class ModelCard:
    """What a user must know of a model before trusting a number that it makes.

    ``distance`` says what a model that takes ``rhypo`` means by it, read by
    :mod:`gwm_hazard.core.conditioning` alone: "effective", the distance to the point source that
    stands for a finite rupture; "rhypo", the hypocentral distance; "rrup", the closest distance.
    A model that takes ``rrup`` means ``rrup``. A model without a ``level`` draws shapes, in no
    unit: it has no distribution of intensity measures by itself.
    """

    name: str
    family: str
    version: str
    summary: str
    licence: str
    citation: tuple[str, ...]
    training_data: str
    conditions: tuple[Range, ...]
    components: tuple[str, ...]
    sampling_rate_hz: float
    tectonic_region: str
    between_event: bool
    distance: str = "effective"
    level: bool = True
    limitations: tuple[str, ...] = ()
    parameters: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.distance not in DISTANCES:
            raise InputError(
                f"card distance {self.distance!r}: must be one of {', '.join(DISTANCES)}"
            )

    @property
    def condition_names(self) -> tuple[str, ...]:
        """Names of the conditions that the model takes."""
        return tuple(r.name for r in self.conditions)

    def to_dict(self) -> dict[str, Any]:
        """Plain types, as card.json holds them."""
        card = asdict(self)
        card["conditions"] = {r.name: [r.low, r.high] for r in self.conditions}
        if "rhypo" not in self.condition_names:
            del card["distance"]
        if self.level:
            del card["level"]
        return card

    def require_level(self) -> None:
        """Raise an InputError where there is no level, of which hazard could be told."""
        if not self.level:
            raise InputError(f"model {self.name!r} {NO_LEVEL}")

    @classmethod
    def from_dict(cls, content: Any) -> ModelCard:
        """The card of `to_dict`; InputError names a field that is missing or of another type."""
        if not isinstance(content, Mapping):
            raise InputError(f"model card = {content!r:.40}: must be a table")
        known = {f.name: f for f in fields(cls)}
        told = {k: v for k, v in content.items() if k in known}
        for name in known:
            kind = _KINDS[name]
            if name not in told:
                if name in ("distance", "level", "limitations", "parameters"):
                    continue
                raise InputError(f"model card without {name!r}")
            value = told[name]
            if kind is tuple:
                if not isinstance(value, list | tuple) or not all(
                    isinstance(v, str) for v in value
                ):
                    raise InputError(f"card {name} = {value!r:.80}: must be a list of texts")
                told[name] = tuple(value)
            elif kind is float:
                told[name] = real(f"card {name}", value)
            elif not isinstance(value, kind):
                raise InputError(f"card {name} = {value!r:.80}: must be {kind.__name__}")
        told["conditions"] = tuple(range_of(n, r) for n, r in told["conditions"].items())
        return cls(**told)

    def outside(self, scenarios: Scenarios) -> NDArray[np.bool_]:
        """Mask (n,) of the scenarios outside the ranges of validity."""
        mask = np.zeros(len(scenarios), dtype=bool)
        for r in self.conditions:
            mask |= (scenarios[r.name] < r.low) | (scenarios[r.name] > r.high)
        return mask

    def check(self, scenarios: Scenarios) -> None:
        """Raise a ValueError for a missing condition or a scenario outside the ranges."""
        who = f"model {self.name!r}"
        scenarios.require(self.condition_names, who)
        for r in self.conditions:
            values = scenarios[r.name]
            bad = (values < r.low) | (values > r.high)
            if bad.any():
                row = int(np.argmax(bad))
                raise InputError(
                    f"{r.name} = {values[row]:g} {r.unit} at scenario {row}: {who} is valid "
                    f"from {r.low:g} to {r.high:g} {r.unit}"
                )


#: Types of the fields in `ModelCard.to_dict`.
_KINDS: dict[str, type] = dict.fromkeys(
    ("name", "family", "version", "summary", "licence", "training_data", "tectonic_region",
     "distance"), str,
) | {
    "citation": tuple, "components": tuple, "limitations": tuple, "conditions": dict,
    "parameters": dict, "sampling_rate_hz": float, "between_event": bool, "level": bool,
}  # fmt: skip


def real(name: str, value: Any) -> float:
    """A finite number; InputError for text, a truth value, a list, infinity or NaN."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15:
        raise InputError(f"{name} = {value!r:.80}: must be a number")
    return float(value)


def range_of(name: str, value: Any) -> Range:
    """The range of a condition; InputError for what is not [low, high]."""
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise InputError(f"card range of {name} = {value!r:.80}: must be [low, high]")
    return Range(name, *(real(f"card range of {name}", v) for v in value))


#: Texts of a card that a model trained here brings along; its folder's card.json keeps them.
_TEXTS = (
    "name", "version", "summary", "licence", "citation", "training_data", "tectonic_region",
    "limitations", "distance",
)  # fmt: skip


def described(card: ModelCard, texts: Mapping[str, Any]) -> ModelCard:
    """A card with other texts; ValueError for a field that is none."""
    for name in texts:
        if name not in _TEXTS:
            raise InputError(f"card: unknown field {name!r}; known: {', '.join(_TEXTS)}")
    plain: dict[str, Any] = {}
    for name, text in texts.items():
        plain[name] = tuple(text) if isinstance(text, list) else text
    return replace(card, **plain)
