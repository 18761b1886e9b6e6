"""Options and progress shared by the commands."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

model_option = click.option(
    "--model", default="stochastic", show_default=True, help="Name, or path of a model folder."
)
device_option = click.option(
    "--device", default="auto", show_default=True, help="cpu, cuda or auto."
)


def sample_options(function: Any) -> Any:
    """What files of records do not tell themselves: unit, time step, response."""
    for option in (
        click.option(
            "--inventory",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="StationXML whose sensitivity turns counts into m/s2.",
        ),
        click.option(
            "--dt", type=float, help="Time step in s of text files without a time column."
        ),
        click.option("--unit", help="Of samples in files that do not tell it: m/s2, cm/s2, g ..."),
    ):
        function = option(function)
    return function


def output_option(function: Any) -> Any:
    path = click.Path(dir_okay=False, path_type=Path)
    return click.option("--output", "-o", type=path, required=True, help="File to write.")(function)


@contextlib.contextmanager
def progress_bar(title: str) -> Iterator[Callable[[float], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeRemainingColumn

    columns = ("{task.description}", BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=1.0)
        yield lambda share: bar.update(task, completed=share)


def listed(text: str | None) -> tuple[str, ...]:
    """The parts of a list that commas separate."""
    return tuple(t.strip() for t in text.split(",") if t.strip()) if text else ()


class Bars:
    """One bar a step, as the steps come."""

    def __enter__(self) -> Bars:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeElapsedColumn

        columns = ("{task.description}", BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        self._bar = Progress(*columns, console=Console(stderr=True))
        self._tasks: dict[str, int] = {}
        self._bar.start()
        return self

    def __call__(self, what: str, share: float) -> None:
        """Take a step's name and the share of it that is done."""
        group = "sections" if what.startswith("section") else what
        if group not in self._tasks:
            for task in self._tasks.values():
                self._bar.update(task, completed=1.0)  # type: ignore[arg-type]
            self._tasks[group] = int(self._bar.add_task(what, total=1.0))
        self._bar.update(self._tasks[group], completed=share, description=what)  # type: ignore[arg-type]

    def __exit__(self, *exc: object) -> None:
        self._bar.stop()
