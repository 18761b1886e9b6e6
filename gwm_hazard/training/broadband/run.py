"""A training of the family "broadband" from its configuration to a model folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from lightning_fabric import Fabric
from torch import nn

from gwm_hazard.core.card import described
from gwm_hazard.models.broadband.forms import FlowShape, form_of
from gwm_hazard.models.broadband.model import BroadbandModel
from gwm_hazard.models.broadband.transformer import CHANNELS
from gwm_hazard.models.registry import save_model
from gwm_hazard.models.weights import Weights
from gwm_hazard.training import loop
from gwm_hazard.training.broadband.config import BroadbandTraining
from gwm_hazard.training.broadband.level_fit import fit_level
from gwm_hazard.training.broadband.objectives import FlowObjective
from gwm_hazard.training.broadband.records import FlowPairs, PairedRecords
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
    for stage, pairs, settings in zip(
        STAGES, (simulated, observed), (config.fit, config.tune), strict=True
    ):
        if pairs is None or not settings.steps:
            continue
        left = _fit(config, shape, pairs, settings, folder / stage, fabric, stage, progress,
                    stop_after, fit)  # fmt: skip
        if left:
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


def _fit(
    config: BroadbandTraining,
    shape: FlowShape,
    pairs: PairedRecords,
    settings: Optimisation,
    folder: Path,
    fabric: Fabric,
    stage: str,
    progress: Progress | None,
    stop_after: int | None,
    fit: bool,
) -> bool:
    """One stage; True where it was left before its end."""
    objective = FlowObjective(shape)
    names = loop.trained(objective)
    if not fit:
        if (path := folder / loop.CHECKPOINT).is_file():
            from gwm_hazard.training.checkpoint import load_state

            tensors, _ = load_state(path)
            loop.assign(names, {k: tensors[f"average.{k}"] for k in names})
        return False

    def echo(step: int, parts: Mapping[str, float]) -> None:
        if progress is not None:
            progress(stage, step / settings.steps, parts)

    folder.mkdir(parents=True, exist_ok=True)
    best = loop.fit(
        objective, FlowPairs(pairs, CHANNELS), settings, folder, fabric, seed=config.seed,
        stream=stage, checkpoint_s=config.machine.checkpoint_s, progress=echo,
        stop_after=stop_after,
    )  # fmt: skip
    loop.assign(names, best)
    return stop_after is not None


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
