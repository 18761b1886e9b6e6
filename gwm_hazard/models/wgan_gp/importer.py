"""Import of a generator that the public code of Florez et al. (2022) trained.

The weights of the article are not published, and the code keeps neither the spans of the
conditions nor those of the peaks: who trained the network knows them, and gives them as options.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from gwm_hazard.errors import ModelError
from gwm_hazard.models.checkpoint import read_state, take_tensors
from gwm_hazard.models.options import one_path, span
from gwm_hazard.models.weights import Weights
from gwm_hazard.models.wgan_gp.model import WGANGPModel
from gwm_hazard.models.wgan_gp.network import generator_of, weight_shapes
from gwm_hazard.models.wgan_gp.sizes import FLOREZ

LICENCE = "network and code: MIT (mflorezto/AI_EQ_Ground_Motion); weights: see where they are from"

#: Why spans are asked for.
_UNTOLD = "the weights do not hold the span of the training data"


def import_model(
    paths: Sequence[Path],
    *,
    distance: str = "",
    mag: str = "",
    vs30: str = "",
    log10_peak: str = "",
    distance_is: str = "rhypo",
    sampling_rate_hz: str = "100",
) -> WGANGPModel:
    """Read the generator's state from a file of ``torch.save`` or safetensors.

    Parameters
    ----------
    paths : one Path
        The state of the generator (a mapping of names to tensors, also below "state_dict", "G" or
        "generator").
    distance, mag, vs30 : str
        "LOW,HIGH" of the training data in km, Mw, m/s: what became 0 and 1.
    log10_peak : str
        "LOW,HIGH": log10 of the smallest and the largest peak of any component, in m/s2.
    distance_is : str
        "rhypo" or "rrup".
    sampling_rate_hz : str

    Raises
    ------
    ModelError
        A file that is not such a state, or a span that is missing.
    """
    path = one_path(paths, "florez", "the one file of the generator")
    if distance_is not in ("rhypo", "rrup"):
        raise ModelError(f"florez: distance_is = {distance_is!r}: give 'rhypo' or 'rrup'")
    spans = {
        name: span(text, "florez", option, _UNTOLD)
        for name, option, text in (
            (distance_is, "distance", distance),
            ("mag", "mag", mag),
            ("vs30", "vs30", vs30),
        )
    }
    peak = span(log10_peak, "florez", "log10_peak", _UNTOLD)
    try:
        rate = float(sampling_rate_hz)
    except ValueError as exc:
        raise ModelError(f"florez: {exc}") from exc
    expected = weight_shapes(generator_of(FLOREZ))
    tensors = take_tensors(_flat(_state(path)), expected, str(path))
    model = WGANGPModel(
        weights=Weights.of(tensors),
        sizes=FLOREZ.to_dict(),
        scaling={
            "conditions": {k: {"low": v[0], "high": v[1]} for k, v in spans.items()},
            "log10_peak": peak,
        },
        sampling_rate_hz=rate,
    )
    model.card = replace(model.card, name="florez", licence=LICENCE, distance=distance_is)
    return model


def _state(path: Path) -> Mapping[str, Any]:
    found: Any = read_state(path)
    for name in ("state_dict", "generator", "G"):
        if isinstance(found.get(name), Mapping):
            return found[name]
    return found


def _flat(found: Mapping[str, Any]) -> dict[str, Any]:
    """One-dimensional kernels of the published (out, in, k, 1); no counters, no data-parallel."""
    made = {}
    for name, tensor in found.items():
        key = str(name).removeprefix("module.")
        if key.endswith("num_batches_tracked"):
            continue
        if isinstance(tensor, torch.Tensor) and tensor.dim() == 4 and tensor.shape[3] == 1:
            tensor = tensor[..., 0]
        made[key] = tensor
    return made
