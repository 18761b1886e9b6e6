"""A training of StyleGAN-EQ from its configuration to a model folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric

from gwm_hazard.core.card import described
from gwm_hazard.core.noise import Noise
from gwm_hazard.models.registry import save_model
from gwm_hazard.models.stylegan_eq.model import StyleGANEQModel
from gwm_hazard.models.weights import Weights
from gwm_hazard.representation.linear_spectrogram import TRANSFORM, waveforms
from gwm_hazard.representation.phase import uniform_phase
from gwm_hazard.training.adversarial import adam_players, in_its_folder, play
from gwm_hazard.training.collapse import EVENT, tell, told
from gwm_hazard.training.config import Progress
from gwm_hazard.training.figures import plot_curves
from gwm_hazard.training.loop import assign, trained
from gwm_hazard.training.mixture import magnitudes
from gwm_hazard.training.report import spread
from gwm_hazard.training.run import MODEL
from gwm_hazard.training.stylegan_eq.config import StyleGANEQTraining
from gwm_hazard.training.stylegan_eq.losses import Game
from gwm_hazard.training.stylegan_eq.records import ImageRecords

#: Iterations of Griffin-Lim for draws that are only held against records.
_ITERATIONS = 32


@in_its_folder
def train_stylegan_eq(
    config: StyleGANEQTraining,
    folder: Path,
    fabric: Fabric,
    progress: Progress | None,
    stop_after: int | None,
) -> Path:
    """Train from nothing into a model folder."""
    records = ImageRecords(config.data)
    torch.manual_seed(config.seed)
    game, fit = Game(config.network, config.fit), config.fit
    game.generator.to(fabric.device)
    game.critic.to(fabric.device)
    best = play(
        adam_players(
            fit,
            (game.critic, game.critic_loss),
            (game.generator, game.generator_loss),
            state=game.state,
        ),
        records,
        fit,
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
    model = StyleGANEQModel(
        weights=Weights.of({k: t.contiguous() for k, t in game.generator.state_dict().items()}),
        design=config.network.to_dict(),
        iterations=config.model.iterations,
        components=config.model.components,
        pairing=config.model.pairing,
        ranges=magnitudes(records.set.table, records.rows(records.train)),
    )
    texts = {
        "name": folder.name,
        "training_data": Path(config.data.folder).name,
        "licence": "that of the training data",
    }
    model.card = described(model.card, texts | config.model.card)
    save_model(model, folder / MODEL)
    plot_curves({"generator": folder / "fit" / "curves.csv"}, folder / "curves.png")
    _tell(model, records, config, folder)
    return folder / MODEL


def _tell(
    model: StyleGANEQModel, records: ImageRecords, config: StyleGANEQTraining, folder: Path
) -> None:
    """Hold draws against held-out records."""
    held = records.dev if len(records.dev) else records.test
    if len(held) < 3:
        return
    places = spread(held, config.model.examples)
    noise = Noise(config.seed, EVENT, np.arange(len(places)), 0)
    image = model.images(model.styles(noise.normal("latent", config.network.z_dim))).cpu()
    phase = uniform_phase(noise, "phase", TRANSFORM.n_freq, image.shape[2])
    drawn = waveforms(image.double(), phase.double(), min(model.iterations, _ITERATIONS))
    tell(folder, told(records.records(places)[:, None], drawn.numpy()[:, None]))
