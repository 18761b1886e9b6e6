"""Models by name: the bundled families, those of installed packages, and model folders.

An entry is an import string, so that listing models imports neither them nor torch. Another
package adds a family with an entry point of the group ``gwm_hazard.models``.

A model folder holds ``card.json`` and, for a family with weights, ``model.safetensors``, whose
SHA-256 stands in the card. Folders below :func:`models_folder` are found by their name.

A family may offer an importer of published files: the module ``importer`` in the package of its
import string ("gwm_hazard.models.tfcgan:TFCGANModel" -> ``gwm_hazard.models.tfcgan.importer``)
with a function ``import_model(paths: Sequence[Path], **options: str) -> WaveformModel``.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from gwm_hazard.core.event_share import EventShare
from gwm_hazard.errors import ModelError
from gwm_hazard.files.atomic import replacing
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.models.card_file import CARD_FILE, CARD_FORMAT, check_kinds, read_card, texts_told
from gwm_hazard.models.event_share import shared
from gwm_hazard.models.weights import WEIGHTS_FILE, Weights

#: family -> "module:class"; the class takes the ``parameters`` of a card as keyword arguments,
#: and ``weights`` (:class:`Weights`) where its ``needs_weights`` is true
BUNDLED = {
    "stochastic": "gwm_hazard.models.stochastic:StochasticModel",
    "tfcgan": "gwm_hazard.models.tfcgan:TFCGANModel",
    "highfem": "gwm_hazard.models.highfem:HighFEMModel",
    "layered": "gwm_hazard.models.layered:LayeredModel",
    "matched": "gwm_hazard.models.matched:MatchedModel",
    "cvae-gan": "gwm_hazard.models.cvae_gan:CVAEGANModel",
    "wgan-gp": "gwm_hazard.models.wgan_gp:WGANGPModel",
    "stylegan-eq": "gwm_hazard.models.stylegan_eq:StyleGANEQModel",
    "broadband": "gwm_hazard.models.broadband:BroadbandModel",
}

#: What an importer is called where it is not its family's name: by whose files it reads.
IMPORTED_AS = {"wgan-gp": "florez", "broadband": "seismoalice"}

ENTRY_POINT_GROUP = "gwm_hazard.models"
#: Peak of a draw in the middle of the ranges that no ground has: 100 g.
MOST_M_S2 = 1000.0
#: Among the parameters of a card: which weights belong to it. Surfaces and catalogues, which
#: know a model by family and parameters, so know its weights too.
WEIGHTS_KEY = "weights_sha256"
#: Field of what sites of an event share, which is not the family's.
EVENT_SHARE = "event_share"


def families() -> dict[str, str]:
    """Known model families: name -> import string."""
    found = {e.name: e.value for e in entry_points(group=ENTRY_POINT_GROUP)}
    return BUNDLED | {name: value for name, value in found.items() if name not in BUNDLED}


def models_folder() -> Path:
    """Where models are installed: GWM_HAZARD_MODELS, else a folder of the user's data."""
    if chosen := os.environ.get("GWM_HAZARD_MODELS"):
        return Path(chosen)
    from platformdirs import user_data_path

    return user_data_path("gwm_hazard") / "models"


def installed() -> dict[str, Path]:
    """Model folders below :func:`models_folder`: name -> path."""
    root = models_folder()
    if not root.is_dir():
        return {}
    return {p.name: p for p in sorted(root.iterdir()) if (p / CARD_FILE).is_file()}


def shipped() -> dict[str, Path]:
    """Model folders inside this package: name -> path."""
    root = Path(__file__).with_name("shipped")
    return {p.name: p for p in sorted(root.glob("*")) if (p / CARD_FILE).is_file()}


def model_folders() -> dict[str, Path]:
    """All model folders that are known by name; an installed one goes before a shipped one."""
    return shipped() | installed()


def needs_weights(family: str) -> bool:
    """Whether a family is nothing without a model folder."""
    return bool(_family_class(family, family).needs_weights)


def load_model(name: str | Path, device: str = "auto") -> WaveformModel:
    """Load a model.

    Parameters
    ----------
    name : str
        A family with built-in parameters ("stochastic"), the path of a model folder, or the
        name of one below :func:`models_folder` or in this package ("highfem-small").
    device : str
        A torch device ("cpu", "cuda", "cuda:1"), or "auto": CUDA where there is one.

    Raises
    ------
    ModelError
        An unknown name, or a folder that is not a model, is damaged, or does not fit its family.
    """
    path, name = Path(name), str(name)
    if (path / CARD_FILE).is_file():
        model = _from_folder(path)
    elif name in model_folders():
        model = _from_folder(model_folders()[name])
    elif name in families():
        if needs_weights(name):
            raise ModelError(
                f"model {name!r} needs weights: import its published files with `gwm-hazard "
                f"models import {IMPORTED_AS.get(name, name)} PATH... --output DIR` and give DIR"
            )
        model = _build(name, name)
    elif path.exists():
        raise ModelError(f"model {name!r}: not a model folder, it has no {CARD_FILE}")
    else:
        known = ", ".join(sorted({*families(), *model_folders()}))
        raise ModelError(
            f"unknown model {name!r}: known are {known}, or give the path of a model folder"
        )
    model.device = _device(device)
    return model


