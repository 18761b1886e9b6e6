"""The surface of a model: the bundled one, one kept from before, or one built now."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

from gwm_hazard.core.card import ModelCard
from gwm_hazard.distribution.build import IMTS, REALIZATIONS, build_surface
from gwm_hazard.distribution.file import read_surface
from gwm_hazard.distribution.surface import Surface, fingerprint
from gwm_hazard.errors import SurfaceError
from gwm_hazard.files.user_folders import cache_folder
from gwm_hazard.models.base import WaveformModel
from gwm_hazard.models.card_file import CARD_FILE
from gwm_hazard.models.registry import BUNDLED, load_model, shipped

log = logging.getLogger(__name__)


def bundled_file(name: str) -> Path | None:
    """The surface that ships for a model of the package, by the model's name.

    A model folder has none.
    """
    path = Path(str(files("gwm_hazard.distribution"))) / "bundled" / f"{name}.h5"
    own = name in BUNDLED or name in shipped()
    return path if own and not (Path(name) / CARD_FILE).is_file() and path.is_file() else None


def bundled_surface(model: WaveformModel) -> Path | None:
    """The surface that ships with the package for this very model, if there is one."""
    path = bundled_file(model.card.name)
    if path is not None and read_surface(path).model == fingerprint(model.card):
        return path
    return None


def cached_file(model: WaveformModel, imts: tuple[str, ...] = IMTS) -> Path:
    """Where a surface of default accuracy of this very model is kept, there or not."""
    key = hashlib.sha256(f"{fingerprint(model.card)} {imts} {REALIZATIONS}".encode()).hexdigest()
    return cache_folder() / "surfaces" / f"{model.card.name}-{key[:12]}.h5"


def surface_by_name(name: str) -> tuple[Surface, ModelCard]:
    """Surface and card of a model for which no surface was named; built where there is none."""
    path = bundled_file(name)
    if path is not None and name in BUNDLED:
        # The card alone, so that the processes of a job need not import torch.
        card: ModelCard = import_module(BUNDLED[name].partition(":")[0] + ".card").card()
        surface = read_surface(path)
        if surface.model == fingerprint(card):
            return surface, card
        log.warning("the bundled surface %s is of another version of its model", path)
    model = load_model(name, "cpu")
    return load_for(model, find_or_build(model)), model.card


def find_surface(model: WaveformModel) -> Surface | None:
    """The surface of this very model that ships or stands in the user's cache; none is built."""
    if (path := bundled_surface(model)) is not None:
        return read_surface(path)
    for path in sorted((cache_folder() / "surfaces").glob(f"{model.card.name}-*.h5")):
        surface = read_surface(path)
        if surface.model == fingerprint(model.card):
            return surface
    return None


def find_or_build(
    model: WaveformModel,
    imts: tuple[str, ...] = IMTS,
    progress: Callable[[float], None] | None = None,
    **options: Any,
) -> Path:
    """Path of a surface for the model: bundled, else cached, else built now under a lock.

    Processes that ask at the same time wait for the one that builds. ``progress`` is that of
    :func:`build_surface`, by default it is logged; ``options`` are others of it.
    """
    model.card.require_level()
    if (path := bundled_surface(model)) is not None:
        return path
    from filelock import FileLock

    path = cached_file(model, imts)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        if not path.is_file():
            log.warning("no surface for model %r: building it once, %s", model.card.name, path)
            progress = progress or LogProgress()
            build_surface(model, path, imts=imts, progress=progress, **options)
    return path


class LogProgress:
    """Log the progress of a build once a minute, with the time that is left of the round."""

    EVERY_S = 60.0

    def __init__(self) -> None:
        self.start = self.said = time.monotonic()

    def __call__(self, share: float) -> None:
        """Take the share of the work that is done, 0 to 1."""
        now = time.monotonic()
        if now - self.said >= self.EVERY_S:
            left = (now - self.start) * (1.0 / share - 1.0)
            log.warning("surface: %.0f %% done, about %.0f min left", 100 * share, left / 60)
            self.said = now


def load_for(model: WaveformModel, path: str | Path) -> Surface:
    """Load a surface and check that it was made from this model.

    Raises
    ------
    SurfaceError
        An unreadable file, or the surface of another model.
    """
    surface = read_surface(path)
    if surface.model != fingerprint(model.card):
        raise SurfaceError(
            f"surface {path}: made from another model (fingerprint {surface.model}) than "
            f"{model.card.name!r} ({fingerprint(model.card)}); build one with "
            "`gwm-hazard surface build`"
        )
    return surface
