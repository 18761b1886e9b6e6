"""The ``gwm-hazard`` command: one module a subcommand, imported when it is called."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from collections.abc import Sequence

import click

from gwm_hazard._version import __version__
from gwm_hazard.cli._options import show_log
from gwm_hazard.errors import GwmHazardError

#: Errors that say what is wrong in a line: shown as such, without a traceback.
USER_ERRORS = (GwmHazardError, OSError)

#: Options of all commands: they may stand anywhere on the line.
ANYWHERE = ("--debug", "--verbose")

#: Subcommands: each is the click command of its own name in the module of that name.
COMMANDS = (
    "benchmark",
    "broadband",
    "catalogue",
    "data",
    "export",
    "generate",
    "im",
    "models",
    "suite",
    "surface",
    "train",
)


#: What a command that was interrupted leaves, and how to go on; of the others nothing remains.
KEPT = {
    "benchmark": "finished sections and draws are kept in the output folder; the same command goes "
    "on from there",
    "broadband": "finished blocks are kept in the output folder (waveforms.h5.parts); the same "
    "command goes on from there",
    "catalogue": "finished blocks are kept beside the output (.parts); the same command goes on "
    "from there",
    "data calibrate": "finished medians are kept; the same command goes on from there",
    "data prepare": "records prepared so far are kept beside the output (.partial); the same "
    "command goes on from there",
    "data simulate": "records drawn so far are kept beside the output (.partial); the same command "
    "with --resume goes on from there",
    "generate": "finished blocks are kept beside the output (.parts); the same command goes on "
    "from there",
    "models fetch": "what has been downloaded is kept; the same command goes on from there",
    "suite": "finished suites are kept in the output folder (suite.parts); the same command goes "
    "on from there",
    "surface build": "finished estimates are kept beside the surface; the same command goes on "
    "from there",
    "train": "the last checkpoint is kept in the output folder; the same command goes on from "
    "there",
}

_NOTHING = "nothing is kept; the same command starts from the beginning"


def interrupted(path: str) -> str:
    """What to tell a user who stopped a command, "surface build" for one."""
    return f"interrupted: {KEPT.get(path, _NOTHING)}"


class _Lazy(click.Group):
    """A group that imports a subcommand's module when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return getattr(importlib.import_module(f"gwm_hazard.cli.{cmd_name}"), cmd_name)


def main() -> None:
    """Entry point: exit code 0 only on success, one line for a user's mistake."""
    # Threads that wait for each other sleep: spinning, as they do by default, makes torch several
    # times slower as soon as other processes want the cores too. Read when torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    given, rest = _sorted(sys.argv[1:])
    try:
        cli([*given, *rest], standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit(interrupted(_asked(rest)))
    except click.ClickException as exc:
        exc.show()
        sys.exit(exc.exit_code)
    except Exception as exc:
        if "--debug" in given:
            traceback.print_exc()
            sys.exit(1)
        if isinstance(exc, USER_ERRORS):
            sys.exit(f"gwm-hazard: {exc}")
        text = " ".join(str(exc).split())
        sys.exit(
            f"gwm-hazard: unexpected {type(exc).__name__}: {text}: run again with --debug for the "
            "traceback"
        )


def _sorted(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The options of :data:`ANYWHERE` that are given, and the other words."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    given = [word for word in arguments[:end] if word in ANYWHERE]
    rest = [word for word in arguments[:end] if word not in ANYWHERE]
    return given, [*rest, *arguments[end:]]


def _asked(arguments: Sequence[str]) -> str:
    """The command that arguments name, "surface build" for one."""
    group: click.Command | None = cli
    names: list[str] = []
    for name in arguments:
        if not isinstance(group, click.Group):
            break
        group = group.get_command(click.Context(group), name)
        names.append(name)
    return " ".join(names)


@click.group(cls=_Lazy)
@click.version_option(__version__)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.option("--verbose", is_flag=True, help="Say more of what is done.")
def cli(debug: bool, verbose: bool) -> None:
    """Generative waveform models in probabilistic seismic hazard analysis."""
    show_log(verbose)