def model_from_card(card: Mapping[str, Any], device: str = "auto") -> WaveformModel:
    """The model that a card (:meth:`ModelCard.to_dict`) describes by family and parameters.

    One with weights is looked for among the :func:`installed` models.

    Raises
    ------
    ModelError
        An unknown family, parameters that it does not take, weights that are not installed, or
        a device that is not there.
    """
    try:
        family, parameters = card["family"], card["parameters"]
    except KeyError as exc:
        raise ModelError(f"model card without {exc.args[0]!r}") from None
    where = f"card of model {card.get('name')!r}"
    if WEIGHTS_KEY in parameters:
        model = _build(family, where, parameters, _installed_weights(where, parameters))
    else:
        model = _build(family, where, parameters)
    model.device = _device(device)
    return model


def model_as_told(card: Mapping[str, Any], device: str = "auto") -> WaveformModel:
    """:func:`model_from_card`, with what the card says beyond the parameters: name, ranges, texts.

    Raises
    ------
    ModelError
        As :func:`model_from_card`, or texts or ranges that are none.
    """
    model = model_from_card(card, device)
    where = f"card of model {card.get('name')!r}"
    try:
        model.card = replace(model.card, **texts_told(card, model.card, where))
    except ValueError as exc:
        raise ModelError(f"{where}: {exc}") from exc
    return model


def _installed_weights(where: str, parameters: Mapping[str, Any]) -> Path:
    for folder in model_folders().values():
        found = read_card(folder / CARD_FILE)["parameters"].get(WEIGHTS_KEY)
        if found == parameters[WEIGHTS_KEY]:
            return folder / WEIGHTS_FILE
    raise ModelError(
        f"{where}: no model below {models_folder()} has weights of SHA-256 "
        f"{parameters[WEIGHTS_KEY]}; copy its folder there, or set GWM_HAZARD_MODELS"
    )


def save_model(model: WaveformModel, folder: str | Path) -> Path:
    """Write a model folder that :func:`load_model` reads; returns its path.

    The card is written last: a folder without one is not a model.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    if model.weights is not None:
        model.weights.write(folder / WEIGHTS_FILE)
    text = json.dumps({"format": CARD_FORMAT} | model.card.to_dict(), indent=1)
    with replacing(folder / CARD_FILE) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return folder


def importers() -> dict[str, str]:
    """Families that import published files: name -> importer module."""
    return dict(_beside("importer"))


def fetchers() -> dict[str, str]:
    """Families whose published files have an address: name -> module with ``fetch``."""
    return dict(_beside("fetch"))


def _beside(what: str) -> Iterator[tuple[str, str]]:
    """Families in whose package there is a module of this name."""
    for name, target in families().items():
        module = f"{target.partition(':')[0]}.{what}"
        try:
            if importlib.util.find_spec(module) is not None:
                yield IMPORTED_AS.get(name, name), module
        except ImportError:  # the family's package is not there, or is a plain module
            continue


def importer_options(kind: str) -> dict[str, str]:
    """Options of a family's importer: name -> default."""
    signature = inspect.signature(_import_function(kind))
    return {
        p.name: str(p.default)
        for p in signature.parameters.values()
        if p.kind is inspect.Parameter.KEYWORD_ONLY
    }


def import_model(
    kind: str, paths: Sequence[Path], output: str | Path, **options: str
) -> WaveformModel:
    """Turn the published files of a model into a model folder.

    Parameters
    ----------
    kind : str
        A family that offers an importer (:func:`importers`).
    paths : sequence of Path
        The published files, in the order that the family asks for.
    output : path
        The model folder to write.
    **options : str
        What the importer takes besides (:func:`importer_options`).

    Raises
    ------
    ModelError
        A family without an importer, an unknown option, or files that are not what the family
        published.
    """
    function = _import_function(kind)
    known = importer_options(kind)
    for name in options:
        if name not in known:
            raise ModelError(
                f"option {name}: the importer of {kind!r} takes {', '.join(known) or 'none'}"
            )
    for path in paths:
        if not Path(path).exists():
            raise ModelError(f"{path}: does not exist")
    model = function([Path(p) for p in paths], **options)
    save_model(model, output)
    return load_model(output, "cpu")  # as any user will read it, checksum and all


