"""``gwm-hazard generate``: draw waveforms for scenarios."""

from __future__ import annotations

from pathlib import Path

import click

from gwm_hazard.cli._options import device_option, model_option, output_option


@click.command()
@model_option
@device_option
@click.option(
    "--scenario",
    "-s",
    "pairs",
    multiple=True,
    required=True,
    help="A condition, NAME=VALUE[,VALUE...]; e.g. -s mag=6.5 -s rrup=10,30 -s vs30=400.",
)
@click.option("-n", "n", default=1, show_default=True, help="Realizations of each scenario.")
@click.option("--seed", default=0, show_default=True)
@output_option
def generate(
    model: str, device: str, pairs: tuple[str, ...], n: int, seed: int, output: Path
) -> None:
    """Draw waveforms for scenarios into an HDF5 file."""
    from gwm_hazard.core.scenario import Scenarios
    from gwm_hazard.files.atomic import replacing
    from gwm_hazard.models.registry import load_model

    conditions = {}
    for pair in pairs:
        name, _, values = pair.partition("=")
        try:
            conditions[name.strip()] = [float(v) for v in values.split(",")]
        except ValueError:
            raise click.BadParameter(f"{pair!r}: write NAME=VALUE or NAME=VALUE,VALUE") from None
    plain = {k: v if len(v) > 1 else v[0] for k, v in conditions.items()}
    data = load_model(model, device).generate(Scenarios(**plain), n=n, seed=seed)
    with replacing(output) as temporary:
        data.to_netcdf(
            temporary,
            engine="h5netcdf",
            encoding={"acceleration": {"zlib": True, "complevel": 1, "shuffle": True}},
        )
    click.echo(f"{output}: {data.sizes['scenario']} scenarios x {n} realizations")
