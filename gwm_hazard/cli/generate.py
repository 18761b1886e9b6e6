"""``gwm-hazard generate``: draw waveforms for scenarios."""

from __future__ import annotations

from pathlib import Path

import click

from gwm_hazard.cli._options import (
    device_option,
    model_option,
    output_option,
    progress_bar,
    seed_option,
)


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
@click.option(
    "--target",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV of a response spectrum, period (s; 0 for PGA) and SA (g; 5 %, RotD50), that every "
    "record is to have.",
)
@click.option("-n", "--draws", "n", default=1, show_default=True, help="Draws of each scenario.")
@seed_option()
@output_option(".h5", ".hdf5", ".nc")
def generate(
    model: str,
    device: str,
    pairs: tuple[str, ...],
    target: Path | None,
    n: int,
    seed: int,
    output: Path,
) -> None:
    """Draw waveforms for scenarios into a catalogue (HDF5).

    The records of each scenario follow each other: ``event`` is the number of the scenario,
    ``realization`` that of the draw. Memory does not grow with -n; a run that was stopped goes on
    where it was. With --target the model gives the shape: one that conditions on spectra
    (cvae-gan-small) draws for it, and what is left of the difference is corrected, as
    in "matched" branches.
    """
    from gwm_hazard.catalogue.generated import write_generated
    from gwm_hazard.core.card import NO_LEVEL
    from gwm_hazard.core.scenario import Scenarios
    from gwm_hazard.models.registry import load_model

    conditions = {}
    for pair in pairs:
        name, _, values = pair.partition("=")
        try:
            conditions[name.strip()] = [float(v) for v in values.split(",")]
        except ValueError:
            raise click.BadParameter(f"{pair!r}: write NAME=VALUE or NAME=VALUE,VALUE") from None
    plain = {k: v if len(v) > 1 else v[0] for k, v in conditions.items()}
    scenarios = Scenarios(**plain)
    loaded = load_model(model, device)
    if target is not None:
        from gwm_hazard.files.spectrum_table import spectrum_of
        from gwm_hazard.models.matched import MatchedModel

        loaded = MatchedModel(shape=loaded, spectrum=spectrum_of(target))
    if not loaded.card.level:
        click.echo(f"note: model {loaded.card.name!r} {NO_LEVEL}", err=True)
    with progress_bar(f"{len(scenarios) * n} waveforms of {model}") as progress:
        write_generated(output, loaded, scenarios, n, seed, progress=progress)
    click.echo(f"{output}: {len(scenarios)} scenarios x {n} realizations")
