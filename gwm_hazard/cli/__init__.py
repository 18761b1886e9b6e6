"""The ``gwm-hazard`` command: one module a subcommand, imported when it is called."""

from __future__ import annotations

import importlib
import sys

import click

import gwm_hazard

#: Errors that say what is wrong in a line: shown as such, without a traceback.
USER_ERRORS = (ValueError, OSError, KeyError)

#: Subcommands: each is the click command of its own name in the module of that name.
COMMANDS = (
    "benchmark",
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
    try:
        cli(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit("interrupted; a surface goes on from where it was when started again")
    except click.ClickException as exc:
        exc.show()
        sys.exit(exc.exit_code)
    except USER_ERRORS as exc:
        sys.exit(f"gwm-hazard: {exc}")


@click.group(cls=_Lazy)
@click.version_option(gwm_hazard.__version__)
def cli() -> None:
    """Generative waveform models in probabilistic seismic hazard analysis."""
