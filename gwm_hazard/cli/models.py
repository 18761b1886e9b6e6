"""``gwm-hazard models``: list the models, show their cards."""

from __future__ import annotations

import json

import click


@click.group()
def models() -> None:
    """List the models, show their cards."""


@models.command("list")
def models_list() -> None:
    """Known model families, one a line."""
    from gwm_hazard.models.registry import families, load_model

    for name in sorted(families()):
        card = load_model(name, "cpu").card
        click.echo(f"{card.name:14s} {card.version:8s} {card.summary}")


@models.command("info")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="The card as JSON.")
def models_info(name: str, as_json: bool) -> None:
    """The card of a model."""
    from gwm_hazard.models.registry import load_model

    card = load_model(name, "cpu").card
    if as_json:
        click.echo(json.dumps(card.to_dict(), indent=1))
        return
    click.echo(f"{card.name} {card.version} ({card.family}): {card.summary}")
    click.echo(f"licence        {card.licence}")
    click.echo(f"region         {card.tectonic_region}")
    click.echo(f"components     {', '.join(card.components)} at {card.sampling_rate_hz:g} Hz")
    click.echo(f"between-event  {'yes' if card.between_event else 'no'}")
    click.echo(f"training data  {card.training_data}")
    for r in card.conditions:
        click.echo(f"{r.name:14s} {r.low:g} to {r.high:g} {r.unit}")
    for title, lines in (("limitations", card.limitations), ("cite", card.citation)):
        for line in lines:
            click.echo(f"{title:14s} {line}")
