"""Models by name: the bundled ones, those of installed packages, and model folders.

An entry is an import string, so that listing models imports neither them nor torch. Another
package adds a family with an entry point of the group ``gwm_hazard.models``.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from gwm_hazard.models.base import WaveformModel

#: family -> "module:class"; the class takes the ``parameters`` of a card as keyword arguments
BUNDLED = {"stochastic": "gwm_hazard.models.stochastic:StochasticModel"}

ENTRY_POINT_GROUP = "gwm_hazard.models"
CARD_FILE = "card.json"
#: Written into every model folder's card, so that a later layout can be told apart.
CARD_FORMAT = 1


class ModelError(ValueError):
    """A model that cannot be found or read; the message says what to do."""


def families() -> dict[str, str]:
    """Known model families: name -> import string."""
    found = {e.name: e.value for e in entry_points(group=ENTRY_POINT_GROUP)}
    return BUNDLED | {name: value for name, value in found.items() if name not in BUNDLED}


def load_model(name: str, device: str = "auto") -> WaveformModel:
    """Load a model.

    Parameters
    ----------
    name : str
        A family with built-in parameters ("stochastic"), or the path of a model folder.
    device : str
        A torch device ("cpu", "cuda", "cuda:1"), or "auto": CUDA where there is one.

    Raises
    ------
    ModelError
        An unknown name, or a folder that is not a model.
    """
    path = Path(name)
    if (path / CARD_FILE).is_file():
        card = _read_card(path / CARD_FILE)
        model = _family(card["family"], f"{path / CARD_FILE}")(**card["parameters"])
    elif name in families():
        model = _family(name, name)()
    elif path.exists():
        raise ModelError(f"model {name!r}: not a model folder, it has no {CARD_FILE}")
    else:
        raise ModelError(
            f"unknown model {name!r}: known are {', '.join(sorted(families()))}, "
            "or give the path of a model folder"
        )
    model.device = _device(device)
    return model


def model_from_card(card: Mapping[str, Any], device: str = "auto") -> WaveformModel:
    """The model that a card (:meth:`ModelCard.to_dict`) describes by family and parameters.

    Raises
    ------
    ModelError
        An unknown family, parameters that it does not take, or a device that is not there.
    """
    try:
        family, parameters = card["family"], card["parameters"]
    except KeyError as exc:
        raise ModelError(f"model card without {exc.args[0]!r}") from None
    model = _family(family, f"card of model {card.get('name')!r}")(**parameters)
    model.device = _device(device)
    return model


def save_model(model: WaveformModel, folder: str | Path) -> Path:
    """Write a model folder (card.json) that :func:`load_model` reads; returns its path."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"format": CARD_FORMAT} | model.card.to_dict(), indent=1)
    temporary = folder / (CARD_FILE + ".tmp")
    temporary.write_text(text + "\n", encoding="utf-8")
    temporary.replace(folder / CARD_FILE)
    return folder


def _read_card(path: Path) -> dict[str, Any]:
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as exc:
        raise ModelError(f"{path}: not a readable model card ({exc})") from exc
    if not isinstance(card, dict) or card.get("format") != CARD_FORMAT:
        raise ModelError(
            f"{path}: not a model card of format {CARD_FORMAT}; write it with save_model"
        )
    if not isinstance(card.get("parameters"), dict) or not isinstance(card.get("family"), str):
        raise ModelError(f"{path}: a model card needs 'family' and 'parameters'")
    return card


def _family(family: str, where: str) -> Any:
    try:
        module, _, attribute = families()[family].partition(":")
    except KeyError:
        raise ModelError(
            f"{where}: unknown model family {family!r}; known are {', '.join(sorted(families()))}"
        ) from None
    try:
        cls = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as exc:
        raise ModelError(f"{where}: model family {family!r} cannot be loaded ({exc})") from exc

    def build(**parameters: Any) -> WaveformModel:
        try:
            model = cls(**parameters)
        except (TypeError, ValueError) as exc:
            raise ModelError(f"{where}: {exc}") from exc
        if not isinstance(model, WaveformModel):
            raise ModelError(f"{where}: {cls.__name__} is not a WaveformModel")
        return model

    return build


def _device(device: str) -> str:
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as exc:
        reason = str(exc).splitlines()[0]
        raise ModelError(f"device {device!r}: torch cannot use it ({reason}); try 'auto'") from exc
    return device
