"""Import of the public networks of SeismoALICE (Gatti and Clouteau 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gwm_hazard.errors import ModelError
from gwm_hazard.models.broadband.forms import SeismoALICEShape
from gwm_hazard.models.broadband.model import BroadbandModel
from gwm_hazard.models.checkpoint import read_state, take_tensors
from gwm_hazard.models.options import one_path
from gwm_hazard.models.registry import load_model
from gwm_hazard.models.weights import Weights

LICENCE = "network and code: GPL-3.0 (FilLTP89/SeismoALICE); weights: see where they are from"


def import_model(paths: Sequence[Path], *, level: str = "broadband-small") -> BroadbandModel:
    """Read the generators, whose shapes are spliced at the level of another broadband model.

    Parameters
    ----------
    paths : one Path
        The states of F_f, G_h and G_d, below the prefixes Fef, Ghz, Gdd; others are left out.
    level : str
        The model whose level and ranges are taken: the networks have none of their own, since
        every component of a record was over its peak.

    Raises
    ------
    ModelError
        A file that does not hold these networks, or a level that is of no broadband model.
    """
    path = one_path(paths, "broadband", "the one file of the generators")
    other = load_model(level, "cpu")
    if not isinstance(other, BroadbandModel) or other.weights is None:
        raise ModelError(f"level = {level!r}: must be a broadband model, as broadband-small is")
    found = read_state(path)
    expected = SeismoALICEShape.weight_shapes()
    tensors = take_tensors({k: t for k, t in found.items() if k in expected}, expected, str(path))
    weights = {f"shape.{k.replace('.', '_')}": t for k, t in tensors.items()}
    weights |= {k: t for k, t in other.weights.tensors.items() if k.startswith("level.")}
    known = other.card.parameters
    model = BroadbandModel(
        weights=Weights.of(weights),
        form="sa2020",
        sizes={},
        conditions=known["conditions"],
        crossovers_hz=known["crossovers_hz"],
        sampling_rate_hz=known["sampling_rate_hz"],
    )
    model.card = replace(
        model.card, name="seismoalice-2020", licence=LICENCE,
        summary="SeismoALICE (Gatti and Clouteau 2020) above the crossover, the motion below it.",
        limitations=(
            *model.card.limitations,
            "The networks look at no magnitude, distance or site, and were trained on records "
            "through a causal Butterworth filter, which can be inverted.",
        ),
    )  # fmt: skip
    return model
