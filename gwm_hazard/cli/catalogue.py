"""``gwm-hazard catalogue``: the waveforms behind the fields of a calculation."""

from __future__ import annotations

from pathlib import Path

import click

from gwm_hazard.cli._options import output_option, progress_bar


@click.command(context_settings={"ignore_unknown_options": True})  # -1 is a calculation
@click.argument("calculation", metavar="CALC_ID|JOB.INI")
@output_option(".h5", ".hdf5", ".nc")
@click.option(
    "--store",
    type=click.Choice(["waveforms", "keys"]),
    default="waveforms",
    show_default=True,
    help="Keep waveforms, or what draws them again (about 30 bytes a record).",
)
@click.option("--sites", default=None, help="Site ids to keep: 0,3,10-19.")
@click.option("--events", default=None, help="Event ids to keep: 0,3,10-19.")
@click.option("--realizations", default=None, help="Logic-tree realizations to keep: 0,3,10-19.")
@click.option("--min", "minima", multiple=True, help="Least value of a measure, e.g. PGA=0.1.")
@click.option("--imts", default="", help="Measures beside those of the job, comma-separated.")
def catalogue(
    calculation: str,
    output: Path,
    store: str,
    sites: str | None,
    events: str | None,
    realizations: str | None,
    minima: tuple[str, ...],
    imts: str,
) -> None:
    """The waveforms behind the ground-motion fields of an OpenQuake calculation.

    Takes the number of a finished event-based or scenario calculation (-1 for the last one), the
    path of its calc_N.hdf5, or a job.ini, which is run first. Started again after it was stopped,
    it goes on where it was. Where branches draw with several models there is a file for each,
    OUTPUT with the name of the model added.
    """
    kept = {
        "sites": _ids("--sites", sites),
        "events": _ids("--events", events),
        "realizations": _ids("--realizations", realizations),
    }
    minimum = dict(_threshold(text) for text in minima)
    further = [i.strip() for i in imts.split(",") if i.strip()]
    from gwm_hazard.openquake import event_catalogue
    from gwm_hazard.openquake.datastore import opened

    dstore = opened(calculation)
    with dstore, progress_bar(f"waveforms of calculation {dstore.calc_id}") as progress:
        files = event_catalogue.write(
            dstore,
            output,
            store=store,
            minimum=minimum,
            further=further,
            progress=progress,
            **kept,  # type: ignore[arg-type]
        )
    for path, records in files.items():
        click.echo(f"{path}: {records} records, store = {store}")


def _ids(option: str, text: str | None) -> list[int] | None:
    """Numbers and ranges: "0,3,10-12" is [0, 3, 10, 11, 12]."""
    if text is None:
        return None
    ids: list[int] = []
    try:
        for part in text.split(","):
            first, _, last = part.strip().partition("-")
            ids += range(int(first), int(last or first) + 1)
    except ValueError:
        raise click.BadParameter(f"{option} {text}: write numbers and ranges, 0,3,10-19") from None
    return ids


def _threshold(text: str) -> tuple[str, float]:
    name, _, value = text.rpartition("=")
    try:
        return name.strip(), float(value)
    except ValueError:
        raise click.BadParameter(f"--min {text}: write MEASURE=VALUE, e.g. PGA=0.1") from None
