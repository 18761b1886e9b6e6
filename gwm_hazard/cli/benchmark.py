"""``gwm-hazard benchmark``: models beside ground-motion models and observed records."""

from __future__ import annotations

from pathlib import Path

import click

from gwm_hazard.cli._options import Bars, device_option, folder_option, listed, seed_option


@click.command()
@click.option(
    "--model",
    "models",
    multiple=True,
    required=True,
    help="Name, or path of a model folder; repeat for several.",
)
@click.option("--data", "data", multiple=True, required=True, type=click.Path(path_type=Path),
              help="Flatfile, training file or folder with waveforms; repeat.")  # fmt: skip
@click.option(
    "--gmm",
    "gmms",
    multiple=True,
    help="OpenQuake's GMM by its TOML name; repeat. By default BooreEtAl2014 and Kanno2006Shallow.",
)
@folder_option("Folder of the page, numbers and figures; runs resume in it.")
@click.option("--imts", "--imt", default=None, help="Measures, separated by commas.")
@click.option("--sections", default=None, help="Sections, separated by commas; by default all.")
@click.option(
    "--draws",
    default=None,
    type=click.IntRange(4),
    help="Draws a record for the moments of a model without a surface.",
)
@click.option(
    "--waveforms",
    default=None,
    type=click.IntRange(0),
    help="Records, at most, of which drawn waveforms are kept and compared.",
)
@click.option(
    "--convergence",
    default=None,
    type=click.IntRange(20),
    help="Draws of one scenario, for convergence and normality.",
)
@click.option(
    "--records", default=None, type=click.IntRange(1), help="Take a sample of so many records."
)
@click.option(
    "--classifier",
    default=None,
    metavar="FOLDER",
    help="Whose embeddings are compared: a folder that `train` wrote, a name, or none. "
    "By default one that ships with the package.",
)
@click.option(
    "--training-set",
    "training_sets",
    multiple=True,
    metavar="MODEL=FOLDER",
    help="Look up the draws of a model in the records that trained it.",
)
@seed_option(1)
@device_option
def benchmark(
    models: tuple[str, ...],
    data: tuple[Path, ...],
    gmms: tuple[str, ...],
    output: Path,
    imts: str | None,
    sections: str | None,
    draws: int | None,
    waveforms: int | None,
    convergence: int | None,
    records: int | None,
    classifier: str | None,
    training_sets: tuple[str, ...],
    seed: int,
    device: str,
) -> None:
    """Compare generative models with GMMs and observed records: one page, all numbers."""
    from gwm_hazard.benchmark import classifiers, run
    from gwm_hazard.benchmark.data import Settings
    from gwm_hazard.records.flatfile import DEFAULT_IMTS

    default = Settings()
    if draws is not None and draws % 2:
        raise click.BadParameter(f"--draws {draws}: must be even, two sites an event")
    settings = Settings(
        draws=draws if draws is not None else default.draws,
        waveforms=waveforms if waveforms is not None else default.waveforms,
        convergence=convergence if convergence is not None else default.convergence,
    )
    with Bars() as progress:
        page = run.run(
            models,
            data,
            output,
            gmms=gmms or run.DEFAULT_GMMS,
            imts=listed(imts) or DEFAULT_IMTS,
            sections=listed(sections),
            settings=settings,
            seed=seed,
            device=device,
            records=records,
            classifier=classifier or classifiers.DEFAULT,
            training_sets=_pairs(training_sets),
            progress=progress,
        )
    table = run.scores(output)
    if table.shape[1]:
        click.echo(table.round(3).to_string())
    click.echo(f"{page}")


def _pairs(given: tuple[str, ...]) -> dict[str, Path]:
    """The parts of MODEL=FOLDER; a name of a model may hold no equals sign, a folder may."""
    found = {}
    for text in given:
        model, equals, folder = text.partition("=")
        if not (model and equals and folder):
            raise click.BadParameter(f"--training-set {text!r}: give MODEL=FOLDER")
        found[model] = Path(folder)
    return found
