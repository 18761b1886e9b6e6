"""``gwm-hazard im``: intensity measures of records."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gwm_hazard.cli._options import Bars, output_option, sample_options
from gwm_hazard.errors import InputError
from gwm_hazard.records.formats import FORMATS

if TYPE_CHECKING:
    from gwm_hazard.records.record import Options, Record

DEFAULT_IMTS = "PGA,PGV,SA(0.1),SA(0.2),SA(0.3),SA(0.5),SA(1.0),SA(2.0),SA(3.0),RSD595"

_MANY = 20  # records from which on a progress bar is worth its line


def _list_measures(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted:
        return
    from gwm_hazard.intensity import COMPONENTS, MEASURES

    for entry in MEASURES:
        click.echo(f"{entry.imt} [{entry.unit}]  {entry.long_name}")
        click.echo(f"    {entry.definition}\n    {entry.source}")
    click.echo("\nComponents")
    for name, definition in COMPONENTS.items():
        click.echo(f"{name}\n    {definition}")
    ctx.exit()


@click.command()
@click.argument(
    "files",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="FILE...",
)
@click.option("--imts", default=DEFAULT_IMTS, show_default=True, help="Comma-separated.")
@click.option(
    "--component",
    default="RotD50",
    show_default=True,
    help="Comma-separated; with several, columns are named IMT_COMPONENT.",
)
@click.option("--damping", default=0.05, show_default=True, help="Fraction of critical, for SA.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(list(FORMATS)),
    help="By default found from the content.",
)
@sample_options("--components", "--channels")
@click.option(
    "--baseline",
    type=click.Choice(["auto", "none", "mean", "linear"]),
    default="auto",
    show_default=True,
    help="Removed from each component, by least squares; auto: the mean before the P onset, of "
    "formats that hold what the instrument gave (K-NET, KiK-net, counts, uncorrected volumes).",
)
@click.option(
    "--highpass",
    type=float,
    metavar="HZ",
    help="Acausal Butterworth filter of order 4 in both directions after 2 % tapers, zeros of "
    "3 / HZ seconds added at each end and kept.",
)
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Picture (png, pdf, svg): traces, spectra and Husid curves of up to three records, the "
    "spectra of more.",
)
@click.option(
    "--list",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_measures,
    help="Print measures and components with unit, definition and source, and exit.",
)
@output_option(
    ".csv", ".parquet", ".h5", ".hdf5", help="Table to write: .csv, .parquet, .h5 or .hdf5."
)
def im(
    files: tuple[Path, ...],
    imts: str,
    component: str,
    damping: float,
    format_: str | None,
    samples: Options,
    baseline: str,
    highpass: float | None,
    plot: Path | None,
    output: Path,
) -> None:
    """Intensity measures of records, one row a record.

    FILE is a waveform file of this package, a SeisBench data set (folder or metadata.csv),
    miniSEED, SAC, K-NET, KiK-net and whatever else obspy reads, PEER AT2, an agency's format, text
    with a column a component, or a folder or an archive of such files. Components of one record
    that lie in several files of a folder are put together. The column quality tells of offset,
    clipping, length, P onset and usable band of each record.

    Exit code: 0 if every record was measured, 1 if some were not (they are listed with the reason;
    the others are written) or none was (nothing is written), 2 for a mistake in the command line.
    """
    from gwm_hazard.records.figures import Gallery
    from gwm_hazard.records.find import find_files
    from gwm_hazard.records.measured_table import (
        Request,
        measure,
        write_table,
    )
    from gwm_hazard.records.quality import remarks
    from gwm_hazard.records.read import sources
    from gwm_hazard.records.record import Failure

    if plot is not None and plot.suffix not in (".png", ".pdf", ".svg"):
        raise InputError(f"{plot}: the suffix tells the format; give one of .png, .pdf, .svg")
    names = tuple(i.strip() for i in _split(imts))
    request = Request(names, tuple(_split(component)), damping, baseline, highpass)
    failures: list[Failure] = []
    aside: list[Failure] = []
    gallery = Gallery(damping) if plot is not None else None

    def failed(failure: Failure) -> None:
        (aside if failure.aside else failures).append(failure)

    def items(bars: Bars) -> Iterator[Record | Failure]:
        for group in find_files(files):
            with group:
                yield from group.failures
                found = sources(group.files, format_, samples)
                total, done = sum(1 if isinstance(s, Failure) else s.size for s in found), 0
                for source in found:
                    for item in [source] if isinstance(source, Failure) else source:
                        yield group.named(item)
                        done += 1
                        if total > _MANY:
                            bars(f"{total} records", done / max(total, done))

    with Bars() as bars:
        seen = gallery.add if gallery is not None else lambda record: None
        table = measure(items(bars), request, on_failure=failed, on_record=seen)
    if not len(table):
        raise InputError(_nothing(failures or aside))
    write_table(table, output, request)
    if gallery is not None and plot is not None:
        gallery.save(plot)
        click.echo(f"{plot}: {len(gallery.spectra)} records")
    click.echo(f"{output}: {len(table)} records, {', '.join(names)} ({component})")
    if "quality" in table and (told := remarks(table["quality"])):
        click.echo(f"of them, see column quality: {told}", err=True)
    if aside:
        beside = [Path(f.record_id.rpartition("::")[2]).name for f in aside]
        click.echo(f"no records: {', '.join(beside)}", err=True)
    if failures:
        for failure in failures:
            click.echo(f"not measured: {failure}", err=True)
        click.echo(
            f"{len(failures)} of {len(failures) + len(table)} records not measured", err=True
        )
        sys.exit(1)


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _nothing(failures: Sequence[object]) -> str:
    if not failures:
        return "the files hold no records"
    if len(failures) == 1:
        return str(failures[0])
    return f"none of {len(failures)} records could be measured; the first: {failures[0]}"
