"""One loop for two networks that play against each other; a kill does not change it.

As in :mod:`gwm_hazard.training.loop`, the records of a step, its noise and its learning rate follow
from (seed, step) alone, so a fit that goes on from a checkpoint is bit for bit the one that was
never stopped (on a CPU, with the same number of threads).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from lightning_fabric import Fabric
from numpy.typing import NDArray
from torch import nn

from gwm_hazard.core.noise import Noise
from gwm_hazard.errors import InputError
from gwm_hazard.training.checkpoint import (
    load_state,
    optimizer_tensors,
    restore_optimizer,
    save_state,
)
from gwm_hazard.training.config import AdversarialFit, Machine, Progress
from gwm_hazard.training.curves import Curves
from gwm_hazard.training.loop import CHECKPOINT, Average, assign, rows_of_step, trained
from gwm_hazard.training.run import claimed, started

Tensors = tuple[torch.Tensor, ...]
Loss = Callable[..., tuple[torch.Tensor, Mapping[str, torch.Tensor]]]


class Settings(Protocol):
    """What the configuration of any family has."""

    @property
    def machine(self) -> Machine:
        """Where it runs."""

    def to_dict(self) -> dict[str, Any]:
        """All that it says."""


S = TypeVar("S", bound=Settings)


def in_its_folder(
    work: Callable[[S, Path, Fabric, Progress | None, int | None], Path],
) -> Callable[..., Path]:
    """The training that does ``work`` in a folder that it claims."""

    def train(
        config: S, folder: str | Path, *, progress: Progress | None = None,
        stop_after: int | None = None,
    ) -> Path:  # fmt: skip
        """Train a model from nothing, as :func:`gwm_hazard.training.run.train` does.

        ``stop_after`` leaves after so many steps of this call, without a model: for tests.
        """
        folder, fabric = Path(folder), started(config.machine)
        with claimed(folder, config.to_dict(), fabric):
            return work(config, folder, fabric, progress, stop_after)

    return train


class Source(Protocol):
    """Batches of a split by row numbers."""

    train: NDArray[np.int64]
    dev: NDArray[np.int64]

    def batch(self, rows: NDArray[np.int64]) -> Tensors:
        """Tensors that the losses take before the noise, on the CPU."""


@dataclass(frozen=True)
class Player:
    """A network, its loss ``(*batch, noise) -> (loss, parts)``, and how often it moves a step.

    ``state`` names tensors that losses change beside the weights: a checkpoint holds them too.
    """

    module: nn.Module
    loss: Loss
    optimizer: torch.optim.Optimizer
    rate: float
    updates: int = 1
    clip: float = 0.0
    state: Mapping[str, torch.Tensor] = field(default_factory=dict)


def adam_players(
    fit: AdversarialFit,
    critic: tuple[nn.Module, Loss],
    generator: tuple[nn.Module, Loss],
    clip: float = 0.0,
    state: Mapping[str, torch.Tensor] | None = None,
) -> dict[str, Player]:
    """The critic, and the generator that moves after it, whose ``clip`` and ``state`` are given."""

    def adam(module: nn.Module, rate: float) -> torch.optim.Optimizer:
        return torch.optim.Adam(trained(module).values(), lr=rate, betas=(fit.beta1, fit.beta2))

    return {
        "critic": Player(
            *critic, adam(critic[0], fit.critic_rate), fit.critic_rate, fit.critic_updates
        ),
        "generator": Player(
            *generator, adam(generator[0], fit.rate), fit.rate, clip=clip, state=state or {}
        ),
    }


def play(
    players: Mapping[str, Player],
    source: Source,
    fit: AdversarialFit,
    seed: int,
    folder: Path,
    device: torch.device,
    *,
    checkpoint_s: float = 60.0,
    progress: Progress | None = None,
    stop_after: int | None = None,
) -> dict[str, torch.Tensor]:
    """Fit the players; returns the averaged weights of the generator, which the dev split sees.

    Parameters
    ----------
    players : in the order of their moves; each is asked for its loss on the batch of the step
    folder : of the checkpoint and the curves; a checkpoint there is gone on with
    checkpoint_s : seconds between checkpoints
    progress : told "fit", the share of it that is done, and parts of the losses
    stop_after : leave after so many steps of this call, with a checkpoint: for tests

    Raises
    ------
    InputError
        A loss that is not finite, or a checkpoint of other settings.
    """
    folder.mkdir(parents=True, exist_ok=True)
    match = _Match(players, fit, seed, folder)
    match.resume()
    saved, first = time.monotonic(), match.step

    def batch_of(step: int) -> tuple[NDArray[np.int64], Tensors]:
        rows = rows_of_step(source.train, fit.batch, seed, step)
        return rows, source.batch(rows)

    with ThreadPoolExecutor(1) as reader:  # the next batch is read while this one is learned
        waiting = reader.submit(batch_of, match.step)
        while match.step < fit.steps:
            rows, batch = waiting.result()
            waiting = reader.submit(batch_of, match.step + 1)
            told = match.move(rows, tuple(t.to(device) for t in batch))
            if progress is not None:
                progress("fit", match.step / fit.steps, told)
            if match.step % fit.check == 0 or match.step == fit.steps:
                waiting.result()  # sources are asked by one thread at a time
                match.look(source, device)
            if stop_after is not None and match.step - first >= stop_after:
                break
            if time.monotonic() - saved > checkpoint_s:
                match.save()
                saved = time.monotonic()
        waiting.cancel()
    match.save()
    return dict(match.average.weights)


class _Match:
    """The state of a fit."""

    def __init__(
        self, players: Mapping[str, Player], settings: AdversarialFit, seed: int, folder: Path
    ) -> None:
        self.players, self.settings, self.seed, self.folder = players, settings, seed, folder
        self.generator = players["generator"]
        self.average = Average(self.generator.module, settings.average)
        self.step = 0
        self.curves = Curves(folder / "curves.csv")

    def move(self, rows: NDArray[np.int64], batch: Tensors) -> dict[str, float]:
        """One step of all players."""
        share = self.step / self.settings.steps
        falling = 0.5 * (1.0 + math.cos(math.pi * share)) if self.settings.cosine else 1.0
        told: dict[str, float] = {}
        turn = 0
        for name, player in self.players.items():
            for group in player.optimizer.param_groups:
                group["lr"] = player.rate * falling
            parameters = trained(player.module)
            for _ in range(player.updates):
                noise = Noise(self.seed, self.step, np.arange(len(rows)), turn)
                turn += 1
                loss, parts = player.loss(*batch, noise)
                if not math.isfinite(float(loss.detach())):
                    raise InputError(
                        f"{name}: loss {float(loss.detach())} at step {self.step}: lower the "
                        f"learning rate ({player.rate}) and start again from the checkpoint"
                    )
                gradients = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
                for p, gradient in zip(parameters.values(), gradients, strict=True):
                    p.grad = gradient
                if player.clip:
                    nn.utils.clip_grad_norm_(list(parameters.values()), player.clip)
                player.optimizer.step()
            told |= {k: float(v) for k, v in parts.items()}
        self.average.update(self.generator.module, self.step)
        self.step += 1
        self.curves.add(self.step, "train", told)
        return told

    @torch.no_grad()
    def look(self, source: Source, device: torch.device) -> None:
        """The loss of the averaged weights on the dev split, with the same noise every time."""
        parameters = trained(self.generator.module)
        raw = {k: p.detach().clone() for k, p in parameters.items()}
        assign(parameters, self.average.weights)
        size = self.settings.batch
        rows = source.dev[: 8 * size]
        sums: dict[str, float] = {}
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            noise = Noise(self.seed, 2**62 + start, np.arange(len(part)), 0)
            _, parts = self.generator.loss(*(t.to(device) for t in source.batch(part)), noise)
            for k, v in parts.items():
                sums[k] = sums.get(k, 0.0) + float(v) * len(part) / len(rows)
        assign(parameters, raw)
        if sums:
            self.curves.add(self.step, "dev", sums)

    def _asked(self) -> dict[str, int]:
        return {"seed": self.seed, "batch": self.settings.batch}

    def save(self) -> None:
        """Write the checkpoint and the curves."""
        tensors = {f"average.{k}": w for k, w in self.average.weights.items()}
        for name, player in self.players.items():
            tensors |= {f"{name}.{k}": p for k, p in trained(player.module).items()}
            state = optimizer_tensors(player.optimizer)
            tensors |= {f"{name} optimizer.{k}": t for k, t in state.items()}
            tensors |= {f"{name} state.{k}": t for k, t in player.state.items()}
        self.curves.write()
        save_state(self.folder / CHECKPOINT, tensors, self._asked() | {"step": self.step})

    def resume(self) -> None:
        path = self.folder / CHECKPOINT
        if not path.is_file():
            return
        tensors, notes = load_state(path)
        for name, asked in self._asked().items():
            if notes.get(name) != asked:
                raise InputError(
                    f"{path}: of a fit with {name} = {notes.get(name)!r}, asked for is "
                    f"{asked!r}; train into another folder"
                )
        for name, player in self.players.items():
            found = _part(tensors, name)
            expected = trained(player.module)
            if {k: t.shape for k, t in found.items()} != {k: p.shape for k, p in expected.items()}:
                raise InputError(f"{path}: of a {name} of other sizes; train into another folder")
            assign(expected, found)
            assign(player.state, _part(tensors, f"{name} state"))
            restore_optimizer(player.optimizer, _part(tensors, f"{name} optimizer"))
        self.average.weights = _part(tensors, "average")
        self.step = int(notes["step"])
        self.curves.read(self.step)


def _part(tensors: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {k[len(name) + 1 :]: t for k, t in tensors.items() if k.startswith(name + ".")}
