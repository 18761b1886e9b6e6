"""``gwm-hazard surface``: build and inspect surfaces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gwm_hazard.cli._options import device_option, model_option, output_option, progress_bar


@click.group()
def surface() -> None:
    """Build and inspect surfaces: what the GSIM interpolates."""


@surface.command("build")
@model_option
@device_option
@output_option
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
    with progress_bar(f"surface of {loaded.card.name}") as progress:
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
