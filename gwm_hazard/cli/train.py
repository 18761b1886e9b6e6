"""``gwm-hazard train``: a model of one's own."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from gwm_hazard.training.run import Progress


@click.command()
@click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--from", "base", help="Fine-tune this model: its name, or a model folder.")
@click.option("--snapshot", is_flag=True, help="Make a model of the checkpoints as they are.")
@click.option(
    "--output", "-o", type=click.Path(file_okay=False, path_type=Path), required=True,
    help="Folder of the run; started again, it goes on where it stopped.",
)  # fmt: skip
def train(config: Path, base: str | None, snapshot: bool, output: Path) -> None:
    """Train a model of the HighFEM family as CONFIG, a TOML file, says."""
    # Read when torch is loaded: threads that do not spin while they wait, for shared machines.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        import lightning_fabric  # noqa: F401
    except ImportError as exc:
        raise click.ClickException(
            f"training needs lightning-fabric ({exc}): pip install 'gwm_hazard[train]'"
        ) from exc
    from gwm_hazard.training.config import TrainingConfig
    from gwm_hazard.training.run import train
    from gwm_hazard.training.tuning import fine_tune

    settings = TrainingConfig.read(config)
    if base and snapshot:
        raise click.UsageError("--snapshot: of a training from nothing only, without --from")
    with _bars() as progress:
        if base:
            made = fine_tune(settings, base, output, progress=progress)
        else:
            made = train(settings, output, progress=progress, snapshot=snapshot)
    click.echo(f"{made}: model written")


@contextmanager
def _bars() -> Iterator[Progress]:
    """A bar a stage, with the loss behind it."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    columns = (
        "{task.description}", BarColumn(), "{task.percentage:>3.0f}%", TimeRemainingColumn(),
        TextColumn("{task.fields[loss]}"),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, TaskID] = {}

        def told(stage: str, share: float, parts: Mapping[str, float]) -> None:
            if stage not in tasks:
                tasks[stage] = bars.add_task(stage, total=1.0, loss="")
            text = ", ".join(f"{k} {v:.4g}" for k, v in parts.items())
            bars.update(tasks[stage], completed=share, loss=text)

        yield told