def _import_function(kind: str) -> Callable[..., WaveformModel]:
    found = importers()
    if kind not in found:
        raise ModelError(f"no importer for {kind!r}: there are {', '.join(sorted(found))}")
    return importlib.import_module(found[kind]).import_model


def _from_folder(folder: Path) -> WaveformModel:
    card = read_card(folder / CARD_FILE)
    where = str(folder / CARD_FILE)
    model = _build(card["family"], where, card["parameters"], folder / WEIGHTS_FILE)
    told = texts_told(card, model.card, where)
    try:
        model.card = replace(model.card, **told)
    except ValueError as exc:
        raise ModelError(f"{where}: {exc}") from exc
    return model


def _family_class(family: str, where: str) -> Any:
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
    if not (isinstance(cls, type) and issubclass(cls, WaveformModel)):
        raise ModelError(f"{where}: {attribute} is not a WaveformModel")
    return cls


def _build(
    family: str,
    where: str,
    parameters: Mapping[str, Any] | None = None,
    weights_file: Path | None = None,
) -> WaveformModel:
    """The model of a family, with the weights of a file where the family needs them."""
    cls = _family_class(family, where)
    arguments = dict(parameters or {})
    share = arguments.pop(EVENT_SHARE, None)
    if cls.needs_weights:
        sha256 = arguments.pop(WEIGHTS_KEY, None)
        if not isinstance(sha256, str) or weights_file is None:
            raise ModelError(f"{where}: the card has no parameter {WEIGHTS_KEY!r}")
        arguments["weights"] = Weights.read(weights_file, sha256)
    try:
        check_kinds(cls, arguments)
        model: WaveformModel = cls(**arguments)
        return model if share is None else shared(model, EventShare.of(share))
    except (TypeError, ValueError) as exc:
        raise ModelError(f"{where}: {exc}") from exc
    except (LookupError, AttributeError, ArithmeticError, RuntimeError, MemoryError) as exc:
        # what absurd parameters lead a family to
        reason = (str(exc).splitlines() or [""])[0]
        raise ModelError(f"{where}: parameters: {type(exc).__name__} {reason:.200}") from exc


def rebuilt(
    model: WaveformModel, *, weights: Weights | None = None, **parameters: Any
) -> WaveformModel:
    """A model with the parameters of another, and its weights, where nothing else is told."""
    arguments = {**model.card.parameters, **parameters}
    arguments.pop(WEIGHTS_KEY, None)
    share = arguments.pop(EVENT_SHARE, None)
    if model.weights is not None:
        arguments["weights"] = weights or model.weights
    new: WaveformModel = type(model)(**arguments)
    new.device = model.device
    return new if share is None else shared(new, EventShare.of(share))


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


def verify_model(name: str | Path, device: str = "cpu") -> str:
    """Load a model and draw one waveform in the middle of its ranges; what was found, in a line.

    Raises
    ------
    ModelError
        As :func:`load_model`, or a waveform that is zero, not finite, of the wrong shape, or
        beyond `MOST_M_S2`.
    """
    import numpy as np

    from gwm_hazard.core.low_frequency import LowFrequency
    from gwm_hazard.core.noise import Noise
    from gwm_hazard.core.scenario import Scenarios
    from gwm_hazard.core.spectra import Spectra
    from gwm_hazard.models.abilities import ConditionsOnLowFrequencies, ConditionsOnSpectrum

    model = load_model(name, device)
    card = model.card
    middle = Scenarios(**{r.name: [(r.low + r.high) / 2.0] for r in card.conditions})
    beside: dict[str, Any] = {}
    if isinstance(model, ConditionsOnSpectrum):  # type: ignore[misc]  # its own way of asking
        ends = np.array(model.target_periods_s)
        beside["target"] = Spectra(ends, np.full((1, 2), np.log(0.1)))
    if isinstance(model, ConditionsOnLowFrequencies):  # type: ignore[misc]
        beside["low_frequency"] = LowFrequency.trial(1, model.crossovers_hz[0])
    npts = int(model.lengths(middle, **beside)[0])
    ((_, acc),) = model.batches(middle, Noise(0, 0, 0, 0), **beside)
    if acc.shape != (1, len(card.components), npts) or not np.isfinite(acc).all():
        raise ModelError(f"model {str(name)!r}: draws {acc.shape}, or values not finite")
    peak = float(np.abs(acc).max())
    if peak == 0.0:
        raise ModelError(f"model {str(name)!r}: draws a waveform of zeros")
    if peak > MOST_M_S2:
        raise ModelError(
            f"model {str(name)!r}: draws a peak of {peak:.3g} m/s2 in the middle of its ranges, "
            f"above {MOST_M_S2:g}: its parameters or weights are not those of a model of the ground"
        )
    weights = f"weights {model.weights.sha256}" if model.weights is not None else "no weights"
    return f"{card.family} {card.version}, {weights}, one draw of peak {peak:.3g} m/s2"
