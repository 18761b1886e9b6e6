"""A training of a CVAE-GAN from its configuration to a model folder."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from lightning_fabric import Fabric

from gwm_hazard.core.card import described
from gwm_hazard.models.cvae_gan.model import CVAEGANModel
from gwm_hazard.models.cvae_gan.network import Critic, Generator
from gwm_hazard.models.cvae_gan.steered import SteeredDecoder
from gwm_hazard.models.registry import save_model
from gwm_hazard.models.weights import Weights
from gwm_hazard.training.adversarial import Player, Schedule, play
from gwm_hazard.training.cvae_gan.config import CVAEGANTraining
from gwm_hazard.training.cvae_gan.objectives import Game
from gwm_hazard.training.cvae_gan.records import SpectralRecords
from gwm_hazard.training.cvae_gan.start import regression
from gwm_hazard.training.figures import plot_curves
from gwm_hazard.training.loop import assign, trained
from gwm_hazard.training.run import claimed, started

Progress = Callable[[str, float, Mapping[str, float]], None]

MODEL = "model"
MEASURES = "measures.npz"


def train_cvae_gan(
    config: CVAEGANTraining,
    folder: str | Path,
    *,
    progress: Progress | None = None,
    stop_after: int | None = None,
) -> Path:
    """Train a model from nothing.

    Parameters
    ----------
    config : CVAEGANTraining
    folder : path
        Of the run. One that an interrupted run of the same settings left is gone on with.
    progress : callable, optional
        Told the stage, the share of it that is done, and parts of the losses.
    stop_after : int, optional
        Leave after so many steps of this call, without a model: for tests.

    Returns
    -------
    Path
        The model folder, which ``load_model`` reads.

    Raises
    ------
    InputError
        A training set that does not fit, or a folder of other settings.
    """
    folder = Path(folder)
    fabric = started(config.machine)
    with claimed(folder, config.to_dict(), fabric):
        return _train(config, folder, fabric, progress, stop_after)


def _train(
    config: CVAEGANTraining,
    folder: Path,
    fabric: Fabric,
    progress: Progress | None,
    stop_after: int | None,
) -> Path:
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
    players = _players(config, game)
    fit = config.fit
    best = play(
        players,
        "generator",
        records,
        Schedule(
            fit.steps, fit.batch, config.seed, fit.cosine, fit.average, fit.check,
            config.machine.checkpoint_s,
        ),
        folder / "fit",
        fabric.device,
        progress=None if progress is None else _telling(progress, fit.steps),
        stop_after=stop_after,
    )  # fmt: skip
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


def _players(config: CVAEGANTraining, game: Game) -> dict[str, Player]:
    fit = config.fit
    betas = (fit.beta1, fit.beta2)

    def adam(module: torch.nn.Module, rate: float) -> torch.optim.Optimizer:
        return torch.optim.Adam(trained(module).values(), lr=rate, betas=betas)

    critic, generator = game.critic, game.generator
    return {
        "critic": Player(
            critic, game.critic_loss, adam(critic, fit.critic_rate), fit.critic_rate,
            fit.critic_updates,
        ),
        "generator": Player(
            generator, game.generator_loss, adam(generator, fit.rate), fit.rate, clip=fit.clip
        ),
    }  # fmt: skip


def _telling(progress: Progress, steps: int) -> Callable[[int, Mapping[str, float]], None]:
    return lambda step, parts: progress("fit", step / steps, parts)
