"""One loop for every network: a fit that a kill does not change.

The records of a step, its noise and its learning rate follow from (seed, step) alone, so a fit
that goes on from a checkpoint is bit for bit the one that was never stopped (on a CPU; on a GPU
as far as its kernels are deterministic), and the records do not depend on the number of devices.
lightning-fabric brings devices, processes and precision; a trainer on top of it would own the
loop, the order of records and the format of checkpoints, which are the point here.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

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
from gwm_hazard.training.config import Optimisation
from gwm_hazard.training.curves import Curves

CHECKPOINT = "checkpoint.safetensors"
Batch = tuple[torch.Tensor, ...]


class Source(Protocol):
    """Batches of a split, made of row numbers and keyed noise."""

    train: NDArray[np.int64]
    dev: NDArray[np.int64]

    def batch(self, rows: NDArray[np.int64], noise: Noise) -> Batch:
        """Tensors that the objective takes, on the CPU."""


def learning_rate(settings: Optimisation, step: int) -> float:
    """Linear warm-up, then a half cosine down to 0 after the last step."""
    if step < settings.warmup:
        return settings.rate * (step + 1) / settings.warmup
    done = (step - settings.warmup) / max(1, settings.steps - settings.warmup)
    return settings.rate * 0.5 * (1.0 + math.cos(math.pi * min(1.0, done)))


def rows_of_step(rows: NDArray[np.int64], batch: int, seed: int, step: int) -> NDArray[np.int64]:
    """Rows of one step, (batch,): each epoch is a permutation keyed by (seed, epoch)."""
    places = np.arange(step * batch, (step + 1) * batch)
    epochs = places // len(rows)
    out = np.empty(batch, dtype=np.int64)
    for epoch in np.unique(epochs):
        order = np.random.Generator(np.random.Philox(key=[seed, epoch])).permutation(rows)
        here = epochs == epoch
        out[here] = order[places[here] % len(rows)]
    return out


class Average:
    """Exponential moving average of the trained weights; short at first, so that it follows."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {k: p.detach().clone() for k, p in trained(module).items()}

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """After step ``step``, counted from 0."""
        decay = min(self.decay, (1.0 + step) / (10.0 + step))
        for name, p in trained(module).items():
            self.weights[name].lerp_(p.detach(), 1.0 - decay)


def trained(module: nn.Module) -> dict[str, nn.Parameter]:
    """Parameters with a gradient, by name."""
    return {k: p for k, p in module.named_parameters() if p.requires_grad}


def fit(
    objective: nn.Module,
    source: Source,
    settings: Optimisation,
    folder: Path,
    fabric: Fabric,
    *,
    seed: int,
    stream: str,
    checkpoint_s: float = 60.0,
    progress: Callable[[int, Mapping[str, float]], None] | None = None,
    stop_after: int | None = None,
) -> dict[str, torch.Tensor]:
    """Fit a network; returns the averaged weights at the best look at the dev split.

    Parameters
    ----------
    objective : Module
        ``forward(*batch) -> (loss, {name: part of it})``; its parameters with a gradient are
        fitted, in place.
    source : Source
    settings : Optimisation
    folder : Path
        Checkpoint, curves (CSV, PNG); a checkpoint there is gone on with.
    fabric : Fabric
        Launched.
    seed, stream : int, str
        Key of rows and noise.
    checkpoint_s : float
        Seconds between checkpoints.
    progress : callable, optional
        Told the step and the parts of the loss.
    stop_after : int, optional
        Leave after so many steps of this call, with a checkpoint: for tests.

    Raises
    ------
    ValueError
        An empty split, a loss that is not finite, or a checkpoint of other settings.
    """
    if not len(source.train):
        raise InputError(f"{stream}: no records in the training split")
    objective = objective.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(
        trained(objective).values(),
        lr=settings.rate,
        betas=(0.9, settings.beta2),
        weight_decay=settings.weight_decay,
    )
    wrapped, optimizer = fabric.setup(objective, optimizer)
    run = _Run(objective, optimizer, settings, folder, fabric, seed, stream)
    run.resume()
    share = settings.batch // fabric.world_size
    if share * fabric.world_size != settings.batch:
        raise InputError(f"batch = {settings.batch}: must be a multiple of the number of devices")
    mine = slice(fabric.global_rank * share, (fabric.global_rank + 1) * share)

    def batch_of(step: int) -> Batch:
        rows = rows_of_step(source.train, settings.batch, seed, step)[mine]
        return source.batch(rows, _noise(seed, step, rows, mine.start))

    saved = time.monotonic()
    first = run.step
    with ThreadPoolExecutor(1) as reader:  # the next batch is read while this one is learned
        waiting = reader.submit(batch_of, run.step)
        while run.step < settings.steps and not run.stopped:
            batch = fabric.to_device(waiting.result())
            waiting = reader.submit(batch_of, run.step + 1)
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(settings, run.step)
            wrapped.train()
            loss, parts = wrapped(*batch)
            if not math.isfinite(float(loss.detach())):
                raise InputError(
                    f"{stream}: loss {float(loss.detach())} at step {run.step}: lower the learning "
                    f"rate ({settings.rate}) and start again from the checkpoint"
                )
            fabric.backward(loss)
            fabric.clip_gradients(wrapped, optimizer, max_norm=settings.clip)
            optimizer.step()
            optimizer.zero_grad()
            parts = {k: v.detach() for k, v in parts.items()}
            run.after_step(parts)
            if progress is not None:
                progress(run.step, {k: float(v) for k, v in parts.items()})
            if run.step % settings.check == 0 or run.step == settings.steps:
                waiting.result()  # sources are asked by one thread at a time
                run.look(source)
            if stop_after is not None and run.step - first >= stop_after:
                break
            if time.monotonic() - saved > checkpoint_s:
                run.save()
                saved = time.monotonic()
        waiting.cancel()
    run.save()
    return dict(run.best)


