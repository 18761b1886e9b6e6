"""``gwm-hazard data prepare``: a training file of records."""

from __future__ import annotations

import click


@click.command()
def prepare() -> None:
    """Make a training file of observed records."""
