"""A training of the family "broadband" from its configuration to a model folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import nn

from gwm_hazard.core.card import described
from gwm_hazard.models.broadband.forms import FlowShape, TranslatorShape, form_of
from gwm_hazard.models.broadband.model import BroadbandModel
from gwm_hazard.models.broadband.transformer import CHANNELS
from gwm_hazard.models.registry import save_model
from gwm_hazard.models.weights import Weights
from gwm_hazard.training import loop
from gwm_hazard.training.adversarial import adam_players, play
from gwm_hazard.training.broadband.config import BroadbandTraining
from gwm_hazard.training.broadband.game import Game, GamePairs
from gwm_hazard.training.broadband.level_fit import fit_level
from gwm_hazard.training.broadband.objectives import FlowObjective
from gwm_hazard.training.broadband.records import FlowPairs, PairedRecords
from gwm_hazard.training.checkpoint import load_state
from gwm_hazard.training.config import Optimisation, Progress
from gwm_hazard.training.figures import plot_curves
from gwm_hazard.training.run import MODEL, claimed, started

STAGES = ("fit", "tune")


def train_broadband(
    config: BroadbandTraining,
    folder: str | Path,
    *,
    progress: Progress | None = None,
    snapshot: bool = False,
    stop_after: int | None = None,
) -> Path:
    """Train a model from nothing, as :func:`gwm_hazard.training.run.train` does.

    ``stop_after`` leaves after so many steps of this call, without a model: for tests.
    """
    folder = Path(folder)
    fabric = started(config.machine)
    if snapshot:
        return _train(config, folder, fabric, progress, stop_after, fit=False)
    with claimed(folder, config.to_dict(), fabric):
        return _train(config, folder, fabric, progress, stop_after)


def _train(
    config: BroadbandTraining,
    folder: Path,
    fabric: Fabric,
    progress: Progress | None,
    stop_after: int | None,
    fit: bool = True,
) -> Path:
    data = config.data
    simulated = PairedRecords(data.folder, data.crossovers_hz, data.shift_s, data.records)
    observed = None
    if data.observed:
        observed = PairedRecords(data.observed, data.crossovers_hz, data.shift_s)
    torch.manual_seed(config.seed)
    shape = form_of(config.network.form, config.network.sizes)
    for stage, pairs in zip(STAGES, (simulated, observed), strict=True):
        if pairs is None:
            continue
        fitted = _Stage(config, shape, pairs, folder / stage, fabric, stage, progress)
        if not fit:
            fitted.load()
        elif fitted.run(stop_after):
            return folder
    model = BroadbandModel(
        weights=Weights.of(_tensors(config, shape, simulated, observed)),
        form=config.network.form,
        sizes=shape.to_dict(),
        conditions={k: getattr(config.model, k) for k in ("mag", "rhypo", "vs30")},
        crossovers_hz=data.crossovers_hz,
        sampling_rate_hz=round(1.0 / simulated.dt_s, 6),
    )
    texts = {"name": folder.name, "training_data": Path(data.folder).name}
    model.card = described(model.card, texts | config.model.card)
    save_model(model, folder / MODEL)
    curves = {s: folder / s / "curves.csv" for s in STAGES}
    plot_curves({s: f for s, f in curves.items() if f.is_file()}, folder / "curves.png")
    return folder / MODEL


class _Stage:
    """One fit: of the flow, or of a system and its critics."""

    def __init__(
        self, config: BroadbandTraining, shape: FlowShape | TranslatorShape, pairs: PairedRecords,
        folder: Path, fabric: Fabric, name: str, progress: Progress | None,
    ) -> None:  # fmt: skip
        self.config, self.shape, self.pairs = config, shape, pairs
        self.folder, self.fabric, self.name, self.progress = folder, fabric, name, progress
        flow = isinstance(shape, FlowShape)
        self.objective = FlowObjective(shape) if flow else shape  # type: ignore[arg-type]
        self.names = loop.trained(self.objective)

    def load(self) -> None:
        """The averaged weights of a run so far, where there is one."""
        if (path := self.folder / loop.CHECKPOINT).is_file():
            tensors, _ = load_state(path)
            loop.assign(self.names, {k: tensors[f"average.{k}"] for k in self.names})

    def run(self, stop_after: int | None) -> bool:
        """Fit; True where it was left before its end."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if isinstance(self.objective, FlowObjective):
            best = self._flow(self.objective, stop_after)
        else:
            best = self._game(stop_after)
        loop.assign(self.names, best)
        return stop_after is not None

    def _flow(self, objective: FlowObjective, stop_after: int | None) -> dict[str, torch.Tensor]:
        settings: Optimisation = getattr(self.config, self.name)

        def echo(step: int, parts: Mapping[str, float]) -> None:
            if self.progress is not None:
                self.progress(self.name, step / settings.steps, parts)

        return loop.fit(
            objective, FlowPairs(self.pairs, CHANNELS), settings, self.folder, self.fabric,
            seed=self.config.seed, stream=self.name,
            checkpoint_s=self.config.machine.checkpoint_s, progress=echo, stop_after=stop_after,
        )  # fmt: skip

    def _game(self, stop_after: int | None) -> dict[str, torch.Tensor]:
        fit = self.config.game if self.name == "fit" else self.config.game_tune
        game = Game(self.shape, self.config.losses)  # type: ignore[arg-type]
        device = self.fabric.device
        self.shape.to(device), game.critic.to(device)
        players = adam_players(
            fit, (game.critic, game.critic_loss), (self.shape, game.generator_loss), clip=1.0
        )
        # the vectors of spectral norms move with every look
        critic = replace(players["critic"], state=dict(game.critic.named_buffers()))
        return play(
            players | {"critic": critic},
            GamePairs(self.pairs, self.config.seed),
            fit,
            self.config.seed,
            self.folder,
            device,
            checkpoint_s=self.config.machine.checkpoint_s,
            progress=self.progress,
            stop_after=stop_after,
        )


def _tensors(
    config: BroadbandTraining,
    shape: nn.Module,
    simulated: PairedRecords,
    observed: PairedRecords | None,
) -> dict[str, torch.Tensor]:
    """Weights of the network, and the level at each crossover."""
    data = config.data
    tensors = {f"shape.{k}": t.contiguous() for k, t in shape.state_dict().items()}
    for i, fc_hz in enumerate(data.crossovers_hz):
        if observed is None:
            level = fit_level(simulated, None, fc_hz)
        else:
            level = fit_level(
                observed, simulated, fc_hz, data.simulated_records, data.simulated_weight
            )
        tensors |= level.tensors(f"level.{i}.")
    return tensors
