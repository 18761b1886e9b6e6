"""Options and progress shared by the commands."""

from __future__ import annotations

import contextlib
import copy
import functools
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

model_option = click.option(
    "--model", default="stochastic", show_default=True, help="Name, or path of a model folder."
)
device_option = click.option(
    "--device", default="auto", show_default=True, help="cpu, cuda or auto."
)


def seed_option(default: int = 0) -> Callable[[Any], Any]:
    """The option ``--seed``: results follow it.

    Commands whose published tables, or bundled surfaces, were made with another default keep it.
    """
    return click.option("--seed", default=default, show_default=True, help="Of all draws.")


class Renamed(click.Option):
    """An option that is still known by ``old`` words, which ``--help`` does not show."""

    def __init__(self, names: Sequence[str], *, old: Sequence[str], **attributes: Any) -> None:
        super().__init__([*names, *old], **attributes)
        self._old = tuple(old)

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """The line of ``--help``, without the old words."""
        shown = copy.copy(self)
        shown.opts = [word for word in self.opts if word not in self._old]
        return click.Option.get_help_record(shown, ctx)


def sample_options(*names: str) -> Callable[[Any], Any]:
    """What files of records do not tell themselves, as ``samples``, an ``Options`` of records.

    names : of the option that says what components are
    """
    options = (
        click.option(
            "--inventory",
            type=click.Path(exists=True, dir_okay=False, path_type=Path),
            help="StationXML whose sensitivity turns counts into m/s2.",
        ),
        click.option(
            "--dt", type=float, help="Time step in s of text files without a time column."
        ),
        click.option("--unit", help="Of samples in files that do not tell it: m/s2, cm/s2, g ..."),
        click.option(
            *names,
            "channels",
            metavar="NAME=WHAT,...",
            help="What components are, by their names in the files: H1, H2, N, E, an azimuth of "
            "three digits, Z, or - for one that is left out; e.g. a100=Z,a200=N,a300=E.",
        ),
        click.option(
            "--columns",
            help="Names of the columns of a text file, in their order, with units in brackets "
            "where --unit does not tell them; e.g. time,UP,N,E.",
        ),
    )

    def decorated(function: Any) -> Any:
        @functools.wraps(function)
        def collected(
            unit: str | None,
            dt: float | None,
            inventory: Path | None,
            channels: str | None,
            columns: str | None,
            **others: Any,
        ) -> Any:
            from gwm_hazard.records.record import Options

            pairs = dict(p.partition("=")[::2] for p in listed(channels))
            if not all(pairs.values()):
                raise click.BadParameter(f"{channels!r}: write NAME=WHAT,NAME=WHAT")
            told = {k.strip(): v.strip() for k, v in pairs.items()}
            samples = Options(unit, dt, inventory, told, listed(columns))
            return function(samples=samples, **others)

        for option in options:
            collected = option(collected)
        return collected

    return decorated


def folder_option(help: str = "Folder to write.") -> Callable[[Any], Any]:
    """``--output`` of commands that write a folder, which the work itself looks at."""
    path = click.Path(file_okay=False, path_type=Path)
    return click.option("--output", "-o", type=path, required=True, help=help)


def output_option(
    *suffixes: str, required: bool = True, help: str = "File to write."
) -> Callable[[Any], Any]:
    """``--output`` and ``--overwrite``, held against what is there before the work begins.

    suffixes : those that tell a format
    """

    def decorated(function: Any) -> Any:
        @functools.wraps(function)
        def checked(output: Path | None, overwrite: bool, **others: Any) -> Any:
            from gwm_hazard.files.outputs import check_output

            if output is not None:
                check_output(output, suffixes, overwrite)
            return function(output=output, **others)

        path = click.Path(dir_okay=False, path_type=Path)
        checked = click.option("--overwrite", is_flag=True, help="Replace an output.")(checked)
        return click.option("--output", "-o", type=path, required=required, help=help)(checked)

    return decorated


@contextlib.contextmanager
def progress_bar(title: str) -> Iterator[Callable[[float], None]]:
    """How far one piece of work is: see :class:`Bars`."""
    with Bars() as bars:
        yield lambda share: bars(title, share)


def listed(text: str | None) -> tuple[str, ...]:
    """The parts of a list that commas separate."""
    return tuple(t.strip() for t in text.split(",") if t.strip()) if text else ()


