"""The ``gwm-hazard`` command."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

import gwm_hazard

#: Errors that say what is wrong in a line: shown as such, without a traceback.
USER_ERRORS = (ValueError, OSError, KeyError)

DEFAULT_IMTS = "PGA,PGV,SA(0.1),SA(0.2),SA(0.3),SA(0.5),SA(1.0),SA(2.0),SA(3.0),RSD595"


def main() -> None:
    """Entry point: exit code 0 only on success, one line for a user's mistake."""
    try:
        cli(standalone_mode=False)
    except click.exceptions.Abort:
        sys.exit("interrupted; a surface goes on from where it was when started again")
    except click.ClickException as exc:
        exc.show()
        sys.exit(exc.exit_code)
    except USER_ERRORS as exc:
        sys.exit(f"gwm-hazard: {exc}")


@click.group()
@click.version_option(gwm_hazard.__version__)
def cli() -> None:
    """Generative waveform models in probabilistic seismic hazard analysis."""


@contextlib.contextmanager
def _progress(title: str) -> Iterator[Callable[[float], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TimeRemainingColumn

    columns = ("{task.description}", BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=1.0)
        yield lambda share: bar.update(task, completed=share)


def _output(function: Any) -> Any:
    path = click.Path(dir_okay=False, path_type=Path)
    return click.option("--output", "-o", type=path, required=True, help="File to write.")(function)


_model = click.option(
    "--model", default="stochastic", show_default=True, help="Name, or path of a model folder."
)
_device = click.option("--device", default="auto", show_default=True, help="cpu, cuda or auto.")


@cli.group()
def models() -> None:
    """List the models, show their cards."""


@models.command("list")
def models_list() -> None:
    """Known model families, one a line."""
    from gwm_hazard.models.registry import families, load_model

    for name in sorted(families()):
        card = load_model(name, "cpu").card
        click.echo(f"{card.name:14s} {card.version:8s} {card.summary}")


@models.command("info")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="The card as JSON.")
def models_info(name: str, as_json: bool) -> None:
    """The card of a model."""
    from gwm_hazard.models.registry import load_model

    card = load_model(name, "cpu").card
    if as_json:
        click.echo(json.dumps(card.to_dict(), indent=1))
        return
    click.echo(f"{card.name} {card.version} ({card.family}): {card.summary}")
    click.echo(f"licence        {card.licence}")
    click.echo(f"region         {card.tectonic_region}")
    click.echo(f"components     {', '.join(card.components)} at {card.sampling_rate_hz:g} Hz")
    click.echo(f"between-event  {'yes' if card.between_event else 'no'}")
    click.echo(f"training data  {card.training_data}")
    for r in card.conditions:
        click.echo(f"{r.name:14s} {r.low:g} to {r.high:g} {r.unit}")
    for title, lines in (("limitations", card.limitations), ("cite", card.citation)):
        for line in lines:
            click.echo(f"{title:14s} {line}")


@cli.command()
@_model
@_device
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
@_output
def generate(
    model: str, device: str, pairs: tuple[str, ...], n: int, seed: int, output: Path
) -> None:
    """Draw waveforms for scenarios into an HDF5 file."""
    from gwm_hazard.models.registry import load_model
    from gwm_hazard.provenance import replacing
    from gwm_hazard.scenario import Scenarios

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


@cli.command()
@click.argument("path", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--imts", default=DEFAULT_IMTS, show_default=True, help="Comma-separated.")
@click.option("--component", default="RotD50", show_default=True)
@_output
def im(path: Path, imts: str, component: str, output: Path) -> None:
    """Intensity measures of a waveform file of this package, to CSV."""
    import xarray as xr

    from gwm_hazard.intensity import intensity_measures
    from gwm_hazard.provenance import replacing

    names = [i.strip() for i in imts.split(",")]
    try:
        opened = xr.open_dataset(path, engine="h5netcdf", phony_dims="access")
    except (OSError, ValueError, KeyError) as exc:
        raise ValueError(f"{path}: not a readable HDF5 file ({exc})") from exc
    with opened as data:
        if "acceleration" not in data:
            raise ValueError(f"{path}: holds no variable 'acceleration'; is it a waveform file?")
        table = intensity_measures(data, names, component=component)
        frame = table.to_dataframe().reset_index()
    with replacing(output) as temporary:
        frame.to_csv(temporary, index=False)
    click.echo(f"{output}: {len(frame)} records, {', '.join(names)} ({component})")


@cli.group()
def surface() -> None:
    """Build and inspect surfaces: what the GSIM interpolates."""


@surface.command("build")
@_model
@_device
@_output
@click.option("--realizations", default=None, type=int, help="Draws at each node.")
@click.option("--seed", default=1, show_default=True)
@click.option("--imts", default=None, help="Comma-separated; by default all that the GSIM offers.")
@click.option(
    "--axis",
    "axes",
    multiple=True,
    help="Nodes of a condition, NAME=VALUE,VALUE...; others keep their default.",
)
def surface_build(
    model: str,
    device: str,
    output: Path,
    realizations: int | None,
    seed: int,
    imts: str | None,
    axes: tuple[str, ...],
) -> None:
    """Estimate a model's moments over its scenario space; resumes where it was stopped."""
    from gwm_hazard.models.registry import load_model
    from gwm_hazard.surface import build
    from gwm_hazard.surface.surface import Axis

    loaded = load_model(model, device)
    grid = {a.name: a for a in build.default_axes(loaded)}
    for text in axes:
        name, _, values = text.partition("=")
        if name not in grid:
            raise click.BadParameter(f"--axis {text}: {model} takes {', '.join(grid)}")
        try:
            nodes = tuple(float(v) for v in values.split(","))
        except ValueError:
            raise click.BadParameter(f"--axis {text}: write NAME=VALUE,VALUE") from None
        grid[name] = Axis(name, nodes, grid[name].scale, grid[name].interpolation)
    names = tuple(i.strip() for i in imts.split(",")) if imts else build.IMTS
    with _progress(f"surface of {loaded.card.name}") as progress:
        made = build.build_surface(
            loaded,
            output,
            axes=tuple(grid.values()),
            imts=names,
            realizations=realizations or build.REALIZATIONS,
            seed=seed,
            progress=progress,
        )
    _describe(output, made)


@surface.command("info")
@click.argument("path", type=click.Path(path_type=Path), required=False)
def surface_info(path: Path | None) -> None:
    """Grid and measured errors of a surface; by default the bundled one."""
    from gwm_hazard.models.registry import load_model
    from gwm_hazard.surface.build import bundled_surface
    from gwm_hazard.surface.surface import Surface

    path = path or bundled_surface(load_model("stochastic", "cpu"))
    if path is None:
        raise ValueError("no bundled surface fits the bundled model; give a PATH")
    _describe(path, Surface.load(path))


def _describe(path: Path, made: Any) -> None:
    click.echo(
        f"{path.name}: {made.attrs['realizations']} draws at each of {made.mean[..., 0].size} nodes"
    )
    for axis in made.axes:
        nodes = ", ".join(f"{v:g}" for v in axis.values)
        click.echo(f"  {axis.name:11s} {axis.interpolation} in {axis.scale}: {nodes}")
    click.echo("held-out rms errors: ln mean and sigma (relative), interpolation / sampling")
    for i, imt in enumerate(made.imts):
        e = {k: v[i] for k, v in made.errors.items()}
        click.echo(
            f"  {imt:10s} mean {e['interpolation_mean']:.4f} / {e['sampling_mean']:.4f}   "
            f"sigma {e['interpolation_sigma']:.4f} / {e['sampling_sigma']:.4f}"
        )
