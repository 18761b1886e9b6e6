"""A training of a CVAE-GAN from its configuration to a model folder."""

from __future__ import annotations

from pathlib import Path

import torch
from lightning_fabric import Fabric

from gwm_hazard.core.card import described
from gwm_hazard.models.cvae_gan.model import CVAEGANModel
from gwm_hazard.models.cvae_gan.network import Critic, Generator
from gwm_hazard.models.cvae_gan.steered import SteeredDecoder
from gwm_hazard.models.registry import save_model
from gwm_hazard.models.weights import Weights
from gwm_hazard.training.adversarial import adam_players, in_its_folder, play
from gwm_hazard.training.config import Progress
from gwm_hazard.training.cvae_gan.config import CVAEGANTraining
from gwm_hazard.training.cvae_gan.objectives import Game
from gwm_hazard.training.cvae_gan.records import SpectralRecords
from gwm_hazard.training.cvae_gan.start import regression
from gwm_hazard.training.figures import plot_curves
from gwm_hazard.training.loop import assign, trained
from gwm_hazard.training.run import MODEL

MEASURES = "measures.npz"


@in_its_folder
def train_cvae_gan(
    config: CVAEGANTraining,
    folder: Path,
    fabric: Fabric,
    progress: Progress | None,
    stop_after: int | None,
) -> Path:
    """Train from nothing into a model folder."""
    records = SpectralRecords(config, folder / MEASURES)
    scenario = records.scenario(config)
    torch.manual_seed(config.seed)
    sizes, form = config.network.sizes(), config.network.form()
    generator, critic = Generator(sizes), Critic(sizes)
    if isinstance(generator.decoder, SteeredDecoder):
        regression(generator.decoder, records, config.seed)
    generator.to(fabric.device)
    critic.to(fabric.device)
    game = Game(generator, critic, sizes, form, config.losses, records.dt_s)
    fit = config.fit
    best = play(
        adam_players(
            fit, (critic, game.critic_loss), (generator, game.generator_loss), clip=fit.clip
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
    assign(trained(generator), best)
    tensors = {k: t.contiguous() for k, t in generator.state_dict().items()}
    tensors |= {} if scenario is None else scenario.tensors()
    model = CVAEGANModel(
        weights=Weights.of(tensors),
        sizes=sizes.to_dict(),
        form=form.to_dict(),
        conditions=records.ranges(config),
        sampling_rate_hz=round(1.0 / records.dt_s, 6),
        passes=config.model.passes,
        onset_s=config.model.onset_s,
    )
    texts = {"name": folder.name, "training_data": Path(config.data.folder).name}
    model.card = described(model.card, texts | config.model.card)
    save_model(model, folder / MODEL)
    plot_curves({"generator": folder / "fit" / "curves.csv"}, folder / "curves.png")
    return folder / MODEL