class Bars:
    """How far work is, step by step: bars on a terminal, plain lines in a file or a pipe."""

    def __enter__(self) -> Bars:
        self._shown: _Terminal | _Lines = _Terminal() if sys.stderr.isatty() else _Lines()
        return self

    def __call__(self, what: str, share: float | None, detail: str = "") -> None:
        """Tell how far a step is.

        Parameters
        ----------
        what : the step's name
        share : what is done of it, 0 to 1; None where nobody knows how much there is
        detail : what else is known by now, a loss or a count
        """
        self._shown(what, share, detail)

    def __exit__(self, kind: type[BaseException] | None, *exc: object) -> None:
        self._shown.stop(finished=kind is None)


def _group(what: str) -> str:
    """Steps that share a bar."""
    return "sections" if what.startswith("section") else what


class _Terminal:
    """One bar a step, as the steps come."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            TaskProgressColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        columns = (TaskProgressColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        self._bar = Progress(
            "{task.description}", BarColumn(), *columns, console=Console(stderr=True)
        )
        self._tasks: dict[str, Any] = {}
        self._bar.start()

    def __call__(self, what: str, share: float | None, detail: str = "") -> None:
        group = _group(what)
        if group not in self._tasks:
            for task in self._tasks.values():
                self._bar.update(task, total=1.0, completed=1.0)
            self._tasks[group] = self._bar.add_task(what, total=None if share is None else 1.0)
        text = f"{what}, {detail}" if detail else what
        self._bar.update(self._tasks[group], completed=share, description=text)

    def stop(self, finished: bool) -> None:
        self._bar.stop()


class _Lines:
    """A line now and then, by a clock of its own: also where a step tells nothing for long."""

    #: Seconds into a step after which the first lines come; then one every so many.
    FIRST_S = (5.0, 15.0, 30.0)
    EVERY_S = 60.0
    #: Seconds between two looks at the clock.
    LOOK_S = 1.0

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._group = self._what = self._detail = ""
        self._share: float | None = 0.0
        self._began = self._due = clock()
        self._said = 0
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def __call__(self, what: str, share: float | None, detail: str = "") -> None:
        with self._lock:
            if (group := _group(what)) != self._group:
                self._close()
                self._group, self._said = group, 0
                self._began = self._clock()
                self._due = self._began + self.FIRST_S[0]
            self._what, self._share, self._detail = what, share, detail
        self.look()

    def look(self) -> None:
        """Say how far the step is, if it is time."""
        with self._lock:
            now = self._clock()
            if not self._group or now < self._due:
                return
            taken = now - self._began
            text = f"{_span(taken)} so far"
            if self._share is not None:
                text = f"{100 * self._share:.0f} %, {text}"
                if 0 < self._share < 1:
                    text += f", about {_span(taken * (1.0 / self._share - 1.0))} left"
            if self._detail:
                text += f"; {self._detail}"
            self._say(self._what, text)
            later = [t for t in self.FIRST_S if t > taken]
            self._due = self._began + later[0] if later else now + self.EVERY_S

    def stop(self, finished: bool) -> None:
        self._ended.set()
        self._thread.join()
        if finished:
            self._close()

    def _close(self) -> None:
        """The end of a step that was long enough to be spoken of."""
        if self._said:
            self._say(self._group, f"done in {_span(self._clock() - self._began)}")

    def _say(self, what: str, text: str) -> None:
        self._said += 1
        click.echo(f"{time.strftime('%H:%M:%S')} {what}: {text}", err=True)

    def _watch(self) -> None:
        while not self._ended.wait(self.LOOK_S):
            self.look()


def _span(seconds: float) -> str:
    """A time as people write it: 0:05, 12:30, 1:02:03."""
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class _Log(logging.StreamHandler[Any]):
    """What the package logs, on whatever ``sys.stderr`` is by then: a bar may have taken it over.

    Silent where the root logger has handlers, as while OpenQuake runs a job: these show it.
    """

    def emit(self, record: logging.LogRecord) -> None:
        if not logging.getLogger().handlers:
            self.stream = sys.stderr
            super().emit(record)


_LOG = _Log()


def show_log(verbose: bool) -> None:
    """Show the package's warnings on stderr; with ``verbose`` its information too."""
    logger = logging.getLogger("gwm_hazard")
    logger.addHandler(_LOG)
    logger.setLevel(logging.INFO if verbose else logging.WARNING)
