"""``gwm-hazard data simulate``: a training file of simulated records."""

from __future__ import annotations

from pathlib import Path

import click

from gwm_hazard.cli._options import folder_option, model_option, progress_bar


@click.command()
@click.argument("config", required=False, type=click.Path(exists=True, path_type=Path))
@click.option("--records", type=int, help="Number of records, instead of the file's.")
@click.option("--seed", type=int, help="Seed, instead of the file's.")
@model_option
@click.option("--resume", is_flag=True, help="Go on where an interrupted run stopped.")
@folder_option()
def simulate(
    config: Path | None,
    records: int | None,
    seed: int | None,
    model: str,
    resume: bool,
    output: Path,
) -> None:
    """Draw a training set from a model, the stochastic one by default.

    CONFIG is a TOML file of the distribution of conditions; without it the default is drawn
    (gwm_hazard.datasets.simulation.Simulation says what it is).
    """
    from dataclasses import replace

    from gwm_hazard.datasets.simulation import Simulation, simulate

    wanted = Simulation.read(config) if config else Simulation()
    if records is not None:
        wanted = replace(wanted, records=records)
    if seed is not None:
        wanted = replace(wanted, seed=seed)
    with progress_bar("simulate") as progress:
        made = simulate(wanted, output, model, resume=resume, progress=progress)
    counts = made.table["split"].value_counts()
    parts = ", ".join(f"{counts.get(s, 0)} {s}" for s in ("train", "dev", "test"))
    click.echo(f"{output}: {len(made)} records ({parts})")
