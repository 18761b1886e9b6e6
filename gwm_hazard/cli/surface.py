"""``gwm-hazard surface``: build and inspect surfaces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gwm_hazard.cli._options import (
    Renamed,
    device_option,
    model_option,
    output_option,
    progress_bar,
    seed_option,
)
from gwm_hazard.distribution import find
from gwm_hazard.distribution.file import read_surface
from gwm_hazard.errors import InputError


@click.group()
def surface() -> None:
    """Build and inspect surfaces: what the GSIM interpolates."""


@surface.command("build")
@model_option
@device_option
@output_option(
    ".h5",
    ".hdf5",
    required=False,
    help="File to write; by default one in the user's cache, where the GSIM finds it by itself.",
)
@click.option(
    "--draws", cls=Renamed, old=("--realizations",), type=int, help="Draws at each node: even."
)
@seed_option(1)
@click.option("--imts", default=None, help="Comma-separated; by default all that the GSIM offers.")
@click.option(
    "--axis",
    "axes",
    multiple=True,
    help="Nodes of a condition, NAME=VALUE,VALUE...; others keep their default.",
)
@click.option(
    "--tolerance",
    nargs=2,
    type=float,
    default=None,
    metavar="MEAN SIGMA",
    help="Held-out rms errors at which refinement ends, of ln mean and sigma: by default 0.03 "
    "0.05, and no refinement of a grid given with --axis.",
)
@click.option("--max-nodes", default=None, type=int, help="Nodes at which refinement stops.")
@click.option(
    "--start-from",
    type=click.Path(path_type=Path),
    help="Surface of the same model and ensemble whose nodes are taken over.",
)
def surface_build(
    model: str,
    device: str,
    output: Path | None,
    draws: int | None,
    seed: int,
    imts: str | None,
    axes: tuple[str, ...],
    tolerance: tuple[float, float] | None,
    max_nodes: int | None,
    start_from: Path | None,
) -> None:
    """Estimate a model's moments over its scenario space; resumes where it was stopped."""
    from gwm_hazard.distribution import build
    from gwm_hazard.distribution.refine import Tolerance
    from gwm_hazard.distribution.surface import Axis
    from gwm_hazard.models.registry import load_model

    if output is None and (draws or imts or axes or tolerance or max_nodes or seed != 1):
        raise click.UsageError(
            "give --output: the GSIM finds by itself only a surface with the default options"
        )
    loaded = load_model(model, device)
    if output is None and start_from is None:
        with progress_bar(f"surface of {loaded.card.name}") as progress:
            output = find.find_or_build(loaded, progress=progress)
        click.echo(output)
        _describe(output, read_surface(output))
        return
    output = output or find.cached_file(loaded)
    start = read_surface(start_from) if start_from else None
    grid = {a.name: a for a in (start.axes if start else build.default_axes(loaded))}
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
    with progress_bar(f"surface of {loaded.card.name}") as progress:
        made = build.build_surface(
            loaded,
            output,
            axes=tuple(grid.values()) if axes else None,
            imts=names,
            realizations=draws or build.REALIZATIONS,
            seed=seed,
            tolerance=Tolerance(*tolerance) if tolerance else None,
            max_nodes=max_nodes or build.MAX_NODES,
            start_from=start,
            progress=progress,
        )
    _describe(output, made)


@surface.command("info")
@click.argument("path", type=click.Path(path_type=Path), required=False)
def surface_info(path: Path | None) -> None:
    """Grid and measured errors of a surface; by default the bundled one."""
    from gwm_hazard.distribution.find import bundled_surface
    from gwm_hazard.models.registry import load_model

    path = path or bundled_surface(load_model("stochastic", "cpu"))
    if path is None:
        raise InputError("no bundled surface fits the bundled model; give a PATH")
    _describe(path, read_surface(path))


def _describe(path: Path, made: Any) -> None:
    click.echo(
        f"{path.name}: {made.attrs['realizations']} draws at each of {made.mean[..., 0].size} nodes"
    )
    for axis in made.axes:
        nodes = ", ".join(f"{v:g}" for v in axis.values)
        click.echo(f"  {axis.name:11s} {axis.interpolation} in {axis.scale}: {nodes}")
    if made.skewness is not None:
        click.echo(
            f"shape of the distribution from {made.attrs['shape_scenarios']} scenarios: skewness "
            f"{made.skewness.min():.2f} to {made.skewness.max():.2f}, excess kurtosis "
            f"{made.kurtosis.min():.2f} to {made.kurtosis.max():.2f}"
        )
    click.echo(
        f"errors at {made.attrs['held_out']} held-out scenarios: ln mean, sigma (relative): "
        "interpolation rms, largest / sampling rms"
    )
    for i, imt in enumerate(made.imts):
        cells = [
            f"{k} {made.errors[f'interpolation_{k}'][i]:.4f}, {made.errors[f'largest_{k}'][i]:.4f}"
            f" / {made.errors[f'sampling_{k}'][i]:.4f}"
            for k in ("mean", "sigma")
        ]
        click.echo(f"  {imt:10s} {'   '.join(cells)}")
    rms = {k: made.errors[f"interpolation_{k}"].max() for k in ("mean", "sigma")}
    click.echo(f"worst measure, rms: {rms['mean']:.4f} of ln mean, {rms['sigma']:.4f} of sigma")
