"""``gwm-hazard data prepare``: a training file of records."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gwm_hazard.cli._options import Bars, sample_options, seed_option
from gwm_hazard.errors import InputError
from gwm_hazard.records.formats import FORMATS

if TYPE_CHECKING:
    from gwm_hazard.datasets.preparation import Summary
    from gwm_hazard.records.record import Options


def _pairs(
    ctx: click.Context, param: click.Parameter, values: tuple[str, ...]
) -> dict[str, tuple[float, float]]:
    """``mag=4:8`` as {"mag": (4, 8)}."""
    out = {}
    for value in values:
        name, _, bounds = value.partition("=")
        try:
            low, high = (float(x) for x in bounds.split(":"))
        except ValueError:
            raise click.BadParameter(f"{value!r} is not of the form mag=4:8") from None
        out[name.strip()] = (low, high)
    return out


def _bands(
    ctx: click.Context, param: click.Parameter, value: str
) -> tuple[tuple[float, float], ...]:
    """``0.5-2,2-10`` as ((0.5, 2), (2, 10))."""
    bands = []
    for part in filter(None, value.split(",")):
        try:
            low, high = (float(x) for x in part.split("-"))
        except ValueError:
            raise click.BadParameter(f"{part!r} is not of the form 0.5-2") from None
        bands.append((low, high))
    return tuple(bands)


def _names(ctx: click.Context, param: click.Parameter, value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _shares(ctx: click.Context, param: click.Parameter, value: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in value.split(","))
    except ValueError:
        raise click.BadParameter(f"{value!r} is not of the form 0.8,0.1,0.1") from None


@click.command(context_settings={"show_default": True})
@click.argument(
    "paths",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="PATH...",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path),
    required=True,
    metavar="FOLDER",
    help="Training file to write; must not exist.",
)
@click.option(
    "--metadata",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="TABLE",
    help="CSV or Parquet whose values win over those of the files; the key is record_id, file, "
    "rsn, event_id with station, station, or event_id, whichever it has first. May be repeated.",
)
@click.option("--format", "format_", type=click.Choice(sorted(FORMATS)), help="Else by content.")
@sample_options("--channels")
@click.option(
    "--components",
    default="RTZ",
    type=click.Choice(["RTZ", "RT", "12Z", "12"]),
    help="Radial, transverse, up; or the horizontals as recorded.",
)
@click.option("--detrend", default="linear", type=click.Choice(["linear", "mean", "none"]))
@click.option(
    "--highpass",
    "highpass_hz",
    default=0.1,
    help="Corner in Hz of the causal Butterworth filter of order 2; 0 for none.",
)
@click.option("--rate", "rate_hz", default=100.0, help="Sampling rate in Hz.")
@click.option("--before-p", "before_p_s", default=5.0, help="Seconds before the P onset.")
@click.option("--length", "length_s", default=40.96, help="Seconds in all; zeros fill up.")
@click.option(
    "--min-before-p", "min_before_p_s", default=1.0, help="Least seconds recorded before P."
)
@click.option(
    "--late-start",
    default="reject",
    type=click.Choice(["reject", "align"]),
    help="Records that start later: align keeps those whose S onset fits a P onset at their start.",
)
@click.option(
    "--picker",
    default="auto",
    help="aic; a SeisBench model and weights, phasenet:instance; auto: that where its weights are "
    "on this machine, else aic. A pick in the metadata (p_time, p_s, p_sample) wins.",
)
@click.option(
    "--travel-time/--no-travel-time",
    default=True,
    help="Whether P must agree with origin time and distance, where they are known.",
)
@click.option("--min-snr", default=3.0, help="Least signal-to-noise ratio in each band.")
@click.option("--snr-bands", default="0.5-2,2-10", callback=_bands, help="In Hz.")
@click.option("--spikes/--no-spikes", default=True, help="Whether to reject spikes.")
@click.option("--clipping/--no-clipping", default=True, help="Whether to reject clipped records.")
@click.option("--max-pga", default=50.0, help="Largest credible peak, m/s2.")
@click.option(
    "--check-peak/--no-check-peak",
    default=True,
    help="Reject peaks a hundred times off the median of Kanno et al. (2006): a wrong unit.",
)
@click.option("--borehole/--no-borehole", default=False, help="Whether to keep borehole sensors.")
@click.option(
    "--require",
    default="mag,rhypo,hypo_depth,vs30",
    callback=_names,
    help="Conditions that must be known; without vs30 it may be empty in the table.",
)
@click.option(
    "--range",
    "ranges",
    multiple=True,
    callback=_pairs,
    metavar="NAME=LOW:HIGH",
    help="Keep records within, mag=4:8; may be repeated.",
)
@click.option("--shares", default="0.8,0.1,0.1", callback=_shares, help="Of train, dev, test.")
@seed_option()
@click.option("--jobs", "-j", type=click.IntRange(0), help="Worker processes; else one a core.")
@click.option("--resume/--restart", default=True, help="Whether to go on with an interrupted run.")
@click.option(
    "--plot", type=click.Path(dir_okay=False, path_type=Path), help="Overview as png, pdf, svg."
)
def prepare(
    paths: tuple[Path, ...],
    output: Path,
    metadata: tuple[Path, ...],
    format_: str | None,
    samples: Options,
    jobs: int | None,
    resume: bool,
    plot: Path | None,
    **settings: Any,
) -> None:
    """Make a training file of observed records.

    PATH is a file, a folder (with its subfolders) or a tar or zip archive of K-NET and KiK-net
    files, whatever else obspy reads, ASDF as gmprocess writes it, SeisBench data sets, PEER AT2,
    ESM and ITACA ASCII (DYNA), AFAD, COSMOS V1 and V2, text with a column a component, or waveform
    files of this package. Formats are found by content.

    Steps: gain and unit, checks of the samples, detrending, causal high-pass, resampling, P onset,
    checks of noise, rotation, window. The training file is a SeisBench data set; in its folder
    rejected.csv lists each record that was left out, with the reason.

    Exit code: 0 if records were kept, else 1.
    """
    from gwm_hazard.datasets.preparation import Settings, prepare
    from gwm_hazard.datasets.preparation.tables import MetadataTable
    from gwm_hazard.datasets.preparation.work import find_tasks

    if plot is not None and plot.suffix not in (".png", ".pdf", ".svg"):
        raise InputError(f"{plot}: the suffix tells the format; give one of .png, .pdf, .svg")
    chosen = Settings(**settings)
    tables = [MetadataTable.read(path) for path in metadata]
    with Bars() as bars:

        def progress(kept: int, rejected: int) -> None:
            bars("records", None, f"{kept} kept, {rejected} left out")

        summary = prepare(
            find_tasks(paths, format_, samples),
            output,
            chosen,
            metadata=tables,
            jobs=(os.cpu_count() or 1) if jobs is None else jobs,
            resume=resume,
            attributes={"inputs": [p.name for p in paths], "metadata": [p.name for p in metadata]},
            progress=progress,
        )
    _report(summary)
    if plot is not None:
        from gwm_hazard.datasets.preparation.figures import draw

        draw(summary.folder, plot)
        click.echo(f"{plot}: overview")


def _report(summary: Summary) -> None:
    from gwm_hazard.datasets.preparation.run import summary_table
    from gwm_hazard.records.training_set import SPLITS, TrainingSet

    total = summary.kept + sum(summary.rejected.values())
    click.echo(f"{summary.folder}: {summary.kept} of {total} records")
    data = TrainingSet.open(summary.folder)
    click.echo(summary_table(data).to_string(index=False))
    empty = [split for split in SPLITS if not len(data.rows(split))]
    if empty:
        remedy = "give more events, or other --shares or another --seed"
        click.echo(f"no event falls into {' and '.join(empty)}: {remedy}", err=True)
    if summary.rejected:
        from gwm_hazard.datasets.preparation.settings import CODES

        click.echo("left out (rejected.csv has each with its reason):")
        for code, number in summary.rejected.most_common():
            click.echo(f"  {number:6d}  {code}: {CODES[code]}")
