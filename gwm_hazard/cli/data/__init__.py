"""``gwm-hazard data``: training data; one module a subcommand, imported when it is called."""

from __future__ import annotations

import importlib

import click

#: Subcommands: each is the click command of its own name in the module of that name.
COMMANDS = ("calibrate", "prepare", "simulate")


class _Lazy(click.Group):
    """A group that imports a subcommand's module when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        return getattr(importlib.import_module(f"{__name__}.{cmd_name}"), cmd_name)


@click.group(cls=_Lazy)
def data() -> None:
    """Training data: prepare records, simulate, calibrate."""
