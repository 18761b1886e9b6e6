"""What the scripts of this folder share: a model from its files, and scenarios for it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from gwm_hazard.core.noise import Noise
from gwm_hazard.core.scenario import Scenarios
from gwm_hazard.models.highfem import HighFEMModel
from gwm_hazard.models.highfem.importer import import_model
from gwm_hazard.models.registry import load_model, rebuilt


def model_of(paths: Sequence[Path], **options: Any) -> HighFEMModel:
    """The model of a folder (or of a name), or of two published checkpoints, with other options."""
    if len(paths) == 2:
        model = import_model([Path(p) for p in paths])
    else:
        found = load_model(paths[0], "cpu")
        if not isinstance(found, HighFEMModel):
            raise ValueError(f"{paths[0]}: {found.card.family}, not a model of the HighFEM family")
        model = found
    return varied(model, **options)


def varied(model: HighFEMModel, **options: Any) -> HighFEMModel:
    """The same weights with other options of sampling and phase retrieval."""
    return cast(HighFEMModel, rebuilt(model, **options))


def scenarios(model: HighFEMModel, n: int, seed: int = 1) -> Scenarios:
    """Conditions spread evenly over the middle half of each of the card's ranges."""
    rng = np.random.default_rng(seed)
    return Scenarios(
        **{
            r.name: rng.uniform(0.75 * r.low + 0.25 * r.high, 0.25 * r.low + 0.75 * r.high, n)
            for r in model.card.conditions
        }
    )


def set_threads(threads: int) -> None:
    """Torch's threads; numba's, once started, would overrule them."""
    Noise(0, 0, 0, 0).normal("", 1)
    torch.set_num_threads(threads)
