"""The file of a model's card: read, and held against the types that a card has."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gwm_hazard.core.card import ModelCard, range_of, real
from gwm_hazard.errors import InputError, ModelError
from gwm_hazard.files.foreign import read_text

CARD_FILE = "card.json"
#: Written into every model folder's card, so that a later layout can be told apart.
CARD_FORMAT = 1

#: What a card file says of a model beyond its parameters, by type.
_TEXTS = (
    "name", "version", "summary", "licence", "training_data", "tectonic_region", "distance",
)  # fmt: skip
_LISTS = ("citation", "limitations")


def texts_told(card: Mapping[str, Any], own: ModelCard, where: str) -> dict[str, Any]:
    """The texts of a card file, and its ranges: a model fitted to some data is valid there."""
    told: dict[str, Any] = {}
    for name in _TEXTS:
        if name in card:
            if not isinstance(card[name], str):
                raise ModelError(f"{where}: {name} = {card[name]!r:.80}: must be text")
            told[name] = card[name]
    for name in _LISTS:
        if name in card:
            lines = card[name]
            if not isinstance(lines, list) or not all(isinstance(v, str) for v in lines):
                raise ModelError(f"{where}: {name} = {lines!r:.80}: must be a list of texts")
            told[name] = tuple(lines)
    ranges = card.get("conditions", {})
    if not isinstance(ranges, dict) or not set(ranges) <= set(own.condition_names):
        raise ModelError(
            f"{where}: conditions = {ranges!r:.80}: must be [low, high] of "
            f"{', '.join(own.condition_names)}"
        )
    try:
        told["conditions"] = tuple(
            range_of(r.name, ranges.get(r.name, (r.low, r.high))) for r in own.conditions
        )
    except ValueError as exc:
        raise ModelError(f"{where}: conditions: {exc}") from exc
    return told


def read_card(path: Path) -> dict[str, Any]:
    """The card of a model folder; ModelError for what is none."""
    try:
        card = json.loads(read_text(path))
    except (OSError, ValueError, RecursionError) as exc:
        raise ModelError(f"{path}: not a readable model card ({exc})") from exc
    if not isinstance(card, dict) or card.get("format") != CARD_FORMAT:
        raise ModelError(
            f"{path}: not a model card of format {CARD_FORMAT}; write it with save_model"
        )
    if not isinstance(card.get("parameters"), dict) or not isinstance(card.get("family"), str):
        raise ModelError(f"{path}: a model card needs 'family' and 'parameters'")
    return card


def check_kinds(cls: type, arguments: Mapping[str, Any]) -> None:
    """InputError for a parameter that is not of the plain type that the family takes."""
    for name, parameter in inspect.signature(cls).parameters.items():
        if name not in arguments:
            continue
        kind, value = str(parameter.annotation), arguments[name]
        if kind == "float":
            real(name, value)
        elif kind == "int" and (isinstance(value, bool) or not isinstance(value, int)):
            raise InputError(f"{name} = {value!r:.80}: must be a whole number")
        elif kind == "str" and not isinstance(value, str):
            raise InputError(f"{name} = {value!r:.80}: must be text")
