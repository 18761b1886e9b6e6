"""``gwm-hazard export``: records in the formats of other tools."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from gwm_hazard.catalogue.export import FORMATS, export_catalogue
from gwm_hazard.cli._options import folder_option, progress_bar

_FORMAT_LIST = "\n".join(f"  {name:10s} {known.summary}" for name, known in FORMATS.items())
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@contextlib.contextmanager
def _late_bar(title: str) -> Iterator[Callable[[float], None]]:
    """A bar that appears with the first progress, so that errors before it stand alone."""
    with contextlib.ExitStack() as stack:
        shown: list[Callable[[float], None]] = []

        def progress(share: float) -> None:
            if not shown:
                shown.append(stack.enter_context(progress_bar(title)))
            shown[0](share)

        yield progress


@click.command(
    epilog="\b\nFormats:\n" + _FORMAT_LIST + "\n\n\b\nExample:\n"
    "  gwm-hazard export waveforms.h5 -f at2 --where 'mag > 6.5' --max 10 -o suite"
)
@click.argument("catalogue", type=_FILE)
@click.option("--format", "-f", "name", required=True, metavar="NAME", help="Format, see below.")
@folder_option()
@click.option("--records", default="", help="Numbers of records, e.g. 3,10:20 (20 left out).")
@click.option(
    "--where",
    default="",
    help="Condition over coordinates and measures, e.g. 'mag > 6.5 and `SA(1.0)` > 0.2'.",
)
@click.option("--max", "limit", type=int, help="First records that pass the other filters.")
@click.option("--unit", help="Of acceleration: m/s2, cm/s2 or g, for csv and opensees.")
@click.option(
    "--imts", default="", help="openquake: measures, comma-separated; by default the file's own."
)
@click.option(
    "--sites",
    type=_FILE,
    help="openquake: CSV with site_id, lon, lat, where the file has no coordinates.",
)
@click.option("--overwrite", is_flag=True, help="Replace a former export.")
def export(
    catalogue: Path,
    name: str,
    output: Path,
    records: str,
    where: str,
    limit: int | None,
    unit: str | None,
    imts: str,
    sites: Path | None,
    overwrite: bool,
) -> None:
    """Write records of a waveform file in the format of another tool.

    CATALOGUE is a waveform catalogue or a file of gwm-hazard generate. The output is a folder
    with a README.txt that says how to read it.
    """
    try:
        with _late_bar(f"export to {name}") as progress:
            done = export_catalogue(
                catalogue,
                name,
                output,
                records=records,
                where=where,
                limit=limit,
                unit=unit,
                imts=[i.strip() for i in imts.split(",") if i.strip()],
                sites=sites,
                overwrite=overwrite,
                progress=progress,
            )
    except ImportError as error:
        raise click.ClickException(str(error)) from None
    for remark in done.remarks:
        click.echo(f"note: {remark}", err=True)
    click.echo(f"{output}: {done.records} records; README.txt says how to read them")
