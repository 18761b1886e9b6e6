"""A training from its configuration to a model folder, stage by stage; each can be gone on with."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import nn

from gwm_hazard.core.card import described
from gwm_hazard.core.noise import Noise
from gwm_hazard.errors import InputError
from gwm_hazard.files.atomic import replacing
from gwm_hazard.files.parts import working
from gwm_hazard.models.highfem.card import Condition
from gwm_hazard.models.highfem.config import AutoencoderConfig, BaselineConfig, UNetConfig
from gwm_hazard.models.highfem.denoiser import LatentDiffusion
from gwm_hazard.models.highfem.model import HighFEMModel
from gwm_hazard.models.registry import save_model
from gwm_hazard.models.weights import Weights
from gwm_hazard.training import loop
from gwm_hazard.training.checkpoint import load_state
from gwm_hazard.training.classifier import embedding_distances, train_classifier
from gwm_hazard.training.config import Machine, Optimisation, Progress, TrainingConfig
from gwm_hazard.training.figures import plot_curves
from gwm_hazard.training.objectives import (
    AutoencoderObjective,
    BaselineObjective,
    DiffusionObjective,
)
from gwm_hazard.training.records import Images, Latents, Records, encode
from gwm_hazard.training.report import RECORDS, held_out, spread, write_report
from gwm_hazard.training.start import principal_components, silence

#: Records of which principal components and the weights of channels are taken.
EXAMPLES = 512

STAGES = ("autoencoder", "baseline", "denoiser")
MODEL = "model"
CLASSIFIER = "classifier"
SETTINGS = "config.json"


def train(
    config: TrainingConfig,
    folder: str | Path,
    *,
    progress: Progress | None = None,
    snapshot: bool = False,
) -> Path:
    """Train a model from nothing: autoencoder, baseline of its latents, denoiser.

    Parameters
    ----------
    config : TrainingConfig
    folder : path
        Of the run. One that an interrupted run of the same settings left is gone on with.
    progress : callable, optional
    snapshot : bool
        Fit nothing: make a model of what the checkpoints hold, also while a run goes on.

    Returns
    -------
    Path
        The model folder, which ``load_model`` reads.

    Raises
    ------
    ValueError
        A training set that does not fit, or a folder of other settings.
    """
    folder = Path(folder)
    fabric = started(config.machine)
    with nullcontext() if snapshot else claimed(folder, config.to_dict(), fabric):
        return _train(config, folder, fabric, progress, snapshot)


def _train(
    config: TrainingConfig,
    folder: Path,
    fabric: Fabric,
    progress: Progress | None,
    snapshot: bool,
) -> Path:
    records = Records(config.data)
    conditions = records.conditions(config.data)
    torch.manual_seed(config.seed)
    network = LatentDiffusion(*sizes(config))
    silence(network)
    stage = Stages(config, folder, fabric, progress, snapshot)

    coder = network.autoencoder
    if len(config.autoencoder.channel_mult) == 1:
        examples = records.images(records.train[:EXAMPLES])
        principal_components(
            coder, AutoencoderConfig(**_coder(asdict(config.autoencoder))), examples
        )
    side = 128 // AutoencoderConfig(**_coder(asdict(config.autoencoder))).downsampling
    images = Images(records, (config.autoencoder.latent_channels, side, side))
    stage.fit(
        "autoencoder",
        AutoencoderObjective(coder, config.autoencoder, config.data),
        images,
        config.autoencoder.fit,
    )
    path = folder / "latents.npy"
    source = None
    if not snapshot or path.is_file():
        latents = encode(coder, records, path, fabric, stage.telling("latents"))
        source = Latents(latents, records, conditions)
    coder.requires_grad_(False)
    if network.baseline is not None:
        stage.fit("baseline", BaselineObjective(network.baseline), source, config.baseline.fit)
        network.baseline.requires_grad_(False)
    diffusion = DiffusionObjective(network, config.denoiser)
    if source is not None:
        diffusion.weigh(*source.take(records.train[:EXAMPLES]))
    stage.fit("denoiser", diffusion, source, config.denoiser.fit)
    classifier = None
    if config.classifier.fit.steps and not snapshot:
        classifier = train_classifier(
            records, config.data, config.classifier, folder / CLASSIFIER, fabric, seed=config.seed
        )
    if fabric.global_rank == 0:
        model = write_model(network, config, conditions, folder / MODEL)
        files = {s: folder / s / "curves.csv" for s in STAGES}
        plot_curves({s: f for s, f in files.items() if f.is_file()}, folder / "curves.png")
        if not snapshot:
            residuals = held_out(model, records, spread(records.test, RECORDS))
            with replacing(folder / "heldout.csv") as temporary:
                residuals.to_csv(temporary)
            write_report(model, records, residuals, folder)
        if classifier is not None:
            rows = spread(records.test, 4 * RECORDS)
            distances = embedding_distances(classifier, model, records, rows)
            with replacing(folder / "frechet.json") as temporary:
                temporary.write_text(json.dumps(distances, indent=1) + "\n", encoding="utf-8")
    finished(fabric)
    return folder / MODEL


class Stages:
    """Fits one after the other in folders of their own."""

    def __init__(
        self,
        config: TrainingConfig,
        folder: Path,
        fabric: Fabric,
        progress: Progress | None,
        snapshot: bool = False,
    ) -> None:
        self.config, self.folder, self.fabric = config, folder, fabric
        self.progress, self.snapshot = progress, snapshot

    def telling(self, stage: str) -> Callable[[float], None]:
        """Progress of something without a loss."""
        return lambda share: self.progress(stage, share, {}) if self.progress else None

    def fit(self, stage: str, objective: nn.Module, source: Any, settings: Optimisation) -> None:
        """Fit what has a gradient in the objective; it then holds the best averaged weights."""
        folder = self.folder / stage
        if self.snapshot:
            path = folder / loop.CHECKPOINT
            if path.is_file():
                tensors, _ = load_state(path)
                names = loop.trained(objective)
                loop.assign(names, {k: tensors[f"average.{k}"] for k in names})
            return
        folder.mkdir(parents=True, exist_ok=True)

        def echo(step: int, parts: Mapping[str, float]) -> None:
            if self.progress is not None:
                self.progress(stage, step / settings.steps, parts)

        best = loop.fit(
            objective,
            source,
            settings,
            folder,
            self.fabric,
            seed=self.config.seed,
            stream=stage,
            checkpoint_s=self.config.machine.checkpoint_s,
            progress=echo,
        )
        loop.assign(loop.trained(objective), best)


def started(machine: Machine) -> Fabric:
    """lightning-fabric on the devices asked for, launched."""
    if machine.threads:
        Noise(0, 0, 0, 0).normal("", 1)  # the first loop of numba sets the threads of torch anew
        torch.set_num_threads(machine.threads)
    torch.set_float32_matmul_precision("high")
    fabric = Fabric(
        accelerator=machine.accelerator,
        devices=machine.devices,
        precision=machine.precision,  # type: ignore[arg-type]
    )
    fabric.launch()
    return fabric


def finished(fabric: Fabric) -> None:
    """Wait for all processes and take their connection down in order."""
    fabric.barrier()
    if fabric.world_size > 1:
        torch.distributed.destroy_process_group()


@contextmanager
def claimed(folder: Path, settings: Mapping[str, Any], fabric: Fabric) -> Iterator[None]:
    """The folder of a run, held by this one alone: new, or one of the same settings.

    Raises
    ------
    InputError
        Another run's folder, the message names what differs; or another run is at work there.
    """
    with ExitStack() as held:
        refused = ""
        if fabric.global_rank == 0:
            try:
                free = ("machine", "model")
                held.enter_context(working(folder, folder, settings, record=SETTINGS, free=free))
            except (InputError, OSError) as exc:
                refused = str(exc)
        if refused := fabric.broadcast(refused):  # all processes stop, none waits for the first
            raise InputError(refused)
        yield


def _coder(values: Mapping[str, Any]) -> dict[str, Any]:
    names = AutoencoderConfig.__dataclass_fields__
    return {k: v for k, v in values.items() if k in names}


def sizes(config: TrainingConfig) -> tuple[UNetConfig, AutoencoderConfig, BaselineConfig | None]:
    """Sizes of the networks."""
    names = UNetConfig.__dataclass_fields__
    unet = {k: v for k, v in asdict(config.denoiser).items() if k in names}
    channels = config.autoencoder.latent_channels
    baseline = BaselineConfig(config.baseline.width) if config.baseline.width else None
    return (
        UNetConfig(channels, channels, len(config.data.conditions), **unet),
        AutoencoderConfig(**_coder(asdict(config.autoencoder))),
        baseline,
    )


def write_model(
    network: LatentDiffusion,
    config: TrainingConfig,
    conditions: Mapping[str, Condition],
    folder: Path,
) -> HighFEMModel:
    """Write the model folder of a trained network."""
    unet, coder, baseline = sizes(config)
    model = HighFEMModel(
        weights=Weights.of({k: t.contiguous() for k, t in network.state_dict().items()}),
        unet=asdict(unet),
        autoencoder=asdict(coder),
        averaging="ema",
        sampler=config.model.sampler,
        steps=config.model.steps,
        precision=config.model.precision,
        griffin_lim=config.model.griffin_lim,
        phases="random",
        conditions={name: c.to_dict() for name, c in conditions.items()},
        baseline=None if baseline is None else asdict(baseline),
        clip=config.data.clip,
        ln_top=config.data.ln_top,
        highpass_hz=config.data.highpass_hz,
    )
    texts = {"name": folder.parent.name, "training_data": config.data.folder}
    texts["distance"] = config.data.distance
    model.card = described(model.card, texts | config.model.card)
    save_model(model, folder)
    return model
