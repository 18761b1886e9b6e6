"""A broadband model with a network that nobody trained: levels go on from the low band."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from gwm_hazard.models.broadband.forms import form_of
from gwm_hazard.models.broadband.level import POINTS, Level
from gwm_hazard.models.broadband.model import BroadbandModel
from gwm_hazard.models.registry import save_model
from gwm_hazard.models.weights import Weights

SIZES = {"width": 16, "blocks": 1, "heads": 2, "taps": 3, "steps": 2}


def write_broadband(folder: Path, crossovers_hz: tuple[float, ...] = (0.25, 1.0)) -> Path:
    """The model folder ``folder``."""
    torch.manual_seed(1)
    mean = np.zeros((10, POINTS))
    mean[:3] = 1.0 / 3.0
    vertical = np.zeros((13, POINTS))
    vertical[:3] = 1.0 / 3.0
    square = 0.3 * np.eye(POINTS)
    level = Level(
        mean, square, square, np.full((3, POINTS), 1.0 / 3.0), square, vertical, 0 * square, square
    )  # fmt: skip
    shape = form_of("flow", SIZES)
    tensors = {f"shape.{k}": t for k, t in shape.state_dict().items()}
    for i in range(len(crossovers_hz)):
        tensors |= {k: t.clone() for k, t in level.tensors(f"level.{i}.").items()}
    model = BroadbandModel(
        weights=Weights.of(tensors),
        form="flow",
        sizes=SIZES,
        conditions={"mag": (4.5, 8.0), "rhypo": (5.0, 200.0), "vs30": (150.0, 1500.0)},
        crossovers_hz=crossovers_hz,
    )
    return save_model(model, folder)
