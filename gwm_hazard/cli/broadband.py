"""``gwm-hazard broadband``: high frequencies on simulated low ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gwm_hazard.cli._options import (
    device_option,
    folder_option,
    progress_bar,
    sample_options,
    seed_option,
)

if TYPE_CHECKING:
    from gwm_hazard.records.record import Options

#: Measures of each draw that the catalogue holds.
IMTS = ("PGA", "PGV", "SA(0.1)", "SA(0.2)", "SA(0.5)", "SA(1.0)", "SA(2.0)", "SA(3.0)", "RSD595")


def _numbers(_: click.Context, __: click.Parameter, text: str | None) -> list[float] | None:
    """One value for all motions, or one for each, with commas between."""
    try:
        return None if text is None else [float(v) for v in text.split(",")]
    except ValueError:
        raise click.BadParameter(f"{text!r}: write a number, or one for each motion") from None


@click.command()
@click.argument(
    "low_frequency", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path)
)
@click.option("--mag", required=True, callback=_numbers, help="Moment magnitude.")
@click.option("--rrup", callback=_numbers, help="Closest distance, km.")
@click.option("--rhypo", callback=_numbers, help="Distance to the hypocentre, km, if not --rrup.")
@click.option("--vs30", required=True, callback=_numbers, help="Of the site, m/s.")
@click.option("--fc", type=float, help="Crossover, Hz: up to here the simulations are right.")
@click.option("-n", "--draws", "n", default=50, show_default=True, help="Draws of each motion.")
@click.option("--model", default="broadband-small", show_default=True, help="Name, or folder.")
@click.option("--format", "kind", help="Of the files, where it is not told by their content.")
@device_option
@seed_option()
@folder_option("Folder to write: waveforms.h5 and pictures.")
@click.option("--overwrite", is_flag=True, help="Replace an output.")
@sample_options("--components")
def broadband(
    low_frequency: tuple[Path, ...],
    mag: list[float],
    rrup: list[float] | None,
    rhypo: list[float] | None,
    vs30: list[float],
    fc: float | None,
    n: int,
    model: str,
    kind: str | None,
    device: str,
    seed: int,
    output: Path,
    overwrite: bool,
    samples: Options,
) -> None:
    """Draw broadband motions whose low frequencies are those of simulations.

    LOW_FREQUENCY are files of the Broadband Platform (.bbp), CyberShake (.grm), SW4, SPECFEM, or
    of any format of records; --unit says the quantity where they do not (cm/s is velocity). Values
    of --mag, --rrup and --vs30 are one for all motions, or one for each with commas between. The
    folder gets a catalogue, waveforms.h5, and a picture for each of the first motions.
    """
    from gwm_hazard.catalogue.figures import MOST_PICTURES, draw_broadband
    from gwm_hazard.catalogue.generated import write_generated
    from gwm_hazard.core.conditioning import conditioning_of
    from gwm_hazard.core.scenario import Scenarios
    from gwm_hazard.errors import InputError
    from gwm_hazard.files.outputs import check_output
    from gwm_hazard.models.abilities import ConditionsOnLowFrequencies
    from gwm_hazard.models.registry import load_model
    from gwm_hazard.records.low_frequency import read_simulations

    catalogue = output / "waveforms.h5"
    check_output(catalogue, (), overwrite)
    if (rrup is None) == (rhypo is None):
        raise click.UsageError("give --rrup or --rhypo")
    loaded = load_model(model, device)
    if not isinstance(loaded, ConditionsOnLowFrequencies):  # type: ignore[misc]  # its own way
        raise InputError(
            f"model {loaded.card.name!r} takes no low frequencies; take one of the family "
            '"broadband", as "broadband-small"'
        )
    motions, records = read_simulations(low_frequency, fc, kind, samples)
    given = {"mag": mag, "rrup": rrup, "rhypo": rhypo, "vs30": vs30}
    columns = {}
    for name, values in given.items():
        if values is None:
            continue
        if len(values) not in (1, len(motions)):
            raise InputError(
                f"{name}: {len(values)} values for {len(motions)} motions; give one, or one each"
            )
        columns[name] = values if len(values) > 1 else values * len(motions)
    at = Scenarios(**columns)
    conditioning = conditioning_of(loaded.card, distance="" if rrup else "rhypo")
    scenarios = Scenarios(**conditioning.values(at))
    motions.check(fc := loaded.crossover_hz(motions), scenarios["rhypo"])  # type: ignore[attr-defined]
    output.mkdir(parents=True, exist_ok=True)
    with progress_bar(f"{len(motions) * n} motions of {loaded.card.name}") as progress:
        write_generated(
            catalogue, loaded, scenarios, n, seed, imts=IMTS,
            labels={"low_frequency": [r.record_id for r in records]},
            beside={"low_frequency": motions}, progress=progress,
        )  # fmt: skip
    for i, record in enumerate(records[:MOST_PICTURES]):
        path = output / f"{record.record_id.replace('/', '_')}.png"
        draw_broadband(path, catalogue, i, n, motions.take([i]), fc, record.record_id)
        click.echo(f"{path}")
    click.echo(f"{catalogue}: {len(motions)} motions x {n} draws, crossover {fc:g} Hz")
