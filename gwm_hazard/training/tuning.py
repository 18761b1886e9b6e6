"""Fine-tuning: a model of this family goes on with the records of a region."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from typing import cast

import pandas as pd
from lightning_fabric import Fabric
from torch import nn

from gwm_hazard.core.card import described
from gwm_hazard.errors import ModelError
from gwm_hazard.files.atomic import replacing
from gwm_hazard.models.highfem.denoiser import LatentDiffusion
from gwm_hazard.models.highfem.model import HighFEMModel
from gwm_hazard.models.registry import load_model, rebuilt, save_model
from gwm_hazard.models.weights import Weights
from gwm_hazard.training import lowrank
from gwm_hazard.training.config import Data, Progress, TrainingConfig
from gwm_hazard.training.figures import plot_curves
from gwm_hazard.training.level import levelled
from gwm_hazard.training.objectives import BaselineObjective, DiffusionObjective
from gwm_hazard.training.records import Latents, Records, encode
from gwm_hazard.training.report import RECORDS, held_out, spread, write_report
from gwm_hazard.training.run import EXAMPLES, MODEL, Stages, claimed, finished, started


def fine_tune(
    config: TrainingConfig,
    base: str | Path,
    folder: str | Path,
    *,
    progress: Progress | None = None,
) -> Path:
    """Go on with a model on another training set; its autoencoder stays as it is.

    Conditions, their standardisation and the representation are the model's. Residuals on the
    test split (events that the fit never sees) before and after go into ``heldout.csv``.

    Parameters
    ----------
    config : TrainingConfig
        Its tables ``data`` (folder, records, distance), ``tuning``, ``machine`` and ``model``.
    base : str or path
        The model.
    folder : path
        Of the run; goes on where it stopped.

    Returns
    -------
    Path
        The new model folder.

    Raises
    ------
    ValueError
        A model of another family, or without a baseline that is to be tuned.
    """
    folder = Path(folder)
    model = load_model(base, "cpu")
    if not isinstance(model, HighFEMModel) or model.weights is None:
        raise ModelError(f"model {str(base)!r}: family {model.card.family}; only highfem is tuned")
    if "baseline" in config.tuning.parts and model.baseline is None:
        raise ModelError(f"model {str(base)!r} has no baseline: take it out of tuning.parts")
    fabric = started(config.machine)
    settings = config.to_dict() | {"from": model.weights.sha256}
    with claimed(folder, settings, fabric):
        return _tuned(config, model, folder, fabric, progress)


def _tuned(
    config: TrainingConfig,
    model: HighFEMModel,
    folder: Path,
    fabric: Fabric,
    progress: Progress | None,
) -> Path:
    assert model.weights is not None
    records, latents = _latents(config.data, model, folder / "latents.npy", fabric)
    source = latents
    if config.tuning.replay:
        second = replace(config.data, folder=config.tuning.replay)
        _, replay = _latents(second, model, folder / "replay.npy", fabric)
        source = Latents(
            latents.latents, records, model.conditions, replay, config.tuning.replay_share
        )

    network = LatentDiffusion(model.unet, model.autoencoder, model.baseline)
    network.load_state_dict(dict(model.weights.tensors))
    network.requires_grad_(False)
    stages = Stages(config, folder, fabric, progress)
    target: nn.Module
    objective: nn.Module
    for part in config.tuning.parts:
        if part == "baseline":
            assert network.baseline is not None
            kept = None if config.tuning.spread else copy.deepcopy(network.baseline)
            target, objective = network.baseline, BaselineObjective(network.baseline, kept)
            settings = config.tuning.baseline
        else:
            diffusion = DiffusionObjective(network, config.denoiser)
            examples = source.replay or source
            diffusion.weigh(*examples.take(examples.train[:EXAMPLES]))
            target, objective, settings = network.unet, diffusion, config.tuning.denoiser
        if config.tuning.rank:
            lowrank.adapt(target, config.tuning.rank, config.seed)
        else:
            target.requires_grad_(True)
        stages.fit(part, objective, source, settings)
        lowrank.merge(target)
        network.requires_grad_(False)
    if fabric.global_rank == 0:
        tuned = _model(model, network, config, folder)
        save_model(tuned, folder / MODEL)
        rows = spread(records.test, RECORDS)
        both = {"before": model, "after": tuned}
        table = pd.concat({k: held_out(m, records, rows) for k, m in both.items()})
        with replacing(folder / "heldout.csv") as temporary:
            table.to_csv(temporary)
        files = {p: folder / p / "curves.csv" for p in config.tuning.parts}
        plot_curves(files, folder / "curves.png")
        write_report(tuned, records, table, folder)
    finished(fabric)
    return folder / MODEL


def _latents(
    data: Data, model: HighFEMModel, path: Path, fabric: Fabric
) -> tuple[Records, Latents]:
    """Records of a training set as the model's encoder sees them."""
    assert model.weights is not None
    data = replace(
        data,
        conditions=tuple(model.conditions),
        log=tuple(k for k, c in model.conditions.items() if c.log),
        clip=model.representation.clip,
        ln_top=model.representation.ln_top,
    )
    records = Records(data)
    coder = LatentDiffusion(model.unet, model.autoencoder, model.baseline)
    coder.load_state_dict(dict(model.weights.tensors))
    found = encode(coder.autoencoder, records, path, fabric)
    return records, Latents(found, records, model.conditions)


def _model(
    base: HighFEMModel, network: LatentDiffusion, config: TrainingConfig, folder: Path
) -> HighFEMModel:
    """The base model with other weights and the card's fields of the configuration."""
    tensors = {k: t.contiguous() for k, t in network.state_dict().items()}
    model = cast(HighFEMModel, rebuilt(base, weights=Weights.of(tensors)))
    if config.level.records:
        model = levelled(model, config.level, config.seed)
    texts = {k: getattr(base.card, k) for k in ("summary", "licence", "citation", "limitations")}
    texts |= {"name": folder.name, "training_data": f"{base.card.name}, then {config.data.folder}"}
    texts["distance"] = config.data.distance
    model.card = described(model.card, texts | config.model.card)
    return model
