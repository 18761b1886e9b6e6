"""A training of the WGAN-GP family from its configuration to a model folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn

from gwm_hazard.core.card import described
from gwm_hazard.core.noise import Noise
from gwm_hazard.models.registry import save_model
from gwm_hazard.models.weights import Weights
from gwm_hazard.models.wgan_gp.model import WGANGPModel
from gwm_hazard.models.wgan_gp.network import weights_of
from gwm_hazard.training.adversarial import adam_players, in_its_folder, play
from gwm_hazard.training.collapse import EVENT, tell, told
from gwm_hazard.training.config import Progress
from gwm_hazard.training.figures import plot_curves
from gwm_hazard.training.loop import assign, trained
from gwm_hazard.training.mixture import magnitudes
from gwm_hazard.training.report import spread
from gwm_hazard.training.run import MODEL
from gwm_hazard.training.wgan_gp.config import WGANGPTraining
from gwm_hazard.training.wgan_gp.losses import Game, normals
from gwm_hazard.training.wgan_gp.records import ScaledRecords

#: Draws of which the moments of the normalisation are taken.
_MOMENTS = 1024
#: Key of these draws.
_MOMENT_EVENT = 2**61


@in_its_folder
def train_wgan_gp(
    config: WGANGPTraining,
    folder: Path,
    fabric: Fabric,
    progress: Progress | None,
    stop_after: int | None,
) -> Path:
    """Train from nothing into a model folder."""
    records = ScaledRecords(config)
    torch.manual_seed(config.seed)
    game, fit = Game(records.sizes, config.fit, records.scaling.ln_span), config.fit
    game.generator.to(fabric.device)
    game.critic.to(fabric.device)
    best = play(
        adam_players(fit, (game.critic, game.critic_loss), (game.generator, game.generator_loss)),
        records,
        replace(fit, batch=fit.batch * fit.critic_updates),
        config.seed,
        folder / "fit",
        fabric.device,
        checkpoint_s=config.machine.checkpoint_s,
        progress=progress,
        stop_after=stop_after,
    )
    if stop_after is not None:
        return folder
    assign(trained(game.generator), best)
    measure_moments(game.generator, records, config)
    model = WGANGPModel(
        weights=Weights.of({k: t.contiguous() for k, t in weights_of(game.generator).items()}),
        sizes=records.sizes.to_dict(),
        scaling=records.scaling.to_dict(),
        ranges=_ranges(records),
        sampling_rate_hz=round(1.0 / records.dt_s, 6),
        highpass_hz=config.model.highpass_hz,
    )
    texts = {"name": folder.name, "training_data": Path(config.data.folder).name}
    if "rhypo" in records.columns:
        texts["distance"] = config.data.distance
    model.card = described(model.card, texts | config.model.card)
    save_model(model, folder / MODEL)
    plot_curves({"generator": folder / "fit" / "curves.csv"}, folder / "curves.png")
    _tell(model, records, config, folder)
    return folder / MODEL


@torch.no_grad()
def measure_moments(generator: nn.Module, records: ScaledRecords, config: WGANGPTraining) -> None:
    """Set the moments of the normalisation to those of draws at conditions of the training.

    In training a batch has its own; averages taken on the way would be of other weights.
    """
    norms = [m for m in generator.modules() if isinstance(m, nn.BatchNorm1d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over batches
    generator.train()
    size = config.fit.batch
    device = next(generator.parameters()).device
    for k in range(max(1, _MOMENTS // size)):
        places = np.arange(k * size, (k + 1) * size)
        rows = np.sort(records.train[places * 7919 % len(records.train)])
        condition = records.batch(rows)[2].to(device)
        noise = Noise(config.seed, _MOMENT_EVENT, places, 0)
        generator(normals(noise, "latent", records.sizes.normals).to(device), condition)
    generator.eval()


def _ranges(records: ScaledRecords) -> dict[str, tuple[float, float]] | None:
    """Of the card: those of the training records; for shapes that of their magnitudes."""
    if records.conditional:
        return {k: (s.low, s.high) for k, s in records.scaling.conditions.items()}
    return magnitudes(records.set.table, records.train)


def _tell(model: WGANGPModel, records: ScaledRecords, config: WGANGPTraining, folder: Path) -> None:
    """Hold draws against held-out records."""
    held = records.dev if len(records.dev) else records.test
    if len(held) < 3:
        return
    rows = spread(held, config.model.examples)
    wave, _, condition = (t.numpy() for t in records.batch(rows))
    latent = Noise(config.seed, EVENT, np.arange(len(rows)), 0).normal(
        "latent", records.sizes.normals
    )
    middle = np.repeat(np.median(condition, axis=0)[None], len(rows), axis=0)
    tell(folder, told(wave, model.made(latent, condition)[0], model.made(latent, middle)[0]))
