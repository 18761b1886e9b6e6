"""``gwm-hazard data``: training data; one module a subcommand, imported when it is called."""

from __future__ import annotations

import importlib
import importlib.util

import click

#: Subcommands: each is the click command of its own name in the module of that name.
COMMANDS = ("calibrate", "prepare", "simulate")


class _Lazy(click.Group):
    """A group that imports a subcommand's module when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in COMMANDS if importlib.util.find_spec(f"{__name__}.{name}")]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        return getattr(importlib.import_module(f"{__name__}.{cmd_name}"), cmd_name)


@click.group(cls=_Lazy)
def data() -> None:
    """Training data: prepare records, simulate, calibrate."""