class _Run:
    """The state of a fit."""

    def __init__(
        self,
        objective: nn.Module,
        optimizer: Any,
        settings: Optimisation,
        folder: Path,
        fabric: Fabric,
        seed: int,
        stream: str,
    ) -> None:
        self.objective, self.optimizer, self.settings = objective, optimizer, settings
        self.folder, self.fabric, self.seed, self.stream = folder, fabric, seed, stream
        self.average = Average(objective, settings.average)
        self.best, self.best_loss, self.worse = self.average.weights, math.inf, 0
        self.step = 0
        self.curves = Curves(folder / "curves.csv")

    @property
    def stopped(self) -> bool:
        """Whether the dev loss has not fallen for long enough."""
        return bool(self.settings.patience) and self.worse >= self.settings.patience

    def after_step(self, parts: Mapping[str, torch.Tensor]) -> None:
        self.average.update(self.objective, self.step)
        self.step += 1
        self.curves.add(self.step, "train", {k: float(v) for k, v in parts.items()})

    @torch.no_grad()
    def look(self, source: Source) -> None:
        """The loss of the averaged weights on the dev split, with the same noise every time."""
        parameters = trained(self.objective)
        raw = {k: p.detach().clone() for k, p in parameters.items()}
        assign(parameters, self.average.weights)
        self.objective.eval()
        sums: dict[str, float] = {}
        size = self.settings.batch
        rows = source.dev[: 16 * size]
        loss = 0.0
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            noise = _noise(self.seed, 2**62 + start, part, 0)
            batch = self.fabric.to_device(source.batch(part, noise))
            with self.fabric.autocast():
                value, parts = self.objective(*batch)
            loss += float(value) * len(part) / len(rows)
            for k, v in parts.items():
                sums[k] = sums.get(k, 0.0) + float(v) * len(part) / len(rows)
        assign(parameters, raw)
        if not len(rows):
            loss = -float(self.step)  # no dev split: the last weights are the best
        if loss < self.best_loss:
            self.best_loss, self.worse = loss, 0
            self.best = {k: w.clone() for k, w in self.average.weights.items()}
        else:
            self.worse += 1
        self.curves.add(self.step, "dev", sums)

    def save(self) -> None:
        """Write the checkpoint and the curves; the first process does."""
        if self.fabric.global_rank:
            return
        tensors: dict[str, torch.Tensor] = {
            f"weights.{k}": p for k, p in trained(self.objective).items()
        }
        tensors |= {f"average.{k}": w for k, w in self.average.weights.items()}
        tensors |= {f"best.{k}": w for k, w in self.best.items()}
        tensors |= {f"optimizer.{k}": t for k, t in optimizer_tensors(self.optimizer).items()}
        notes = {
            "stream": self.stream,
            "seed": self.seed,
            "step": self.step,
            "batch": self.settings.batch,
            "best_loss": self.best_loss if math.isfinite(self.best_loss) else None,
            "worse": self.worse,
        }
        self.curves.write()
        save_state(self.folder / CHECKPOINT, tensors, notes)

    def resume(self) -> None:
        path = self.folder / CHECKPOINT
        if not path.is_file():
            return
        tensors, notes = load_state(path)
        for name, value in (
            ("stream", self.stream),
            ("seed", self.seed),
            ("batch", self.settings.batch),
        ):
            if notes.get(name) != value:
                raise InputError(
                    f"{path}: of a fit with {name} = {notes.get(name)!r}, asked for is {value!r}; "
                    "train into another folder"
                )
        parts = {
            part: {k[len(part) + 1 :]: t for k, t in tensors.items() if k.startswith(part + ".")}
            for part in ("weights", "average", "best", "optimizer")
        }
        parameters = trained(self.objective)
        if {k: tuple(p.shape) for k, p in parameters.items()} != {
            k: tuple(t.shape) for k, t in parts["weights"].items()
        }:
            raise InputError(f"{path}: of a network of other sizes; train into another folder")
        assign(parameters, parts["weights"])
        device = self.fabric.device
        self.average.weights = {k: t.to(device) for k, t in parts["average"].items()}
        self.best = {k: t.to(device) for k, t in parts["best"].items()}
        restore_optimizer(self.optimizer, parts["optimizer"])
        self.step, self.worse = notes["step"], notes["worse"]
        self.best_loss = math.inf if notes["best_loss"] is None else notes["best_loss"]
        self.curves.read(self.step)


def _noise(seed: int, step: int, rows: NDArray[np.int64], start: int) -> Noise:
    """A key for each record of a step: (seed, step, place in the batch)."""
    return Noise(seed, step, np.arange(start, start + len(rows)), 0)


@torch.no_grad()
def assign(parameters: Mapping[str, torch.Tensor], values: Mapping[str, torch.Tensor]) -> None:
    """Copy values into parameters of the same names."""
    for name, p in parameters.items():
        p.copy_(values[name])
