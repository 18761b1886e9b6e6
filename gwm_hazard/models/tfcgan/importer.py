"""Import of the TensorFlow SavedModel in which TFCGAN is published; no TensorFlow needed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from gwm_hazard.errors import ModelError
from gwm_hazard.files.variable_bundle import VariableBundle
from gwm_hazard.models.options import one_path
from gwm_hazard.models.tfcgan.generator import WEIGHTS
from gwm_hazard.models.tfcgan.model import TFCGANModel
from gwm_hazard.models.weights import Weights

#: Layers of the SavedModel, in its own order.
_LAYERS = (
    *("label_dense_1", "label_dense_2", "label_dense_3", "noise_dense", "noise_bn"),
    *("label_dense_4", "conv_1", "conv_2", "conv_3", "conv_4", "conv_5"),
)


def import_model(
    paths: Sequence[Path],
    *,
    phase_retrieval: str = "admm",
    iterations: str = "20",
    mag_high: str = "6.5",
) -> TFCGANModel:
    """Read the weights from the variables of a SavedModel folder.

    Parameters
    ----------
    paths : one Path
        The folder with ``saved_model.pb`` and ``variables``, or the folder ``variables``.
    phase_retrieval, iterations, mag_high : str
        As of :class:`TFCGANModel`.

    Raises
    ------
    ModelError
        A folder that is not the published model: missing, truncated, corrupt or of other shapes.
    """
    folder = one_path(paths, "tfcgan", "the one SavedModel folder")
    try:
        count, highest = int(iterations), float(mag_high)
    except ValueError as exc:
        raise ModelError(f"tfcgan: {exc}") from exc
    bundle = VariableBundle.of_saved_model(folder)
    tensors = {
        name: torch.from_numpy(bundle.read(_variable(name), shape))
        for name, shape in WEIGHTS.items()
    }
    return TFCGANModel(
        weights=Weights.of(tensors),
        phase_retrieval=phase_retrieval,
        iterations=count,
        mag_high=highest,
    )


def _variable(name: str) -> str:
    """Name of a weight in the SavedModel."""
    layer, _, attribute = name.partition(".")
    attribute = "sn" if attribute == "sn_u" else attribute
    return f"layer_with_weights-{_LAYERS.index(layer)}/{attribute}/.ATTRIBUTES/VARIABLE_VALUE"
