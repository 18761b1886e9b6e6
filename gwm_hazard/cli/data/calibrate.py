"""``gwm-hazard data calibrate``: the stochastic model fitted to observed intensity measures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gwm_hazard.cli._options import device_option, folder_option, progress_bar, seed_option
from gwm_hazard.errors import InputError

if TYPE_CHECKING:
    from gwm_hazard.calibration import Calibration


@click.command()
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FLATFILE...",
)
@folder_option("Model folder to write: card, tables, figures.")
@click.option(
    "--imts", help="Comma-separated; by default ten usual ones, as far as they are there."
)
@click.option(
    "--component",
    "components",
    multiple=True,
    metavar="[FILE:][KIND=]NAME",
    help="Horizontal component of the columns, RotD50 where nothing is said; "
    "esm.csv:SA=geometric_mean is about the SA columns of one file. The last that applies counts.",
)
@click.option("--free", help="Comma-separated parameters to fit; by default all 15.")
@click.option(
    "--prior",
    type=click.Choice(["published", "shipped", "none"]),
    default="published",
    show_default=True,
    help="Centre of the normal prior: published values, or those of the shipped model (with few "
    "records); none is plain maximum likelihood.",
)
@click.option(
    "--from",
    "start",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of a calibrated model to start from, by default the shipped one.",
)
@click.option("--site-terms", is_flag=True, help="Also a term for each site (site_id or station).")
@click.option("--held-out", default=0.3, show_default=True, help="Share of events not fitted.")
@click.option("--min-records", default=3, show_default=True, help="Events with fewer are left out.")
@click.option("--max-distance", default=300.0, show_default=True, help="Largest rrup, km.")
@click.option(
    "--max-records",
    default=1200,
    show_default=True,
    help="Records used, spread over magnitude and distance; bounds the time.",
)
@click.option("--draws", default=2, show_default=True, help="Waveforms a record.")
@click.option("--iterations", default=8, show_default=True, help="At most, of each of two fits.")
@seed_option(1)
@device_option
def calibrate(
    files: tuple[Path, ...],
    output: Path,
    imts: str | None,
    components: tuple[str, ...],
    free: str | None,
    prior: str,
    start: Path | None,
    site_terms: bool,
    held_out: float,
    min_records: int,
    max_distance: float,
    max_records: int,
    draws: int,
    iterations: int,
    seed: int,
    device: str,
) -> None:
    """Fit the stochastic model to flatfiles, by maximum likelihood with between-event terms.

    FLATFILE is a CSV table with the columns event_id, mag, hypo_depth, vs30, rrup or rhypo, and
    measures: PGA, SA(T) in g, PGV in cm/s, RSD595 in s. An empty cell is an unknown value. Usable
    periods are taken from highpass_hz, lowest_usable_freq_hz or fmin_usable_hz.

    The folder is a model: gwm-hazard surface build --model FOLDER, or model = "FOLDER" in a logic
    tree. An interrupted calibration goes on when it is started again with the same options.
    """
    from gwm_hazard import calibration
    from gwm_hazard.models.registry import load_model
    from gwm_hazard.models.stochastic import StochasticModel

    origin = load_model("stochastic", device)
    chosen = origin.device
    if start is not None:
        origin = load_model(start, device)
    if not isinstance(origin, StochasticModel):
        raise InputError(f"{start}: a model of the family {origin.card.family!r}, not 'stochastic'")
    settings = calibration.Settings(
        imts=_names(imts),
        free=_names(free),
        prior=prior,
        site_terms=site_terms,
        held_out=held_out,
        max_records=max_records,
        draws=draws,
        seed=seed,
        iterations=iterations,
        selection=calibration.Selection(min_records=min_records, max_km=max_distance),
        components=tuple(calibration.ComponentRule.parse(c) for c in components),
    )
    with progress_bar("calibration") as progress:
        found = calibration.calibrate(
            files,
            output,
            settings,
            start=origin.parameters,
            device=chosen,
            progress=progress,
            told=lambda line: click.echo(line, err=True),
        )
    print_report(found)
    click.echo(f"\n{output}: model folder; gwm-hazard surface build --model {output} comes next")


def print_report(found: Calibration) -> None:
    """Print the tables of a calibration."""
    from gwm_hazard.calibration import report

    click.echo("\nparameters, with 95 % intervals; from_data: share of the knowledge from records")
    click.echo(report.as_text(found.parameter_table))
    if not found.fit.converged:
        click.echo("the fit has not converged: start it again --from the folder written")
    for (set_, model), table in found.summary.groupby(["set", "model"], sort=False):
        click.echo("")
        title = f"{model} model, {set_} events: ln(observed / model), with 95 % intervals"
        click.echo(report.summary_text(title, table))
    observations = found.fitted.observations
    for (set_, model), table in found.bins.groupby(["set", "model"], sort=False):
        click.echo(f"\n{model} model, {set_} events, by bin: mean / s.d. of the residuals")
        click.echo(report.bins_text(table, observations.imts))
    click.echo("\nobserved variability and that of the model at the start and as calibrated")
    click.echo(report.as_text(found.variability))


def _names(text: str | None) -> tuple[str, ...] | None:
    return tuple(t.strip() for t in text.split(",") if t.strip()) if text else None
